//! Tests of delivery.

use super::*;
use os::locks::Tries;
use std::time::Duration;

const FROM: &str = "From a@example.test Thu Dec 24 22:25:24 2020";

fn put(path: &Path, content: &str) -> Result<()> {
    deliver(path, FROM, &mut content.as_bytes(), &Locks::default())
}

#[test]
fn a_message_is_appended_in_mbox_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    put(
        &path,
        "Subject: one\r\nContent-Length: 3\r\nStatus: RO\r\n\r\nFrom here\r\nlast",
    )
    .unwrap();
    put(&path, "Subject: two\n\nx\n\n").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        format!("{FROM}\nSubject: one\n\n>From here\nlast\n\n{FROM}\nSubject: two\n\nx\n\n\n")
    );
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "no lock is left behind"
    );
}

#[test]
fn a_missing_empty_line_is_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    std::fs::write(&path, format!("{FROM}\nSubject: cut off")).unwrap();
    put(&path, "Subject: two\n\nx\n").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        format!("{FROM}\nSubject: cut off\n\n{FROM}\nSubject: two\n\nx\n\n")
    );
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    struct Broken(u32);
    impl Read for Broken {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            if self.0 > 3 {
                Err(std::io::Error::other("torn"))
            } else {
                Ok(into.len())
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    put(&path, "Subject: one\n\n1\n").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(deliver(&path, FROM, &mut Broken(0), &Locks::default()).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_locked_or_odd_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    std::fs::write(dir.path().join("ann.lock"), "0").unwrap();
    let quick = Locks {
        tries: Tries {
            attempts: 2,
            pause: Duration::from_millis(1),
        },
        ..Locks::default()
    };
    let locked = deliver(&path, FROM, &mut &b"x: y\n"[..], &quick);
    assert!(matches!(locked, Err(Error::Locked(_))), "{locked:?}");
    std::fs::remove_file(dir.path().join("ann.lock")).unwrap();
    std::fs::hard_link(&path, dir.path().join("other")).unwrap();
    assert!(
        matches!(put(&path, "x: y\n"), Err(Error::HardLinks(_, 2))),
        "two names"
    );
    assert!(put(&dir.path().join("missing/ann"), "x: y\n").is_err());
}

#[test]
fn threads_exclude_each_other_without_a_lock_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    let tries = Tries {
        attempts: 500,
        pause: Duration::from_millis(10),
    };
    let locks = Locks {
        kinds: vec![crate::LockKind::Fcntl],
        tries,
        ..Locks::default()
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (path, locks) = (&path, &locks);
            scope.spawn(move || {
                for number in 0..10 {
                    let text = format!("Subject: {thread}-{number}\n\n{}", "line\n".repeat(20_000));
                    deliver(path, FROM, &mut text.as_bytes(), locks).unwrap();
                }
            });
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(FROM).count(), 40);
    assert_eq!(
        text.matches(&"line\n".repeat(20_000)).count(),
        40,
        "no two are mixed"
    );
}

/// The lock file of a process that was killed while it appended.
fn leave_lock(path: &Path, size: usize) {
    let content = format!("{}:{}\nappending at {size}\n", i32::MAX, os::hostname::hostname());
    std::fs::write(path.with_extension("lock"), content).unwrap();
}

#[test]
fn half_a_message_of_a_killed_process_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    put(&path, "Subject: one\n\nx\n").unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let two = format!("{FROM}\nSubject: two\n\nx\n\n");
    let half = format!("{FROM}\nSubject: half");
    for cut in 0..=half.len() {
        std::fs::write(&path, format!("{whole}{}", &half[..cut])).unwrap();
        leave_lock(&path, whole.len());
        put(&path, "Subject: two\n\nx\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{whole}{two}"), "killed after {cut} octets");
    }
}

/// Others append after the crash, without looking at what the lock file says.
#[test]
fn mail_that_came_after_a_killed_process_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ann");
    let two = format!("{FROM}\nSubject: two\n\nx\n\n");
    for before in [
        format!("{FROM}\nSubject: half\n\n{FROM}\nSubject: other\n\nx\n\n"),
        "no mailbox at all\n\n".to_owned(),
    ] {
        std::fs::write(&path, &before).unwrap();
        leave_lock(&path, 0);
        put(&path, "Subject: two\n\nx\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{before}{two}"));
    }
}

/// A keeper of a spool that notes what it is asked.
#[derive(Debug, Default)]
struct Noting(std::sync::Mutex<Vec<String>>);

impl crate::keeper::Keeper for Noting {
    fn create(&self, user: &str) -> std::io::Result<()> {
        self.0.lock().unwrap().push(format!("create {user}"));
        Ok(())
    }

    fn lock(&self, user: &str, _: Tries) -> std::io::Result<()> {
        self.0.lock().unwrap().push(format!("lock {user}"));
        Err(ErrorKind::WouldBlock.into())
    }

    fn unlock(&self, user: &str) -> std::io::Result<()> {
        self.0.lock().unwrap().push(format!("unlock {user}"));
        Ok(())
    }
}

#[test]
fn the_keeper_is_asked_only_where_we_may_not() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let path = spool.join("ann");
    let keeper = Noting::default();
    let place = Place {
        path: &path,
        locks: &Locks::default(),
        owner: Owner::Ourselves,
        spool: Some(Spool {
            keeper: &keeper,
            user: "ann",
        }),
    };
    append(&place, FROM, &mut b"Subject: x\n\nx\n".as_slice()).unwrap();
    assert!(keeper.0.lock().unwrap().is_empty());
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(spool.join("probe"), "").is_ok() {
        println!("skipped: root may write everywhere");
        return;
    }
    assert!(matches!(
        append(&place, FROM, &mut b"x\n".as_slice()),
        Err(Error::Locked(_))
    ));
    assert_eq!(*keeper.0.lock().unwrap(), ["lock ann"]);
    let other = Place {
        path: &spool.join("bob"),
        ..place
    };
    assert!(append(&other, FROM, &mut b"x\n".as_slice()).is_err());
    assert_eq!(keeper.0.lock().unwrap()[1], "create ann");
}
