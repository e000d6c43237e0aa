//! The blocks in their order: what follows from each answer, and the account at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use settings::Dovecot;

use crate::names::Names;
use crate::passdb::{self, Answer, Found, words};
use crate::passwd_file::Files;
use crate::userdb::{self, Fields};
use crate::variables::{Variables, expand};
use crate::{Account, Error, Failure, Reason, Request, Ticket, Verdict};

/// The chains of one configuration.
#[derive(Debug)]
pub struct Auth {
    names: Names,
    passdbs: Vec<Passdb>,
    userdbs: Vec<Userdb>,
    completion: Completion,
    failure_delay: Duration,
    files: Files,
}

#[derive(Debug)]
struct Passdb {
    driver: passdb::Driver,
    settings: settings::Passdb,
}

#[derive(Debug)]
struct Userdb {
    driver: userdb::Driver,
    settings: settings::Userdb,
}

/// What completes an account, and the bounds it must keep.
#[derive(Debug)]
struct Completion {
    mail_uid: String,
    mail_gid: String,
    mail_home: String,
    mail_location: String,
    uids: (usize, usize),
    gids: (usize, usize),
}

/// What follows from a block's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Stop,
    StopOk,
    StopFail,
    Continue,
    ContinueOk,
    ContinueFail,
}

impl Next {
    fn of(text: &str, default: Next) -> Next {
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

    fn stops(self) -> bool {
        matches!(self, Next::Stop | Next::StopOk | Next::StopFail)
    }

    /// Whether the login is good so far.
    fn judge(self, so_far: bool) -> bool {
        match self {
            Next::StopOk | Next::ContinueOk => true,
            Next::StopFail | Next::ContinueFail => false,
            Next::Stop | Next::Continue => so_far,
        }
    }
}

/// How a chain of passdbs went so far.
#[derive(Debug, Default)]
struct Progress {
    is_ok: bool,
    found: Found,
    refused: Option<(&'static str, Reason)>,
    unavailable: Option<String>,
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
        let passdbs = passdbs.collect();
        for block in settings.passdbs.iter().filter(|block| block.master) {
            let place = format!("{}:{}", block.place.0, block.place.1);
            problems.push(Error::NotYet {
                place,
                kind: "passdb",
                what: "master = yes".to_owned(),
            });
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
        let completion = Completion {
            mail_uid: settings.mail_uid.clone(),
            mail_gid: settings.mail_gid.clone(),
            mail_home: settings.mail_home.clone(),
            mail_location: settings.mail_location.clone(),
            uids: (settings.first_valid_uid, settings.last_valid_uid),
            gids: (settings.first_valid_gid, settings.last_valid_gid),
        };
        let names = Names::of(settings);
        let failure_delay = settings.auth_failure_delay;
        (
            Auth {
                names,
                passdbs,
                userdbs,
                completion,
                failure_delay,
                files: Files::default(),
            },
            problems,
        )
    }

    /// Verifies a login. Reads files and hashes: it may take a second.
    pub fn verify(&self, request: &Request<'_>) -> Verdict {
        let failed = |user: String, database: &'static str, reason| {
            Verdict::Failed(Failure {
                user,
                database: database.into(),
                reason,
                delay: self.failure_delay,
            })
        };
        let user = match self.names.normalise(request.user) {
            Ok(user) => user,
            Err(reason) => return failed(request.user.to_owned(), "auth", reason),
        };
        if !request.authzid.is_empty() && self.names.normalise(request.authzid).as_ref() != Ok(&user) {
            return failed(user, "auth", Reason::OtherIdentity);
        }
        let progress = match self.ask_passdbs(&user, request) {
            Ok(progress) => progress,
            Err((database, reason)) => return failed(user, database, reason),
        };
        if !progress.is_ok {
            return match (progress.refused, progress.unavailable) {
                // A refusal by one database says nothing while another could not be asked.
                (_, Some(text)) => Verdict::Temporary(text),
                (Some((database, reason)), None) => failed(user, database, reason),
                (None, None) => failed(user, self.last_database(), Reason::UnknownUser),
            };
        }
        let user = progress.found.user.clone().unwrap_or(user);
        match self.ask_userdbs(&user, &request.asker.service, &progress.found.userdb, true) {
            Ok(Some(account)) => Verdict::Ok(account, Ticket::default()),
            Ok(None) => Verdict::Temporary(format!(
                "user {user}: the password is right, but no userdb knows the user"
            )),
            Err(text) => Verdict::Temporary(text),
        }
    }

    /// Who a user is, without a password (delivery, `doveadm user`). `None` when there is no such user.
    ///
    /// # Errors
    /// When a database cannot be asked, or the account makes no sense; the text is for the log.
    pub fn lookup(&self, user: &str, service: &str) -> Result<Option<Account>, String> {
        match self.names.normalise(user) {
            Ok(user) => self.ask_userdbs(&user, service, &[], false),
            Err(_) => Ok(None),
        }
    }

