//! Sequence sets: `1:3,5,7:*` (RFC 3501 §9).

use super::Error;
use super::cursor::Cursor;

/// The most ranges in one set.
pub const RANGES_MAX: usize = 32 * 1024;

/// What `*` is stored as: 0 is no sequence number and no UID.
pub const STAR: u32 = 0;

/// A sequence set as the client wrote it; `*` is [`STAR`]. Without a range it is `$`: what the last search saved (RFC 5182).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet(pub Vec<(u32, u32)>);

impl SequenceSet {
    /// Whether this is `$`.
    pub fn is_saved_result(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a set.
    ///
    /// # Errors
    /// When a number is missing, 0 or too large, or there are more than [`RANGES_MAX`] ranges.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<SequenceSet, Error> {
        let mut ranges = Vec::new();
        if cursor.eat(b'$') {
            return match cursor.peek() {
                None | Some(b' ' | b')') => Ok(SequenceSet(ranges)),
                Some(_) => Err(Error::Invalid("Invalid messageset")),
            };
        }
        loop {
            if ranges.len() == RANGES_MAX {
                return Err(Error::TooMany);
            }
            let first = bound(cursor)?;
            let last = if cursor.eat(b':') { bound(cursor)? } else { first };
            ranges.push((first, last));
            if !cursor.eat(b',') {
                return Ok(SequenceSet(ranges));
            }
        }
    }

    /// Whether it is one number, or `*`.
    pub fn is_single(&self) -> bool {
        matches!(self.0.as_slice(), [(first, last)] if first == last)
    }

    /// The ranges as ascending disjoint pairs when `*` is `star`; of `$`, which is not known here, none.
    pub fn resolved(&self, star: u32) -> mailbox::UidSet {
        let mut set = mailbox::UidSet::new();
        for &(first, last) in &self.0 {
            let number = |n| if n == STAR { star } else { n };
            set.insert_range(number(first), number(last));
        }
        set
    }
}

impl std::fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_saved_result() {
            return f.write_str("$");
        }
        let number = |n: u32| if n == STAR { "*".to_owned() } else { n.to_string() };
        for (index, &(first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{}", number(first))?;
            } else {
                write!(f, "{comma}{}:{}", number(first), number(last))?;
            }
        }
        Ok(())
    }
}

fn bound(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    if cursor.eat(b'*') {
        return Ok(STAR);
    }
    match cursor.number32() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::Invalid("Invalid messageset")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(ranges in proptest::collection::vec((0u32..20, 0u32..20), 0..9)) {
            let set = SequenceSet(ranges);
            let text = set.to_string();
            let mut cursor = Cursor::new(text.as_bytes());
            prop_assert_eq!(SequenceSet::decode(&mut cursor), Ok(set));
            prop_assert!(cursor.at_end());
        }
    }

    #[test]
    fn star_is_the_last_one_even_below_the_other_end() {
        let set = SequenceSet::decode(&mut Cursor::new(b"5:*,1")).unwrap();
        assert_eq!(set.resolved(3).to_string(), "1,3:5");
        assert!(SequenceSet::decode(&mut Cursor::new(b"0")).is_err());
    }
}
