//! What FETCH tells of a message without opening it: kept in the mailbox's cache in the form in which it is sent, and made from the
//! message where the cache does not know it.

use mailbox::cache::{Cache, Entry};
use mailbox::{Derived, Uid};
use message::{Envelope, Structure, header};

use super::section::Source;
use super::structure::{push_envelope, push_structure};
use crate::extensions::preview;
use crate::wire::fetch::{Form, Item, Section, SectionText};

/// The form in which it is kept; another number for another form.
const FORM: u8 = 1;
/// Before the content: the form, and the length of the first of two texts.
const PREFIX_BYTES: usize = 5;

/// The header fields that are kept as they stand: what clients ask for to show a list, to thread and to answer. Sorted.
const KEPT_FIELDS: &[&str] = &[
    "auto-submitted",
    "bcc",
    "cc",
    "content-language",
    "content-transfer-encoding",
    "content-type",
    "date",
    "delivered-to",
    "disposition-notification-to",
    "from",
    "importance",
    "in-reply-to",
    "list-id",
    "list-post",
    "list-unsubscribe",
    "mail-followup-to",
    "message-id",
    "mime-version",
    "newsgroups",
    "precedence",
    "priority",
    "references",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "x-mailing-list",
    "x-priority",
    "x-spam-flag",
    "x-spam-status",
];
const KEPT_NAME_BYTES_MAX: usize = 27;

/// Whether a header field of this name is among those that are kept.
pub(crate) fn is_kept(name: &[u8]) -> bool {
    let mut lower = [0; KEPT_NAME_BYTES_MAX];
    let Some(lower) = lower.get_mut(..name.len()) else {
        return false;
    };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    KEPT_FIELDS
        .binary_search_by(|kept| kept.as_bytes().cmp(lower))
        .is_ok()
}

/// What an answer consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) head: bool,
    pub(crate) structure: bool,
    pub(crate) preview: bool,
    /// Octets of the message itself.
    pub(crate) content: bool,
}

impl Needs {
    pub(crate) fn of(items: &[Item]) -> Needs {
        let mut needs = Needs::default();
        for item in items {
            match item {
                Item::Envelope | Item::ThreadId => needs.head = true,
                Item::Body | Item::BodyStructure => needs.structure = true,
                Item::Preview(_) => needs.preview = true,
                Item::Section(section) if is_of_kept(section) => needs.head = true,
                Item::Section(_) => needs.content = true,
                _ => {}
            }
        }
        needs
    }

    /// Whether the list of messages is enough.
    pub(crate) fn are_none(self) -> bool {
        self == Needs::default()
    }

    fn derived(self) -> impl Iterator<Item = Derived> {
        let all = [
            (self.head, Derived::Head),
            (self.structure, Derived::Structure),
            (self.preview, Derived::Preview),
        ];
        all.into_iter()
            .filter_map(|(is_needed, kind)| is_needed.then_some(kind))
    }
}

/// Whether a section consists of header fields that are kept.
pub(crate) fn is_of_kept(section: &Section) -> bool {
    match &section.text {
        SectionText::HeaderFields { names, except: false } => {
            section.part.is_empty() && section.form == Form::AsIs && names.iter().all(|name| is_kept(name))
        }
        _ => false,
    }
}

/// What is known of one message. Used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    head: Vec<u8>,
    structure: Vec<u8>,
    preview: Vec<u8>,
}

impl Remembered {
    /// Asks the cache; returns what it does not know.
    pub(crate) fn recall(&mut self, cache: Option<&dyn Cache>, uid: Uid, needs: Needs) -> Needs {
        let mut missing = needs;
        for kind in needs.derived() {
            let into = self.place(kind);
            into.clear();
            let is_known = cache.is_some_and(|cache| cache.recall(uid, kind, into)) && is_sound(kind, into);
            match kind {
                Derived::Head => missing.head = !is_known,
                Derived::Structure => missing.structure = !is_known,
                _ => missing.preview = !is_known,
            }
        }
        missing
    }

