//! Fills a queue directory with deferred messages, to measure what a large queue costs: `fill_queue DIR COUNT`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for measurements stops at the first surprise"
)]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use address::Address;
use envelope::{BodyKind, DeliveryResult, Envelope, Outcome, Recipient, StatusCode};
use queue::spool::SpoolOptions;
use queue::{Facts, Spool};
use world::World;

/// How many messages are written at once.
const WRITERS: usize = 64;
/// Deferred until then, so that nothing is tried while somebody measures.
const PAUSE_MICROS: i64 = 100_000 * 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, count] = arguments.as_slice() else {
        println!("usage: fill_queue DIR COUNT");
        return;
    };
    let count: usize = count.parse().unwrap();
    let (spool, _) = Spool::open(Path::new(dir), &SpoolOptions::default(), &World::real()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let spool = spool.clone();
            scope.spawn(move || {
                (writer..count)
                    .step_by(WRITERS)
                    .for_each(|number| fill(&spool, number))
            });
        }
    });
    spool.finish().unwrap();
}

fn fill(spool: &Spool, number: usize) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_micros()).unwrap();
    let address = |text: String| Address::parse(&text).unwrap();
    let envelope = Envelope {
        sender: Some(address(format!("sender{number}@example.org"))),
        recipients: vec![Recipient::new(address(format!(
            "user@d{}.example",
            number % 10_000
        )))],
        ret: None,
        envid: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
    };
    let facts = Facts {
        arrival_micros: now,
        ..Facts::default()
    };
    let mut incoming = spool.begin(now);
    incoming.write(b"Subject: a letter\n\nSome text.\n").unwrap();
    let committed = incoming.commit_and_wait(&envelope, &facts).unwrap();
    let outcome = Outcome {
        result: DeliveryResult::Deferred,
        status: StatusCode::temporary(4, 1),
        text: "connect to mx.example[192.0.2.1]:25: Connection timed out".to_owned(),
        relay: "none".to_owned(),
        detail: Default::default(),
    };
    spool.record(committed.queue_id(), vec![(0, outcome)]).unwrap();
    spool.defer(committed.queue_id(), now + PAUSE_MICROS).unwrap();
}
