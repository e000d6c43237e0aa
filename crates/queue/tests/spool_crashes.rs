//! The spool under crashes at every disk operation: what was answered 250 is there with its content and outcomes.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use address::Address;
use envelope::{BodyKind, DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode};
use queue::spool::SpoolOptions;
use queue::{Error, Facts, Notice, QueueName, Spool};
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
        detail: Default::default(),
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
    /// Removed, and flushed.
    gone: BTreeSet<QueueId>,
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
            assert!(!self.gone.contains(&id), "{id} was removed and came back");
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
                if spool.outcomes(id).unwrap()[recipient as usize].is_some() {
                    return;
                }
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
                let removed = spool.remove(id).is_ok();
                if removed && random.next_u64().is_multiple_of(2) && spool.flush().is_ok() {
                    self.gone.insert(id.clone());
                }
            }
        }
    }
}

fn scenario(seed: u64, capacity_bytes: u64, crash_at: impl Fn(u64) -> u64) {
    let disk = SimDisk::new(seed);
    disk.set_capacity_bytes(capacity_bytes);
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
                if capacity_bytes < u64::MAX
                    && let Err(error) = spool.flush()
                {
                    // Whatever room there is: what became of messages has its own.
                    assert!(disk.is_down(), "{error}");
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
        scenario(seed, u64::MAX, |_| 1 + random.next_u64() % 150);
    }
    // Every operation of the first start and the first messages.
    for k in (1..60).step_by(3) {
        scenario(k, u64::MAX, |round| if round == 0 { k } else { 40 + k });
    }
}

#[test]
fn nothing_is_forgotten_on_a_full_disk_at_a_crash_anywhere() {
    for seed in 0..12 {
        let random = SimRandom::new(seed);
        scenario(seed, 12_000 + random.next_u64() % 30_000, |_| {
            1 + random.next_u64() % 300
        });
    }
}

/// Fills the disk with messages of `recipients`; their ids.
fn fill(spool: &Spool, recipients: usize) -> Vec<QueueId> {
    let mut accepted = Vec::new();
    loop {
        let mut incoming = spool.begin(1_700_000_000_000_000);
        incoming.write(&[b'x'; 100]).unwrap();
        match incoming.commit_and_wait(&envelope(recipients), &Facts::default()) {
            Ok(committed) => accepted.push(committed.queue_id().clone()),
            Err(Error::Full(_)) => return accepted,
            Err(other) => panic!("{other}"),
        }
    }
}

fn open(world: &World) -> (Spool, queue::Recovered) {
    let (spool, recovered) = Spool::open(Path::new(DIR), &options(), world).unwrap();
    assert!(recovered.damage.is_empty(), "{:?}", recovered.damage);
    (spool, recovered)
}

#[test]
fn outcomes_and_removals_have_room_when_the_disk_is_full() {
    for how in ["removed", "outcomes", "deferred first"] {
        let disk = SimDisk::new(1);
        let world = World::simulated(1, disk.clone());
        disk.set_capacity_bytes(30_000);
        let (spool, _) = open(&world);
        let ids = fill(&spool, 2);
        assert!(ids.len() > 20, "{how}: only {} messages", ids.len());
        if how == "deferred first" {
            for _ in 0..20 {
                for id in &ids {
                    let waiting = vec![
                        (0, outcome(DeliveryResult::Deferred)),
                        (1, outcome(DeliveryResult::Deferred)),
                    ];
                    spool.record(id, waiting).unwrap();
                    spool.defer(id, 7).unwrap();
                }
                spool.flush().unwrap();
            }
        }
        for id in &ids {
            spool
                .record(id, vec![(0, outcome(DeliveryResult::Sent))])
                .unwrap();
            if how != "outcomes" {
                spool
                    .record(id, vec![(1, outcome(DeliveryResult::Bounced))])
                    .unwrap();
                spool.remove(id).unwrap();
            }
        }
        spool.flush().unwrap();
        drop(spool);
        disk.crash();
        // Restarts take room too.
        for _ in 0..3 {
            let (spool, recovered) = open(&world);
            if how != "outcomes" {
                assert_eq!(recovered.messages, [], "{how}: delivered messages came back");
                continue;
            }
            assert_eq!(recovered.messages.len(), ids.len());
            for id in &ids {
                assert_eq!(
                    spool.outcomes(id).unwrap(),
                    [Some(outcome(DeliveryResult::Sent)), None]
                );
            }
        }
        if how != "outcomes" {
            let (spool, _) = open(&world);
            assert!(fill(&spool, 2).len() > 20, "{how}: an empty queue refuses");
        }
    }
}

