//! LIST as RFC 3501 §6.3.8 and RFC 5258 have it: `LIST (selection) reference (patterns) RETURN (options)`; and the parameters
//! of CREATE (RFC 6154 §3).

use mailbox::SpecialUse;

use super::command::StatusItem;
use super::cursor::{Cursor, is_atom_octet};
use super::decode::{LIST_MAX, argument, status_items};
use super::{Error, Result};

/// The most patterns in one LIST.
pub const PATTERNS_MAX: usize = 256;

/// LIST. Names and patterns are as on the wire, in modified UTF-7.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// Whether anything of RFC 5258 was used: then no attribute is told that nobody asked for.
    pub extended: bool,
    /// Which mailboxes.
    pub selection: Selection,
    /// What patterns are below.
    pub reference: Vec<u8>,
    /// Any of them is to match.
    pub patterns: Vec<Vec<u8>>,
    /// What of them.
    pub returning: Returning,
}

/// Selection options. REMOTE asks for nothing more: nothing here is remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only what is subscribed to, whether it exists or not.
    pub subscribed: bool,
    /// Only what has a special use (RFC 6154 §5.1).
    pub special_use: bool,
    /// What has something below it that is selected and not shown, too.
    pub recursive_match: bool,
}

/// Return options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Returning {
    /// `\Subscribed`.
    pub subscribed: bool,
    /// `\HasChildren` and `\HasNoChildren`.
    pub children: bool,
    /// `\Sent` and others (RFC 6154 §5.1).
    pub special_use: bool,
    /// MYRIGHTS (RFC 8440).
    pub my_rights: bool,
    /// STATUS (RFC 5819).
    pub status: Vec<StatusItem>,
}

/// Reads the arguments of LIST.
///
/// # Errors
/// In Dovecot's words.
pub fn decode(cursor: &mut Cursor<'_>) -> Result<List> {
    let mut list = List::default();
    let mut look_ahead = cursor.clone();
    if look_ahead.space().is_ok() && look_ahead.eat(b'(') {
        *cursor = look_ahead;
        list.extended = true;
        list.selection = selection(cursor)?;
        // What was selected by is told without being asked for.
        list.returning.subscribed = list.selection.subscribed;
        list.returning.special_use = list.selection.special_use;
    }
    list.reference = match cursor.clone().end() {
        Ok(()) => return Err(Error::Invalid("Invalid reference")),
        Err(_) => argument(cursor)?,
    };
    if cursor.clone().end().is_ok() {
        return Err(Error::Invalid("Invalid pattern"));
    }
    cursor.space()?;
    if cursor.eat(b'(') {
        list.extended = true;
        list.patterns = patterns(cursor)?;
    } else {
        list.patterns.push(pattern(cursor)?);
    }
    if cursor.clone().end().is_err() {
        cursor.space()?;
        if !cursor.eat_word("RETURN") || !cursor.eat(b' ') || !cursor.eat(b'(') {
            return Err(Error::Invalid("Extra arguments"));
        }
        list.extended = true;
        returning(cursor, &mut list.returning)?;
    }
    match cursor.end() {
        Ok(()) => Ok(list),
        Err(_) => Err(Error::Invalid("Extra arguments")),
    }
}

/// The options up to `)`; `take` is told each in capitals.
fn options<'a>(
    cursor: &mut Cursor<'a>,
    mut take: impl FnMut(&mut Cursor<'a>, &str) -> Result<()>,
) -> Result<()> {
    for _ in 0..LIST_MAX {
        while cursor.eat(b' ') {}
        match cursor.peek() {
            Some(b')') => {
                cursor.eat(b')');
                return Ok(());
            }
            Some(b'(' | b'"' | b'{') if cursor.rest().contains(&b')') => {
                return Err(Error::Invalid("List options contains non-atoms"));
            }
            _ => {}
        }
        let name = cursor.atom("an option")?.to_ascii_uppercase();
        take(cursor, &name)?;
    }
    Err(Error::TooMany)
}

fn selection(cursor: &mut Cursor<'_>) -> Result<Selection> {
    let mut selection = Selection::default();
    options(cursor, |_, name| {
        match name {
            "SUBSCRIBED" => selection.subscribed = true,
            "SPECIAL-USE" => selection.special_use = true,
            "RECURSIVEMATCH" => selection.recursive_match = true,
            "REMOTE" => {}
            _ => return Err(Error::Invalid("Unknown select options")),
        }
        Ok(())
    })?;
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        return Err(Error::Invalid("RECURSIVEMATCH must not be the only selection"));
    }
    Ok(selection)
}

fn returning(cursor: &mut Cursor<'_>, into: &mut Returning) -> Result<()> {
    options(cursor, |cursor, name| {
        match name {
            "SUBSCRIBED" => into.subscribed = true,
            "CHILDREN" => into.children = true,
            "SPECIAL-USE" => into.special_use = true,
            "MYRIGHTS" => into.my_rights = true,
            "STATUS" if cursor.rest().starts_with(b" (") => into.status = status_items(cursor)?,
            _ => return Err(Error::Invalid("Unknown return options")),
        }
        Ok(())
    })
}

