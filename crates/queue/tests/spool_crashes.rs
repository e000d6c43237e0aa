//! The spool under crashes at every disk operation: what was answered 250 is there with its content and outcomes.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use address::Address;
use envelope::{BodyKind, DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode};
use queue::spool::SpoolOptions;
use queue::{Error, Facts, QueueName, Spool};
use world::{Random, SimDisk, SimRandom, World};

const DIR: &str = "/var/spool/yubin";

fn options() -> SpoolOptions {
    SpoolOptions {
        segment_bytes: 8192,
        inline_bytes_max: 1024,
        background: false,
        ..SpoolOptions::default()
    }
}

fn envelope(recipients: usize) -> Envelope {
    let address = |n: usize| Recipient::new(Address::parse(&format!("user{n}@example.org")).unwrap());
    Envelope {
        sender: Some(Address::parse("joe@example.com").unwrap()),
        recipients: (0..recipients).map(address).collect(),
        ret: None,
        envid: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
    }
}

fn outcome(result: DeliveryResult) -> Outcome {
    Outcome {
        result,
        status: StatusCode::success(0, 0),
        text: "ok".into(),
        relay: "none".into(),
    }
}

fn content(id: &QueueId, seed: u64) -> Vec<u8> {
    let mut bytes = format!("{id} ").into_bytes();
    let random = SimRandom::new(seed);
    let long = if seed.is_multiple_of(4) { 4000 } else { 700 };
    bytes.resize(
        bytes.len() + usize::try_from(random.next_u64() % long).unwrap(),
        b'.',
    );
    bytes
}

#[derive(Default)]
struct Model {
    /// Answered 250 and not removed: the content's seed.
    acked: Arc<Mutex<BTreeMap<QueueId, u64>>>,
    /// Recipients whose outcome was flushed.
    done: BTreeMap<QueueId, u32>,
    /// Given to the log for removal, durable or not.
    removed: Vec<QueueId>,
    seeds: BTreeMap<QueueId, u64>,
}

impl Model {
    fn open(&mut self, world: &World) -> queue::Result<Spool> {
        let (spool, recovered) = Spool::open(Path::new(DIR), &options(), world)?;
        assert!(recovered.damage.is_empty(), "{:?}", recovered.damage);
        let mut acked = self.acked.lock().unwrap();
        acked.retain(|id, _| !self.removed.contains(id));
        for id in acked.keys() {
            assert!(
                recovered.messages.iter().any(|m| m.queue_id == *id),
                "{id} was answered 250 and is lost"
            );
        }
        for known in recovered.messages {
            let id = known.queue_id;
            let seed = self.seeds[&id];
            assert_eq!(
                spool.content(&id).unwrap().read_all().unwrap(),
                content(&id, seed),
                "{id} is damaged"
            );
            let message = spool.message(&id).unwrap();
            assert_eq!(message.envelope, envelope(3));
            let done = message.outcomes.iter().flatten().count();
            assert!(
                done >= self.done.get(&id).copied().unwrap_or(0) as usize,
                "{id} forgot an outcome"
            );
            acked.insert(id, seed);
        }
        drop(acked);
        self.removed.retain(|id| spool.message(id).is_err());
        Ok(spool)
    }

    fn accept(&mut self, spool: &Spool, random: &SimRandom) {
        let mut incoming = spool.begin(1_700_000_000_000_000);
        let (id, seed) = (incoming.queue_id().clone(), random.next_u64());
        self.seeds.insert(id.clone(), seed);
        let bytes = content(&id, seed);
        for chunk in bytes.chunks(300) {
            if incoming.write(chunk).is_err() {
                return;
            }
        }
        if random.next_u64().is_multiple_of(9) {
            return; // The client went away.
        }
        let acked = Arc::clone(&self.acked);
        incoming.commit(&envelope(3), &Facts::default(), move |result| {
            if let Ok(committed) = result {
                acked.lock().unwrap().insert(committed.queue_id().clone(), seed);
            }
        });
    }

    fn work(&mut self, spool: &Spool, random: &SimRandom) {
        let ids: Vec<QueueId> = self.acked.lock().unwrap().keys().cloned().collect();
        let Some(id) = ids.get(usize::try_from(random.next_u64() % (ids.len() as u64).max(1)).unwrap())
        else {
            return;
        };
        if spool.message(id).is_err() {
            return;
        }
        match random.next_u64() % 6 {
            0 => {
                let _ = spool.defer(id, 5);
            }
            1 => {
                let recipient = u32::try_from(random.next_u64() % 3).unwrap();
                let recorded = spool
                    .record(id, vec![(recipient, outcome(DeliveryResult::Sent))])
                    .is_ok();
                if recorded && spool.flush().is_ok() {
                    let done = spool
                        .message(id)
                        .map_or(0, |m| m.outcomes.iter().flatten().count());
                    self.done.insert(id.clone(), u32::try_from(done).unwrap());
                }
            }
            2 => {
                let _ = spool.maintain();
            }
            _ => {
                self.removed.push(id.clone());
                let _ = spool.remove(id);
            }
        }
    }
}

fn scenario(seed: u64, crash_at: impl Fn(u64) -> u64) {
    let disk = SimDisk::new(seed);
    let world = World::simulated(seed, disk.clone());
    let random = SimRandom::new(seed ^ 0x5eed);
    let mut model = Model::default();
    for round in 0..8 {
        disk.crash_at(crash_at(round));
        if let Ok(spool) = model.open(&world) {
            for _ in 0..60 {
                model.accept(&spool, &random);
                model.work(&spool, &random);
                if disk.is_down() {
                    break;
                }
            }
        }
        disk.crash();
    }
    let spool = model.open(&world).unwrap();
    model.accept(&spool, &random);
}

