//! Text with variables, as dovecot.conf writes it: `%u`, `%08Xu`, `%2.5f`, `%{uid}`, and in the newer dialect `%{uid | hex(8)}`.

/// So many letters may change one value.
const CHANGES_MAX: usize = 10;
/// The largest width or offset.
const WIDTH_MAX: i64 = 1000;

/// A text with variables, each known by its letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable {
        letter: char,
        changes: Vec<Change>,
        part: Part,
    },
}

/// What is done to a value, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Lower,
    Upper,
    Reverse,
    Trim,
    /// A number in hexadecimal, with at least so many digits; what is no number is 0.
    Hex(usize),
}

/// Which part of the value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// From `offset` on (from the end if negative), at most `width` characters (0: all).
    Cut { offset: i64, width: i64 },
    /// From `offset` on, with zeros in front up to `width`.
    Zeros { offset: i64, width: i64 },
}

impl Template {
    /// Reads a text; the variables are those of `known`, by letter and by long name. `None` for another variable.
    pub(crate) fn parse(text: &str, known: &[(char, &str)]) -> Option<Template> {
        Template::read(text, known, |_| None)
    }

    /// As [`Template::parse`], with a text in place of variables that are not known.
    pub(crate) fn lenient(text: &str, known: &[(char, &str)]) -> Template {
        let unknown = |name: &str| Some(format!("UNSUPPORTED_VARIABLE_{name}"));
        // Without an end only a brace is left: that is text.
        Template::read(text, known, unknown).unwrap_or_else(|| Template(vec![Piece::Text(text.to_owned())]))
    }

    fn read(
        text: &str,
        known: &[(char, &str)],
        unknown: impl Fn(&str) -> Option<String>,
    ) -> Option<Template> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            let (part, after) = part(&rest[at + 1..]);
            let (mut changes, after) = changes(after);
            let (name, after) = name(after)?;
            rest = after;
            if name == "%" {
                pieces.push(Piece::Text("%".to_owned()));
                continue;
            }
            let mut words = name.split('|').map(str::trim);
            let wanted = words.next()?;
            let found = known.iter().find(|(letter, long)| {
                wanted == *long || wanted.strip_prefix(*letter).is_some_and(str::is_empty)
            });
            match found {
                Some((letter, _)) => {
                    for word in words {
                        changes.push(filter(word)?);
                    }
                    pieces.push(Piece::Variable {
                        letter: *letter,
                        changes,
                        part,
                    });
                }
                None => pieces.push(Piece::Text(unknown(wanted)?)),
            }
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Some(Template(pieces))
    }

    /// Whether the variable is in it.
    pub(crate) fn uses(&self, wanted: char) -> bool {
        let mut pieces = self.0.iter();
        pieces.any(|piece| matches!(piece, Piece::Variable { letter, .. } if *letter == wanted))
    }

    /// The text with values in place of the variables.
    pub(crate) fn fill(&self, value: impl Fn(char) -> String) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Variable {
                    letter,
                    changes,
                    part,
                } => {
                    let changed = changes
                        .iter()
                        .fold(value(*letter), |value, change| change.apply(&value));
                    part.put(&changed, &mut filled);
                }
            }
        }
        filled
    }
}

impl Change {
    fn apply(self, value: &str) -> String {
        match self {
            Change::Lower => value.to_ascii_lowercase(),
            Change::Upper => value.to_ascii_uppercase(),
            Change::Reverse => value.chars().rev().collect(),
            Change::Trim => value.trim_end().to_owned(),
            Change::Hex(width) => format!("{:0width$x}", value.parse::<u64>().unwrap_or(0)),
        }
    }
}

impl Part {
    fn put(self, value: &str, into: &mut String) {
        let (offset, width) = match self {
            Part::Cut { offset, width } | Part::Zeros { offset, width } => (offset, width),
        };
        let length = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let skipped = match offset {
            0.. => offset,
            _ => (length(value) + offset).max(0),
        };
        let skipped = usize::try_from(skipped).unwrap_or(0);
        let shown: String = value.chars().skip(skipped).collect();
        match self {
            _ if width == 0 => into.push_str(&shown),
            Part::Zeros { .. } => {
                let missing = usize::try_from(width - length(&shown)).unwrap_or(0);
                into.extend(std::iter::repeat_n('0', missing));
                into.push_str(&shown);
            }
            Part::Cut { .. } => {
                into.extend(shown.chars().take(usize::try_from(width).unwrap_or(0)));
            }
        }
    }
}

