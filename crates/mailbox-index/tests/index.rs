//! The index against what it promises: reopening, two openers, torn and damaged files, and a model.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use mailbox::{Flags, Keyword, SystemFlags, Uid, UidSet};
use mailbox_index::{Change, Durability, Error, Index, NewMessage};
use proptest::prelude::*;

fn open(directory: &Path) -> Index {
    Index::open(directory, || 77).unwrap()
}

fn commit(index: &mut Index, fill: impl FnOnce(&mut Change)) {
    let lock = index.lock().unwrap();
    let mut change = index.change(&lock);
    fill(&mut change);
    index.commit(&lock, change, Durability::Synced).unwrap();
}

fn add(change: &mut Change, key: &str) {
    let flags = Flags {
        system: SystemFlags::SEEN,
        keywords: vec![Keyword::new("$Label")],
    };
    let message = NewMessage {
        flags: &flags,
        size_bytes: 100,
        internal_date_secs: -5,
        save_date_secs: 1_600_000_000,
        email_id: 0,
        key: key.as_bytes(),
    };
    change.add(message).unwrap();
}

fn keys(index: &Index) -> Vec<(Uid, String)> {
    let text = |r| String::from_utf8_lossy(index.key(r)).into_owned();
    index.records().iter().map(|r| (r.uid, text(r))).collect()
}

#[test]
fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = open(dir.path());
    assert!(index.is_new());
    commit(&mut index, |change| {
        add(change, "one");
        add(change, "two");
        change.set_state(b"seen so far").unwrap();
        change.set_first_recent(2);
    });
    commit(&mut index, |change| {
        change.set_flags(1, &Flags::system(SystemFlags::DELETED)).unwrap();
        change.set_key(2, b"zwei").unwrap();
        change.set_size(2, 7);
        change.skip_to_uid(10);
    });
    let again = open(dir.path());
    assert!(!again.is_new());
    assert_eq!(
        (again.uid_validity(), again.uid_next(), again.first_recent()),
        (77, 10, 2)
    );
    assert_eq!(again.highest_modseq(), index.highest_modseq());
    assert_eq!(again.state(), b"seen so far");
    assert_eq!(keys(&again), [(1, "one".to_owned()), (2, "zwei".to_owned())]);
    assert_eq!(again.changes(0), index.changes(0));
    let two = again.record(2).unwrap();
    assert_eq!((two.size_bytes, two.internal_date_secs), (7, -5));
    assert!(again.flags(two).has_keyword(&Keyword::new("$LABEL")));
}

#[test]
fn a_second_opener_sees_commits_folds_and_removal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("box");
    let (mut one, mut two) = (open(&path), open(&path));
    assert!(!two.is_new());
    for round in 0..60 {
        let (writer, reader) = if round % 2 == 0 {
            (&mut one, &mut two)
        } else {
            (&mut two, &mut one)
        };
        commit(writer, |change| {
            for number in 0..100 {
                add(change, &format!("{round}.{number}"));
            }
            if round > 0 {
                change.expunge(round);
            }
        });
        drop(reader.lock().unwrap());
        assert_eq!(keys(reader), keys(writer));
        assert_eq!(reader.changes(3), writer.changes(3));
    }
    std::fs::rename(&path, dir.path().join("away")).unwrap();
    assert!(matches!(one.lock(), Err(Error::Gone(_))));
    let new = Index::open(&path, || 78).unwrap();
    assert!(new.is_new());
    assert!(matches!(two.lock(), Err(Error::Gone(_))));
}

#[test]
fn changes_since_tell_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = open(dir.path());
    commit(&mut index, |change| {
        (0..5).for_each(|n| add(change, &n.to_string()));
    });
    let before = index.highest_modseq();
    commit(&mut index, |change| {
        change.expunge(2);
        change.expunge(4);
    });
    commit(&mut index, |change| {
        change.set_flags(5, &Flags::default()).unwrap()
    });
    let changes = index.changes(before);
    assert_eq!(changes.expunged, [2, 4].into_iter().collect::<UidSet>());
    assert_eq!(changes.messages.iter().map(|m| m.uid).collect::<Vec<_>>(), [5]);
    assert_eq!(index.changes(index.highest_modseq()).messages, []);
    // So many single expunges that the history forgets its beginning.
    commit(&mut index, |change| {
        (0..20_000).for_each(|n| add(change, &n.to_string()))
    });
    let before_many = index.highest_modseq();
    commit(&mut index, |change| {
        (6..20_000).step_by(2).for_each(|uid| change.expunge(uid))
    });
    let reopened = open(dir.path());
    for gone in [
        reopened.changes(before_many).expunged,
        reopened.changes(1).expunged,
    ] {
        assert!((6..20_000).step_by(2).all(|uid| gone.contains(uid)));
        assert!(reopened.records().iter().all(|r| !gone.contains(r.uid)));
    }
}

