//! SEARCH: which messages match (RFC 3501 §6.4.4).

use mailbox::{Error as StoreError, Keyword, SystemFlags, UidSet};
use message::structure::Kind;
use message::text::TextDecoder;
use message::{Part, charset, header};

use super::reply::Context;
use super::section::{READ_BYTES, Source};
use super::view::Row;
use super::{Event, Session, view};
use crate::extensions::{esearch, objectid, within};
use crate::wire::command::Search;
use crate::wire::date::{DAY_SECS, days_from_civil};
use crate::wire::search::Key;

/// What a message must be, made ready to be asked of many.
enum Test {
    All,
    Flag(SystemFlags),
    Keyword(Keyword),
    Recent,
    New,
    /// The day of arrival is in `from..to`.
    Arrived(i64, i64),
    /// The day on which it came into the mailbox is in `from..to`.
    Saved(i64, i64),
    EmailId(Vec<u8>),
    ThreadId(Vec<u8>),
    /// The day of its Date field is in `from..to`.
    Sent(i64, i64),
    Larger(u64),
    Smaller(u64),
    Older(u64),
    ModSeq(u64),
    Sequence(UidSet),
    Uid(UidSet),
    /// Field name, text without case.
    Header(String, String),
    /// Name of an address field, text without case.
    Address(String, String),
    Body(String),
    Text(String),
    Not(Box<Test>),
    Or(Box<Test>, Box<Test>),
    And(Vec<Test>),
}

/// How much must be read to decide.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Row,
    Header,
    Body,
}

/// What tests are made with.
struct Making<'a> {
    charset: Option<&'a str>,
    view: &'a view::View,
}

/// The charset of the keys is not known.
struct UnknownCharset;

impl Session {
    pub(crate) fn search(&mut self, tag: &str, search: Search) {
        let Some(view) = &self.view else { return };
        let label = search
            .charset
            .as_ref()
            .map(|label| String::from_utf8_lossy(label).into_owned());
        if label.as_deref().is_some_and(|label| !charset::is_known(label)) {
            return self.complete_search(tag, "NO [BADCHARSET] Unknown charset.", search.by_uid);
        }
        let making = Making {
            charset: label.as_deref(),
            view,
        };
        let Ok(test) = making.test(&search.key) else {
            return self.complete_search(tag, "NO [BADCHARSET] Unknown charset.", search.by_uid);
        };
        let uses_modseq = uses_modseq(&search.key);
        let now_secs = self.now / machine::SECOND;
        let mut found = UidSet::new();
        let mut modseq = 0;
        let mut failures = Vec::new();
        for (index, row) in view.rows.iter().enumerate() {
            if view.gone.contains(row.state.uid) {
                continue;
            }
            let mut candidate = Candidate {
                session: self,
                row,
                index,
                now_secs,
                source: None,
            };
            match candidate.passes(&test) {
                Ok(true) => {
                    found.insert(if search.by_uid {
                        row.state.uid
                    } else {
                        index as u32 + 1
                    });
                    modseq = modseq.max(row.state.modseq);
                }
                Ok(false) | Err(StoreError::NoSuchMessage(_)) => {}
                // The others can still be found; that the answer may lack this one is said at its end.
                Err(error) => failures.push((row.state.uid, error)),
            }
        }
        let modseq = uses_modseq.then_some(modseq);
        if uses_modseq {
            self.enable_condstore();
        }
        let line = match &search.returning {
            Some(options) => esearch::answer(tag, search.by_uid, options, &found, modseq),
            None => plain_answer(&found, modseq),
        };
        self.say(&line);
        let Some((uid, error)) = failures.pop() else {
            return self.complete_search(tag, "OK Search completed.", search.by_uid);
        };
        let text = format!("NO {}", self.error_text(&error, Context::Other));
        if !matches!(error, StoreError::Damaged(_) | StoreError::Io { .. }) {
            self.events
                .push_back(Event::Problem(format!("Searching message {uid}: {error}")));
        }
        self.complete_search(tag, &text, search.by_uid);
    }

