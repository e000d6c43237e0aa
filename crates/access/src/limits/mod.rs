//! How often each client may come: connections at once, and connections, messages, recipients, logins and TLS sessions
//! in a span of time (what Postfix asks anvil(8) about); who is slowed down for mistakes; and what of it was refused.

mod kinds;
mod peaks;
mod standing;

pub use kinds::{LIMITS, Limit};
pub use peaks::{Peak, Peaks};
pub use standing::{Figure, Refusals, Slowed, Standing};

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use settings::Postfix;

/// How many clients are remembered; over it those are forgotten that have no connection.
pub const CLIENTS_MAX: usize = 100_000;
/// How long it is remembered that something was refused, in microseconds.
pub const REFUSALS_KEPT_MICROS: i64 = 3_600_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A connection was made.
    Connection,
    /// MAIL.
    Message,
    /// RCPT.
    Recipient,
    /// AUTH.
    Login,
    /// A TLS handshake.
    TlsSession,
}

impl Happening {
    /// What anvil(8) calls its rate.
    pub fn word(self) -> &'static str {
        match self {
            Happening::Connection => "connection",
            Happening::Message => "message",
            Happening::Recipient => "recipient",
            Happening::Login => "auth",
            Happening::TlsSession => "newtls",
        }
    }
}

/// A limit that a client is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// Which.
    pub kind: Limit,
    /// How many there are.
    pub count: usize,
    /// How many there may be.
    pub limit: usize,
}

impl Excess {
    /// As the log names rules: `smtpd_client_message_rate_limit: 30`.
    pub fn rule(&self) -> String {
        format!("{}: {}", self.kind.parameter(), self.limit)
    }
}

/// The counts of all clients. One for all services; it outlives a reload.
#[derive(Debug, Default)]
pub struct Anvil {
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    counts: HashMap<(String, IpAddr), Counts>,
    peaks: Peaks,
}

/// What is known of a client of a service.
#[derive(Debug, Clone, Default)]
struct Counts {
    connections: usize,
    /// When the span began.
    since_micros: i64,
    happenings: [usize; 5],
    /// The limits, as the service had them when it was asked last.
    limits: [usize; LIMITS.len()],
    span_micros: i64,
    is_exempt: bool,
    /// What was refused, in the order in which it began.
    refused: Vec<Refusals>,
    /// Its sessions that are slowed down.
    slowed: Vec<Slowed>,
}

/// What counts for a client.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The limits.
    pub settings: &'a Postfix,
    /// It has none of them (`smtpd_client_event_limit_exceptions`).
    pub is_exempt: bool,
}

impl Anvil {
    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a new connection of `client` to `service`. An excess means that it is to be refused; it counts until
    /// [`Anvil::disconnect`] all the same.
    pub fn connect(
        &self,
        service: &str,
        client: IpAddr,
        terms: Terms<'_>,
        now_micros: i64,
    ) -> Option<Excess> {
        let settings = terms.settings;
        let mut clients = self.clients();
        let Clients { counts: all, peaks } = &mut *clients;
        if all.len() >= CLIENTS_MAX {
            all.retain(|_, counts| counts.connections > 0);
        }
        let counts = all.entry((service.to_owned(), client)).or_default();
        counts.learn(terms);
        counts.connections += 1;
        let connections = counts.connections;
        let rate = counts.count(Happening::Connection, now_micros);
        if counts.is_exempt {
            return None;
        }
        let by_rate = Limit::Rate(Happening::Connection);
        let excess = counts
            .over(Limit::Connections, connections, now_micros)
            .or_else(|| counts.over(by_rate, rate, now_micros));
        if Limit::Connections.of(settings) > 0 || by_rate.of(settings) > 0 {
            peaks.see(by_rate, rate, (service, client), now_micros);
            peaks.see(Limit::Connections, connections, (service, client), now_micros);
            peaks.see_clients(all.len(), now_micros);
        }
        excess
    }

    /// How many connections `client` has to `service` now.
    pub fn connections(&self, service: &str, client: IpAddr) -> usize {
        let key = (service.to_owned(), client);
        self.clients()
            .counts
            .get(&key)
            .map_or(0, |counts| counts.connections)
    }