    /// Makes what is missing from the message.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn make(&mut self, missing: Needs, source: &mut Source) -> mailbox::Result<()> {
        // The structure first: it knows the envelope.
        if missing.structure {
            self.set_structure(source.structure()?);
        }
        if missing.preview {
            self.preview.clear();
            self.preview.push(FORM);
            self.preview.extend_from_slice(preview::text(source)?.as_bytes());
        }
        if missing.head {
            let envelope = source.envelope()?;
            self.set_head(&envelope, source.header()?);
        }
        Ok(())
    }

    /// What can be said of a message that is gone: what an empty one would have.
    pub(crate) fn make_empty(&mut self) {
        self.set_structure(&Structure::parse(b""));
        self.set_head(&Envelope::default(), b"");
        self.preview = vec![FORM];
    }

    /// What was made, for the cache.
    pub(crate) fn entries(&mut self, made: Needs, uid: Uid) -> impl Iterator<Item = Entry> {
        made.derived().map(move |kind| Entry {
            uid,
            kind,
            content: self.place(kind).clone(),
        })
    }

    /// The envelope as it is sent.
    pub(crate) fn envelope(&self) -> &[u8] {
        halves(&self.head).0
    }

    /// The header fields that are kept, as they stand, and an empty line.
    pub(crate) fn fields(&self) -> &[u8] {
        halves(&self.head).1
    }

    /// BODYSTRUCTURE or BODY as it is sent.
    pub(crate) fn structure(&self, extended: bool) -> &[u8] {
        let (whole, short) = halves(&self.structure);
        if extended { whole } else { short }
    }

    /// The beginning of the text.
    pub(crate) fn preview(&self) -> &[u8] {
        self.preview.get(1..).unwrap_or_default()
    }

    fn place(&mut self, kind: Derived) -> &mut Vec<u8> {
        match kind {
            Derived::Head => &mut self.head,
            Derived::Structure => &mut self.structure,
            _ => &mut self.preview,
        }
    }

    fn set_structure(&mut self, structure: &Structure) {
        begin(&mut self.structure);
        push_structure(&mut self.structure, &structure.root, true);
        end_first(&mut self.structure);
        push_structure(&mut self.structure, &structure.root, false);
    }

    fn set_head(&mut self, envelope: &Envelope, block: &[u8]) {
        begin(&mut self.head);
        push_envelope(&mut self.head, envelope);
        end_first(&mut self.head);
        for field in header::fields(block).filter(|field| is_kept(field.name)) {
            self.head.extend_from_slice(field.raw);
        }
        if !self.head.ends_with(b"\r\n") && self.head.len() > PREFIX_BYTES {
            self.head.extend_from_slice(b"\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
    }
}

fn begin(text: &mut Vec<u8>) {
    text.clear();
    text.push(FORM);
    text.extend_from_slice(&[0; PREFIX_BYTES - 1]);
}

/// The first of two texts ends here.
fn end_first(text: &mut [u8]) {
    let length = (text.len() - PREFIX_BYTES) as u32;
    text[1..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// The two texts; empty ones when they do not fit the form.
fn halves(text: &[u8]) -> (&[u8], &[u8]) {
    split(text).unwrap_or_default()
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, texts) = text.split_at_checked(PREFIX_BYTES)?;
    let length = u32::from_le_bytes(prefix[1..].try_into().ok()?);
    texts.split_at_checked(length as usize)
}

fn is_sound(kind: Derived, text: &[u8]) -> bool {
    text.first() == Some(&FORM) && (kind == Derived::Preview || split(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_kept_are_found() {
        assert!(KEPT_FIELDS.is_sorted());
        let longest = KEPT_FIELDS.iter().map(|name| name.len()).max();
        assert_eq!(longest, Some(KEPT_NAME_BYTES_MAX));
        for name in KEPT_FIELDS {
            assert!(is_kept(name.to_ascii_uppercase().as_bytes()), "{name}");
        }
        for name in ["", "received", "x", &"y".repeat(1000)] {
            assert!(!is_kept(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_another_version_kept_is_not_believed() {
        let mut remembered = Remembered::default();
        remembered.make_empty();
        let cache = mailbox::cache::MemoryCache::default();
        let all = Needs {
            head: true,
            structure: true,
            preview: true,
            content: false,
        };
        cache.remember(&remembered.entries(all, 1).collect::<Vec<_>>());
        let mut others: Vec<Entry> = remembered.entries(all, 2).collect();
        others.iter_mut().for_each(|entry| entry.content[0] = FORM + 1);
        cache.remember(&others);
        let mut cut: Vec<Entry> = remembered.entries(all, 3).collect();
        cut.iter_mut().for_each(|entry| entry.content.truncate(3));
        cut.pop();
        cache.remember(&cut);
        assert!(Remembered::default().recall(Some(&cache), 1, all).are_none());
        for uid in [2, 3, 4] {
            assert_eq!(Remembered::default().recall(Some(&cache), uid, all), all, "{uid}");
        }
        assert_eq!(Remembered::default().recall(None, 1, all), all);
    }
}
