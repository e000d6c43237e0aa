//! Names of mailboxes and the directories they live in: `A.B` in `.A.B`, in modified UTF-7 (Maildir++).

use mailbox::name::NAME_BYTES_MAX;
use mailbox::{Error, MailboxName, Result, mutf7};

/// The longest name of a mailbox's directory, in bytes (the file system's limit).
pub const DIRECTORY_NAME_BYTES_MAX: usize = 255;

/// How names are written for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naming {
    /// The namespace's prefix, which every name but INBOX starts with.
    pub(crate) prefix: String,
    /// The hierarchy separator; on disk it is always a full stop.
    pub(crate) separator: char,
}

impl Naming {
    /// The directory of a mailbox below the maildir; empty for INBOX.
    pub(crate) fn directory(&self, name: &MailboxName) -> Result<String> {
        if name.is_inbox() {
            return Ok(String::new());
        }
        let invalid = |why| Err(Error::InvalidName(name.to_string(), why));
        let Some(own) = name.as_str().strip_prefix(self.prefix.as_str()) else {
            return invalid("it is outside the namespace");
        };
        if name.as_str().len() > NAME_BYTES_MAX {
            return invalid("it is too long");
        }
        for level in own.split(self.separator) {
            if level.is_empty() {
                return invalid("a level of its hierarchy is empty");
            }
            if level.contains(|c: char| c == '/' || c == '.' || c.is_control()) {
                return invalid("it holds a character that a Maildir++ mailbox cannot have in its name");
            }
        }
        let directory = format!(".{}", mutf7::encode(own).replace(self.separator, "."));
        if directory.len() > DIRECTORY_NAME_BYTES_MAX {
            return invalid("it is too long");
        }
        if directory.eq_ignore_ascii_case(".INBOX") {
            return invalid("INBOX is the maildir itself");
        }
        Ok(directory)
    }

    /// The mailbox in a directory; `None` when no mailbox is called so.
    pub(crate) fn mailbox(&self, directory: &str) -> Option<MailboxName> {
        let own = mutf7::decode(directory.strip_prefix('.')?.as_bytes())?;
        if self.separator != '.' && own.contains(self.separator) {
            return None;
        }
        let own: String = own
            .chars()
            .map(|c| if c == '.' { self.separator } else { c })
            .collect();
        let name = MailboxName::new(&format!("{}{own}", self.prefix), self.separator);
        (self.directory(&name).ok()? == directory).then_some(name)
    }

    /// The names above a mailbox, nearest first.
    pub(crate) fn parents<'a>(&'a self, name: &'a MailboxName) -> impl Iterator<Item = MailboxName> + 'a {
        let own = name.as_str().strip_prefix(self.prefix.as_str()).unwrap_or("");
        own.rmatch_indices(self.separator)
            .map(|(at, _)| MailboxName::new(&format!("{}{}", self.prefix, &own[..at]), self.separator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(prefix: &str, separator: char) -> Naming {
        Naming {
            prefix: prefix.to_owned(),
            separator,
        }
    }

    #[test]
    fn names_and_directories() {
        for (naming, name, directory) in [
            (naming("", '.'), "Sub.Grün", ".Sub.Gr&APw-n"),
            (naming("", '/'), "Sub/Grün", ".Sub.Gr&APw-n"),
            (naming("INBOX.", '.'), "INBOX.Sent", ".Sent"),
            (naming("", '.'), "INBOX.Sent", ".INBOX.Sent"),
        ] {
            let name = MailboxName::new(name, naming.separator);
            assert_eq!(naming.directory(&name).unwrap(), directory);
            assert_eq!(naming.mailbox(directory), Some(name));
        }
        assert_eq!(naming("", '.').directory(&MailboxName::inbox()).unwrap(), "");
    }

    #[test]
    fn names_that_cannot_be() {
        let dots = naming("", '.');
        for wrong in ["", "a..b", ".a", "a.", "a/b", "../etc", "a\0b", &"x".repeat(300)] {
            assert!(
                dots.directory(&MailboxName::new(wrong, '.')).is_err(),
                "{wrong:?}"
            );
        }
        assert!(naming("", '/').directory(&MailboxName::new("a.b", '/')).is_err());
        for wrong in ["", "cur", "..", "...", ".INBOX", ".&AGE-", ".a..b"] {
            assert_eq!(dots.mailbox(wrong), None, "{wrong:?}");
        }
    }
}
