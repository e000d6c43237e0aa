//! The arguments of SORT and THREAD (RFC 5256, RFC 5957).

use super::command::Search;
use super::cursor::Cursor;
use super::returning::Returning;
use super::search::{decode_charset, decode_keys};
use super::{Error, Result};

/// By what messages are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SortKey {
    Arrival,
    Cc,
    Date,
    /// RFC 5957: as people read it.
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

/// A key and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Criterion {
    /// What is compared.
    pub key: SortKey,
    /// Whether the greatest comes first.
    pub reverse: bool,
}

/// The most criteria of one SORT.
pub const CRITERIA_MAX: usize = 32;

/// SORT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// What is searched for.
    pub search: Search,
    /// By what it is sorted; where all are the same, by sequence number.
    pub criteria: Vec<Criterion>,
}

/// How THREAD puts messages into threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 5256: by subject alone.
    OrderedSubject,
    /// RFC 5256: by References and In-Reply-To, then by subject.
    References,
    /// By References and In-Reply-To alone; the thread that was last added to comes last.
    Refs,
}

/// THREAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// What is searched for.
    pub search: Search,
    /// How.
    pub algorithm: Algorithm,
}

/// Reads the arguments of SORT.
///
/// # Errors
/// What is wrong.
pub fn decode_sort(cursor: &mut Cursor<'_>, by_uid: bool) -> Result<Sort> {
    let returning = Returning::decode(cursor)?;
    let criteria = criteria(cursor)?;
    let charset = Some(decode_charset(cursor)?);
    let key = decode_keys(cursor)?;
    Ok(Sort {
        search: Search {
            by_uid,
            returning,
            charset,
            key,
        },
        criteria,
    })
}

/// Reads the arguments of THREAD.
///
/// # Errors
/// What is wrong.
pub fn decode_thread(cursor: &mut Cursor<'_>, by_uid: bool) -> Result<Thread> {
    const ARGUMENTS: Error = Error::Invalid("Invalid arguments");
    let name = cursor
        .space()
        .and_then(|()| cursor.astring())
        .map_err(|_| ARGUMENTS)?;
    let charset = Some(decode_charset(cursor).map_err(|_| ARGUMENTS)?);
    let algorithm = algorithm(&name).ok_or(Error::Invalid("Unknown thread algorithm"))?;
    let key = decode_keys(cursor)?;
    Ok(Thread {
        search: Search {
            by_uid,
            returning: None,
            charset,
            key,
        },
        algorithm,
    })
}

/// The algorithm of this name.
pub fn algorithm(name: &[u8]) -> Option<Algorithm> {
    Some(match name.to_ascii_uppercase().as_slice() {
        b"ORDEREDSUBJECT" => Algorithm::OrderedSubject,
        b"REFERENCES" => Algorithm::References,
        b"REFS" => Algorithm::Refs,
        _ => return None,
    })
}

/// ` (SUBJECT REVERSE DATE)`
fn criteria(cursor: &mut Cursor<'_>) -> Result<Vec<Criterion>> {
    if cursor.space().is_err() || !cursor.eat(b'(') {
        return Err(Error::Invalid("Invalid sort argument"));
    }
    let mut criteria = Vec::new();
    let mut reverse = false;
    while !cursor.eat(b')') {
        let name = cursor
            .astring()
            .map_err(|_| Error::Invalid("Invalid sort list argument"))?;
        while cursor.eat(b' ') {}
        let key = match name.to_ascii_uppercase().as_slice() {
            b"REVERSE" => {
                reverse = !reverse;
                continue;
            }
            b"ARRIVAL" => SortKey::Arrival,
            b"CC" => SortKey::Cc,
            b"DATE" => SortKey::Date,
            b"DISPLAYFROM" => SortKey::DisplayFrom,
            b"DISPLAYTO" => SortKey::DisplayTo,
            b"FROM" => SortKey::From,
            b"SIZE" => SortKey::Size,
            b"SUBJECT" => SortKey::Subject,
            b"TO" => SortKey::To,
            _ => return Err(Error::UnknownSortArgument(String::from_utf8_lossy(&name).into())),
        };
        if criteria.len() == CRITERIA_MAX {
            return Err(Error::TooMany);
        }
        criteria.push(Criterion {
            key,
            reverse: std::mem::take(&mut reverse),
        });
    }
    if reverse {
        return Err(Error::Invalid("Sort list ends with REVERSE"));
    }
    if criteria.is_empty() {
        return Err(Error::Invalid("Empty sort program"));
    }
    Ok(criteria)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panics(text in "( |\\(|\\)|SUBJECT|REVERSE|DATE|UTF-8|ALL|RETURN|REFS|\"|\\{1\\+\\}\r\n|[a-z]){0,20}") {
            let _ = decode_sort(&mut Cursor::new(text.as_bytes()), false);
            let _ = decode_thread(&mut Cursor::new(text.as_bytes()), false);
        }
    }

    #[test]
    fn criteria_are_read() {
        let criteria = |text: &str| criteria(&mut Cursor::new(text.as_bytes()));
        let reversed = Criterion {
            key: SortKey::Date,
            reverse: true,
        };
        let subject = Criterion {
            key: SortKey::Subject,
            reverse: false,
        };
        assert_eq!(criteria(" (subject REVERSE DATE)"), Ok(vec![subject, reversed]));
        assert_eq!(criteria(" (REVERSE REVERSE SUBJECT)"), Ok(vec![subject]));
        assert_eq!(
            criteria(" (FOO)"),
            Err(Error::UnknownSortArgument("FOO".to_owned()))
        );
        for wrong in ["", " SUBJECT", " ()", " (REVERSE)", " (DATE", " ((DATE))"] {
            assert!(criteria(wrong).is_err(), "{wrong}");
        }
    }
}
