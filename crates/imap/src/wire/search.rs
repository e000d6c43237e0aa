//! Search keys (RFC 3501 §6.4.4), with those of WITHIN and CONDSTORE.

use mailbox::{Keyword, SystemFlags};

use super::Error;
use super::cursor::Cursor;
use super::date;
use super::sequence::SequenceSet;

/// How deep NOT, OR and parentheses may nest.
pub const DEPTH_MAX: usize = 40;
/// The most keys in one SEARCH.
pub const KEYS_MAX: usize = 2048;

/// What a message must be to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Key {
    /// The name of an address field, in small letters, and the text that one of its addresses is to hold.
    Address(String, Vec<u8>),
    All,
    Flag(SystemFlags),
    Keyword(Keyword),
    Recent,
    New,
    /// Days since the Unix epoch, of the INTERNALDATE.
    Before(i64),
    On(i64),
    Since(i64),
    /// Days since the Unix epoch, of the Date field.
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    Larger(u64),
    Smaller(u64),
    /// A field's name, and what its value holds; as the client wrote them, in its charset.
    Header(Vec<u8>, Vec<u8>),
    Body(Vec<u8>),
    Text(Vec<u8>),
    Sequence(SequenceSet),
    Uid(SequenceSet),
    /// Seconds (RFC 5032).
    Older(u64),
    Younger(u64),
    ModSeq(u64),
    /// Days since the Unix epoch, of the day on which it came into the mailbox (RFC 8514).
    SavedBefore(i64),
    SavedOn(i64),
    SavedSince(i64),
    SaveDateSupported,
    /// As FETCH tells them (RFC 8474).
    EmailId(Vec<u8>),
    ThreadId(Vec<u8>),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

/// Reads the keys up to the end of the command; all must hold.
pub fn decode_keys(cursor: &mut Cursor<'_>) -> Result<Key, Error> {
    let mut reader = Reader { keys: 0 };
    let mut all = vec![reader.key(cursor, 0)?];
    while !cursor.at_end() {
        cursor.space()?;
        if cursor.at_end() {
            break;
        }
        all.push(reader.key(cursor, 0)?);
    }
    Ok(one_or_all(all))
}

fn one_or_all(mut all: Vec<Key>) -> Key {
    match all.pop() {
        Some(key) if all.is_empty() => key,
        Some(key) => {
            all.push(key);
            Key::And(all)
        }
        None => Key::All,
    }
}

struct Reader {
    keys: usize,
}

