//! The passdb blocks in their order: what follows from each answer.

use std::net::IpAddr;
use std::time::Instant;

use os::pam::Outcome;
use sasl::scheme::{self, RANDOM_BYTES, Scheme};
use settings::Network;

use crate::chain::{Auth, Next, Passdb, Tested, failed};
use crate::credentials::{Stored, fit};
use crate::driver::{Fields, Record, block_fields, words};
use crate::notes::Level;
use crate::pam::Pam;
use crate::passdb::{self, Answer, Driver};
use crate::patterns::passes;
use crate::variables::{Variables, expand};
use crate::{Reason, Verdict};

/// Whose passwords are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    Users,
    /// `master = yes` blocks.
    Masters,
}

impl Chain {
    pub(crate) fn has(self, block: &Passdb) -> bool {
        block.settings.master == (self == Chain::Masters)
    }
}

/// What for the passdbs are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose<'a> {
    /// Whether the password fits, by this mechanism.
    Login(&'a str),
    /// Which stored password a mechanism can use that never sees the password.
    Credentials {
        /// Its name.
        mechanism: &'a str,
        /// The schemes that serve besides the password itself, best first.
        schemes: &'static [&'static str],
    },
    /// Whether the user is there, whatever the password.
    Existence,
}

impl Purpose<'_> {
    fn mechanism(&self) -> Option<&str> {
        match self {
            Purpose::Login(mechanism) | Purpose::Credentials { mechanism, .. } => Some(mechanism),
            Purpose::Existence => None,
        }
    }
}

/// How a chain of passdbs went so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) is_ok: bool,
    /// The block that decided has `pass = yes`.
    pub(crate) passes_on: bool,
    /// The block that decided.
    pub(crate) database: &'static str,
    /// The user's real name (`user` field).
    pub(crate) user: Option<String>,
    /// What the databases tell, variables expanded.
    pub(crate) fields: Fields,
    /// `userdb_…` fields for the prefetch userdb, variables not yet expanded.
    pub(crate) userdb: Fields,
    pub(crate) refused: Option<(&'static str, Reason)>,
    pub(crate) unavailable: Option<String>,
    /// To [`Purpose::Credentials`]: the stored password with its `{SCHEME}`.
    pub(crate) stored: Option<String>,
    /// Another one, with which a dialogue that is to fail goes on.
    pub(crate) decoy: Option<String>,
}

/// Fields that are not shown to whoever asks what the passdbs told.
const HIDDEN: [&str; 6] = [
    "user",
    "password",
    "nopassword",
    "allow_nets",
    "allow_real_nets",
    "pass",
];

impl Progress {
    /// The one of somebody whom no passdb is asked about.
    pub(crate) fn welcome() -> Progress {
        Progress {
            is_ok: true,
            ..Progress::default()
        }
    }

    /// The verdict when the chain did not end well.
    pub(crate) fn refusal(&self, user: &str, last_database: &'static str) -> Tested {
        match (&self.refused, &self.unavailable) {
            // A refusal by one database says nothing while another could not be asked, unless it was the last word.
            (Some((database, Reason::Denied)), _) => failed(user, database, Reason::Denied),
            (_, Some(text)) => Tested {
                verdict: Verdict::Temporary(text.clone()),
                fields: vec![("user".to_owned(), user.to_owned())],
            },
            (Some((database, reason)), None) => failed(user, database, reason.clone()),
            (None, None) => failed(user, last_database, Reason::UnknownUser),
        }
    }

    /// What `doveadm auth test` shows: `user`, then the fields, then the name that was `asked` for when it is another.
    pub(crate) fn shown_fields(&self, user: &str, asked: &str) -> Fields {
        let mut shown = vec![("user".to_owned(), user.to_owned())];
        let visible = |name: &str| !HIDDEN.contains(&name) && !name.starts_with("event_");
        for (name, value) in self.fields.iter().filter(|(name, _)| visible(name)) {
            shown.retain(|(known, _)| known != name);
            shown.push((name.clone(), value.clone()));
        }
        if user != asked {
            shown.push(("original_user".to_owned(), asked.to_owned()));
        }
        shown
    }

    /// Takes the stored password of a block. The first one by which the login is good counts: blocks after it may add
    /// fields, not another password.
    fn accept(&mut self, stored: Option<String>) {
        let before = self.stored.take();
        if self.is_ok {
            self.stored = before.or(stored);
        } else {
            self.decoy = stored.or(before).or(self.decoy.take());
        }
    }

