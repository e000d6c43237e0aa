//! Modified UTF-7 (RFC 3501 §5.1.3), in which Dovecot writes the names of mailboxes on disk.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The name in modified UTF-7.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut units: Vec<u16> = Vec::new();
    for char in name.chars() {
        if (' '..='~').contains(&char) {
            flush(&mut units, &mut out);
            out.push(char);
            if char == '&' {
                out.push('-');
            }
        } else {
            let mut buffer = [0; 2];
            units.extend_from_slice(char.encode_utf16(&mut buffer));
        }
    }
    flush(&mut units, &mut out);
    out
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    if units.is_empty() {
        return;
    }
    out.push('&');
    let bytes: Vec<u8> = units.drain(..).flat_map(u16::to_be_bytes).collect();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(BASE64[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    out.push('-');
}

/// The name in UTF-8; `None` when it is not in the one correct form.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (coded, after) = rest[at + 1..].split_once('-')?;
        if coded.is_empty() {
            out.push('&');
        } else {
            out.push_str(&decode_shifted(coded)?);
        }
        rest = after;
    }
    out.push_str(rest);
    (encode(&out) == text).then_some(out)
}

fn decode_shifted(coded: &str) -> Option<String> {
    let (mut bits, mut word) = (0, 0u32);
    let mut bytes = Vec::new();
    for byte in coded.bytes() {
        let value = BASE64.iter().position(|known| *known == byte)? as u32;
        word = (word << 6 | value) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_standard() {
        for (utf8, coded) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Grün", "Gr&APw-n"),
            ("a&b", "a&-b"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(encode(utf8), coded);
            assert_eq!(decode(coded).as_deref(), Some(utf8));
        }
        for wrong in ["&", "&AGE-", "&2D0-", "Grün", "&U,BTFw-&ZeVnLIqe-", "&/-"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(name in "\\PC{0,40}") {
            prop_assert_eq!(decode(&encode(&name)), Some(name));
        }
        #[test]
        fn decoding_never_panics(text in "[&A-Za-z0-9+,-]{0,30}|\\PC{0,20}") { let _ = decode(&text); }
    }
}
