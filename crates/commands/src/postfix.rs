//! `postfix`: starts, stops, reloads, flushes and checks the mail system, as Postfix's postfix(1) does.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ipc::control::{self, Haste, Reply, Request, Selection};
use ipc::frame;
use maillog::lines::master::Script;
use maillog::lines::problem::Problem;
use maillog::{Line, Tag};

use crate::detached::{self, Started};
use crate::mail_queue::{Answer, CommandLog, MailQueue};
use crate::{Invocation, check, configuration, eprint_line, log_rotation, postqueue, print_line, serve};

const HELP: &str = "usage: postfix [-c DIR] COMMAND
Runs the mail system that DIR/main.cf and master.cf describe, and the mailbox services too when a dovecot.conf lies
beside them.
  start     starts it in the background
  start-fg  starts it in the foreground
  stop      stops it; conversations and deliveries under way may end
  abort     stops it at once; the queue loses nothing by it
  flush     has all deferred mail tried now
  reload    has the configuration read again
  status    says whether it runs
  logrotate renames the file of maillog_file, has a new one opened, compresses the old one
  check     says everything that is wrong with the configuration and with files that it names
  -c DIR    the directory (MAIL_CONFIG does the same); default: /etc/yubin when it is there, /etc/postfix";

const COMMANDS: &str = "start (or stop, reload, abort, flush, check, status, logrotate)";
/// How long a stop may take: conversations under way have some seconds.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let (named, command) = match wanted_of(&invocation.args) {
        Ok(wanted) => wanted,
        Err(text) => return fatal(&text),
    };
    let directory = configuration::directory(named.as_deref());
    // What is started must find its files wherever it stands.
    let directory = directory.canonicalize().unwrap_or(directory);
    let queue = match MailQueue::of(directory.to_str()) {
        Ok(queue) => queue,
        Err(text) => return fatal(&text),
    };
    let system = MailSystem {
        directory,
        log: queue.log(),
        queue,
    };
    system.perform(&command)
}

fn fatal(text: &str) -> ExitCode {
    eprint_line(&format!("postfix: fatal: {text}"));
    ExitCode::FAILURE
}

/// The directory of `-c` and the first word; further words are none of our business, as for Postfix.
fn wanted_of(args: &[String]) -> Result<(Option<String>, String), String> {
    let mut directory = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix('-') {
            None => return Ok((directory, arg.clone())),
            Some("v" | "D" | "vv") => {}
            Some("c") => directory = Some(args.next().ok_or("nothing follows -c")?.clone()),
            Some(rest) if rest.starts_with('c') => directory = Some(rest[1..].to_owned()),
            Some(_) => return Err(format!("there is no option {arg}; see postfix --help")),
        }
    }
    Ok((directory, String::new()))
}

/// The mail system of one configuration directory.
struct MailSystem {
    directory: PathBuf,
    queue: MailQueue,
    log: Option<CommandLog>,
}

impl MailSystem {
    fn perform(&self, command: &str) -> ExitCode {
        let done = match command {
            "start" => self.start(),
            "start-fg" => return self.start_here(),
            "stop" => self.stop(Haste::Graceful),
            "abort" => self.stop(Haste::Abrupt),
            "flush" => return postqueue::flush(&self.queue, &Selection::All),
            "reload" => self.reload(),
            "status" => return self.status(),
            "logrotate" => self.rotate_log(),
            "check" => return self.check(),
            later @ ("set-permissions" | "upgrade-configuration" | "post-install" | "tls") => {
                Err(format!("{}. Usage: postfix {COMMANDS}", needless(later)))
            }
            other => Err(format!("unknown command: '{other}'. Usage: postfix {COMMANDS}")),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => {
                self.fail(&text);
                ExitCode::FAILURE
            }
        }
    }

    /// Logs a line and shows it to people, as postlog(1) does.
    fn say(&self, line: &dyn Line) {
        if os::terminal::stderr_is_terminal() {
            self.show(&line.to_text());
        }
        if let Some(log) = &self.log {
            log.write(line);
        }
    }

    /// Logs why it did not work and shows it, to scripts too.
    fn fail(&self, text: &str) {
        self.show(&format!("fatal: {text}"));
        if let Some(log) = &self.log {
            log.write(&Problem {
                tag: Tag::Mta("postfix-script"),
                severity: maillog::Severity::Fatal,
                text,
            });
        }
    }

    fn show(&self, text: &str) {
        eprint_line(&format!(
            "{}/postfix-script: {text}",
            self.queue.settings.syslog_name
        ));
    }

    /// The process id of the mail system when it runs.
    fn process(&self) -> Result<Option<u32>, String> {
        match self.queue.ask(&Request::Status) {
            Ok(Answer::Down) => Ok(None),
            Ok(Answer::Up(replies)) => match replies.first() {
                Some(Reply::Process(process)) => Ok(Some(*process)),
                _ => Err("the mail system does not say its process id".to_owned()),
            },
            Err(error) => Err(error.to_string()),
        }
    }

    fn stopped(&self) -> Result<(), String> {
        match self.process()? {
            Some(_) => Err("the Postfix mail system is already running".to_owned()),
            None => Ok(()),
        }
    }

