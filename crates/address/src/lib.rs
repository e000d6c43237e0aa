//! Mail addresses and domains: parse, quote, compare.
//!
//! In charge of what stands between `<` and `>` in SMTP ([`path`]) and of addresses in header fields and tables
//! ([`list`]). Not in charge of rewriting or routing. RFCs: 5321 §4.1.2, 5322 §3.4 and §4.4, 5890, 6531.
//!
//! Entry: [`Address::parse`], [`path::parse`], [`list::parse`], [`Domain::parse`].
//! Limits: [`LOCAL_BYTES_MAX`], [`DOMAIN_BYTES_MAX`], [`list::ENTRIES_MAX`].

mod domain;
pub mod list;
mod mailbox;
pub mod path;

pub use domain::Domain;
pub use mailbox::Address;

/// The longest local part, in octets (RFC 5321 §4.5.3.1.1 says 64; real ones are longer).
pub const LOCAL_BYTES_MAX: usize = 512;
/// The longest domain, in octets (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;

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
