//! FETCH: the answer is made piece by piece as it is taken (RFC 3501 §6.4.5, §7.4.2).

use mailbox::Error as StoreError;
use message::{Envelope, Structure};

use super::section::{Content, READ_BYTES, Source};
use super::structure::{push_envelope, push_structure};
use super::view::{Row, push_flags, push_modseq};
use super::{Event, Job, Session, Traffic};
use crate::extensions::{objectid, preview, savedate};
use crate::wire::command::Fetch;
use crate::wire::date;
use crate::wire::encode;
use crate::wire::fetch::{Item, Section, SectionText};
use crate::wire::select::Known;

/// A FETCH under way.
pub(crate) struct Fetching {
    ending: Ending,
    by_uid: bool,
    /// In the order of the answer: what is short before what may be long.
    items: Vec<Item>,
    needs_body: bool,
    /// Rows left to answer; the first range shrinks.
    ranges: std::collections::VecDeque<(usize, usize)>,
    changed_since: Option<u64>,
    /// UIDs that became `\Seen` by this command, ascending.
    became_seen: Vec<u32>,
    message: Option<Message>,
    /// A message was expunged meanwhile.
    some_gone: bool,
    /// A message could not be read, or not to its end.
    some_failed: bool,
}

/// What ends the answer.
enum Ending {
    /// FETCH itself, under this tag.
    Fetch(String),
    /// SELECT, which told what changed: the tag, and the OK.
    Select(String, String),
    /// Nothing: NOTIFY wants this of new messages. What was under way goes on.
    Unasked(Job),
}

/// The message being answered.
struct Message {
    /// `None`: it is gone; what stands only in it is NIL.
    source: Option<Source>,
    uid: u32,
    next_item: usize,
    /// Nothing stands within the parenthesis yet.
    is_empty: bool,
    /// A slice being sent: offset and octets left.
    sending: Option<(u64, u64)>,
}

impl Session {
    pub(crate) fn start_fetch(&mut self, tag: &str, fetch: Fetch) {
        let Fetch {
            by_uid,
            messages,
            mut items,
            changed_since,
            vanished,
        } = fetch;
        let Some(ranges) = self.rows_named(tag, "FETCH", &messages, by_uid) else {
            return;
        };
        if items.contains(&Item::ModSeq) || changed_since.is_some() {
            self.enable_condstore();
        }
        if vanished && !self.qresync {
            return self.bad(tag, "Error in IMAP command UID FETCH: QRESYNC not enabled");
        }
        if let Some(since) = changed_since.filter(|_| vanished) {
            self.tell_vanished_of(&messages, since);
        }
        if changed_since.is_some() && !items.contains(&Item::ModSeq) {
            items.push(Item::ModSeq);
        }
        if by_uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        let sets_seen = items
            .iter()
            .any(|item| matches!(item, Item::Section(section) if section.sets_seen));
        let became_seen = if sets_seen {
            self.mark_seen(&ranges)
        } else {
            Vec::new()
        };
        let ending = Ending::Fetch(tag.to_owned());
        self.fetch(Fetching::new(ending, by_uid, items, ranges).since(changed_since, became_seen));
    }

    /// Tells flags and modseqs of what changed since the client knew the mailbox, and ends SELECT with `ok` (RFC 7162 §3.2.5.1).
    pub(crate) fn fetch_changed(&mut self, tag: &str, ok: String, known: &Known) {
        let Some(view) = &self.view else { return };
        let ranges = match &known.uids {
            Some(uids) => view.rows_among(uids),
            None => vec![(0, view.rows.len())],
        };
        let ranges = ranges.into_iter().filter(|(from, to)| from < to).collect();
        let items = vec![Item::Uid, Item::Flags, Item::ModSeq];
        let ending = Ending::Select(tag.to_owned(), ok);
        self.fetch(Fetching::new(ending, true, items, ranges).since(Some(known.modseq), Vec::new()));
    }

