//! UTF8=ACCEPT (RFC 6855): after ENABLE, names are UTF-8 (`session/reply.rs`) and messages with UTF-8 in their headers may be
//! appended (`UTF8 (~{n}`, `session/append.rs`); SEARCH takes no CHARSET.

use super::Extension;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["UTF8=ACCEPT"]);
