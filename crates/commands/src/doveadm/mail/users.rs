//! For whom a command works, and with whose rights: in this process where that is one user, else each user in a process of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use ::auth::{Account, Auth};
use settings::Dovecot;

use super::session::UserMail;
use super::{Command, Rows, TEMPORARY, Task, USAGE, Words};
use crate::doveadm::screen::{Screen, rows_of};
use crate::doveadm::{Call, NO_PERMISSION, NO_USER};
use crate::eprint_line;
use crate::mail_user;

/// The file of `-F` may have so many octets.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// For whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// For who calls.
    Own,
    One(String),
    /// For those whose names fit.
    Fitting(String),
    All,
    /// For those in a file, a line each.
    Listed(PathBuf),
}

impl Whose {
    pub(super) fn of_mask(text: String) -> Whose {
        match text.contains(['*', '?']) {
            true => Whose::Fitting(text),
            false => Whose::One(text),
        }
    }

    /// Whether rows say whose they are.
    pub(super) fn are_many(&self) -> bool {
        !matches!(self, Whose::Own | Whose::One(_))
    }
}

/// A command with all that it was called with.
pub(super) struct Run<'a> {
    pub(super) command: &'static Command,
    pub(super) words: Words,
    pub(super) call: &'a Call,
    pub(super) settings: Dovecot,
}

/// Why a user's mail cannot be worked on.
struct Failure {
    code: u8,
    text: String,
}

fn failure(code: u8, text: impl Into<String>) -> Failure {
    Failure {
        code,
        text: text.into(),
    }
}

/// Runs a command for all whom it is for; what the process is to end with.
pub(super) fn run(run: &Run<'_>, whose: &Whose, mut task: Box<dyn Task>, screen: &mut Screen) -> u8 {
    let listed = match whose {
        Whose::Own | Whose::One(_) => {
            let user = match whose {
                Whose::One(user) => Some(user.as_str()),
                _ => None,
            };
            return match one(run, user, &mut *task, screen) {
                Ok(code) => code,
                Err(failure) => {
                    eprint_line(&failure.text);
                    failure.code
                }
            };
        }
        whose => users_of(whose, &run.settings),
    };
    match listed {
        Ok(users) => many(run, &users, &mut *task, screen),
        Err(failure) => {
            eprint_line(&failure.text);
            failure.code
        }
    }
}

/// In this process.
fn one(run: &Run<'_>, user: Option<&str>, task: &mut dyn Task, screen: &mut Screen) -> Result<u8, Failure> {
    let settings = Arc::new(run.settings.clone());
    let mut mail = open(user, settings)?;
    let mut rows = Rows {
        screen,
        user: None,
        who: mail.account.user.clone(),
        stopped: false,
    };
    task.run(&mut mail, &mut rows);
    task.finish(&mut rows);
    Ok(if rows.stopped { TEMPORARY } else { mail.code })
}

/// Opens a user's mail and becomes the user.
fn open(user: Option<&str>, settings: Arc<Dovecot>) -> Result<UserMail, Failure> {
    let account = match user {
        None => own(&settings)?,
        Some(user) => {
            let account = account_of(user, &settings)?;
            become_user(&account)?;
            account
        }
    };
    let name = account.user.clone();
    UserMail::open(account, settings)
        .map_err(|text| failure(TEMPORARY, format!("doveadm({name}): Error: {text}")))
}

fn own(settings: &Dovecot) -> Result<Account, Failure> {
    if std::env::var_os("USER").is_none_or(|user| user.is_empty()) {
        let text = "Fatal: USER environment is missing and -u option not used";
        return Err(failure(USAGE, text));
    }
    mail_user::own_account(settings, "doveadm")
        .map_err(|text| failure(TEMPORARY, format!("doveadm: Error: {text}")))
}

/// Who a user is.
fn account_of(user: &str, settings: &Dovecot) -> Result<Account, Failure> {
    let (auth, problems) = Auth::new(settings);
    if let Some(problem) = problems.first() {
        return Err(failure(TEMPORARY, format!("doveadm({user}): Error: {problem}")));
    }
    let found = auth.lookup(user, "doveadm");
    let found = found.map_err(|text| failure(TEMPORARY, format!("doveadm({user}): Error: {text}")))?;
    found.ok_or_else(|| failure(NO_USER, format!("doveadm({user}): Error: User doesn't exist")))
}

