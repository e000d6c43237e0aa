//! The chains of one configuration: a login from the name to the account.

use std::sync::Arc;
use std::time::{Duration, Instant};

use settings::Dovecot;

use crate::cache::Cache;
use crate::completion::Completion;
use crate::credentials::weak;
use crate::driver::{Fields, block_fields, is_set, words};
use crate::exchange::{self, Mechanisms};
use crate::memory::{self, Memory};
use crate::names::{Login, Names};
use crate::notes::{Level, Note, Notes, Sink};
use crate::passdb;
use crate::passdbs::{Chain, Progress, Purpose};
use crate::passwd_file::Files;
use crate::penalty::{Penalized, Penalties, Penalty};
use crate::shown::ShownPasswords;
use crate::userdb;
use crate::variables::Variables;
use crate::{Account, Asker, Error, Failure, Reason, Request, Ticket, Verdict};

/// The chains of one configuration.
#[derive(Debug)]
pub struct Auth {
    names: Names,
    pub(crate) passdbs: Vec<Passdb>,
    userdbs: Vec<Userdb>,
    completion: Completion,
    failure_delay: Duration,
    penalties: Option<Arc<Penalties>>,
    trusted: Vec<settings::Network>,
    shown: ShownPasswords,
    pub(crate) files: Files,
    pub(crate) cache: Option<Arc<Cache>>,
    /// Whose answers are in the cache.
    asked: memory::Asked,
    pub(crate) notes: Notes,
    pub(crate) sasl: Mechanisms,
}

#[derive(Debug)]
pub(crate) struct Passdb {
    pub(crate) driver: passdb::Driver,
    pub(crate) settings: settings::Passdb,
}

#[derive(Debug)]
struct Userdb {
    driver: userdb::Driver,
    settings: settings::Userdb,
}

/// What follows from a block's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Stop,
    StopOk,
    StopFail,
    Continue,
    ContinueOk,
    ContinueFail,
}

impl Next {
    pub(crate) fn of(text: &str, default: Next) -> Next {
        match text {
            "return" => Next::Stop,
            "return-ok" => Next::StopOk,
            "return-fail" => Next::StopFail,
            "continue" => Next::Continue,
            "continue-ok" => Next::ContinueOk,
            "continue-fail" => Next::ContinueFail,
            _ => default,
        }
    }

    pub(crate) fn stops(self) -> bool {
        matches!(self, Next::Stop | Next::StopOk | Next::StopFail)
    }

    /// Whether the login is good so far.
    pub(crate) fn judge(self, so_far: bool) -> bool {
        match self {
            Next::StopOk | Next::ContinueOk => true,
            Next::StopFail | Next::ContinueFail => false,
            Next::Stop | Next::Continue => so_far,
        }
    }
}

/// A verdict, with what `doveadm auth test` shows besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// What became of the login.
    pub verdict: Verdict,
    /// What the passdbs told, `user` first; a field without a value has an empty one.
    pub fields: Vec<(String, String)>,
}

/// A login of which the passdbs have said yes, as far as they could without a proof.
#[derive(Debug)]
pub(crate) struct Begun {
    login: Login,
    /// The name as the client gave it, or as its certificate has it.
    given: String,
    pub(crate) progress: Progress,
}

impl Begun {
    /// Of somebody who needs no passdb.
    pub(crate) fn without_passdb(user: String) -> Begun {
        Begun {
            given: user.clone(),
            login: Login::Plain(user),
            progress: Progress::welcome(),
        }
    }

    /// The verdict when the client cannot prove, or has not proved, who it is.
    pub(crate) fn refusal(self, reason: Reason) -> Box<Refusal> {
        let (Login::Plain(asked) | Login::Master { master: asked, .. }) = &self.login;
        let tested = failed(asked, self.progress.database, reason);
        Refusal::of(tested, self.progress)
    }
}

/// A login that does not end well, whatever follows.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The verdict, and what the passdbs told.
    pub(crate) told: (Tested, Fields),
    /// A stored password with which the dialogue may go on.
    pub(crate) decoy: Option<String>,
}

