//! Finds the deferred mail for a site (`postqueue -s`, ETRN) beside the driver: messages are read from the disk, and deliveries
//! do not wait for that.
//!
//! One search runs at a time, for everything that was asked for until it began: however often clients ask, the queue is read by
//! one thread.

use std::collections::HashSet;

use envelope::{QueueId, Recipient};
use queue::{QueueName, Spool};
use tokio::sync::mpsc;

use super::Order;

/// So many sites wait for the next search at most; more come only from clients that ask faster than a disk is read.
const SITES_MAX: usize = 1000;
/// So many messages are told of at once, so that the driver does other work in between.
const FOUND_MAX: usize = 100;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Sites {
    /// In lower case.
    waiting: HashSet<String>,
    is_searching: bool,
}

impl Sites {
    /// Somebody asks for the mail of a site; `false` when too many others wait.
    pub(super) fn ask(&mut self, site: &str) -> bool {
        let has_room = self.waiting.len() < SITES_MAX;
        let site = site.to_ascii_lowercase();
        has_room && self.waiting.insert(site.clone()) || self.waiting.contains(&site)
    }

    /// What the next search is for; none while one runs.
    pub(super) fn next(&mut self) -> Option<HashSet<String>> {
        if self.is_searching || self.waiting.is_empty() {
            return None;
        }
        self.is_searching = true;
        Some(std::mem::take(&mut self.waiting))
    }

    /// A search ended.
    pub(super) fn ended(&mut self) {
        self.is_searching = false;
    }
}

/// Reads the deferred mail on a thread of its own and tells the driver what goes to one of the sites, then that it is through.
pub(super) fn search(spool: Spool, sites: HashSet<String>, driver: mpsc::UnboundedSender<Order>) {
    tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        for (id, queue) in spool.queue_ids() {
            if driver.is_closed() {
                return;
            }
            if queue == QueueName::Deferred && goes_to(&spool, &id, &sites) {
                found.push(id);
            }
            if found.len() >= FOUND_MAX {
                let _ = driver.send(Order::Found(std::mem::take(&mut found)));
            }
        }
        // The driver is gone only when everything is.
        let _ = driver.send(Order::Found(found));
        let _ = driver.send(Order::Searched);
    });
}

fn goes_to(spool: &Spool, id: &QueueId, sites: &HashSet<String>) -> bool {
    // One that was delivered meanwhile is no trouble.
    let Ok(message) = spool.message(id) else {
        return false;
    };
    let in_site = |recipient: &Recipient| {
        let domain = recipient.address.domain();
        domain.is_some_and(|domain| sites.contains(&domain.as_str().to_ascii_lowercase()))
    };
    message.envelope.recipients.iter().any(in_site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_search_for_all_that_ask_while_another_runs() {
        let mut sites = Sites::default();
        assert_eq!(sites.next(), None, "nobody asked");
        assert!(sites.ask("A.test"));
        let first = sites.next().expect("a search");
        assert_eq!(first, HashSet::from(["a.test".to_owned()]));
        assert!(sites.ask("b.test"));
        assert!(sites.ask("B.test"));
        assert!(
            sites.ask("a.test"),
            "mail may have been deferred behind the search"
        );
        assert_eq!(sites.next(), None, "one at a time");
        sites.ended();
        let second = sites.next().expect("another search");
        assert_eq!(second, HashSet::from(["a.test".to_owned(), "b.test".to_owned()]));
        sites.ended();
        assert_eq!(sites.next(), None);
    }

    #[test]
    fn clients_cannot_fill_the_memory() {
        let mut sites = Sites::default();
        assert!((0..SITES_MAX).all(|number| sites.ask(&format!("{number}.test"))));
        assert!(!sites.ask("more.test"));
        assert!(sites.ask("7.test"), "it waits already");
    }
}
