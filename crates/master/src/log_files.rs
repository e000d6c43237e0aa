//! Where the log goes: `maillog_file` for the MTA, `log_path` and `info_log_path` for the mailbox services.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Result;
use config::{Loaded, Severity};
use maillog::{Destination, Destinations, Halves, Log, Options};
use settings::{Dovecot, Postfix};

/// How the log of this configuration is written.
///
/// # Errors
/// An unknown syslog facility.
pub(crate) fn options(postfix: &Postfix, dovecot: Option<&Dovecot>) -> Result<Options> {
    let file = postfix.maillog_file.to_string_lossy();
    let mta = Destination::of_maillog_file(&file, &postfix.syslog_facility)?;
    let (mailbox, mailbox_info, instance_name, debug) = match dovecot {
        Some(dovecot) => {
            let of =
                |path: &Path| Destination::of_log_path(&path.to_string_lossy(), &dovecot.syslog_facility);
            let errors = of(&dovecot.log_path)?;
            let info = if dovecot.info_log_path.as_os_str().is_empty() {
                errors.clone()
            } else {
                of(&dovecot.info_log_path)?
            };
            (errors, info, dovecot.instance_name.clone(), dovecot.mail_debug)
        }
        None => (mta.clone(), mta.clone(), "dovecot".to_owned(), false),
    };
    Ok(Options {
        to: Destinations {
            mta,
            mailbox,
            mailbox_info,
        },
        hostname: postfix.myhostname.clone(),
        syslog_name: postfix.syslog_name.clone(),
        instance_name,
        debug,
    })
}

/// Which halves of the mail system run with these files.
pub(crate) fn halves(serves_mta: bool, dovecot: Option<&Dovecot>) -> Halves {
    match (serves_mta, dovecot) {
        (true, Some(_)) => Halves::Both,
        (true, None) => Halves::Mta,
        (false, _) => Halves::Mailboxes,
    }
}

/// Whether what the configuration says of the log is wrong: then nothing is opened by its word.
pub(crate) fn are_wrong(loaded: &Loaded) -> bool {
    const SETTINGS: [&str; 4] = ["maillog_file", "log_path", "info_log_path", "syslog_facility"];
    let mut problems = loaded.problems.iter();
    problems.any(|problem| problem.severity == Severity::Error && SETTINGS.contains(&problem.name.as_str()))
}

/// The log of a system with this configuration, its files opened by this process.
///
/// # Errors
/// A file that cannot be opened.
pub(crate) fn of(loaded: &Loaded, serves_mta: bool) -> Result<Log> {
    let dovecot = loaded.dovecot.as_ref();
    Ok(open(&loaded.postfix, dovecot)?.of(halves(serves_mta, dovecot)))
}

/// The log of this configuration, its files opened by this process.
///
/// # Errors
/// A file that cannot be opened.
pub fn open(postfix: &Postfix, dovecot: Option<&Dovecot>) -> Result<Log> {
    Ok(Log::open(&options(postfix, dovecot)?)?)
}

/// The files of the log, opened anew, for processes that may not open them.
///
/// # Errors
/// The first that cannot be opened.
pub(crate) fn files(postfix: &Postfix, dovecot: Option<&Dovecot>) -> Result<Vec<(PathBuf, File)>> {
    Ok(options(postfix, dovecot)?.to.open_files()?)
}