    fn complete_search(&mut self, tag: &str, text: &str, by_uid: bool) {
        let modseq = self.sync(by_uid, by_uid);
        self.tagged_with(tag, modseq, text);
    }
}

/// `* SEARCH 1 2 3`
fn plain_answer(found: &UidSet, modseq: Option<u64>) -> String {
    let mut line = Vec::from(&b"* SEARCH"[..]);
    for number in found.iter() {
        line.push(b' ');
        crate::wire::encode::number(&mut line, u64::from(number));
    }
    let mut line = String::from_utf8(line).unwrap_or_default();
    if let Some(modseq) = modseq.filter(|_| !found.is_empty()) {
        line.push_str(&format!(" (MODSEQ {modseq})"));
    }
    line
}

fn uses_modseq(key: &Key) -> bool {
    match key {
        Key::ModSeq(_) => true,
        Key::Not(inner) => uses_modseq(inner),
        Key::Or(left, right) => uses_modseq(left) || uses_modseq(right),
        Key::And(all) => all.iter().any(uses_modseq),
        _ => false,
    }
}

impl Making<'_> {
    fn test(&self, key: &Key) -> Result<Test, UnknownCharset> {
        Ok(match key {
            Key::All => Test::All,
            Key::Flag(flag) => Test::Flag(*flag),
            Key::Keyword(keyword) => Test::Keyword(keyword.clone()),
            Key::Recent => Test::Recent,
            Key::New => Test::New,
            Key::Before(day) => Test::Arrived(i64::MIN, *day),
            Key::On(day) => Test::Arrived(*day, *day + 1),
            Key::Since(day) => Test::Arrived(*day, i64::MAX),
            Key::SavedBefore(day) => Test::Saved(i64::MIN, *day),
            Key::SavedOn(day) => Test::Saved(*day, *day + 1),
            Key::SavedSince(day) => Test::Saved(*day, i64::MAX),
            Key::SaveDateSupported => Test::Saved(i64::MIN, i64::MAX),
            Key::EmailId(id) => Test::EmailId(id.clone()),
            Key::ThreadId(id) => Test::ThreadId(id.clone()),
            Key::SentBefore(day) => Test::Sent(i64::MIN, *day),
            Key::SentOn(day) => Test::Sent(*day, *day + 1),
            Key::SentSince(day) => Test::Sent(*day, i64::MAX),
            Key::Larger(size) => Test::Larger(*size),
            Key::Smaller(size) => Test::Smaller(*size),
            Key::Older(secs) => Test::Older(*secs),
            Key::Younger(secs) => Test::Not(Box::new(Test::Older(*secs))),
            Key::ModSeq(modseq) => Test::ModSeq(*modseq),
            Key::Sequence(set) => Test::Sequence(set.resolved((self.view.rows.len() as u32).max(1))),
            Key::Uid(set) => Test::Uid(set.resolved(self.view.rows.last().map_or(1, |row| row.state.uid))),
            Key::Header(name, text) => {
                Test::Header(String::from_utf8_lossy(name).into_owned(), self.text(text)?)
            }
            Key::Address(name, text) => Test::Address(name.clone(), self.text(text)?),
            Key::Body(text) => Test::Body(self.text(text)?),
            Key::Text(text) => Test::Text(self.text(text)?),
            Key::Not(inner) => Test::Not(Box::new(self.test(inner)?)),
            Key::Or(left, right) => {
                let (mut left, mut right) = (self.test(left)?, self.test(right)?);
                if left.cost() > right.cost() {
                    std::mem::swap(&mut left, &mut right);
                }
                Test::Or(Box::new(left), Box::new(right))
            }
            Key::And(all) => {
                let mut tests = all
                    .iter()
                    .map(|key| self.test(key))
                    .collect::<Result<Vec<_>, _>>()?;
                tests.sort_by_key(Test::cost);
                Test::And(tests)
            }
        })
    }

    /// A key's text in UTF-8, without case.
    fn text(&self, bytes: &[u8]) -> Result<String, UnknownCharset> {
        let text = match self.charset {
            Some(label) => charset::to_utf8(label, bytes).map_err(|_| UnknownCharset)?,
            None => charset::guess(bytes),
        };
        Ok(fold(&text))
    }
}

