//! SEARCH, SORT and THREAD: which messages match, and what is told of them (RFC 3501 §6.4.4, RFC 5256).
//!
//! What the list of messages decides is decided at once. What is left is read in slices, between which the connection is
//! looked after, each slice by as many threads as the [`Crew`](super::crew::Crew) has.

pub(crate) mod content;
pub(crate) mod facts;
pub(crate) mod query;
mod reading;
pub(crate) mod sent;

use std::sync::Arc;

use mailbox::store::Sought;
use mailbox::{Error as StoreError, UidSet};

use super::reply::Context;
use super::view::{Row, View};
use super::{Event, Job, Session};
use crate::extensions::{context, esearch, sort, thread};
use crate::wire::command::Search;
use crate::wire::returning::Returning;
use crate::wire::sort::{Algorithm, Criterion};
use query::{Asked, Place, Query, Refused};
use reading::{Gathering, Reading};

/// How much a client may say while its search goes on before it is not listened to any more, in octets.
pub(crate) const UNREAD_BYTES_MAX: usize = 16 * 1024;

/// What is done with the messages that are found.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Search,
    Sort(Arc<[Criterion]>),
    Thread(Algorithm),
}

impl Purpose {
    /// The command's name as answers spell it.
    fn name(&self) -> &'static str {
        match self {
            Purpose::Search => "Search",
            Purpose::Sort(_) => "Sort",
            Purpose::Thread(_) => "Thread",
        }
    }
}

/// A search that is under way.
pub(crate) struct Searching {
    tag: String,
    by_uid: bool,
    returning: Option<Returning>,
    query: Arc<Query>,
    purpose: Purpose,
    /// Indexes of rows that are found.
    found: Vec<u32>,
    /// Indexes of rows whose content is to be asked, ascending; those before `at` have been.
    pending: Vec<u32>,
    at: usize,
    failure: Option<(u32, StoreError)>,
    /// Some could not be asked: they are gone, and the client does not know yet.
    some_gone: bool,
    /// What sorting needs to know of those that are found; comes after all have been asked.
    gathering: Option<Gathering>,
}

impl Session {
    /// Begins SEARCH, SORT or THREAD. The answer may come later.
    pub(crate) fn search(&mut self, tag: &str, search: Search, purpose: Purpose) {
        let Some(view) = &mut self.view else { return };
        let name = purpose.name();
        let query = match Query::new(&search.key, search.charset.as_deref(), view) {
            Ok(query) => query,
            Err(Refused::UnknownCharset) => {
                if search.returning.is_some_and(|returning| returning.save) {
                    view.saved = UidSet::new();
                }
                self.sync(search.by_uid, search.by_uid);
                return self.tagged(tag, "NO [BADCHARSET] Unknown charset.");
            }
            Err(Refused::Key(error)) => {
                let uid = if search.by_uid { "UID " } else { "" };
                let name = name.to_ascii_uppercase();
                return self.bad(tag, &format!("Error in IMAP command {uid}{name}: {error}."));
            }
        };
        let updates = search.returning.is_some_and(|returning| returning.update);
        if updates && view.contexts.iter().any(|context| context.tag == tag) {
            let name = name.to_ascii_uppercase();
            return self.bad(
                tag,
                &format!("Error in IMAP command {name}: Duplicate search update tag."),
            );
        }
        let (found, pending, some_gone) = self.ask_rows(&query);
        self.job = Job::Search(Box::new(Searching {
            tag: tag.to_owned(),
            by_uid: search.by_uid,
            returning: search.returning,
            query: Arc::new(query),
            purpose,
            found,
            pending,
            at: 0,
            failure: None,
            some_gone,
            gathering: None,
        }));
        self.search_more();
    }

    /// Which rows are found, and which must be asked further; whether some of these are gone.
    fn ask_rows(&self, query: &Query) -> (Vec<u32>, Vec<u32>, bool) {
        let (mut found, mut pending) = (Vec::new(), Vec::new());
        let mut some_gone = false;
        let Some(view) = &self.view else {
            return (found, pending, some_gone);
        };
        let now_secs = self.now / machine::SECOND;
        for (index, row) in view.rows.iter().enumerate() {
            let is_gone = !view.gone.is_empty() && view.gone.contains(row.state.uid);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match query.known(Asked { row, now_secs }) {
                None if is_gone => some_gone = true,
                None => pending.push(index),
                Some(true) if !is_gone => found.push(index),
                Some(_) => {}
            }
        }
        if !pending.is_empty() {
            self.ask_index(view, query, &mut pending);
        }
        (found, pending, some_gone)
    }

