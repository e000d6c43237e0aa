//! CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): searches whose results are kept up to date, `RETURN (UPDATE)`, and
//! CANCELUPDATE. `RETURN (PARTIAL …)` is in [`super::esearch`].

use std::sync::Arc;

use mailbox::{Uid, UidSet};

use super::{Command, Extension};
use crate::extensions::sort::{self, Keys};
use crate::session::search::Found;
use crate::session::search::content::Candidate;
use crate::session::search::facts::Facts;
use crate::session::search::query::{Asked, Query};
use crate::session::section::Source;
use crate::session::view::{Row, Telling, View};
use crate::session::{Event, Session};
use crate::wire::cursor::Cursor;
use crate::wire::sort::Criterion;
use crate::wire::{Error, Result};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["CONTEXT=SEARCH", "CONTEXT=SORT"],
    commands: &[Command {
        name: "CANCELUPDATE",
        needs_mailbox: false,
        run: Session::cancel_update,
    }],
};

/// How many searches of one session are kept up to date.
const CONTEXTS_MAX: usize = 10;

/// A search whose result is kept up to date.
#[derive(Debug)]
pub(crate) struct Context {
    /// What its updates are marked with.
    pub(crate) tag: String,
    by_uid: bool,
    query: Arc<Query>,
    /// What the client knows to be found.
    members: UidSet,
    sorted: Option<Sorted>,
}

/// The order in which the client knows them.
#[derive(Debug)]
struct Sorted {
    criteria: Arc<[Criterion]>,
    order: Vec<(Keys, Uid)>,
}

impl Context {
    /// What was just found; `keys` are those of the rows `found`, for a sorted context.
    pub(crate) fn new(
        tag: &str,
        result: &Found<'_>,
        (query, found): (&Arc<Query>, &[u32]),
        sorted: Option<(Arc<[Criterion]>, Vec<Keys>)>,
    ) -> Context {
        let uid = |index: u32| result.row(index).state.uid;
        let sorted = sorted.map(|(criteria, keys)| {
            let mut order: Vec<(Keys, Uid)> = keys
                .into_iter()
                .zip(found.iter().map(|&index| uid(index)))
                .collect();
            order.sort_by(|left, right| sort::compare(&criteria, &left.0, &right.0));
            Sorted { criteria, order }
        });
        Context {
            tag: tag.to_owned(),
            by_uid: result.by_uid,
            query: Arc::clone(query),
            members: found.iter().map(|&index| uid(index)).collect(),
            sorted,
        }
    }

    /// `* ESEARCH (TAG "x") UID REMOVEFROM (0 3) ADDTO (0 4:5)`; nothing where there is nothing to tell.
    fn tell(&mut self, view: &View, removed: &UidSet, added: Vec<(Uid, Keys)>, out: &mut Vec<u8>) {
        if removed.is_empty() && added.is_empty() {
            return;
        }
        let mut line = format!("* ESEARCH (TAG \"{}\")", self.tag);
        if self.by_uid {
            line.push_str(" UID");
        }
        let added_uids: UidSet = added.iter().map(|(uid, _)| *uid).collect();
        let mut members = UidSet::new();
        let stay = self.members.iter().filter(|uid| !removed.contains(*uid));
        merge(stay, added_uids.iter(), |uid| members.insert(uid));
        self.members = members;
        let numbers = |uids: &UidSet| match self.by_uid {
            true => uids.clone(),
            false => view.numbers_of(uids),
        };
        match &mut self.sorted {
            None => {
                if !removed.is_empty() {
                    line.push_str(&format!(" REMOVEFROM (0 {})", numbers(removed)));
                }
                if !added.is_empty() {
                    line.push_str(&format!(" ADDTO (0 {})", numbers(&added_uids)));
                }
            }
            Some(sorted) => {
                let number = |uid: Uid| numbers(&UidSet::from_iter([uid])).to_string();
                push_places(&mut line, "REMOVEFROM", &sorted.remove(removed), number);
                push_places(&mut line, "ADDTO", &sorted.add(added), number);
            }
        }
        line.push_str("\r\n");
        out.extend_from_slice(line.as_bytes());
    }
}

/// ` ADDTO (1 7 3 9)`: places and messages in turn.
fn push_places(line: &mut String, word: &str, places: &[(usize, Uid)], number: impl Fn(Uid) -> String) {
    let pairs: Vec<String> = places
        .iter()
        .map(|&(place, uid)| format!("{place} {}", number(uid)))
        .collect();
    if !pairs.is_empty() {
        line.push_str(&format!(" {word} ({})", pairs.join(" ")));
    }
}

impl Sorted {
    /// Takes messages out; the place of each is that when those before it are gone.
    fn remove(&mut self, removed: &UidSet) -> Vec<(usize, Uid)> {
        let mut places = Vec::new();
        let mut place = 0;
        self.order.retain(|(_, uid)| {
            let stays = !removed.contains(*uid);
            if stays {
                place += 1;
            } else {
                places.push((place + 1, *uid));
            }
            stays
        });
        places
    }

