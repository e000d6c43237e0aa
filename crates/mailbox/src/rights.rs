//! What a user may do with a mailbox, and the lists that say so (RFC 4314).

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u16);

/// Letters in the order in which a set is told.
const LETTERS: [u8; 11] = *b"lrwstipekxa";
/// Letters in the order of the rights' names (admin, create, delete …), in which Dovecot writes a list.
const BY_NAME: [u8; 11] = *b"akxeilprwts";

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// Every one.
    pub const ALL: Rights = Rights(0x7FF);

    /// The right with this letter of RFC 4314 §2.1: `l`ookup, `r`ead, `w`rite, `s`een, dele`t`ed, `i`nsert, `p`ost, `e`xpunge, create (`k`),
    /// delete (`x`), `a`dminister. `None` for any other letter.
    pub fn of_letter(letter: u8) -> Option<Rights> {
        let at = LETTERS.iter().position(|known| *known == letter)?;
        Some(Rights(1 << at))
    }

    /// Rights by their letters. The letters of RFC 2086 stand for those that took their place (RFC 4314 §2.1.1).
    ///
    /// # Errors
    /// The letter that is none.
    pub fn parse(letters: &str) -> Result<Rights, char> {
        let mut rights = Rights::NONE;
        for letter in letters.chars() {
            rights = rights.union(match letter {
                'c' => Rights::letters("kx"),
                'd' => Rights::letters("et"),
                _ => u8::try_from(letter)
                    .ok()
                    .and_then(Rights::of_letter)
                    .ok_or(letter)?,
            });
        }
        Ok(rights)
    }

    /// Rights by letters that are known; others are passed over.
    pub fn letters(letters: &str) -> Rights {
        let known = letters.bytes().filter_map(Rights::of_letter);
        known.fold(Rights::NONE, Rights::union)
    }

    /// Whether the right with this letter is among them.
    pub fn has(self, letter: u8) -> bool {
        Rights::of_letter(letter).is_some_and(|right| self.0 & right.0 != 0)
    }

    /// Whether any of these is among them.
    pub fn has_any(self, letters: &str) -> bool {
        self.0 & Rights::letters(letters).0 != 0
    }

    /// Both.
    pub fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// Those that are not in `other`.
    pub fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The letters in the order of the rights' names.
    pub fn by_name(self) -> String {
        let known = BY_NAME.iter().filter(|letter| self.has(**letter));
        known.map(|letter| char::from(*letter)).collect()
    }
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut letters = LETTERS.iter().filter(|letter| self.has(**letter));
        letters.try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// Whom an entry of a list is about; in the order in which they count, the last the most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identifier {
    /// Everybody, also without a log-in.
    Anyone,
    /// Everybody with a log-in.
    Authenticated,
    /// The members of a group.
    Group(String),
    /// Whose mailbox it is.
    Owner,
    /// A user.
    User(String),
    /// The members of a group, whatever else is said of them.
    GroupOverride(String),
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclEntry {
    /// About whom.
    pub identifier: Identifier,
    /// Whether these rights are taken away.
    pub is_negative: bool,
    /// The rights' letters, in the order in which they are told.
    pub letters: String,
}

impl AclEntry {
    /// The rights.
    pub fn rights(&self) -> Rights {
        Rights::letters(&self.letters)
    }
}

/// What is done to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightsChange {
    /// It is this.
    Set(Rights),
    /// These more.
    Add(Rights),
    /// These less.
    Remove(Rights),
    /// There is no such entry.
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_back() {
        assert_eq!(Rights::ALL.to_string(), "lrwstipekxa");
        assert_eq!(Rights::ALL.by_name(), "akxeilprwts");
        assert_eq!(
            Rights::parse("lrcd").map(Rights::by_name),
            Ok("kxelrt".to_owned())
        );
        assert_eq!(Rights::parse("ly"), Err('y'));
        assert!(Rights::letters("lr").has(b'r') && !Rights::letters("lr").has_any("wi"));
    }
}
