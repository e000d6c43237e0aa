//! What the supervisor writes into the logs: that it starts, reads its configuration again, stops; and what that configuration
//! asks for and does not get, for whoever does not see the terminal.

use config::{DovecotFile, Loaded};
use maillog::lines::master as lines;
use maillog::lines::problem::Problem;
use maillog::{Log, Severity, Tag};

use crate::log_files;
use crate::start::{self, Start};

/// What the log calls this version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The system starts from `loaded`.
pub(crate) fn started(start: &Start, loaded: &Loaded, log: &Log) {
    if start.config_directory.is_some() {
        log.write(&lines::Started {
            version: VERSION,
            configuration: &shown_directory(start),
        });
    }
    if let Some(dovecot) = &loaded.dovecot {
        log.write(&lines::Mailbox::Started {
            version: &format!("Yubin v{VERSION}"),
            protocols: &dovecot.protocols.join(", "),
        });
    }
    problems(start, loaded, log);
}

/// The configuration was read again, and is `loaded`.
pub(crate) fn reloaded(start: &Start, loaded: &Loaded, log: &Log) {
    if start.config_directory.is_some() {
        log.write(&lines::Reloaded {
            version: VERSION,
            configuration: &shown_directory(start),
        });
    }
    if loaded.dovecot.is_some() {
        log.write(&lines::Mailbox::Reloading);
    }
    problems(start, loaded, log);
}

/// The system cannot start, or go on: `fatal: …`.
pub(crate) fn fatal(why: &str) -> Problem<'_> {
    Problem {
        tag: Tag::Mta("master"),
        severity: Severity::Fatal,
        text: why,
    }
}

/// The system of `start` cannot start; its log is not open yet, or not any more. Where no log can be had, whoever started the
/// system has been told all the same.
pub(crate) fn failed(start: &Start, error: &anyhow::Error) {
    let loaded = start::load(start);
    if log_files::are_wrong(&loaded) {
        return;
    }
    if let Ok(log) = log_files::of(&loaded, start.config_directory.is_some()) {
        problems(start, &loaded, &log);
        log.write(&fatal(&os::with_causes(error.as_ref())));
        log.flush();
    }
}

/// A signal stops the system.
pub(crate) fn terminating(start: &Start, serves_mailboxes: bool, signal: i32, log: &Log) {
    if start.config_directory.is_some() {
        log.write(&lines::Terminating { signal });
    }
    if serves_mailboxes {
        log.write(&lines::Mailbox::Killed { signal });
    }
}

fn problems(start: &Start, loaded: &Loaded, log: &Log) {
    let tag = match start.config_directory {
        Some(_) => Tag::Mta("master"),
        None => Tag::Mailbox("master"),
    };
    for problem in &loaded.problems {
        let severity = match problem.severity {
            config::Severity::Error => Severity::Error,
            config::Severity::Warning => Severity::Warning,
            config::Severity::Note => Severity::Info,
        };
        log.write(&Problem {
            tag,
            severity,
            text: &problem.to_string(),
        });
    }
}

fn shown_directory(start: &Start) -> String {
    match (&start.config_directory, &start.dovecot) {
        (Some(directory), _) => directory.display().to_string(),
        (None, DovecotFile::At(file)) => file.display().to_string(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_is_logged_where_the_log_may_be() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("mail.log");
        let start = Start {
            scale: crate::running::Scale::Embedded,
            config_directory: Some(dir.path().to_owned()),
            dovecot: DovecotFile::Without,
        };
        std::fs::write(dir.path().join("master.cf"), "").expect("a file");
        let fail = |prefixes: &std::path::Path| {
            let main = format!(
                "maillog_file = {}\nmaillog_file_prefixes = {}\nmynetworks = 10.0.0.0/33\n",
                log.display(),
                prefixes.display()
            );
            std::fs::write(dir.path().join("main.cf"), main).expect("a file");
            failed(&start, &anyhow::anyhow!("nothing was started"));
        };
        fail(std::path::Path::new("/nowhere"));
        assert!(!log.exists(), "it is a place where no log may be");
        fail(dir.path());
        let text = std::fs::read_to_string(&log).expect("a log");
        for told in [
            "error: main.cf:3: mynetworks: \"10.0.0.0/33\"",
            "fatal: nothing was started",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }
}