    /// Adds what a block that said yes tells.
    fn take(
        &mut self,
        (found, block): (Fields, &settings::Passdb),
        variables: &Variables<'_>,
    ) -> Result<(), String> {
        let mut all: Fields = words(&block.default_fields);
        all.retain(|(name, _)| !self.fields.iter().any(|(known, _)| known == name));
        all.extend(found);
        all.extend(words(&block.override_fields));
        if block.driver != "static" {
            all.extend(block_fields(&block.options));
        }
        for (name, value) in all {
            if let Some(name) = name.strip_prefix("userdb_") {
                self.userdb.push((name.to_owned(), value));
                continue;
            }
            let known = Variables {
                passdb: &self.fields,
                ..*variables
            };
            let value = expand(&value, &known).map_err(|error| format!("{name}={value}: {error}"))?;
            if name == "user" {
                self.user = Some(value.clone());
            }
            self.fields.push((name, value));
        }
        Ok(())
    }
}

impl Auth {
    /// Goes through the passdbs of a chain.
    pub(crate) fn ask_passdbs(
        &self,
        variables: &Variables<'_>,
        chain: Chain,
        purpose: Purpose<'_>,
    ) -> Progress {
        let mut progress = Progress::default();
        if self.passdbs.is_empty() {
            progress.unavailable = Some("no passdb is configured".to_owned());
        }
        let blocks = self
            .passdbs
            .iter()
            .enumerate()
            .filter(|(_, block)| chain.has(block));
        for (number, block) in blocks {
            if is_skipped(&block.settings, progress.is_ok, purpose, variables.user) {
                continue;
            }
            let database = block.driver.name();
            self.note(
                variables,
                chain,
                (database, Level::Debug, "Performing passdb lookup"),
            );
            let answer = self.ask_passdb((number, block), variables, purpose);
            self.note(
                variables,
                chain,
                (database, Level::Debug, "Finished passdb lookup"),
            );
            if block.settings.deny {
                match answer.answer {
                    Answer::Unknown => continue,
                    Answer::Match(_) | Answer::Refused(_) => {
                        progress.refused = Some((database, Reason::Denied));
                    }
                    Answer::Unavailable(text) => progress.unavailable = Some(text),
                }
                progress.is_ok = false;
                break;
            }
            let (next, stored) = self.follow(&mut progress, block, answer, variables);
            progress.is_ok = next.judge(progress.is_ok);
            progress.accept(stored);
            if next.stops() {
                break;
            }
        }
        progress
    }

    /// Takes a block's answer into account; what is next, and the stored password that it gave.
    fn follow(
        &self,
        progress: &mut Progress,
        block: &Passdb,
        found: Stored,
        variables: &Variables<'_>,
    ) -> (Next, Option<String>) {
        let (settings, database) = (&block.settings, block.driver.name());
        let refused = match &found.answer {
            Answer::Match(fields) => refused_by_fields(fields, settings, variables),
            _ => None,
        };
        let found = match refused {
            Some(reason) => found.refused(reason),
            None => found,
        };
        progress.decoy = found.decoy.or(progress.decoy.take());
        let next = match found.answer {
            Answer::Match(found) => {
                if let Err(text) = progress.take((found, settings), variables) {
                    progress.unavailable = Some(format!("{database}: {text}"));
                    return (Next::of(&settings.result_internalfail, Next::Continue), None);
                }
                (progress.database, progress.passes_on) = (database, settings.pass);
                let default = match settings.pass && !settings.master {
                    true => Next::ContinueOk,
                    false => Next::StopOk,
                };
                Next::of(&settings.result_success, default)
            }
            Answer::Refused(reason) => {
                progress.refused = Some((database, reason));
                Next::of(&settings.result_failure, Next::Continue)
            }
            Answer::Unknown => Next::of(&settings.result_failure, Next::Continue),
            Answer::Unavailable(text) => {
                progress.unavailable = Some(text);
                Next::of(&settings.result_internalfail, Next::Continue)
            }
        };
        (next, found.stored)
    }

    fn ask_passdb(
        &self,
        (number, block): (usize, &Passdb),
        variables: &Variables<'_>,
        purpose: Purpose<'_>,
    ) -> Stored {
        let judge = |record: &Record| match purpose {
            Purpose::Existence => Answer::Match(record.fields.clone()).into(),
            Purpose::Login(_) => passdb::judge(record, variables, &block.driver).into(),
            Purpose::Credentials { schemes, .. } => fit(record, schemes, &block.driver),
        };
        let key = block
            .driver
            .cache_key(variables)
            .map(|key| format!("p{number}\t{key}"));
        let cache = self.cache.as_ref().zip(key.as_deref());
        if let Some((cache, key)) = cache
            && let Some(kept) = cache.find(key, Instant::now())
        {
            match kept.record.as_ref().map(judge) {
                None => return Answer::Unknown.into(),
                Some(found) if matches!(found.answer, Answer::Refused(_)) && !kept.may_refuse => {}
                Some(found) => return found,
            }
        }
        let (found, record) = match &block.driver {
            Driver::Pam(pam) => {
                let (answer, record) = ask_pam(pam, variables, purpose);
                (answer.into(), record)
            }
            driver => match driver.record(variables, &self.files) {
                Ok(Some(record)) => (judge(&record), Some(record)),
                Ok(None) => (self.unknown(driver, variables, purpose), None),
                Err(text) => (Answer::Unavailable(text).into(), None),
            },
        };
        if let Some((cache, key)) = cache {
            let is_known = record.is_some() || matches!(found.answer, Answer::Unknown);
            if is_known {
                cache.keep(key, variables.user, record, Instant::now());
            }
            if matches!((&found.answer, purpose), (Answer::Match(_), Purpose::Login(_))) {
                cache.succeeded(key);
            }
        }
        found
    }

