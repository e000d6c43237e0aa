//! Commands from bytes (RFC 3501 §6, §9).

use mailbox::{FlagChange, Flags, Keyword, SystemFlags};

use super::command::{Fetch, StatusItem, StoreFlags, Verb};
use super::cursor::Cursor;
use super::fetch;
use super::search;
use super::sequence::SequenceSet;
use super::{Error, Result};

/// The most capabilities in one ENABLE, items in one STATUS, flags in one STORE.
pub const LIST_MAX: usize = 256;
/// The longest keyword, in octets.
pub const KEYWORD_BYTES_MAX: usize = 200;

/// A command that cannot be carried out, with what its answer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The tag, when it could be read.
    pub tag: Option<String>,
    /// The command's name in capitals, when it could be read.
    pub name: Option<String>,
    /// What is wrong.
    pub error: Error,
}

/// The arguments do not follow the grammar: Dovecot's words for it.
pub(super) const ARGUMENTS: Error = Error::Invalid("Invalid arguments");
/// A string has no end.
pub(super) const NO_QUOTE: &str = "Missing '\"'";
/// A list has no end.
pub(super) const NO_PARENTHESIS: &str = "Missing ')'";

/// The beginning of a command.
#[derive(Debug)]
pub struct Head<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The name in capitals, `UID` with the word behind it.
    pub name: String,
    /// What follows.
    pub arguments: Cursor<'a>,
    /// The whole command.
    all: &'a [u8],
}

impl Head<'_> {
    /// The answer to arguments that cannot be read.
    pub fn refusal(self, error: Error) -> Refusal {
        let is_search = ["SEARCH", "SORT", "THREAD"]
            .iter()
            .any(|name| self.name.ends_with(name));
        Refusal {
            tag: Some(self.tag.to_owned()),
            name: Some(self.name),
            error: match error {
                Error::Expected(_) | ARGUMENTS => unfinished(self.all).unwrap_or(ARGUMENTS),
                error if is_search => unfinished(self.all).unwrap_or(error),
                error => error,
            },
        }
    }
}

/// Whether a command ends within a string or a list.
pub(super) fn unfinished(command: &[u8]) -> Option<Error> {
    let (mut depth, mut is_quoted) = (0_usize, false);
    let mut octets = command.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' if is_quoted => drop(octets.next()),
            b'"' => is_quoted = !is_quoted,
            b'(' if !is_quoted => depth += 1,
            b')' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    match (is_quoted, depth) {
        (true, _) => Some(Error::Invalid(NO_QUOTE)),
        (false, 0) => None,
        (false, _) => Some(Error::Invalid(NO_PARENTHESIS)),
    }
}

/// Reads tag and name.
///
/// # Errors
/// A [`Refusal`], to be answered with BAD.
pub fn head(bytes: &[u8]) -> std::result::Result<Head<'_>, Refusal> {
    let mut arguments = Cursor::new(bytes);
    let refuse = |tag: Option<&str>, name: Option<&str>, error| Refusal {
        tag: tag.map(str::to_owned),
        name: name.map(str::to_owned),
        error,
    };
    let tag = arguments
        .word(|octet| octet != b' ', "a tag")
        .and_then(|tag| match tag.bytes().all(crate::login::is_tag_octet) {
            true => Ok(tag),
            false => Err(Error::Expected("a tag")),
        })
        .map_err(|error| refuse(None, None, error))?;
    let mut name = arguments
        .space()
        .and_then(|()| arguments.atom("a command"))
        .map(str::to_ascii_uppercase)
        .map_err(|error| refuse(Some(tag), None, error))?;
    if name == "UID" {
        match arguments.space().and_then(|()| arguments.atom("a command")) {
            Ok(inner) => name = format!("UID {}", inner.to_ascii_uppercase()),
            Err(_) => return Err(refuse(Some(tag), Some("UID"), ARGUMENTS)),
        }
    }
    Ok(Head {
        tag,
        name,
        arguments,
        all: bytes,
    })
}

/// Reads the arguments of a command that is none of an extension.
///
/// # Errors
/// What is wrong.
pub fn verb(head: &mut Head<'_>) -> Result<Verb> {
    match head.name.strip_prefix("UID ") {
        Some(name) => verb_of(name, true, &mut head.arguments),
        None => verb_of(&head.name, false, &mut head.arguments),
    }
}

