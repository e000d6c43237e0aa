//! `mime` (RFC 5703 §4): tags by which `header`, `address` and `exists` look at parts.

use super::{Extension, Offer};
use crate::words::{Kind, Tag};

pub(crate) const EXTENSION: Extension = Extension::new("mime").offers(&[
    Offer {
        words: &["header"],
        tags: &[
            Tag::flag("type"),
            Tag::flag("subtype"),
            Tag::flag("contenttype"),
            Tag::with("param", Kind::Texts),
        ],
    },
    Offer {
        words: &["header", "address", "exists"],
        tags: &[Tag::flag("mime"), Tag::flag("anychild")],
    },
]);