impl Refusal {
    fn of(tested: Tested, progress: Progress) -> Box<Refusal> {
        Box::new(Refusal {
            told: (tested, progress.fields),
            decoy: progress.decoy.or(progress.stored),
        })
    }
}

impl From<Tested> for Box<Refusal> {
    fn from(tested: Tested) -> Box<Refusal> {
        Refusal::of(tested, Progress::default())
    }
}

impl Auth {
    /// The chains of the settings, and every problem with them. A block that is not there yet takes part as one that
    /// cannot be asked; a block with wrong arguments too: neither turns into "no such user".
    pub fn new(settings: &Dovecot) -> (Auth, Vec<Error>) {
        let mut problems = Vec::new();
        let passdbs = settings.passdbs.iter().map(|block| Passdb {
            driver: passdb::Driver::of(block).unwrap_or_else(|error| {
                let text = error.to_string();
                problems.push(error);
                passdb::Driver::NotYet(text)
            }),
            settings: block.clone(),
        });
        let passdbs = passdbs.map(|block| Passdb {
            driver: block.driver.with_weak(weak(settings, &block.settings)),
            ..block
        });
        let passdbs: Vec<Passdb> = passdbs.collect();
        let wants_passwords = |block: &Passdb| matches!(block.driver, passdb::Driver::Pam(_));
        if !passdbs.is_empty() && passdbs.iter().all(wants_passwords) {
            problems.extend(exchange::looking_up(settings).map(Error::Mechanism));
        }
        let userdbs = settings.userdbs.iter().map(|block| Userdb {
            driver: userdb::Driver::of(block).unwrap_or_else(|error| {
                let text = error.to_string();
                problems.push(error);
                userdb::Driver::NotYet(text)
            }),
            settings: block.clone(),
        });
        let userdbs = userdbs.collect();
        let trusted = settings.login_trusted_networks.iter();
        let auth = Auth {
            names: Names::of(settings),
            passdbs,
            userdbs,
            completion: Completion::of(settings),
            failure_delay: settings.auth_failure_delay,
            penalties: has_penalties(settings).then(Arc::default),
            trusted: trusted.filter_map(|word| word.parse().ok()).collect(),
            shown: ShownPasswords::of(&settings.auth_verbose_passwords),
            files: Files::default(),
            cache: Cache::of(settings).map(Arc::new),
            asked: memory::Asked::of(settings),
            notes: Notes {
                sink: None,
                is_debug: settings.auth_debug || settings.auth_debug_passwords,
            },
            sasl: Mechanisms::of(settings),
        };
        (auth, problems)
    }

    /// Tells `sink` what happens with logins, as far as `auth_debug` wants it known.
    #[must_use]
    pub fn telling(mut self, sink: Sink) -> Auth {
        self.notes.sink = Some(sink);
        self
    }

    /// Goes on with what `memory` has of the chains before, and leaves there what is known from now on.
    #[must_use]
    pub fn remembering(mut self, memory: &mut Memory) -> Auth {
        memory.share(&mut self.penalties, &mut self.cache, &self.asked);
        self
    }

    /// Verifies a login. Reads files and hashes: it may take a second.
    pub fn verify(&self, request: &Request<'_>) -> Verdict {
        self.test(request).verdict
    }

    /// As [`Auth::verify`], with what the passdbs told.
    pub fn test(&self, request: &Request<'_>) -> Tested {
        let told = match self.begin(request, Purpose::Login(request.mechanism)) {
            Ok(begun) => self.complete(begun, request),
            Err(refusal) => refusal.told,
        };
        self.settle(request, request.password.bytes(), told)
    }

    /// Asks the passdbs about whom a client wants to be.
    pub(crate) fn begin(&self, request: &Request<'_>, purpose: Purpose<'_>) -> Result<Begun, Box<Refusal>> {
        let given = match self.sasl.given(request.user, request.asker) {
            Ok(given) => given,
            Err(reason) => return Err(failed(request.user, "auth", reason).into()),
        };
        match self.names.login(given, request.authzid) {
            Ok(Login::Plain(user)) => self.begin_plain(user, &named(request, given), purpose),
            Ok(Login::Master { user, master }) => {
                self.begin_master((user, master), &named(request, given), purpose)
            }
            Err(reason) => {
                let mut tested = failed(given, "auth", reason);
                tested.fields.push(("original_user".to_owned(), given.to_owned()));
                Err(tested.into())
            }
        }
    }

