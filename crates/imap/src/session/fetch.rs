//! FETCH: the answer is made piece by piece as it is taken (RFC 3501 §6.4.5, §7.4.2).

use std::sync::Arc;

use mailbox::cache::{Cache, Entry};
use mailbox::{Body, Error as StoreError};

use super::decoded::{Decoded, Reader, Undecodable};
use super::remembered::{Needs, Remembered, is_of_kept};
use super::section::{Content, READ_BYTES, Source, pick_fields};
use super::view::{Row, push_flags, push_modseq};
use super::{Event, Job, Session, Traffic};
use crate::extensions::{objectid, preview, savedate};
use crate::wire::command::Fetch;
use crate::wire::date;
use crate::wire::encode;
use crate::wire::fetch::{Form, Item, Section, SectionText};
use crate::wire::select::Known;

/// So many things are given to the cache at once.
const LEARNED_MAX: usize = 1024;

/// A FETCH under way.
pub(crate) struct Fetching {
    ending: Ending,
    by_uid: bool,
    /// In the order of the answer: what is short before what may be long.
    items: Vec<Item>,
    needs: Needs,
    /// Rows left to answer; the first range shrinks.
    ranges: std::collections::VecDeque<(usize, usize)>,
    changed_since: Option<u64>,
    /// UIDs that became `\Seen` by this command, ascending.
    became_seen: Vec<u32>,
    message: Option<Message>,
    cache: Option<Arc<dyn Cache>>,
    /// What is known of the message being answered.
    remembered: Remembered,
    /// What was made of messages and is to be kept.
    learned: Vec<Entry>,
    /// A message was expunged meanwhile.
    some_gone: bool,
    /// A message could not be read, or not to its end.
    some_failed: bool,
    /// What the tagged answer says when a section could not be decoded.
    undecodable: Option<&'static str>,
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
    /// `None`: nothing of it is needed, or it is gone.
    source: Option<Source>,
    /// What stands only in it is NIL.
    is_gone: bool,
    uid: u32,
    next_item: usize,
    /// Nothing stands within the parenthesis yet.
    is_empty: bool,
    sending: Sending,
}

/// Octets of an announced literal that are still to be sent.
enum Sending {
    Nothing,
    /// From this offset in the message, so many.
    Slice(u64, u64),
    /// So many of a decoded section; whether they may hold NUL.
    Decoded(Box<Reader>, u64, bool),
}

