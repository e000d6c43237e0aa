//! Messages for programs that have no session: found by search keys ([`Finder`]) and shown in IMAP's forms ([`Letter`]).

use std::sync::Arc;

use mailbox::store::{Body, MailboxId, MessageState};
use mailbox::{MailboxName, Store, UidSet};

use crate::extensions::preview;
use crate::session::decoded::Undecodable;
use crate::session::search::content::Candidate;
use crate::session::search::query::{Asked, Query, Refused};
use crate::session::section::{Content, Source};
use crate::session::structure::{push_envelope, push_structure};
use crate::session::view::View;
use crate::wire::cursor::Cursor;
use crate::wire::fetch::{Form, Item, Section, decode_items};
use crate::wire::search::Key;

/// The messages of one mailbox as they were when it was opened.
pub struct Finder {
    store: Arc<dyn Store>,
    view: View,
}

impl Finder {
    /// Opens a mailbox. Nobody's messages stop being recent by that.
    ///
    /// # Errors
    /// When it cannot be opened or listed.
    pub fn open(store: &Arc<dyn Store>, name: &MailboxName) -> mailbox::Result<Finder> {
        let opened = store.open(name)?;
        let changes = store.changes(&opened.id, 0)?;
        let recent = store.status(&opened.id)?.recent as usize;
        let mut view = View::new(opened, name.clone(), true, changes);
        // Who claims recent messages claims all: those that nobody has are the newest.
        let first = view.rows.len().saturating_sub(recent);
        view.rows[first..].iter_mut().for_each(|row| row.recent = true);
        Ok(Finder {
            store: Arc::clone(store),
            view,
        })
    }

    /// How the store names the mailbox.
    pub fn id(&self) -> &MailboxId {
        &self.view.id
    }

    /// What the mailbox is called for good (see [`mailbox::Opened`]).
    pub fn object_id(&self) -> u64 {
        self.view.object_id
    }

    /// Its messages, ascending by UID, and whether each is recent.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = (&MessageState, bool)> {
        self.view.rows.iter().map(|row| (&row.state, row.recent))
    }

    /// Those of `among` for which `key` holds; its texts are UTF-8. Messages that are gone meanwhile are not found.
    ///
    /// # Errors
    /// What the key lacks, or the first message that cannot be read.
    pub fn find(&self, key: &Key, among: &UidSet, now_secs: i64) -> Result<UidSet, Error> {
        let query = Query::new(key, None, &self.view).map_err(|refused| match refused {
            Refused::UnknownCharset => Error::Key("Unknown charset".to_owned()),
            Refused::Key(error) => Error::Key(error.to_string()),
        })?;
        let mut found = UidSet::new();
        for row in &self.view.rows {
            let uid = row.state.uid;
            if !among.contains(uid) {
                continue;
            }
            let asked = Asked { row, now_secs };
            let is_found = match query.known(asked) {
                Some(known) => known,
                None => match Candidate::new(&query, asked, (&*self.store, &self.view.id)).is_found() {
                    Err(mailbox::Error::NoSuchMessage(_)) => false,
                    answer => answer?,
                },
            };
            if is_found {
                found.insert(uid);
            }
        }
        Ok(found)
    }
}

/// Why messages cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key makes no sense.
    #[error("{0}")]
    Key(String),
    /// A message cannot be read.
    #[error(transparent)]
    Store(#[from] mailbox::Error),
}

/// One message.
pub struct Letter(Source);

impl Letter {
    /// The message with this content.
    pub fn new(body: Arc<dyn Body>) -> Letter {
        Letter(Source::new(body))
    }

    /// The header with its empty line; of one that is very long, its beginning.
    ///
    /// # Errors
    /// As all methods: when the message cannot be read.
    pub fn header(&mut self) -> mailbox::Result<&[u8]> {
        self.0.header()
    }

    /// ENVELOPE, without the parentheses around it.
    pub fn envelope(&mut self) -> mailbox::Result<Vec<u8>> {
        let mut text = Vec::new();
        push_envelope(&mut text, &self.0.envelope()?);
        Ok(without_parentheses(text))
    }

