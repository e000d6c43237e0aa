//! `doveadm flags`: adds flags to messages, takes them away, or replaces them (doveadm-flags(1)).

use mailbox::{FlagChange, Flags, Keyword, SystemFlags};

use super::find;
use super::query::Query;
use super::{Command, Formatter, Rows, TEMPORARY, Task, UserMail, Words, Wrong};

const USAGE: &str = "<flags> <search query>";

pub(super) const ADD: Command = Command {
    name: "flags add",
    usage: USAGE,
    options: ("", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make: |words| make(words, FlagChange::Add),
};

pub(super) const REMOVE: Command = Command {
    name: "flags remove",
    make: |words| make(words, FlagChange::Remove),
    ..ADD
};

pub(super) const REPLACE: Command = Command {
    name: "flags replace",
    make: |words| make(words, FlagChange::Set),
    ..ADD
};

struct Change {
    change: FlagChange,
    /// A keyword that cannot be one.
    wrong: bool,
    query: Query,
}

fn make(words: &Words, how: fn(Flags) -> FlagChange) -> Result<Box<dyn Task>, Wrong> {
    let ([flags], query) = words.split()?;
    let query = words.query(query)?;
    let flags = parse(flags).map_err(|flag| Wrong::fatal(format!("Invalid system flag: {flag}")))?;
    let is_keyword = |octet: u8| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet);
    let wrong = flags
        .keywords
        .iter()
        .any(|keyword| !keyword.as_str().bytes().all(is_keyword));
    Ok(Box::new(Change {
        change: how(flags),
        wrong,
        query,
    }))
}

/// Flags with spaces between them; fails with the one that nobody knows. `\Recent` is nobody's to set.
fn parse(text: &str) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut known = SystemFlags::ALL.iter();
        if let Some((flag, _)) = known.find(|(_, name)| name.eq_ignore_ascii_case(word)) {
            flags.system = flags.system.union(*flag);
        } else if word.starts_with('\\') {
            if !word.eq_ignore_ascii_case("\\Recent") {
                return Err(word.to_owned());
            }
        } else {
            flags.keywords.push(Keyword::new(word));
        }
    }
    Ok(flags)
}

impl Task for Change {
    fn run(&mut self, mail: &mut UserMail, _rows: &mut Rows<'_>) {
        let wrong = |name: &str| format!("Syncing mailbox '{name}' failed");
        find::each(mail, &self.query, wrong, |mail, found| {
            if self.wrong {
                return mail.error(65, "Invalid keywords: Invalid characters in keyword");
            }
            let stored = mail
                .store
                .store_flags(found.finder.id(), &found.uids, &self.change, None);
            match stored {
                Ok(stored) if !stored.modified.is_empty() => {
                    mail.error(
                        TEMPORARY,
                        &format!("Mailbox {}: some messages changed meanwhile", found.name),
                    );
                }
                Ok(_) => {}
                Err(error) => mail.failed(&format!("Syncing mailbox '{}' failed", found.name), &error),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        let flags = parse("\\seen  Foo \\Recent").expect("flags");
        assert_eq!(
            (flags.system, flags.keywords),
            (SystemFlags::SEEN, vec![Keyword::new("Foo")])
        );
        assert_eq!(parse("\\Bogus"), Err("\\Bogus".to_owned()));
    }
}
