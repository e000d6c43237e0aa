//! `doveadm reload` and `doveadm stop`: signals to the process that `master.pid` in `base_dir` names.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ipc::control::{self, Request};
use rustix::process::{Pid, Signal, kill_process};

use super::{Call, USAGE, fatal, settings_with};
use crate::mail_queue::{Answer, MailQueue};
use crate::{detached, eprint_line};

/// How long a stop may take: sessions have some seconds.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// The process that serves mailboxes, as its file says.
pub(crate) struct Master {
    /// The file.
    pub(crate) pid_file: PathBuf,
    /// The process it names, when that runs.
    pub(crate) process: Option<u32>,
    /// The configuration directory of the mail system when that is the same process.
    mail_system: Option<String>,
}

impl Master {
    /// The one of a configuration.
    pub(crate) fn of(settings: &settings::Dovecot) -> Master {
        let pid_file = settings.base_dir.join("master.pid");
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        let mut lines = text.lines();
        let process = lines
            .next()
            .and_then(|line| line.trim().parse().ok())
            .filter(|process| detached::is_running(*process));
        Master {
            pid_file,
            process,
            mail_system: lines.next().map(str::to_owned),
        }
    }

    /// The configuration directory of the mail system when that is the same process.
    pub(crate) fn mail_system(&self) -> Option<&str> {
        self.mail_system.as_deref()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Dovecot's words when it does not run or may not be told.
    pub(crate) fn signal(&self, signal: Signal) -> Result<u32, String> {
        let file = self.pid_file.display();
        let process = self
            .process
            .ok_or_else(|| format!("Dovecot is not running (read from {file})"))?;
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| format!("PID file {file} names no process: {process}"))?;
        kill_process(pid, signal).map_err(|error| {
            let why = os::words(&error.into());
            format!("kill({process}, {}) failed: {why}", signal.as_raw())
        })?;
        Ok(process)
    }
}

/// Runs `reload` or `stop`.
pub(super) fn run(command: &str, call: &Call) -> ExitCode {
    if let Some(word) = call.args.first() {
        eprint_line(&format!("Error: Extraneous arguments found: {word}"));
        return ExitCode::from(USAGE);
    }
    match settings_with(&call.config_file, &call.overrides).and_then(|settings| tell(command, &settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => fatal(&text),
    }
}

/// Has the mailbox services read their configuration again (`reload`) or stop. `dovecot reload|stop` comes here too.
///
/// # Errors
/// In Dovecot's words.
pub(crate) fn tell(command: &str, settings: &settings::Dovecot) -> Result<(), String> {
    let master = Master::of(settings);
    if command == "reload" {
        return reload(&master);
    }
    if let (Some(process), Some(directory)) = (master.process, &master.mail_system) {
        return Err(format!(
            "cannot stop the mailbox services alone: they run within the mail system, process {process}. \
             Stop all of it: postfix -c {directory} stop"
        ));
    }
    let process = master.signal(Signal::TERM)?;
    if detached::has_ended(process, STOP_TIME_MAX) {
        Ok(())
    } else {
        Err(format!("process {process} does not end"))
    }
}

/// Within a mail system it is asked, and says why if it refuses; otherwise, and where it cannot be asked, a signal does it.
fn reload(master: &Master) -> Result<(), String> {
    let queue = master
        .mail_system
        .as_deref()
        .filter(|_| master.process.is_some())
        .and_then(|directory| MailQueue::of(Some(directory)).ok());
    match queue.map(|queue| queue.ask(&Request::Reload)) {
        Some(Ok(Answer::Up(_))) => Ok(()),
        Some(Err(control::Error::Refused(why))) => Err(why),
        _ => master.signal(Signal::HUP).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doveadm::settings_of;

    #[test]
    fn the_process_of_the_file_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("dovecot.conf");
        std::fs::write(&file, format!("base_dir = {}\n", dir.path().display())).expect("written");
        let settings = settings_of(&file).expect("valid");
        let pid_file = dir.path().join("master.pid");
        let not_running = format!("Dovecot is not running (read from {})", pid_file.display());
        assert_eq!(tell("stop", &settings), Err(not_running.clone()));
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .expect("there is a sleep(1)");
        std::fs::write(&pid_file, format!("{}\n", child.id())).expect("written");
        assert_eq!(tell("stop", &settings), Ok(()));
        child.wait().expect("our own child");
        assert_eq!(tell("reload", &settings), Err(not_running));
    }
}
