//! Strings of a script: literal, or with encoded characters (RFC 5228 §2.4.2.4) and variables (RFC 5229 §3) in them.

use crate::run::Run;

/// How many match values there are, `${0}` among them.
pub const MATCH_VALUES_MAX: usize = 32;

/// A string of a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<Piece>);

/// A piece of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    /// `${name}`, in lower case.
    Variable(String),
    /// `${1}`.
    Match(usize),
    /// `${global.name}`, `${env.name}` …
    Namespace(Namespace, String),
}

/// The namespaces of variables that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// RFC 6609 §3.4.3.
    Global,
    /// vnd.dovecot.environment.
    Environment,
    /// The test language: `tst.path`.
    Testsuite,
}

impl Text {
    pub(crate) fn from_literal(text: impl Into<String>) -> Text {
        Text(vec![Piece::Literal(text.into())])
    }

    pub(crate) fn from_pieces(pieces: Vec<Piece>) -> Text {
        Text(pieces)
    }

    /// The string itself, when nothing in it depends on the run.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The string as the script has it, for messages.
    pub(crate) fn written(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Variable(name) => format!("${{{name}}}"),
            Piece::Match(index) => format!("${{{index}}}"),
            Piece::Namespace(namespace, name) => match namespace {
                Namespace::Global => format!("${{global.{name}}}"),
                Namespace::Environment => format!("${{env.{name}}}"),
                Namespace::Testsuite => format!("${{tst.{name}}}"),
            },
        });
        pieces.collect()
    }

    /// A string that could not be read, which is told: nothing more is said of it.
    pub(crate) fn unreadable() -> Text {
        Text(vec![Piece::Literal(String::new()), Piece::Literal(String::new())])
    }

    /// Its value now, cut at the longest value of a variable.
    pub(crate) fn value(&self, run: &mut Run<'_>) -> String {
        if let Some(text) = self.literal() {
            return text.to_owned();
        }
        let mut value = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => value.push_str(text),
                Piece::Variable(name) => value.push_str(run.variable(name)),
                Piece::Match(index) => value.push_str(run.match_value(*index)),
                Piece::Namespace(namespace, name) => value.push_str(&run.namespace_value(*namespace, name)),
            }
            if value.len() > run.settings.variable_bytes_max {
                cut(&mut value, run.settings.variable_bytes_max);
                break;
            }
        }
        value
    }
}

/// Cuts `text` to at most `bytes_max`, between characters.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let mut end = bytes_max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

/// Whether `name` is an identifier (RFC 5228 §8.1), as names of variables are.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What stands in `${…}`, if it can name a variable: identifiers between dots, or a number.
pub(crate) fn variable_name(inner: &str) -> Option<Vec<String>> {
    if !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()) {
        return Some(vec![inner.to_owned()]);
    }
    let parts: Vec<String> = inner.split('.').map(str::to_ascii_lowercase).collect();
    let is_name = |(index, part): (usize, &String)| {
        is_identifier(part)
            || (index > 0 && !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    parts.iter().enumerate().all(is_name).then_some(parts)
}

/// Undoes `${hex:…}` and `${unicode:…}` (RFC 5228 §2.4.2.4). What is no such thing stays.
///
/// # Errors
/// The number that is no character.
pub(crate) fn decode_characters(text: &str) -> Result<String, u64> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        bytes.extend_from_slice(&rest.as_bytes()[..start]);
        let inner = &rest[start + 2..];
        match encoded(inner)? {
            Some((decoded, length)) => {
                bytes.extend_from_slice(&decoded);
                rest = &inner[length..];
            }
            None => {
                bytes.extend_from_slice(b"${");
                rest = inner;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is encoded at the start of `inner`, and how long that is, the brace included.
fn encoded(inner: &str) -> Result<Option<(Vec<u8>, usize)>, u64> {
    let Some(end) = inner.find('}') else {
        return Ok(None);
    };
    let Some((kind, numbers)) = inner[..end].split_once(':') else {
        return Ok(None);
    };
    let words: Vec<&str> = numbers.split_ascii_whitespace().collect();
    if words.is_empty() || !words.iter().all(|w| w.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Ok(None);
    }
    let mut decoded = Vec::new();
    if kind.eq_ignore_ascii_case("hex") {
        for word in words {
            match u8::from_str_radix(word, 16) {
                Ok(byte) if word.len() <= 2 => decoded.push(byte),
                _ => return Ok(None),
            }
        }
    } else if kind.eq_ignore_ascii_case("unicode") {
        for word in words {
            let number = u64::from_str_radix(word, 16).unwrap_or(u64::MAX);
            let character = u32::try_from(number)
                .ok()
                .and_then(char::from_u32)
                .ok_or(number)?;
            decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    } else {
        return Ok(None);
    }
    Ok(Some((decoded, end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_characters_are_undone() {
        for (text, expected) in [
            ("a${hex:40}b", "a@b"),
            ("${hex: 40 41 }", "@A"),
            ("${hex:zz}${hex:400}", "${hex:zz}${hex:400}"),
            ("${UNICODE:e9}", "é"),
            ("$${hex:24}{", "$${"),
            ("${", "${"),
        ] {
            assert_eq!(decode_characters(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(decode_characters("${unicode:110000}"), Err(0x11_0000));
        assert_eq!(decode_characters("${unicode:d800}"), Err(0xd800));
    }
}