    /// Whether a userdb is configured. Without one, [`Auth::lookup`] can tell nothing about anybody.
    pub fn has_userdb(&self) -> bool {
        !self.userdbs.is_empty()
    }

    /// All users that the userdbs can list, or, where none can, the passdbs; sorted, each once.
    ///
    /// # Errors
    /// When a database cannot be read, or none can list its users; the text is for the screen.
    pub fn list(&self) -> Result<Vec<String>, String> {
        let of_userdbs = self
            .userdbs
            .iter()
            .filter_map(|block| block.driver.list(&self.files));
        let mut lists: Vec<Result<Vec<String>, String>> = of_userdbs.collect();
        if lists.is_empty() {
            lists = self
                .passdbs
                .iter()
                .filter_map(|block| block.driver.list(&self.files))
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

    fn last_database(&self) -> &'static str {
        self.passdbs.last().map_or("auth", |block| block.driver.name())
    }

    /// Goes through the passdbs. `Err` is a refusal that ends it at once.
    fn ask_passdbs(&self, user: &str, request: &Request<'_>) -> Result<Progress, (&'static str, Reason)> {
        let mut progress = Progress::default();
        if self.passdbs.is_empty() {
            progress.unavailable = Some("no passdb is configured".to_owned());
        }
        for block in self.passdbs.iter().filter(|block| !block.settings.master) {
            if is_skipped(&block.settings, progress.is_ok, request.mechanism, user) {
                continue;
            }
            let database = block.driver.name();
            let answer = block.driver.verify(user, request, &self.files);
            if block.settings.deny {
                match answer {
                    Answer::Match(_) | Answer::Refused(_) => return Err((database, Reason::Denied)),
                    Answer::Unavailable(text) => {
                        return Ok(Progress {
                            unavailable: Some(text),
                            ..Progress::default()
                        });
                    }
                    Answer::Unknown => continue,
                }
            }
            let next = match answer {
                Answer::Match(found) => {
                    progress.take(found, &block.settings);
                    let default = if block.settings.pass {
                        Next::ContinueOk
                    } else {
                        Next::StopOk
                    };
                    Next::of(&block.settings.result_success, default)
                }
                Answer::Refused(reason) => {
                    progress.refused = Some((database, reason));
                    Next::of(&block.settings.result_failure, Next::Continue)
                }
                Answer::Unknown => Next::of(&block.settings.result_failure, Next::Continue),
                Answer::Unavailable(text) => {
                    progress.unavailable = Some(text);
                    Next::of(&block.settings.result_internalfail, Next::Continue)
                }
            };
            progress.is_ok = next.judge(progress.is_ok);
            if next.stops() {
                break;
            }
        }
        Ok(progress)
    }

    /// Goes through the userdbs. `is_verified`: the password was right, so a static block may be believed.
    fn ask_userdbs(
        &self,
        user: &str,
        service: &str,
        prefetched: &[(String, String)],
        is_verified: bool,
    ) -> Result<Option<Account>, String> {
        let mut unavailable = self
            .userdbs
            .is_empty()
            .then(|| "no userdb is configured".to_owned());
        let mut found: Option<Fields> = None;
        for block in &self.userdbs {
            let skip = block.settings.skip.as_str();
            if skip == "always"
                || (skip == "found" && found.is_some())
                || (skip == "notfound" && found.is_none())
            {
                continue;
            }
            if block.driver.needs_proof() && !is_verified && !self.is_known(user)? {
                continue;
            }
            let next = match block.driver.find(user, service, prefetched, &self.files) {
                Ok(Some(fields)) => {
                    let mut all = words(&block.settings.default_fields);
                    all.extend(found.take().unwrap_or_default());
                    all.extend(fields);
                    all.extend(words(&block.settings.override_fields));
                    found = Some(all);
                    Next::of(&block.settings.result_success, Next::StopOk)
                }
                Ok(None) => Next::of(&block.settings.result_failure, Next::Continue),
                Err(text) => {
                    unavailable = Some(text);
                    Next::of(&block.settings.result_internalfail, Next::Continue)
                }
            };
            if next.stops() {
                break;
            }
        }
        match (found, unavailable) {
            (Some(fields), _) => self.completion.account(user, service, fields).map(Some),
            (None, Some(text)) => Err(text),
            (None, None) => Ok(None),
        }
    }

    /// Whether some passdb knows the user (static userdb without `allow_all_users`).
    fn is_known(&self, user: &str) -> Result<bool, String> {
        let mut unavailable = None;
        for block in self
            .passdbs
            .iter()
            .filter(|block| !block.settings.deny && !block.settings.master)
        {
            match block.driver.exists(user, &self.files) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(text) => unavailable = Some(text),
            }
        }
        unavailable.map_or(Ok(false), Err)
    }
}

impl Progress {
    fn take(&mut self, found: Found, block: &settings::Passdb) {
        if found.user.is_some() {
            self.found.user = found.user;
        }
        let of_settings = |fields: &str| -> Vec<(String, String)> {
            let prefixed = words(fields).into_iter();
            prefixed
                .filter_map(|(key, value)| Some((key.strip_prefix("userdb_")?.to_owned(), value)))
                .collect()
        };
        self.found.userdb.extend(of_settings(&block.default_fields));
        self.found.userdb.extend(found.userdb);
        self.found.userdb.extend(of_settings(&block.override_fields));
    }
}

/// `skip`, `mechanisms` and `username_filter` of a passdb block.
fn is_skipped(block: &settings::Passdb, is_ok: bool, mechanism: &str, user: &str) -> bool {
    let by_state = match block.skip.as_str() {
        "authenticated" => is_ok,
        "unauthenticated" => !is_ok,
        _ => false,
    };
    let by_mechanism = !block.mechanisms.is_empty()
        && !block
            .mechanisms
            .iter()
            .any(|name| name.eq_ignore_ascii_case(mechanism));
    by_state || by_mechanism || !passes(&block.username_filter, user)
}

/// Dovecot's `username_filter`: patterns with `*` and `?`; one after `!` excludes.
fn passes(filter: &str, user: &str) -> bool {
    let (mut is_in, mut has_positive) = (false, false);
    for pattern in filter.split([' ', ',']).filter(|pattern| !pattern.is_empty()) {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches_pattern(pattern.as_bytes(), user.as_bytes()) => return false,
            Some(_) => {}
            None => {
                has_positive = true;
                is_in |= matches_pattern(pattern.as_bytes(), user.as_bytes());
            }
        }
    }
    is_in || !has_positive
}

