//! SASL exchanges that the chains of this process decide.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sasl::Password;
use sasl::mechanism::{self, Context, Identity, Mechanism, Step, Stored, Trait};
use settings::Dovecot;

use crate::chain::{Begun, Refusal, failed};
use crate::passdbs::Purpose;
use crate::{Asker, Auth, Exchange, Progress, Reason, Request, Verdict};

/// The mechanisms that `auth_mechanisms` offers, in capitals, each once. Those that need TLS (-PLUS) or a certificate
/// (EXTERNAL) are among them; those that Yubin has not are left out.
pub fn offered(settings: &Dovecot) -> Vec<&'static str> {
    let mut offered: Vec<&'static str> = Vec::new();
    for name in settings
        .auth_mechanisms
        .iter()
        .filter_map(|name| mechanism::known(name))
    {
        if !offered.contains(&name) {
            offered.push(name);
        }
    }
    offered
}

/// Those of them that need a stored password.
pub(crate) fn looking_up(settings: &Dovecot) -> impl Iterator<Item = &'static str> {
    let needs_one = |name: &&str| {
        let traits = mechanism::traits(name);
        traits.contains(&Trait::Dictionary) || traits.contains(&Trait::Mutual)
    };
    offered(settings).into_iter().filter(needs_one)
}

/// What the settings say about mechanisms.
#[derive(Debug)]
pub(crate) struct Mechanisms {
    /// Those that are offered, in capitals.
    pub(crate) mechanisms: Vec<&'static str>,
    anonymous: String,
    needs_certificate: bool,
    user_is_in_certificate: bool,
    secret: [u8; 32],
}

impl Mechanisms {
    pub(crate) fn of(settings: &Dovecot) -> Mechanisms {
        Mechanisms {
            mechanisms: offered(settings),
            anonymous: settings.auth_anonymous_username.clone(),
            needs_certificate: settings.auth_ssl_require_client_cert,
            user_is_in_certificate: settings.auth_ssl_username_from_cert,
            secret: random(),
        }
    }

    /// Whose login it is: the name that was given, or the one in the certificate (`auth_ssl_username_from_cert`).
    pub(crate) fn given<'a>(&self, user: &'a str, asker: &'a Asker) -> Result<&'a str, Reason> {
        if self.needs_certificate && asker.certificate.is_none() {
            return Err(Reason::NoCertificate);
        }
        Ok(self.certificate_user(asker).unwrap_or(user))
    }

    fn certificate_user<'a>(&self, asker: &'a Asker) -> Option<&'a str> {
        let certificate = asker
            .certificate
            .as_ref()
            .filter(|_| self.user_is_in_certificate)?;
        certificate.user.as_deref()
    }

    fn context(&self, asker: &Asker) -> Context {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let has_plus = self.mechanisms.iter().any(|name| name.ends_with("-PLUS"));
        Context {
            hostname: os::hostname::hostname(),
            now_secs: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            random: random(),
            secret: self.secret,
            bindings: if has_plus {
                asker.bindings.clone()
            } else {
                Vec::new()
            },
            certificate_user: self.certificate_user(asker).map(str::to_owned),
        }
    }
}

/// Fresh random bytes. A host that has none can keep nobody's secret: then nobody logs in, because the process ends.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes to everybody once it has booted");
    bytes
}

impl Auth {
    /// Begins an exchange; `None` when the mechanism is not offered, or not possible on such a connection.
    pub(crate) fn exchange(self: Arc<Self>, name: &str, asker: &Asker) -> Option<Box<dyn Exchange>> {
        let name = mechanism::known(name).filter(|name| self.sasl.mechanisms.contains(name))?;
        let mechanism = mechanism::server(name, self.sasl.context(asker))?;
        Some(Box::new(ChainExchange {
            asker: asker.clone(),
            mechanism,
            is_started: false,
            begun: None,
            auth: self,
        }))
    }
}

struct ChainExchange {
    auth: Arc<Auth>,
    asker: Asker,
    mechanism: Box<dyn Mechanism>,
    is_started: bool,
    /// What the passdbs said when the mechanism asked for a stored password.
    begun: Option<Result<Begun, Box<Refusal>>>,
}

