//! xtext (RFC 3461 §4): `+XX` for what does not fit into a parameter's value.

/// The text that `value` encodes; `None` when it is no xtext or no UTF-8.
pub(crate) fn decode(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet == b'+' {
            let digits = after.get(..2)?;
            // RFC 3461 wants capitals; Postfix and others take both.
            let text = std::str::from_utf8(digits)
                .ok()
                .filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
            octets.push(u8::from_str_radix(text, 16).ok()?);
            rest = &after[2..];
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets)
        .ok()
        .filter(|text| !text.contains(['\r', '\n', '\0']))
}

/// `text` as xtext.
pub(crate) fn encode(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => value.push_str(&format!("+{octet:02X}")),
            33..=126 => value.push(octet as char),
            _ => value.push_str(&format!("+{octet:02X}")),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(text in "[a-z+=@ \u{3042}]{0,30}") {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }

        #[test]
        fn never_panics(text in "[+0-9A-Fg\u{3042}]{0,20}") {
            let _ = decode(&text);
        }
    }
}
