//! Mail addresses and domains: parse, quote, compare.
//!
//! In charge of what stands between `<` and `>` in SMTP and of addresses in header fields and tables. Not in
//! charge of rewriting or routing. RFCs: 5321 §4.1.2, 5322 §3.4, 6531.
//! Limits: [`LOCAL_BYTES_MAX`], [`DOMAIN_BYTES_MAX`].

/// The longest local part, in octets (RFC 5321 §4.5.3.1.1 says 64; real ones are longer).
pub const LOCAL_BYTES_MAX: usize = 512;
/// The longest domain, in octets (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;

/// `local@domain`, or a local part alone (`root`, as local submission gives it).
///
/// The local part is kept unquoted; [`std::fmt::Display`] quotes it where RFC 5321 needs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: Option<Domain>,
}

/// A domain name as written, or an address literal in its brackets; compared without case.
#[derive(Debug, Clone)]
pub struct Domain(String);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The syntax is wrong; the text says where or what.
    #[error("{0}")]
    Syntax(&'static str),
    /// A part is over its limit.
    #[error("{0} is too long")]
    TooLong(&'static str),
}

impl Address {
    /// An address of its parts. `local` is unquoted.
    pub fn new(local: &str, domain: Option<Domain>) -> Address {
        Address { local: local.to_owned(), domain }
    }

    /// The local part, unquoted.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, if there is one.
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }
}

impl Domain {
    /// The domain as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for Domain {}
impl std::hash::Hash for Domain {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|b| state.write_u8(b.to_ascii_lowercase()));
    }
}
impl Ord for Domain {
    fn cmp(&self, other: &Domain) -> std::cmp::Ordering {
        let lower = |d: &Domain| d.0.to_ascii_lowercase();
        lower(self).cmp(&lower(other))
    }
}
impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Domain) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
