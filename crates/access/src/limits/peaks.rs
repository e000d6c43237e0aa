//! The highest figures since the log was told last, as anvil(8) has them.

use std::net::IpAddr;

use super::{Happening, Limit};

/// The highest figure of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peak {
    /// Of what.
    pub limit: Limit,
    /// How many.
    pub count: usize,
    /// The service.
    pub service: String,
    /// The client.
    pub client: IpAddr,
    /// When, in microseconds since the epoch.
    pub at_micros: i64,
}

/// The highest figures since the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Of clients, in the order in which anvil(8) tells them.
    pub peaks: Vec<Peak>,
    /// The most clients that were remembered at once, and when; 0: none.
    pub clients: (usize, i64),
}

const ORDER: [Limit; 6] = [
    Limit::Rate(Happening::Connection),
    Limit::Connections,
    Limit::Rate(Happening::Message),
    Limit::Rate(Happening::Recipient),
    Limit::Rate(Happening::TlsSession),
    Limit::Rate(Happening::Login),
];

impl Peaks {
    pub(super) fn see(
        &mut self,
        limit: Limit,
        count: usize,
        (service, client): (&str, IpAddr),
        at_micros: i64,
    ) {
        let known = self.peaks.iter_mut().find(|peak| peak.limit == limit);
        if known.as_ref().is_some_and(|peak| peak.count >= count) {
            return;
        }
        let peak = Peak {
            limit,
            count,
            service: service.to_owned(),
            client,
            at_micros,
        };
        match known {
            Some(known) => *known = peak,
            None => self.peaks.push(peak),
        }
    }

    pub(super) fn see_clients(&mut self, count: usize, at_micros: i64) {
        if count > self.clients.0 {
            self.clients = (count, at_micros);
        }
    }

    pub(super) fn in_order(mut self) -> Peaks {
        let place = |limit| ORDER.iter().position(|other| *other == limit);
        self.peaks.sort_by_key(|peak| place(peak.limit));
        self
    }
}
