//! RFC 5322 and MIME messages: parse, structure, decode, build.
//!
//! In charge of everything that is known about a message from its bytes alone. Not in charge of where it lies or
//! who may read it. Everything here is a function of its arguments; lines may end in CRLF or LF on the way in.
//!
//! * [`structure::Structure::parse`] (whole buffer) and [`structure::Parser`] (stream): the tree of parts that IMAP
//!   needs, with offsets, sizes, line counts and [`envelope::Envelope`]s.
//! * [`header`]: fields of a header block. [`encoded_word`]: their text (RFC 2047). [`parameters`]: RFC 2045, 2231.
//! * [`transfer`], [`charset`], [`text`]: content as bytes and as UTF-8.
//! * [`downgrade`]: eight-bit messages for peers that take seven bits (RFC 6152).
//! * [`scan`]: fields and lines as a message streams by, for content checks. [`survey`]: what a peer is told of it beforehand.
//! * [`casemap`], [`subject`]: text as searching and sorting compare it.
//! * [`date`], [`mbox`], [`lines`], [`build`]: dates, the mbox format, line endings, new messages.
//!
//! RFCs: 5322, 2045–2047, 2049, 2231, 2152, 1468, 2237, 1554, 6532, 5051, 5256 §2.1; RFC 3501 and 9051 for the counts; 6152.
//! Limits: [`structure::Limits`], [`header::FIELDS_MAX`], [`parameters::PARAMETERS_MAX`], [`mbox::LINE_KEPT_MAX`], [`downgrade::HEADER_BYTES_MAX`].
//! Tests: golden messages in the modules, `mail-parser` as an oracle, properties for every decoder.

pub mod build;
pub mod casemap;
pub mod charset;
pub mod date;
pub mod downgrade;
pub mod encoded_word;
pub mod envelope;
pub mod header;
pub mod lines;
pub mod mbox;
pub mod parameters;
pub mod preview;
pub mod scan;
pub mod structure;
pub mod subject;
pub mod survey;
pub mod text;
pub mod transfer;

pub use envelope::Envelope;
pub use structure::{Part, Structure};

/// Why something is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A date in none of the forms that are read.
    #[error("not a date")]
    Date,
    /// A name of a charset that is not known.
    #[error("unknown charset {0}")]
    UnknownCharset(String),
    /// A header field that would break out of its line or has no proper name.
    #[error("not a header field name or body")]
    FieldSyntax,
}
