//! Search keys (RFC 3501 §6.4.4), with those of WITHIN and CONDSTORE.

use mailbox::{Keyword, SystemFlags};

use super::Error;
use super::command::Search;
use super::cursor::Cursor;
use super::date;
use super::returning::Returning;
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

/// Reads the arguments of SEARCH, with the space before them.
///
/// # Errors
/// What is wrong.
pub fn decode(cursor: &mut Cursor<'_>, by_uid: bool) -> Result<Search, Error> {
    let returning = Returning::decode(cursor)?;
    let mut charset = None;
    let before = cursor.clone();
    if cursor.eat(b' ') && cursor.eat_word("CHARSET") {
        charset = Some(decode_charset(cursor)?);
    } else {
        *cursor = before;
    }
    Ok(Search {
        by_uid,
        returning,
        charset,
        key: decode_keys(cursor)?,
    })
}

/// Reads a space and the name of a charset.
///
/// # Errors
/// There is none.
pub fn decode_charset(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Error> {
    let charset = cursor.space().and_then(|()| cursor.astring());
    charset.map_err(|_| Error::Invalid("Invalid charset argument"))
}

/// Reads a space and the keys up to the end of the command; all must hold.
pub fn decode_keys(cursor: &mut Cursor<'_>) -> Result<Key, Error> {
    let mut reader = Reader { keys: 0 };
    if cursor.space().is_err() || cursor.at_end() {
        return Err(Error::Invalid("Missing search parameters"));
    }
    let mut all = vec![reader.key(cursor, 0)?];
    while !cursor.at_end() {
        if cursor.peek() == Some(b')') {
            return Err(Error::Invalid("Unexpected ')'"));
        }
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
            Some(b'"') => {
                let text = cursor.string()?;
                Err(Error::StringAsKey(String::from_utf8_lossy(&text).into_owned()))
            }
            Some(b'*' | b'$' | b'0'..=b'9') => SequenceSet::decode(cursor).map(Key::Sequence),
            _ => {
                let name = cursor.atom("a search key")?.to_ascii_uppercase();
                self.named(&name, cursor, depth)
            }
        }
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Key, Error> {
        cursor.expect(b'(', "a list")?;
        if cursor.eat(b')') {
            return Err(Error::Invalid("No search parameters inside list"));
        }
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
        if cursor.space().is_err() || matches!(cursor.peek(), None | Some(b')')) {
            return Err(missing(name));
        }
        if cursor.peek() == Some(b'(') && !matches!(name, "NOT" | "OR") {
            return Err(Error::UnexpectedList(name.to_owned()));
        }
        Ok(match name {
            "NOT" => not(self.key(cursor, depth + 1)?),
            "OR" => {
                let left = self.key(cursor, depth + 1)?;
                if cursor.space().is_err() || cursor.at_end() {
                    return Err(missing(name));
                }
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
            "LARGER" => Key::Larger(size(cursor)?),
            "SMALLER" => Key::Smaller(size(cursor)?),
            "OLDER" => Key::Older(interval(cursor)?),
            "YOUNGER" => Key::Younger(interval(cursor)?),
            "HEADER" => {
                let field = cursor.astring()?;
                if cursor.space().is_err() || cursor.at_end() {
                    return Err(missing(name));
                }
                Key::Header(field, cursor.astring()?)
            }
            "BODY" => Key::Body(cursor.astring()?),
            "TEXT" => Key::Text(cursor.astring()?),
            "UID" => {
                Key::Uid(SequenceSet::decode(cursor).map_err(|_| Error::Invalid("Invalid UID messageset"))?)
            }
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

/// What stands where the parameter of `name` is missing.
fn missing(name: &str) -> Error {
    match name {
        "NOT" | "OR" => Error::Invalid("Missing argument"),
        name => Error::MissingParameter(name.to_owned()),
    }
}

fn size(cursor: &mut Cursor<'_>) -> Result<u64, Error> {
    cursor
        .number()
        .map_err(|_| Error::Invalid("Invalid search size parameter"))
}

/// Seconds; never 0.
fn interval(cursor: &mut Cursor<'_>) -> Result<u64, Error> {
    match cursor.number32() {
        Ok(secs) if secs > 0 => Ok(u64::from(secs)),
        _ => Err(Error::Invalid("Invalid search interval parameter")),
    }
}

/// `MODSEQ [entry-name entry-type] value` (RFC 7162 §3.1.5). A message has one modseq, whatever of it changed: entries
/// have no effect.
fn modseq(cursor: &mut Cursor<'_>) -> Result<Key, Error> {
    const VALUE: Error = Error::Invalid("Invalid MODSEQ value");
    if cursor.peek() == Some(b'"') {
        if !cursor.string()?.starts_with(b"/flags/") {
            return Err(VALUE);
        }
        let kind = cursor.space().and_then(|()| cursor.atom("an entry type"));
        let kind = kind.map_err(|_| missing("MODSEQ"))?.to_ascii_lowercase();
        if !matches!(kind.as_str(), "all" | "priv" | "shared") {
            return Err(Error::Invalid("Invalid MODSEQ type"));
        }
        cursor.space().map_err(|_| missing("MODSEQ"))?;
    }
    cursor.number().map(Key::ModSeq).map_err(|_| VALUE)
}
