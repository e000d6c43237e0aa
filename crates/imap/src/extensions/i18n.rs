//! I18NLEVEL=1 (RFC 5255): text is searched for, sorted and threaded as `i;unicode-casemap` compares it, see [`message::casemap`].

use super::Extension;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["I18NLEVEL=1"]);