fn patterns(cursor: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>> {
    let mut patterns = Vec::new();
    loop {
        while cursor.eat(b' ') {}
        match cursor.peek() {
            Some(b')') => {
                cursor.eat(b')');
                return Ok(patterns);
            }
            Some(b'(') => return Err(Error::Invalid("Invalid pattern list")),
            _ if patterns.len() == PATTERNS_MAX => return Err(Error::TooMany),
            _ => patterns.push(pattern(cursor)?),
        }
    }
}

/// A mailbox name with wildcards: an atom that may hold `%` and `*`, or a string.
pub(crate) fn pattern(cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    if matches!(cursor.peek(), Some(b'"' | b'{')) {
        return cursor.string();
    }
    let atom = cursor.take_while(|b| is_atom_octet(b) || matches!(b, b']' | b'%' | b'*'));
    match atom.is_empty() {
        true => Err(Error::Expected("a pattern")),
        false => Ok(atom.to_vec()),
    }
}

/// What a mailbox is to be made for: the attributes of `(USE (\Sent))`; an attribute that is none is `None`.
///
/// # Errors
/// When there is a parameter other than USE.
pub fn decode_uses(cursor: &mut Cursor<'_>) -> Result<Vec<Option<SpecialUse>>> {
    let mut uses = Vec::new();
    if cursor.clone().end().is_ok() {
        return Ok(uses);
    }
    cursor.space()?;
    cursor.expect(b'(', "a list")?;
    loop {
        let name = cursor.atom("a parameter")?;
        if !name.eq_ignore_ascii_case("USE") {
            return Err(Error::UnknownParameter(name.to_ascii_uppercase()));
        }
        cursor.space()?;
        cursor.expect(b'(', "a list")?;
        while !cursor.eat(b')') {
            if uses.len() == LIST_MAX {
                return Err(Error::TooMany);
            }
            cursor.expect(b'\\', "an attribute")?;
            uses.push(SpecialUse::named(cursor.atom("an attribute")?));
            if cursor.peek() != Some(b')') {
                cursor.space()?;
            }
        }
        if cursor.eat(b')') {
            cursor.end()?;
            return Ok(uses);
        }
        cursor.space()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<List> {
        decode(&mut Cursor::new(text.as_bytes()))
    }

    #[test]
    fn the_forms_of_list() {
        let plain = read(r#" "" %"#).unwrap();
        assert!(!plain.extended);
        assert_eq!(plain.patterns, [b"%".to_vec()]);
        let long = read(r#" (SUBSCRIBED recursivematch) "a" ("b" c*) RETURN (STATUS (MESSAGES) CHILDREN)"#);
        let expected = List {
            extended: true,
            selection: Selection {
                subscribed: true,
                special_use: false,
                recursive_match: true,
            },
            reference: b"a".to_vec(),
            patterns: vec![b"b".to_vec(), b"c*".to_vec()],
            returning: Returning {
                subscribed: true,
                children: true,
                status: vec![StatusItem::Messages],
                ..Returning::default()
            },
        };
        assert_eq!(long, Ok(expected));
        for (wrong, why) in [
            ("", "Invalid reference"),
            (r#" """#, "Invalid pattern"),
            (
                r#" (RECURSIVEMATCH REMOTE) "" *"#,
                "RECURSIVEMATCH must not be the only selection",
            ),
            (r#" (FOO) "" *"#, "Unknown select options"),
            (r#" "" * RETURN (STATUS)"#, "Unknown return options"),
            (r#" "" * FOO"#, "Extra arguments"),
        ] {
            assert_eq!(read(wrong), Err(Error::Invalid(why)), "{wrong}");
        }
    }

    #[test]
    fn patterns_in_literals() {
        let list = read(" \"\" ({1}\r\nx {2+}\r\ny*)").unwrap();
        assert_eq!(list.patterns, [b"x".to_vec(), b"y*".to_vec()]);
    }

    #[test]
    fn uses_of_create() {
        let uses = |text: &str| decode_uses(&mut Cursor::new(text.as_bytes()));
        assert_eq!(uses(""), Ok(vec![]));
        assert_eq!(uses(r" (USE (\sent))"), Ok(vec![Some(SpecialUse::Sent)]));
        assert_eq!(uses(r" (USE (\Foo))"), Ok(vec![None]));
        assert!(uses(" (FOO)").is_err());
        assert!(uses(" USE").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in r#"[ ()"*%a{}0-9+\\]{0,30}|( |\(|\)|SUBSCRIBED|RETURN|STATUS|MESSAGES|"x"|\*){0,14}"#) {
            let _ = read(&text);
            let _ = decode_uses(&mut Cursor::new(text.as_bytes()));
        }
    }
}
