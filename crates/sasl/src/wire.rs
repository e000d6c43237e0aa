//! Base64 as SASL profiles carry it on the wire (RFC 4954 §4, RFC 4648 §4): strict, padded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::RESPONSE_BYTES_MAX;

/// Encodes a challenge or response.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes a response. `None` when it is not base64 or longer than [`RESPONSE_BYTES_MAX`].
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD
        .decode(text)
        .ok()
        .filter(|bytes| bytes.len() <= RESPONSE_BYTES_MAX)
}

/// Decodes an initial response, in which a lone `=` stands for an empty one (RFC 4954 §4).
pub fn decode_initial(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"=" {
        Some(Vec::new())
    } else {
        decode(text)
    }
}