    /// Tells of new messages, rows `new`, what NOTIFY asked for.
    pub(crate) fn fetch_unasked(&mut self, items: Vec<Item>, new: (usize, usize)) {
        let before = std::mem::replace(&mut self.job, Job::None);
        self.fetch(Fetching::new(Ending::Unasked(before), false, items, vec![new]));
    }

    fn fetch(&mut self, fetching: Fetching) {
        self.job = Job::Fetch(Box::new(fetching));
    }

    /// Appends to `into` until it is `end` octets long or the answer is complete.
    pub(crate) fn fetch_more(&mut self, into: &mut Vec<u8>, end: usize) {
        let Job::Fetch(mut job) = std::mem::replace(&mut self.job, Job::None) else {
            return;
        };
        while into.len() < end {
            if let Some(message) = &mut job.message {
                let uid = message.uid;
                match message.proceed(&job.items, into, end, &mut self.traffic) {
                    Ok(true) => job.message = None,
                    Ok(false) => {}
                    Err(StoreError::NoSuchMessage(_)) => job.some_gone = true,
                    Err(error) => {
                        job.some_failed = true;
                        let text = format!("Reading message {uid}: {error}");
                        self.events.push_back(Event::Problem(text));
                    }
                }
            } else if let Some(index) = job.next_row() {
                self.fetch_row(&mut job, index, into);
            } else {
                return self.end_fetch(*job);
            }
        }
        self.job = Job::Fetch(job);
    }

    /// Begins, and if its body is not needed ends, the answer for one message.
    fn fetch_row(&mut self, job: &mut Fetching, index: usize, into: &mut Vec<u8>) {
        let Some(view) = &self.view else { return };
        let row = &view.rows[index];
        if job.changed_since.is_some_and(|since| row.state.modseq <= since) {
            return;
        }
        let mut source = None;
        if job.needs_body {
            match self.store.body(&view.id, row.state.uid) {
                Ok(body) => source = Some(Source::new(body)),
                Err(StoreError::NoSuchMessage(_)) => job.some_gone = true,
                Err(error) => {
                    job.some_failed = true;
                    self.events.push_back(Event::Problem(format!(
                        "Reading message {}: {error}",
                        row.state.uid
                    )));
                    return;
                }
            }
        }
        let start = into.len();
        into.extend_from_slice(b"* ");
        encode::number(into, index as u64 + 1);
        into.extend_from_slice(b" FETCH (");
        let opened = into.len();
        let became_seen = job.became_seen.binary_search(&row.state.uid).is_ok();
        let unasked = Unasked {
            flags: became_seen && !job.items.contains(&Item::Flags),
            modseq: became_seen && self.condstore && !job.items.contains(&Item::ModSeq),
        };
        let pushed = push_items(into, &job.items, row, source.as_mut(), unasked);
        match pushed {
            Err(error) => {
                into.truncate(start);
                job.some_failed = true;
                self.events.push_back(Event::Problem(format!(
                    "Reading message {}: {error}",
                    row.state.uid
                )));
            }
            Ok(next_item) if job.needs_body => {
                job.message = Some(Message {
                    source,
                    uid: row.state.uid,
                    next_item,
                    is_empty: into.len() == opened,
                    sending: None,
                });
            }
            Ok(_) => into.extend_from_slice(b")\r\n"),
        }
    }

    fn end_fetch(&mut self, job: Fetching) {
        let (tag, ok) = match job.ending {
            Ending::Fetch(tag) => (tag, "OK Fetch completed.".to_owned()),
            Ending::Select(tag, ok) => (tag, ok),
            Ending::Unasked(before) => {
                self.job = before;
                return self.work();
            }
        };
        let modseq = self.sync(job.by_uid, job.by_uid);
        let text = if job.some_failed {
            "NO [SERVERBUG] Internal error occurred. Refer to server log for more information."
        } else if job.some_gone {
            "OK [EXPUNGEISSUED] Some messages were already expunged."
        } else {
            &ok
        };
        self.tagged_with(&tag, modseq, text);
        self.work();
    }
}

