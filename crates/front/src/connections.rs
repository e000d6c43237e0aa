//! How many sessions each user has from each address (`mail_max_userip_connections`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Key = (&'static str, String, IpAddr);

/// The sessions of all users.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<HashMap<Key, usize>>,
}

/// One session; dropping it gives its place free.
#[derive(Debug)]
pub struct Connected {
    among: Arc<Connections>,
    key: Key,
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a session of `user` from `address`; `None` when there are `most` already (0: as many as come).
    pub fn enter(
        self: &Arc<Connections>,
        service: &'static str,
        user: &str,
        address: IpAddr,
        most: usize,
    ) -> Option<Connected> {
        let key = (service, user.to_owned(), address);
        let mut open = self.open();
        let count = open.entry(key.clone()).or_default();
        if most > 0 && *count >= most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Connected {
            among: Arc::clone(self),
            key,
        })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut open = self.among.open();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_free() {
        let connections = Arc::new(Connections::default());
        let here: IpAddr = "127.0.0.1".parse().expect("an address");
        let there: IpAddr = "127.0.0.2".parse().expect("an address");
        let enter = |service, user, address| connections.enter(service, user, address, 2);
        let (first, second) = (enter("imap", "alice", here), enter("imap", "alice", here));
        assert!(first.is_some() && second.is_some() && enter("imap", "alice", here).is_none());
        assert!(enter("imap", "alice", there).is_some());
        assert!(enter("imap", "bob", here).is_some() && enter("pop3", "alice", here).is_some());
        assert!(
            connections.enter("imap", "alice", here, 0).is_some(),
            "0 is no limit"
        );
        drop(first);
        assert!(enter("imap", "alice", here).is_some());
        drop(second);
        assert!(connections.open().is_empty());
    }
}