    /// Puts messages in; the place of each is that when those before it are there.
    fn add(&mut self, added: Vec<(Uid, Keys)>) -> Vec<(usize, Uid)> {
        let mut places = Vec::new();
        for (uid, keys) in added {
            let before = |(other_keys, other): &(Keys, Uid)| {
                sort::compare(&self.criteria, other_keys, &keys)
                    .then(other.cmp(&uid))
                    .is_lt()
            };
            let at = self.order.partition_point(before);
            self.order.insert(at, (keys, uid));
            places.push((at + 1, uid));
        }
        places
    }
}

/// Two ascending sequences as one.
fn merge(left: impl Iterator<Item = Uid>, right: impl Iterator<Item = Uid>, mut take: impl FnMut(Uid)) {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    loop {
        let is_left = match (left.peek(), right.peek()) {
            (Some(left), Some(right)) => left <= right,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return,
        };
        take(if is_left { left.next() } else { right.next() }.unwrap_or_default());
    }
}

impl Session {
    /// From now on the client is told what changes of this search.
    pub(crate) fn begin_updates(&mut self, context: Context) {
        let is_full = self
            .view
            .as_ref()
            .is_none_or(|view| view.contexts.len() >= CONTEXTS_MAX);
        if is_full {
            return self.say(&format!("* NO [NOUPDATE \"{}\"] Too many contexts.", context.tag));
        }
        if let Some(view) = &mut self.view {
            view.contexts.push(context);
        }
    }

    fn cancel_update(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        const PARAMETERS: Error = Error::Invalid("Invalid parameters");
        let mut tags = Vec::new();
        while tags.is_empty() || !arguments.at_end() {
            let name = arguments.space().and_then(|()| arguments.string());
            tags.push(name.map_err(|_| PARAMETERS)?);
        }
        for name in &tags {
            let place = self.view.as_ref().and_then(|view| {
                let mut contexts = view.contexts.iter();
                contexts.position(|context| context.tag.as_bytes() == name)
            });
            match (place, &mut self.view) {
                (Some(place), Some(view)) => drop(view.contexts.remove(place)),
                _ => {
                    self.tagged(tag, "NO Unknown tag.");
                    return Ok(());
                }
            }
        }
        self.tagged(tag, "OK Updates cancelled.");
        Ok(())
    }

    /// Tells everything that happened, and what that means for the searches that are kept up to date: that messages leave
    /// a result before they are gone, all else after what it follows from.
    pub(crate) fn tell_with_updates(&mut self, telling: Telling) {
        let Some(mut view) = self.view.take() else { return };
        let mut contexts = std::mem::take(&mut view.contexts);
        if telling.expunges && !view.gone.is_empty() {
            for context in &mut contexts {
                let removed: UidSet = view
                    .rows
                    .iter()
                    .map(|row| row.state.uid)
                    .filter(|&uid| view.gone.contains(uid) && context.members.contains(uid))
                    .collect();
                context.tell(&view, &removed, Vec::new(), &mut self.output);
            }
        }
        view.tell(&mut self.output, telling);
        let touched = std::mem::take(&mut view.touched);
        if !touched.is_empty() {
            for context in &mut contexts {
                let (removed, added) = self.changed(&view, context, &touched);
                context.tell(&view, &removed, added, &mut self.output);
            }
        }
        view.contexts = contexts;
        self.view = Some(view);
    }

    /// Which of the messages leave the result, and which join it.
    fn changed(&mut self, view: &View, context: &Context, touched: &UidSet) -> (UidSet, Vec<(Uid, Keys)>) {
        let (mut removed, mut added) = (UidSet::new(), Vec::new());
        for uid in touched.iter() {
            let Some(index) = view.index_of(uid).filter(|_| !view.gone.contains(uid)) else {
                continue;
            };
            let is_member = context.members.contains(uid);
            if is_member && context.query.is_lasting {
                continue;
            }
            let row = &view.rows[index];
            let found = self.is_found(view, context, row);
            match found {
                Ok((true, keys)) if !is_member => added.push((uid, keys)),
                Ok((false, _)) if is_member => removed.insert(uid),
                Ok(_) => {}
                Err(error) => {
                    let text = format!("Searching message {uid}: {error}");
                    self.events.push_back(Event::Problem(text));
                }
            }
        }
        (removed, added)
    }

    fn is_found(&self, view: &View, context: &Context, row: &Row) -> mailbox::Result<(bool, Keys)> {
        let now_secs = self.now / machine::SECOND;
        let asked = Asked { row, now_secs };
        let is_found = match context.query.known(asked) {
            Some(is_found) => is_found,
            None => Candidate::new(&context.query, asked, (&*self.store, &view.id)).is_found()?,
        };
        let keys = match &context.sorted {
            Some(sorted) if is_found => {
                let mut source = Source::new(self.store.body(&view.id, row.state.uid)?);
                sort::keys(&sorted.criteria, row, &Facts::of(source.header()?))
            }
            _ => Keys::default(),
        };
        Ok((is_found, keys))
    }
}
