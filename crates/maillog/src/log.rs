//! The log of a process: puts time, host, tag and severity before a line and hands it to its sink.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::lines::problem::Problem;
use crate::sink::{Destination, Sink, open_file};
use crate::stamp::{Stamps, now};
use crate::{Error, LINE_BYTES_MAX, Line, Severity, Tag};

/// Where the lines of the two halves go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destinations {
    /// The MTA's lines (`maillog_file`, `syslog_facility`).
    pub mta: Destination,
    /// The mailbox services' warnings and errors (`log_path`).
    pub mailbox: Destination,
    /// Their information lines (`info_log_path`); the same as `mailbox` when that is empty.
    pub mailbox_info: Destination,
}

/// Open log files, each with its path.
pub type Files = Vec<(PathBuf, File)>;

impl Destinations {
    /// The files among them, each once, opened to be appended to: for processes that may not open them.
    ///
    /// # Errors
    /// [`Error::File`] for the first that cannot be opened.
    pub fn open_files(&self) -> Result<Files, Error> {
        let opened = |path: PathBuf| Ok((path.clone(), open_file(&path)?));
        self.file_paths().into_iter().map(opened).collect()
    }

    /// The paths of the files among them, each once.
    pub fn file_paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for to in [&self.mta, &self.mailbox, &self.mailbox_info] {
            if let Destination::File(path) = to
                && !paths.contains(path)
            {
                paths.push(path.clone());
            }
        }
        paths
    }

    /// Everything to one place.
    pub fn all(to: Destination) -> Destinations {
        Destinations {
            mta: to.clone(),
            mailbox: to.clone(),
            mailbox_info: to,
        }
    }
}

/// Which halves of the mail system a process is of. What it says for the other half is said by its own, in that one's shape
/// and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halves {
    /// Both.
    Both,
    /// There is no dovecot.conf.
    Mta,
    /// There is a dovecot.conf and nothing else.
    Mailboxes,
}

impl Halves {
    fn tag<'a>(self, tag: Tag<'a>) -> Tag<'a> {
        match (self, tag) {
            (Halves::Mta, Tag::Mailbox(service)) => Tag::Mta(service),
            (Halves::Mailboxes, Tag::Mta(service)) => Tag::Mailbox(service),
            (_, tag) => tag,
        }
    }
}

/// How lines are marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where they go.
    pub to: Destinations,
    /// `myhostname`; its first label is shown in `maillog_file`, as Postfix does.
    pub hostname: String,
    /// `syslog_name`: `postfix` unless configured.
    pub syslog_name: String,
    /// `instance_name` of the mailbox services: `dovecot` unless configured. Shown in syslog only.
    pub instance_name: String,
    /// Whether debug lines are written.
    pub debug: bool,
}

/// The log of a process: cheap to clone, safe to use from every thread, never waits for a disk.
///
/// Lines still queued are written when the last clone is dropped; who ends by `std::process::exit` calls
/// [`Log::flush`] before.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
    syslog_name: Arc<str>,
    halves: Halves,
}

/// Lines that were kept for a test.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<String>>>);

impl Captured {
    /// The lines so far, each `tag: text` with the severity's word where there is one.
    pub fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    fn push(&self, line: String) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(line);
    }
}

#[derive(Debug)]
struct Inner {
    stamps: Mutex<Stamps>,
    host: String,
    instance_name: String,
    pid: u32,
    debug: bool,
    outlet: Outlet,
}

#[derive(Debug)]
enum Outlet {
    Sinks {
        sinks: Vec<(Destination, Sink)>,
        mta: usize,
        mailbox: usize,
        mailbox_info: usize,
    },
    Memory(Captured),
}

impl Log {
    /// Opens every destination. Two that are equal share one writer.
    ///
    /// # Errors
    /// [`Error::File`] when a log file cannot be opened, [`Error::Thread`].
    pub fn open(options: &Options) -> Result<Log, Error> {
        Log::with_files(options, Vec::new())
    }