/// Octets of the log's header; where in it the checksum ends.
const HEADER: usize = 40;
const HEADER_USED: usize = 36;

/// The log as it was before any commit and after each of four, and where its records end then.
fn four_commits(directory: &Path) -> Vec<(Vec<u8>, usize)> {
    let mut index = open(directory);
    let log = directory.join("yubin.index.log");
    let mut images = vec![(std::fs::read(&log).unwrap(), HEADER)];
    for number in 0..4 {
        commit(&mut index, |change| add(change, &format!("message {number}")));
        let bytes = std::fs::read(&log).unwrap();
        let end = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
        images.push((bytes, end));
    }
    images
}

#[test]
fn a_torn_last_record_is_cut_and_changes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("yubin.index.log");
    let images = four_commits(dir.path());
    for commits in 0..4 {
        let (before, start) = &images[commits];
        let (after, end) = &images[commits + 1];
        for cut in *start..*end {
            // Killed while writing: the first octets of the record. A power cut: any of them, in whatever order.
            for reordered in [false, true] {
                let mut torn = before.clone();
                match reordered {
                    false => torn[*start..cut].copy_from_slice(&after[*start..cut]),
                    true => torn[cut..*end].copy_from_slice(&after[cut..*end]),
                }
                if torn[*start..*end] == after[*start..*end] {
                    continue;
                }
                std::fs::write(&log, &torn).unwrap();
                let mut again = Index::open(dir.path(), || 78).unwrap();
                assert_eq!((again.uid_validity(), again.damage()), (77, None), "cut at {cut}");
                assert_eq!(again.records().len(), commits, "cut at {cut}");
                // What is written after recovery does not bring back what lies behind it.
                commit(&mut again, |change| add(change, &format!("message {commits}")));
                assert_eq!(keys(&open(dir.path())), keys(&again), "cut at {cut}");
            }
        }
    }
}

#[test]
fn a_mark_that_a_power_cut_took_back_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("yubin.index.log");
    let images = four_commits(dir.path());
    for commits in 1..=4 {
        let mut bytes = images[commits].0.clone();
        bytes[..HEADER].copy_from_slice(&images[commits - 1].0[..HEADER]);
        std::fs::write(&log, &bytes).unwrap();
        let again = Index::open(dir.path(), || 78).unwrap();
        assert_eq!((again.uid_validity(), again.records().len()), (77, commits));
    }
}

#[test]
fn uids_that_nobody_was_shown_may_be_lost_until_they_are_settled() {
    // By whom they are settled: nobody, the one who made them, another opener.
    for by in ["nobody", "the same", "another"] {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("yubin.index.log");
        let mut index = open(dir.path());
        let before = std::fs::read(&log).unwrap();
        let lock = index.lock().unwrap();
        let mut change = index.change(&lock);
        add(&mut change, "message");
        index.commit(&lock, change, Durability::Unshown).unwrap();
        drop(lock);
        let settle = |index: &mut Index| {
            let lock = index.lock().unwrap();
            index.settle(&lock).unwrap();
        };
        match by {
            "nobody" => {}
            "the same" => settle(&mut index),
            _ => settle(&mut open(dir.path())),
        }
        drop(index);
        let mut lost = std::fs::read(&log).unwrap();
        assert_eq!(open(dir.path()).records().len(), 1);
        lost[HEADER..].copy_from_slice(&before[HEADER..]);
        std::fs::write(&log, &lost).unwrap();
        let again = Index::open(dir.path(), || 78).unwrap();
        assert_eq!(again.damage().is_some(), by != "nobody", "settled by {by}");
    }
}