    /// A connection has ended; `session` is its number in [`Anvil::slowed`].
    pub fn disconnect(&self, service: &str, client: IpAddr, session: u64, now_micros: i64) {
        let mut clients = self.clients();
        let key = (service.to_owned(), client);
        if let Some(counts) = clients.counts.get_mut(&key) {
            counts.connections = counts.connections.saturating_sub(1);
            counts.slowed.retain(|slowed| slowed.session != session);
            if counts.is_over(now_micros) {
                clients.counts.remove(&key);
            }
        }
    }

    /// Counts something else that `client` does. An excess means that it is to be refused.
    pub fn count(
        &self,
        service: &str,
        client: IpAddr,
        happening: Happening,
        (terms, now_micros): (Terms<'_>, i64),
    ) -> Option<Excess> {
        let limit = Limit::Rate(happening);
        // Without a limit nobody looks at the count. Connections are counted where they begin.
        if happening == Happening::Connection || limit.of(terms.settings) == 0 || terms.is_exempt {
            return None;
        }
        let mut clients = self.clients();
        let Clients { counts: all, peaks } = &mut *clients;
        let counts = all.entry((service.to_owned(), client)).or_default();
        counts.learn(terms);
        let count = counts.count(happening, now_micros);
        peaks.see(limit, count, (service, client), now_micros);
        counts.over(limit, count, now_micros)
    }

    /// Whether `client` has done it more often than it may already, so that it is not to begin once more; nothing is counted.
    pub fn has_exceeded(
        &self,
        service: &str,
        client: IpAddr,
        happening: Happening,
        (terms, now_micros): (Terms<'_>, i64),
    ) -> Option<Excess> {
        let limit = Limit::Rate(happening);
        if limit.of(terms.settings) == 0 || terms.is_exempt {
            return None;
        }
        let mut clients = self.clients();
        let counts = clients.counts.get_mut(&(service.to_owned(), client))?;
        counts.learn(terms);
        if counts.is_past(now_micros) {
            return None;
        }
        let count = counts.happenings[happening as usize];
        counts.over(limit, count, now_micros)
    }

    /// A session of `client` is slowed down for its mistakes, as told.
    pub fn slow(&self, service: &str, client: IpAddr, slowed: Slowed) {
        let mut clients = self.clients();
        let Some(counts) = clients.counts.get_mut(&(service.to_owned(), client)) else {
            return;
        };
        match counts
            .slowed
            .iter_mut()
            .find(|known| known.session == slowed.session)
        {
            Some(known) => *known = slowed,
            None => counts.slowed.push(slowed),
        }
    }

    /// A session of `client` was ended for its mistakes.
    pub fn gave_up(&self, service: &str, client: IpAddr, now_micros: i64) {
        let mut clients = self.clients();
        if let Some(counts) = clients.counts.get_mut(&(service.to_owned(), client)) {
            counts.refuse(Limit::Errors, now_micros);
        }
    }

    /// How all clients stand, by service and address; those of whom nothing counts any more are forgotten.
    pub fn standings(&self, now_micros: i64) -> Vec<Standing> {
        let mut clients = self.clients();
        clients.counts.retain(|_, counts| !counts.is_over(now_micros));
        let standing = |((service, client), counts): (&(String, IpAddr), &Counts)| {
            Standing::of((service, *client), counts, now_micros)
        };
        let mut standings: Vec<Standing> = clients.counts.iter().map(standing).collect();
        drop(clients);
        standings.sort_by(|one, other| (&one.service, one.client).cmp(&(&other.service, other.client)));
        standings
    }

    /// The highest figures since this was asked last; clients of whom nothing counts any more are forgotten.
    pub fn take_peaks(&self, now_micros: i64) -> Peaks {
        let mut clients = self.clients();
        clients.counts.retain(|_, counts| !counts.is_over(now_micros));
        std::mem::take(&mut clients.peaks).in_order()
    }
}

impl Counts {
    /// What the service's settings say now.
    fn learn(&mut self, Terms { settings, is_exempt }: Terms<'_>) {
        self.limits = LIMITS.map(|limit| limit.of(settings));
        self.span_micros = i64::try_from(settings.anvil_rate_time_unit.as_micros()).unwrap_or(i64::MAX);
        self.is_exempt = is_exempt;
    }

    /// Whether the span is one that is over. A clock that was set back begins a new span, too.
    fn is_past(&self, now_micros: i64) -> bool {
        let age = now_micros.saturating_sub(self.since_micros);
        age > self.span_micros || age < 0
    }

    /// Whether nothing of it counts any more.
    fn is_over(&self, now_micros: i64) -> bool {
        self.connections == 0 && self.is_past(now_micros) && self.lately_refused(now_micros).next().is_none()
    }

    fn lately_refused(&self, now_micros: i64) -> impl Iterator<Item = &Refusals> {
        let age = move |refused: &Refusals| now_micros.saturating_sub(refused.last_micros);
        self.refused
            .iter()
            .filter(move |refused| age(refused) <= REFUSALS_KEPT_MICROS)
    }

    /// One more; how many there are in this span.
    fn count(&mut self, happening: Happening, now_micros: i64) -> usize {
        if self.is_past(now_micros) {
            self.since_micros = now_micros;
            self.happenings = [0; 5];
        }
        let slot = &mut self.happenings[happening as usize];
        *slot += 1;
        *slot
    }

    /// An excess of `count`, if it is one; 0 is no limit.
    fn over(&mut self, kind: Limit, count: usize, now_micros: i64) -> Option<Excess> {
        let limit = self.limits[kind.index()];
        if limit == 0 || count <= limit {
            return None;
        }
        self.refuse(kind, now_micros);
        Some(Excess { kind, count, limit })
    }

    fn refuse(&mut self, kind: Limit, now_micros: i64) {
        let known = self.refused.iter_mut().find(|known| known.kind == kind);
        match known {
            Some(known) if now_micros.saturating_sub(known.last_micros) <= REFUSALS_KEPT_MICROS => {
                known.count += 1;
                known.last_micros = now_micros;
            }
            Some(known) => *known = Refusals::first(kind, now_micros),
            None => self.refused.push(Refusals::first(kind, now_micros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    const SECOND: i64 = 1_000_000;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.smtpd_client_event_limit_exceptions = "127.0.0.0/8".parse().expect("a network");
        settings.smtpd_client_connection_count_limit = 2;
        settings.smtpd_client_connection_rate_limit = 3;
        settings.smtpd_client_message_rate_limit = 1;
        settings
    }

    fn terms(settings: &Postfix, client: IpAddr) -> Terms<'_> {
        let is_exempt = settings.smtpd_client_event_limit_exceptions.contains(client);
        Terms { settings, is_exempt }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_is_over_already_is_told_without_being_counted() {
        let (anvil, mut settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        settings.smtpd_client_new_tls_session_rate_limit = 1;
        let kind = Happening::TlsSession;
        let has = |now| anvil.has_exceeded("smtp", client, kind, (terms(&settings, client), now));
        let count = |now| anvil.count("smtp", client, kind, (terms(&settings, client), now));
        assert_eq!((has(0), count(0), has(0), has(0)), (None, None, None, None));
        let excess = count(0).expect("the second");
        assert_eq!((excess.count, has(0)), (2, Some(excess)));
        assert_eq!(has(61 * SECOND), None, "another span");
        assert_eq!(count(61 * SECOND), None);
    }

    #[test]
    fn connections_at_once_and_in_a_span_are_limited() {
        let (anvil, settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        let connect = |client, now| {
            anvil
                .connect("smtp", client, terms(&settings, client), now)
                .map(|excess| excess.kind.excess())
        };
        assert_eq!((connect(client, 0), connect(client, 0)), (None, None));
        assert_eq!(connect(client, 0), Some("Connection concurrency limit exceeded"));
        assert_eq!(connect(ip("192.0.2.2"), 0), None, "another client");
        assert_eq!(
            anvil.connect("submission", client, terms(&settings, client), 0),
            None,
            "another service"
        );
        for _ in 0..3 {
            anvil.disconnect("smtp", client, 0, SECOND);
        }
        assert_eq!(connect(client, SECOND), Some("Connection rate limit exceeded"));
        assert_eq!(connect(client, 61 * SECOND), None, "another span");
        assert_eq!(
            connect(client, SECOND),
            Some("Connection concurrency limit exceeded")
        );
    }

    #[test]
    fn friends_have_no_limit_and_what_has_no_limit_is_not_counted() {
        let (anvil, settings, friend) = (Anvil::default(), settings(), ip("127.0.0.1"));
        assert!((0..9).all(|_| {
            anvil
                .connect("smtp", friend, terms(&settings, friend), 0)
                .is_none()
        }));
        let stranger = ip("192.0.2.1");
        let count = |client, what| anvil.count("smtp", client, what, (terms(&settings, client), 0));
        assert!((0..9).all(|_| count(friend, Happening::Message).is_none()));
        assert!((0..9).all(|_| count(stranger, Happening::Recipient).is_none()));
        assert_eq!(count(stranger, Happening::Message), None);
        let excess = count(stranger, Happening::Message).expect("an excess");
        assert_eq!(
            (excess.kind.excess(), excess.count),
            ("Message delivery request rate limit exceeded", 2)
        );
        assert_eq!(excess.rule(), "smtpd_client_message_rate_limit: 1");
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let (anvil, settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        let known = || anvil.clients().counts.len();
        anvil.connect("smtp", client, terms(&settings, client), 0);
        anvil.disconnect("smtp", client, 0, SECOND);
        assert_eq!(known(), 1, "its rate still counts");
        anvil.connect("smtp", client, terms(&settings, client), SECOND);
        anvil.disconnect("smtp", client, 0, 100 * SECOND);
        assert_eq!(known(), 0);
        for _ in 0..3 {
            anvil.connect("smtp", client, terms(&settings, client), 200 * SECOND);
        }
        for _ in 0..3 {
            anvil.disconnect("smtp", client, 0, 300 * SECOND);
        }
        assert_eq!(known(), 1, "it was refused");
        assert_eq!(anvil.standings(3_000 * SECOND).len(), 1);
        assert!(anvil.standings(4_000 * SECOND).is_empty());
    }

    #[test]
    fn who_is_limited_is_shown_with_the_reason() {
        let (anvil, settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        for _ in 0..3 {
            anvil.connect("smtp", client, terms(&settings, client), SECOND);
        }
        anvil.connect("smtp", ip("127.0.0.1"), terms(&settings, ip("127.0.0.1")), SECOND);
        anvil.connect("smtp", ip("192.0.2.7"), terms(&settings, ip("192.0.2.7")), SECOND);
        let slowed = |errors, until_secs: i64| Slowed {
            session: 7,
            errors,
            soft_limit: 10,
            hard_limit: 20,
            until_micros: until_secs * SECOND,
        };
        anvil.slow("smtp", client, slowed(11, 3));
        anvil.slow("smtp", client, slowed(12, 4));
        let standings = anvil.standings(2 * SECOND);
        let [friend, limited, other] = standings.as_slice() else {
            panic!("{standings:?}")
        };
        assert!(friend.is_exempt && !friend.is_limited() && !other.is_limited());
        assert!(limited.is_limited());
        let connections = &limited.figures[0];
        assert_eq!((connections.count, connections.limit), (3, 2));
        assert_eq!(
            connections.kind.parameter(),
            "smtpd_client_connection_count_limit"
        );
        assert_eq!(limited.refused[0].count, 1);
        assert_eq!(limited.refused[0].since_micros, SECOND);
        assert_eq!(limited.slowed, [slowed(12, 4)]);
        anvil.disconnect("smtp", client, 7, 2 * SECOND);
        let standings = anvil.standings(100 * SECOND);
        let limited = standings.iter().find(|standing| standing.client == client);
        let limited = limited.expect("it is connected");
        assert_eq!(limited.figures[1].count, 0, "the span is over");
        assert!(limited.slowed.is_empty());
    }

    #[test]
    fn the_highest_figures_are_told_once() {
        let (anvil, settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        anvil.connect("smtp", ip("127.0.0.1"), terms(&settings, ip("127.0.0.1")), 0);
        assert_eq!(anvil.take_peaks(0), Peaks::default(), "nobody limits friends");
        anvil.connect("smtp", client, terms(&settings, client), SECOND);
        anvil.connect("smtp", client, terms(&settings, client), 2 * SECOND);
        anvil.count(
            "smtp",
            client,
            Happening::Message,
            (terms(&settings, client), 3 * SECOND),
        );
        let peaks = anvil.take_peaks(3 * SECOND);
        let told = peaks
            .peaks
            .iter()
            .map(|peak| (peak.limit, peak.count, peak.at_micros));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (Limit::Rate(Happening::Connection), 2, 2 * SECOND),
                (Limit::Connections, 2, 2 * SECOND),
                (Limit::Rate(Happening::Message), 1, 3 * SECOND),
            ]
        );
        assert_eq!(peaks.clients, (2, SECOND));
        assert_eq!(anvil.take_peaks(3 * SECOND), Peaks::default());
    }
}
