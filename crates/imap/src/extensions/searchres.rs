//! SEARCHRES (RFC 5182): `RETURN (SAVE)` and `$`. What is saved stands in the view; [`crate::wire::sequence`] reads `$`,
//! which commands take wherever they take a set of messages.

use super::Extension;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["SEARCHRES"]);
