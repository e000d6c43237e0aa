//! Checking who somebody is: SASL exchanges and plain log-ins, for SMTP, IMAP and POP3 alike. The auth role decides; what
//! is waited for is waited for here.

use std::sync::Arc;
use std::time::Duration;

use auth::{Account, Asker, Authority, Certificate, Exchange, Ticket, Verdict};
use sasl::Password;
use serve::Link;
use tls::server::Server;
use tokio::time::Instant;

/// The client at the other end of a connection, for the service of that name. `tls` is what the connection is or may be
/// secured with.
pub fn asker_of(service: &str, link: &Link, tls: Option<&Server>) -> Asker {
    Asker {
        service: service.to_owned(),
        remote: Some(link.remote.ip()),
        local: Some(link.local.ip()),
        remote_port: Some(link.remote.port()),
        local_port: Some(link.local.port()),
        session: String::new(),
        secured: link.is_secured(),
        bindings: bindings(link),
        certificate: certificate(link, tls),
        failures_before: None,
    }
}

/// The client's certificate, if it has one that is good.
pub fn certificate(link: &Link, tls: Option<&Server>) -> Option<Certificate> {
    let verified = tls?.verified(link.tls()?)?;
    Some(Certificate { user: verified.user })
}

/// What an exchange can be bound to. TLS 1.2 has nothing for it: whether a session has the extended master secret, without
/// which RFC 9266 §4.2 forbids `tls-exporter`, the library does not tell.
fn bindings(link: &Link) -> Vec<(String, Vec<u8>)> {
    let exporter = link
        .tls()
        .filter(|tls| tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3))
        .and_then(|tls| {
            let label = b"EXPORTER-Channel-Binding";
            tls.export_keying_material([0; 32], label, Some(b"")).ok()
        });
    let exporter = exporter.map(|data| ("tls-exporter".to_owned(), data.to_vec()));
    exporter.into_iter().collect()
}

/// Whether mechanisms that are bound to the connection can be offered on it.
pub fn can_bind(link: &Link) -> bool {
    !bindings(link).is_empty()
}

/// What came of a step.
pub enum Progress {
    /// Send this challenge and go on.
    Challenge(Vec<u8>),
    /// The peer is who it says.
    Accepted(Box<Account>, Ticket),
    /// It is not; the answer was held back for as long as it should.
    Failed(Refused),
    /// It cannot be told now: why.
    Unavailable(String),
}

/// A login that was refused, for the log.
pub struct Refused {
    /// The name that was tried; empty when the exchange did not come so far.
    pub user: String,
    /// Which database decided.
    pub database: String,
    /// Why.
    pub reason: String,
    /// What the peer is told of it; `None`: that it failed.
    pub told: Option<String>,
}

/// A SASL exchange under way.
pub struct Conversation {
    mechanism: String,
    /// How long the first step waits, because of failures from the same address.
    penalty: Duration,
    /// It is away while a thread steps it.
    exchange: Option<Box<dyn Exchange>>,
}

impl Conversation {
    /// An exchange by the mechanism of that name; `None` when there is no such mechanism.
    pub fn start(name: &str, authority: &Arc<dyn Authority>, asker: &Asker) -> Option<Conversation> {
        let (penalty, asker) = punished(authority, asker.clone());
        let exchange = Arc::clone(authority).exchange(name, &asker)?;
        Some(Conversation {
            mechanism: name.to_ascii_uppercase(),
            penalty,
            exchange: Some(exchange),
        })
    }

    /// The mechanism's name, in capitals.
    pub fn mechanism(&self) -> &str {
        &self.mechanism
    }

    /// Takes the peer's response; the first one is `None` when it sent no initial response.
    pub async fn step(&mut self, response: Option<Vec<u8>>) -> Progress {
        let Some(mut exchange) = self.exchange.take() else {
            return Progress::Unavailable("the exchange is over".to_owned());
        };
        tokio::time::sleep(std::mem::take(&mut self.penalty)).await;
        let began = Instant::now();
        let work = move || {
            let progress = exchange.step(response.as_deref());
            (progress, exchange)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((auth::Progress::Challenge(challenge), exchange)) => {
                self.exchange = Some(exchange);
                Progress::Challenge(challenge)
            }
            Ok((auth::Progress::Done(verdict), _)) => conclude(verdict, began).await,
            Err(_) => broken_off(),
        }
    }
}

/// Verifies a name and a password that were given as they are (`USER` and `PASS`, `LOGIN`), on a thread that may block.
pub async fn verify_plain(
    user: &[u8],
    password: Vec<u8>,
    authority: &Arc<dyn Authority>,
    asker: Asker,
) -> Progress {
    let (user, password) = (
        String::from_utf8_lossy(user).into_owned(),
        Password::new(password),
    );
    let (penalty, asker) = punished(authority, asker);
    tokio::time::sleep(penalty).await;
    let (authority, began) = (Arc::clone(authority), Instant::now());
    let work = move || {
        authority.verify(&auth::Request {
            user: &user,
            authzid: "",
            password: &password,
            mechanism: "PLAIN",
            asker: &asker,
        })
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(verdict) => conclude(verdict, began).await,
        Err(_) => broken_off(),
    }
}

/// How long a login waits because of failures from the same address, and the client that has waited.
fn punished(authority: &Arc<dyn Authority>, asker: Asker) -> (Duration, Asker) {
    let penalty = authority.penalty(&asker);
    let asker = Asker {
        failures_before: Some(penalty.failures),
        ..asker
    };
    (penalty.wait, asker)
}

fn broken_off() -> Progress {
    Progress::Unavailable("the verification was broken off".to_owned())
}

async fn conclude(verdict: Verdict, began: Instant) -> Progress {
    match verdict {
        Verdict::Ok(account, ticket) => Progress::Accepted(Box::new(account), ticket),
        Verdict::Failed(failure) => {
            hold_back(began, failure.delay).await;
            Progress::Failed(Refused {
                user: failure.user,
                database: failure.database.into_owned(),
                reason: failure.reason.to_string(),
                told: failure.reason.told().map(str::to_owned),
            })
        }
        Verdict::Temporary(why) => Progress::Unavailable(why),
    }
}

async fn hold_back(began: Instant, delay: Duration) {
    tokio::time::sleep_until(began + delay).await;
}