#[test]
fn what_does_not_get_to_the_disk_is_told_and_written_when_it_can() {
    let disk = SimDisk::new(1);
    let world = World::simulated(1, disk.clone());
    disk.set_capacity_bytes(20_000);
    let (spool, _) = open(&world);
    let told = Arc::new(Mutex::new(Vec::new()));
    let notices = Arc::clone(&told);
    spool.watch(move |notice| notices.lock().unwrap().push(notice.clone()));
    let ids = fill(&spool, 1);
    // More often than anybody reckons with.
    for again in 0..5 {
        for id in &ids {
            let last = Outcome {
                text: format!("{again} {}", "x".repeat(150)),
                ..outcome(DeliveryResult::Sent)
            };
            spool.record(id, vec![(0, last)]).unwrap();
        }
    }
    let last = spool.outcomes(&ids[0]).unwrap();
    let refused = spool.flush();
    let Err(error @ Error::Unwritten { messages, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(messages > 0, "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(
        matches!(told.lock().unwrap()[..], [Notice::Unwritten(_)]),
        "told {told:?}"
    );
    assert!(matches!(spool.finish(), Err(Error::Unwritten { .. })));
    disk.set_capacity_bytes(u64::MAX);
    spool.flush().unwrap();
    assert!(
        matches!(told.lock().unwrap()[..], [_, Notice::Written]),
        "told {told:?}"
    );
    drop(spool);
    disk.crash();
    let (spool, recovered) = open(&world);
    assert_eq!(recovered.messages.len(), ids.len());
    for id in &ids {
        assert_eq!(spool.outcomes(id).unwrap(), last);
    }
}

#[test]
fn a_long_answer_is_cut_rather_than_forgotten() {
    let disk = SimDisk::new(1);
    let world = World::simulated(1, disk.clone());
    disk.set_capacity_bytes(30_000);
    let (spool, _) = open(&world);
    let ids = fill(&spool, 2);
    let long = Outcome {
        text: "é".repeat(450),
        relay: "x".repeat(300),
        ..outcome(DeliveryResult::Sent)
    };
    for id in &ids {
        for recipient in 0..2 {
            spool.record(id, vec![(recipient, long.clone())]).unwrap();
        }
    }
    spool.flush().unwrap();
    assert_eq!(
        spool.outcomes(&ids[0]).unwrap(),
        [Some(long.clone()), Some(long.clone())]
    );
    drop(spool);
    disk.crash();
    let (spool, _) = open(&world);
    let mut cut = 0;
    for id in &ids {
        for known in spool.outcomes(id).unwrap() {
            let known = known.unwrap_or_else(|| panic!("an outcome of {id} was forgotten"));
            assert_eq!(known.result, DeliveryResult::Sent);
            assert!(long.text.starts_with(&known.text) && !known.text.is_empty());
            cut += usize::from(known.text.len() < long.text.len());
        }
    }
    assert!(cut > ids.len(), "only {cut} were cut: the disk was not full");
}

#[test]
fn a_queue_that_is_empty_again_takes_mail_however_small_its_disk() {
    let disk = SimDisk::new(1);
    let world = World::simulated(1, disk.clone());
    // One segment, and not half of another.
    disk.set_capacity_bytes(10_000);
    let (mut spool, _) = open(&world);
    let first = fill(&spool, 1);
    let mut ids = first.clone();
    assert!(ids.len() > 10, "only {} messages", ids.len());
    for round in 0..20 {
        for id in &ids {
            spool
                .record(id, vec![(0, outcome(DeliveryResult::Sent))])
                .unwrap();
            spool.remove(id).unwrap();
        }
        spool.flush().unwrap();
        if round % 3 == 0 {
            drop(spool);
            disk.crash();
            let (opened, recovered) = open(&world);
            assert_eq!(recovered.messages, []);
            spool = opened;
        }
        ids = fill(&spool, 1);
        assert!(
            ids.len() + 1 >= first.len(),
            "round {round}: {} messages",
            ids.len()
        );
    }
}

#[test]
fn a_clean_end_is_told_from_another() {
    let disk = SimDisk::new(1);
    let world = World::simulated(1, disk.clone());
    let unclean = || open(&world).1.unclean;
    assert!(!unclean(), "there was nothing before");
    let accept = |spool: &Spool| {
        let mut incoming = spool.begin(1);
        incoming.write(b"x").unwrap();
        let committed = incoming.commit_and_wait(&envelope(1), &Facts::default()).unwrap();
        committed.queue_id().clone()
    };
    let (daemon, _) = open(&world);
    daemon.start();
    accept(&daemon);
    daemon.finish().unwrap();
    drop(daemon);
    assert!(!unclean() && !unclean(), "it was closed, and looked at");
    let (tool, _) = open(&world);
    let id = accept(&tool);
    tool.remove(&id).unwrap();
    drop(tool);
    assert!(!unclean(), "a tool changed it while nobody delivered");
    let (daemon, _) = open(&world);
    daemon.start();
    drop(daemon);
    assert!(
        unclean() && unclean(),
        "a daemon ended without saying so, and a tool looked"
    );
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
