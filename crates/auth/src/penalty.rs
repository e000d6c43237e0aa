//! Guessing from one address becomes slower with every failure: 4, 8, then 15 seconds, forgotten after two minutes
//! (Dovecot's anvil and `auth-penalty`). The same name and password again makes it no slower: that is a program with an old
//! password.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait.
pub const WAIT_MAX: Duration = Duration::from_secs(15);
/// After this time without a failure an address is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// The most addresses that are remembered; the oldest goes first.
pub const ADDRESSES_MAX: usize = 65_536;
/// How many of the last failed names and passwords of an address are remembered.
const ATTEMPTS_MAX: usize = 10;
/// The penalty that gives the longest wait.
const PENALTY_MAX: u32 = 4;

/// What is remembered of addresses.
#[derive(Debug, Default)]
pub struct Penalties {
    /// Makes fingerprints of passwords that mean nothing outside of this process.
    hasher: RandomState,
    known: Mutex<HashMap<IpAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    penalty: u32,
    last: Instant,
    attempts: VecDeque<u64>,
}

impl Penalties {
    /// How much longer than usual the answer to a failure from there waits, by the failures before it.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Duration {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&masked(address)) {
            Some(known) if now.saturating_duration_since(known.last) < FORGOTTEN_AFTER => {
                wait_of(known.penalty).saturating_sub(now.saturating_duration_since(known.last))
            }
            _ => Duration::ZERO,
        }
    }

    /// A login from there has failed.
    pub fn failed(&self, address: IpAddr, (user, password): (&str, &[u8]), now: Instant) {
        let attempt = self.hasher.hash_one((user, password));
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let address = masked(address);
        if all.len() >= ADDRESSES_MAX && !all.contains_key(&address) {
            all.retain(|_, known| now.saturating_duration_since(known.last) < FORGOTTEN_AFTER);
            if all.len() >= ADDRESSES_MAX
                && let Some(oldest) = all
                    .iter()
                    .min_by_key(|(_, known)| known.last)
                    .map(|(address, _)| *address)
            {
                all.remove(&oldest);
            }
        }
        let known = all.entry(address).or_insert_with(|| Known {
            penalty: 0,
            last: now,
            attempts: VecDeque::new(),
        });
        if now.saturating_duration_since(known.last) >= FORGOTTEN_AFTER {
            (known.penalty, known.attempts) = (0, VecDeque::new());
        }
        known.last = now;
        if known.attempts.contains(&attempt) {
            return;
        }
        known.penalty = (known.penalty + 1).min(PENALTY_MAX);
        known.attempts.push_back(attempt);
        if known.attempts.len() > ATTEMPTS_MAX {
            known.attempts.pop_front();
        }
    }

    /// A login from there has succeeded: the address is trusted again.
    pub fn succeeded(&self, address: IpAddr) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&masked(address));
    }
}

fn wait_of(penalty: u32) -> Duration {
    match penalty {
        0 => Duration::ZERO,
        penalty => Duration::from_secs(2 << penalty.min(PENALTY_MAX)).min(WAIT_MAX),
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

    #[test]
    fn waits_grow_and_are_forgotten() {
        let (penalties, start) = (Penalties::default(), Instant::now());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |secs| start + Duration::from_secs(secs);
        let mut waits = Vec::new();
        for number in 0..6_u8 {
            waits.push(penalties.wait(address, start).as_secs());
            penalties.failed(address, ("ann", &[number]), start);
        }
        assert_eq!(waits, [0, 4, 8, 15, 15, 15]);
        assert_eq!(penalties.wait(address, at(5)), Duration::from_secs(10));
        assert_eq!(
            penalties.wait("192.0.2.2".parse().unwrap(), start),
            Duration::ZERO
        );
        assert_eq!(penalties.wait(address, at(121)), Duration::ZERO);
        penalties.failed(address, ("ann", b"x"), at(121));
        assert_eq!(penalties.wait(address, at(121)), Duration::from_secs(4));
        penalties.succeeded(address);
        assert_eq!(penalties.wait(address, at(121)), Duration::ZERO);
    }

    #[test]
    fn an_old_password_tried_again_is_no_guess() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let address: IpAddr = "2001:db8:1:2::3".parse().unwrap();
        for _ in 0..5 {
            penalties.failed(address, ("ann", b"old"), now);
        }
        let neighbour = "2001:db8:1:ffff::".parse().unwrap();
        assert_eq!(penalties.wait(neighbour, now), Duration::from_secs(4));
    }

    #[test]
    fn memory_is_bounded() {
        let (penalties, now) = (Penalties::default(), Instant::now());
        let address = |number: u32| IpAddr::V4(number.into());
        for number in 0..ADDRESSES_MAX as u32 + 2 {
            let at = now + Duration::from_nanos(u64::from(number));
            penalties.failed(address(number), ("x", b"x"), at);
        }
        assert_eq!(penalties.known.lock().unwrap().len(), ADDRESSES_MAX);
        assert_eq!(penalties.wait(address(0), now), Duration::ZERO);
    }
}
