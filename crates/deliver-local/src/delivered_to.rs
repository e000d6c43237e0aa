//! The loop check: a message that bears our `Delivered-To:` was here before (local(8)).

use std::io::{self, BufRead, BufReader, Read};

use crate::Content;

/// How much of a header is looked at.
pub const HEADER_BYTES_MAX: u64 = 1024 * 1024;

/// Whether the header of `content` has `Delivered-To: recipient`.
///
/// # Errors
/// When the content cannot be read.
pub fn already_here(content: &dyn Content, recipient: &str) -> io::Result<bool> {
    let mut reader = BufReader::new(content.reader().take(HEADER_BYTES_MAX));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        let text = line.trim_ascii_end();
        if read == 0 || text.is_empty() {
            return Ok(false);
        }
        let Some(colon) = text.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"Delivered-To") && value.eq_ignore_ascii_case(recipient.as_bytes()) {
            return Ok(true);
        }
    }
}
