//! Message lists: which letters a command means (`1-3`, `*`, `$`, `:u`, `/word`, a sender's name).

use super::folder::{Folder, Letter};

/// The most words of one list.
const WORDS_MAX: usize = 1000;

/// Which letters a command works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applies {
    /// Those that are not deleted.
    Present,
    /// Those that are.
    Deleted,
}

impl Applies {
    fn to(self, letter: &Letter) -> bool {
        letter.marks.deleted == (self == Applies::Deleted)
    }
}

/// The words of a line: divided by spaces, `"…"` and `'…'` keep theirs.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => word.get_or_insert_default().push(c),
            '"' | '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
        if words.len() >= WORDS_MAX {
            return words;
        }
    }
    words.extend(word);
    words
}

/// The letters that `words` name, as indices in order. No words at all: the current letter, or the next one that the
/// command works on.
///
/// # Errors
/// What the user reads.
pub(super) fn select(folder: &Folder, words: &[String], applies: Applies) -> Result<Vec<usize>, String> {
    let none = || "No applicable messages".to_owned();
    if folder.letters.is_empty() {
        return Err(none());
    }
    if words.is_empty() {
        return default(folder, applies).map(|index| vec![index]).ok_or_else(none);
    }
    let mut chosen = vec![false; folder.letters.len()];
    let mut has_numbers = false;
    let (mut kinds, mut texts) = (Vec::new(), Vec::new());
    for word in words {
        if let Some(kind) = word.strip_prefix(':') {
            kinds.push(parse_kind(kind)?);
        } else if let Some(range) = Range::parse(folder, word, applies)? {
            has_numbers = true;
            range.mark(folder, applies, &mut chosen)?;
        } else {
            texts.push(word.to_lowercase());
        }
    }
    let wanted = |(index, letter): &(usize, &Letter)| {
        (chosen[*index] || !has_numbers)
            && applies.to(letter)
            && (kinds.is_empty() || kinds.iter().any(|kind| kind(letter)))
            && (texts.is_empty() || texts.iter().any(|text| is_about(letter, text)))
    };
    let found: Vec<usize> = folder
        .letters
        .iter()
        .enumerate()
        .filter(wanted)
        .map(|(index, _)| index)
        .collect();
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

fn default(folder: &Folder, applies: Applies) -> Option<usize> {
    let fits = |index: &usize| applies.to(&folder.letters[*index]);
    let dot = folder.dot.min(folder.letters.len() - 1);
    (dot..folder.letters.len())
        .find(fits)
        .or_else(|| (0..dot).rev().find(fits))
}

type Kind = fn(&Letter) -> bool;

fn parse_kind(kind: &str) -> Result<Kind, String> {
    Ok(match kind {
        "n" => |letter| !letter.marks.read && !letter.marks.old,
        "o" => |letter| letter.marks.old,
        "u" => |letter| !letter.marks.read,
        "r" => |letter| letter.marks.read,
        "d" => |letter| letter.marks.deleted,
        "a" => |letter| letter.marks.answered,
        "f" => |letter| letter.marks.flagged,
        "s" => |letter| letter.marks.saved,
        other => return Err(format!("Unknown colon-modifier \":{other}\"")),
    })
}

/// `/word` is looked for in the subject; else the sender is meant.
fn is_about(letter: &Letter, text: &str) -> bool {
    match text.strip_prefix('/') {
        Some(word) => letter.field("Subject").to_lowercase().contains(word),
        None => {
            letter.sender(false).to_lowercase().contains(text)
                || letter.sender_name().to_lowercase().contains(text)
        }
    }
}

/// Numbers from one to another, counted from 1.
struct Range {
    first: usize,
    last: usize,
    is_single: bool,
}

impl Range {
    /// The range that a word is, `None` when it is another kind of word.
    fn parse(folder: &Folder, word: &str, applies: Applies) -> Result<Option<Range>, String> {
        let total = folder.letters.len();
        if word == "*" {
            return Ok(Some(Range {
                first: 1,
                last: total,
                is_single: false,
            }));
        }
        if let Some(number) = number(folder, word, applies) {
            return number.map(|n| {
                Some(Range {
                    first: n,
                    last: n,
                    is_single: true,
                })
            });
        }
        let Some((first, last)) = word.split_once('-') else {
            return Ok(None);
        };
        match (number(folder, first, applies), number(folder, last, applies)) {
            (Some(first), Some(last)) => Ok(Some(Range {
                first: first?,
                last: last?,
                is_single: false,
            })),
            _ => Ok(None),
        }
    }

    fn mark(&self, folder: &Folder, applies: Applies, chosen: &mut [bool]) -> Result<(), String> {
        for index in self.first..=self.last {
            chosen[index - 1] = true;
            if self.is_single && !applies.to(&folder.letters[index - 1]) {
                return Err(format!("{index}: Inappropriate message"));
            }
        }
        Ok(())
    }
}

/// The number that a word is: digits, `.`, `$`, `^`, `+`, `-`; `None` when it is none.
fn number(folder: &Folder, word: &str, applies: Applies) -> Option<Result<usize, String>> {
    let total = folder.letters.len();
    let fits = |index: &usize| applies.to(&folder.letters[*index]);
    let referenced = |index: Option<usize>| {
        index
            .map(|index| index + 1)
            .ok_or_else(|| "No applicable messages".to_owned())
    };
    Some(match word {
        "." => Ok(folder.dot.min(total - 1) + 1),
        "^" => referenced((0..total).find(fits)),
        "$" => referenced((0..total).rev().find(fits)),
        "+" => referenced((folder.dot + 1..total).find(fits)),
        "-" => referenced((0..folder.dot).rev().find(fits)),
        _ if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => match word.parse() {
            Ok(number) if (1..=total).contains(&number) => Ok(number),
            _ => Err(format!("{word}: Invalid message number")),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::folder::split;
    use super::*;

    fn folder() -> Folder {
        let letter = |name: &str, status: &str| {
            format!(
                "From {name}  Wed Dec 23 23:39:48 2020\nSubject: About {name}\nFrom: {name}@x\n{status}\nx\n\n"
            )
        };
        let text = [
            letter("ann", "Status: RO\n"),
            letter("bob", "Status: O\n"),
            letter("eve", ""),
            letter("ann", ""),
        ];
        let mut folder = Folder::new("box", split(text.concat().as_bytes()).1);
        folder.letters[3].marks.deleted = true;
        folder
    }

    #[test]
    fn lists() {
        let folder = folder();
        let list = |line: &str| {
            select(&folder, &words(line), Applies::Present).map(|found| {
                found
                    .iter()
                    .map(|index| (index + 1).to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        assert_eq!(list("").unwrap(), "3");
        for (line, found) in [
            ("1-2", "1 2"),
            ("*", "1 2 3"),
            ("$", "3"),
            ("^", "1"),
            ("2 1", "1 2"),
            ("1-$", "1 2 3"),
            (".", "3"),
            (":u", "2 3"),
            (":n", "3"),
            (":o", "1 2"),
            ("/about", "1 2 3"),
            ("/BOB", "2"),
            ("ann", "1"),
            ("-", "2"),
            ("1-3 :u", "2 3"),
            ("'ann' bob", "1 2"),
        ] {
            assert_eq!(list(line).as_deref(), Ok(found), "{line}");
        }
        for (line, said) in [
            ("9", "9: Invalid message number"),
            ("0", "0: Invalid message number"),
            ("4", "4: Inappropriate message"),
            ("nobody", "No applicable messages"),
            (":z", "Unknown colon-modifier \":z\""),
            ("+", "No applicable messages"),
        ] {
            assert_eq!(list(line).unwrap_err(), said, "{line}");
        }
        assert_eq!(select(&folder, &[], Applies::Deleted), Ok(vec![3]));
        assert!(select(&Folder::default(), &words("1"), Applies::Present).is_err());
    }
}
