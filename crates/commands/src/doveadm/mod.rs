//! `doveadm`: the administrator's entrance to the mailbox services, one file for each sub-command.

mod auth;
mod formatter;
mod log;
mod mail;
mod mailbox;
pub(crate) mod master;
mod pw;
mod screen;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::{Invocation, configuration, eprint_line, print_line};
use formatter::Formatter;

/// sysexits(3), as Dovecot uses them.
const USAGE: u8 = 64;
const NO_USER: u8 = 67;
const TEMPORARY: u8 = 75;
const NO_PERMISSION: u8 = 77;

const HELP: &str = "usage: doveadm [-Dv] [-c FILE] COMMAND [ARGUMENTS]
  -c FILE   reads FILE instead of /etc/yubin/dovecot.conf or /etc/dovecot/dovecot.conf
  -f FORM   shows fields as tab, flow, pager, table or json
  -o NAME=VALUE   takes this as if the file said it
Commands:
  auth      test USER [PASSWORD]: tries a login; lookup USER...: shows what the passdbs say;
            cache flush [USER...]: has what databases said forgotten
  log       find [DIR]: shows where the logs are; test: writes a line of each kind; reopen: opens them again
  pw        makes a stored password from a password, or tests one
  reload    has the configuration read again
  stop      stops the mailbox services
  copy, deduplicate, expunge, fetch, flags, force-resync, import, index, mailbox, move, purge, save, search
            work on the mail of -u USER, of all users (-A), or of those in -F FILE: each called alone shows its arguments
  user      [-e TEXT | -f FIELD | -u] USER...: shows what the userdb says";

/// A call: the configuration file and what follows the sub-command's name.
struct Call {
    config_file: PathBuf,
    /// `-o`
    overrides: Vec<(String, String)>,
    /// `-f`
    formatter: Option<Formatter>,
    args: Vec<String>,
    /// `-v`, `-D`
    is_verbose: bool,
    /// Another `doveadm` shows what this one finds for one user.
    is_helper: bool,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    let mut config_file = configuration::dovecot_file();
    let (mut overrides, mut formatter) = (Vec::new(), None);
    let (mut is_verbose, mut is_helper) = (false, false);
    let mut args = invocation.args.iter();
    loop {
        match args.next().map(String::as_str) {
            Some("-c") => match args.next() {
                Some(file) => config_file = configuration::named_dovecot_file(file),
                None => return usage(HELP),
            },
            Some("-f") => match args.next().map(|word| (word, Formatter::of_word(word))) {
                Some((_, Some(known))) => formatter = Some(known),
                Some((word, None)) => {
                    eprint_line(&format!("doveadm: Fatal: Unknown print formatter: {word}"));
                    return ExitCode::from(TEMPORARY);
                }
                None => return usage(HELP),
            },
            Some("-o") => match args.next().map(|word| (word, word.split_once('='))) {
                Some((_, Some((name, text)))) => overrides.push((name.to_owned(), text.to_owned())),
                Some((word, None)) => {
                    return fatal(&format!(
                        "Error reading configuration: Invalid -o parameter {word}: Missing '='"
                    ));
                }
                None => return usage(HELP),
            },
            Some("-v" | "-D" | "-Dv" | "-vD") => is_verbose = true,
            Some("--for-another") => is_helper = true,
            Some("-i") => return fatal("-i: there is one instance, which -c names"),
            Some("--help") => {
                print_line(HELP);
                return ExitCode::SUCCESS;
            }
            Some(option) if option.starts_with('-') => {}
            Some(command) => {
                let call = Call {
                    config_file,
                    overrides,
                    formatter,
                    args: args.cloned().collect(),
                    is_verbose,
                    is_helper,
                };
                return dispatch(command, &call);
            }
            None => return usage(HELP),
        }
    }
}

fn dispatch(command: &str, call: &Call) -> ExitCode {
    match command {
        "pw" => pw::run(call),
        "user" => user::run(call),
        "auth" => auth::run(call),
        "log" => log::run(call),
        "reload" | "stop" => master::run(command, call),
        "help" => {
            print_line(HELP);
            ExitCode::SUCCESS
        }
        "mailbox" if call.args.first().is_some_and(|word| word == "mutf7") => mailbox::mutf7(&call.args[1..]),
        other => match mail::command_of(other, &call.args) {
            Ok((command, args)) => mail::run(command, args, call),
            Err(begun) if begun.is_empty() => {
                eprint_line(&format!(
                    "doveadm: {other}: there is no such command, or it is not there yet"
                ));
                usage(HELP)
            }
            Err(begun) => usage(&group_usage(other, &begun)),
        },
    }
}

/// What may follow the first word of commands that have two.
fn group_usage(word: &str, commands: &[&mail::Command]) -> String {
    let rest = |command: &mail::Command| command.name[word.len()..].trim().to_owned();
    let lines = commands
        .iter()
        .map(|command| format!("\n  {:12} {}", rest(command), mail::all_arguments(command)));
    format!(
        "usage: doveadm [-Dv] [-f <formatter>] {word} <command> [<args>]{}",
        lines.collect::<String>()
    )
}

fn usage(text: &str) -> ExitCode {
    eprint_line(text);
    ExitCode::from(USAGE)
}

pub(crate) fn fatal(text: &str) -> ExitCode {
    eprint_line(&format!("Fatal: {text}"));
    ExitCode::from(TEMPORARY)
}

/// What a dovecot.conf says, or what is wrong with it in Dovecot's words.
pub(crate) fn settings_of(config_file: &std::path::Path) -> Result<settings::Dovecot, String> {
    settings_with(config_file, &[])
}

/// As [`settings_of`], with settings that hold in spite of the file.
fn settings_with(
    config_file: &std::path::Path,
    overrides: &[(String, String)],
) -> Result<settings::Dovecot, String> {
    if let Err(error) = std::fs::metadata(config_file) {
        let why = os::words(&error);
        return Err(format!(
            "Error reading configuration: stat({}) failed: {why}",
            config_file.display()
        ));
    }
    let (settings, problems) = config::load_dovecot_with(config_file, overrides);
    let error = problems
        .iter()
        .find(|problem| problem.severity == config::Severity::Error);
    match error {
        Some(problem) => Err(format!("Error in configuration file {problem}")),
        None => Ok(settings),
    }
}

/// The chains of the configuration, or what is wrong with it on the screen.
fn open_auth(call: &Call) -> Result<::auth::Auth, ExitCode> {
    if let Err(error) = std::fs::metadata(&call.config_file) {
        return Err(fatal(&format!(
            "cannot read configuration file {}: {}",
            call.config_file.display(),
            os::words(&error)
        )));
    }
    let (settings, problems) = config::load_dovecot_with(&call.config_file, &call.overrides);
    let errors: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == config::Severity::Error)
        .collect();
    if !errors.is_empty() {
        errors
            .iter()
            .for_each(|problem| eprint_line(&format!("Error: {problem}")));
        return Err(ExitCode::from(TEMPORARY));
    }
    let (auth, problems) = ::auth::Auth::new(&settings);
    for problem in problems {
        eprint_line(&format!("Warning: {problem}"));
    }
    Ok(auth)
}

/// Asks for a password on the terminal without showing it, or takes a line of the standard input.
fn ask_password(prompt: &str) -> std::io::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    use std::io::Write;
    let mut line = String::new();
    if !os::terminal::stdin_is_terminal() {
        std::io::stdin().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let mut stderr = std::io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before)?;
    writeln!(stderr)?;
    read?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