    /// The passdbs said yes, and the client has proved who it is.
    pub(crate) fn complete(&self, begun: Begun, request: &Request<'_>) -> (Tested, Fields) {
        let request = &named(request, &begun.given);
        match begun.login {
            Login::Plain(user) => {
                let told = begun.progress.fields.clone();
                let variables = variables_of(&user, request);
                (
                    self.finish((&user, request.user), &variables, begun.progress),
                    told,
                )
            }
            Login::Master { user, master } => {
                self.complete_master((&user, &master), &begun.progress, request)
            }
        }
    }

    /// What is left to do about a verdict: its delay, and the count of failures. `attempt` is what makes one guess
    /// differ from another.
    pub(crate) fn settle(
        &self,
        request: &Request<'_>,
        attempt: &[u8],
        (mut tested, nodelay): (Tested, Fields),
    ) -> Tested {
        if let Verdict::Failed(failure) = &mut tested.verdict {
            failure.delay = if is_set(&nodelay, "nodelay") {
                Duration::ZERO
            } else {
                self.failure_delay
            };
            let password = request.password.bytes();
            if let Some(shown) = self.shown.of_password(password).filter(|_| !password.is_empty()) {
                let reason = failure.reason.clone();
                if matches!(reason, Reason::PasswordMismatch | Reason::UnknownUser) {
                    failure.reason = Reason::WithPassword(Box::new(reason), shown);
                }
            }
        }
        self.remember(request.asker, (request.user, attempt), &tested.verdict);
        tested
    }

    /// What a login from there waits before it is looked at, because of failures before it.
    pub(crate) fn penalty(&self, asker: &Asker) -> Penalty {
        match (&self.penalties, self.punishable(asker)) {
            (Some(penalties), Some(address)) => penalties.of(address, Instant::now()),
            _ => Penalty::default(),
        }
    }

    /// Whose logins wait now.
    pub(crate) fn penalties(&self) -> Vec<Penalized> {
        let penalties = self.penalties.as_ref();
        penalties.map_or_else(Vec::new, |penalties| penalties.all(Instant::now()))
    }

    /// Counts a login for or against the address it came from.
    pub(crate) fn remember(&self, asker: &Asker, attempt: (&str, &[u8]), verdict: &Verdict) {
        let (Some(penalties), Some(address)) = (&self.penalties, self.punishable(asker)) else {
            return;
        };
        match verdict {
            Verdict::Ok(..) => penalties.succeeded(address),
            Verdict::Failed(_) => {
                let now = Instant::now();
                let before = asker.failures_before;
                let before = before.unwrap_or_else(|| penalties.of(address, now).failures);
                penalties.failed(address, attempt, before, now);
            }
            Verdict::Temporary(_) => {}
        }
    }

    fn punishable(&self, asker: &Asker) -> Option<std::net::IpAddr> {
        let is_trusted = |address| self.trusted.iter().any(|network| network.contains(address));
        asker.remote.filter(|address| !is_trusted(*address))
    }

    fn begin_plain(
        &self,
        user: String,
        request: &Request<'_>,
        purpose: Purpose<'_>,
    ) -> Result<Begun, Box<Refusal>> {
        let progress = self.ask_passdbs(&variables_of(&user, request), Chain::Users, purpose);
        if progress.is_ok {
            return Ok(Begun {
                login: Login::Plain(user),
                given: request.user.to_owned(),
                progress,
            });
        }
        let mut tested = progress.refusal(&user, self.last_database(Chain::Users));
        if user != request.user {
            let original = ("original_user".to_owned(), request.user.to_owned());
            tested.fields.push(original);
        }
        Err(Refusal::of(tested, progress))
    }

