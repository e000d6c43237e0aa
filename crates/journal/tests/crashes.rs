//! Crashes at every disk operation: what was acknowledged is replayed intact and in order, nothing torn or void is.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use journal::{Error, Journal, Options, Position, Record, Room, Urgency};
use world::{Disk, OpenMode, Random, SimDisk, SimRandom, World};

const DIR: &str = "/log";

fn options() -> Options {
    Options {
        segment_bytes: 4096,
        segment_bytes_min: 1024,
        first_segment_bytes: 1024,
        background: false,
        ..Options::default()
    }
}

fn payload(id: u64) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    let random = SimRandom::new(id);
    bytes.resize(8 + usize::try_from(random.next_u64() % 900).unwrap(), 0);
    random.fill(&mut bytes[8..]);
    bytes
}

#[derive(Default)]
struct Model {
    next_id: u64,
    /// Acknowledged, and where.
    acked: Arc<Mutex<BTreeMap<u64, Position>>>,
    /// Not there after a recovery, so never to come again.
    gone: BTreeSet<u64>,
    released: u32,
    /// Nothing up to here is needed.
    through: Option<Position>,
}

impl Model {
    fn open(&mut self, world: &World) -> journal::Result<Journal> {
        let mut found = BTreeMap::new();
        let mut last = None;
        let (journal, report) = Journal::open(Path::new(DIR), &options(), world, &mut |entry| {
            let id = u64::from_le_bytes(*entry.payload.first_chunk().unwrap());
            assert_eq!(entry.payload, payload(id), "record {id} is torn");
            assert_eq!(entry.kind, 7);
            assert!(last < Some((entry.position, id)), "out of order");
            last = Some((entry.position, id));
            found.insert(id, entry.position);
        })?;
        assert!(report.damage.is_empty(), "{:?}", report.damage);
        let mut acked = self.acked.lock().unwrap();
        let is_needed = |p: &Position| p.generation >= self.released && Some(*p) > self.through;
        for (id, position) in acked.iter().filter(|(_, p)| is_needed(p)) {
            assert_eq!(found.get(id), Some(position), "acknowledged record {id} is lost");
        }
        for (id, position) in &found {
            assert!(*id < self.next_id, "record {id} was never written");
            assert!(!self.gone.contains(id), "record {id} came back from the dead");
            assert_eq!(journal.read(*position).unwrap().payload, payload(*id));
        }
        self.gone
            .extend((0..self.next_id).filter(|id| !found.contains_key(id)));
        *acked = found;
        drop(acked);
        Ok(journal)
    }

    fn step(&mut self, journal: &Journal, random: &SimRandom) {
        let (id, acked) = (self.next_id, Arc::clone(&self.acked));
        self.next_id += 1;
        let urgency = if random.next_u64().is_multiple_of(3) {
            Urgency::Lazy
        } else {
            Urgency::Now
        };
        journal.append(
            vec![Record {
                kind: 7,
                payload: payload(id),
            }],
            urgency,
            move |result| {
                if let Ok(position) = result {
                    acked.lock().unwrap().insert(id, position);
                }
            },
        );
        if random.next_u64().is_multiple_of(7) {
            let segments = journal.segments();
            let newest = segments.last().unwrap().0;
            self.released = self
                .released
                .max(newest.saturating_sub(u32::try_from(random.next_u64() % 4).unwrap()));
            journal.release_before(self.released);
        }
    }

    /// Says that nothing acknowledged so far is needed.
    fn release_all(&mut self, journal: &Journal) {
        self.through = self
            .acked
            .lock()
            .unwrap()
            .values()
            .max()
            .copied()
            .max(self.through);
        if let Some(through) = self.through {
            self.released = self.released.max(through.generation);
            journal.release_before(self.released);
            journal.release_through(through);
        }
    }
}

fn scenario(seed: u64, rounds: u32) {
    let disk = SimDisk::new(seed);
    let world = World::simulated(seed, disk.clone());
    let random = SimRandom::new(seed ^ 0x5eed);
    let mut model = Model::default();
    for round in 0..rounds {
        disk.crash_at(1 + random.next_u64() % 60);
        if let Ok(journal) = model.open(&world) {
            for _ in 0..40 {
                model.step(&journal, &random);
                if disk.is_down() {
                    break;
                }
            }
            if round % 3 == 0 && !disk.is_down() {
                disk.kill();
                drop(journal);
                continue;
            }
            drop(journal);
        }
        disk.crash();
    }
    model.open(&world).unwrap();
}