impl Reader {
    fn key(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Key, Error> {
        self.keys += 1;
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        if self.keys > KEYS_MAX {
            return Err(Error::TooMany);
        }
        match cursor.peek() {
            Some(b'(') => self.list(cursor, depth),
            Some(b'*' | b'0'..=b'9') => SequenceSet::decode(cursor).map(Key::Sequence),
            _ => {
                let name = cursor.atom("a search key")?.to_ascii_uppercase();
                self.named(&name, cursor, depth)
            }
        }
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Key, Error> {
        cursor.expect(b'(', "a list")?;
        let mut all = Vec::new();
        loop {
            all.push(self.key(cursor, depth + 1)?);
            if cursor.eat(b')') {
                return Ok(one_or_all(all));
            }
            cursor.space()?;
        }
    }

    fn named(&mut self, name: &str, cursor: &mut Cursor<'_>, depth: usize) -> Result<Key, Error> {
        if let Some(key) = plain(name) {
            return Ok(key);
        }
        if !is_known(name) {
            return Err(Error::UnknownArgument(name.to_owned()));
        }
        cursor
            .space()
            .map_err(|_| Error::Invalid("Missing parameter for argument"))?;
        Ok(match name {
            "NOT" => not(self.key(cursor, depth + 1)?),
            "OR" => {
                let left = self.key(cursor, depth + 1)?;
                cursor.space()?;
                Key::Or(Box::new(left), Box::new(self.key(cursor, depth + 1)?))
            }
            "KEYWORD" => Key::Keyword(keyword(cursor)?),
            "UNKEYWORD" => not(Key::Keyword(keyword(cursor)?)),
            "BEFORE" => Key::Before(day(cursor)?),
            "ON" => Key::On(day(cursor)?),
            "SINCE" => Key::Since(day(cursor)?),
            "SENTBEFORE" => Key::SentBefore(day(cursor)?),
            "SENTON" => Key::SentOn(day(cursor)?),
            "SENTSINCE" => Key::SentSince(day(cursor)?),
            "SAVEDBEFORE" => Key::SavedBefore(day(cursor)?),
            "SAVEDON" => Key::SavedOn(day(cursor)?),
            "SAVEDSINCE" => Key::SavedSince(day(cursor)?),
            "EMAILID" => Key::EmailId(cursor.astring()?),
            "THREADID" => Key::ThreadId(cursor.astring()?),
            "LARGER" => Key::Larger(cursor.number()?),
            "SMALLER" => Key::Smaller(cursor.number()?),
            "OLDER" => Key::Older(cursor.number()?),
            "YOUNGER" => Key::Younger(cursor.number()?),
            "HEADER" => {
                let field = cursor.astring()?;
                cursor.space()?;
                Key::Header(field, cursor.astring()?)
            }
            "BODY" => Key::Body(cursor.astring()?),
            "TEXT" => Key::Text(cursor.astring()?),
            "UID" => Key::Uid(SequenceSet::decode(cursor)?),
            "MODSEQ" => modseq(cursor)?,
            "FROM" | "TO" | "CC" | "BCC" => Key::Address(name.to_ascii_lowercase(), cursor.astring()?),
            field => Key::Header(field.as_bytes().to_vec(), cursor.astring()?),
        })
    }
}

fn is_known(name: &str) -> bool {
    matches!(
        name,
        "NOT"
            | "OR"
            | "KEYWORD"
            | "UNKEYWORD"
            | "BEFORE"
            | "ON"
            | "SINCE"
            | "SENTBEFORE"
            | "SENTON"
            | "SENTSINCE"
            | "SAVEDBEFORE"
            | "SAVEDON"
            | "SAVEDSINCE"
            | "EMAILID"
            | "THREADID"
            | "LARGER"
            | "SMALLER"
            | "OLDER"
            | "YOUNGER"
            | "HEADER"
            | "BODY"
            | "TEXT"
            | "UID"
            | "MODSEQ"
            | "SUBJECT"
            | "FROM"
            | "TO"
            | "CC"
            | "BCC"
    )
}

fn plain(name: &str) -> Option<Key> {
    Some(match name {
        "ALL" => Key::All,
        "ANSWERED" => Key::Flag(SystemFlags::ANSWERED),
        "DELETED" => Key::Flag(SystemFlags::DELETED),
        "DRAFT" => Key::Flag(SystemFlags::DRAFT),
        "FLAGGED" => Key::Flag(SystemFlags::FLAGGED),
        "SEEN" => Key::Flag(SystemFlags::SEEN),
        "UNANSWERED" => not(Key::Flag(SystemFlags::ANSWERED)),
        "UNDELETED" => not(Key::Flag(SystemFlags::DELETED)),
        "UNDRAFT" => not(Key::Flag(SystemFlags::DRAFT)),
        "UNFLAGGED" => not(Key::Flag(SystemFlags::FLAGGED)),
        "UNSEEN" => not(Key::Flag(SystemFlags::SEEN)),
        "RECENT" => Key::Recent,
        "NEW" => Key::New,
        "SAVEDATESUPPORTED" => Key::SaveDateSupported,
        "OLD" => not(Key::Recent),
        _ => return None,
    })
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

fn keyword(cursor: &mut Cursor<'_>) -> Result<Keyword, Error> {
    let name = cursor.astring()?;
    let name = std::str::from_utf8(&name).map_err(|_| Error::Invalid("Invalid keyword"))?;
    Ok(Keyword::new(name))
}

fn day(cursor: &mut Cursor<'_>) -> Result<i64, Error> {
    let text = cursor.astring()?;
    date::decode_day(&text).map_err(|_| Error::Invalid("Invalid search date parameter"))
}

/// `MODSEQ [entry-name entry-type] value` (RFC 7162 §3.1.5); entries are of no effect here.
fn modseq(cursor: &mut Cursor<'_>) -> Result<Key, Error> {
    if cursor.peek() == Some(b'"') {
        cursor.string()?;
        cursor.space()?;
        cursor.atom("an entry type")?;
        cursor.space()?;
    }
    let number = cursor.number();
    Ok(Key::ModSeq(
        number.map_err(|_| Error::Invalid("Invalid MODSEQ value"))?,
    ))
}
