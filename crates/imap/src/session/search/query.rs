//! What is searched for, made ready to be asked of many messages: what a mailbox's list of messages tells, first.

use mailbox::{Keyword, SystemFlags, UidSet};
use memchr::memmem::Finder;
use message::{casemap, charset};

use crate::extensions::{objectid, within};
use crate::session::view::{Row, View};
use crate::wire::Error;
use crate::wire::date::DAY_SECS;
use crate::wire::search::Key;
use crate::wire::sequence::SequenceSet;

/// Where text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the text of the parts.
    Body,
    /// There and in every header.
    Text,
}

/// Text that is looked for in whole messages, in the form of [`casemap`].
#[derive(Debug)]
pub(crate) struct Needle {
    pub(crate) text: String,
    pub(crate) finder: Finder<'static>,
    pub(crate) place: Place,
}

/// What a message must be.
#[derive(Debug)]
pub(crate) enum Test {
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
    Uid(UidSet),
    /// The name of a field, and what its value holds.
    Header(String, Finder<'static>),
    /// The name of an address field, and what its addresses hold.
    Address(String, Finder<'static>),
    /// The number of a [`Needle`].
    Content(usize),
    Not(Box<Test>),
    Or(Box<Test>, Box<Test>),
    And(Vec<Test>),
}

/// How much must be read to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cost {
    Row,
    Header,
    Body,
}

/// The keys of a search, made ready.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) test: Test,
    pub(crate) needles: Vec<Needle>,
    /// Whether MODSEQ was asked for: then it is answered too.
    pub(crate) uses_modseq: bool,
    /// Whether a message that is found stays so as long as it is there, and others are never found.
    pub(crate) is_lasting: bool,
}

/// Why keys cannot be searched for.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The charset of the keys is not known: answer NO.
    UnknownCharset,
    /// A key makes no sense: answer BAD.
    Key(Error),
}

/// What a row is asked with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) row: &'a Row,
    pub(crate) now_secs: i64,
}

impl Query {
    /// Keys as the client wrote them in `charset`; sequence numbers are those of `view`.
    pub(crate) fn new(key: &Key, charset: Option<&[u8]>, view: &View) -> Result<Query, Refused> {
        let label = charset.map(|label| String::from_utf8_lossy(label).into_owned());
        if label.as_deref().is_some_and(|label| !charset::is_known(label)) {
            return Err(Refused::UnknownCharset);
        }
        let mut making = Making {
            charset: label.unwrap_or_else(|| "utf-8".to_owned()),
            view,
            needles: Vec::new(),
            uses_modseq: false,
            is_lasting: true,
        };
        let test = making.test(key).map_err(Refused::Key)?;
        Ok(Query {
            test,
            needles: making.needles,
            uses_modseq: making.uses_modseq,
            is_lasting: making.is_lasting,
        })
    }

    /// Whether a message is found, if the row alone tells. `None`: its content must be asked.
    pub(crate) fn known(&self, asked: Asked<'_>) -> Option<bool> {
        known(&self.test, asked)
    }

    /// The needles that every message that is found holds.
    pub(crate) fn required(&self) -> Vec<usize> {
        let all = match &self.test {
            Test::And(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let number = |test: &Test| match test {
            Test::Content(number) => Some(*number),
            _ => None,
        };
        all.iter().filter_map(number).collect()
    }

    /// How much must be read of a message that its row does not decide.
    pub(crate) fn cost(&self) -> Cost {
        self.test.cost()
    }
}

struct Making<'a> {
    charset: String,
    view: &'a View,
    needles: Vec<Needle>,
    uses_modseq: bool,
    is_lasting: bool,
}

impl Making<'_> {
    /// Recursion is bounded by [`crate::wire::search::DEPTH_MAX`].
    fn test(&mut self, key: &Key) -> Result<Test, Error> {
        Ok(match key {
            Key::Flag(_)
            | Key::Keyword(_)
            | Key::Recent
            | Key::New
            | Key::Older(_)
            | Key::Younger(_)
            | Key::ModSeq(_) => self.passing(key),
            Key::Header(name, text) => {
                Test::Header(String::from_utf8_lossy(name).into_owned(), self.finder(text)?)
            }
            Key::Address(name, text) => Test::Address(name.clone(), self.finder(text)?),
            Key::Body(text) => self.content(text, Place::Body)?,
            Key::Text(text) => self.content(text, Place::Text)?,
            Key::Not(inner) => Test::Not(Box::new(self.test(inner)?)),
            Key::Or(left, right) => {
                let (mut left, mut right) = (self.test(left)?, self.test(right)?);
                if left.cost() > right.cost() {
                    std::mem::swap(&mut left, &mut right);
                }
                Test::Or(Box::new(left), Box::new(right))
            }
            Key::And(all) => {
                let mut tests = Vec::with_capacity(all.len());
                for key in all {
                    tests.push(self.test(key)?);
                }
                tests.sort_by_key(Test::cost);
                Test::And(tests)
            }
            key => self.fixed(key),
        })
    }