/// Why an answer cannot go on as it should.
enum Trouble {
    Store(StoreError),
    /// The whole FETCH ends with this.
    Answer(&'static str),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<Undecodable> for Trouble {
    fn from(error: Undecodable) -> Trouble {
        match (error.answer(), error) {
            (Some(text), _) => Trouble::Answer(text),
            (None, Undecodable::Store(error)) => Trouble::Store(error),
            (None, _) => Trouble::Answer("NO Cannot decode a section"),
        }
    }
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

    fn fetch(&mut self, mut fetching: Fetching) {
        let view = self.view.as_ref().filter(|_| !fetching.needs.are_none());
        fetching.cache = view.and_then(|view| self.store.cache(&view.id));
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
                match message.proceed((&job.items, &job.remembered), (into, end), &mut self.traffic) {
                    Ok(true) => job.message = None,
                    Ok(false) => {}
                    Err(Trouble::Answer(text)) => {
                        message.break_off(into);
                        job.message = None;
                        job.ranges.clear();
                        job.undecodable = Some(text);
                    }
                    Err(Trouble::Store(StoreError::NoSuchMessage(_))) => job.some_gone = true,
                    Err(Trouble::Store(error)) => {
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
        let uid = row.state.uid;
        let (mut source, mut is_gone) = (None, false);
        match job.look_into(|| self.store.body(&view.id, uid), uid) {
            Ok(opened) => source = opened,
            Err(StoreError::NoSuchMessage(_)) => {
                job.remembered.make_empty();
                (is_gone, job.some_gone) = (true, true);
            }
            Err(error) => {
                job.some_failed = true;
                let text = format!("Reading message {uid}: {error}");
                self.events.push_back(Event::Problem(text));
                return;
            }
        }
        into.extend_from_slice(b"* ");
        encode::number(into, index as u64 + 1);
        into.extend_from_slice(b" FETCH (");
        let opened = into.len();
        let became_seen = job.became_seen.binary_search(&uid).is_ok();
        let unasked = Unasked {
            flags: became_seen && !job.items.contains(&Item::Flags),
            modseq: became_seen && self.condstore && !job.items.contains(&Item::ModSeq),
        };
        let next_item = push_items(into, &job.items, (row, &job.remembered), unasked);
        if next_item == job.items.len() {
            into.extend_from_slice(b")\r\n");
        } else {
            job.message = Some(Message {
                source,
                is_gone,
                uid,
                next_item,
                is_empty: into.len() == opened,
                sending: Sending::Nothing,
            });
        }
    }

    fn end_fetch(&mut self, mut job: Fetching) {
        job.keep_learned();
        let (tag, ok) = match job.ending {
            Ending::Fetch(tag) => (tag, "OK Fetch completed.".to_owned()),
            Ending::Select(tag, ok) => (tag, ok),
            Ending::Unasked(before) => {
                self.job = before;
                return self.work();
            }
        };
        let modseq = self.sync(job.by_uid, job.by_uid);
        let text = if let Some(text) = job.undecodable {
            text
        } else if job.some_failed {
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
        items.sort_by_key(Item::is_late);
        Fetching {
            ending,
            by_uid,
            needs: Needs::of(&items),
            items,
            ranges: ranges.into(),
            changed_since: None,
            became_seen: Vec::new(),
            message: None,
            cache: None,
            remembered: Remembered::default(),
            learned: Vec::new(),
            some_gone: false,
            some_failed: false,
            undecodable: None,
        }
    }

    /// Only messages that changed after the modseq; of those, some became `\Seen` by this command.
    fn since(mut self, changed_since: Option<u64>, became_seen: Vec<u32>) -> Fetching {
        (self.changed_since, self.became_seen) = (changed_since, became_seen);
        self
    }

    /// Recalls what the answer needs of a message, and opens the message where that is not enough.
    fn look_into(
        &mut self,
        open: impl FnOnce() -> mailbox::Result<Arc<dyn Body>>,
        uid: u32,
    ) -> mailbox::Result<Option<Source>> {
        if self.needs.are_none() {
            return Ok(None);
        }
        let missing = self.remembered.recall(self.cache.as_deref(), uid, self.needs);
        if missing.are_none() {
            return Ok(None);
        }
        let mut source = Source::new(open()?);
        self.remembered.make(missing, &mut source)?;
        if self.cache.is_some() {
            self.learned.extend(self.remembered.entries(missing, uid));
        }
        if self.learned.len() >= LEARNED_MAX {
            self.keep_learned();
        }
        Ok(Some(source).filter(|_| self.needs.content))
    }

    fn keep_learned(&mut self) {
        if let Some(cache) = self.cache.as_ref().filter(|_| !self.learned.is_empty()) {
            cache.remember(&self.learned);
            self.learned.clear();
        }
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

/// What is told though it was not asked for, because the FETCH changed it.
#[derive(Clone, Copy)]
struct Unasked {
    flags: bool,
    modseq: bool,
}

impl Item {
    /// Whether it comes last: such items stand in the order in which they were asked for.
    fn is_late(&self) -> bool {
        matches!(
            self,
            Item::Envelope | Item::Body | Item::BodyStructure | Item::Section(_)
        )
    }
}

/// Appends the items that do not come last; returns how many of `items` that were.
fn push_items(
    out: &mut Vec<u8>,
    items: &[Item],
    (row, remembered): (&Row, &Remembered),
    unasked: Unasked,
) -> usize {
    let mut count = 0;
    let mut space = false;
    for item in items.iter().take_while(|item| !item.is_late()) {
        if space {
            out.push(b' ');
        }
        space = true;
        count += 1;
        match item {
            Item::Flags => push_flags(out, row),
            Item::Uid => {
                out.extend_from_slice(b"UID ");
                encode::number(out, u64::from(row.state.uid));
            }
            Item::Size => {
                out.extend_from_slice(b"RFC822.SIZE ");
                encode::number(out, row.state.size_bytes);
            }
            Item::InternalDate => {
                out.extend_from_slice(b"INTERNALDATE ");
                date::encode_date_time(out, row.state.internal_date_secs);
            }
            Item::ModSeq => push_modseq(out, row.state.modseq),
            Item::SaveDate => savedate::push(out, row.state.save_date_secs),
            Item::EmailId => {
                let id = objectid::email_id(row.state.email_id);
                out.extend_from_slice(format!("EMAILID ({id})").as_bytes());
            }
            Item::Preview(item) => preview::push(out, item, remembered.preview()),
            Item::ThreadId => {
                let id = objectid::thread_id(remembered.fields(), row.state.email_id);
                out.extend_from_slice(format!("THREADID ({id})").as_bytes());
            }
            Item::Envelope | Item::Body | Item::BodyStructure | Item::Section(_) => {}
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
    count
}

impl Message {
    /// Sends on; `true` when the message's answer is complete. After an error of the store the answer goes on: octets that
    /// were announced and cannot be read are spaces, for there is no way to take an announcement back.
    fn proceed(
        &mut self,
        (items, remembered): (&[Item], &Remembered),
        (into, end): (&mut Vec<u8>, usize),
        traffic: &mut Traffic,
    ) -> Result<bool, Trouble> {
        if !matches!(self.sending, Sending::Nothing) {
            let room = end.saturating_sub(into.len()).clamp(1, READ_BYTES * 2);
            return self.send_on(into, room).map(|()| false);
        }
        let Some(item) = items.get(self.next_item) else {
            into.extend_from_slice(b")\r\n");
            return Ok(true);
        };
        self.next_item += 1;
        match item {
            Item::Section(section) => {
                let kept = Some(remembered.fields()).filter(|_| !self.is_gone && is_of_kept(section));
                self.start_section((section, kept), into, traffic)?;
            }
            Item::Envelope => {
                self.push_name(into, "ENVELOPE ");
                into.extend_from_slice(remembered.envelope());
            }
            Item::Body => {
                self.push_name(into, "BODY ");
                into.extend_from_slice(remembered.structure(false));
            }
            _ => {
                self.push_name(into, "BODYSTRUCTURE ");
                into.extend_from_slice(remembered.structure(true));
            }
        }
        Ok(false)
    }

    fn push_name(&mut self, into: &mut Vec<u8>, name: &str) {
        if !std::mem::take(&mut self.is_empty) {
            into.push(b' ');
        }
        into.extend_from_slice(name.as_bytes());
    }

    /// The answer ends here; as Dovecot's it is not empty.
    fn break_off(&mut self, into: &mut Vec<u8>) {
        if self.is_empty {
            into.extend_from_slice(b"UID ");
            encode::number(into, u64::from(self.uid));
        }
        into.extend_from_slice(b")\r\n");
    }

    /// Sends up to `room` octets of an announced literal.
    fn send_on(&mut self, into: &mut Vec<u8>, room: usize) -> Result<(), Trouble> {
        let start = into.len();
        let mut sending = std::mem::replace(&mut self.sending, Sending::Nothing);
        let (left, may_hold_nul) = match &sending {
            Sending::Nothing => return Ok(()),
            Sending::Slice(_, left) => (*left, false),
            Sending::Decoded(_, left, is_binary) => (*left, *is_binary),
        };
        let want = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = match (&self.source, &mut sending) {
            (Some(source), Sending::Slice(offset, _)) => {
                into.resize(start + want, 0);
                source
                    .body
                    .read_at(*offset, &mut into[start..])
                    .map_err(Trouble::Store)
            }
            (Some(source), Sending::Decoded(reader, ..)) => reader
                .read(source.body.as_ref(), want, into)
                .map_err(Trouble::from),
            _ => Ok(want),
        };
        let (count, failure) = match read {
            Ok(0) => {
                let text = "the message ends before its size".to_owned();
                (want, Some(Trouble::Store(StoreError::Damaged(text))))
            }
            Ok(count) => (count, None),
            // What was decoded once is decoded no more.
            Err(Trouble::Answer(text)) => (want, Some(Trouble::Store(StoreError::Damaged(text.to_owned())))),
            Err(error) => (want, Some(error)),
        };
        if failure.is_some() {
            self.source = None;
        }
        into.resize(start + count, b' ');
        if self.source.is_none() {
            into[start..].fill(b' ');
        }
        if !may_hold_nul {
            encode::replace_nul(&mut into[start..]);
        }
        let left = left - count as u64;
        self.sending = match sending {
            _ if left == 0 => Sending::Nothing,
            Sending::Slice(offset, _) => Sending::Slice(offset + count as u64, left),
            Sending::Decoded(reader, _, is_binary) => Sending::Decoded(reader, left, is_binary),
            Sending::Nothing => Sending::Nothing,
        };
        failure.map_or(Ok(()), Err)
    }

    fn start_section(
        &mut self,
        (section, kept): (&Section, Option<&[u8]>),
        into: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> Result<(), Trouble> {
        let is_text = matches!(section.text, SectionText::Whole | SectionText::Text);
        let picked = match (&section.text, kept) {
            (SectionText::HeaderFields { names, except }, Some(kept)) => {
                Some(pick_fields(kept, names, *except))
            }
            _ => None,
        };
        let found = match (&mut self.source, section.form) {
            _ if picked.is_some() => Ok(Found::Content(Content::Made(picked.unwrap_or_default()))),
            (None, _) => Ok(Found::Nothing),
            (Some(source), Form::Decoded | Form::DecodedSize) if is_text => match source.decoded(section) {
                Ok(decoded) => Ok(Found::Decoded(decoded)),
                Err(error) => Err(Trouble::from(error)),
            },
            (Some(source), _) => source
                .section(section)
                .map(Found::Content)
                .map_err(Trouble::Store),
        };
        if let Err(Trouble::Answer(text)) = found {
            return Err(Trouble::Answer(text));
        }
        self.push_name(into, &section.label);
        let found = match found {
            Ok(Found::Nothing) => {
                into.extend_from_slice(if section.form == Form::DecodedSize {
                    b" 0"
                } else {
                    b" NIL"
                });
                return Ok(());
            }
            Ok(found) => found,
            Err(error) => {
                self.source = None;
                into.extend_from_slice(if section.form == Form::DecodedSize {
                    b" 0"
                } else {
                    b" NIL"
                });
                return Err(error);
            }
        };
        let length = found.octets();
        if section.form == Form::DecodedSize {
            into.push(b' ');
            encode::number(into, length);
            return Ok(());
        }
        let (skipped, count) = push_range(into, section.partial, length);
        if is_text {
            traffic.bodies += 1;
            traffic.body_bytes += count;
        } else {
            traffic.headers += 1;
            traffic.header_bytes += count;
        }
        into.push(b' ');
        if matches!(&found, Found::Decoded(decoded) if decoded.is_binary) {
            into.push(b'~');
        }
        encode::literal_header(into, count);
        self.start_literal(found, (skipped, count), into)
    }

    fn start_literal(
        &mut self,
        found: Found,
        (skipped, count): (u64, u64),
        into: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        if count == 0 {
            return Ok(());
        }
        match found {
            Found::Content(Content::Made(bytes)) => {
                let start = into.len();
                into.extend_from_slice(&bytes[skipped as usize..(skipped + count) as usize]);
                encode::replace_nul(&mut into[start..]);
            }
            Found::Content(Content::Slice { offset, .. }) => {
                self.sending = Sending::Slice(offset + skipped, count);
            }
            Found::Decoded(decoded) => {
                let mut reader = decoded.reader();
                let passed_over = match &self.source {
                    Some(source) => reader.skip(source.body.as_ref(), skipped),
                    None => Ok(()),
                };
                self.sending = Sending::Decoded(Box::new(reader), count, decoded.is_binary);
                passed_over?;
            }
            Found::Nothing => {}
        }
        Ok(())
    }
}

/// What a section consists of.
enum Found {
    /// The message is gone.
    Nothing,
    Content(Content),
    Decoded(Decoded),
}

impl Found {
    fn octets(&self) -> u64 {
        match self {
            Found::Nothing => 0,
            Found::Content(content) => content.octets(),
            Found::Decoded(decoded) => decoded.octets,
        }
    }
}

/// Writes `<offset>` where a range is wanted; returns how much of a text of `length` octets is passed over and sent.
fn push_range(into: &mut Vec<u8>, partial: Option<(u64, u64)>, length: u64) -> (u64, u64) {
    let Some((offset, count)) = partial else {
        return (0, length);
    };
    into.push(b'<');
    encode::number(into, offset);
    into.push(b'>');
    let offset = offset.min(length);
    (offset, count.min(length - offset))
}
