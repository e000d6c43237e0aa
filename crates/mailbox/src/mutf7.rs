//! Mailbox names in modified UTF-7 (RFC 3501 §5.1.3).

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Decodes a name; `None` when it is not valid modified UTF-7 (RFC 3501 asks for the one canonical form).
pub fn decode(name: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        match octet {
            b'&' => {
                let end = rest.iter().position(|&b| b == b'-')?;
                if end == 0 {
                    text.push('&');
                } else {
                    push_utf16(&mut text, &BASE64.decode(&rest[..end]).ok()?)?;
                }
                rest = &rest[end + 1..];
            }
            0x20..=0x7e => text.push(char::from(octet)),
            _ => return None,
        }
    }
    (encode(&text).as_bytes() == name).then_some(text)
}

fn push_utf16(text: &mut String, bytes: &[u8]) -> Option<()> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    for unit in char::decode_utf16(units) {
        text.push(unit.ok()?);
    }
    Some(())
}

/// Encodes a name.
pub fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut shifted = Vec::new();
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            unshift(&mut text, &mut shifted);
            text.push(c);
            if c == '&' {
                text.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
    unshift(&mut text, &mut shifted);
    text
}

fn unshift(text: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        text.push('&');
        text.push_str(&BASE64.encode(&*shifted));
        text.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(
            encode("~peter/mail/台北/日本語"),
            "~peter/mail/&U,BTFw-/&ZeVnLIqe-"
        );
        assert_eq!(
            decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-").as_deref(),
            Some("~peter/mail/台北/日本語")
        );
        assert_eq!(decode(b"a&-b").as_deref(), Some("a&b"));
        for wrong in [&b"&foo"[..], b"&Jjo!", b"&U,BTFw-&ZeVnLIqe-", b"a\xe9", b"&AGE-"] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(name in ".{0,20}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Some(name));
        }

        #[test]
        fn never_panics(name in proptest::collection::vec(prop::sample::select(b"&-,aA/+\xff".to_vec()), 0..20)) {
            let _ = decode(&name);
        }
    }
}