#[test]
fn damage_to_what_was_on_disk_never_takes_uids_back() {
    type Damage = fn(&mut Vec<u8>, usize);
    let damages: [(&str, Damage); 3] = [
        ("flipped", |bytes, at| bytes[at] ^= 0x41),
        ("truncated", |bytes, at| bytes.truncate(at)),
        ("zeroed", |bytes, at| bytes[at..].fill(0)),
    ];
    let dir = tempfile::tempdir().unwrap();
    let images = four_commits(dir.path());
    let base = std::fs::read(dir.path().join("yubin.index")).unwrap();
    let (whole, end) = &images[4];
    for (what, damage) in damages {
        for at in (0..HEADER_USED).chain(HEADER..*end).step_by(3) {
            let mut damaged = whole.clone();
            damage(&mut damaged, at);
            if damaged == *whole {
                continue;
            }
            std::fs::write(dir.path().join("yubin.index"), &base).unwrap();
            std::fs::write(dir.path().join("yubin.index.log"), &damaged).unwrap();
            let fresh = Index::open(dir.path(), || 78).unwrap();
            assert!(fresh.is_new() && fresh.damage().is_some(), "{what} at {at}");
            assert_eq!((fresh.uid_validity(), fresh.records().len()), (78, 0));
            // It is sound from here on.
            let again = Index::open(dir.path(), || 79).unwrap();
            assert_eq!((again.uid_validity(), again.damage()), (78, None));
        }
    }
}

#[test]
fn damage_under_a_session_ends_its_use_of_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("yubin.index.log");
    let (mut one, mut two) = (open(dir.path()), open(dir.path()));
    commit(&mut one, |change| add(change, "one"));
    drop(two.lock().unwrap());
    commit(&mut one, |change| add(change, "two"));
    let mut bytes = std::fs::read(&log).unwrap();
    let last = bytes.iter().rposition(|b| *b != 0).unwrap();
    bytes[last] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    assert!(matches!(two.lock(), Err(Error::Gone(_))));
    assert_eq!(Index::open(dir.path(), || 78).unwrap().uid_validity(), 78);
}

#[test]
fn base_and_log_of_different_times_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (base, log) = (dir.path().join("yubin.index"), dir.path().join("yubin.index.log"));
    let read = || (std::fs::read(&base).unwrap(), std::fs::read(&log).unwrap());
    let mut index = open(dir.path());
    commit(&mut index, |change| add(change, "kept"));
    let early = read();
    let fold = |index: &mut Index| {
        commit(index, |change| {
            (0..2500).for_each(|_| change.set_size(u32::MAX, 0))
        });
    };
    fold(&mut index);
    commit(&mut index, |change| add(change, "late"));
    let late = read();
    for (bytes_of_base, bytes_of_log) in [(&early.0, &late.1), (&late.0, &early.1)] {
        std::fs::write(&base, bytes_of_base).unwrap();
        std::fs::write(&log, bytes_of_log).unwrap();
        let fresh = Index::open(dir.path(), || 78).unwrap();
        assert_eq!(fresh.uid_validity(), 78);
        assert!(fresh.damage().unwrap().contains("does not belong"));
    }
    std::fs::write(&log, &late.1).unwrap();
    std::fs::remove_file(&base).unwrap();
    let fresh = Index::open(dir.path(), || 78).unwrap();
    assert!(
        fresh.damage().unwrap().contains("is missing"),
        "not a new mailbox"
    );
}

#[test]
fn a_damaged_base_is_reported_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("yubin.index");
    let mut index = open(dir.path());
    commit(&mut index, |change| {
        (0..3000).for_each(|n| add(change, &n.to_string()))
    });
    let whole = std::fs::read(&base).unwrap();
    for at in [0, 9, 40, 95, 96, 2000, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&base, damaged).unwrap();
        let fresh = Index::open(dir.path(), || 78).unwrap();
        assert!(fresh.is_new() && fresh.damage().is_some(), "byte {at}");
        assert_eq!((fresh.uid_validity(), fresh.records().len()), (78, 0));
    }
    std::fs::remove_file(dir.path().join("yubin.index.log")).unwrap();
    let fresh = Index::open(dir.path(), || 79).unwrap();
    assert!(fresh.damage().is_some(), "UIDs handed out are lost with the log");
    assert_eq!(fresh.uid_validity(), 79);
}

