//! Encoded words (RFC 2047): header text to UTF-8 and back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::charset;
use crate::transfer;

/// The longest encoded word that is written (RFC 2047 §2).
const WORD_BYTES_MAX: usize = 75;

/// Header text as UTF-8: encoded words decoded, white space between two of them dropped, other 8-bit text guessed
/// (UTF-8, ISO-2022-JP, or Windows-1252). Words that are split inside a character are joined first.
pub fn decode(text: &[u8]) -> String {
    let mut decoded = String::with_capacity(text.len());
    // Bytes of the words just before, still in their charset.
    let mut open: Option<(String, Vec<u8>)> = None;
    let mut rest = text;
    let mut plain_from = 0;
    let mut at = 0;
    while at < rest.len() {
        let Some(step) = memchr::memmem::find(&rest[at..], b"=?") else {
            break;
        };
        at += step;
        let Some((label, bytes, length)) = word(&rest[at..]) else {
            at += 2;
            continue;
        };
        let between = &rest[plain_from..at];
        let adjacent = open.is_some() && between.iter().all(|b| b.is_ascii_whitespace());
        if !adjacent {
            close(&mut open, &mut decoded);
            decoded.push_str(&charset::guess(between));
        }
        match &mut open {
            Some((same, pending)) if same.eq_ignore_ascii_case(&label) => pending.extend_from_slice(&bytes),
            _ => {
                close(&mut open, &mut decoded);
                open = Some((label, bytes));
            }
        }
        rest = &rest[at + length..];
        (at, plain_from) = (0, 0);
    }
    close(&mut open, &mut decoded);
    decoded.push_str(&charset::guess(&rest[plain_from..]));
    decoded
}

fn close(open: &mut Option<(String, Vec<u8>)>, into: &mut String) {
    if let Some((label, bytes)) = open.take() {
        into.push_str(&charset::to_utf8(&label, &bytes).unwrap_or_else(|_| charset::guess(&bytes)));
    }
}

/// The encoded word at the start of `text`: charset (without RFC 2231's language), bytes, length.
fn word(text: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let inner = text.strip_prefix(b"=?")?;
    let first = memchr::memchr(b'?', inner)?;
    let label = std::str::from_utf8(&inner[..first])
        .ok()
        .filter(|l| !l.is_empty() && !l.contains([' ', '\t']))?;
    let coding = *inner.get(first + 1)?;
    if inner.get(first + 2) != Some(&b'?') {
        return None;
    }
    let content = &inner[first + 3..];
    let end = memchr::memmem::find(content, b"?=")?;
    // In Q, `?=` may be the end or, after `=`, never is: `=3F=` has no question mark.
    let coded = &content[..end];
    let bytes = match coding {
        b'B' | b'b' => transfer::base64(coded),
        b'Q' | b'q' => transfer::q_word(coded),
        _ => return None,
    };
    let label = label.split('*').next().unwrap_or(label).to_owned();
    Some((label, bytes, 2 + first + 3 + end + 2))
}

/// `text` for an unstructured field or a display name: as it is when it is ASCII that nobody could take for an
/// encoded word, else as UTF-8 encoded words of at most 75 octets, joined by `CRLF SP`. CR, LF and other control
/// characters become spaces.
///
/// `column` is how much of the first line is taken.
pub fn encode(text: &str, column: usize) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect();
    if text.is_ascii() && !text.contains("=?") {
        return text;
    }
    let plain = text.bytes().filter(|b| b.is_ascii_graphic()).count();
    let quoted = plain * 2 > text.len();
    let mut words = Vec::new();
    let mut piece = String::new();
    let room = |index: usize| {
        WORD_BYTES_MAX
            .saturating_sub("=?UTF-8?B??=".len() + if index == 0 { column } else { 0 })
            .max(12)
    };
    for c in text.chars() {
        let mut longer = piece.clone();
        longer.push(c);
        let length = if quoted {
            q_encoded(&longer).len()
        } else {
            longer.len().div_ceil(3) * 4
        };
        if length > room(words.len()) && !piece.is_empty() {
            words.push(std::mem::take(&mut piece));
            piece.push(c);
        } else {
            piece = longer;
        }
    }
    words.push(piece);
    let encoded = |piece: &String| match quoted {
        true => format!("=?UTF-8?Q?{}?=", q_encoded(piece)),
        false => format!("=?UTF-8?B?{}?=", STANDARD.encode(piece)),
    };
    words.iter().map(encoded).collect::<Vec<_>>().join("\r\n ")
}

fn q_encoded(text: &str) -> String {
    let mut coded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => coded.push('_'),
            b if b.is_ascii_alphanumeric() || b"!*+-/".contains(&b) => coded.push(char::from(b)),
            b => coded.push_str(&format!("={b:02X}")),
        }
    }
    coded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_as_mailers_write_them() {
        for (text, expected) in [
            ("plain", "plain"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "日本語"),
            ("Re: =?iso-2022-jp?B?GyRCRnxLXDhsGyhC?= x", "Re: 日本語 x"),
            ("=?UTF-8?B?5pel5g==?= =?UTF-8?B?nKw=?=", "日本"),
            ("=?utf-8*ja?q?=E6=97=A5?=", "日"),
            ("=?x-unknown?Q?abc?=", "abc"),
            ("=?UTF-8?Q?broken", "=?UTF-8?Q?broken"),
            ("a =? b ?= c", "a =? b ?= c"),
        ] {
            assert_eq!(decode(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(decode(b"\x1b$BF|K\\8l\x1b(B"), "日本語");
        assert_eq!(decode("日本語".as_bytes()), "日本語");
        assert_eq!(decode(b"caf\xe9"), "café");
    }

    #[test]
    fn words_are_written_within_their_length() {
        let text = "日本語の長い件名です。".repeat(10);
        let encoded = encode(&text, 9);
        assert!(encoded.split("\r\n ").all(|w| w.len() <= 75) && encoded.is_ascii());
        assert_eq!(decode(encoded.as_bytes()), text);
        assert_eq!(encode("plain", 9), "plain");
        assert_eq!(encode("a\r\nBcc: x", 9), "a  Bcc: x");
        assert!(encode("caf\u{e9}", 9).starts_with("=?UTF-8?Q?"));
    }

    proptest! {
        #[test]
        fn round_trip(text in "[ -~あé=?_]{0,120}", column in 0usize..40) {
            prop_assert_eq!(decode(encode(&text, column).as_bytes()), text);
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(prop_oneof![Just(b'='), Just(b'?'), Just(b'Q'), Just(b'B'), any::<u8>()], 0..60)) {
            let _ = decode(&text);
        }
    }
}
