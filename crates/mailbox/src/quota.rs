//! How much mail there is and may be (RFC 9208): quota roots and their resources.

/// A limit, or several, on some of an account's mailboxes together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRoot {
    /// What it is called; may be empty.
    pub name: String,
    /// Whether only who asks by its name hears of it.
    pub hidden: bool,
    /// What is limited.
    pub resources: Vec<QuotaResource>,
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaResource {
    /// On what.
    pub kind: QuotaKind,
    /// How much there is: octets, or messages.
    pub used: u64,
    /// How much there may be.
    pub limit: u64,
}

/// What a limit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaKind {
    /// Octets of messages (`STORAGE`).
    Storage,
    /// Messages (`MESSAGE`).
    Message,
}
