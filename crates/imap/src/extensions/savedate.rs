//! SAVEDATE (RFC 8514): when a message came into its mailbox.

use std::num::NonZeroI64;

use super::Extension;
use crate::wire::{date, encode};

pub(crate) const EXTENSION: Extension = Extension::of_words(&["SAVEDATE"]);

/// Writes the item of FETCH.
pub(crate) fn push(out: &mut Vec<u8>, save_date_secs: Option<NonZeroI64>) {
    out.extend_from_slice(b"SAVEDATE ");
    match save_date_secs {
        Some(secs) => date::encode_date_time(out, secs.get()),
        None => encode::nstring(out, None),
    }
}
