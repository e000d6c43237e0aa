//! Names of mailboxes: UTF-8, hierarchy by the store's separator. The IMAP crate translates modified UTF-7.

/// The longest name of a mailbox, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// The full name of a mailbox in UTF-8, `INBOX` in capitals (also as the first level of a hierarchy).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(String);

impl MailboxName {
    /// The mailbox that always exists.
    pub fn inbox() -> MailboxName {
        MailboxName("INBOX".to_owned())
    }

    /// The name as written, `inbox` in any case made `INBOX`. Whether a store can hold it is the store's word.
    pub fn new(name: &str, separator: char) -> MailboxName {
        let first = name.split(separator).next().unwrap_or("");
        if first.eq_ignore_ascii_case("INBOX") {
            return MailboxName(format!("INBOX{}", &name[first.len()..]));
        }
        MailboxName(name.to_owned())
    }

    /// The name in UTF-8.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is INBOX.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }
}

impl std::fmt::Display for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a mailbox is for (RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    /// RFC 8457.
    Important,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    /// Every one with its attribute in IMAP.
    pub const ALL: [(SpecialUse, &'static str); 8] = [
        (SpecialUse::All, "\\All"),
        (SpecialUse::Archive, "\\Archive"),
        (SpecialUse::Drafts, "\\Drafts"),
        (SpecialUse::Flagged, "\\Flagged"),
        (SpecialUse::Important, "\\Important"),
        (SpecialUse::Junk, "\\Junk"),
        (SpecialUse::Sent, "\\Sent"),
        (SpecialUse::Trash, "\\Trash"),
    ];

    /// By its attribute (`\Sent`, in any case, the backslash may be missing).
    pub fn named(word: &str) -> Option<SpecialUse> {
        let word = word.strip_prefix('\\').unwrap_or(word);
        let mut known = SpecialUse::ALL.iter();
        let found = known.find(|(_, attribute)| attribute[1..].eq_ignore_ascii_case(word));
        found.map(|(special_use, _)| *special_use)
    }

    /// Its attribute.
    pub fn attribute(self) -> &'static str {
        let mut known = SpecialUse::ALL.iter();
        known
            .find(|(special_use, _)| *special_use == self)
            .map_or("", |(_, attribute)| attribute)
    }
}
