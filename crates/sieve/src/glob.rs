//! `:matches` (RFC 5228 §2.7.1): `*` and `?`, with what they stand for (RFC 5229 §3.2: as little as possible).

use crate::comparator::{Comparator, Folded};

/// A piece of a pattern between two `*`: characters, `None` for `?`.
type Segment = Vec<Option<char>>;

/// A pattern.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    segments: Vec<Segment>,
}

/// What looking for a pattern came to.
pub(crate) struct Found {
    /// What the wildcards stand for, in order of the pattern, `${0}` first; `None` when it does not match.
    pub(crate) captures: Option<Vec<String>>,
    /// How much was compared, in characters.
    pub(crate) effort: u64,
}

/// A wildcard's match as offsets into the folded text.
type Span = (usize, usize);

impl Glob {
    /// The pattern `text`. A backslash makes the next character one that means itself.
    pub(crate) fn new(text: &str, comparator: Comparator) -> Glob {
        let mut segments = vec![Segment::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' => {
                    segments.push(Segment::new());
                    continue;
                }
                '?' => {
                    push(&mut segments, None);
                    continue;
                }
                '\\' => characters.next().unwrap_or('\\'),
                other => other,
            };
            let folded = comparator.fold(literal.encode_utf8(&mut [0; 4])).text;
            folded.chars().for_each(|c| push(&mut segments, Some(c)));
        }
        Glob { segments }
    }

    /// Holds `value` against the pattern.
    pub(crate) fn find(&self, value: &str, comparator: Comparator) -> Found {
        let folded = comparator.fold(value);
        let mut effort = 0;
        let spans = self.spans(&folded, &mut effort);
        let captures = spans.map(|spans| {
            let text = |&(start, end): &Span| value[folded.origin(start)..folded.origin(end)].to_owned();
            std::iter::once(value.to_owned())
                .chain(spans.iter().map(text))
                .collect()
        });
        Found { captures, effort }
    }

    fn spans(&self, value: &Folded, effort: &mut u64) -> Option<Vec<Span>> {
        let (first, rest) = self.segments.split_first()?;
        let mut spans = Vec::new();
        let mut at = here(first, value, 0, &mut spans, effort)?;
        let Some((last, middle)) = rest.split_last() else {
            return (at == value.text.len()).then_some(spans);
        };
        for segment in middle {
            let (start, end, inner) = search(segment, value, at, effort)?;
            spans.push((at, start));
            spans.extend(inner);
            at = end;
        }
        let (start, inner) = at_end(last, value, at, effort)?;
        spans.push((at, start));
        spans.extend(inner);
        Some(spans)
    }
}

fn push(segments: &mut [Segment], character: Option<char>) {
    if let Some(segment) = segments.last_mut() {
        segment.push(character);
    }
}

/// Whether `segment` stands at `at`; where it ends then. What `?` stands for is added to `spans`: a character of the value,
/// whatever the comparator made of it.
fn here(
    segment: &Segment,
    value: &Folded,
    at: usize,
    spans: &mut Vec<Span>,
    effort: &mut u64,
) -> Option<usize> {
    let mut characters = value.text[at..].chars().peekable();
    let mut end = at;
    for wanted in segment {
        *effort += 1;
        let found = characters.next()?;
        let start = end;
        end += found.len_utf8();
        match wanted {
            Some(wanted) if *wanted != found => return None,
            Some(_) => {}
            None => {
                while value.origin(end) == value.origin(start)
                    && let Some(more) = characters.next()
                {
                    end += more.len_utf8();
                }
                spans.push((start, end));
            }
        }
    }
    Some(end)
}

/// The first place at or behind `from` where `segment` stands.
fn search(
    segment: &Segment,
    value: &Folded,
    from: usize,
    effort: &mut u64,
) -> Option<(usize, usize, Vec<Span>)> {
    let text = value.text.as_str();
    let literal: Option<String> = segment.iter().copied().collect();
    if let Some(literal) = literal {
        *effort += (text.len() - from) as u64 / 16 + 1;
        let start = from + memchr::memmem::find(&text.as_bytes()[from..], literal.as_bytes())?;
        return Some((start, start + literal.len(), Vec::new()));
    }
    let starts = text[from..].char_indices().map(|(at, _)| from + at);
    for start in starts.chain([text.len()]) {
        let mut spans = Vec::new();
        if let Some(end) = here(segment, value, start, &mut spans, effort) {
            return Some((start, end, spans));
        }
        // The caller's budget ends the run; this bounds one search.
        if *effort > EFFORT_MAX {
            return None;
        }
    }
    None
}

/// Where at the end of the value, not before `from`, the last `segment` stands.
fn at_end(segment: &Segment, value: &Folded, from: usize, effort: &mut u64) -> Option<(usize, Vec<Span>)> {
    let text = value.text.as_str();
    // A character becomes several when it is decomposed, so that `?` may need more of them.
    let longest = if value.is_plain() {
        segment.len()
    } else {
        segment.len() * DECOMPOSED_MAX
    };
    let starts = text[from..]
        .char_indices()
        .rev()
        .map(|(at, _)| from + at)
        .take(longest);
    for start in std::iter::once(text.len()).chain(starts) {
        let mut spans = Vec::new();
        if here(segment, value, start, &mut spans, effort) == Some(text.len()) {
            return Some((start, spans));
        }
        if *effort > EFFORT_MAX {
            return None;
        }
    }
    None
}

/// How many characters one becomes at most (U+FDFA).
const DECOMPOSED_MAX: usize = 18;
/// How much one search compares at most, in characters.
const EFFORT_MAX: u64 = 50_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn captures(pattern: &str, value: &str) -> Option<Vec<String>> {
        let comparator = Comparator::AsciiCasemap;
        let captures = Glob::new(pattern, comparator).find(value, comparator).captures?;
        Some(captures[1..].to_vec())
    }

    #[test]
    fn wildcards_take_as_little_as_they_can() {
        for (pattern, value, expected) in [
            ("*", "abc", Some(vec!["abc"])),
            ("a*", "ABC", Some(vec!["BC"])),
            ("*-*", "a-b-c", Some(vec!["a", "b-c"])),
            ("[*] ?*", "[acme] xyz", Some(vec!["acme", "x", "yz"])),
            ("*x", "xax", Some(vec!["xa"])),
            ("a?c", "aéc", Some(vec!["é"])),
            ("a\\*b", "a*b", Some(vec![])),
            ("a\\?b", "axb", None),
            ("*a?b*", "aab-axb-", Some(vec!["", "a", "-axb-"])),
            ("**", "ab", Some(vec!["", "ab"])),
            ("abc", "abcd", None),
            ("a*a", "a", None),
            ("", "", Some(vec![])),
        ] {
            let expected = expected.map(|e: Vec<&str>| e.into_iter().map(str::to_owned).collect());
            assert_eq!(captures(pattern, value), expected, "{pattern} {value}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(pattern in "[ab*?\\\\éß]{0,12}", value in "[abéßAB]{0,20}") {
            for comparator in [Comparator::AsciiCasemap, Comparator::UnicodeCasemap, Comparator::Octet] {
                let found = Glob::new(&pattern, comparator).find(&value, comparator);
                if let Some(captures) = found.captures {
                    prop_assert_eq!(&captures[0], &value);
                }
            }
        }
    }
}