#[test]
fn nothing_acknowledged_is_lost_whatever_the_crash() {
    for seed in 0..20 {
        scenario(seed, 12);
    }
}

#[test]
fn a_failed_operation_ends_the_log_or_is_survived() {
    for k in 1..60 {
        let disk = SimDisk::new(k);
        let world = World::simulated(k, disk.clone());
        let random = SimRandom::new(k);
        let mut model = Model::default();
        let journal = model.open(&world).unwrap();
        disk.fail_at(k);
        for _ in 0..40 {
            model.step(&journal, &random);
        }
        drop(journal);
        disk.crash();
        model.open(&world).unwrap();
    }
}

#[test]
fn a_failed_flush_is_final() {
    let disk = SimDisk::new(3);
    let world = World::simulated(3, disk.clone());
    let (journal, _) = Journal::open(Path::new(DIR), &options(), &world, &mut |_| {}).unwrap();
    journal
        .append_and_wait(vec![Record {
            kind: 1,
            payload: vec![1],
        }])
        .unwrap();
    disk.fail_at(2);
    let append = || {
        journal.append_and_wait(vec![Record {
            kind: 1,
            payload: vec![2],
        }])
    };
    assert!(matches!(append(), Err(Error::Closed(_))));
    assert!(
        matches!(append(), Err(Error::Closed(_))),
        "the disk works again, but the log must not"
    );
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let disk = SimDisk::new(3);
    disk.set_capacity_bytes(3 * 4096);
    let world = World::simulated(3, disk.clone());
    let mut model = Model::default();
    let journal = model.open(&world).unwrap();
    let mut full = 0;
    for id in 0..200 {
        model.next_id = id + 1;
        match journal.append_and_wait(vec![Record {
            kind: 7,
            payload: payload(id),
        }]) {
            Ok(position) => {
                model.acked.lock().unwrap().insert(id, position);
            }
            Err(Error::Full { .. }) => full += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(full > 100, "the disk was never full");
    model.released = journal.segments().last().unwrap().0;
    journal.release_before(model.released);
    journal.sync().unwrap();
    model.next_id += 1;
    journal
        .append_and_wait(vec![Record {
            kind: 7,
            payload: payload(200),
        }])
        .unwrap();
    drop(journal);
    disk.crash();
    model.open(&world).unwrap();
}

/// An append that may have the reserve, and its end.
fn append_reserved(journal: &Journal, id: u64, payload: Vec<u8>) -> journal::Result<Position> {
    let (done, told) = std::sync::mpsc::channel();
    let record = Record { kind: 7, payload };
    journal.append_lazily(vec![record], Room::Reserved, move |result| {
        done.send(result).unwrap();
    });
    // What waits is committed with the next that does not, which may be nothing.
    journal.sync().unwrap();
    told.try_recv()
        .unwrap_or_else(|_| panic!("nobody was told of {id}"))
}

#[test]
fn crashes_on_a_full_disk_lose_nothing_either() {
    let mut begun_again = 0;
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        let world = World::simulated(seed, disk.clone());
        let random = SimRandom::new(seed ^ 0xf011);
        let mut model = Model::default();
        disk.set_capacity_bytes(1024 + random.next_u64() % 9000);
        for _ in 0..12 {
            disk.crash_at(1 + random.next_u64() % 60);
            if let Ok(journal) = model.open(&world) {
                let mut reserved = 0;
                for _ in 0..60 {
                    let before = journal.segments();
                    model.step(&journal, &random);
                    if before.len() == 1 && before != journal.segments() && journal.segments().len() == 1 {
                        begun_again += 1;
                    }
                    if random.next_u64().is_multiple_of(5) {
                        model.release_all(&journal);
                    }
                    let reserve = random.next_u64() % 700;
                    journal.reserve(reserve);
                    journal.unreserve(std::mem::replace(&mut reserved, reserve));
                    if disk.is_down() {
                        break;
                    }
                }
            }
            disk.crash();
        }
        model.open(&world).unwrap();
    }
    assert!(
        begun_again > 20,
        "only {begun_again} segments were begun again in place"
    );
}

#[test]
fn a_log_without_room_for_anything_opens_and_goes_on_where_it_was() {
    let disk = SimDisk::new(3);
    let world = World::simulated(3, disk.clone());
    let mut model = Model::default();
    let journal = model.open(&world).unwrap();
    disk.set_capacity_bytes(0);
    let mut id = 0;
    for size in [100, 8] {
        while append_reserved(
            &journal,
            id,
            payload(id)[..8].iter().copied().chain(vec![0; size]).collect(),
        )
        .is_ok()
        {
            id += 1;
        }
    }
    drop(journal);
    let count = |world: &World| {
        let mut count = 0;
        let opened = Journal::open(Path::new(DIR), &options(), world, &mut |_| count += 1);
        let (journal, report) = opened.unwrap();
        assert!(report.damage.is_empty(), "{:?}", report.damage);
        (journal, count)
    };
    for _ in 0..5 {
        let (journal, found) = count(&world);
        assert_eq!(found, id);
        let refused = journal.append_and_wait(vec![Record {
            kind: 7,
            payload: payload(id),
        }]);
        let Err(error @ Error::Full { .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(
            error.to_string().contains("wants 1024 octets, there are 0"),
            "{error}"
        );
        drop(journal);
        disk.crash();
    }
    disk.set_capacity_bytes(u64::MAX);
    let (journal, _) = count(&world);
    journal
        .append_and_wait(vec![Record {
            kind: 7,
            payload: payload(id),
        }])
        .unwrap();
    drop(journal);
    assert_eq!(count(&world).1, id + 1);
}

#[test]
fn the_reserve_is_kept_from_those_who_may_not_have_it() {
    let disk = SimDisk::new(3);
    let world = World::simulated(3, disk.clone());
    for reserve in [500, 5000] {
        disk.set_capacity_bytes(20_000);
        let mut model = Model::default();
        for name in disk.list(Path::new(DIR)).unwrap_or_default() {
            disk.remove(&Path::new(DIR).join(name.name)).unwrap();
        }
        let journal = model.open(&world).unwrap();
        journal.reserve(reserve);
        let record = || Record {
            kind: 7,
            payload: vec![0; 168],
        };
        let mut written = 0;
        while journal.append_and_wait(vec![record()]).is_ok() {
            written += 1;
        }
        assert!(written > 30, "{written}");
        let mut more = 0;
        // 96 octets each with their header.
        while append_reserved(&journal, more, vec![0; 64]).is_ok() {
            more += 1;
        }
        assert!(
            (more + 2) * 96 >= reserve,
            "only {more} of the records that the reserve is for"
        );
    }
}

#[test]
fn segments_get_smaller_as_the_disk_gets_full() {
    let disk = SimDisk::new(3);
    disk.set_capacity_bytes(1024 + 7000);
    let world = World::simulated(3, disk.clone());
    let (journal, _) = Journal::open(Path::new(DIR), &options(), &world, &mut |_| {}).unwrap();
    while journal
        .append_and_wait(vec![Record {
            kind: 7,
            payload: vec![0; 168],
        }])
        .is_ok()
    {}
    let sizes: Vec<u64> = journal.segments().iter().map(|(_, size)| *size).collect();
    assert_eq!(
        sizes,
        [1024, 2048, 2048, 1024, 1024],
        "of 7000 octets that were free"
    );
    // Each refusal asks the file system and leaves the disk alone.
    let before = disk.operations();
    for _ in 0..10 {
        let refused = journal.append_and_wait(vec![Record {
            kind: 7,
            payload: vec![0; 168],
        }]);
        assert!(matches!(refused, Err(Error::Full { .. })));
    }
    assert_eq!(disk.operations(), before);
}

#[test]
fn the_daemon_s_threads_live_with_a_small_disk() {
    let disk = SimDisk::new(3);
    disk.set_capacity_bytes(40_000);
    let world = World::simulated(3, disk.clone());
    let options = Options {
        segment_bytes: 64 * 1024,
        background: true,
        ..options()
    };
    let (journal, _) = Journal::open(Path::new(DIR), &options, &world, &mut |_| {}).unwrap();
    let mut written = 0;
    let refusal = loop {
        match journal.append_and_wait(vec![Record {
            kind: 7,
            payload: vec![0; 968],
        }]) {
            Ok(position) => written = position.generation,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, Error::Full { .. }), "{refusal}");
    assert!(written > 2, "only {written} segments");
    assert!(
        disk.free_bytes(Path::new(DIR)).unwrap() < 3000,
        "room is left that was refused"
    );
    journal.release_before(written);
    journal.sync().unwrap();
    journal
        .append_and_wait(vec![Record {
            kind: 7,
            payload: vec![0; 968],
        }])
        .unwrap();
}

#[test]
fn damage_is_reported() {
    let disk = SimDisk::new(3);
    let world = World::simulated(3, disk.clone());
    let mut model = Model::default();
    let journal = model.open(&world).unwrap();
    for id in 0..40 {
        journal
            .append_and_wait(vec![Record {
                kind: 7,
                payload: payload(id),
            }])
            .unwrap();
    }
    drop(journal);
    let name = Path::new(DIR).join("segment-000002");
    let file = disk.open(&name, OpenMode::ReadWrite).unwrap();
    file.write_all_at(b"x", 700).unwrap();
    let (_, report) = journal::inspect(Path::new(DIR), &world, &mut |_| {}).unwrap();
    assert!(
        report.damage.iter().any(|d| d.contains("segment-000002")),
        "{:?}",
        report.damage
    );
    disk.remove(&name).unwrap();
    let (_, report) = journal::inspect(Path::new(DIR), &world, &mut |_| {}).unwrap();
    assert!(
        report.damage.iter().any(|d| d.contains("missing")),
        "{:?}",
        report.damage
    );
}

#[test]
fn what_is_pinned_outlives_its_release() {
    let world = World::simulated(3, SimDisk::new(3));
    let (journal, _) = Journal::open(Path::new(DIR), &options(), &world, &mut |_| {}).unwrap();
    let write = |id| {
        journal
            .append_and_wait(vec![Record {
                kind: 7,
                payload: payload(id),
            }])
            .unwrap()
    };
    let position = write(1);
    let pinned = journal.pin(position).unwrap();
    for id in 2..200 {
        write(id);
        journal.release_before(journal.segments().last().unwrap().0);
    }
    assert!(matches!(journal.read(position), Err(Error::Gone { .. })));
    let mut bytes = vec![0; pinned.payload_bytes()];
    pinned.read_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, payload(1));
    assert!(journal.segments().len() < 4, "segments are used again");
}

#[test]
fn fifty_writers_share_flushes_on_the_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 256 * 1024,
        first_segment_bytes: 64 * 1024,
        ..Options::default()
    };
    let world = World::real();
    let (journal, _) = Journal::open(dir.path(), &options, &world, &mut |_| {}).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..50 {
            let journal = &journal;
            scope.spawn(move || {
                for i in 0..20 {
                    journal
                        .append_and_wait(vec![Record {
                            kind: 7,
                            payload: payload(writer * 1000 + i),
                        }])
                        .unwrap();
                }
            });
        }
    });
    drop(journal);
    let mut found = BTreeSet::new();
    let (_, report) = Journal::open(dir.path(), &options, &world, &mut |entry| {
        found.insert(entry.payload.to_vec());
    })
    .unwrap();
    assert!(report.damage.is_empty());
    assert_eq!(
        found,
        (0..50)
            .flat_map(|w| (0..20).map(move |i| payload(w * 1000 + i)))
            .collect()
    );
}

#[test]
fn a_lazy_record_gets_to_disk_though_nothing_urgent_comes() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 256 * 1024,
        lazy_delay: Duration::from_millis(1),
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), &options, &World::real(), &mut |_| {}).unwrap();
    for id in 0..200 {
        let (done, durable) = std::sync::mpsc::channel();
        let record = Record {
            kind: 7,
            payload: payload(id),
        };
        journal.append(vec![record], Urgency::Lazy, move |result| {
            done.send(result).unwrap();
        });
        if id % 3 == 0 {
            // From here on the committer falls asleep at another moment.
            journal.sync().unwrap();
        }
        durable.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
    }
}