impl Fetching {
    fn new(ending: Ending, by_uid: bool, mut items: Vec<Item>, ranges: Vec<(usize, usize)>) -> Fetching {
        items.sort_by_key(|item| matches!(item, Item::Section(_)));
        Fetching {
            ending,
            by_uid,
            needs_body: items.iter().any(needs_body),
            items,
            ranges: ranges.into(),
            changed_since: None,
            became_seen: Vec::new(),
            message: None,
            some_gone: false,
            some_failed: false,
        }
    }

    /// Only messages that changed after the modseq; of those, some became `\Seen` by this command.
    fn since(mut self, changed_since: Option<u64>, became_seen: Vec<u32>) -> Fetching {
        (self.changed_since, self.became_seen) = (changed_since, became_seen);
        self
    }

    fn next_row(&mut self) -> Option<usize> {
        let (from, to) = self.ranges.front_mut()?;
        let index = *from;
        *from += 1;
        if *from >= *to {
            self.ranges.pop_front();
        }
        Some(index)
    }
}

/// Whether the message itself must be read.
fn needs_body(item: &Item) -> bool {
    matches!(
        item,
        Item::Envelope
            | Item::Body
            | Item::BodyStructure
            | Item::Section(_)
            | Item::Preview(_)
            | Item::ThreadId
    )
}

/// What is told though it was not asked for, because the FETCH changed it.
#[derive(Clone, Copy)]
struct Unasked {
    flags: bool,
    modseq: bool,
}

/// Appends the items that are short; returns how many of `items` that were.
fn push_items(
    out: &mut Vec<u8>,
    items: &[Item],
    row: &Row,
    mut source: Option<&mut Source>,
    unasked: Unasked,
) -> mailbox::Result<usize> {
    let mut count = 0;
    let mut space = false;
    for item in items.iter().take_while(|item| !matches!(item, Item::Section(_))) {
        if space {
            out.push(b' ');
        }
        space = true;
        count += 1;
        match (item, source.as_deref_mut()) {
            (Item::Flags, _) => push_flags(out, row),
            (Item::Uid, _) => {
                out.extend_from_slice(b"UID ");
                encode::number(out, u64::from(row.state.uid));
            }
            (Item::Size, _) => {
                out.extend_from_slice(b"RFC822.SIZE ");
                encode::number(out, row.state.size_bytes);
            }
            (Item::InternalDate, _) => {
                out.extend_from_slice(b"INTERNALDATE ");
                date::encode_date_time(out, row.state.internal_date_secs);
            }
            (Item::ModSeq, _) => push_modseq(out, row.state.modseq),
            (Item::SaveDate, _) => savedate::push(out, row.state.save_date_secs),
            (Item::EmailId, _) => {
                out.extend_from_slice(
                    format!("EMAILID ({})", objectid::email_id(row.state.email_id)).as_bytes(),
                );
            }
            (Item::ThreadId, source) => {
                let block = source.map_or(Ok(&b""[..]), Source::header)?;
                let id = objectid::thread_id(block, row.state.email_id);
                out.extend_from_slice(format!("THREADID ({id})").as_bytes());
            }
            (Item::Preview(item), source) => preview::push(out, item, source)?,
            (Item::Envelope, Some(source)) => {
                out.extend_from_slice(b"ENVELOPE ");
                push_envelope(out, &source.envelope()?);
            }
            (Item::Body, Some(source)) => {
                out.extend_from_slice(b"BODY ");
                push_structure(out, &source.structure()?.root, false);
            }
            (Item::BodyStructure, Some(source)) => {
                out.extend_from_slice(b"BODYSTRUCTURE ");
                push_structure(out, &source.structure()?.root, true);
            }
            // The message is gone: what can be said is what an empty one would have.
            (Item::Envelope, None) => {
                out.extend_from_slice(b"ENVELOPE ");
                push_envelope(out, &Envelope::default());
            }
            (Item::Body, None) => {
                out.extend_from_slice(b"BODY ");
                push_structure(out, &Structure::parse(b"").root, false);
            }
            (Item::BodyStructure, None) => {
                out.extend_from_slice(b"BODYSTRUCTURE ");
                push_structure(out, &Structure::parse(b"").root, true);
            }
            (Item::Section(_), _) => {}
        }
    }
    if unasked.flags {
        if space {
            out.push(b' ');
        }
        space = true;
        push_flags(out, row);
    }
    if unasked.modseq {
        if space {
            out.push(b' ');
        }
        push_modseq(out, row.state.modseq);
    }
    Ok(count)
}

