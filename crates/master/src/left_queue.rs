//! A directory named as `queue_directory` that is none of ours: another mail system's queue, or a place for other things.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

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
/// Any permission for others than the owner.
const OPEN: u32 = 0o077;
const ROOT: u32 = 0;
/// Directories of the system that are everybody's, also while nothing lies in them.
const SYSTEMS: [&str; 39] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/local",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/spool/cron",
    "/var/spool/cups",
    "/var/spool/mail",
    "/var/tmp",
];

/// Why `queue` is not to be touched: it is the queue of Postfix, or a part of one, whose mail would be found by nobody, or it holds
/// other things, or is shared with others.
pub fn complaint(queue: &Path) -> Option<String> {
    complaint_below(queue, queue)
}

/// As [`complaint`], of a queue that is `named` so and lies at `queue` for the time being: below another root.
pub fn complaint_below(named: &Path, queue: &Path) -> Option<String> {
    let real = queue.canonicalize().unwrap_or_else(|_| queue.to_owned());
    let names = names(queue);
    let why = if is_ours(queue) {
        return None;
    } else if POSTFIXES
        .iter()
        .all(|name| names.iter().any(|known| known == name))
    {
        format!("that is the queue of Postfix (it has {})", POSTFIXES.join(", "))
    } else if is_the_systems(named) || is_the_systems(&real) {
        SYSTEMS_TOLD.to_owned()
    } else if let Some(strange) = strange(&names) {
        format!("other things lie there ({strange})")
    } else if is_shared(queue) {
        SHARED_TOLD.to_owned()
    } else if let Some(part) = std::fs::metadata(queue)
        .ok()
        .and_then(|found| part_of_another(&Part::of("", &found), &parts(queue, &names)))
    {
        format!("that is a part of another mail system's queue (it is root's and has {part})")
    } else {
        return None;
    };
    Some(told("queue_directory", queue, &why, "/var/spool/yubin"))
}

/// Why `directory`, which `setting` names and which lies at `real` for the time being, is not to be taken for data of ours: it is one
/// of the system's, or root's and shared with others.
pub fn complaint_of_data(setting: &str, directory: &Path, real: &Path) -> Option<String> {
    let is_roots = std::fs::metadata(real).is_ok_and(|found| found.uid() == ROOT);
    let why = if is_the_systems(directory) {
        SYSTEMS_TOLD
    } else if is_roots && is_shared(real) {
        SHARED_TOLD
    } else {
        return None;
    };
    Some(told(setting, directory, why, "a directory of its own"))
}

const SYSTEMS_TOLD: &str = "that is a directory of the system, for more than mail";
const SHARED_TOLD: &str = "others may write there";

fn told(setting: &str, directory: &Path, why: &str, instead: &str) -> String {
    format!(
        "{setting}: {}: {why}: it stays as it is. Name another one, for example {setting} = {instead}",
        directory.display()
    )
}

/// Whether it is one of the system's directories, by its name (pure).
fn is_the_systems(directory: &Path) -> bool {
    let mut plain = PathBuf::new();
    for part in directory.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    SYSTEMS.iter().any(|known| plain == Path::new(known))
}

/// What is to be known of a directory of a queue.
struct Part {
    name: String,
    uid: u32,
    mode: u32,
}

impl Part {
    fn of(name: &str, found: &std::fs::Metadata) -> Part {
        Part {
            name: name.to_owned(),
            uid: found.uid(),
            mode: found.mode(),
        }
    }
}

fn parts(queue: &Path, names: &[String]) -> Vec<Part> {
    let found = names
        .iter()
        .filter_map(|name| Some(Part::of(name, &std::fs::symlink_metadata(queue.join(name)).ok()?)));
    found.collect()
}

/// The part by which a queue without our log is known as another's (pure). Ours belongs to `mail_owner` before anything is made in
/// it, but for the closed maildrop that root makes to leave mail in, or that a package brings; Postfix's is root's, and open.
fn part_of_another(queue: &Part, parts: &[Part]) -> Option<String> {
    const OURS_ALONE: [&str; 3] = ["large", "lock", "log"];
    let is_ours = parts.iter().any(|part| OURS_ALONE.contains(&part.name.as_str()));
    if queue.uid != ROOT || queue.mode & OPEN == 0 || is_ours {
        return None;
    }
    let is_anothers = |part: &&Part| match part.name.as_str() {
        "pid" | "public" => true,
        "maildrop" => part.uid != ROOT || part.mode & OPEN != 0,
        _ => false,
    };
    parts.iter().find(is_anothers).map(|part| part.name.clone())
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
    std::fs::metadata(directory).is_ok_and(|found| found.mode() & SHARED != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

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

    #[test]
    fn directories_of_the_system_are_known_by_name() {
        for name in ["/", "/tmp", "/var/mail/", "/var/spool/../mail", "/srv/./"] {
            let told = complaint_of_data("data_directory", Path::new(name), Path::new("/nowhere"));
            let told = told.expect("it is everybody's");
            assert!(told.contains("that is a directory of the system"), "{told}");
        }
        let own = Path::new("/var/lib/yubin");
        assert_eq!(
            complaint_of_data("data_directory", own, Path::new("/nowhere")),
            None
        );
        let link = tempfile::tempdir().expect("a directory");
        let queue = link.path().join("queue");
        std::os::unix::fs::symlink("/tmp", &queue).expect("made");
        assert!(complaint(&queue).is_some());
    }

    #[test]
    fn a_queue_of_postfix_is_known_in_part() {
        let part = |name: &str, uid, mode| Part {
            name: name.to_owned(),
            uid,
            mode,
        };
        let of = |queue: (u32, u32), parts: &[Part]| part_of_another(&part("", queue.0, queue.1), parts);
        // Postfix: a directory of root's, parts of postfix's.
        assert!(of((0, 0o755), &[part("maildrop", 101, 0o730)]).is_some());
        assert!(of((0, 0o755), &[part("maildrop", 0, 0o755)]).is_some());
        assert!(of((0, 0o755), &[part("pid", 0, 0o755), part("public", 101, 0o710)]).is_some());
        let begun = [part("pid", 0, 0o755), part("log", 0, 0o755)];
        assert_eq!(of((0, 0o755), &begun), None);
        // Ours: nothing yet, a package's, what root left before the first start, one that was given to mail_owner.
        assert_eq!(of((0, 0o755), &[]), None);
        assert_eq!(of((0, 0o755), &[part("maildrop", 0, 0o700)]), None);
        assert_eq!(of((0, 0o700), &[part("maildrop", 0, 0o700)]), None);
        let given = [part("maildrop", 998, 0o1730), part("pid", 998, 0o755)];
        assert_eq!(of((998, 0o755), &given), None);
    }
}
