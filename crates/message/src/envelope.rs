//! The fields of a message that IMAP's ENVELOPE shows (RFC 9051 §7.5.2), as bytes and parsed address lists.

use address::list::{self, Entry};

use crate::header::{self, Field};

/// What ENVELOPE shows. Texts are unfolded and otherwise as in the header, encoded words included. Of fields that
/// come more than once, address lists are joined and of the others the last counts, as with Dovecot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// Date.
    pub date: Option<Vec<u8>>,
    /// Subject, for people: what white space there is between its words is one space.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Entry>,
    /// Sender; see [`Envelope::sender_or_from`].
    pub sender: Vec<Entry>,
    /// Reply-To; see [`Envelope::reply_to_or_from`].
    pub reply_to: Vec<Entry>,
    /// To.
    pub to: Vec<Entry>,
    /// Cc.
    pub cc: Vec<Entry>,
    /// Bcc.
    pub bcc: Vec<Entry>,
    /// In-Reply-To.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// The envelope of the header block at the start of `text`.
    pub fn parse(text: &[u8]) -> Envelope {
        let mut envelope = Envelope::default();
        header::fields(text).for_each(|field| envelope.take(&field));
        envelope
    }

    /// Sender, or From when there is none, as ENVELOPE shows it.
    pub fn sender_or_from(&self) -> &[Entry] {
        if self.sender.is_empty() {
            &self.from
        } else {
            &self.sender
        }
    }

    /// Reply-To, or From when there is none, as ENVELOPE shows it.
    pub fn reply_to_or_from(&self) -> &[Entry] {
        if self.reply_to.is_empty() {
            &self.from
        } else {
            &self.reply_to
        }
    }

    /// Takes what `field` says, if it is one of the fields of an envelope.
    pub(crate) fn take(&mut self, field: &Field<'_>) {
        match field.name.len() {
            2 if field.is("to") => add(&mut self.to, field),
            2 if field.is("cc") => add(&mut self.cc, field),
            3 if field.is("bcc") => add(&mut self.bcc, field),
            4 if field.is("from") => add(&mut self.from, field),
            4 if field.is("date") => keep(&mut self.date, field),
            6 if field.is("sender") => add(&mut self.sender, field),
            7 if field.is("subject") => self.subject = Some(words(field.body)),
            8 if field.is("reply-to") => add(&mut self.reply_to, field),
            10 if field.is("message-id") => keep(&mut self.message_id, field),
            11 if field.is("in-reply-to") => keep(&mut self.in_reply_to, field),
            _ => {}
        }
    }
}

fn keep(slot: &mut Option<Vec<u8>>, field: &Field<'_>) {
    *slot = Some(field.unfolded().into_owned());
}

fn words(body: &[u8]) -> Vec<u8> {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let words: Vec<&[u8]> = body.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

fn add(entries: &mut Vec<Entry>, field: &Field<'_>) {
    if entries.len() < list::ENTRIES_MAX {
        let parsed = list::parse(field.body);
        if entries.is_empty() {
            *entries = parsed;
        } else {
            entries.extend(parsed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_fields_are_read_as_dovecot_does() {
        let subject = |text: &[u8]| Envelope::parse(text).subject;
        assert_eq!(
            subject(b"Subject: one\r\n\ttwo\r\n   three  \r\n").as_deref(),
            Some(&b"one two three"[..])
        );
        assert_eq!(subject(b"Subject: a\rb\tc\r\n").as_deref(), Some(&b"a b c"[..]));
        assert_eq!(subject(b"Subject:  \r\n").as_deref(), Some(&b""[..]));
        let twice = Envelope::parse(
            b"Subject: 1\r\nSubject: 2\r\nDate: d1\r\nDate: d2\r\nMessage-ID: <1>\r\nMessage-ID: <2>\r\n\r\n",
        );
        assert_eq!(twice.subject.as_deref(), Some(&b"2"[..]));
        assert_eq!(twice.date.as_deref(), Some(&b"d2"[..]));
        assert_eq!(twice.message_id.as_deref(), Some(&b"<2>"[..]));
        let names = Envelope::parse(b"From: a b c\r\nTo: \"q\" z, d\r\n\r\n");
        let name = |entries: &[Entry]| list::mailboxes(entries).next().and_then(|m| m.name.clone());
        assert_eq!(name(&names.from).as_deref(), Some(&b"a b c"[..]));
        assert_eq!(name(&names.to).as_deref(), Some(&b"q z"[..]));
        assert!(list::mailboxes(&names.from).all(|m| m.local.is_empty()));
    }

    #[test]
    fn an_envelope_is_what_the_header_says() {
        let envelope = Envelope::parse(
            b"Date: Thu, 24 Dec 2020 22:25:24 +0900\r\nFrom: \"A B\" <a@b>\r\nTO: c@d,\r\n e@f\r\nTo: g@h\r\nSubject: =?UTF-8?Q?x?=\r\n folded\r\nMessage-Id: <1@2>\r\n\r\nCc: no@one\r\n",
        );
        assert_eq!(envelope.subject.as_deref(), Some(&b"=?UTF-8?Q?x?= folded"[..]));
        assert_eq!(envelope.message_id.as_deref(), Some(&b"<1@2>"[..]));
        assert_eq!(list::mailboxes(&envelope.to).count(), 3);
        assert_eq!(envelope.sender_or_from(), envelope.from.as_slice());
        assert!(envelope.cc.is_empty() && envelope.in_reply_to.is_none());
    }
}
