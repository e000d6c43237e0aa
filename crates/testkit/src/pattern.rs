//! The small pattern language of expected lines, and the insertions in sent ones. Text stands for itself, but for braces:
//! `{any}` any text, also none; `{word}` at least one octet, no space; `{number}` digits; `{word:NAME}`, `{number:NAME}`,
//! `{any:NAME}` the same and remembered; `{$NAME}` what was remembered; `{x*300}` the text `x` 300 times; `{{` one brace;
//! `{12}` and `{12+}` themselves (IMAP literals). `\r \n \t \0 \\ \xHH` are octets. Letters are compared with their case.

use std::collections::HashMap;

/// The longest expansion of `{x*N}`, in octets.
pub const REPEAT_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// What patterns remembered, by name.
pub type Memory = HashMap<String, Vec<u8>>;

/// A pattern for one line, or a text to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Hole(Hole, Option<String>),
    Remembered(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    Any,
    Word,
    Number,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Braces with something unknown inside.
    #[error("{{{0}}} is not a piece of a pattern")]
    UnknownPiece(String),
    /// An opening brace without its end.
    #[error("no closing brace")]
    Unclosed,
    /// A backslash with something unknown behind it.
    #[error("unknown escape after a backslash")]
    UnknownEscape,
    /// A repetition over [`REPEAT_OCTETS_MAX`].
    #[error("the repetition is too long")]
    TooLong,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it breaks the syntax above.
    pub fn parse(text: &str) -> Result<Pattern, Error> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' => rest = escape(rest, &mut plain)?,
                '{' if rest.starts_with('{') => {
                    plain.push(b'{');
                    rest = &rest[1..];
                }
                '{' => {
                    let (inner, after) = rest.split_once('}').ok_or(Error::Unclosed)?;
                    rest = after;
                    match piece(inner)? {
                        Piece::Text(text) => plain.extend(text),
                        hole => {
                            pieces.push(Piece::Text(std::mem::take(&mut plain)));
                            pieces.push(hole);
                        }
                    }
                }
                c => plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(Pattern(pieces))
    }

    /// Whether `line` fits; what it remembers goes into `memory`.
    pub fn matches(&self, line: &[u8], memory: &mut Memory) -> bool {
        let mut found = Memory::new();
        let fits = fit(&self.0, line, memory, &mut found);
        if fits {
            memory.extend(found);
        }
        fits
    }

    /// The octets to send.
    ///
    /// # Errors
    /// With the piece's name when something was never remembered, or is a hole.
    pub fn fill(&self, memory: &Memory) -> Result<Vec<u8>, Error> {
        let mut octets = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => octets.extend_from_slice(text),
                Piece::Remembered(name) => octets.extend_from_slice(
                    memory
                        .get(name)
                        .ok_or_else(|| Error::UnknownPiece(format!("${name}")))?,
                ),
                Piece::Hole(hole, _) => return Err(Error::UnknownPiece(format!("{hole:?}").to_lowercase())),
            }
        }
        Ok(octets)
    }
}

/// Reads what follows a backslash; gives what follows it.
fn escape<'a>(rest: &'a str, plain: &mut Vec<u8>) -> Result<&'a str, Error> {
    let c = rest.chars().next().ok_or(Error::UnknownEscape)?;
    match c {
        'r' => plain.push(b'\r'),
        'n' => plain.push(b'\n'),
        't' => plain.push(b'\t'),
        '0' => plain.push(0),
        '\\' => plain.push(b'\\'),
        'x' => {
            let digits = rest.get(1..3).ok_or(Error::UnknownEscape)?;
            plain.push(u8::from_str_radix(digits, 16).map_err(|_| Error::UnknownEscape)?);
            return Ok(&rest[3..]);
        }
        _ => return Err(Error::UnknownEscape),
    }
    Ok(&rest[1..])
}