    /// What a full-text index knows of, if there is one, need not be read: a text that must be there and is not decides.
    fn ask_index(&self, view: &View, query: &Query, pending: &mut Vec<u32>) {
        for number in query.required() {
            let needle = &query.needles[number];
            let sought = Sought {
                text: &needle.text,
                in_headers: needle.place == Place::Text,
            };
            if let Ok(Some(candidates)) = self.store.candidates(&view.id, &sought) {
                pending.retain(|&index| candidates.contains(view.rows[index as usize].state.uid));
            }
        }
    }

    /// Goes on with a search for one slice; answers when it is done.
    pub(crate) fn search_more(&mut self) {
        let Job::Search(mut job) = std::mem::replace(&mut self.job, Job::None) else {
            return;
        };
        let Some(view) = &self.view else { return };
        let mut reading = Reading {
            store: &*self.store,
            view,
            crew: &*self.settings.crew,
            cache: self.store.cache(&view.id),
            now_secs: self.now / machine::SECOND,
            left: self.settings.search_slice_bytes,
        };
        if reading.proceed(&mut job) {
            self.end_search(*job);
        } else {
            self.job = Job::Search(job);
        }
    }

    /// Answers.
    fn end_search(&mut self, mut job: Searching) {
        let Some(view) = &mut self.view else { return };
        job.found.sort_unstable();
        let order: Vec<u32> = match (&job.purpose, &job.gathering) {
            (Purpose::Sort(criteria), Some(Gathering::Sort(keys))) => sort::order(criteria, keys)
                .into_iter()
                .map(|at| job.found[at])
                .collect(),
            _ => job.found.clone(),
        };
        let found = Found {
            view,
            order: &order,
            by_uid: job.by_uid,
        };
        let modseqs = job.query.uses_modseq;
        let line = match (&job.purpose, job.gathering.take()) {
            (Purpose::Thread(algorithm), gathering) => {
                let fields = match gathering {
                    Some(Gathering::Thread(fields)) => fields,
                    _ => Vec::new(),
                };
                Some(thread::answer(*algorithm, &fields, &found.numbers()))
            }
            (purpose, gathering) => {
                let line = esearch::answer(&job.tag, job.returning, purpose, &found, modseqs);
                if let Some(returning) = job.returning {
                    let saved = returning.save.then(|| esearch::saved(&returning, &found));
                    let context = returning.update.then(|| {
                        let sorted = match (purpose, gathering) {
                            (Purpose::Sort(criteria), Some(Gathering::Sort(keys))) => {
                                Some((Arc::clone(criteria), keys))
                            }
                            _ => None,
                        };
                        context::Context::new(&job.tag, &found, (&job.query, &job.found), sorted)
                    });
                    view.save(saved, job.failure.is_none());
                    if modseqs {
                        self.enable_condstore();
                    }
                    if let Some(context) = context {
                        self.begin_updates(context);
                    }
                } else if modseqs {
                    self.enable_condstore();
                }
                line
            }
        };
        if let Some(line) = line {
            self.say(&line);
        }
        self.complete_search(&job);
    }

    fn complete_search(&mut self, job: &Searching) {
        let text = match &job.failure {
            None if job.some_gone => format!("OK [EXPUNGEISSUED] {} completed.", job.purpose.name()),
            None => format!("OK {} completed.", job.purpose.name()),
            Some((uid, error)) => {
                if !matches!(error, StoreError::Damaged(_) | StoreError::Io { .. }) {
                    self.events
                        .push_back(Event::Problem(format!("Searching message {uid}: {error}")));
                }
                format!("NO {}", self.error_text(error, Context::Other))
            }
        };
        let modseq = self.sync(job.by_uid, job.by_uid);
        self.tagged_with(&job.tag, modseq, &text);
    }
}

/// The messages that were found.
pub(crate) struct Found<'a> {
    pub(crate) view: &'a View,
    /// Indexes of rows in the order of the answer.
    pub(crate) order: &'a [u32],
    pub(crate) by_uid: bool,
}

impl Found<'_> {
    /// UIDs or sequence numbers, as the client wants them.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        match self.by_uid {
            true => self
                .order
                .iter()
                .map(|&index| self.row(index).state.uid)
                .collect(),
            false => self.order.iter().map(|&index| index + 1).collect(),
        }
    }

    pub(crate) fn row(&self, index: u32) -> &Row {
        &self.view.rows[index as usize]
    }
}

#[cfg(test)]
mod tests;
