//! Flags and keywords of a message (RFC 9051 §2.3.2). `\Recent` is a session's matter and no flag here.

use std::sync::Arc;

/// How many keywords one mailbox may know. A store refuses more with [`crate::Error::OverLimit`].
pub const KEYWORDS_MAX: usize = 64;

/// The system flags as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    /// No flag.
    pub const NONE: SystemFlags = SystemFlags(0);
    /// `\Answered`
    pub const ANSWERED: SystemFlags = SystemFlags(1);
    /// `\Flagged`
    pub const FLAGGED: SystemFlags = SystemFlags(2);
    /// `\Deleted`
    pub const DELETED: SystemFlags = SystemFlags(4);
    /// `\Seen`
    pub const SEEN: SystemFlags = SystemFlags(8);
    /// `\Draft`
    pub const DRAFT: SystemFlags = SystemFlags(16);

    /// Every system flag with its IMAP spelling, in the order in which Dovecot lists them.
    pub const ALL: [(SystemFlags, &'static str); 5] = [
        (SystemFlags::ANSWERED, "\\Answered"),
        (SystemFlags::FLAGGED, "\\Flagged"),
        (SystemFlags::DELETED, "\\Deleted"),
        (SystemFlags::SEEN, "\\Seen"),
        (SystemFlags::DRAFT, "\\Draft"),
    ];

    /// Whether every flag of `other` is set here.
    pub fn contains(self, other: SystemFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub fn union(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 | other.0)
    }

    /// This set without `other`.
    pub fn without(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 & !other.0)
    }
}

/// A keyword as the client spelt it; compared without case in ASCII (RFC 9051 §2.3.2).
#[derive(Debug, Clone, Eq)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// The keyword `name`. The syntax (an atom) is the protocol's matter.
    pub fn new(name: &str) -> Keyword {
        Keyword(Arc::from(name))
    }

    /// The keyword as it was first spelt.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// The flags of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// System flags.
    pub system: SystemFlags,
    /// Keywords, each once, in the order in which they were set.
    pub keywords: Vec<Keyword>,
}

impl Flags {
    /// These system flags and no keyword.
    pub fn system(system: SystemFlags) -> Flags {
        Flags {
            system,
            keywords: Vec::new(),
        }
    }

    /// Whether the keyword is set.
    pub fn has_keyword(&self, keyword: &Keyword) -> bool {
        self.keywords.contains(keyword)
    }

    /// The flags after `change`.
    pub fn changed(&self, change: &FlagChange) -> Flags {
        match change {
            FlagChange::Set(flags) => flags.clone(),
            FlagChange::Add(flags) => {
                let mut result = self.clone();
                result.system = result.system.union(flags.system);
                for keyword in &flags.keywords {
                    if !result.has_keyword(keyword) {
                        result.keywords.push(keyword.clone());
                    }
                }
                result
            }
            FlagChange::Remove(flags) => Flags {
                system: self.system.without(flags.system),
                keywords: self
                    .keywords
                    .iter()
                    .filter(|k| !flags.has_keyword(k))
                    .cloned()
                    .collect(),
            },
        }
    }
}

/// A change of flags, as IMAP STORE asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagChange {
    /// `FLAGS`: replace.
    Set(Flags),
    /// `+FLAGS`
    Add(Flags),
    /// `-FLAGS`
    Remove(Flags),
}
