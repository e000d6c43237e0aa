//! Ports that no other sandbox on this machine uses: slots of a fixed grid, each held by a listener while in use.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The lowest slot's base. The highest port of the highest slot stays below Linux's range for outgoing connections.
const FIRST_BASE: usize = 10_000;
const THOUSANDS: usize = 22;
/// Port bases within one thousand. No two differ by the distance of two ports of one base (2, 33, 60 …).
const WITHIN: [usize; 16] = [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29];
/// Who listens here, above the base, has the slot.
const CLAIM_OFFSET: usize = 50;

/// The ports of one embedded system, by service: what `yubin serve --port-base` makes of its base.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Ports {
    pub base: u16,
    pub smtp: u16,
    pub submission: u16,
    pub submissions: u16,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
}

impl Ports {
    fn above(base: u16) -> Ports {
        Ports {
            base,
            smtp: base + 525,
            submission: base + 587,
            submissions: base + 465,
            imap: base + 143,
            imaps: base + 993,
            pop3: base + 110,
            pop3s: base + 995,
        }
    }

    fn all(&self) -> [u16; 7] {
        let Ports {
            smtp,
            submission,
            submissions,
            imap,
            imaps,
            pop3,
            pop3s,
            ..
        } = *self;
        [smtp, submission, submissions, imap, imaps, pop3, pop3s]
    }
}

/// A slot of the grid, for as long as this lives.
pub(crate) struct Claim {
    pub(crate) ports: Ports,
    _held: TcpListener,
}

impl Claim {
    /// A slot whose ports are all free.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn take() -> Claim {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let slots = THOUSANDS * WITHIN.len();
        let pid = usize::try_from(std::process::id()).unwrap_or_default();
        for _ in 0..slots {
            // Processes begin far from each other (a stride prime to the number of slots).
            let slot = (pid * 61 + NEXT.fetch_add(1, Ordering::Relaxed)) % slots;
            if let Some(claim) = Claim::of_slot(slot) {
                return claim;
            }
        }
        panic!(
            "no free ports between {FIRST_BASE} and {}",
            FIRST_BASE + THOUSANDS * 1000
        );
    }

    fn of_slot(slot: usize) -> Option<Claim> {
        let base = FIRST_BASE + slot % THOUSANDS * 1000 + WITHIN[slot / THOUSANDS];
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, u16::try_from(base + CLAIM_OFFSET).ok()?)).ok()?;
        let ports = Ports::above(u16::try_from(base).ok()?);
        let free = |port: &u16| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
                && TcpListener::bind((Ipv6Addr::LOCALHOST, *port))
                    .map_or_else(|error| error.kind() != std::io::ErrorKind::AddrInUse, |_| true)
        };
        ports
            .all()
            .iter()
            .all(free)
            .then_some(Claim { ports, _held: held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_slots_share_a_port() {
        let mut seen = HashSet::new();
        for slot in 0..THOUSANDS * WITHIN.len() {
            let base = FIRST_BASE + slot % THOUSANDS * 1000 + WITHIN[slot / THOUSANDS];
            let ports = Ports::above(u16::try_from(base).unwrap());
            let claim = u16::try_from(base + CLAIM_OFFSET).unwrap();
            for port in ports.all().into_iter().chain([claim]) {
                assert!(seen.insert(port) && port < 32_768, "{port} of {base}");
            }
        }
    }

    #[test]
    fn claims_at_one_time_differ() {
        let claims: Vec<Claim> = (0..5).map(|_| Claim::take()).collect();
        let bases: HashSet<u16> = claims.iter().map(|claim| claim.ports.base).collect();
        assert_eq!(bases.len(), 5);
    }
}
