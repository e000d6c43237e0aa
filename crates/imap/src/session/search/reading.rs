//! Reading the content of messages for a search, one slice at a time, as many at once as there are threads for.

use std::sync::{Arc, Mutex, PoisonError};

use mailbox::cache::{Cache, Entry};
use mailbox::{Derived, Error as StoreError, Store};

use super::content::{Cached, Candidate};
use super::facts::Facts;
use super::query::{Asked, Cost};
use super::{Purpose, Searching};
use crate::extensions::{sort, thread};
use crate::session::crew::Crew;
use crate::session::section::Source;
use crate::session::view::{Row, View};

/// How many octets opening a message counts as.
const ROW_COST_BYTES: u64 = 1024;
/// How many octets reading a header counts as, at most.
const HEADER_COST_BYTES: u64 = 4 * 1024;
/// How many messages a thread takes at a time.
const SHARE: usize = 16;

/// Headers being read of the messages that are found.
pub(super) enum Gathering {
    Sort(Vec<sort::Keys>),
    Thread(Vec<thread::Fields>),
}

impl Gathering {
    fn len(&self) -> usize {
        match self {
            Gathering::Sort(keys) => keys.len(),
            Gathering::Thread(fields) => fields.len(),
        }
    }
}

/// Adds what there is; which of them are there.
fn add<T>(some: Vec<Option<T>>, all: &mut Vec<T>) -> Vec<bool> {
    let is_there = some.iter().map(Option::is_some).collect();
    all.extend(some.into_iter().flatten());
    is_there
}

/// What is found out while headers are read.
#[derive(Default)]
struct Learnt {
    entries: Mutex<Vec<Entry>>,
    failure: Mutex<Option<(u32, StoreError)>>,
}

/// What one slice is read with.
pub(super) struct Reading<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) view: &'a View,
    pub(super) crew: &'a dyn Crew,
    pub(super) cache: Option<Arc<dyn Cache>>,
    pub(super) now_secs: i64,
    /// How much may still be read, in octets.
    pub(super) left: u64,
}

