//! How often each client may come: connections at once, and connections, messages, recipients, logins and TLS sessions
//! in a span of time (what Postfix asks anvil(8) about).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use settings::Postfix;

/// How many clients are remembered; over it those are forgotten that have no connection.
pub const CLIENTS_MAX: usize = 100_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A limit that a client is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// What the log calls it: `Connection rate limit exceeded`.
    pub what: &'static str,
    /// How many there are.
    pub count: usize,
}

/// The counts of all clients. One for all services; it outlives a reload.
#[derive(Debug, Default)]
pub struct Anvil {
    clients: Mutex<HashMap<(String, IpAddr), Counts>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    connections: usize,
    /// When the span began.
    since_micros: i64,
    happenings: [usize; 5],
}

impl Anvil {
    fn clients(&self) -> MutexGuard<'_, HashMap<(String, IpAddr), Counts>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a new connection of `client` to `service`. An excess means that it is to be refused; it counts until
    /// [`Anvil::disconnect`] all the same.
    pub fn connect(
        &self,
        service: &str,
        client: IpAddr,
        settings: &Postfix,
        now_micros: i64,
    ) -> Option<Excess> {
        let span_micros = span_micros(settings);
        let mut clients = self.clients();
        if clients.len() >= CLIENTS_MAX {
            clients.retain(|_, counts| counts.connections > 0);
        }
        let counts = clients.entry((service.to_owned(), client)).or_default();
        counts.connections += 1;
        let connections = counts.connections;
        let rate = counts.count(Happening::Connection, span_micros, now_micros);
        drop(clients);
        over(
            connections,
            settings.smtpd_client_connection_count_limit,
            "Connection concurrency limit exceeded",
        )
        .or_else(|| {
            over(
                rate,
                settings.smtpd_client_connection_rate_limit,
                "Connection rate limit exceeded",
            )
        })
    }

    /// How many connections `client` has to `service` now.
    pub fn connections(&self, service: &str, client: IpAddr) -> usize {
        let key = (service.to_owned(), client);
        self.clients().get(&key).map_or(0, |counts| counts.connections)
    }

    /// A connection has ended.
    pub fn disconnect(&self, service: &str, client: IpAddr, settings: &Postfix, now_micros: i64) {
        let mut clients = self.clients();
        let key = (service.to_owned(), client);
        if let Some(counts) = clients.get_mut(&key) {
            counts.connections = counts.connections.saturating_sub(1);
            let is_over = now_micros.saturating_sub(counts.since_micros) > span_micros(settings);
            if counts.connections == 0 && is_over {
                clients.remove(&key);
            }
        }
    }

    /// Counts something else that `client` does. An excess means that it is to be refused.
    pub fn count(
        &self,
        service: &str,
        client: IpAddr,
        happening: Happening,
        (settings, now_micros): (&Postfix, i64),
    ) -> Option<Excess> {
        let (limit, what) = match happening {
            Happening::Connection => return None,
            Happening::Message => (
                settings.smtpd_client_message_rate_limit,
                "Message delivery request rate limit exceeded",
            ),
            Happening::Recipient => (
                settings.smtpd_client_recipient_rate_limit,
                "Recipient address rate limit exceeded",
            ),
            Happening::Login => (
                settings.smtpd_client_auth_rate_limit,
                "AUTH command rate limit exceeded",
            ),
            Happening::TlsSession => (
                settings.smtpd_client_new_tls_session_rate_limit,
                "New TLS session rate limit exceeded",
            ),
        };
        // Without a limit nobody looks at the count.
        if limit == 0 {
            return None;
        }
        let mut clients = self.clients();
        let counts = clients.entry((service.to_owned(), client)).or_default();
        let count = counts.count(happening, span_micros(settings), now_micros);
        over(count, limit, what)
    }
}

impl Counts {
    /// One more; how many there are in this span.
    fn count(&mut self, happening: Happening, span_micros: i64, now_micros: i64) -> usize {
        let age = now_micros.saturating_sub(self.since_micros);
        // A clock that was set back begins a new span, too.
        if age > span_micros || age < 0 {
            self.since_micros = now_micros;
            self.happenings = [0; 5];
        }
        let slot = &mut self.happenings[happening as usize];
        *slot += 1;
        *slot
    }
}

fn span_micros(settings: &Postfix) -> i64 {
    i64::try_from(settings.anvil_rate_time_unit.as_micros()).unwrap_or(i64::MAX)
}

/// An excess of `count` over `limit`; 0 is no limit.
fn over(count: usize, limit: usize, what: &'static str) -> Option<Excess> {
    (limit > 0 && count > limit).then_some(Excess { what, count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    const SECOND: i64 = 1_000_000;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.smtpd_client_connection_count_limit = 2;
        settings.smtpd_client_connection_rate_limit = 3;
        settings.smtpd_client_message_rate_limit = 1;
        settings
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn connections_at_once_and_in_a_span_are_limited() {
        let (anvil, settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        let connect = |client, now| {
            anvil
                .connect("smtp", client, &settings, now)
                .map(|excess| excess.what)
        };
        assert_eq!((connect(client, 0), connect(client, 0)), (None, None));
        assert_eq!(connect(client, 0), Some("Connection concurrency limit exceeded"));
        assert_eq!(connect(ip("192.0.2.2"), 0), None, "another client");
        assert_eq!(
            anvil.connect("submission", client, &settings, 0),
            None,
            "another service"
        );
        for _ in 0..3 {
            anvil.disconnect("smtp", client, &settings, SECOND);
        }
        assert_eq!(connect(client, SECOND), Some("Connection rate limit exceeded"));
        assert_eq!(connect(client, 61 * SECOND), None, "another span");
        assert_eq!(
            connect(client, SECOND),
            Some("Connection concurrency limit exceeded")
        );
    }

    #[test]
    fn what_has_no_limit_is_not_counted() {
        let (anvil, settings, stranger) = (Anvil::default(), settings(), ip("192.0.2.1"));
        let count = |client, what| anvil.count("smtp", client, what, (&settings, 0));
        assert!((0..9).all(|_| count(stranger, Happening::Recipient).is_none()));
        assert_eq!(count(stranger, Happening::Message), None);
        let excess = count(stranger, Happening::Message).expect("an excess");
        assert_eq!(
            (excess.what, excess.count),
            ("Message delivery request rate limit exceeded", 2)
        );
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let (anvil, settings, client) = (Anvil::default(), settings(), ip("192.0.2.1"));
        anvil.connect("smtp", client, &settings, 0);
        anvil.disconnect("smtp", client, &settings, SECOND);
        assert_eq!(anvil.clients().len(), 1, "its rate still counts");
        anvil.connect("smtp", client, &settings, SECOND);
        anvil.disconnect("smtp", client, &settings, 100 * SECOND);
        assert!(anvil.clients().is_empty());
    }
}
