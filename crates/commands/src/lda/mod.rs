//! `dovecot-lda`, also called `deliver`: puts the message on standard input into a user's mailbox (dovecot-lda(1)), by the
//! code that LMTP has. It needs no running system.

mod options;

use std::io::{BufRead, ErrorKind, Read};
use std::process::ExitCode;
use std::sync::Arc;

use agent::location::Location;
use auth::{Account, Auth};
use deliver_local::Content;
use deliver_local::task::{Save, Saving};
use envelope::DeliveryResult;
use os::identity::Identity;
use os::mail_spool;
use settings::{Connection, Dovecot, Postfix};

use crate::mail_user::{self, Refused};
use crate::submission::EX_TEMPFAIL;
use crate::{EX_USAGE, Invocation, print_line};
use options::{Options, Parsed};

/// `EX_NOUSER` of sysexits.h.
const EX_NOUSER: u8 = 67;
/// `EX_NOPERM`: the mail is refused.
const EX_NOPERM: u8 = 77;
/// The largest message, in octets: it is held in memory.
const MESSAGE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Why nothing was delivered.
struct Failure {
    code: u8,
    text: String,
}

/// To be tried again.
fn later(text: impl Into<String>) -> Failure {
    Failure {
        code: EX_TEMPFAIL,
        text: text.into(),
    }
}