impl Reading<'_> {
    /// Goes on with a search until the slice is used up; whether all is read.
    pub(super) fn proceed(&mut self, job: &mut Searching) -> bool {
        loop {
            if job.at < job.pending.len() {
                self.ask_some(job);
            } else if self.gather_some(job) {
                return true;
            }
            if self.left == 0 {
                return false;
            }
        }
    }

    /// Asks the content of as many messages as a slice allows.
    fn ask_some(&mut self, job: &mut Searching) {
        let view = self.view;
        let is_body = job.query.cost() == Cost::Body;
        let count = self.affordable(&job.pending[job.at..], is_body);
        let asked = &job.pending[job.at..job.at + count];
        let (store, now_secs) = (self.store, self.now_secs);
        let query = &*job.query;
        let learnt = Learnt::default();
        let cached = self.cache.as_deref().map(|cache| Cached {
            cache,
            learnt: &learnt.entries,
        });
        let verdicts = self.share(asked, |index| {
            let row = &view.rows[index as usize];
            let candidate = Candidate::new(query, Asked { row, now_secs }, (store, &view.id));
            let mut candidate = match cached {
                Some(cached) => candidate.with(cached),
                None => candidate,
            };
            candidate.is_found()
        });
        self.keep(learnt.entries);
        for (&index, verdict) in asked.iter().zip(verdicts) {
            match verdict {
                Ok(true) => job.found.push(index),
                Ok(false) => {}
                Err(StoreError::NoSuchMessage(_)) => job.some_gone = true,
                // The others can still be found; that the answer may lack this one is said at its end.
                Err(error) => job.failure = Some((view.rows[index as usize].state.uid, error)),
            }
        }
        job.at += count;
    }

    /// Reads what is needed to put those that are found in order; whether nothing is left to be read.
    fn gather_some(&mut self, job: &mut Searching) -> bool {
        let gathering = job.gathering.get_or_insert_with(|| {
            job.found.sort_unstable();
            match job.purpose {
                Purpose::Thread(_) => Gathering::Thread(Vec::new()),
                _ => Gathering::Sort(Vec::new()),
            }
        });
        let rest = job.found.get(gathering.len()..).unwrap_or_default();
        if rest.is_empty() || matches!(job.purpose, Purpose::Search) {
            return true;
        }
        let needs_header = match &job.purpose {
            Purpose::Sort(criteria) => sort::needs_header(criteria),
            _ => true,
        };
        let count = match needs_header {
            true => self.affordable(rest, false),
            false => rest.len(),
        };
        let learnt = Learnt::default();
        let facts = |row: &Row| match needs_header {
            true => self.facts(row, &learnt),
            false => Some(Facts::default()),
        };
        let row = |index: u32| &self.view.rows[index as usize];
        let from = gathering.len();
        let is_there: Vec<bool> = match (gathering, &job.purpose) {
            (Gathering::Sort(all), Purpose::Sort(criteria)) => {
                let keys = self.share(&rest[..count], |index| {
                    Some(sort::keys(criteria, row(index), &facts(row(index))?))
                });
                add(keys, all)
            }
            (Gathering::Thread(all), _) => {
                let fields = self.share(&rest[..count], |index| {
                    Some(thread::fields(row(index), facts(row(index))?))
                });
                add(fields, all)
            }
            _ => Vec::new(),
        };
        if is_there.contains(&false) {
            job.some_gone = true;
            let mut at = 0..;
            job.found.retain(|_| {
                let at = at.next().unwrap_or_default();
                at < from || is_there.get(at - from).is_none_or(|&is_there| is_there)
            });
        }
        self.keep(learnt.entries);
        let failure = learnt
            .failure
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        job.failure = job.failure.take().or(failure);
        false
    }

    fn keep(&self, learnt: Mutex<Vec<Entry>>) {
        let entries = learnt.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = self.cache.as_ref().filter(|_| !entries.is_empty()) {
            cache.remember(&entries);
        }
    }

    /// What a message's header says, from the cache or else from the message; `None` when it is gone. One that cannot be
    /// read still has its place: it is taken for empty.
    fn facts(&self, row: &Row, learnt: &Learnt) -> Option<Facts> {
        let uid = row.state.uid;
        let mut kept = Vec::new();
        if let Some(cache) = &self.cache
            && cache.recall(uid, Derived::Sorting, &mut kept)
            && let Some(facts) = Facts::decoded(&kept)
        {
            return Some(facts);
        }
        let read = || -> mailbox::Result<Facts> {
            let mut source = Source::new(self.store.body(&self.view.id, uid)?);
            source.header().map(Facts::of)
        };
        match read() {
            Ok(facts) => {
                if self.cache.is_some() {
                    let entry = Entry {
                        uid,
                        kind: Derived::Sorting,
                        content: facts.encoded(),
                    };
                    learnt
                        .entries
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(entry);
                }
                Some(facts)
            }
            Err(StoreError::NoSuchMessage(_)) => None,
            Err(error) => {
                *learnt.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some((uid, error));
                Some(Facts::default())
            }
        }
    }

    /// How many of the rows the slice can read; at least one. What it takes is gone from the slice.
    fn affordable(&mut self, rows: &[u32], is_body: bool) -> usize {
        let mut count = 0;
        for &index in rows {
            if self.left == 0 {
                break;
            }
            let size = self.view.rows[index as usize].state.size_bytes;
            let cost = if is_body {
                size
            } else {
                size.min(HEADER_COST_BYTES)
            };
            self.left = self.left.saturating_sub(cost + ROW_COST_BYTES);
            count += 1;
        }
        count
    }

    /// Works on rows, as many at the same time as the crew can; the results are in the order of the rows.
    fn share<T: Send>(&self, rows: &[u32], work: impl Fn(u32) -> T + Sync) -> Vec<T> {
        let parts: Vec<&[u32]> = rows.chunks(SHARE).collect();
        let done = Mutex::new(Vec::with_capacity(parts.len()));
        self.crew.share(parts.len(), &|part| {
            let results: Vec<T> = parts[part].iter().map(|&row| work(row)).collect();
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((part, results));
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(part, _)| *part);
        done.into_iter().flat_map(|(_, results)| results).collect()
    }
}
