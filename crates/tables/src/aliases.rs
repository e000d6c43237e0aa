//! The right side of aliases(5), `.forward` and `:include:` files: a list of targets.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::source::unquote;

/// The most targets that one list may have.
pub const TARGETS_MAX: usize = 100_000;
/// The longest target, in bytes.
pub const TARGET_BYTES_MAX: usize = 8192;

/// Where mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// `user`, `user@domain`, `"odd user"@domain`: without angle brackets and comments, otherwise as written.
    Address(String),
    /// `|command`: what the shell is to run.
    Command(String),
    /// `/file/name`: appended to; a directory when it ends in a slash (Maildir).
    File(PathBuf),
    /// `:include:/file/name`: more targets are there.
    Include(PathBuf),
    /// `\user`: the mailbox of the user, with no more aliases or forwarding.
    Mailbox(String),
}

/// A target that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A command, file or include without its name.
    #[error("\"{0}\" names nothing")]
    Empty(String),
    /// A relative include file.
    #[error(":include:{0}: the path must begin with a slash")]
    RelativeInclude(String),
    /// Over [`TARGETS_MAX`] or [`TARGET_BYTES_MAX`].
    #[error("the list is too long")]
    TooLong,
}

/// The targets of a list. Commas part them; quotes and comments keep commas together. Empty items are passed over.
///
/// # Errors
/// The first [`Error`]: a list that is partly wrong must not be delivered partly in silence.
pub fn targets(list: &str) -> Result<Vec<Target>, Error> {
    let items = split(list);
    if items.len() > TARGETS_MAX {
        return Err(Error::TooLong);
    }
    items.iter().map(|item| target(item)).collect()
}

/// The items of a list as written, trimmed, without empty ones. Blanks part items as commas do, except in quotes, in
/// comments and before an `<address>`, whose name they belong to.
pub(crate) fn split(list: &str) -> Vec<&str> {
    let items = split_at(list, |c| matches!(c, ',' | '\n'));
    let words = |item| match has_brackets(item) || is_comment(item) {
        true => vec![item],
        false => split_at(item, char::is_whitespace),
    };
    let words: Vec<&str> = items.into_iter().flat_map(words).collect();
    words.into_iter().filter(|word| !is_comment(word)).collect()
}

/// Whether there is an `<address>` outside of quotes.
fn has_brackets(item: &str) -> bool {
    let mut is_quoted = false;
    let mut outside = item.chars().filter(|c| {
        is_quoted ^= *c == '"';
        !is_quoted
    });
    let start = outside.any(|c| c == '<');
    start && item.contains('>')
}

/// Whether it is nothing but `(a comment)`.
fn is_comment(item: &str) -> bool {
    item.starts_with('(') && item.ends_with(')')
}