/// What stands between braces.
fn piece(inner: &str) -> Result<Piece, Error> {
    let unknown = || Error::UnknownPiece(inner.to_owned());
    let digits = inner.strip_suffix('+').unwrap_or(inner);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Piece::Text(format!("{{{inner}}}").into_bytes()));
    }
    if let Some(name) = inner.strip_prefix('$') {
        return Ok(Piece::Remembered(name.to_owned()));
    }
    if let Some((text, count)) = inner.rsplit_once('*') {
        let count: usize = count.parse().map_err(|_| unknown())?;
        if text.len().saturating_mul(count) > REPEAT_OCTETS_MAX {
            return Err(Error::TooLong);
        }
        let Pattern(pieces) = Pattern::parse(text)?;
        return match &pieces[..] {
            [Piece::Text(text)] => Ok(Piece::Text(text.repeat(count))),
            _ => Err(unknown()),
        };
    }
    let (kind, name) = match inner.split_once(':') {
        Some((kind, name)) => (kind, Some(name.to_owned())),
        None => (inner, None),
    };
    let hole = match kind {
        "any" => Hole::Any,
        "word" => Hole::Word,
        "number" => Hole::Number,
        _ => return Err(unknown()),
    };
    Ok(Piece::Hole(hole, name))
}

/// Matches from the left; a hole takes as little as makes the rest fit.
fn fit(pieces: &[Piece], line: &[u8], memory: &Memory, found: &mut Memory) -> bool {
    match pieces {
        [] => line.is_empty(),
        [Piece::Text(text), rest @ ..] => line
            .strip_prefix(&text[..])
            .is_some_and(|line| fit(rest, line, memory, found)),
        [Piece::Remembered(name), rest @ ..] => {
            let known = found.get(name).or_else(|| memory.get(name)).cloned();
            known
                .and_then(|text| line.strip_prefix(&text[..]))
                .is_some_and(|line| fit(rest, line, memory, found))
        }
        [Piece::Hole(hole, name), rest @ ..] => {
            let least = usize::from(*hole != Hole::Any);
            let longest = line.iter().take_while(|octet| hole.takes(**octet)).count();
            for taken in least..=longest {
                if let Some(name) = name {
                    found.insert(name.clone(), line[..taken].to_vec());
                }
                if fit(rest, &line[taken..], memory, found) {
                    return true;
                }
            }
            false
        }
    }
}

impl Hole {
    fn takes(self, octet: u8) -> bool {
        match self {
            Hole::Any => true,
            Hole::Word => octet != b' ',
            Hole::Number => octet.is_ascii_digit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, line: &str) -> bool {
        Pattern::parse(pattern)
            .unwrap()
            .matches(line.as_bytes(), &mut Memory::new())
    }

    #[test]
    fn holes_take_what_they_may() {
        assert!(fits(
            "250 2.0.0 Ok: queued as {word}",
            "250 2.0.0 Ok: queued as CB18EA00EB"
        ));
        assert!(!fits(
            "250 2.0.0 Ok: queued as {word}",
            "250 2.0.0 Ok: queued as "
        ));
        assert!(!fits("250 {word}", "250 a b"));
        assert!(fits("{any} UID {number})", "* 1 FETCH (FLAGS (a) UID 34)"));
        assert!(fits("* 1 FETCH {{{any}}", "* 1 FETCH {x}"));
        assert!(fits("BODY[] {12}", "BODY[] {12}"));
        assert!(!fits("BODY[] {12}", "BODY[] {13}"));
        assert!(fits("a{any}b{any}c", "a1b2b3c"));
    }

    #[test]
    fn what_is_remembered_can_be_used() {
        let mut memory = Memory::new();
        assert!(
            Pattern::parse("+OK {word:id} {$id}")
                .unwrap()
                .matches(b"+OK x7 x7", &mut memory)
        );
        assert_eq!(
            Pattern::parse("UIDL {$id}{ab*2}\\x41\\r")
                .unwrap()
                .fill(&memory)
                .unwrap(),
            b"UIDL x7ababA\r"
        );
        assert!(Pattern::parse("{$other}").unwrap().fill(&memory).is_err());
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for text in [
            "{odd}",
            "{any",
            "\\q",
            "\\x4",
            "{x*99999999999}",
            "{abcdefgh*16777216}",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