    /// The same, with files that somebody else opened. They are not opened again by their paths unless this process may:
    /// whoever opened them [gives](Log::replace_files) new ones.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn with_files(options: &Options, mut files: Files) -> Result<Log, Error> {
        let mut sinks = Vec::new();
        let mut place = |to: &Destination| -> Result<usize, Error> {
            if let Some(at) = sinks
                .iter()
                .position(|(known, _): &(Destination, Sink)| known == to)
            {
                return Ok(at);
            }
            let given = files
                .iter()
                .position(|(path, _)| *to == Destination::File(path.clone()));
            let given = given.map(|at| files.swap_remove(at).1);
            sinks.push((to.clone(), Sink::open(to, given)?));
            Ok(sinks.len() - 1)
        };
        let mta = place(&options.to.mta)?;
        let mailbox = place(&options.to.mailbox)?;
        let mailbox_info = place(&options.to.mailbox_info)?;
        let outlet = Outlet::Sinks {
            sinks,
            mta,
            mailbox,
            mailbox_info,
        };
        let host = options
            .hostname
            .split('.')
            .next()
            .filter(|host| !host.is_empty())
            .unwrap_or("localhost");
        let inner = Inner {
            stamps: Mutex::default(),
            host: host.to_owned(),
            instance_name: options.instance_name.clone(),
            pid: std::process::id(),
            debug: options.debug,
            outlet,
        };
        Ok(Log {
            inner: Arc::new(inner),
            syslog_name: options.syslog_name.as_str().into(),
            halves: Halves::Both,
        })
    }

    /// A log that keeps its lines, for tests.
    pub fn to_memory() -> (Log, Captured) {
        let captured = Captured::default();
        let inner = Inner {
            stamps: Mutex::default(),
            host: "localhost".to_owned(),
            instance_name: "dovecot".to_owned(),
            pid: std::process::id(),
            debug: true,
            outlet: Outlet::Memory(captured.clone()),
        };
        (
            Log {
                inner: Arc::new(inner),
                syslog_name: "postfix".into(),
                halves: Halves::Both,
            },
            captured,
        )
    }

    /// The same log under another `syslog_name` (`-o syslog_name=postfix/submission` in master.cf).
    pub fn named(&self, syslog_name: &str) -> Log {
        Log {
            syslog_name: syslog_name.into(),
            ..self.clone()
        }
    }

    /// The same log as a process of these halves writes it.
    pub fn of(&self, halves: Halves) -> Log {
        Log {
            halves,
            ..self.clone()
        }
    }

    /// Writes a line.
    pub fn write(&self, line: &(impl Line + ?Sized)) {
        let severity = line.severity();
        if severity == Severity::Debug && !self.inner.debug {
            return;
        }
        let mut text = String::with_capacity(160);
        line.text(&mut text);
        let text = harmless(&text);
        let tag = self.halves.tag(line.tag());
        match &self.inner.outlet {
            Outlet::Memory(captured) => captured.push(self.memory_form(tag, severity, &text)),
            Outlet::Sinks {
                sinks,
                mta,
                mailbox,
                mailbox_info,
            } => {
                let at = match tag {
                    Tag::Mta(_) => *mta,
                    _ if severity <= Severity::Info => *mailbox_info,
                    _ => *mailbox,
                };
                let (destination, sink) = &sinks[at];
                let dropped = sink.take_dropped();
                if dropped > 0 {
                    let text =
                        format!("{dropped} log lines were dropped: the log could not be written fast enough");
                    let tag = self.halves.tag(Tag::Mta("master"));
                    sink.push(&self.full_form(tag, Severity::Warning, &text, destination));
                }
                sink.push(&self.full_form(tag, severity, &text, destination));
            }
        }
    }

    /// A warning of an MTA service: `postfix/smtpd[1]: warning: …`.
    pub fn warning(&self, service: &str, text: &str) {
        self.write(&Problem {
            tag: Tag::Mta(service),
            severity: Severity::Warning,
            text,
        });
    }

    /// An error of an MTA service: `postfix/qmgr[1]: error: …`.
    pub fn error(&self, service: &str, text: &str) {
        self.write(&Problem {
            tag: Tag::Mta(service),
            severity: Severity::Error,
            text,
        });
    }

    /// An error of a service of the mailboxes: `auth: Error: …`.
    pub fn mailbox_error(&self, service: &str, text: &str) {
        self.write(&Problem {
            tag: Tag::Mailbox(service),
            severity: Severity::Error,
            text,
        });
    }

    /// Opens log files again before the next line (SIGHUP, `doveadm log reopen`), and learns the time zone anew.
    pub fn reopen(&self) {
        self.inner
            .stamps
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .forget();
        if let Outlet::Sinks { sinks, .. } = &self.inner.outlet {
            sinks.iter().for_each(|(_, sink)| sink.reopen());
        }
    }

    /// From the next line on, these files are written instead of those with the same paths.
    pub fn replace_files(&self, files: Files) {
        if let Outlet::Sinks { sinks, .. } = &self.inner.outlet {
            for (path, file) in files {
                let to = Destination::File(path);
                if let Some((_, sink)) = sinks.iter().find(|(known, _)| *known == to) {
                    sink.replace(file);
                }
            }
        }
    }

    /// Waits until all lines so far are with the system.
    pub fn flush(&self) {
        if let Outlet::Sinks { sinks, .. } = &self.inner.outlet {
            sinks.iter().for_each(|(_, sink)| sink.flush());
        }
    }

    fn memory_form(&self, tag: Tag<'_>, severity: Severity, text: &str) -> String {
        match tag {
            Tag::Mta(service) => format!("{}/{service}: {}{text}", self.syslog_name, mta_word(severity)),
            Tag::Mailbox(service) | Tag::Process(service) => {
                format!("{service}: {}: {text}", mailbox_word(severity))
            }
            Tag::Session { service, user, .. } => {
                format!("{service}({user}): {}: {text}", mailbox_word(severity))
            }
        }
    }

    /// The whole line with its line feed, as the destination wants it.
    fn full_form(&self, tag: Tag<'_>, severity: Severity, text: &str, destination: &Destination) -> String {
        let pid = self.inner.pid;
        let facility = destination.syslog_facility();
        let mut line = String::with_capacity(text.len() + 96);
        if let Some(facility) = facility {
            line.push_str(&format!("<{}>", facility.priority(severity)));
        }
        {
            let mut stamps = self
                .inner
                .stamps
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            line.push_str(&syslog_day(stamps.at(now()), facility.is_some()));
        }
        line.push(' ');
        match tag {
            Tag::Mta(service) => {
                if facility.is_none() {
                    line.push_str(&self.inner.host);
                    line.push(' ');
                }
                line.push_str(&format!(
                    "{}/{service}[{pid}]: {}",
                    self.syslog_name,
                    mta_word(severity)
                ));
            }
            Tag::Mailbox(_) | Tag::Process(_) | Tag::Session { .. } => {
                if facility.is_some() {
                    line.push_str(&format!("{}: ", self.inner.instance_name));
                }
                line.push_str(&mailbox_name(tag, pid));
                // syslog carries the severity of information by itself, as Dovecot sees it.
                if facility.is_none() || severity > Severity::Info {
                    line.push_str(mailbox_word(severity));
                    line.push_str(": ");
                }
            }
        }
        line.push_str(text);
        line.push('\n');
        line
    }
}

