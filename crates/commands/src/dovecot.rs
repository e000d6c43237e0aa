//! `dovecot`: starts the mailbox services, stops and reloads them, as Dovecot's dovecot(1) does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::detached::{self, Started};
use crate::doveadm::master::{Master, tell};
use crate::doveadm::{fatal, settings_of};
use crate::{Invocation, configuration, doveconf, eprint_line, print_line, serve};

const HELP: &str =
    "usage: dovecot [-F] [-c FILE] [-n | -a] [--version] [--hostdomain] [--help] [reload | stop]
Starts the mailbox services (IMAP, POP3) that a dovecot.conf describes.
  -F            stays in the foreground
  -c FILE       reads FILE instead of /etc/yubin/dovecot.conf or /etc/dovecot/dovecot.conf
  -n            shows the settings that differ from the defaults (doveconf -n)
  -a            shows all settings (doveconf -a)
  --hostdomain  shows the name of this host
  reload        has the configuration read again
  stop          stops the services";

/// What Dovecot's programs say when the services cannot start.
const CANNOT_START: u8 = 89;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Task {
    #[default]
    Start,
    StartHere,
    Show(&'static str),
    Version,
    HostDomain,
    Tell(&'static str),
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let (file, task) = match wanted_of(&invocation.args) {
        Ok(wanted) => wanted,
        Err(text) => {
            eprint_line(&format!("dovecot: {text}"));
            return ExitCode::from(CANNOT_START);
        }
    };
    match task {
        Task::Show(option) => doveconf::run(&Invocation {
            name: "doveconf".to_owned(),
            args: vec![option.to_owned(), "-c".to_owned(), file.display().to_string()],
        }),
        Task::Version => {
            print_line(&format!("{} (Yubin)", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Task::HostDomain => {
            print_line(&os::hostname::hostname());
            ExitCode::SUCCESS
        }
        Task::Tell(command) => match settings_of(&file).and_then(|settings| tell(command, &settings)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => fatal(&text),
        },
        Task::Start | Task::StartHere => match start(&file, task == Task::StartHere) {
            Ok(code) => code,
            Err(text) => {
                eprint_line(&format!("Fatal: {text}"));
                ExitCode::from(CANNOT_START)
            }
        },
    }
}

fn wanted_of(args: &[String]) -> Result<(PathBuf, Task), String> {
    let mut file = configuration::dovecot_file();
    let mut task = Task::Start;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-F" => task = Task::StartHere,
            "-n" => task = Task::Show("-n"),
            "-a" => task = Task::Show("-a"),
            // It asks for the password of a key, which is not there yet.
            "-p" => return Err("-p: keys with a password are not there yet".to_owned()),
            "--version" => task = Task::Version,
            "--hostdomain" => task = Task::HostDomain,
            "-c" => {
                file = configuration::named_dovecot_file(args.next().ok_or("nothing follows -c")?);
            }
            "reload" => task = Task::Tell("reload"),
            "stop" => task = Task::Tell("stop"),
            other => match other.strip_prefix("-c") {
                Some(path) => file = configuration::named_dovecot_file(path),
                None => return Err(format!("there is no \"{other}\"; see dovecot --help")),
            },
        }
    }
    Ok((file, task))
}

fn start(file: &Path, stays_here: bool) -> Result<ExitCode, String> {
    let settings = settings_of(file)?;
    let master = Master::of(&settings);
    if let Some(process) = master.process {
        let pid_file = master.pid_file.display();
        return Err(format!(
            "Dovecot is already running with PID {process} (read from {pid_file})"
        ));
    }
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    if stays_here {
        return Ok(serve::run(&Invocation {
            name: "serve".to_owned(),
            args: vec![
                "--mailboxes".to_owned(),
                "-c".to_owned(),
                file.display().to_string(),
            ],
        }));
    }
    let args = ["--mailboxes".as_ref(), "-c".as_ref(), file.as_os_str()];
    let serves = |process| Master::of(&settings).process == Some(process);
    match detached::start(&args, serves)? {
        Started::Serving => Ok(ExitCode::SUCCESS),
        Started::Ended => Ok(ExitCode::from(CANNOT_START)),
        Started::Silent => Err(format!(
            "it was started, but there is no {}",
            master.pid_file.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str) -> Result<(PathBuf, Task), String> {
        wanted_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let usual = configuration::dovecot_file;
        assert_eq!(wanted(""), Ok((usual(), Task::Start)));
        assert_eq!(wanted("-F -c /x"), Ok(("/x".into(), Task::StartHere)));
        assert_eq!(wanted("-c/x stop"), Ok(("/x".into(), Task::Tell("stop"))));
        assert_eq!(wanted("-n"), Ok((usual(), Task::Show("-n"))));
        assert!(wanted("-x").is_err() && wanted("bogus").is_err() && wanted("-c").is_err());
    }
}