#[test]
fn nothing_answered_250_is_lost_at_a_crash_anywhere() {
    for seed in 0..8 {
        let random = SimRandom::new(seed);
        scenario(seed, |_| 1 + random.next_u64() % 150);
    }
    // Every operation of the first start and the first messages.
    for k in (1..60).step_by(3) {
        scenario(k, |round| if round == 0 { k } else { 40 + k });
    }
}

#[test]
fn a_second_daemon_is_told_who_has_the_queue() {
    let world = World::simulated(1, SimDisk::new(1));
    let (first, _) = Spool::open(Path::new(DIR), &options(), &world).unwrap();
    let second = Spool::open(Path::new(DIR), &options(), &world);
    let Err(error @ Error::InUse { .. }) = second.map(drop) else {
        panic!("opened twice")
    };
    assert_eq!(
        error.to_string(),
        format!("queue directory {DIR} is in use by process 1")
    );
    drop(first);
    Spool::open(Path::new(DIR), &options(), &world).unwrap();
}

#[test]
fn the_log_does_not_grow_with_a_few_long_waiting_messages() {
    let world = World::simulated(1, SimDisk::new(1));
    let (spool, _) = Spool::open(Path::new(DIR), &options(), &world).unwrap();
    let accept = |text: &[u8]| {
        let mut incoming = spool.begin(1);
        incoming.write(text).unwrap();
        incoming
            .commit_and_wait(&envelope(3), &Facts::default())
            .unwrap()
            .queue_id()
            .clone()
    };
    let waiting = accept(b"patience");
    spool
        .record(&waiting, vec![(1, outcome(DeliveryResult::Deferred))])
        .unwrap();
    spool.defer(&waiting, 77).unwrap();
    for _ in 0..500 {
        let id = accept(&[b'x'; 900]);
        spool.remove(&id).unwrap();
        spool.flush().unwrap();
        spool.maintain().unwrap();
    }
    let files = world.disk.list(&Path::new(DIR).join("log")).unwrap();
    assert!(files.len() < 12, "{} segments for one message", files.len());
    drop(spool);
    let (spool, recovered) = Spool::open(Path::new(DIR), &options(), &world).unwrap();
    assert_eq!(recovered.messages.len(), 1);
    let message = spool.message(&waiting).unwrap();
    assert_eq!(
        (message.queue, message.next_try_micros),
        (QueueName::Deferred, 77)
    );
    assert_eq!(message.outcomes[1], Some(outcome(DeliveryResult::Deferred)));
    assert_eq!(spool.content(&waiting).unwrap().read_all().unwrap(), b"patience");
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let disk = SimDisk::new(1);
    let world = World::simulated(1, disk.clone());
    let mut model = Model::default();
    let spool = model.open(&world).unwrap();
    disk.set_capacity_bytes(40_000);
    let random = SimRandom::new(1);
    for _ in 0..200 {
        model.accept(&spool, &random);
    }
    let mut incoming = spool.begin(1);
    let refused = incoming.write(&[b'x'; 30_000]).and_then(|()| {
        incoming
            .commit_and_wait(&envelope(3), &Facts::default())
            .map(drop)
    });
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
    drop(spool);
    disk.crash();
    drop(model.open(&world).unwrap());
}

#[test]
fn the_daemon_s_threads_keep_what_they_promise() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::real();
    let options = SpoolOptions {
        segment_bytes: 256 * 1024,
        inline_bytes_max: 16 * 1024,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), &options, &world).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8usize {
            let spool = &spool;
            scope.spawn(move || {
                for n in 0..30usize {
                    let mut incoming = spool.begin(1_700_000_000_000_000);
                    incoming.write(&vec![b'a'; n * writer * 100]).unwrap();
                    let committed = incoming.commit_and_wait(&envelope(2), &Facts::default()).unwrap();
                    if n % 3 > 0 {
                        spool.remove(committed.queue_id()).unwrap();
                    }
                }
            });
        }
    });
    spool.flush().unwrap();
    let (view, _) = Spool::open_read_only(dir.path(), &world).unwrap();
    assert_eq!(view.message_count(), 80);
    assert!(
        view.remove(&view.queue_ids()[0].0).is_err(),
        "a view changed the queue"
    );
    drop(spool);
    for _ in 0..20 {
        let (spool, _) = Spool::open(dir.path(), &options, &world).unwrap();
        let mut incoming = spool.begin(1_700_000_000_000_000);
        incoming.write(b"short").unwrap();
        let committed = incoming.commit_and_wait(&envelope(2), &Facts::default()).unwrap();
        spool.remove(committed.queue_id()).unwrap();
    }
    let (spool, recovered) = Spool::open(dir.path(), &options, &world).unwrap();
    assert_eq!((recovered.messages.len(), recovered.damage.len()), (80, 0));
    for (id, _) in spool.queue_ids() {
        let content = spool.content(&id).unwrap();
        assert_eq!(content.read_all().unwrap().len() as u64, content.size_bytes());
    }
}

#[test]
fn the_last_handle_may_go_inside_a_callback() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        segment_bytes: 64 * 1024,
        inline_bytes_max: 4096,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), &options, &World::real()).unwrap();
    let incoming = spool.begin(1);
    let (done, wait) = std::sync::mpsc::channel();
    incoming.commit(&envelope(1), &Facts::default(), move |result| {
        drop(spool);
        done.send(result.is_ok()).unwrap();
    });
    assert_eq!(
        wait.recv_timeout(std::time::Duration::from_secs(20)),
        Ok(true),
        "it waits for itself"
    );
}
