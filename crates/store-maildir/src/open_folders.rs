//! The mailboxes that an account has open.

use std::sync::{Arc, Mutex};

use crate::folder::Folder;

/// How many stay open; an account may have thousands, each with its index in memory.
const OPEN_MAX: usize = 64;

/// Open mailboxes by directory, those used last at the end.
#[derive(Default)]
pub(crate) struct OpenFolders(Vec<(String, Arc<Mutex<Folder>>)>);

impl OpenFolders {
    pub(crate) fn get(&mut self, directory: &str) -> Option<Arc<Mutex<Folder>>> {
        let at = self.0.iter().rposition(|(known, _)| known == directory)?;
        let last = self.0.len() - 1;
        self.0[at..].rotate_left(1);
        Some(Arc::clone(&self.0[last].1))
    }

    /// Adds one that is not there; the one that was not used longest makes room.
    pub(crate) fn insert(&mut self, directory: &str, folder: Arc<Mutex<Folder>>) {
        if self.0.len() >= OPEN_MAX {
            self.0.remove(0);
        }
        self.0.push((directory.to_owned(), folder));
    }

    pub(crate) fn remove(&mut self, directory: &str) {
        self.0.retain(|(known, _)| known != directory);
    }

    /// Forgets a mailbox and those below it.
    pub(crate) fn remove_tree(&mut self, directory: &str) {
        let below = format!("{directory}.");
        self.0
            .retain(|(known, _)| known != directory && !known.starts_with(&below));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_not_used_longest_makes_room() {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = Folder::open(place.path().join(name), || 1).unwrap();
            Arc::new(Mutex::new(folder))
        };
        let mut opened = OpenFolders::default();
        for number in 0..OPEN_MAX {
            opened.insert(&number.to_string(), folder(&number.to_string()));
        }
        assert!(opened.get("0").is_some());
        opened.insert("a.b", folder("a.b"));
        assert!(opened.get("0").is_some() && opened.get("1").is_none() && opened.get("2").is_some());
        opened.insert("a", folder("a"));
        opened.insert("ab", folder("ab"));
        opened.remove_tree("a");
        assert!(opened.get("a").is_none() && opened.get("a.b").is_none() && opened.get("ab").is_some());
    }
}