/// `imap-login: `, or `imap(alice)<12><session>: `; the parts are harmless.
fn mailbox_name(tag: Tag<'_>, pid: u32) -> String {
    match tag {
        Tag::Session {
            service,
            user,
            session,
        } => {
            format!("{service}({})<{pid}><{}>: ", harmless(user), harmless(session))
        }
        Tag::Process(service) => format!("{service}({pid}): "),
        Tag::Mailbox(service) | Tag::Mta(service) => format!("{service}: "),
    }
}

/// RFC 3164 §4.1.2 pads the day by a space where files have a zero.
fn syslog_day(stamp: &str, is_syslog: bool) -> String {
    match is_syslog && stamp.as_bytes().get(4) == Some(&b'0') {
        true => format!("{} {}", &stamp[..4], &stamp[5..]),
        false => stamp.to_owned(),
    }
}

fn mta_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug | Severity::Info => "",
        Severity::Warning => "warning: ",
        Severity::Error => "error: ",
        Severity::Fatal => "fatal: ",
        Severity::Panic => "panic: ",
    }
}

fn mailbox_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "Debug",
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
        Severity::Fatal => "Fatal",
        Severity::Panic => "Panic",
    }
}

/// `text` with control characters as `?`, cut to [`LINE_BYTES_MAX`].
fn harmless(text: &str) -> String {
    let mut end = text.len().min(LINE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Direction overrides would let a peer's text turn the line around on a terminal.
    let is_harmful =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let clean: String = text[..end]
        .chars()
        .map(|c| if is_harmful(c) { '?' } else { c })
        .collect();
    if end < text.len() { clean + "..." } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_neutralised() {
        assert_eq!(
            harmless("a\r\nNov 21 forged\t\x1b[1m\u{85}é"),
            "a??Nov 21 forged??[1m?é"
        );
        assert_eq!(harmless(&"é".repeat(4000)).len(), LINE_BYTES_MAX + 3);
    }

    #[test]
    fn syslog_pads_the_day_by_a_space() {
        assert_eq!(syslog_day("Nov 01 10:00:00", true), "Nov  1 10:00:00");
        assert_eq!(syslog_day("Nov 21 10:00:00", true), "Nov 21 10:00:00");
        assert_eq!(syslog_day("Nov 01 10:00:00", false), "Nov 01 10:00:00");
    }
}
