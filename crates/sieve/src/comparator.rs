//! Comparators (RFC 4790, 5051): how two strings are held against each other.

use std::cmp::Ordering;

/// A comparator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Comparator {
    /// `i;octet`.
    Octet,
    /// `i;ascii-casemap`, the one that is used when none is named.
    #[default]
    AsciiCasemap,
    /// `i;ascii-numeric`.
    AsciiNumeric,
    /// `i;unicode-casemap`.
    UnicodeCasemap,
}

impl Comparator {
    /// The comparator `name`, and the capability that it needs.
    pub(crate) fn from_name(name: &str) -> Option<(Comparator, Option<&'static str>)> {
        Some(match name {
            "i;octet" => (Comparator::Octet, None),
            "i;ascii-casemap" => (Comparator::AsciiCasemap, None),
            "i;ascii-numeric" => (Comparator::AsciiNumeric, Some("comparator-i;ascii-numeric")),
            "i;unicode-casemap" => (Comparator::UnicodeCasemap, Some("comparator-i;unicode-casemap")),
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Comparator::Octet => "i;octet",
            Comparator::AsciiCasemap => "i;ascii-casemap",
            Comparator::AsciiNumeric => "i;ascii-numeric",
            Comparator::UnicodeCasemap => "i;unicode-casemap",
        }
    }

    /// Whether it can look for a string in another.
    pub(crate) fn finds_substrings(self) -> bool {
        self != Comparator::AsciiNumeric
    }

    /// The order of two strings.
    pub(crate) fn compare(self, one: &str, other: &str) -> Ordering {
        match self {
            Comparator::AsciiNumeric => numeric(one, other),
            Comparator::Octet => one.cmp(other),
            Comparator::AsciiCasemap => {
                let upper = |text: &str| text.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<u8>>();
                upper(one).cmp(&upper(other))
            }
            Comparator::UnicodeCasemap => self.fold(one).text.cmp(&self.fold(other).text),
        }
    }

    /// `text` as it is compared, with the way back.
    pub(crate) fn fold(self, text: &str) -> Folded {
        match self {
            Comparator::Octet | Comparator::AsciiNumeric => Folded {
                text: text.to_owned(),
                origins: None,
            },
            Comparator::AsciiCasemap => Folded {
                text: text.to_ascii_lowercase(),
                origins: None,
            },
            Comparator::UnicodeCasemap => {
                let mut folded = Folded {
                    text: String::with_capacity(text.len()),
                    origins: Some(Vec::with_capacity(text.len() + 1)),
                };
                for (at, character) in text.char_indices() {
                    folded.push(character, at);
                }
                if let Some(origins) = &mut folded.origins {
                    origins.push(text.len());
                }
                folded
            }
        }
    }
}

/// A string as a comparator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) text: String,
    /// For each octet of `text` where in the original it comes from; `None` when both are alike.
    origins: Option<Vec<usize>>,
}

impl Folded {
    /// A character as RFC 5051 has it.
    fn push(&mut self, character: char, origin: usize) {
        let start = self.text.len();
        message::casemap::push(character.encode_utf8(&mut [0; 4]), &mut self.text);
        let added = self.text.len() - start;
        if let Some(origins) = &mut self.origins {
            origins.extend(std::iter::repeat_n(origin, added));
        }
    }

    /// Whether each octet stands where it stood.
    pub(crate) fn is_plain(&self) -> bool {
        self.origins.is_none()
    }

    /// Where octet `at` of the folded text is in the original.
    pub(crate) fn origin(&self, at: usize) -> usize {
        match &self.origins {
            Some(origins) => origins.get(at).copied().unwrap_or(usize::MAX),
            None => at,
        }
    }
}

/// RFC 4790 §9.1: leading digits as a number; without any, more than every number.
fn numeric(one: &str, other: &str) -> Ordering {
    match (digits(one), digits(other)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(one), Some(other)) => one.len().cmp(&other.len()).then(one.cmp(other)),
    }
}

/// The leading digits, without leading zeros.
fn digits(text: &str) -> Option<&str> {
    let end = text
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        for (one, other, order) in [
            ("10", "9", Ordering::Greater),
            ("007", "7x", Ordering::Equal),
            ("x", "99999999999999999999999", Ordering::Greater),
            ("", "x", Ordering::Equal),
            ("0", "00", Ordering::Equal),
        ] {
            assert_eq!(
                Comparator::AsciiNumeric.compare(one, other),
                order,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn case_is_mapped() {
        assert_eq!(Comparator::AsciiCasemap.compare("ABÉ", "abÉ"), Ordering::Equal);
        assert_ne!(Comparator::AsciiCasemap.compare("É", "é"), Ordering::Equal);
        assert_eq!(
            Comparator::UnicodeCasemap.compare("É", "e\u{301}"),
            Ordering::Equal
        );
        let folded = Comparator::UnicodeCasemap.fold("aåb");
        assert_eq!(folded.text, "AA\u{30a}B");
        assert_eq!([1, 2, 4].map(|at| folded.origin(at)), [1, 1, 3]);
    }
}