    /// BODYSTRUCTURE, or the shorter BODY, without the parentheses around it.
    pub fn structure(&mut self, is_extended: bool) -> mailbox::Result<Vec<u8>> {
        let mut text = Vec::new();
        push_structure(&mut text, &self.0.structure()?.root, is_extended);
        Ok(without_parentheses(text))
    }

    /// The beginning of its text.
    pub fn preview(&mut self) -> mailbox::Result<String> {
        preview::text(&mut self.0)
    }

    /// The message.
    pub fn whole(&mut self) -> mailbox::Result<Vec<u8>> {
        let range = 0..self.0.body.size_bytes();
        self.0.read(&range)
    }

    /// A section; empty where there is no such part.
    ///
    /// # Errors
    /// When the message cannot be read, or not be decoded.
    pub fn section(&mut self, part: &PartOf) -> mailbox::Result<Vec<u8>> {
        if part.0.form == Form::AsIs {
            return match self.0.section(&part.0)? {
                Content::Made(octets) => Ok(octets),
                Content::Slice { offset, length } => self.0.read(&(offset..offset + length)),
            };
        }
        let cannot = |error| match error {
            Undecodable::Store(error) => error,
            _ => mailbox::Error::Damaged("the part has a transfer encoding that cannot be undone".to_owned()),
        };
        let decoded = self.0.decoded(&part.0).map_err(cannot)?;
        let (mut reader, mut octets) = (decoded.reader(), Vec::new());
        let limit = usize::try_from(decoded.octets).unwrap_or(usize::MAX);
        while octets.len() < limit {
            let left = limit - octets.len();
            if reader.read(&*self.0.body, left, &mut octets).map_err(cannot)? == 0 {
                break;
            }
        }
        Ok(octets)
    }
}

fn without_parentheses(text: Vec<u8>) -> Vec<u8> {
    let inner = text.strip_prefix(b"(").and_then(|text| text.strip_suffix(b")"));
    inner.map_or_else(|| text.clone(), <[u8]>::to_vec)
}

/// What lies between the brackets of `BODY[…]` or `BINARY[…]`.
#[derive(Debug, Clone)]
pub struct PartOf(Section);

impl PartOf {
    /// Reads it: `1.2.mime`, `header.fields (from)`. `None` when it is no section.
    pub fn parse(text: &str, is_decoded: bool) -> Option<PartOf> {
        let name = if is_decoded { "BINARY" } else { "BODY" };
        let item = format!("{name}.PEEK[{text}]");
        let mut cursor = Cursor::new(item.as_bytes());
        match decode_items(&mut cursor).ok()?.pop()? {
            Item::Section(section) if cursor.at_end() => Some(PartOf(section)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailbox::{Flags, MemoryStore};

    #[test]
    fn messages_are_found_and_shown_without_a_session() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let inbox = store.open(&MailboxName::inbox()).expect("it is there");
        let mut append = store.append(&inbox.id).expect("possible");
        for subject in ["one", "two"] {
            append.start(Flags::default(), 7).expect("possible");
            let text = format!("Subject: {subject}\r\n\r\nbody of {subject}\r\n");
            append.write(text.as_bytes()).expect("possible");
        }
        append.commit().expect("possible");
        let finder = Finder::open(&store, &MailboxName::inbox()).expect("it is there");
        assert!(finder.messages().all(|(_, is_recent)| is_recent));
        let all: UidSet = [1, 2].into_iter().collect();
        let find = |text: &str, among| finder.find(&Key::Body(text.into()), among, 0).expect("readable");
        assert_eq!(find("two", &all).to_string(), "2");
        assert_eq!(find("body", &all).to_string(), "1:2");
        assert!(find("two", &[1].into_iter().collect()).is_empty());
        let mut letter = Letter::new(store.body(finder.id(), 2).expect("it is there"));
        let text =
            |octets: mailbox::Result<Vec<u8>>| String::from_utf8(octets.expect("readable")).expect("text");
        let part = PartOf::parse("text", false).expect("a section");
        assert_eq!(text(letter.section(&part)), "body of two\r\n");
        assert!(text(letter.envelope()).starts_with("NIL \"two\" NIL"));
        assert!(PartOf::parse("bogus", false).is_none() && PartOf::parse("1] X", true).is_none());
    }
}
