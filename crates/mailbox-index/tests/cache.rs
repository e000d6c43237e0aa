//! The cache beside an index: what it gives after damage, crashes and other processes' work is right or nothing.

use std::fs;
use std::path::Path;

use mailbox::cache::Entry;
use mailbox::{Cache, Derived, Uid, UidSet};
use mailbox_index::CacheFile;
use proptest::prelude::*;

const VALIDITY: u32 = 7;

fn content(uid: Uid, kind: Derived) -> Vec<u8> {
    format!("{kind:?} of {uid};")
        .repeat(uid as usize % 30)
        .into_bytes()
}

fn entries(uids: std::ops::RangeInclusive<Uid>) -> Vec<Entry> {
    let both = |uid| [Derived::Head, Derived::Structure].map(|kind| (uid, kind));
    uids.flat_map(both)
        .map(|(uid, kind)| Entry {
            uid,
            kind,
            content: content(uid, kind),
        })
        .collect()
}

/// What a new opening knows of this message.
fn known(directory: &Path, uid: Uid, kind: Derived) -> Option<Vec<u8>> {
    let mut into = Vec::new();
    CacheFile::new(directory, VALIDITY)
        .recall(uid, kind, &mut into)
        .then_some(into)
}

#[test]
fn openings_add_to_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (
        CacheFile::new(directory.path(), VALIDITY),
        CacheFile::new(directory.path(), VALIDITY),
    );
    for step in 0..50 {
        let side = if step % 2 == 0 { &one } else { &two };
        side.remember(&entries(step * 10 + 1..=step * 10 + 10));
    }
    for cache in [&one, &two] {
        for uid in 1..=500 {
            let mut into = Vec::new();
            assert!(cache.recall(uid, Derived::Head, &mut into), "{uid}");
            assert_eq!(into, content(uid, Derived::Head));
        }
        assert!(!cache.recall(501, Derived::Head, &mut Vec::new()));
    }
}

#[test]
fn another_uid_validity_begins_with_nothing() {
    let directory = tempfile::tempdir().unwrap();
    CacheFile::new(directory.path(), VALIDITY + 1).remember(&entries(1..=9));
    assert_eq!(known(directory.path(), 3, Derived::Head), None);
    CacheFile::new(directory.path(), VALIDITY).remember(&entries(5..=6));
    assert_eq!(known(directory.path(), 3, Derived::Head), None);
    assert_eq!(
        known(directory.path(), 5, Derived::Head),
        Some(content(5, Derived::Head))
    );
}

#[test]
fn messages_that_are_gone_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let cache = CacheFile::new(directory.path(), VALIDITY);
    cache.remember(&entries(1..=5000));
    let large = fs::metadata(directory.path().join("yubin.cache")).unwrap().len();
    let living: UidSet = (1..=5000).filter(|uid| uid % 10 == 0).collect();
    cache.clean(|| living.clone());
    let small = fs::metadata(directory.path().join("yubin.cache")).unwrap().len();
    assert!(small < large / 5, "{large} octets, then {small}");
    for uid in 1..=5000 {
        let expected = living.contains(uid).then(|| content(uid, Derived::Structure));
        let mut into = Vec::new();
        let found = cache.recall(uid, Derived::Structure, &mut into).then_some(into);
        assert_eq!(found, expected, "{uid}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_keeps_nothing_and_fails_nothing() {
    let cache = CacheFile::new(Path::new("/nonexistent/mailbox"), VALIDITY);
    cache.remember(&entries(1..=3));
    assert!(!cache.recall(1, Derived::Head, &mut Vec::new()));
}

proptest! {
    #[test]
    fn damage_is_forgotten_never_believed(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("yubin.cache");
        let cache = CacheFile::new(directory.path(), VALIDITY);
        cache.remember(&entries(1..=20));
        cache.remember(&entries(21..=40));
        let mut octets = fs::read(&path).unwrap();
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        if !octets.is_empty() {
            let at = at.index(octets.len());
            octets[at] = with;
        }
        fs::write(&path, &octets).unwrap();
        // Whoever had it open, and whoever opens it now.
        for known_before in [true, false] {
            let opened = CacheFile::new(directory.path(), VALIDITY);
            let cache = if known_before { &cache } else { &opened };
            for uid in 1..=40 {
                let mut into = Vec::new();
                if cache.recall(uid, Derived::Head, &mut into) {
                    prop_assert_eq!(into, content(uid, Derived::Head));
                }
            }
        }
        // It can be used again.
        cache.remember(&entries(100..=101));
        for uid in (1..=40).chain(100..=101) {
            if let Some(found) = known(directory.path(), uid, Derived::Head) {
                prop_assert_eq!(found, content(uid, Derived::Head));
            }
        }
    }
}
