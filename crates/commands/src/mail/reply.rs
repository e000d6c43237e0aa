//! Answers: `reply` to everybody, `Reply` to the senders, and the same with a copy named after the first of them.

use super::compose::{Draft, bare_address};
use super::folder::Letter;
use super::outside::Outside;
use super::session::{Done, Session};
use super::variables::Variables;
use super::{delivery, headline, names};

/// Whom an answer goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// Everybody whom the letter went to, and its sender.
    All,
    /// The senders of all the letters.
    Senders,
}

/// Whether a copy is kept in a file named after the first recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copy {
    /// As the variable `record` says.
    AsUsual,
    /// In a file of that name.
    ByName,
}

impl Session<'_> {
    pub(super) fn reply(&mut self, words: &[String], to: To, copy: Copy) -> Done {
        let chosen = self.select(words)?;
        // Either variable, the first is POSIX's, turns the meanings round.
        let is_turned = self.variables.is_set("flipr") != self.variables.is_set("Replyall");
        let is_to_all = (to == To::All) != is_turned;
        if is_to_all && chosen.len() > 1 {
            return Err("Sorry, can't reply to multiple messages at once".to_owned());
        }
        let letters: Vec<&Letter> = chosen.iter().map(|&index| &self.folder.letters[index]).collect();
        let draft = self.answer(&letters, is_to_all);
        delivery::refuse_targets(draft.to.iter().chain(&draft.cc))?;
        let record = match copy {
            Copy::AsUsual => None,
            Copy::ByName => Some(self.file_for(draft.to.first().map_or("", String::as_str))?),
        };
        self.outside.say(&head(&draft));
        if self.compose(draft, record)? {
            for index in chosen {
                let marks = &mut self.folder.letters[index].marks;
                marks.touched = true;
                marks.answered |= self.variables.is_set("markanswered");
            }
        }
        Ok(())
    }

    fn answer(&self, letters: &[&Letter], is_to_all: bool) -> Draft {
        let first = letters[0];
        let mut draft = Draft {
            subject: Some(reply_subject(&first.field("Subject"))),
            ..Draft::default()
        };
        for letter in letters {
            let sender = letter.sender(true);
            if !draft.to.contains(&sender) {
                draft.to.push(sender);
            }
        }
        let id = first.field("Message-ID");
        if !id.is_empty() {
            draft.references = Some(format!("{} {id}", first.field("References")).trim().to_owned());
            draft.in_reply_to = Some(id);
        }
        if is_to_all {
            add_others(&mut draft, first, self.outside, &self.variables);
        }
        draft
    }

    /// The file that `Followup`, `Save` and `Copy` name after an address.
    pub(super) fn file_for(&self, address: &str) -> Result<String, String> {
        names::file_for(address, self.variables.is_set("outfolder"))
    }
}

/// What the person sees before writing.
fn head(draft: &Draft) -> String {
    let mut head = format!("To: {}\n", draft.to.join(", "));
    if !draft.cc.is_empty() {
        head.push_str(&format!("Cc: {}\n", draft.cc.join(", ")));
    }
    head.push_str(&format!(
        "Subject: {}\n\n",
        draft.subject.as_deref().unwrap_or_default()
    ));
    head.lines()
        .map(|line| headline::printable(line) + "\n")
        .collect()
}

fn reply_subject(subject: &str) -> String {
    let starts = subject
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    if starts {
        subject.to_owned()
    } else {
        format!("Re: {subject}")
    }
}

/// Everybody else whom the letter went to; the user too with `metoo`.
fn add_others(draft: &mut Draft, letter: &Letter, outside: &dyn Outside, variables: &Variables) {
    let sender = bare_address(&draft.to[0]);
    let with_me = variables.is_set("metoo");
    let is_me = |address: &address::Address| {
        address.local() == outside.user() || variables.is_alternate(&address.to_string())
    };
    for (name, is_to) in [("To", true), ("Cc", false)] {
        for field in message::header::find_all(letter.header(), name) {
            let entries = address::list::parse(field.body);
            for other in address::list::mailboxes(&entries).filter_map(address::list::Mailbox::address) {
                let text = other.to_string();
                let is_known =
                    Some(&other) == sender.as_ref() || draft.to.contains(&text) || draft.cc.contains(&text);
                if (with_me || !is_me(&other)) && !is_known {
                    let names = if is_to { &mut draft.to } else { &mut draft.cc };
                    names.push(text);
                }
            }
        }
    }
}
