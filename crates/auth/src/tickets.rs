//! One-time tickets: what proves to the supervisor that a login was verified, so that whoever speaks with the network
//! cannot open a mailbox by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Account, Ticket};

/// How long a ticket is good.
pub const GOOD_FOR: Duration = Duration::from_secs(60);
/// How many may be out at a time; beyond it the oldest are void.
pub const TICKETS_MAX: usize = 100_000;

/// The tickets that are out.
#[derive(Debug, Default)]
pub struct Tickets {
    out: Mutex<HashMap<String, (Account, Instant)>>,
}

impl Tickets {
    fn out(&self) -> MutexGuard<'_, HashMap<String, (Account, Instant)>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket for `account`; an empty one, which nobody takes, when the system has no randomness.
    pub fn issue(&self, account: &Account, now: Instant) -> Ticket {
        let mut octets = [0_u8; 16];
        if getrandom::fill(&mut octets).is_err() {
            return Ticket::default();
        }
        let name: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let mut out = self.out();
        if out.len() >= TICKETS_MAX {
            out.retain(|_, (_, issued)| now.duration_since(*issued) < GOOD_FOR);
        }
        if out.len() >= TICKETS_MAX {
            out.clear();
        }
        out.insert(name.clone(), (account.clone(), now));
        Ticket(name)
    }

    /// Whose ticket it is. It is void from now on.
    pub fn redeem(&self, ticket: &Ticket, now: Instant) -> Option<Account> {
        let (account, issued) = self.out().remove(&ticket.0)?;
        (now.duration_since(issued) < GOOD_FOR).then_some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str) -> Account {
        Account {
            user: user.to_owned(),
            uid: 1000,
            gid: 1000,
            home: None,
            mail_location: String::new(),
            extra: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_a_while() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let (first, second) = (
            tickets.issue(&account("ann"), now),
            tickets.issue(&account("bob"), now),
        );
        assert_ne!(first, second);
        assert_eq!(tickets.redeem(&first, now), Some(account("ann")));
        assert_eq!(tickets.redeem(&first, now), None);
        assert_eq!(tickets.redeem(&second, now + GOOD_FOR), None);
        assert_eq!(tickets.redeem(&Ticket::default(), now), None);
    }
}