impl ChainExchange {
    /// Does something with a request that has no password.
    fn with_request<T>(&self, identity: &Identity, act: impl FnOnce(&Auth, &Request<'_>) -> T) -> T {
        let request = Request {
            user: &identity.user,
            authzid: &identity.authzid,
            password: &Password::new(""),
            mechanism: self.mechanism.name(),
            asker: &self.asker,
        };
        act(&self.auth, &request)
    }

    /// Asks the passdbs for the mechanism.
    fn look_up(&mut self, identity: &Identity) -> Step {
        let purpose = Purpose::Credentials {
            mechanism: self.mechanism.name(),
            schemes: self.mechanism.schemes(),
        };
        let begun = match self.with_request(identity, |auth, request| auth.begin(request, purpose)) {
            Ok(begun) if begun.progress.stored.is_none() => Err(begun.refusal(Reason::EmptyPassword)),
            begun => begun,
        };
        self.mechanism.give(match self.begun.insert(begun) {
            Ok(begun) => Stored::Known(begun.progress.stored.as_deref().unwrap_or_default()),
            Err(refusal) => Stored::Unknown(refusal.decoy.as_deref()),
        })
    }

    /// It cannot be told now who it is; the text is for the log.
    fn unavailable(&self) -> Option<Verdict> {
        let verdict = &self.begun.as_ref()?.as_ref().err()?.told.0.verdict;
        matches!(verdict, Verdict::Temporary(_)).then(|| verdict.clone())
    }

    /// The dialogue is over. `attempt` is the client's last response.
    fn end(&mut self, identity: &Identity, has_proved: bool, attempt: &[u8]) -> Verdict {
        let begun = self.begun.take();
        self.with_request(identity, |auth, request| {
            let told = match begun {
                Some(Ok(begun)) if has_proved => auth.complete(begun, request),
                Some(Ok(begun)) => begun.refusal(Reason::PasswordMismatch).told,
                Some(Err(refusal)) => refusal.told,
                None => (
                    failed(&identity.user, "auth", Reason::PasswordMismatch),
                    Vec::new(),
                ),
            };
            auth.settle(request, attempt, told).verdict
        })
    }

    fn verify(&self, credentials: &sasl::Credentials) -> Verdict {
        self.auth.verify(&Request {
            user: &credentials.user,
            authzid: &credentials.authzid,
            password: &credentials.password,
            mechanism: self.mechanism.name(),
            asker: &self.asker,
        })
    }

    /// Nobody says who it is: no passdb is asked.
    fn anonymous(&self) -> Verdict {
        let identity = Identity {
            authzid: String::new(),
            user: self.auth.sasl.anonymous.clone(),
        };
        self.with_request(&identity, |auth, request| {
            let told = match auth.sasl.given(&identity.user, &self.asker) {
                Ok(user) => auth.complete(Begun::without_passdb(user.to_owned()), request),
                Err(reason) => (failed(&identity.user, "auth", reason), Vec::new()),
            };
            auth.settle(request, &[], told).verdict
        })
    }
}

impl Exchange for ChainExchange {
    fn step(&mut self, response: Option<&[u8]>) -> Progress {
        let mut step = if std::mem::replace(&mut self.is_started, true) {
            self.mechanism.step(response.unwrap_or_default())
        } else {
            self.mechanism.start(response)
        };
        if let Step::Lookup(identity) = &step {
            step = self.look_up(&identity.clone());
            if let Some(verdict) = self.unavailable() {
                return Progress::Done(verdict);
            }
        }
        let attempt = response.unwrap_or_default();
        Progress::Done(match step {
            Step::Challenge(challenge) => return Progress::Challenge(challenge),
            Step::Verify(credentials) => self.verify(&credentials),
            Step::Proved(identity) => self.end(&identity, true, attempt),
            Step::Refused(identity) => self.end(&identity, false, attempt),
            Step::Anonymous(_) => self.anonymous(),
            Step::Malformed(why) => failed("", "auth", Reason::Malformed(why.into())).verdict,
            Step::Lookup(_) => Verdict::Temporary("the mechanism asked twice".to_owned()),
        })
    }
}