    /// `user` is to be logged in, by the word of `master`, whose password it is.
    fn begin_master(
        &self,
        (user, master): (String, String),
        request: &Request<'_>,
        purpose: Purpose<'_>,
    ) -> Result<Begun, Box<Refusal>> {
        if !self.passdbs.iter().any(|block| block.settings.master) {
            return Err(failed(&master, "auth", Reason::OtherIdentity).into());
        }
        let variables = variables_of(&master, request);
        let text = format!("Master user lookup for login: {user}");
        self.note(&variables, Chain::Masters, ("auth", Level::Debug, &text));
        let progress = self.ask_passdbs(&variables, Chain::Masters, purpose);
        if progress.is_ok {
            return Ok(Begun {
                login: Login::Master { user, master },
                given: request.user.to_owned(),
                progress,
            });
        }
        let mut tested = progress.refusal(&master, self.last_database(Chain::Masters));
        tested.fields = vec![("user".to_owned(), master)];
        Err(Refusal::of(tested, progress))
    }

    fn complete_master(
        &self,
        (user, master): (&str, &str),
        progress: &Progress,
        request: &Request<'_>,
    ) -> (Tested, Fields) {
        let text = format!("Master user {master} logging in as {user}");
        let of_its_own = variables_of(master, request);
        self.note(&of_its_own, Chain::Masters, ("auth", Level::Info, &text));
        let variables = Variables {
            user,
            master_user: master,
            original_user: master,
            ..of_its_own
        };
        let target = if progress.passes_on {
            let target = self.ask_passdbs(&variables, Chain::Users, Purpose::Existence);
            if !target.is_ok {
                let mut tested = target.refusal(user, self.last_database(Chain::Users));
                tested.fields.push(("code".to_owned(), "authz_fail".to_owned()));
                tested.fields.extend(of_master(master));
                return (tested, target.fields);
            }
            target
        } else {
            Progress::welcome()
        };
        let told = target.fields.clone();
        let mut tested = self.finish((user, user), &variables, target);
        tested.fields.extend(of_master(master));
        if let Verdict::Ok(account, _) = &mut tested.verdict {
            account.extra.insert("master_user".to_owned(), master.to_owned());
        }
        (tested, told)
    }

    /// The passdbs said yes: what they told besides may still say no, and the userdbs tell who it is.
    fn finish(&self, (asked, given): (&str, &str), variables: &Variables<'_>, progress: Progress) -> Tested {
        let user = progress.user.clone().unwrap_or_else(|| asked.to_owned());
        let fields = progress.shown_fields(&user, given);
        let verdict = self.admit(&user, variables, &progress);
        Tested { verdict, fields }
    }

    fn admit(&self, user: &str, variables: &Variables<'_>, progress: &Progress) -> Verdict {
        if is_set(&progress.fields, "proxy") || is_set(&progress.fields, "proxy_maybe") {
            return Verdict::Temporary(format!(
                "user {user}: the passdb says proxy: proxying is not there yet"
            ));
        }
        if is_set(&progress.fields, "nologin") {
            let told = progress.fields.iter().rev().find(|(key, _)| key == "reason");
            let reason = match told {
                Some((_, text)) => Reason::Closed(text.clone()),
                None => Reason::NoLogin,
            };
            return failed(user, progress.database, reason).verdict;
        }
        let variables = Variables {
            user,
            passdb: &progress.fields,
            ..*variables
        };
        match self.ask_userdbs(&variables, &progress.userdb, true) {
            Ok(Some(account)) => Verdict::Ok(account, Ticket::default()),
            Ok(None) => Verdict::Temporary(format!(
                "user {user}: the password is right, but no userdb knows the user"
            )),
            Err(text) => Verdict::Temporary(text),
        }
    }

    /// What the passdbs tell of a user without a password (`doveadm auth lookup`); `None` when there is no such user.
    ///
    /// # Errors
    /// When a database cannot be asked; the text is for the log.
    pub fn passdb_lookup(&self, user: &str, asker: &Asker) -> Result<Option<Fields>, String> {
        let Ok(user) = self.names.normalise(user) else {
            return Ok(None);
        };
        let variables = Variables {
            user: &user,
            service: &asker.service,
            remote: asker.remote,
            local: asker.local,
            ..Variables::default()
        };
        let progress = self.ask_passdbs(&variables, Chain::Users, Purpose::Existence);
        if progress.is_ok {
            let found = progress.user.clone().unwrap_or_else(|| user.clone());
            return Ok(Some(progress.shown_fields(&found, &user)));
        }
        progress.unavailable.map_or(Ok(None), Err)
    }

