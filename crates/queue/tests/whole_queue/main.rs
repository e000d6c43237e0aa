//! The whole queue in a simulated world, by seed: the real spool on a simulated disk, the real scheduler, what the driver does
//! between them, and agents, hosts, clocks, disks, administrators and power cuts that do what the seed says.
//!
//! `model` is the truth that everything is compared with, `log` what the lines of the log say, `world` what happens. A seed that fails prints how it is run again.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

mod log;
mod model;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many seeds each of the four tests runs.
const SEEDS: u64 = 500;

/// Runs the seeds from `first` on; they are shared by several tests, because those run side by side.
fn seeds(first: u64) {
    if std::env::var_os("QUEUE_SEED").is_some() {
        return; // One seed is asked for.
    }
    for seed in first..first + SEEDS {
        let run = catch_unwind(AssertUnwindSafe(|| world::run(seed)));
        assert!(
            run.is_ok(),
            "seed {seed} fails; again: QUEUE_SEED={seed} cargo test -p queue --test whole_queue -- --nocapture this_seed"
        );
    }
}

#[test]
fn seeds_from_0() {
    seeds(0);
}

#[test]
fn seeds_from_500() {
    seeds(500);
}

#[test]
fn seeds_from_1000() {
    seeds(1000);
}

#[test]
fn seeds_from_1500() {
    seeds(1500);
}

/// `QUEUE_SEED=n`: this one; without it nothing.
#[test]
fn this_seed() {
    if let Ok(seed) = std::env::var("QUEUE_SEED") {
        world::run(seed.parse().expect("QUEUE_SEED is a number"));
    }
}

/// What the other tests check must have happened.
#[test]
fn a_seed_sees_much() {
    let mut seen = world::Seen::default();
    for seed in 2000..2050 {
        seen.add(&world::run(seed));
    }
    let world::Seen {
        crashes,
        broken,
        refused,
        sent,
        bounced,
        untried,
        expired,
        portions,
        repeated,
        letters,
        sought,
    } = seen;
    let counts = [
        crashes, broken, refused, sent, bounced, untried, expired, portions, repeated, letters, sought,
    ];
    assert!(counts.iter().all(|count| *count > 5), "{seen:?}");
}