/// The parts of a list between characters that `is_end` names, outside of quotes and comments.
fn split_at(list: &str, is_end: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut items, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped, mut depth) = (false, false, 0usize);
    for (at, c) in list.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted || depth > 0 => is_escaped = true,
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            c if is_end(c) && !is_quoted && depth == 0 => {
                items.push(&list[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    items.push(&list[start..]);
    items
        .into_iter()
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}

fn target(item: &str) -> Result<Target, Error> {
    if item.len() > TARGET_BYTES_MAX {
        return Err(Error::TooLong);
    }
    // A quoted item as a whole: "|command with blanks", "/file name", ":include:/a b".
    if let Some((inner, "")) = item.strip_prefix('"').and_then(unquote)
        && let Some(found) = special(&inner, item)?
    {
        return Ok(found);
    }
    if let Some(found) = special(item, item)? {
        return Ok(found);
    }
    let address = bare_address(item);
    if address.is_empty() {
        Err(Error::Empty(item.to_owned()))
    } else {
        Ok(Target::Address(address))
    }
}

/// A target that is no address.
fn special(text: &str, item: &str) -> Result<Option<Target>, Error> {
    let empty = || Error::Empty(item.to_owned());
    if let Some(command) = text.strip_prefix('|') {
        let command = command.trim();
        // |"command with blanks": the older way to quote.
        let command = match command.strip_prefix('"').and_then(unquote) {
            Some((inner, "")) => inner,
            _ => command.to_owned(),
        };
        return if command.is_empty() {
            Err(empty())
        } else {
            Ok(Some(Target::Command(command)))
        };
    }
    if text.starts_with('/') {
        return Ok(Some(Target::File(PathBuf::from(text))));
    }
    if let Some(path) = strip_include(text) {
        let path = path.trim().trim_matches('"');
        return match path.starts_with('/') {
            true => Ok(Some(Target::Include(PathBuf::from(path)))),
            false if path.is_empty() => Err(empty()),
            false => Err(Error::RelativeInclude(path.to_owned())),
        };
    }
    match text.strip_prefix('\\') {
        Some("") => Err(empty()),
        Some(user) => Ok(Some(Target::Mailbox(user.to_owned()))),
        None => Ok(None),
    }
}

fn strip_include(text: &str) -> Option<&str> {
    const WORD: &str = ":include:";
    text.get(..WORD.len())
        .filter(|word| word.eq_ignore_ascii_case(WORD))
        .map(|_| &text[WORD.len()..])
}

/// The address within `Name <address> (comment)`.
fn bare_address(item: &str) -> String {
    if let Some(end) = item.rfind('>')
        && let Some(start) = item[..end].rfind('<')
    {
        return item[start + 1..end].trim().to_owned();
    }
    let (mut out, mut depth, mut is_quoted) = (String::new(), 0usize, false);
    for c in item.chars() {
        match c {
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            c => {
                is_quoted ^= c == '"';
                out.push(c);
            }
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_target() {
        let list = r#"root, Bob@Example.test, "|/bin/cat > /dev/null, x", |"/bin/a b", /var/mail/file, ":include:/a b",
            :include:/c, \joe, "\jim", <u@v>, Foo Bar <x@y.z>, (a, comment) z, "john doe"@example.com, /dir/Maildir/"#;
        let command = |text: &str| Target::Command(text.to_owned());
        let address = |text: &str| Target::Address(text.to_owned());
        assert_eq!(
            targets(list).unwrap(),
            [
                address("root"),
                address("Bob@Example.test"),
                command("/bin/cat > /dev/null, x"),
                command("/bin/a b"),
                Target::File("/var/mail/file".into()),
                Target::Include("/a b".into()),
                Target::Include("/c".into()),
                Target::Mailbox("joe".to_owned()),
                // Within quotes the backslash only escapes.
                address("\"\\jim\""),
                address("u@v"),
                address("x@y.z"),
                address("z"),
                address("\"john doe\"@example.com"),
                Target::File("/dir/Maildir/".into()),
            ]
        );
        let forward = "\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #user\"";
        assert_eq!(
            targets(forward).unwrap(),
            [command("IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #user")]
        );
        assert_eq!(targets(" , ,\n").unwrap(), []);
        // Blanks part what has no quotes.
        assert_eq!(
            targets("bob  carol (both), |/bin/a /tmp/b").unwrap(),
            [
                address("bob"),
                address("carol"),
                command("/bin/a"),
                Target::File("/tmp/b".into())
            ]
        );
    }

    #[test]
    fn wrong_targets() {
        assert_eq!(targets("a, |"), Err(Error::Empty("|".to_owned())));
        assert_eq!(targets(":include:"), Err(Error::Empty(":include:".to_owned())));
        assert_eq!(targets(":include:x"), Err(Error::RelativeInclude("x".to_owned())));
        assert_eq!(targets("<>"), Err(Error::Empty("<>".to_owned())));
        assert_eq!(targets(&"x".repeat(TARGET_BYTES_MAX + 1)), Err(Error::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(list in "[a:|/<>()\"\\\\,é \n]{0,60}") {
            let _ = targets(&list);
        }
    }
}
