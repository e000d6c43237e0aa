//! Tables that are broken, cut short or replaced while somebody asks them: an error or a true answer, never "not found".
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use settings::TableRef;
use tables::Tables;
use tables::build::{self, Options};
use tables::source::Syntax;

/// The types that have a database, and what follows the name of it.
const DATABASES: [(&str, &str); 5] = [
    ("hash", ".db"),
    ("btree", ".db"),
    ("dbm", ".db"),
    ("cdb", ".cdb"),
    ("lmdb", ".lmdb"),
];

fn many(value: &str) -> String {
    (0..500).map(|n| format!("key{n} {value}\n")).collect()
}

fn built(directory: &Path, kind: &str, text: &str) -> TableRef {
    let source = directory.join("map");
    std::fs::write(&source, text).unwrap();
    let table = TableRef::new(kind, source.to_str().unwrap());
    build::build(&table, Options::of(Syntax::Map)).unwrap();
    table
}

fn opened(table: &TableRef) -> Tables {
    Tables::open(std::slice::from_ref(table)).0
}

#[test]
fn a_database_that_is_cut_short_never_says_not_found() {
    for (kind, suffix) in DATABASES {
        let directory = tempfile::tempdir().unwrap();
        let table = built(directory.path(), kind, &many("value"));
        let file = format!("{}{suffix}", table.name);
        let whole = std::fs::read(&file).unwrap();
        let old = opened(&table);
        assert!(old.lookup("key1").unwrap().is_some());
        let anywhere = (1..25).map(|n| n * 7_919 % whole.len());
        let usual = [0, 1, 100, 2048, 4096, 5000, whole.len() / 2, whole.len() - 1];
        for part in usual.into_iter().chain(anywhere) {
            // As a copy over the file itself begins: cut to nothing, then written.
            std::fs::write(&file, &whole[..part.min(whole.len() - 1)]).unwrap();
            for tables in [&old, &opened(&table)] {
                for n in 0..500 {
                    let found = tables.lookup(&format!("key{n}"));
                    assert!(!matches!(found, Ok(None)), "{kind} cut to {part}: key{n}");
                }
            }
        }
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(
            old.lookup("key499").unwrap().as_deref(),
            Some("value"),
            "{kind}: whole again"
        );
    }
}

#[test]
fn a_database_that_is_replaced_while_it_is_asked_has_the_old_or_the_new_answer() {
    for (kind, _) in DATABASES {
        let directory = tempfile::tempdir().unwrap();
        let table = built(directory.path(), kind, &many("0"));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let tables = opened(&table);
                        let mut last = 0;
                        while !is_over.load(Ordering::Relaxed) {
                            let found = tables.lookup("key77").unwrap().expect("never not found");
                            let now: u32 = found.parse().unwrap();
                            assert!(now >= last, "{kind}: {now} after {last}");
                            last = now;
                        }
                    })
                })
                .collect();
            for n in 1..20 {
                built(directory.path(), kind, &many(&n.to_string()));
            }
            is_over.store(true, Ordering::Relaxed);
            for reader in readers {
                reader.join().unwrap();
            }
        });
    }
}

#[test]
fn a_database_that_may_not_be_read_is_an_error() {
    if os::is_root() {
        return testkit_note("root may read everything");
    }
    let directory = tempfile::tempdir().unwrap();
    let table = built(directory.path(), "hash", "a b\n");
    std::fs::set_permissions(
        format!("{}.db", table.name),
        std::fs::Permissions::from_mode(0o000),
    )
    .unwrap();
    let error = opened(&table).lookup("a").unwrap_err().to_string();
    assert_eq!(
        error,
        format!("open database {}.db: Permission denied", table.name)
    );
}

#[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
fn testkit_note(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn another_kind_of_file_is_an_error() {
    for (kind, suffix) in DATABASES {
        let directory = tempfile::tempdir().unwrap();
        let table = built(directory.path(), kind, "a b\n");
        let file = format!("{}{suffix}", table.name);
        for content in [vec![0u8; 9000], vec![b'x'; 9000], b"a b\n".to_vec()] {
            std::fs::write(&file, content).unwrap();
            let error = opened(&table).lookup("nothing").unwrap_err().to_string();
            assert!(
                error.contains("run postmap or postalias on its source"),
                "{kind}: {error}"
            );
        }
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(opened(&table).lookup("nothing").is_err(), "{kind}: a directory");
    }
}

#[test]
fn a_source_that_is_broken_leaves_the_database_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let table = built(directory.path(), "lmdb", "a b\n");
    // LMDB has no place for such a key.
    std::fs::write(&table.name, format!("c d\n{} e\n", "k".repeat(600))).unwrap();
    assert!(build::build(&table, Options::of(Syntax::Map)).is_err());
    assert_eq!(opened(&table).lookup("a").unwrap().as_deref(), Some("b"));
    assert_eq!(opened(&table).lookup("c").unwrap(), None);
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
}

#[test]
fn a_text_table_that_goes_away_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("map");
    std::fs::write(&source, "a b\n").unwrap();
    let tables = opened(&TableRef::new("texthash", source.to_str().unwrap()));
    assert_eq!(tables.lookup("x").unwrap(), None);
    std::fs::remove_file(&source).unwrap();
    assert!(tables.lookup("x").is_err());
    drop(File::create(&source).unwrap());
    assert_eq!(tables.lookup("a").unwrap(), None, "it is empty now");
}
