//! The loop check: a message that bears our `Delivered-To:` was here before (local(8)).

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};

use crate::Content;

/// How much of a header is looked at.
pub const HEADER_BYTES_MAX: u64 = 1024 * 1024;

/// How many places are remembered.
pub const PLACES_MAX: usize = 10_000;

/// Where a message has been.
#[derive(Debug, Clone, Default)]
pub struct Been {
    /// The values of its `Delivered-To:` fields, in lower case.
    places: HashSet<Vec<u8>>,
}

impl Been {
    /// Reads the header of `content`.
    ///
    /// # Errors
    /// When the content cannot be read.
    pub fn of(content: &dyn Content) -> io::Result<Been> {
        let mut reader = BufReader::new(content.reader().take(HEADER_BYTES_MAX));
        let mut line = Vec::new();
        let mut been = Been::default();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            let text = line.trim_ascii_end();
            if read == 0 || text.is_empty() || been.places.len() >= PLACES_MAX {
                return Ok(been);
            }
            let Some(colon) = text.iter().position(|&byte| byte == b':') else {
                continue;
            };
            let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"Delivered-To") {
                been.places.insert(value.to_ascii_lowercase());
            }
        }
    }

    /// Whether it was at `recipient`.
    pub fn at(&self, recipient: &str) -> bool {
        !self.places.is_empty() && self.places.contains(&recipient.as_bytes().to_ascii_lowercase())
    }
}