fn become_user(account: &Account) -> Result<(), Failure> {
    let told =
        |(code, text): (u8, String)| failure(code, format!("doveadm({}): Error: {text}", account.user));
    let identity = mail_user::identity_of(account).map_err(|refused| {
        told(match refused {
            mail_user::Refused::Root(text) | mail_user::Refused::NoRight(text) => (NO_PERMISSION, text),
            mail_user::Refused::Unknown(text) => (TEMPORARY, text),
        })
    })?;
    match identity.map(|identity| identity.take()) {
        Some(Err(error)) => Err(told((TEMPORARY, format!("Couldn't drop privileges: {error}")))),
        _ => Ok(()),
    }
}

fn users_of(whose: &Whose, settings: &Dovecot) -> Result<Vec<String>, Failure> {
    let cannot = |text: String| {
        failure(
            TEMPORARY,
            format!("Error: {text}\ndoveadm: Error: Failed to iterate through some users"),
        )
    };
    if let Whose::Listed(file) = whose {
        let name = file.display();
        let tried = std::fs::File::open(file).and_then(|opened| {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut std::io::Read::take(opened, LIST_BYTES_MAX), &mut text)?;
            Ok(text)
        });
        let text = tried.map_err(|error| {
            let why = os::words(&error);
            cannot(format!("read({name}) failed: open({name}) failed: {why}"))
        })?;
        let users = text.lines().map(str::trim).filter(|user| !user.is_empty());
        return Ok(users.map(str::to_owned).collect());
    }
    let (auth, _) = Auth::new(settings);
    let mut users = auth.list().map_err(cannot)?;
    if let Whose::Fitting(mask) = whose {
        users.retain(|user| ::auth::matches(mask, user));
    }
    Ok(users)
}

/// Each user in a process that becomes this user and sends its rows here.
fn many(run: &Run<'_>, users: &[String], task: &mut dyn Task, screen: &mut Screen) -> u8 {
    let mut code = 0;
    let input = match run.command.reads_input {
        true => {
            let mut input = Vec::new();
            if let Err(error) = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut input) {
                eprint_line(&format!(
                    "doveadm: Error: read(stdin) failed: {}",
                    os::words(&error)
                ));
                return TEMPORARY;
            }
            input
        }
        false => Vec::new(),
    };
    for user in users {
        let mut rows = Rows {
            screen,
            user: Some(user.clone()),
            who: user.clone(),
            stopped: false,
        };
        match in_process(run, user, &input, &mut rows) {
            Ok(0) => {}
            Ok(other) => code = other,
            Err(error) => {
                eprint_line(&format!(
                    "doveadm({user}): Error: cannot start a process: {}",
                    os::words(&error)
                ));
                code = TEMPORARY;
            }
        }
        if rows.is_stopped() {
            return TEMPORARY;
        }
    }
    task.finish(&mut Rows {
        screen,
        user: None,
        who: String::new(),
        stopped: false,
    });
    code
}

fn in_process(run: &Run<'_>, user: &str, input: &[u8], rows: &mut Rows<'_>) -> std::io::Result<u8> {
    let mut process = Process::new(std::env::current_exe()?);
    process
        .arg("doveadm")
        .arg("--for-another")
        .arg("-c")
        .arg(&run.call.config_file);
    if run.call.is_verbose {
        process.arg("-v");
    }
    for (name, value) in &run.call.overrides {
        process.arg("-o").arg(format!("{name}={value}"));
    }
    process.args(run.command.name.split(' ')).arg("-u").arg(user);
    for flag in &run.words.flags {
        process.arg(format!("-{flag}"));
    }
    for (name, value) in &run.words.values {
        let dashes = if name.len() == 1 { "-" } else { "--" };
        process.arg(format!("{dashes}{name}")).arg(value);
    }
    process.arg("--").args(&run.words.args);
    process.stdin(if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    let mut child = process.stdout(Stdio::piped()).spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    std::thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            // A process that reads no further has said why.
            scope.spawn(move || drop(stdin.write_all(input)));
        }
        if let Some(stdout) = stdout {
            rows_of(std::io::BufReader::new(stdout), |cells| rows.add(cells));
        }
    });
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(TEMPORARY))
}
