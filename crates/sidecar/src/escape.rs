//! How Dovecot writes fields that hold tabs, line ends or NUL: `\x01` and a letter.

/// Pairs of a byte and the letter that stands for it after `\x01`.
const PAIRS: [(u8, u8); 5] = [
    (0x00, b'0'),
    (0x01, b'1'),
    (b'\t', b't'),
    (b'\r', b'r'),
    (b'\n', b'n'),
];

/// Appends a field.
pub fn push(into: &mut Vec<u8>, field: &str) {
    for byte in field.bytes() {
        match PAIRS.iter().find(|(known, _)| *known == byte) {
            Some((_, letter)) => into.extend_from_slice(&[1, *letter]),
            None => into.push(byte),
        }
    }
}

/// Appends a line: its fields with tabs between them.
pub fn push_line<'a>(into: &mut Vec<u8>, fields: impl IntoIterator<Item = &'a str>) {
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            into.push(b'\t');
        }
        push(into, field);
    }
    into.push(b'\n');
}

/// The fields of a line.
pub fn fields(line: &[u8]) -> Vec<String> {
    line.split(|byte| *byte == b'\t').map(field).collect()
}

fn field(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        let escaped = if *byte == 1 { rest.next() } else { None };
        match escaped {
            // An unknown letter stands for itself.
            Some(letter) => {
                let known = PAIRS.iter().find(|(_, known)| known == letter);
                plain.push(known.map_or(*letter, |(meant, _)| *meant));
            }
            None => plain.push(*byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(parts in proptest::collection::vec("[a-z\\x00-\\x0f]{0,9}", 1..5)) {
            let mut line = Vec::new();
            push_line(&mut line, parts.iter().map(String::as_str));
            let inner = &line[..line.len() - 1];
            prop_assert!(!inner.contains(&b'\n') && !inner.contains(&0));
            prop_assert_eq!(fields(inner), parts);
        }

        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..40)) {
            fields(&line);
        }
    }
}
