//! The commands administrators and users type, one file each.
//!
//! In charge of arguments, exit codes and what stands on the screen; the work is done by the layers below.
//! Entry: [`run`], which picks the command by the name the program was called by (`mailq`, `sendmail`) or by
//! the first argument (`yubin mailq`). One table, [`COMMANDS`], names them all.

mod doveadm;
mod doveconf;
mod newaliases;
mod postconf;
mod postmap;

use std::process::ExitCode;

/// How a command was called.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The command's own name (`mailq`), whether it came from `argv[0]` or from `yubin NAME`.
    pub name: String,
    /// What follows the name.
    pub args: Vec<String>,
}

impl Invocation {
    /// Says on standard error what could not be done, in the command's name.
    pub fn complain(&self, text: impl std::fmt::Display) {
        eprint_line(&format!("{}: {text}", self.name));
    }

    /// Whether help was asked for.
    pub fn wants_help(&self) -> bool {
        self.args.first().is_some_and(|arg| arg == "--help")
    }
}

/// A command: its name, a line about it, and what it does.
pub struct Command {
    /// What the user types.
    pub name: &'static str,
    /// One line for the list of commands.
    pub summary: &'static str,
    /// Runs it.
    pub run: fn(&Invocation) -> ExitCode,
}

/// Every command, by name.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "doveadm",
        summary: "manages the mailbox services: users, passwords, logins",
        run: doveadm::run,
    },
    Command {
        name: "doveconf",
        summary: "shows settings of dovecot.conf",
        run: doveconf::run,
    },
    Command {
        name: "newaliases",
        summary: "builds the alias databases",
        run: newaliases::run,
    },
    Command {
        name: "postalias",
        summary: "builds or asks an alias database",
        run: postmap::run_aliases,
    },
    Command {
        name: "postconf",
        summary: "shows settings of main.cf",
        run: postconf::run,
    },
    Command {
        name: "postmap",
        summary: "builds or asks a lookup table",
        run: postmap::run,
    },
];

/// Writes a line to standard output; a closed pipe (`postconf | head`) ends the command quietly.
pub fn print_line(line: &str) {
    use std::io::Write;
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Writes a line to standard error. There is nobody left to tell when that fails.
pub fn eprint_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
