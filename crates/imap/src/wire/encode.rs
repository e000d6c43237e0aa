//! Writing strings and names as IMAP wants them (RFC 3501 §4.3).

use std::borrow::Cow;

use super::cursor::is_atom_octet;

/// The longest string that is written quoted; a longer one becomes a literal.
pub const QUOTED_BYTES_MAX: usize = 1000;

/// Appends a string: quoted where it can be, a literal otherwise. As Dovecot does, a string that holds a quote
/// or a backslash is sent as a literal, which every client reads.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    let plain = |&b: &u8| matches!(b, b' '..=b'~' | b'\t') && b != b'"' && b != b'\\';
    if text.len() <= QUOTED_BYTES_MAX && text.iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    } else {
        let shown = without_nul(text);
        literal_header(out, shown.len() as u64);
        out.extend_from_slice(&shown);
    }
}

/// No literal may hold NUL (RFC 3501 §4.3): it is shown as U+FFFD, as Dovecot does.
fn without_nul(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&0) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.split(|&b| b == 0)
            .collect::<Vec<_>>()
            .join("\u{fffd}".as_bytes()),
    )
}

/// Replaces NUL in the content of a literal whose size is told already; 0x80 is Dovecot's choice.
pub fn replace_nul(content: &mut [u8]) {
    content.iter_mut().filter(|b| **b == 0).for_each(|b| *b = 0x80);
}

/// Appends a string or NIL.
pub fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends an atom where the text is one, and a string otherwise.
pub fn astring(out: &mut Vec<u8>, text: &[u8]) {
    let atom = !text.is_empty()
        && text.iter().all(|&b| b < 0x80 && (is_atom_octet(b) || b == b']'))
        && !text.eq_ignore_ascii_case(b"NIL");
    if atom {
        out.extend_from_slice(text);
    } else {
        quoted(out, text);
    }
}

/// Appends a name for a client that reads UTF-8 in quoted strings (RFC 6855 §3).
pub fn utf8_astring(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() || text.len() > QUOTED_BYTES_MAX || text.chars().any(char::is_control) {
        return astring(out, text.as_bytes());
    }
    out.push(b'"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            out.push(b'\\');
        }
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.push(b'"');
}

/// Appends a string, quoted where that is possible at all, a literal otherwise.
pub fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() > QUOTED_BYTES_MAX || !text.iter().all(|&b| matches!(b, b' '..=b'~' | b'\t')) {
        return string(out, text);
    }
    out.push(b'"');
    for &octet in text {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

/// Appends `{size}` and its line end.
pub fn literal_header(out: &mut Vec<u8>, size: u64) {
    out.push(b'{');
    number(out, size);
    out.extend_from_slice(b"}\r\n");
}

/// Appends a number in decimal, without allocating.
pub fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::cursor::Cursor;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_come_back(text in proptest::collection::vec(1u8..=255, 0..40)) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(Cursor::new(&out).string(), Ok(text.clone()));
            out.clear();
            astring(&mut out, &text);
            prop_assert_eq!(Cursor::new(&out).astring(), Ok(text.clone()));
            out.clear();
            nstring(&mut out, Some(&text));
            prop_assert_eq!(Cursor::new(&out).nstring(), Ok(Some(text)));
        }

        #[test]
        fn nul_is_never_sent(text in proptest::collection::vec(0u8..3, 0..9)) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert!(!out.contains(&0));
            prop_assert!(Cursor::new(&out).string().is_ok());
        }

        #[test]
        fn numbers_come_back(value: u64) {
            let mut out = Vec::new();
            number(&mut out, value);
            prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