/// Whether a user name fits a pattern in which `*` is any text and `?` any byte (`doveadm user 'a*'`).
pub fn matches(pattern: &str, user: &str) -> bool {
    matches_pattern(pattern.as_bytes(), user.as_bytes())
}

/// `*` is any text, `?` any byte. Linear in memory; time is the product of the lengths, both bounded.
fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

impl Completion {
    /// The account of a user's fields, whose variables are still to be expanded; the last of equal names counts.
    fn account(&self, user: &str, service: &str, fields: Fields) -> Result<Account, String> {
        let mut extra: BTreeMap<String, String> = fields.into_iter().collect();
        let failed = |cause: String| format!("user {user}: {cause}");
        let mut take = |name: &str, default: &str, variables: &Variables<'_>| {
            let text = extra
                .remove(name)
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| default.to_owned());
            expand(&text, variables).map_err(|error| failed(format!("{name}={text}: {error}")))
        };
        let by_name = Variables {
            user,
            service,
            ..Variables::default()
        };
        let user = take("user", "%u", &by_name)?;
        let variables = Variables {
            user: &user,
            service,
            ..Variables::default()
        };
        let uid = uid_of(&take("uid", &self.mail_uid, &variables)?).map_err(failed)?;
        let gid = gid_of(&take("gid", &self.mail_gid, &variables)?).map_err(failed)?;
        in_bounds("UID", "uid", uid, self.uids).map_err(failed)?;
        in_bounds("GID", "gid", gid, self.gids).map_err(failed)?;
        let variables = Variables {
            uid: Some(uid),
            gid: Some(gid),
            ..variables
        };
        let home = take("home", &self.mail_home, &variables)?;
        let variables = Variables {
            home: &home,
            ..variables
        };
        let mail_location = take("mail", &self.mail_location, &variables)?;
        for (name, value) in &mut extra {
            *value = expand(value, &variables).map_err(|error| failed(format!("{name}={value}: {error}")))?;
        }
        let home = Some(home.clone())
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        Ok(Account {
            user,
            uid,
            gid,
            home,
            mail_location,
            extra,
        })
    }
}

fn uid_of(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("the userdb gives no uid (see mail_uid)".to_owned());
    }
    match text.parse() {
        Ok(uid) => Ok(uid),
        Err(_) => match os::users::user_by_name(text) {
            Ok(Some(user)) => Ok(user.uid),
            Ok(None) => Err(format!("uid={text}: there is no such user of the system")),
            Err(error) => Err(format!("uid={text}: {error}")),
        },
    }
}

fn gid_of(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("the userdb gives no gid (see mail_gid)".to_owned());
    }
    match text.parse() {
        Ok(gid) => Ok(gid),
        Err(_) => match os::users::group_by_name(text) {
            Ok(Some(group)) => Ok(group.gid),
            Ok(None) => Err(format!("gid={text}: there is no such group of the system")),
            Err(error) => Err(format!("gid={text}: {error}")),
        },
    }
}

/// `first_valid_uid` and its like; a last one of 0 means any.
fn in_bounds(shown: &str, name: &str, id: u32, (first, last): (usize, usize)) -> Result<(), String> {
    let number = id as usize;
    if number >= first && (last == 0 || number <= last) {
        return Ok(());
    }
    Err(format!(
        "Mail access for users with {shown} {id} not permitted (see first_valid_{name} in config file)"
    ))
}
