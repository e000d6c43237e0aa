//! Guessing from one address becomes slower with every failure: 4, 8, then 15 seconds, forgotten when 15 seconds passed without another
//! (Dovecot's anvil and `auth-penalty`). Guesses at the same time grow it once: each counts from what it found when it began. The same name and
//! password again is no guess: that is a program with an old password.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The longest wait.
pub const WAIT_MAX: Duration = Duration::from_secs(15);
/// After this time without another guess that failed an address waits no longer, and begins anew.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);
/// The most addresses that are remembered; the oldest goes first.
pub const ADDRESSES_MAX: usize = 65_536;
/// How many of the last failed names and passwords of an address are remembered.
const ATTEMPTS_MAX: usize = 10;
/// The number of failures that gives the longest wait.
const FAILURES_MAX: u32 = 4;

/// What a login waits before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Penalty {
    /// For how long.
    pub wait: Duration,
    /// After how many failures; a failure of this login makes them one more (see [`crate::Asker::failures_before`]).
    pub failures: u32,
}

/// An address whose logins wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Penalized {
    /// The address; of IPv6 the network, which is one to us: its first 48 bits.
    pub address: IpAddr,
    /// What the next login from there waits.
    pub penalty: Penalty,
    /// In how long this is forgotten, if nobody there guesses wrong again.
    pub forgotten_in: Duration,
}

/// What is remembered of addresses.
#[derive(Debug, Default)]
pub struct Penalties {
    /// Makes fingerprints of passwords that mean nothing outside of this process.
    hasher: RandomState,
    known: Mutex<HashMap<IpAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    failures: u32,
    /// When the last guess failed that was not known yet.
    last: Instant,
    attempts: VecDeque<u64>,
}

impl Known {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= FORGOTTEN_AFTER
    }
}

impl Penalties {
    /// What a login from there that begins now waits.
    pub fn of(&self, address: IpAddr, now: Instant) -> Penalty {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&masked(address)) {
            Some(known) if !known.is_forgotten(now) => Penalty {
                wait: wait_of(known.failures),
                failures: known.failures,
            },
            _ => Penalty::default(),
        }
    }

    /// A login from there has failed; `before` is what it found when it began.
    pub fn failed(&self, address: IpAddr, (user, password): (&str, &[u8]), before: u32, now: Instant) {
        let attempt = self.hasher.hash_one((user, password));
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let address = masked(address);
        make_room(&mut all, address, now);
        let known = all.entry(address).or_insert_with(|| Known {
            failures: 0,
            last: now,
            attempts: VecDeque::new(),
        });
        if known.is_forgotten(now) && before == 0 {
            (known.failures, known.attempts) = (0, VecDeque::new());
        }
        if known.attempts.contains(&attempt) {
            return;
        }
        known.last = now;
        known.failures = known.failures.max(before.saturating_add(1)).min(FAILURES_MAX);
        known.attempts.push_back(attempt);
        if known.attempts.len() > ATTEMPTS_MAX {
            known.attempts.pop_front();
        }
    }

    /// Whose logins wait now, by address.
    pub fn all(&self, now: Instant) -> Vec<Penalized> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = known.iter().filter(|(_, known)| !known.is_forgotten(now));
        let mut all: Vec<Penalized> = waiting
            .map(|(address, known)| Penalized {
                address: *address,
                penalty: Penalty {
                    wait: wait_of(known.failures),
                    failures: known.failures,
                },
                forgotten_in: FORGOTTEN_AFTER.saturating_sub(now.saturating_duration_since(known.last)),
            })
            .collect();
        drop(known);
        all.sort_by_key(|penalized| penalized.address);
        all
    }

    /// A login from there has succeeded: the address is trusted again.
    pub fn succeeded(&self, address: IpAddr) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&masked(address));
    }
}

/// Forgets addresses so that there is room for `address`.
fn make_room(all: &mut HashMap<IpAddr, Known>, address: IpAddr, now: Instant) {
    if all.len() < ADDRESSES_MAX || all.contains_key(&address) {
        return;
    }
    all.retain(|_, known| !known.is_forgotten(now));
    let oldest = all.iter().min_by_key(|(_, known)| known.last);
    if let Some(oldest) = oldest
        .map(|(address, _)| *address)
        .filter(|_| all.len() >= ADDRESSES_MAX)
    {
        all.remove(&oldest);
    }
}