    /// Who a user is, without a password (delivery, `doveadm user`). `None` when there is no such user.
    ///
    /// # Errors
    /// When a database cannot be asked, or the account makes no sense; the text is for the log.
    pub fn lookup(&self, user: &str, service: &str) -> Result<Option<Account>, String> {
        let Ok(user) = self.names.normalise(user) else {
            return Ok(None);
        };
        let variables = Variables {
            user: &user,
            service,
            ..Variables::default()
        };
        self.ask_userdbs(&variables, &[], false)
    }

    /// Whether a userdb is configured. Without one, [`Auth::lookup`] can tell nothing about anybody.
    pub fn has_userdb(&self) -> bool {
        !self.userdbs.is_empty()
    }

    /// Forgets what databases said of these users, of everybody when none is named; how many answers that were.
    pub fn flush_cache(&self, users: &[String]) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.flush(users))
    }

    /// All users that the userdbs can list, or, where none can, the passdbs; sorted, each once.
    ///
    /// # Errors
    /// When a database cannot be read, or none can list its users; the text is for the screen.
    pub fn list(&self) -> Result<Vec<String>, String> {
        let uids = self.completion.uids;
        let of_userdbs = self.userdbs.iter();
        let mut lists: Vec<Result<Vec<String>, String>> = of_userdbs
            .filter_map(|block| block.driver.list(&self.files, uids))
            .collect();
        if lists.is_empty() {
            let passdbs = self
                .passdbs
                .iter()
                .filter(|block| !block.settings.master && !block.settings.deny);
            lists = passdbs
                .filter_map(|block| block.driver.list(&self.files, uids))
                .collect();
        }
        if lists.is_empty() {
            return Err("no userdb and no passdb can list its users".to_owned());
        }
        let mut users: Vec<String> = lists
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        users.sort();
        users.dedup();
        Ok(users)
    }

    fn last_database(&self, chain: Chain) -> &'static str {
        let blocks = self.passdbs.iter().filter(|block| chain.has(block));
        blocks.last().map_or("auth", |block| block.driver.name())
    }

    pub(crate) fn note(
        &self,
        variables: &Variables<'_>,
        chain: Chain,
        (database, level, text): (&str, Level, &str),
    ) {
        self.notes.say(&Note {
            level,
            database,
            user: variables.user,
            remote: variables.remote,
            is_master: chain == Chain::Masters,
            text,
        });
    }

    /// Goes through the userdbs. `is_verified`: the password was right, so a static block may be believed.
    fn ask_userdbs(
        &self,
        variables: &Variables<'_>,
        prefetched: &[(String, String)],
        is_verified: bool,
    ) -> Result<Option<Account>, String> {
        let mut unavailable = self
            .userdbs
            .is_empty()
            .then(|| "no userdb is configured".to_owned());
        let mut found: Option<Fields> = None;
        for (number, block) in self.userdbs.iter().enumerate() {
            let skip = block.settings.skip.as_str();
            if skip == "always"
                || (skip == "found" && found.is_some())
                || (skip == "notfound" && found.is_none())
            {
                continue;
            }
            if block.driver.needs_proof() && !is_verified && !self.is_known(variables)? {
                continue;
            }
            let database = block.driver.name();
            self.note(
                variables,
                Chain::Users,
                (database, Level::Debug, "Performing userdb lookup"),
            );
            let next = match self.ask_userdb((number, block), variables, prefetched) {
                Ok(Some(fields)) => {
                    found = Some(merged(found.take().unwrap_or_default(), fields, &block.settings));
                    Next::of(&block.settings.result_success, Next::StopOk)
                }
                Ok(None) => Next::of(&block.settings.result_failure, Next::Continue),
                Err(text) => {
                    unavailable = Some(text);
                    Next::of(&block.settings.result_internalfail, Next::Continue)
                }
            };
            self.note(
                variables,
                Chain::Users,
                (database, Level::Debug, "Finished userdb lookup"),
            );
            if next.stops() {
                if next == Next::StopFail {
                    found = None;
                }
                break;
            }
        }
        match (found, unavailable) {
            (Some(fields), _) => self.completion.account(variables, fields).map(Some),
            (None, Some(text)) => Err(text),
            (None, None) => Ok(None),
        }
    }

    fn ask_userdb(
        &self,
        (number, block): (usize, &Userdb),
        variables: &Variables<'_>,
        prefetched: &[(String, String)],
    ) -> Result<Option<Fields>, String> {
        let find = || block.driver.find(variables, prefetched, &self.files);
        let key = block.driver.cache_key(variables);
        let (Some(cache), Some(key)) = (&self.cache, key) else {
            return find();
        };
        let (key, now) = (format!("u{number}\t{key}"), Instant::now());
        if let Some(kept) = cache.find(&key, now) {
            return Ok(kept.record.map(|record| record.fields));
        }
        let found = find()?;
        cache.keep(
            &key,
            variables.user,
            found.clone().map(crate::driver::Record::of_fields),
            now,
        );
        Ok(found)
    }

    /// Whether some passdb knows the user (static userdb without `allow_all_users`).
    fn is_known(&self, variables: &Variables<'_>) -> Result<bool, String> {
        let progress = self.ask_passdbs(variables, Chain::Users, Purpose::Existence);
        match progress.unavailable {
            Some(text) if !progress.is_ok => Err(text),
            _ => Ok(progress.is_ok),
        }
    }
}