pub(crate) fn run(call: &Invocation) -> ExitCode {
    let options = match options::parse(&call.args) {
        Ok(Parsed::Options(options)) => options,
        Ok(Parsed::Help) => {
            print_line(options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(text) => {
            call.complain(text);
            return ExitCode::from(EX_USAGE);
        }
    };
    match deliver(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            call.complain(text);
            ExitCode::from(code)
        }
    }
}

fn deliver(options: &Options) -> Result<(), Failure> {
    let settings = read_settings(options)?;
    let (account, identity) = whose(options, &settings)?;
    let log = open_log(&settings)?;
    if let Some(identity) = identity {
        make_inbox(&account, &settings)?;
        identity
            .take()
            .map_err(|error| later(format!("cannot act as user {}: {error}", account.user)))?;
    }
    let content = Message(read_message(options)?);
    let number = u16::try_from(std::process::id() % 65_536).unwrap_or_default();
    let nowhere = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let now = now_micros();
    let save = Save {
        account,
        what: Saving::Message,
        header: String::new(),
        mailbox: options
            .mailbox
            .clone()
            .filter(|name| !name.eq_ignore_ascii_case("INBOX")),
        service: "lda".to_owned(),
        session: maillog::lines::login::session_id(now, number, nowhere),
    };
    let saver = agent::Saver::new(&settings, log.clone(), Arc::default());
    let outcome = saver.save(&save, &content, now / 1_000_000);
    log.flush();
    match outcome.result {
        DeliveryResult::Sent => Ok(()),
        DeliveryResult::Bounced => Err(Failure {
            code: EX_NOPERM,
            text: outcome.text,
        }),
        _ => Err(later(outcome.text)),
    }
}

fn now_micros() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

fn read_settings(options: &Options) -> Result<Dovecot, Failure> {
    let file = &options.config_file;
    std::fs::metadata(file).map_err(|error| {
        later(format!(
            "cannot read configuration file {}: {}",
            file.display(),
            os::words(&error)
        ))
    })?;
    let (settings, problems) = config::load_dovecot_with(file, &options.overrides);
    let mistake = problems
        .iter()
        .find(|problem| problem.severity == config::Severity::Error);
    match mistake {
        Some(problem) => Err(later(problem.to_string())),
        None => Ok(settings.for_connection(Connection {
            protocol: "lda",
            ..Connection::default()
        })),
    }
}

/// Whose mailbox it is, and as whom it is written, if not as whoever calls.
fn whose(options: &Options, settings: &Dovecot) -> Result<(Account, Option<Identity>), Failure> {
    let Some(user) = &options.user else {
        let own = mail_user::own_account(settings, "lda");
        return own
            .map(|account| (account, None))
            .map_err(|text| later(format!("{text}. Say it with -d USER")));
    };
    let (auth, problems) = Auth::new(settings);
    if let Some(problem) = problems.first() {
        return Err(later(problem.to_string()));
    }
    let account = auth.lookup(user, "lda").map_err(later)?.ok_or_else(|| Failure {
        code: EX_NOUSER,
        text: format!("there is no user {user}"),
    })?;
    match mail_user::identity_of(&account) {
        Ok(identity) => Ok((account, identity)),
        Err(Refused::Root(text) | Refused::NoRight(text) | Refused::Unknown(text)) => Err(later(text)),
    }
}

/// Makes the user's INBOX while this is root, where it lies in a spool of the group `mail_privileged_group` and is missing.
fn make_inbox(account: &Account, settings: &Dovecot) -> Result<(), Failure> {
    let group = &settings.mail_privileged_group;
    let location = agent::location::parse(&account.mail_location, &account.user, account.home.as_deref());
    // Whether the location makes sense is told when the mailbox is opened.
    let Ok(Location::Mbox { inbox, .. }) = location else {
        return Ok(());
    };
    let is_users = inbox
        .file_name()
        .is_some_and(|name| name == account.user.as_str());
    if group.is_empty() || !is_users || inbox.symlink_metadata().is_ok() {
        return Ok(());
    }
    let user = os::users::user_by_name(&account.user).map_err(|error| later(error.to_string()))?;
    let group = os::users::group_by_name(group).map_err(|error| later(error.to_string()))?;
    let Some((parent, gid)) = inbox.parent().zip(group.map(|group| group.gid)) else {
        return Ok(());
    };
    if user.is_none_or(|user| user.uid != account.uid) {
        return Ok(());
    }
    let made = mail_spool::open(parent).and_then(|spool| match mail_spool::group(&spool)? {
        Some(owner) if owner == gid => mail_spool::create(&spool, &account.user, (account.uid, account.gid)),
        // The user's own rights must do.
        _ => Ok(()),
    });
    match made {
        Err(error) if error.kind() != ErrorKind::PermissionDenied && error.kind() != ErrorKind::NotFound => {
            Err(later(format!(
                "cannot create {}: {}",
                inbox.display(),
                os::words(&error)
            )))
        }
        _ => Ok(()),
    }
}

/// The log of the configuration; who may not write it says on standard error what there is to say.
fn open_log(settings: &Dovecot) -> Result<maillog::Log, Failure> {
    let postfix = Postfix::defaults(&config::this_machine());
    let opened = master::log_files::open(&postfix, Some(settings));
    let opened = opened.or_else(|_| {
        let settings = Dovecot {
            log_path: "/dev/stderr".into(),
            info_log_path: "/dev/stderr".into(),
            ..settings.clone()
        };
        master::log_files::open(&postfix, Some(&settings))
    });
    opened.map_err(|error| {
        later(format!(
            "cannot open the log: {}",
            os::with_causes(error.as_ref())
        ))
    })
}

struct Message(Vec<u8>);

impl Content for Message {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        Box::new(&self.0[..])
    }
}

/// The message, without the `From ` line that a mail system may put in front.
fn read_message(options: &Options) -> Result<Vec<u8>, Failure> {
    let trouble = |error: std::io::Error| later(format!("cannot read the message: {}", os::words(&error)));
    let mut content = Vec::new();
    let mut input: Box<dyn Read> = match &options.path {
        Some(path) => Box::new(std::fs::File::open(path).map_err(trouble)?),
        None => Box::new(std::io::stdin().lock()),
    };
    (&mut input)
        .take(MESSAGE_BYTES_MAX + 1)
        .read_to_end(&mut content)
        .map_err(trouble)?;
    if content.len() as u64 > MESSAGE_BYTES_MAX {
        return Err(Failure {
            code: EX_NOPERM,
            text: format!("the message is larger than {MESSAGE_BYTES_MAX} octets"),
        });
    }
    if content.starts_with(b"From ") {
        let mut rest = &content[..];
        rest.skip_until(b'\n').map_err(trouble)?;
        content = rest.to_vec();
    }
    Ok(content)
}