impl Message {
    /// Sends on; `true` when the message's answer is complete. After an error the answer goes on: octets that were
    /// announced and cannot be read are spaces, for there is no way to take an announcement back.
    fn proceed(
        &mut self,
        items: &[Item],
        into: &mut Vec<u8>,
        end: usize,
        traffic: &mut Traffic,
    ) -> mailbox::Result<bool> {
        if let Some((offset, left)) = self.sending {
            let room = end.saturating_sub(into.len()).clamp(1, READ_BYTES * 2);
            let want = room.min(usize::try_from(left).unwrap_or(usize::MAX));
            let start = into.len();
            into.resize(start + want, 0);
            let read = match &self.source {
                Some(source) => source.body.read_at(offset, &mut into[start..]),
                None => Ok(want),
            };
            let (count, failure) = match read {
                Ok(0) => {
                    let text = "a message is shorter than its size".to_owned();
                    (want, Some(StoreError::Damaged(text)))
                }
                Ok(count) => (count, None),
                Err(error) => (want, Some(error)),
            };
            if failure.is_some() {
                self.source = None;
            }
            if self.source.is_none() {
                into[start..].fill(b' ');
            }
            into.truncate(start + count);
            encode::replace_nul(&mut into[start..]);
            let left = left - count as u64;
            self.sending = (left > 0).then_some((offset + count as u64, left));
            return failure.map_or(Ok(false), Err);
        }
        match items.get(self.next_item) {
            Some(Item::Section(section)) => {
                self.next_item += 1;
                self.start_section(section, into, traffic)?;
                Ok(false)
            }
            _ => {
                into.extend_from_slice(b")\r\n");
                Ok(true)
            }
        }
    }

    fn start_section(
        &mut self,
        section: &Section,
        into: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> mailbox::Result<()> {
        let content = match &mut self.source {
            Some(source) => source.section(section).map(Some),
            None => Ok(None),
        };
        if !std::mem::take(&mut self.is_empty) {
            into.push(b' ');
        }
        into.extend_from_slice(section.label.as_bytes());
        let content = match content {
            Ok(Some(content)) => content,
            Ok(None) => {
                into.extend_from_slice(b" NIL");
                return Ok(());
            }
            Err(error) => {
                self.source = None;
                into.extend_from_slice(b" NIL");
                return Err(error);
            }
        };
        let length = match &content {
            Content::Made(bytes) => bytes.len() as u64,
            Content::Slice { length, .. } => *length,
        };
        let (skipped, count) = match section.partial {
            Some((offset, count)) => {
                into.push(b'<');
                encode::number(into, offset);
                into.push(b'>');
                let offset = offset.min(length);
                (offset, count.min(length - offset))
            }
            None => (0, length),
        };
        match section.text {
            SectionText::Whole | SectionText::Text => {
                traffic.bodies += 1;
                traffic.body_bytes += count;
            }
            _ => {
                traffic.headers += 1;
                traffic.header_bytes += count;
            }
        }
        into.push(b' ');
        encode::literal_header(into, count);
        match content {
            Content::Made(bytes) => {
                let start = into.len();
                into.extend_from_slice(&bytes[skipped as usize..(skipped + count) as usize]);
                encode::replace_nul(&mut into[start..]);
            }
            Content::Slice { offset, .. } => self.sending = (count > 0).then_some((offset + skipped, count)),
        }
        Ok(())
    }
}