#[test]
fn a_crash_at_any_step_of_a_fold_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let (base, log) = (dir.path().join("yubin.index"), dir.path().join("yubin.index.log"));
    let mut index = open(dir.path());
    commit(&mut index, |change| add(change, "kept"));
    let (old_base, old_log) = (std::fs::read(&base).unwrap(), std::fs::read(&log).unwrap());
    commit(&mut index, |change| {
        (0..2500).for_each(|_| change.set_size(u32::MAX, 0))
    });
    let (new_base, new_log) = (std::fs::read(&base).unwrap(), std::fs::read(&log).unwrap());
    // The header with the new generation and the old mark.
    let mut announced = old_log.clone();
    announced[8..16].copy_from_slice(&new_log[8..16]);
    let crc = crc32c::crc32c(&announced[..32]);
    announced[32..36].copy_from_slice(&crc.to_le_bytes());
    for (step, bytes_of_base, bytes_of_log) in [
        ("nothing done", &old_base, &old_log),
        ("announced", &old_base, &announced),
        ("in place", &new_base, &announced),
        ("marked", &new_base, &new_log),
    ] {
        std::fs::write(&base, bytes_of_base).unwrap();
        std::fs::write(&log, bytes_of_log).unwrap();
        for round in 0..2 {
            let mut again = Index::open(dir.path(), || 78).unwrap();
            assert_eq!((again.uid_validity(), again.damage()), (77, None), "{step}");
            commit(&mut again, |change| add(change, "too"));
            assert_eq!(keys(&open(dir.path())).len(), 2 + round, "{step}");
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Flag(u32, u8, u8),
    Key(u32),
    Expunge(u32),
    Reopen,
    Fold,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..4).prop_map(Step::Add),
        3 => (1u32..30, 0u8..32, 0u8..4).prop_map(|(uid, flags, keyword)| Step::Flag(uid, flags, keyword)),
        2 => (1u32..30).prop_map(Step::Key),
        2 => (1u32..30).prop_map(Step::Expunge),
        1 => Just(Step::Reopen),
        1 => Just(Step::Fold),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn it_is_what_a_plain_list_would_be(steps in proptest::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut index = open(dir.path());
        let mut model: Vec<(Uid, u8, Vec<String>, String)> = Vec::new();
        let mut next = 1;
        for (number, step) in steps.into_iter().enumerate() {
            let before: Vec<Uid> = model.iter().map(|m| m.0).collect();
            let modseq = index.highest_modseq();
            match step {
                Step::Add(count) => commit(&mut index, |change| for _ in 0..count {
                    let key = format!("{number}");
                    model.push((next, 8, vec!["$Label".into()], key.clone()));
                    add(change, &key);
                    next += 1;
                }),
                Step::Flag(uid, bits, keyword) => commit(&mut index, |change| {
                    let keywords = vec![Keyword::new(&format!("k{keyword}"))];
                    change.set_flags(uid, &Flags { system: SystemFlags(bits), keywords }).unwrap();
                    if let Some(m) = model.iter_mut().find(|m| m.0 == uid) {
                        (m.1, m.2) = (bits, vec![format!("k{keyword}")]);
                    }
                }),
                Step::Key(uid) => commit(&mut index, |change| {
                    change.set_key(uid, b"moved").unwrap();
                    if let Some(m) = model.iter_mut().find(|m| m.0 == uid) { m.3 = "moved".into(); }
                }),
                Step::Expunge(uid) => {
                    commit(&mut index, |change| change.expunge(uid));
                    model.retain(|m| m.0 != uid);
                    let gone: Vec<Uid> = before.into_iter().filter(|u| *u == uid).collect();
                    prop_assert_eq!(index.changes(modseq).expunged.iter().collect::<Vec<_>>(), gone);
                }
                Step::Reopen => index = open(dir.path()),
                // An operation on nothing, so often that the log is folded.
                Step::Fold => commit(&mut index, |change| (0..2500).for_each(|_| change.set_size(u32::MAX, 0))),
            }
            let seen: Vec<_> = index.records().iter().map(|r| {
                let flags = index.flags(r);
                let keywords = flags.keywords.iter().map(|k| k.as_str().to_owned()).collect::<Vec<_>>();
                (r.uid, flags.system.0, keywords, String::from_utf8_lossy(index.key(r)).into_owned())
            }).collect();
            prop_assert_eq!(&seen, &model);
            prop_assert_eq!(index.uid_next(), next);
        }
    }
}
