//! What a URL names in this account's mail: a message, and a section of it.

use mailbox::{Error as StoreError, MailboxName};

use super::Session;
use super::section::{Content, Source};
use crate::wire::fetch::{self, Form, Section, SectionText};
use crate::wire::url::Url;

/// A section of a message.
pub(crate) struct Named {
    pub(crate) source: Source,
    pub(crate) section: Section,
}

/// The octets of a section, its partial range cut out.
pub(crate) struct Slice {
    content: Content,
    skipped: u64,
    octets: u64,
}

impl Slice {
    /// How many there are.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

impl Session {
    /// The section that a URL names, to be read in this form.
    ///
    /// # Errors
    /// Why there is none, for the client.
    pub(crate) fn named_by(&mut self, url: &Url, form: Form) -> Result<Named, String> {
        let (mailbox, uid_validity) = match &url.mailbox {
            Some(name) => {
                let name = MailboxName::new(name, self.separator());
                let opened = self.store.open(&name).map_err(|error| self.why(&error))?;
                (opened.id, opened.uid_validity)
            }
            None => match self.view.as_deref().filter(|_| !url.is_rooted) {
                Some(view) => (view.id.clone(), view.uid_validity),
                None => return Err("Mailbox-relative IMAP URL, but no mailbox selected".to_owned()),
            },
        };
        if url.uid_validity.is_some_and(|named| named != uid_validity) {
            return Err("Invalid UIDVALIDITY".to_owned());
        }
        let Some(uid) = url.uid else {
            return Err("The URL names no message".to_owned());
        };
        let mut section = match &url.section {
            Some(text) => fetch::decode_bare_section(text, form).map_err(|_| "Invalid section".to_owned())?,
            None => Section {
                label: String::new(),
                sets_seen: false,
                part: Vec::new(),
                text: SectionText::Whole,
                partial: None,
                form,
            },
        };
        section.partial = url
            .partial
            .map(|(offset, count)| (offset, count.unwrap_or(u64::MAX)));
        let body = self.store.body(&mailbox, uid).map_err(|error| self.why(&error))?;
        Ok(Named {
            source: Source::new(body),
            section,
        })
    }

    fn why(&mut self, error: &StoreError) -> String {
        match error {
            StoreError::NoSuchMessage(_) => "Message not found".to_owned(),
            StoreError::Damaged(_) | StoreError::Io { .. } => {
                self.events.push_back(super::Event::Problem(error.to_string()));
                "Internal error occurred. Refer to server log for more information.".to_owned()
            }
            error => error.to_string(),
        }
    }
}

impl Named {
    /// Where its octets are.
    ///
    /// # Errors
    /// When the message cannot be read, or not decoded.
    pub(crate) fn slice(&mut self) -> mailbox::Result<Slice> {
        let content = self.source.section(&self.section)?;
        let length = content.octets();
        let (offset, count) = self.section.partial.unwrap_or((0, u64::MAX));
        let skipped = offset.min(length);
        Ok(Slice {
            content,
            skipped,
            octets: count.min(length - skipped),
        })
    }

    /// Appends up to `limit` octets of a slice from `offset` on; returns how many.
    ///
    /// # Errors
    /// When the message cannot be read.
    pub(crate) fn read(
        &self,
        slice: &Slice,
        offset: u64,
        limit: usize,
        into: &mut Vec<u8>,
    ) -> mailbox::Result<usize> {
        let left = usize::try_from(slice.octets.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(limit);
        let at = slice.skipped + offset;
        match &slice.content {
            Content::Made(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let end = at.saturating_add(count).min(bytes.len());
                into.extend_from_slice(&bytes[at..end]);
                Ok(end - at)
            }
            Content::Slice { offset: start, .. } => {
                let before = into.len();
                into.resize(before + count, 0);
                let read = self.source.body.read_at(start + at, &mut into[before..])?;
                into.truncate(before + read);
                Ok(read)
            }
        }
    }
}
