//! The commands administrators and users type, one file each.
//!
//! In charge of arguments, exit codes and what stands on the screen; the work is done by the layers below.
//! Entry: [`run`], which picks the command by the name the program was called by (`mailq`, `sendmail`) or by
//! the first argument (`yubin mailq`). One table, [`COMMANDS`], names them all.

mod authorization;
mod check;
mod configuration;
mod detached;
mod doveadm;
mod doveconf;
mod dovecot;
mod explain;
mod getopt;
mod import;
mod install;
mod lda;
mod links;
mod log_rotation;
mod mail;
mod mail_queue;
mod mail_user;
mod mailbox_session;
mod makemap;
mod message_keys;
mod newaliases;
mod postcat;
mod postconf;
mod postfix;
mod postmap;
mod postqueue;
mod postsuper;
mod praliases;
mod qshape;
mod role;
mod sendmail;
mod serve;
mod set_gid;
mod sieve;
mod status;
mod submission;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

/// `EX_USAGE` of sysexits.h.
const EX_USAGE: u8 = 64;
/// The command of this process, for what must be said where nobody knows it.
static NAME: OnceLock<&str> = OnceLock::new();

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

const fn command(name: &'static str, summary: &'static str, run: fn(&Invocation) -> ExitCode) -> Command {
    Command { name, summary, run }
}

/// Every command, by name.
pub const COMMANDS: &[Command] = &[
    command(
        "doveadm",
        "manage the mailbox services: users, passwords, logins",
        doveadm::run,
    ),
    command("deliver", "put a message into a user's mailbox", lda::run),
    command("doveconf", "show settings of dovecot.conf", doveconf::run),
    command(
        "dovecot",
        "start the mailbox services, stop or reload them",
        dovecot::run,
    ),
    command("dovecot-lda", "put a message into a user's mailbox", lda::run),
    command(
        "check",
        "say what is wrong with configuration, files, users and certificates",
        check::run,
    ),
    command(
        "explain",
        "say why mail would be taken or refused, and where it would go",
        explain::run,
    ),
    command(
        "imap",
        "one IMAP session on standard input (inetd, ssh)",
        mailbox_session::run,
    ),
    command(
        "import",
        "translate another system's configuration into main.cf",
        import::run,
    ),
    command("install", "put the mail system in its places", install::run),
    command("links", "make a symbolic link for every command", links::run),
    command("Mail", "write and read mail", mail::run),
    command("mail", "write and read mail", mail::run),
    command("mailx", "write and read mail", mail::run),
    command("mailq", "show the queue", sendmail::run),
    command(
        "makemap",
        "build or show a table as Sendmail's makemap does",
        makemap::run,
    ),
    command("newaliases", "build the alias databases", sendmail::run),
    command(
        "pop3",
        "one POP3 session on standard input (inetd, ssh)",
        mailbox_session::run,
    ),
    command(
        "postalias",
        "build or ask an alias database",
        postmap::run_aliases,
    ),
    command("postcat", "show a queued message", postcat::run),
    command("postconf", "show settings of main.cf", postconf::run),
    command(
        "postfix",
        "start the mail system, stop, reload, flush or check it",
        postfix::run,
    ),
    command("postmap", "build or ask a lookup table", postmap::run),
    command(
        "postqueue",
        "show the queue, have queued mail tried now",
        postqueue::run,
    ),
    command(
        "postsuper",
        "delete, hold, release or requeue queued mail",
        postsuper::run,
    ),
    command(
        "qshape",
        "show which domains queued mail is for, and how old it is",
        qshape::run,
    ),
    command("praliases", "show the aliases", praliases::run),
    command("serve", "run the mail system in the foreground", serve::run),
    command("sendmail", "take a message from a program", sendmail::run),
    command(
        "sieve-dump",
        "show what sievec made of a Sieve script",
        sieve::run_dump,
    ),
    command(
        "sieve-test",
        "run a Sieve script over a message, show what it would do",
        sieve::run_test,
    ),
    command(
        "sieve-testsuite",
        "run tests of Sieve scripts",
        sieve::run_testsuite,
    ),
    command("sievec", "check a Sieve script", sieve::run_compiler),
    command(
        "status",
        "say what the running mail system does: who is limited, and why",
        status::run,
    ),
    command("uninstall", "remove what install made", install::run_uninstall),
];

