//! PREVIEW (RFC 8970), with Dovecot's earlier forms PREVIEW=FUZZY and SNIPPET=FUZZY: the beginning of a message's text.

use mailbox::Result;
use message::preview::{self, Preview};
use message::text::TextDecoder;

use super::Extension;
use crate::session::section::{READ_BYTES, Source};
use crate::wire::encode;
use crate::wire::fetch::PreviewItem;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["SNIPPET=FUZZY", "PREVIEW=FUZZY", "PREVIEW"]);

/// How much of a part is read for a preview, in octets.
const READ_BYTES_MAX: u64 = 256 * 1024;

/// Writes the item. `LAZY` changes nothing: a preview is quickly made.
pub(crate) fn push(out: &mut Vec<u8>, item: &PreviewItem, source: Option<&mut Source>) -> Result<()> {
    let text = match source {
        Some(source) => text(source)?,
        None => String::new(),
    };
    out.extend_from_slice(item.name.as_bytes());
    out.extend_from_slice(if item.names_algorithm { b" (FUZZY " } else { b" " });
    encode::quoted(out, text.as_bytes());
    if item.names_algorithm {
        out.push(b')');
    }
    Ok(())
}

/// The beginning of the text.
pub(crate) fn text(source: &mut Source) -> Result<String> {
    source.structure()?;
    let Some((part, language)) = source.parsed().and_then(preview::part) else {
        return Ok(String::new());
    };
    let end = part.body.end.min(part.body.start + READ_BYTES_MAX);
    let mut preview = Preview::new(language);
    let mut decoder = TextDecoder::new(part);
    let mut decoded = String::new();
    let mut at = part.body.start;
    while at < end && !preview.is_full() {
        let piece = source.read(&(at..end.min(at + READ_BYTES as u64)))?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        decoded.clear();
        decoder.feed(&piece, &mut decoded);
        preview.feed(&decoded);
    }
    decoded.clear();
    decoder.finish(&mut decoded);
    preview.feed(&decoded);
    Ok(preview.finish())
}