/// `08`, `5`, `-3`, `2.5`, `-4.2` in front of a variable.
fn part(text: &str) -> (Part, &str) {
    let (zeros, first, rest) = number(text);
    let width = first.abs();
    match rest.strip_prefix('.') {
        None if zeros => (Part::Zeros { offset: 0, width }, rest),
        None => (Part::Cut { offset: 0, width }, rest),
        Some(rest) => {
            let (zeros_too, width, rest) = number(rest);
            let (offset, width) = (first, width.abs());
            match zeros || zeros_too {
                true => (Part::Zeros { offset, width }, rest),
                false => (Part::Cut { offset, width }, rest),
            }
        }
    }
}

/// Whether there is a zero in front, the number (0 without one), and what follows.
fn number(text: &str) -> (bool, i64, &str) {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let value: i64 = digits
        .parse()
        .unwrap_or(if digits.is_empty() { 0 } else { WIDTH_MAX });
    (digits.starts_with('0'), sign * value.min(WIDTH_MAX), rest)
}

/// The letters that change the value.
fn changes(text: &str) -> (Vec<Change>, &str) {
    let mut changes = Vec::new();
    let mut rest = text;
    while changes.len() < CHANGES_MAX {
        let change = match rest.chars().next() {
            Some('L') => Change::Lower,
            Some('U') => Change::Upper,
            Some('R') => Change::Reverse,
            Some('T') => Change::Trim,
            Some('X') => Change::Hex(0),
            _ => break,
        };
        changes.push(change);
        rest = &rest[1..];
    }
    (changes, rest)
}

/// A letter, or a name in braces. Also the percent sign, for `%%`.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('{') {
        return rest.split_once('}');
    }
    let letter = text.chars().next()?;
    Some(text.split_at(letter.len_utf8()))
}

/// `hex(8)`, `lower`, `upper`, `reverse` of the newer dialect.
fn filter(word: &str) -> Option<Change> {
    let arguments = word.strip_prefix("hex(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(digits) = arguments {
        let width: usize = digits.trim().parse().ok()?;
        return (width <= 64).then_some(Change::Hex(width));
    }
    match word {
        "hex" => Some(Change::Hex(0)),
        "lower" => Some(Change::Lower),
        "upper" => Some(Change::Upper),
        "reverse" => Some(Change::Reverse),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: &[(char, &str)] = &[('u', "uid"), ('f', "filename")];

    fn filled(text: &str) -> Option<String> {
        let template = Template::parse(text, KNOWN)?;
        Some(template.fill(|letter| if letter == 'u' { "300" } else { "Abcdef" }.to_owned()))
    }

    #[test]
    fn values_are_changed_and_cut() {
        for (text, expected) in [
            ("%u", "300"),
            ("%08Xu", "0000012c"),
            ("%Xu", "12c"),
            ("%2u", "30"),
            ("%5u", "300"),
            ("%05u", "00300"),
            ("%Lf%Uf", "abcdefABCDEF"),
            ("%Rf", "fedcbA"),
            ("%2.3f", "cde"),
            ("%-3.2f", "de"),
            ("%-2f", "Ab"),
            ("%Xf", "0"),
            ("100%% %{uid}", "100% 300"),
            ("%{uid | hex(8)}-%{ filename | upper }", "0000012c-ABCDEF"),
        ] {
            assert_eq!(filled(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["%x", "%", "%{uid", "%{nosuch}", "%{uid | nosuch}", "%08X"] {
            assert_eq!(filled(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_where_that_is_wanted() {
        let template = Template::lenient("%u %x %{long}", KNOWN);
        let filled = template.fill(|_| "1".to_owned());
        assert_eq!(filled, "1 UNSUPPORTED_VARIABLE_x UNSUPPORTED_VARIABLE_long");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[%{}|uf0-9.LXé -]{0,20}", value in "[0-9aé]{0,8}") {
            if let Some(template) = Template::parse(&text, KNOWN) {
                template.fill(|_| value.clone());
            }
            Template::lenient(&text, KNOWN).fill(|_| value.clone());
        }
    }
}
