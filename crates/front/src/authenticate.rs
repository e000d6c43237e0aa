//! Checking who somebody is: SASL exchanges and plain log-ins, for SMTP, IMAP and POP3 alike.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::{Account, Auth, Verdict};
use sasl::Password;
use sasl::mechanism::{self, Credentials, Mechanism, Step};
use tokio::time::Instant;

/// What came of a step.
pub enum Progress {
    /// Send this challenge and go on.
    Challenge(Vec<u8>),
    /// The peer is who it says.
    Accepted(Box<Account>),
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
    pub database: &'static str,
    /// Why.
    pub reason: String,
}

/// Who asks, from where.
#[derive(Debug, Clone)]
pub struct Asker {
    /// `smtp`, `imap`, `pop3`.
    pub service: &'static str,
    /// The peer.
    pub remote: IpAddr,
    /// Our side.
    pub local: IpAddr,
    /// Whether nobody can read along.
    pub is_secured: bool,
}

/// A SASL exchange under way.
pub struct Conversation {
    mechanism: Box<dyn Mechanism>,
    is_started: bool,
}

impl Conversation {
    /// An exchange by the mechanism of that name; `None` when there is no such mechanism.
    pub fn start(name: &str) -> Option<Conversation> {
        mechanism::server(name).map(|mechanism| Conversation {
            mechanism,
            is_started: false,
        })
    }

    /// The mechanism's name, in capitals.
    pub fn mechanism(&self) -> &'static str {
        self.mechanism.name()
    }

    /// Takes the peer's response; the first one is `None` when it sent no initial response.
    pub async fn step(&mut self, response: Option<&[u8]>, auth: &Arc<Auth>, asker: &Asker) -> Progress {
        let step = if std::mem::replace(&mut self.is_started, true) {
            self.mechanism.step(response.unwrap_or_default())
        } else {
            self.mechanism.start(response)
        };
        match step {
            Step::Challenge(challenge) => Progress::Challenge(challenge),
            Step::Verify(credentials) => verify(credentials, self.mechanism(), auth, asker).await,
            Step::Malformed(why) => Progress::Failed(Refused {
                user: String::new(),
                database: "auth",
                reason: why.to_owned(),
            }),
        }
    }
}

/// Verifies a name and a password that were given as they are (`USER` and `PASS`, `LOGIN`).
pub async fn verify_plain(user: &[u8], password: Vec<u8>, auth: &Arc<Auth>, asker: &Asker) -> Progress {
    let user = String::from_utf8_lossy(user).into_owned();
    let credentials = Credentials {
        authzid: String::new(),
        user,
        password: Password::new(password),
    };
    verify(credentials, "PLAIN", auth, asker).await
}

/// Verifies on a worker thread: hashing takes its time.
async fn verify(
    credentials: Credentials,
    mechanism: &'static str,
    auth: &Arc<Auth>,
    asker: &Asker,
) -> Progress {
    let (auth, asker, began) = (Arc::clone(auth), asker.clone(), Instant::now());
    let work = move || {
        auth.verify(&auth::Request {
            user: &credentials.user,
            authzid: &credentials.authzid,
            password: &credentials.password,
            mechanism,
            service: asker.service,
            remote: Some(asker.remote),
            local: Some(asker.local),
            secured: asker.is_secured,
        })
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Verdict::Ok(account)) => Progress::Accepted(Box::new(account)),
        Ok(Verdict::Failed(failure)) => {
            hold_back(began, failure.delay).await;
            let reason = failure.reason.to_string();
            Progress::Failed(Refused {
                user: failure.user,
                database: failure.database,
                reason,
            })
        }
        Ok(Verdict::Temporary(why)) => Progress::Unavailable(why),
        Err(_) => Progress::Unavailable("the verification was broken off".to_owned()),
    }
}

async fn hold_back(began: Instant, delay: Duration) {
    tokio::time::sleep_until(began + delay).await;
}
