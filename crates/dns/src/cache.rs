//! A memory of answers: bounded in number and in time, whatever servers say.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::{Answer, Failure, Kind};

/// The most answers kept.
pub const ENTRIES_MAX: usize = 10_000;
/// The longest that an answer is believed, whatever its TTL.
pub const TTL_MAX: Duration = Duration::from_secs(3600);
/// The longest that it is believed that there is nothing (RFC 2308 §5 advises one to three hours; mail that is
/// refused by mistake is worth more than a question).
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(300);

/// Name in lower case, and type.
type Key = (String, Kind);

/// What is known.
#[derive(Debug, Default)]
pub struct Cache {
    entries: HashMap<Key, (Result<Answer, Failure>, Instant)>,
}

impl Cache {
    /// What was answered before and still holds; an answer's TTL is what is left of it.
    pub fn find(&self, name: &str, kind: Kind, now: Instant) -> Option<Result<Answer, Failure>> {
        let (known, until) = self.entries.get(&(name.to_owned(), kind))?;
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(known.clone().map(|answer| Answer { ttl: left, ..answer }))
    }

    /// Keeps an answer for `ttl` at most; one that is temporary, or holds for no time, is not kept.
    pub fn keep(&mut self, key: (&str, Kind), known: &Result<Answer, Failure>, ttl: Duration, now: Instant) {
        let most = match known {
            Ok(_) => TTL_MAX,
            Err(Failure::NotFound | Failure::NoData) => NEGATIVE_TTL_MAX,
            Err(_) => return,
        };
        let until = now + ttl.min(most);
        if until == now {
            return;
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.make_room(now);
        }
        self.entries
            .insert((key.0.to_owned(), key.1), (known.clone(), until));
    }

    /// Forgets what holds no longer; if that is not enough, every second entry.
    fn make_room(&mut self, now: Instant) {
        self.entries.retain(|_, (_, until)| *until > now);
        if self.entries.len() >= ENTRIES_MAX {
            let mut odd = false;
            self.entries.retain(|_, _| {
                odd = !odd;
                odd
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    fn answer() -> Result<Answer, Failure> {
        Ok(Answer {
            records: vec![Record::Name("a.test".to_owned())],
            name: "x.test".to_owned(),
            authenticated: false,
            ttl: Duration::ZERO,
        })
    }

    #[test]
    fn answers_hold_for_their_time_and_never_longer_than_the_limits() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let second = Duration::from_secs(1);
        cache.keep(("short", Kind::A), &answer(), 10 * second, now);
        cache.keep(
            ("huge", Kind::A),
            &answer(),
            Duration::from_secs(u32::MAX.into()),
            now,
        );
        cache.keep(("none", Kind::A), &answer(), Duration::ZERO, now);
        cache.keep(("gone", Kind::A), &Err(Failure::NotFound), TTL_MAX, now);
        cache.keep(("ill", Kind::A), &Err(Failure::TryAgain), TTL_MAX, now);
        let known = |name: &str, after: Duration| cache.find(name, Kind::A, now + after);
        let left = known("short", 4 * second).and_then(Result::ok);
        assert_eq!(left.map(|answer| answer.ttl), Some(6 * second));
        assert_eq!(known("short", 10 * second), None);
        assert!(known("huge", TTL_MAX - second).is_some());
        assert!(known("huge", TTL_MAX).is_none());
        assert_eq!(known("none", Duration::ZERO), None);
        assert_eq!(known("gone", second), Some(Err(Failure::NotFound)));
        assert_eq!(known("gone", NEGATIVE_TTL_MAX), None);
        assert_eq!(known("ill", Duration::ZERO), None);
        assert_eq!(cache.find("short", Kind::Aaaa, now), None);
    }

    #[test]
    fn there_are_never_more_answers_than_the_limit() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for number in 0..2 * ENTRIES_MAX {
            cache.keep((&format!("{number}.test"), Kind::A), &answer(), TTL_MAX, now);
            assert!(cache.entries.len() <= ENTRIES_MAX);
        }
        let last = format!("{}.test", 2 * ENTRIES_MAX - 1);
        assert!(cache.find(&last, Kind::A, now).is_some());
    }
}