    fn running(&self) -> Result<u32, String> {
        match self.process()? {
            Some(process) => Ok(process),
            None => Err(match self.tell_errors() {
                0 => {
                    self.show(&self.looked_at());
                    "the Postfix mail system is not running".to_owned()
                }
                _ => self.not_found(),
            }),
        }
    }

    /// Shows what is wrong in main.cf, which says where a running mail system is found; gives how much that is.
    fn tell_errors(&self) -> usize {
        let errors = configuration::errors(&self.directory);
        for error in &errors {
            self.show(&format!("error: {error}"));
        }
        errors.len()
    }

    /// Where one was looked for: another one may run where another main.cf, or this one before an edit, has its queue.
    fn looked_at(&self) -> String {
        let main_cf = self.directory.join("main.cf");
        let place = self.queue.directory().display();
        let main_cf = main_cf.display();
        if configuration::sets(&self.directory, "queue_directory") {
            format!("note: nobody answers in {place}, the queue_directory of {main_cf}")
        } else {
            format!("note: nobody answers in {place}, the default: {main_cf} sets no queue_directory")
        }
    }

    /// Why nobody can say whether it runs.
    fn not_found(&self) -> String {
        format!(
            "cannot tell whether the mail system runs: {} has errors (above), and nobody answers in its queue_directory, {}. Mend it \
             first",
            self.directory.join("main.cf").display(),
            self.queue.directory().display()
        )
    }

    fn start(&self) -> Result<(), String> {
        self.stopped()?;
        self.say(&Script::Starting);
        let args = ["-c".as_ref(), self.directory.as_os_str()];
        let serves = |process| self.process() == Ok(Some(process));
        match detached::start(&args, serves)? {
            Started::Serving => Ok(()),
            Started::Ended => Err("mail system startup failed".to_owned()),
            Started::Silent => Err("the mail system was started, but it does not answer".to_owned()),
        }
    }

    fn start_here(&self) -> ExitCode {
        if let Err(text) = self.stopped() {
            self.fail(&text);
            return ExitCode::FAILURE;
        }
        self.say(&Script::Starting);
        serve::run(&Invocation {
            name: "serve".to_owned(),
            args: vec!["-c".to_owned(), self.directory.display().to_string()],
        })
    }

    fn stop(&self, haste: Haste) -> Result<(), String> {
        let process = self.running()?;
        self.say(match haste {
            Haste::Graceful => &Script::Stopping,
            Haste::Abrupt => &Script::Aborting,
        });
        match self.queue.ask(&Request::Stop(haste)) {
            // Down: it ended in between. Who has taken the order may be gone before it has said so; whether it is, is seen below.
            Ok(Answer::Up(_) | Answer::Down) | Err(control::Error::Frame(frame::Error::Io(_))) => {}
            Err(error) => return Err(error.to_string()),
        }
        if detached::has_ended(process, STOP_TIME_MAX) {
            Ok(())
        } else {
            Err(format!(
                "the mail system does not stop: process {process} still runs"
            ))
        }
    }

    fn reload(&self) -> Result<(), String> {
        self.running()?;
        self.say(&Script::Refreshing);
        self.order(&Request::Reload)
    }

    fn order(&self, request: &Request) -> Result<(), String> {
        match self.queue.ask(request) {
            // Down: it ended in between.
            Ok(Answer::Up(_) | Answer::Down) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn status(&self) -> ExitCode {
        match self.process() {
            Ok(Some(process)) => {
                self.say(&Script::Running { process });
                ExitCode::SUCCESS
            }
            Ok(None) => {
                match self.tell_errors() {
                    0 => {
                        if os::terminal::stderr_is_terminal() {
                            self.show(&self.looked_at());
                        }
                        self.say(&Script::NotRunning);
                    }
                    _ => self.fail(&self.not_found()),
                }
                ExitCode::FAILURE
            }
            Err(text) => {
                self.fail(&text);
                ExitCode::FAILURE
            }
        }
    }

    fn rotate_log(&self) -> Result<(), String> {
        log_rotation::rotate(&self.queue.settings, self.process()?, &jiff::Zoned::now())
    }

    fn check(&self) -> ExitCode {
        let findings = check::findings(&self.directory);
        for finding in &findings {
            self.show(&format!("{}: {}", finding.word(), finding.text));
        }
        check::exit_code(&findings)
    }
}

/// Why one of Postfix's commands is none of ours.
fn needless(command: &str) -> String {
    let why = match command {
        "tls" => "make keys and certificates with openssl, and name them in main.cf",
        _ => "Yubin makes its directories itself and has no configuration of an older version",
    };
    format!("postfix {command}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str) -> Result<(Option<String>, String), String> {
        wanted_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let some = |directory: &str, command: &str| Ok((Some(directory.to_owned()), command.to_owned()));
        assert_eq!(wanted("-c /x start"), some("/x", "start"));
        assert_eq!(wanted("-v -c/x stop now"), some("/x", "stop"));
        assert_eq!(wanted("status"), Ok((None, "status".to_owned())));
        assert_eq!(wanted(""), Ok((None, String::new())));
        assert!(wanted("-x start").is_err() && wanted("-c").is_err());
    }
}