fn verb_of(name: &str, by_uid: bool, cursor: &mut Cursor<'_>) -> Result<Verb> {
    let verb = match (name, by_uid) {
        // Real clients append rubbish to commands without arguments, and Dovecot takes no notice.
        ("CAPABILITY", false) => return Ok(Verb::Capability),
        ("NOOP", false) => return Ok(Verb::Noop),
        ("LOGOUT", false) => return Ok(Verb::Logout),
        ("CHECK", false) => return Ok(Verb::Check),
        ("CLOSE", false) => return Ok(Verb::Close),
        ("EXPUNGE", false) => return Ok(Verb::Expunge),
        ("ID", false) => {
            cursor.space()?;
            Verb::Id(crate::login::id_fields(cursor)?)
        }
        ("SELECT", false) => select(cursor, false)?,
        ("EXAMINE", false) => select(cursor, true)?,
        ("DELETE", false) => Verb::Delete(needed(cursor)?),
        ("RENAME", false) => Verb::Rename(needed(cursor)?, needed(cursor)?),
        ("SUBSCRIBE", false) => Verb::Subscribe(needed(cursor)?),
        ("UNSUBSCRIBE", false) => Verb::Unsubscribe(needed(cursor)?),
        ("STATUS", false) => Verb::Status {
            mailbox: needed(cursor)?,
            items: some(cursor).and_then(|()| status_items(cursor))?,
        },
        ("SEARCH", _) => Verb::Search(search::decode(cursor, by_uid)?),
        ("FETCH", _) => Verb::Fetch(fetch_command(cursor, by_uid)?),
        ("STORE", _) => Verb::Store(store_command(cursor, by_uid)?),
        ("COPY", _) => {
            let (messages, mailbox) = messages_and_mailbox(cursor)?;
            Verb::Copy {
                by_uid,
                messages,
                mailbox,
            }
        }
        _ => return Err(Error::Invalid("Unknown command")),
    };
    cursor.end()?;
    Ok(verb)
}

/// There is something more.
///
/// # Errors
/// In Dovecot's words.
pub(crate) fn some(cursor: &Cursor<'_>) -> Result<()> {
    match cursor.clone().end() {
        Ok(()) => Err(Error::Invalid("Missing arguments")),
        Err(_) => Ok(()),
    }
}

/// As [`argument`], of a command that says so when there is none.
fn needed(cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    some(cursor)?;
    argument(cursor)
}

/// A space and an astring.
pub(crate) fn argument(cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    cursor.space()?;
    cursor.astring()
}

/// What COPY and MOVE take, without what may follow.
pub(crate) fn messages_and_mailbox(cursor: &mut Cursor<'_>) -> Result<(SequenceSet, Vec<u8>)> {
    const MISSING: Error = Error::Invalid("Missing arguments");
    if cursor.at_end() {
        return Err(MISSING);
    }
    let messages = messages(cursor)?;
    if cursor.at_end() {
        return Err(MISSING);
    }
    Ok((messages, argument(cursor)?))
}

/// A space and a set of messages.
pub(crate) fn messages(cursor: &mut Cursor<'_>) -> Result<SequenceSet> {
    cursor.space()?;
    SequenceSet::decode(cursor)
}

/// Atoms in capitals, a space before each, up to the end of the command.
pub(crate) fn words(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut words = Vec::new();
    while !cursor.at_end() {
        cursor.space()?;
        if cursor.at_end() {
            break;
        }
        if words.len() == LIST_MAX {
            return Err(Error::TooMany);
        }
        words.push(cursor.atom("a capability")?.to_ascii_uppercase());
    }
    Ok(words)
}

fn select(cursor: &mut Cursor<'_>, read_only: bool) -> Result<Verb> {
    let mailbox = argument(cursor)?;
    let parameters = super::select::parameters(cursor);
    // What is wrong is said later; what follows is of no effect.
    cursor.take_while(|_| true);
    Ok(Verb::Select {
        mailbox,
        read_only,
        parameters,
    })
}

