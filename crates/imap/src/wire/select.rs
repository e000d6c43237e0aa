//! The parameters of SELECT and EXAMINE: CONDSTORE, QRESYNC (RFC 7162 §3.1.8, §3.2.5).

use mailbox::{ModSeq, UidSet, UidValidity};

use super::cursor::Cursor;
use super::sequence::{STAR, SequenceSet};
use super::{Error, Result};

/// What SELECT asks for beside the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    /// `CONDSTORE`
    pub condstore: bool,
    /// `QRESYNC (…)`
    pub known: Option<Known>,
}

/// What a client knows of a mailbox from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// UIDVALIDITY then.
    pub uid_validity: UidValidity,
    /// What happened up to this modseq is known.
    pub modseq: ModSeq,
    /// The UIDs that it knows; `None`: it does not say.
    pub uids: Option<UidSet>,
    /// Sequence numbers then, and the UIDs that they had: as many of these as of those.
    pub samples: Option<(UidSet, UidSet)>,
}

const WRONG: Error = Error::Invalid("Invalid QRESYNC parameters");

/// Reads what stands behind the mailbox name, to the end of the command.
///
/// # Errors
/// In Dovecot's words.
pub fn parameters(cursor: &mut Cursor<'_>) -> Result<Parameters> {
    let mut parameters = Parameters::default();
    // What follows the name and is no list is disregarded, as Dovecot does.
    if !cursor.eat(b' ') || !cursor.eat(b'(') {
        return Ok(parameters);
    }
    while !cursor.eat(b')') {
        let name = cursor.atom("a parameter")?.to_ascii_uppercase();
        match name.as_str() {
            "CONDSTORE" => parameters.condstore = true,
            "QRESYNC" => parameters.known = Some(known(cursor)?),
            _ => return Err(Error::Invalid("Unknown FETCH modifier")),
        }
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    Ok(parameters)
}

/// `(uidvalidity modseq [known-uids] [(known-sequence-set known-uid-set)])`
fn known(cursor: &mut Cursor<'_>) -> Result<Known> {
    if !cursor.eat(b' ') || !cursor.eat(b'(') {
        return Err(Error::Invalid("QRESYNC parameters missing"));
    }
    let uid_validity = cursor.number32().map_err(|_| WRONG)?;
    cursor.space().map_err(|_| WRONG)?;
    let mut known = Known {
        uid_validity,
        modseq: cursor.number().map_err(|_| WRONG)?,
        uids: None,
        samples: None,
    };
    let more = |cursor: &mut Cursor<'_>| {
        while cursor.eat(b' ') {}
        cursor.peek() != Some(b')')
    };
    if more(cursor) && cursor.peek() != Some(b'(') {
        known.uids = Some(set(cursor, "Invalid QRESYNC known-uids")?);
    }
    if more(cursor) {
        cursor.expect(b'(', "a list").map_err(|_| WRONG)?;
        let numbers = set(cursor, "Invalid QRESYNC known-sequence-set")?;
        cursor
            .space()
            .map_err(|_| Error::Invalid("Invalid QRESYNC known-uid-set"))?;
        let uids = set(cursor, "Invalid QRESYNC known-uid-set")?;
        cursor.expect(b')', "a )").map_err(|_| WRONG)?;
        if numbers.count() != uids.count() {
            return Err(Error::Invalid("Invalid QRESYNC sets"));
        }
        known.samples = Some((numbers, uids));
    }
    match more(cursor) {
        true => Err(WRONG),
        false => cursor.expect(b')', "a )").map(|()| known).map_err(|_| WRONG),
    }
}

/// A set without `*`.
fn set(cursor: &mut Cursor<'_>, complaint: &'static str) -> Result<UidSet> {
    match SequenceSet::decode(cursor) {
        Ok(set) if set.0.iter().all(|&(first, last)| first != STAR && last != STAR) => Ok(set.resolved(0)),
        _ => Err(Error::Invalid(complaint)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Parameters> {
        parameters(&mut Cursor::new(text.as_bytes()))
    }

    #[test]
    fn everything_at_once() {
        let known = read(" (CONDSTORE QRESYNC (7 9 1:3,5 (1,3 2,5)))")
            .unwrap()
            .known
            .unwrap();
        assert_eq!((known.uid_validity, known.modseq), (7, 9));
        assert_eq!(known.uids.unwrap().to_string(), "1:3,5");
        let (numbers, uids) = known.samples.unwrap();
        assert_eq!(
            (numbers.to_string(), uids.to_string()),
            ("1,3".into(), "2,5".into())
        );
        assert_eq!(read(""), Ok(Parameters::default()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, complaint) in [
            (" (QRESYNC)", "QRESYNC parameters missing"),
            (" (QRESYNC (1))", "Invalid QRESYNC parameters"),
            (" (QRESYNC (1 2 1:*))", "Invalid QRESYNC known-uids"),
            (" (QRESYNC (1 2 (1)))", "Invalid QRESYNC known-uid-set"),
            (" (QRESYNC (1 2 (1:2 1:3)))", "Invalid QRESYNC sets"),
            (" (QRESYNC (1 2 3 4))", "Invalid QRESYNC parameters"),
        ] {
            assert_eq!(read(text), Err(Error::Invalid(complaint)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in " \\(?(QRESYNC|CONDSTORE)? ?\\(?[0-9:,*() ]{0,40}") {
            let _ = read(&text);
        }
    }
}