    /// What may change while the message stays.
    fn passing(&mut self, key: &Key) -> Test {
        self.is_lasting = false;
        match key {
            Key::Flag(flag) => Test::Flag(*flag),
            Key::Keyword(keyword) => Test::Keyword(keyword.clone()),
            Key::Recent => Test::Recent,
            Key::New => Test::New,
            Key::Older(secs) => Test::Older(*secs),
            Key::Younger(secs) => Test::Not(Box::new(Test::Older(*secs))),
            Key::ModSeq(modseq) => {
                self.uses_modseq = true;
                Test::ModSeq(*modseq)
            }
            _ => Test::All,
        }
    }

    /// What a message is once and for all.
    fn fixed(&self, key: &Key) -> Test {
        match key {
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
            Key::Sequence(set) if !set.is_saved_result() => {
                let set = set.resolved(u32::try_from(self.view.rows.len()).unwrap_or(u32::MAX).max(1));
                Test::Uid(self.uids_numbered(&set))
            }
            Key::Sequence(set) | Key::Uid(set) => Test::Uid(self.uids(set)),
            _ => Test::All,
        }
    }

    fn uids(&self, set: &SequenceSet) -> UidSet {
        if set.is_saved_result() {
            return self.view.saved.clone();
        }
        set.resolved(self.view.rows.last().map_or(1, |row| row.state.uid))
    }

    /// The UIDs behind sequence numbers; those of gaps between them may be in it too: no message will have them.
    fn uids_numbered(&self, numbers: &UidSet) -> UidSet {
        let rows = &self.view.rows;
        let mut uids = UidSet::new();
        for &(first, last) in numbers.ranges() {
            let (first, last) = (first as usize - 1, (last as usize).min(rows.len()));
            if first < last {
                uids.insert_range(rows[first].state.uid, rows[last - 1].state.uid);
            }
        }
        uids
    }

    fn content(&mut self, text: &[u8], place: Place) -> Result<Test, Error> {
        let text = self.text(text)?;
        if text.is_empty() {
            return Ok(Test::All);
        }
        let same = |needle: &Needle| needle.text == text && needle.place == place;
        if let Some(number) = self.needles.iter().position(same) {
            return Ok(Test::Content(number));
        }
        self.needles.push(Needle {
            finder: Finder::new(&text).into_owned(),
            text,
            place,
        });
        Ok(Test::Content(self.needles.len() - 1))
    }

    fn finder(&self, text: &[u8]) -> Result<Finder<'static>, Error> {
        Ok(Finder::new(&self.text(text)?).into_owned())
    }

    /// A key's text in the form in which it is compared.
    fn text(&self, bytes: &[u8]) -> Result<String, Error> {
        let text = charset::to_utf8(&self.charset, bytes).unwrap_or_default();
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Error::Invalid("Invalid search key"));
        }
        Ok(casemap::of(&text))
    }
}

impl Test {
    fn cost(&self) -> Cost {
        match self {
            Test::Header(..) | Test::Address(..) | Test::Sent(..) | Test::ThreadId(_) => Cost::Header,
            Test::Content(_) => Cost::Body,
            Test::Not(inner) => inner.cost(),
            Test::Or(left, right) => left.cost().max(right.cost()),
            Test::And(all) => all.iter().map(Test::cost).max().unwrap_or(Cost::Row),
            _ => Cost::Row,
        }
    }
}

/// Three-valued: `None` is "not without the content".
fn known(test: &Test, asked: Asked<'_>) -> Option<bool> {
    match test {
        Test::Header(..) | Test::Address(..) | Test::Sent(..) | Test::ThreadId(_) | Test::Content(_) => None,
        Test::Not(inner) => known(inner, asked).map(|is| !is),
        Test::Or(left, right) => match (known(left, asked), known(right, asked)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Test::And(all) => {
            let mut result = Some(true);
            for test in all {
                match known(test, asked) {
                    Some(true) => {}
                    Some(false) => return Some(false),
                    None => result = None,
                }
            }
            result
        }
        test => Some(is_row(test, asked)),
    }
}

/// A test that needs the row only.
pub(crate) fn is_row(test: &Test, asked: Asked<'_>) -> bool {
    let state = &asked.row.state;
    match test {
        Test::Flag(flag) => state.flags.system.contains(*flag),
        Test::Keyword(keyword) => state.flags.has_keyword(keyword),
        Test::Recent => asked.row.recent,
        Test::New => asked.row.recent && !state.flags.system.contains(SystemFlags::SEEN),
        Test::Arrived(from, to) => {
            let day = state.internal_date_secs.div_euclid(DAY_SECS);
            *from <= day && day < *to
        }
        Test::Saved(from, to) => {
            let day = state.save_date_secs.map(|secs| secs.get().div_euclid(DAY_SECS));
            day.is_some_and(|day| *from <= day && day < *to)
        }
        Test::EmailId(id) => objectid::email_id(state.email_id).as_bytes() == id.as_slice(),
        Test::Larger(size) => state.size_bytes > *size,
        Test::Smaller(size) => state.size_bytes < *size,
        Test::Older(secs) => within::is_older(state.internal_date_secs, *secs, asked.now_secs),
        Test::ModSeq(modseq) => state.modseq >= *modseq,
        Test::Uid(set) => set.contains(state.uid),
        _ => true,
    }
}
