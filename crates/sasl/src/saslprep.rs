//! SASLprep (RFC 4013): names and passwords that look alike become the same octets. SCRAM wants it (RFC 5802 §5.1, §2.2);
//! elsewhere a password is the octets that were typed, as with Dovecot.

use std::borrow::Cow;

/// A name or password prepared. What cannot be stays as it is: a password that is no text, characters younger than the RFC's Unicode 3.2
/// (emoji), and those that it forbids; both sides that do the same still agree.
pub(crate) fn prepared(text: &[u8]) -> Cow<'_, [u8]> {
    let done = std::str::from_utf8(text)
        .ok()
        .and_then(|text| stringprep::saslprep(text).ok());
    match done {
        Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        Some(Cow::Borrowed(_)) | None => Cow::Borrowed(text),
    }
}

/// As [`prepared`], of a name.
pub(crate) fn prepared_name(name: &str) -> Cow<'_, str> {
    stringprep::saslprep(name).unwrap_or(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 4013 §3; the two last are errors there.
        for (text, wanted) in [
            ("I\u{ad}X", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            ("\u{7}", "\u{7}"),
            ("\u{627}1", "\u{627}1"),
        ] {
            assert_eq!(prepared_name(text), wanted, "{text:?}");
            assert_eq!(*prepared(text.as_bytes()), *wanted.as_bytes(), "{text:?}");
        }
        // One letter, or a letter and an accent; a wide space; what is no text; what is too young.
        assert_eq!(prepared_name("e\u{301}\u{3000}"), "\u{e9} ");
        assert_eq!(*prepared(b"\xff\xc2\xad"), *b"\xff\xc2\xad");
        assert_eq!(prepared_name("\u{1f600}"), "\u{1f600}");
    }
}
