//! What databases said, kept for a while (`auth_cache_size`, `auth_cache_ttl`, `auth_cache_negative_ttl`).
//!
//! Kept are answers of databases that are costly to ask; the key is what was asked. A wrong password against a kept
//! answer asks the database again when the user was let in by it before: the password may have been changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::driver::Record;

/// What an entry costs besides its texts, about, in bytes.
const ENTRY_BYTES: usize = 200;

/// The cache of one configuration.
#[derive(Debug)]
pub(crate) struct Cache {
    size_bytes_max: usize,
    ttl: Duration,
    negative_ttl: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<String, Entry>,
    /// Keys by their last use.
    order: BTreeMap<u64, String>,
    uses: u64,
    size_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    user: String,
    record: Option<Record>,
    made: Instant,
    use_number: u64,
    has_succeeded: bool,
}

impl Entry {
    fn size_bytes(&self, key: &str) -> usize {
        let record = self.record.as_ref().map_or(0, Record::size_bytes);
        key.len() * 2 + self.user.len() + record + ENTRY_BYTES
    }
}

/// What is known about a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The database's answer; `None`: there is no such user.
    pub(crate) record: Option<Record>,
    /// Whether a wrong password by it is to be believed: nobody was let in by it before, and it is new.
    pub(crate) may_refuse: bool,
}

impl Cache {
    /// A cache; nothing when its size is 0.
    pub(crate) fn of(settings: &settings::Dovecot) -> Option<Cache> {
        let size_bytes_max = usize::try_from(settings.auth_cache_size).unwrap_or(usize::MAX);
        (size_bytes_max > 0).then(|| Cache {
            size_bytes_max,
            ttl: settings.auth_cache_ttl,
            negative_ttl: settings.auth_cache_negative_ttl,
            state: Mutex::default(),
        })
    }

    /// The answer to a question, if it is known and not too old.
    pub(crate) fn find(&self, key: &str, now: Instant) -> Option<Kept> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.get(key)?;
        let ttl = if entry.record.is_some() {
            self.ttl
        } else {
            self.negative_ttl
        };
        let age = now.saturating_duration_since(entry.made);
        let kept = Kept {
            record: entry.record.clone(),
            may_refuse: !entry.has_succeeded && age < self.negative_ttl,
        };
        if age >= ttl {
            state.remove(key);
            return None;
        }
        state.touch(key);
        Some(kept)
    }

    /// Keeps an answer, at the cost of those that were not used for long.
    pub(crate) fn keep(&self, key: &str, user: &str, record: Option<Record>, now: Instant) {
        let entry = Entry {
            user: user.to_owned(),
            record,
            made: now,
            use_number: 0,
            has_succeeded: false,
        };
        let size_bytes = entry.size_bytes(key);
        if size_bytes > self.size_bytes_max {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove(key);
        while state.size_bytes + size_bytes > self.size_bytes_max {
            let Some((_, oldest)) = state.order.pop_first() else {
                break;
            };
            state.remove(&oldest);
        }
        state.size_bytes += size_bytes;
        state.entries.insert(key.to_owned(), entry);
        state.touch(key);
    }

    /// Somebody was let in by the answer.
    pub(crate) fn succeeded(&self, key: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = state.entries.get_mut(key) {
            entry.has_succeeded = true;
        }
    }

    /// Forgets what is known of these users, of all when none is named; how many answers that were.
    pub(crate) fn flush(&self, users: &[String]) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = state.entries.iter();
        let gone: Vec<String> = entries
            .filter(|(_, entry)| users.is_empty() || users.contains(&entry.user))
            .map(|(key, _)| key.clone())
            .collect();
        gone.iter().for_each(|key| state.remove(key));
        gone.len()
    }
}

impl State {
    fn touch(&mut self, key: &str) {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            self.order.remove(&entry.use_number);
            entry.use_number = self.uses;
            self.order.insert(self.uses, key.to_owned());
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.use_number);
            self.size_bytes = self.size_bytes.saturating_sub(entry.size_bytes(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(size: &str) -> Cache {
        let mut settings = settings::Dovecot::defaults();
        for (name, text) in [
            ("auth_cache_size", size),
            ("auth_cache_ttl", "60 secs"),
            ("auth_cache_negative_ttl", "10 secs"),
        ] {
            settings.set(name, text).unwrap();
        }
        Cache::of(&settings).unwrap()
    }

    fn record(password: &str) -> Option<Record> {
        Some(Record {
            password: Some(password.to_owned()),
            scheme: "PLAIN".parse().unwrap(),
            fields: Vec::new(),
        })
    }

    #[test]
    fn answers_are_kept_for_their_time() {
        let (cache, start) = (cache("10k"), Instant::now());
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(cache.find("q", start), None);
        cache.keep("q", "ann", record("x"), start);
        cache.keep("none", "bob", None, start);
        cache.succeeded("q");
        let kept = cache.find("q", at(59)).unwrap();
        assert!(!kept.may_refuse && kept.record == record("x"));
        assert_eq!(cache.find("none", at(9)).unwrap().record, None);
        assert_eq!(cache.find("none", at(10)), None);
        assert_eq!(cache.find("q", at(60)), None);
        assert!(Cache::of(&settings::Dovecot::defaults()).is_none());
    }

    #[test]
    fn the_least_used_make_room() {
        let (cache, now) = (cache("1000"), Instant::now());
        for key in ["a", "b", "c"] {
            cache.keep(key, key, record("x"), now);
        }
        assert!(cache.find("a", now).is_some());
        cache.keep("d", "d", record("x"), now);
        assert!(cache.find("b", now).is_none() && cache.find("a", now).is_some());
        cache.keep("huge", "h", record(&"x".repeat(2000)), now);
        assert!(cache.find("huge", now).is_none() && cache.find("d", now).is_some());
        assert_eq!(cache.flush(&["a".to_owned()]), 1);
        assert_eq!(cache.flush(&[]), 2);
        assert_eq!(cache.state.lock().unwrap().size_bytes, 0);
    }
}