/// A userdb's fields upon those found before: the last of equal names counts.
fn merged(before: Fields, fields: Fields, block: &settings::Userdb) -> Fields {
    let mut all = words(&block.default_fields);
    all.extend(before);
    all.extend(fields);
    all.extend(words(&block.override_fields));
    if block.driver != "static" {
        all.extend(block_fields(&block.options));
    }
    all
}

fn of_master(master: &str) -> [(String, String); 2] {
    ["original_user", "auth_user"].map(|name| (name.to_owned(), master.to_owned()))
}

/// A refusal whose delay is not yet known.
pub(crate) fn failed(user: &str, database: &'static str, reason: Reason) -> Tested {
    let mut fields = vec![("user".to_owned(), user.to_owned())];
    let code = match &reason {
        Reason::Denied | Reason::Disabled => Some("user_disabled"),
        Reason::Expired(_) => Some("pass_expired"),
        _ => None,
    };
    fields.extend(code.map(|code| ("code".to_owned(), code.to_owned())));
    Tested {
        verdict: Verdict::Failed(Failure {
            user: user.to_owned(),
            database: database.into(),
            reason,
            delay: Duration::ZERO,
        }),
        fields,
    }
}

/// The request of whoever has this name.
fn named<'a>(request: &Request<'a>, user: &'a str) -> Request<'a> {
    Request {
        user,
        ..request.clone()
    }
}

fn variables_of<'a>(user: &'a str, request: &Request<'a>) -> Variables<'a> {
    Variables {
        user,
        service: &request.asker.service,
        remote: request.asker.remote,
        local: request.asker.local,
        // A password that is no text has no place in a query or a path.
        password: std::str::from_utf8(request.password.bytes()).unwrap_or_default(),
        mechanism: request.mechanism,
        is_secured: request.asker.secured,
        remote_port: request.asker.remote_port,
        local_port: request.asker.local_port,
        session: &request.asker.session,
        original_user: request.user,
        ..Variables::default()
    }
}

/// Penalties are off when the socket by which Dovecot's processes talk of them is: `unix_listener anvil-auth-penalty { mode = 0 }`.
fn has_penalties(settings: &Dovecot) -> bool {
    let anvil = settings.services.get("anvil");
    let listener = anvil.and_then(|service| service.unix_listeners.get("anvil-auth-penalty"));
    listener.is_none_or(|listener| listener.mode != 0)
}
