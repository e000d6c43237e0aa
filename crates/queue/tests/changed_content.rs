//! Content that is written anew before its message is committed, as mail filters want it: small and large, and through a crash.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

use std::path::Path;

use address::Address;
use envelope::{BodyKind, Envelope, Recipient};
use queue::spool::SpoolOptions;
use queue::{Facts, Incoming, Spool};
use world::{SimDisk, World};

fn open(world: &World) -> Spool {
    let options = SpoolOptions {
        segment_bytes: 16_384,
        inline_bytes_max: 1024,
        background: false,
        ..SpoolOptions::default()
    };
    Spool::open(Path::new("/q"), &options, world).unwrap().0
}

fn envelope() -> Envelope {
    let address = Address::parse("a@b.test").unwrap();
    Envelope {
        sender: None,
        recipients: vec![Recipient {
            address: address.clone(),
            original: address,
            orcpt: None,
            notify: None,
        }],
        ret: None,
        envid: None,
        body: BodyKind::default(),
        smtputf8: false,
    }
}

fn all(read: impl Fn(u64, &mut [u8]) -> queue::Result<usize>) -> Vec<u8> {
    let (mut found, mut piece) = (Vec::new(), [0; 300]);
    loop {
        match read(found.len() as u64, &mut piece).unwrap() {
            0 => return found,
            count => found.extend_from_slice(&piece[..count]),
        }
    }
}

/// What was written, in pieces that do not end where buffers do.
fn write(incoming: &mut Incoming, content: &[u8]) {
    content
        .chunks(700)
        .for_each(|piece| incoming.write(piece).unwrap());
}

#[test]
fn content_is_read_back_and_replaced() {
    for (before, after) in [(100, 200), (5000, 100), (100, 5000), (5000, 7000), (1024, 0)] {
        let world = World::simulated(1, SimDisk::new(1));
        let spool = open(&world);
        let old: Vec<u8> = (0..before).map(|n| b'a' + (n % 26) as u8).collect();
        let new: Vec<u8> = (0..after).map(|n| b'A' + (n % 26) as u8).collect();
        let mut incoming = spool.begin(0);
        let queue_id = incoming.queue_id().clone();
        write(&mut incoming, &old);
        assert_eq!(all(|at, into| incoming.read_at(at, into)), old);
        let former = incoming.begin_again().unwrap();
        assert_eq!(incoming.size_bytes(), 0);
        write(&mut incoming, &new);
        assert_eq!(former.size_bytes(), old.len() as u64);
        assert_eq!(all(|at, into| former.read_at(at, into)), old);
        assert_eq!(all(|at, into| incoming.read_at(at, into)), new);
        drop(former);
        incoming.commit_and_wait(&envelope(), &Facts::default()).unwrap();
        let content = spool.content(&queue_id).unwrap();
        let found = all(|at, into| content.read_at(into, at));
        assert_eq!(found, new, "{before} octets, then {after}");
    }
}
