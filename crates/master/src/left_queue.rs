//! A directory named as `queue_directory` that is none of ours: another mail system's queue, or a place for other things.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What Postfix has in every queue, and Yubin in none.
const POSTFIXES: [&str; 3] = ["active", "deferred", "incoming"];
/// What Yubin has in a queue, and what a file system has of its own.
const OURS: [&str; 7] = ["large", "lock", "log", "maildrop", "pid", "public", "lost+found"];
/// How files of our own queue's log are called.
const SEGMENT: &str = "segment-";
/// How many strange names a complaint tells.
const TOLD_MAX: usize = 3;
/// Write permission for others than the owner.
const SHARED: u32 = 0o022;

/// Why `queue` is not to be touched: it is the queue of Postfix, whose mail would be found by nobody, or it holds other things, or is
/// shared with others.
pub fn complaint(queue: &Path) -> Option<String> {
    let names = names(queue);
    if is_ours(queue) {
        return None;
    }
    let why = if POSTFIXES
        .iter()
        .all(|name| names.iter().any(|known| known == name))
    {
        format!("that is the queue of Postfix (it has {})", POSTFIXES.join(", "))
    } else if let Some(strange) = strange(&names) {
        format!("other things lie there ({strange})")
    } else if is_shared(queue) {
        "others may write there".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "queue_directory: {}: {why}: it stays as it is. Name another one, for example queue_directory = /var/spool/yubin",
        queue.display()
    ))
}

/// Whether our log is there: what else lies beside it was seen when it was made.
fn is_ours(queue: &Path) -> bool {
    names(&queue.join("log"))
        .iter()
        .any(|name| name.starts_with(SEGMENT))
}

/// The names in a directory, in order; none where there is none.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn strange(names: &[String]) -> Option<String> {
    let strange: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !OURS.contains(name))
        .collect();
    let more = if strange.len() > TOLD_MAX { ", …" } else { "" };
    let told = strange.iter().take(TOLD_MAX).copied().collect::<Vec<_>>();
    (!strange.is_empty()).then(|| told.join(", ") + more)
}

/// Whether others than its owner write there: `/tmp`, `/var/mail`.
fn is_shared(directory: &Path) -> bool {
    std::fs::metadata(directory).is_ok_and(|found| found.permissions().mode() & SHARED != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_postfix_is_known_by_its_directories() {
        let queue = tempfile::tempdir().expect("a directory");
        let make = |name: &str| std::fs::create_dir(queue.path().join(name)).expect("made");
        assert_eq!(complaint(&queue.path().join("missing")), None);
        ["active", "incoming", "maildrop"]
            .iter()
            .for_each(|name| make(name));
        let told = complaint(queue.path()).expect("it is not ours");
        assert!(
            told.contains("other things lie there (active, incoming)"),
            "{told}"
        );
        make("deferred");
        let told = complaint(queue.path()).expect("it is Postfix's");
        assert!(told.contains("that is the queue of Postfix"), "{told}");
        make("log");
        assert!(complaint(queue.path()).is_some(), "any log is no log of ours");
        std::fs::write(queue.path().join("log/segment-1"), "").expect("written");
        assert_eq!(complaint(queue.path()), None);
    }

    #[test]
    fn a_place_for_other_things_is_no_queue() {
        let queue = tempfile::tempdir().expect("a directory");
        assert_eq!(complaint(queue.path()), None, "an empty one may become a queue");
        for name in OURS {
            std::fs::write(queue.path().join(name), "").expect("written");
        }
        assert_eq!(complaint(queue.path()), None);
        let open = |mode| {
            std::fs::set_permissions(queue.path(), std::fs::Permissions::from_mode(mode)).expect("set")
        };
        for shared in [0o1777, 0o2775] {
            open(shared);
            let told = complaint(queue.path()).expect("it is shared");
            assert!(told.contains("others may write there"), "{told}");
        }
        open(0o755);
        for name in ["home", "bin", "usr", "etc"] {
            std::fs::create_dir(queue.path().join(name)).expect("made");
        }
        let told = complaint(queue.path()).expect("it holds other things");
        assert!(
            told.contains("other things lie there (bin, etc, home, …)"),
            "{told}"
        );
        assert!(complaint(Path::new("/etc")).is_some());
    }
}