    /// Nobody is there; that is not to be seen from the time it takes.
    fn unknown(&self, driver: &Driver, variables: &Variables<'_>, purpose: Purpose<'_>) -> Stored {
        let decoy = match purpose {
            Purpose::Existence => None,
            Purpose::Login(_) => {
                driver.waste_time(variables, &self.files);
                None
            }
            Purpose::Credentials { .. } => driver.decoy(variables, &self.files),
        };
        Stored {
            decoy,
            ..Answer::Unknown.into()
        }
    }
}

/// PAM's word, and what may be kept of it: the password that was right, hashed.
fn ask_pam(pam: &Pam, variables: &Variables<'_>, purpose: Purpose<'_>) -> (Answer, Option<Record>) {
    if purpose == Purpose::Existence {
        let text = "pam: it can only be asked with a password".to_owned();
        return (Answer::Unavailable(text), None);
    }
    if let Purpose::Credentials { mechanism, .. } = purpose {
        let text = format!("PAM cannot be asked by {mechanism}: it wants the password");
        return (Answer::Refused(Reason::Pam(text)), None);
    }
    if variables.password.is_empty() {
        // Modules such as pam_permit would let everybody in whose client sent nothing.
        return (Answer::Refused(Reason::EmptyPassword), None);
    }
    let answer = match pam.ask(variables) {
        Outcome::Ok { user } => {
            let fields = passdb::renamed(&user, variables.user);
            let record = pam
                .cache_key
                .is_some()
                .then(|| hashed(variables.password, &fields));
            return (Answer::Match(fields), record.flatten());
        }
        Outcome::Refused { why, told } if pam.tells_client && !told.is_empty() => {
            Answer::Refused(Reason::Told { why, told })
        }
        Outcome::Refused { why, .. } => Answer::Refused(Reason::Pam(why)),
        Outcome::UnknownUser => Answer::Unknown,
        Outcome::Expired(why) => Answer::Refused(Reason::Expired(why)),
        Outcome::Unavailable(why) => Answer::Unavailable(why),
    };
    (answer, None)
}

fn hashed(password: &str, fields: &Fields) -> Option<Record> {
    let scheme: Scheme = "SSHA256".parse().ok()?;
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).ok()?;
    let stored = scheme::generate(&scheme, password.as_bytes(), None, &random).ok()?;
    Some(Record {
        password: Some(stored),
        scheme,
        fields: fields.clone(),
    })
}

/// `allow_nets` of what was found, and of the block.
fn refused_by_fields(found: &Fields, block: &settings::Passdb, variables: &Variables<'_>) -> Option<Reason> {
    let mut all = words(&block.default_fields);
    all.extend(found.iter().cloned());
    all.extend(words(&block.override_fields));
    let networks = all
        .iter()
        .filter(|(key, value)| matches!(key.as_str(), "allow_nets" | "allow_real_nets") && !value.is_empty());
    for (_, value) in networks {
        if !allows(value, variables.remote) {
            return Some(Reason::Network);
        }
    }
    None
}

/// `skip`, `mechanisms` and `username_filter` of a passdb block.
fn is_skipped(block: &settings::Passdb, is_ok: bool, purpose: Purpose<'_>, user: &str) -> bool {
    let by_state = match block.skip.as_str() {
        "authenticated" => is_ok,
        "unauthenticated" => !is_ok,
        _ => false,
    };
    let by_mechanism = purpose.mechanism().is_some_and(|mechanism| {
        let mut names = block.mechanisms.iter();
        !block.mechanisms.is_empty() && !names.any(|name| name.eq_ignore_ascii_case(mechanism))
    });
    by_state || by_mechanism || !passes(&block.username_filter, user)
}

/// A comma-separated list of networks; `local` stands for no address.
fn allows(networks: &str, remote: Option<IpAddr>) -> bool {
    networks.split(',').map(str::trim).any(|network| match remote {
        None => network == "local",
        Some(remote) => network
            .parse::<Network>()
            .is_ok_and(|network| network.contains(remote)),
    })
}