pub(crate) fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>> {
    cursor.space()?;
    cursor.expect(b'(', "a list")?;
    let mut items = Vec::new();
    while !cursor.eat(b')') {
        if items.len() == LIST_MAX {
            return Err(Error::TooMany);
        }
        let name = cursor.atom("a status item")?.to_ascii_uppercase();
        items.push(match name.as_str() {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
            "SIZE" => StatusItem::Size,
            // RFC 9051 §6.3.11.
            "DELETED" => StatusItem::Deleted,
            // RFC 9208 §4.1.4.
            "DELETED-STORAGE" => StatusItem::DeletedStorage,
            "APPENDLIMIT" => StatusItem::AppendLimit,
            "MAILBOXID" => StatusItem::MailboxId,
            _ => return Err(Error::InvalidStatusItem(name)),
        });
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    if items.is_empty() {
        return Err(Error::Invalid("Empty status list"));
    }
    items.sort_unstable();
    items.dedup();
    Ok(items)
}

fn fetch_command(cursor: &mut Cursor<'_>, by_uid: bool) -> Result<Fetch> {
    let messages = messages(cursor)?;
    cursor.space()?;
    let items = fetch::decode_items(cursor)?;
    let mut fetch = Fetch {
        by_uid,
        messages,
        items,
        changed_since: None,
        vanished: false,
    };
    if cursor.eat(b' ') && !cursor.at_end() {
        fetch_modifiers(cursor, &mut fetch)?;
    }
    Ok(fetch)
}

/// `(CHANGEDSINCE n VANISHED)` in either order (RFC 7162 §3.1.4.1, §3.2.6).
fn fetch_modifiers(cursor: &mut Cursor<'_>, fetch: &mut Fetch) -> Result<()> {
    cursor.expect(b'(', "modifiers")?;
    while !cursor.eat(b')') {
        match cursor.atom("a modifier")?.to_ascii_uppercase().as_str() {
            "CHANGEDSINCE" => {
                let number = cursor.space().and_then(|()| cursor.number());
                let number = number.map_err(|_| Error::Invalid("Invalid CHANGEDSINCE modseq"))?;
                fetch.changed_since = Some(number);
            }
            "VANISHED" if fetch.by_uid => fetch.vanished = true,
            _ => return Err(Error::Invalid("Unknown FETCH modifier")),
        }
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    match fetch.vanished && fetch.changed_since.is_none() {
        true => Err(Error::Invalid("VANISHED used without CHANGEDSINCE")),
        false => Ok(()),
    }
}

/// `(UNCHANGEDSINCE n)`, or an empty list (RFC 7162 §3.1.3).
fn unchanged_since(cursor: &mut Cursor<'_>) -> Result<Option<u64>> {
    cursor.expect(b'(', "modifiers")?;
    let mut found = None;
    while !cursor.eat(b')') {
        let name = cursor.atom("a modifier")?;
        if cursor.peek() == Some(b')') {
            return Err(Error::Invalid("Invalid STORE modifiers"));
        }
        if !name.eq_ignore_ascii_case("UNCHANGEDSINCE") {
            return Err(Error::Invalid("Unknown STORE modifier"));
        }
        let number = cursor.space().and_then(|()| cursor.number());
        found = Some(number.map_err(|_| Error::Invalid("Invalid modseq"))?);
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    Ok(found)
}

fn store_command(cursor: &mut Cursor<'_>, by_uid: bool) -> Result<StoreFlags> {
    let messages = messages(cursor)?;
    cursor.space()?;
    let mut unchanged = None;
    if cursor.peek() == Some(b'(') {
        unchanged = unchanged_since(cursor)?;
        cursor.space()?;
    }
    let item = cursor.atom("a data item")?.to_ascii_uppercase();
    let (item, silent) = match item.strip_suffix(".SILENT") {
        Some(item) => (item, true),
        None => (item.as_str(), false),
    };
    let make: fn(Flags) -> FlagChange = match item {
        "FLAGS" => FlagChange::Set,
        "+FLAGS" => FlagChange::Add,
        "-FLAGS" => FlagChange::Remove,
        _ => return Err(ARGUMENTS),
    };
    cursor.space()?;
    Ok(StoreFlags {
        by_uid,
        messages,
        change: make(flags(cursor)?),
        silent,
        unchanged_since: unchanged,
    })
}

/// Flags in parentheses, or (STORE) without.
pub(super) fn flags(cursor: &mut Cursor<'_>) -> Result<Flags> {
    let list = cursor.eat(b'(');
    let mut result = Flags::default();
    let mut count = 0;
    while !(list && cursor.eat(b')')) {
        count += 1;
        if count > LIST_MAX {
            return Err(Error::TooMany);
        }
        flag(cursor, &mut result)?;
        match cursor.peek() {
            Some(b')') if list => {}
            None if !list => break,
            _ => cursor.space()?,
        }
    }
    Ok(result)
}

fn flag(cursor: &mut Cursor<'_>, into: &mut Flags) -> Result<()> {
    if cursor.eat(b'\\') {
        let name = cursor.atom("a flag")?;
        let known = SystemFlags::ALL
            .iter()
            .find(|(_, text)| text[1..].eq_ignore_ascii_case(name));
        match known {
            Some((flag, _)) => into.system = into.system.union(*flag),
            None => return Err(Error::InvalidSystemFlag(name.to_ascii_uppercase())),
        }
        return Ok(());
    }
    let name = cursor.atom("a flag")?;
    if name.len() > KEYWORD_BYTES_MAX || !name.is_ascii() {
        return Err(Error::Invalid("Invalid keyword"));
    }
    let keyword = Keyword::new(name);
    if !into.has_keyword(&keyword) {
        into.keywords.push(keyword);
    }
    Ok(())
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
