//! What SORT and THREAD compare, read from a message's header once and kept in the mailbox's cache.

use address::list::{self, Entry};
use message::header::{self, Field};
use message::subject::Base;
use message::{casemap, encoded_word};

use super::sent;

/// The form in which facts are kept; another number for another form.
const FORM: u8 = 1;
/// How many references of one message count; those nearest to it.
const REFERENCES_MAX: usize = 1000;

/// What a header says that SORT and THREAD compare. Texts are in the form of [`casemap`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    /// The moment of Date, if it can be read, in seconds since the Unix epoch.
    pub(crate) sent: Option<i64>,
    /// Of several subjects the last one's, which ENVELOPE shows.
    pub(crate) subject: Base,
    pub(crate) from: First,
    pub(crate) to: First,
    pub(crate) cc: First,
    pub(crate) id: Option<Box<[u8]>>,
    /// The messages that it refers to, the nearest last.
    pub(crate) references: Vec<Box<[u8]>>,
}

/// The first address of a field, or its group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct First {
    /// Before the `@`, or the name of the group.
    pub(crate) local: Box<str>,
    /// The name that people read, or the address where there is none (RFC 5957 §3).
    pub(crate) display: Box<str>,
}

impl Facts {
    /// What a header says.
    pub(crate) fn of(block: &[u8]) -> Facts {
        let mut facts = Facts::default();
        let mut subject = None;
        let mut addresses: [Option<&[u8]>; 3] = [None; 3];
        let mut ids: [Option<&[u8]>; 3] = [None; 3];
        for field in header::fields(block) {
            let slot = match field.name.len() {
                2 if field.is("to") => &mut addresses[1],
                2 if field.is("cc") => &mut addresses[2],
                4 if field.is("from") => &mut addresses[0],
                4 if field.is("date") => {
                    facts.sent = sent::moment(field.body);
                    continue;
                }
                7 if field.is("subject") => {
                    subject = Some(field);
                    continue;
                }
                10 if field.is("message-id") => &mut ids[0],
                10 if field.is("references") => &mut ids[1],
                11 if field.is("in-reply-to") => &mut ids[2],
                _ => continue,
            };
            slot.get_or_insert(field.body);
        }
        facts.subject = subject.map_or_else(Base::default, |field: Field<'_>| Base::of(&field.text()));
        facts.from = First::of(addresses[0]);
        facts.to = First::of(addresses[1]);
        facts.cc = First::of(addresses[2]);
        facts.id = message_ids(ids[0]).into_iter().next();
        facts.references = message_ids(ids[1]);
        if facts.references.is_empty() {
            facts.references = message_ids(ids[2]);
            facts.references.truncate(1);
        }
        let far = facts.references.len().saturating_sub(REFERENCES_MAX);
        facts.references.drain(..far);
        facts
    }

    /// As octets.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut out = vec![
            FORM,
            u8::from(self.sent.is_some()),
            u8::from(self.subject.is_reply),
            u8::from(self.id.is_some()),
        ];
        out.extend_from_slice(&self.sent.unwrap_or_default().to_le_bytes());
        push(&mut out, self.subject.text.as_bytes());
        for first in [&self.from, &self.to, &self.cc] {
            push(&mut out, first.local.as_bytes());
            push(&mut out, first.display.as_bytes());
        }
        push(&mut out, self.id.as_deref().unwrap_or_default());
        self.references.iter().for_each(|id| push(&mut out, id));
        out
    }

    /// From octets; `None` when they are of another form.
    pub(crate) fn decoded(octets: &[u8]) -> Option<Facts> {
        let (&[form, has_sent, is_reply, has_id], rest) = octets.split_first_chunk()?;
        let (sent, mut rest) = rest.split_first_chunk()?;
        if form != FORM {
            return None;
        }
        let text = take_text(&mut rest)?;
        let mut facts = Facts {
            sent: (has_sent != 0).then(|| i64::from_le_bytes(*sent)),
            subject: Base {
                text: text.into(),
                is_reply: is_reply != 0,
            },
            ..Facts::default()
        };
        for first in [&mut facts.from, &mut facts.to, &mut facts.cc] {
            first.local = take_text(&mut rest)?.into();
            first.display = take_text(&mut rest)?.into();
        }
        let id = take(&mut rest)?;
        facts.id = (has_id != 0).then(|| id.into());
        while !rest.is_empty() {
            facts.references.push(take(&mut rest)?.into());
        }
        Some(facts)
    }
}

/// A length in four octets, and as many octets.
fn push(out: &mut Vec<u8>, octets: &[u8]) {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(octets);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (octets, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(octets)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take(rest)?).ok()
}

/// The message ids of a field, without what may be written in several ways; what has no domain is none.
fn message_ids(body: Option<&[u8]>) -> Vec<Box<[u8]>> {
    let is_part = |octet: &u8| !octet.is_ascii_whitespace() && !matches!(octet, b'"' | b'\\');
    header::message_ids(body.unwrap_or_default())
        .filter(|id| id.contains(&b'@'))
        .map(|id| id.iter().copied().filter(is_part).collect())
        .collect()
}

impl First {
    fn of(body: Option<&[u8]>) -> First {
        let text = |octets: &[u8]| casemap::of(&encoded_word::decode(octets)).into_boxed_str();
        match body.and_then(|body| list::parse(body).into_iter().next()) {
            None => First::default(),
            Some(Entry::Group { name, .. }) => First {
                local: text(&name),
                display: text(&name),
            },
            Some(Entry::Mailbox(mailbox)) => {
                let name = mailbox.name.filter(|name| !name.is_empty());
                let display = name.unwrap_or_else(|| {
                    let domain = mailbox.domain.as_deref().unwrap_or(b"MISSING_DOMAIN");
                    [&mailbox.local, &b"@"[..], domain].concat()
                });
                First {
                    local: text(&mailbox.local),
                    display: text(&display),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn facts_are_kept_as_they_are() {
        let header = b"Subject: a\r\nSubject: Re: b\r\nDate: 1 Jan 2020 10:00:00 +0000\r\nFrom: \"A B\" <c@d>\r\n\
            To: grp: x@y;\r\nMessage-ID: <\"1\"@x>\r\nReferences: <2 @ x> <none> <3@x>\r\nIn-Reply-To: <4@x>\r\n\r\n";
        let facts = Facts::of(header);
        assert_eq!((facts.subject.text.as_str(), facts.subject.is_reply), ("B", true));
        assert_eq!(
            (&*facts.from.local, &*facts.from.display, &*facts.to.local),
            ("C", "A B", "GRP")
        );
        assert_eq!(facts.id.as_deref(), Some(&b"1@x"[..]));
        assert_eq!(facts.references, [Box::from(&b"2@x"[..]), Box::from(&b"3@x"[..])]);
        assert_eq!(Facts::decoded(&facts.encoded()).as_ref(), Some(&facts));
        let nothing = Facts::of(b"\r\n");
        assert_eq!(Facts::decoded(&nothing.encoded()), Some(nothing));
    }

    proptest! {
        #[test]
        fn never_panics(mut octets in proptest::collection::vec(0u8..3, 0..80), whole in 0usize..2) {
            octets.splice(..0, [FORM].repeat(whole));
            let _ = Facts::decoded(&octets);
        }

        #[test]
        fn round_trip(header in "((Subject|From|To|Date|References|Message-ID): [a-z<>@:;, \"]{0,20}\r\n){0,6}") {
            let facts = Facts::of(header.as_bytes());
            prop_assert_eq!(Facts::decoded(&facts.encoded()), Some(facts));
        }
    }
}