fn wait_of(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => Duration::from_secs(2 << failures.min(FAILURES_MAX)).min(WAIT_MAX),
    }
}

/// Somebody with an IPv6 network has more addresses than could be remembered: the first 48 bits count.
fn masked(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            let kept = u128::from(address) & !((1 << 80) - 1);
            IpAddr::V6(kept.into())
        }
        other => other.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(penalty: Penalty) -> u64 {
        penalty.wait.as_secs()
    }

    /// A guess that begins when the one before it has its answer.
    fn guess(penalties: &Penalties, address: IpAddr, password: &[u8], now: Instant) -> u64 {
        let before = penalties.of(address, now);
        penalties.failed(address, ("ann", password), before.failures, now + before.wait);
        secs(before)
    }

    #[test]
    fn waits_grow_and_are_forgotten() {
        let (penalties, start) = (Penalties::default(), Instant::now());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |secs| start + Duration::from_secs(secs);
        let mut now = start;
        let waits = [0_u8, 1, 2, 3, 4].map(|number| {
            let waited = guess(&penalties, address, &[number], now);
            now += Duration::from_secs(waited + 2);
            waited
        });
        assert_eq!(waits, [0, 4, 8, 15, 15]);
        // What has passed since is not taken off, as long as it is remembered.
        assert_eq!(secs(penalties.of(address, now + Duration::from_secs(12))), 15);
        assert_eq!(secs(penalties.of("192.0.2.2".parse().unwrap(), now)), 0);
        assert_eq!(
            penalties.of(address, now + Duration::from_secs(13)),
            Penalty::default()
        );
        assert_eq!(guess(&penalties, address, b"x", at(200)), 0);
        assert_eq!(secs(penalties.of(address, at(201))), 4);
        penalties.succeeded(address);
        assert_eq!(secs(penalties.of(address, at(201))), 0);
    }

    #[test]
    fn those_who_wait_are_shown() {
        let (penalties, start) = (Penalties::default(), Instant::now());
        let at = |secs| start + Duration::from_secs(secs);
        guess(&penalties, "192.0.2.9".parse().unwrap(), b"a", start);
        guess(&penalties, "192.0.2.1".parse().unwrap(), b"a", at(10));
        let shown = |now| -> Vec<(String, u64, u64)> {
            let all = penalties.all(now).into_iter();
            all.map(|one| {
                (
                    one.address.to_string(),
                    secs(one.penalty),
                    one.forgotten_in.as_secs(),
                )
            })
            .collect()
        };
        assert_eq!(
            shown(at(11)),
            [("192.0.2.1".to_owned(), 4, 14), ("192.0.2.9".to_owned(), 4, 4)]
        );
        assert_eq!(shown(at(20)).len(), 1);
        assert!(shown(at(25)).is_empty());
    }

    #[test]
    fn guesses_at_the_same_time_grow_it_once() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for (round, waited) in [0, 4, 8].into_iter().enumerate() {
            let now = now + Duration::from_secs(10 * round as u64);
            let begun: Vec<Penalty> = (0..6).map(|_| penalties.of(address, now)).collect();
            assert!(begun.iter().all(|before| secs(*before) == waited), "{begun:?}");
            for (number, before) in begun.iter().enumerate() {
                let password = [round as u8, number as u8];
                penalties.failed(address, ("ann", &password), before.failures, now + before.wait);
            }
        }
    }

    #[test]
    fn an_old_password_tried_again_is_no_guess() {
        let (penalties, start) = (Penalties::default(), Instant::now());
        let address: IpAddr = "2001:db8:1:2::3".parse().unwrap();
        for number in 0..5 {
            guess(&penalties, address, b"old", start + Duration::from_secs(number));
        }
        let neighbour = "2001:db8:1:ffff::".parse().unwrap();
        assert_eq!(secs(penalties.of(neighbour, start + Duration::from_secs(14))), 4);
        assert_eq!(secs(penalties.of(neighbour, start + Duration::from_secs(15))), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let address = |number: u32| IpAddr::V4(number.into());
        for number in 0..ADDRESSES_MAX as u32 + 2 {
            let at = now + Duration::from_nanos(u64::from(number));
            penalties.failed(address(number), ("x", b"x"), 0, at);
        }
        assert_eq!(penalties.known.lock().unwrap().len(), ADDRESSES_MAX);
        assert_eq!(secs(penalties.of(address(0), now)), 0);
    }
}
