//! How names are shown: the namespace's prefix and separator before the names of files, which have `/` between levels.

use mailbox::{Error, MailboxName, Result};

/// Prefix and separator of the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naming {
    /// What every name but INBOX starts with.
    pub(crate) prefix: String,
    /// What clients see between levels.
    pub(crate) separator: char,
}

impl Default for Naming {
    fn default() -> Naming {
        Naming {
            prefix: String::new(),
            separator: '/',
        }
    }
}

impl Naming {
    /// The name below the root of a mailbox that clients call `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`] outside the namespace, or with a `/` that is no separator.
    pub(crate) fn inner(&self, name: &MailboxName) -> Result<MailboxName> {
        if name.is_inbox() {
            return Ok(name.clone());
        }
        let invalid = |why| Err(Error::InvalidName(name.to_string(), why));
        let Some(own) = name.as_str().strip_prefix(self.prefix.as_str()) else {
            return invalid("it is outside the namespace");
        };
        if self.separator == '/' {
            return Ok(MailboxName::new(own, '/'));
        }
        if own.contains('/') {
            return invalid("a file's name cannot hold a slash");
        }
        Ok(MailboxName::new(&own.replace(self.separator, "/"), '/'))
    }

    /// What clients call the mailbox with this name below the root; `None` when they cannot.
    pub(crate) fn outer(&self, name: &MailboxName) -> Option<MailboxName> {
        if name.is_inbox() {
            return Some(name.clone());
        }
        let mut own = name.as_str().to_owned();
        if self.separator != '/' {
            if own.contains(self.separator) {
                return None;
            }
            own = own.replace('/', self.separator.encode_utf8(&mut [0; 4]));
        }
        Some(MailboxName::new(&format!("{}{own}", self.prefix), self.separator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_out_and_come_in() {
        for (prefix, separator, outer, inner) in [
            ("", '/', "a/b", "a/b"),
            ("INBOX/", '/', "INBOX/a", "a"),
            ("mail.", '.', "mail.a.b", "a/b"),
            ("mail.", '.', "INBOX", "INBOX"),
        ] {
            let naming = Naming {
                prefix: prefix.to_owned(),
                separator,
            };
            let (outer, inner) = (MailboxName::new(outer, separator), MailboxName::new(inner, '/'));
            assert_eq!(naming.inner(&outer).unwrap(), inner);
            assert_eq!(naming.outer(&inner), Some(outer));
        }
        let dots = Naming {
            prefix: "mail.".to_owned(),
            separator: '.',
        };
        assert!(dots.inner(&MailboxName::new("other.x", '.')).is_err());
        assert!(dots.inner(&MailboxName::new("mail.x/y", '.')).is_err());
        assert_eq!(dots.outer(&MailboxName::new("x.y", '/')), None);
    }
}
