//! Extensions without a command or test of their own: what they allow is in the words of the base language.

use super::{Extension, Offer};
use crate::words::{Kind, Tag};

/// RFC 5228 §2.4.2.4; undone where strings are checked.
pub(crate) const ENCODED_CHARACTER: Extension = Extension::new("encoded-character");
/// RFC 5233: `:user` and `:detail`.
pub(crate) const SUBADDRESS: Extension = Extension::new("subaddress");
/// RFC 5231: `:value` and `:count`.
pub(crate) const RELATIONAL: Extension = Extension::new("relational");
/// draft-ietf-sieve-regex: `:regex`.
pub(crate) const REGEX: Extension = Extension::new("regex");
/// RFC 4790 §9.1.
pub(crate) const ASCII_NUMERIC: Extension = Extension::new("comparator-i;ascii-numeric");
/// RFC 5051.
pub(crate) const UNICODE_CASEMAP: Extension = Extension::new("comparator-i;unicode-casemap");

/// RFC 3894: `:copy`.
pub(crate) const COPY: Extension = Extension::new("copy").offers(&[Offer {
    words: &["fileinto", "redirect", "pipe"],
    tags: &[Tag::flag("copy")],
}]);

/// RFC 5260 §6: `:index` and `:last`.
pub(crate) const INDEX: Extension = Extension::new("index").offers(&[Offer {
    words: &["header", "address", "date"],
    tags: &[Tag::with("index", Kind::Number), Tag::flag("last")],
}]);
