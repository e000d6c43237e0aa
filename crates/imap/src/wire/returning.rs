//! `RETURN (…)`: what SEARCH and SORT are to return (RFC 4731, 5182, 5267).

use super::cursor::Cursor;
use super::{Error, Result};

/// The options of `RETURN (…)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Returning {
    /// The first message.
    pub min: bool,
    /// The last one.
    pub max: bool,
    /// All of them; also when no option was given.
    pub all: bool,
    /// How many there are.
    pub count: bool,
    /// They are what `$` stands for from now on (RFC 5182).
    pub save: bool,
    /// The client is told when others come or go (RFC 5267).
    pub update: bool,
    /// From which to which, counted from 1, the lower one first (RFC 5267).
    pub partial: Option<(u32, u32)>,
}

impl Returning {
    /// Reads ` RETURN (…)` if that is next.
    ///
    /// # Errors
    /// An option that is not known, given twice or in conflict with another one.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Option<Returning>> {
        let before = cursor.clone();
        if cursor.space().is_ok() && cursor.eat_word("RETURN") && cursor.space().is_ok() && cursor.eat(b'(') {
            return options(cursor).map(Some);
        }
        *cursor = before;
        Ok(None)
    }

    /// Whether nothing is asked for that an untagged answer would tell.
    pub fn is_silent(&self) -> bool {
        let quiet = Returning {
            save: true,
            ..Returning::default()
        };
        *self == quiet
    }
}

fn options(cursor: &mut Cursor<'_>) -> Result<Returning> {
    let mut options = Returning::default();
    let mut is_empty = true;
    loop {
        while cursor.eat(b' ') {}
        if cursor.eat(b')') {
            break;
        }
        let name = cursor
            .atom("a return option")
            .map_err(|_| Error::Invalid("SEARCH return options contain non-atoms"))?;
        is_empty = false;
        match name.to_ascii_uppercase().as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            // A hint that this is asked again (RFC 5267 §4.2): nothing to be done for it.
            "CONTEXT" => is_empty = !(options != Returning::default()),
            "UPDATE" if options.update => {
                return Err(Error::Invalid("SEARCH return options have duplicate UPDATE"));
            }
            "UPDATE" => options.update = true,
            "PARTIAL" => partial(cursor, &mut options)?,
            _ => return Err(Error::Invalid("Unknown SEARCH return option")),
        }
    }
    options.all |= is_empty;
    if options.all && options.partial.is_some() {
        return Err(Error::Invalid("PARTIAL conflicts with ALL"));
    }
    Ok(options)
}

fn partial(cursor: &mut Cursor<'_>, options: &mut Returning) -> Result<()> {
    if options.partial.is_some() {
        return Err(Error::Invalid("PARTIAL can be used only once"));
    }
    let range = cursor.space().and_then(|()| cursor.atom("a range"));
    let range = range.map_err(|_| Error::Invalid("PARTIAL range missing"))?;
    let number = |text: &str| text.parse::<u32>().ok().filter(|&number| number > 0);
    let bounds = range
        .split_once(':')
        .and_then(|(first, last)| Some((number(first)?, number(last)?)));
    let (first, last) = bounds.ok_or(Error::Invalid("PARTIAL range broken"))?;
    options.partial = Some((first.min(last), first.max(last)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(text: &str) -> Result<Option<Returning>> {
        Returning::decode(&mut Cursor::new(text.as_bytes()))
    }

    #[test]
    fn options_are_read() {
        let none = Returning::default();
        let all = Returning { all: true, ..none };
        assert_eq!(decoded(" RETURN () ALL"), Ok(Some(all)));
        assert_eq!(decoded(" return ( CONTEXT ) ALL"), Ok(Some(all)));
        assert_eq!(
            decoded(" RETURN (CONTEXT count)"),
            Ok(Some(Returning { count: true, ..none }))
        );
        let partial = Returning {
            partial: Some((2, 5)),
            save: true,
            ..none
        };
        assert_eq!(decoded(" RETURN (PARTIAL 5:2 SAVE)"), Ok(Some(partial)));
        assert_eq!(decoded(" RETURN ALL"), Ok(None));
        assert_eq!(decoded(" RETURNED"), Ok(None));
        for wrong in [
            "FOO",
            "PARTIAL",
            "PARTIAL 0:1",
            "PARTIAL 1:2 ALL",
            "UPDATE UPDATE",
            "(",
            "\"x\"",
        ] {
            assert!(decoded(&format!(" RETURN ({wrong})")).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ ()A-Z:0-9\"]{0,30}") {
            let _ = decoded(&format!(" RETURN ({text}"));
        }
    }
}