impl Test {
    fn cost(&self) -> Cost {
        match self {
            Test::Header(..) | Test::Address(..) | Test::Sent(..) | Test::ThreadId(_) => Cost::Header,
            Test::Body(_) | Test::Text(_) => Cost::Body,
            Test::Not(inner) => inner.cost(),
            Test::Or(left, right) => left.cost().max(right.cost()),
            Test::And(all) => all.iter().map(Test::cost).max().unwrap_or(Cost::Row),
            _ => Cost::Row,
        }
    }
}

/// One message being asked.
struct Candidate<'a> {
    session: &'a Session,
    row: &'a Row,
    index: usize,
    now_secs: i64,
    source: Option<Source>,
}

impl Candidate<'_> {
    /// Recursion is bounded by [`crate::wire::search::DEPTH_MAX`].
    fn passes(&mut self, test: &Test) -> mailbox::Result<bool> {
        let state = &self.row.state;
        Ok(match test {
            Test::All => true,
            Test::Flag(flag) => state.flags.system.contains(*flag),
            Test::Keyword(keyword) => state.flags.has_keyword(keyword),
            Test::Recent => self.row.recent,
            Test::New => self.row.recent && !state.flags.system.contains(SystemFlags::SEEN),
            Test::Arrived(from, to) => {
                let day = state.internal_date_secs.div_euclid(DAY_SECS);
                *from <= day && day < *to
            }
            Test::Saved(from, to) => {
                let day = state.save_date_secs.map(|secs| secs.get().div_euclid(DAY_SECS));
                day.is_some_and(|day| *from <= day && day < *to)
            }
            Test::EmailId(id) => objectid::email_id(state.email_id).as_bytes() == id.as_slice(),
            Test::ThreadId(id) => {
                let email_id = state.email_id;
                objectid::thread_id(self.source()?.header()?, email_id).as_bytes() == id.as_slice()
            }
            Test::Larger(size) => state.size_bytes > *size,
            Test::Smaller(size) => state.size_bytes < *size,
            Test::Older(secs) => within::is_older(state.internal_date_secs, *secs, self.now_secs),
            Test::ModSeq(modseq) => state.modseq >= *modseq,
            Test::Sequence(set) => set.contains(self.index as u32 + 1),
            Test::Uid(set) => set.contains(state.uid),
            Test::Sent(from, to) => {
                let day =
                    header::find(self.source()?.header()?, "date").and_then(|f| sent_day(&f.unfolded()));
                // Without a date that can be read a message was sent at the beginning of time, as with Dovecot.
                let day = day.unwrap_or(0);
                *from <= day && day < *to
            }
            Test::Header(name, text) => {
                let block = self.source()?.header()?;
                header::find_all(block, name).any(|field| fold(&field.text()).contains(text))
            }
            Test::Address(name, text) => {
                let block = self.source()?.header()?;
                header::find_all(block, name)
                    .any(|field| fold(&field.text()).contains(text) || addresses_hold(field.body, text))
            }
            Test::Body(text) => self.parts_hold(text, false)?,
            Test::Text(text) => {
                let holds = header_holds(self.source()?.header()?, text);
                holds || self.parts_hold(text, true)?
            }
            Test::Not(inner) => !self.passes(inner)?,
            Test::Or(left, right) => self.passes(left)? || self.passes(right)?,
            Test::And(all) => {
                for test in all {
                    if !self.passes(test)? {
                        return Ok(false);
                    }
                }
                true
            }
        })
    }

    fn source(&mut self) -> mailbox::Result<&mut Source> {
        let source = match self.source.take() {
            Some(source) => source,
            None => match &self.session.view {
                Some(view) => Source::new(self.session.store.body(&view.id, self.row.state.uid)?),
                None => return Err(StoreError::NoSuchMessage(self.row.state.uid)),
            },
        };
        Ok(self.source.insert(source))
    }

    /// Whether the text of the parts holds the text; with `headers`, their headers too.
    fn parts_hold(&mut self, text: &str, headers: bool) -> mailbox::Result<bool> {
        self.source()?.structure()?;
        let Some(source) = &self.source else {
            return Ok(false);
        };
        let Some(structure) = source.parsed() else {
            return Ok(false);
        };
        for part in structure.root.walk() {
            let is_root = part.header.start == structure.root.header.start;
            if headers && !is_root && !part.header.is_empty() {
                let end = part
                    .header
                    .end
                    .min(part.header.start + super::section::HEADER_BYTES_MAX);
                if header_holds(&source.read(&(part.header.start..end))?, text) {
                    return Ok(true);
                }
            }
            let is_text = part.content_type.is_kind("text") || part.content_type.is_kind("message");
            if part.kind == Kind::Leaf && is_text && part_holds(source, part, text)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an address, as `name <local@domain>` without what stood between its parts, holds the text.
fn addresses_hold(field: &[u8], text: &str) -> bool {
    let entries = address::list::parse(field);
    address::list::mailboxes(&entries).any(|mailbox| {
        let name = message::encoded_word::decode(mailbox.name.as_deref().unwrap_or_default());
        let local = String::from_utf8_lossy(&mailbox.local);
        let domain = String::from_utf8_lossy(mailbox.domain.as_deref().unwrap_or_default());
        fold(&format!("{name} <{local}@{domain}>")).contains(text)
    })
}

/// Whether a field, its name included, holds the text.
fn header_holds(block: &[u8], text: &str) -> bool {
    header::fields(block).any(|field| {
        let line = format!("{}: {}", String::from_utf8_lossy(field.name), field.text());
        fold(&line).contains(text)
    })
}

/// Whether the decoded text of a part holds the text; read and decoded in pieces.
fn part_holds(source: &Source, part: &Part, text: &str) -> mailbox::Result<bool> {
    let mut decoder = TextDecoder::new(part);
    let length = usize::try_from(part.body_bytes()).unwrap_or(usize::MAX);
    let mut piece = vec![0; READ_BYTES.min(length)];
    let (mut decoded, mut folded) = (String::new(), String::new());
    let mut at = part.body.start;
    loop {
        let want = usize::try_from(part.body.end - at)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        let count = if want == 0 {
            0
        } else {
            source.body.read_at(at, &mut piece[..want])?
        };
        decoded.clear();
        if count == 0 {
            decoder.finish(&mut decoded);
        } else {
            decoder.feed(&piece[..count], &mut decoded);
        }
        at += count as u64;
        folded.push_str(&fold(&decoded));
        if folded.contains(text) {
            return Ok(true);
        }
        if count == 0 {
            return Ok(false);
        }
        // What may be the start of a match is kept.
        let mut keep_from = folded.len().saturating_sub(text.len());
        while !folded.is_char_boundary(keep_from) {
            keep_from -= 1;
        }
        folded.drain(..keep_from);
    }
}

/// Text without case.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.to_lowercase()
    }
}

/// The day that a Date field names, its time and zone disregarded (RFC 3501 §6.4.4).
fn sent_day(field: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = words.next()?.get(..3)?.to_ascii_lowercase();
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let month = months.iter().position(|month| *month == name)? as i64 + 1;
    let year: i64 = words
        .next()?
        .parse()
        .ok()
        .filter(|year| (0..=9999).contains(year))?;
    let year = match year {
        0..50 => year + 2000,
        50..1000 => year + 1900,
        _ => year,
    };
    Some(days_from_civil(year, month, day))
}
