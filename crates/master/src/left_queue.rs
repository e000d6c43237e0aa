//! A directory named as `queue_directory` in which another mail system has its queue.

use std::path::Path;

/// What Postfix has in every queue, and Yubin in none.
const POSTFIXES: [&str; 3] = ["active", "deferred", "incoming"];
/// The log of our own queue: whoever has it here once chose to live beside the other.
const OWN_LOG: &str = "log";

/// Why `queue` is not to be touched: it is the queue of Postfix. Its mail would be found by nobody, and Postfix would not find its
/// own directories as it left them.
pub fn complaint(queue: &Path) -> Option<String> {
    let is_directory = |name: &str| {
        let found = std::fs::symlink_metadata(queue.join(name));
        found.is_ok_and(|found| found.is_dir())
    };
    let is_postfixes = POSTFIXES.iter().all(|name| is_directory(name)) && !is_directory(OWN_LOG);
    is_postfixes.then(|| {
        format!(
            "queue_directory: {}: that is the queue of Postfix (it has {}): it stays as it is. Name another one, for example \
             queue_directory = /var/spool/yubin",
            queue.display(),
            POSTFIXES.join(", ")
        )
    })
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
        assert_eq!(complaint(queue.path()), None);
        make("deferred");
        let told = complaint(queue.path()).expect("it is Postfix's");
        assert!(told.contains("that is the queue of Postfix"), "{told}");
        make("log");
        assert_eq!(complaint(queue.path()), None);
    }
}