/// Runs the command that `argv` names: `argv[0]` itself, else its first argument. Without either, the program
/// starts the embedded mail system.
pub fn run(argv: impl Iterator<Item = OsString>) -> ExitCode {
    os::process::keep_descriptors_here();
    let mut words = argv;
    let called = words.next().unwrap_or_default();
    let own_name = Path::new(&called)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut rest: Vec<OsString> = words.collect();
    if let Some(command) = find(&own_name) {
        return start(command, rest);
    }
    if rest.is_empty() {
        return serve::run(&Invocation {
            name: "serve".to_owned(),
            args: Vec::new(),
        });
    }
    let name = rest.remove(0);
    match name.to_str() {
        Some("--help" | "-h" | "help") => help(),
        Some("--version" | "-V" | "version") => {
            print_line(&format!("yubin {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        // For the supervisor: it is in no list.
        Some("role") => start(&command("role", "", role::run), rest),
        // Not for people: the process that asks PAM.
        Some(::auth::pam::WORKER) => ::auth::pam::work(),
        Some(name) if find(name).is_some() => {
            find(name).map_or(ExitCode::FAILURE, |found| start(found, rest))
        }
        _ => unknown(&name.to_string_lossy()),
    }
}

/// Runs a command, unless an argument is no text. Addresses and names of ours are UTF-8 throughout; what is guessed of
/// other octets would be another recipient or another file.
fn start(command: &Command, args: Vec<OsString>) -> ExitCode {
    // The first command counts; there is no second one in a process.
    let _ = NAME.set(command.name);
    let mut texts = Vec::new();
    for arg in args {
        match arg.into_string() {
            Ok(text) => texts.push(text),
            Err(arg) => {
                eprint_line(&format!("{}: fatal: argument {arg:?} is not UTF-8", command.name));
                return ExitCode::from(match command.name {
                    "sendmail" | "mailq" | "newaliases" | "dovecot-lda" | "deliver" => {
                        submission::EX_TEMPFAIL
                    }
                    _ => EX_USAGE,
                });
            }
        }
    }
    (command.run)(&Invocation {
        name: command.name.to_owned(),
        args: texts,
    })
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn help() -> ExitCode {
    print_line(
        "Yubin: a whole mail system. Called without arguments it starts the embedded one (see `yubin serve --help`).",
    );
    print_line("");
    print_line(
        "usage: yubin COMMAND [ARGUMENTS]   (or COMMAND alone, through a link made by `yubin links DIR`)",
    );
    print_line("");
    for command in COMMANDS {
        print_line(&format!("  {:<15} {}", command.name, command.summary));
    }
    ExitCode::SUCCESS
}

fn unknown(name: &str) -> ExitCode {
    eprint_line(&format!(
        "yubin: there is no command \"{name}\". `yubin --help` lists them"
    ));
    ExitCode::from(EX_USAGE)
}

/// Writes a line to standard output; a closed pipe (`postconf | head`) ends the command quietly, a full disk does not.
pub fn print_line(line: &str) {
    print_bytes(format!("{line}\n").as_bytes());
}

/// Writes to standard output as [`print_line`] does.
pub fn print_bytes(bytes: &[u8]) {
    if let Err(error) = try_print(bytes) {
        let name = NAME.get().unwrap_or(&"yubin");
        eprint_line(&format!(
            "{name}: fatal: output write error: {}",
            os::words(&error)
        ));
        std::process::exit(submission::EX_UNAVAILABLE.into());
    }
}

/// Writes to standard output; a closed pipe ends the command quietly.
///
/// # Errors
/// Any other error of the output.
pub(crate) fn try_print(bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written,
    }
}

/// Writes a line to standard error. There is nobody left to tell when that fails.
pub fn eprint_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
