//! The session after login: STAT, LIST, UIDL, RETR, TOP, DELE and the rest over a mailbox store.

use std::convert::Infallible;
use std::sync::Arc;

use machine::lines::{Line, Lines};
use machine::{Machine, SECOND, Stamp};
use mailbox::{Keyword, Store};

use crate::LINE_BYTES_MAX;
use crate::body::{Progress, Sending, Workarounds};
use crate::digest::Fields;
use crate::language;
use crate::logout::{Counts, LogoutFormat, uidl_change};
use crate::maildrop::Maildrop;
use crate::uidl::UidlFormat;
use crate::words::{CAPABILITIES, Command, LOGGED_IN, MORE_CAPABILITIES, number, one_line};

/// With more commands in a row than this that fail the connection is closed.
pub const BAD_COMMANDS_MAX: u32 = 20;
/// A client that is silent for so long is sent away; nothing is deleted then (RFC 1939 §3).
pub const IDLE_SECS_MAX: i64 = 600;
/// So much output may wait before the machine stops taking commands, in octets.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// What a session is told when it starts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What UIDL shows (`pop3_uidl_format`).
    pub uidl: UidlFormat,
    /// Whether an `X-UIDL` field in a message's header is its unique identifier (`pop3_reuse_xuidl`).
    pub reuse_xuidl: bool,
    /// Whether a unique identifier is kept once a client was told it (`pop3_save_uidl`).
    pub save_uidl: bool,
    /// What becomes of equal unique identifiers (`pop3_uidl_duplicates`).
    pub duplicates: Duplicates,
    /// What `%m` sums up (`mbox_md5`).
    pub digest: Fields,
    /// Whether LAST is known (`pop3_enable_last`); RSET then also makes all messages unseen.
    pub last: bool,
    /// Whether RETR leaves messages unseen for IMAP (`pop3_no_flag_updates`).
    pub no_flag_updates: bool,
    /// Messages with this keyword are not there (`pop3_deleted_flag`).
    pub deleted_flag: Option<Keyword>,
    /// What QUIT does with deleted messages (`pop3_delete_type`).
    pub delete: Delete,
    /// What old clients need (`pop3_client_workarounds`).
    pub workarounds: Workarounds,
    /// What is said at the end (`pop3_logout_format`).
    pub logout: LogoutFormat,
}

/// What becomes of a message whose unique identifier another one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Both have it.
    #[default]
    Allow,
    /// The later one gets a number behind it.
    Rename,
}

/// What QUIT does with messages that were marked as deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delete {
    /// Removes them.
    #[default]
    Expunge,
    /// Gives them [`Settings::deleted_flag`].
    Hide,
}

/// What the session tells its caller. Nothing needs an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something the administrator should read: what could not be done, to what, why.
    Problem(String),
    /// The session is over.
    Ended(Ended),
}

/// How a session ended, and what it did, for the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Dovecot's word for it: `Logged out`, `Connection closed`, `Disconnected for inactivity` …
    pub reason: &'static str,
    /// What it did.
    pub counts: Counts,
    /// The same in words, as [`Settings::logout`] has it.
    pub text: String,
}

/// Which of the two lists is being sent.
#[derive(Debug, Clone, Copy)]
enum List {
    Sizes,
    Uidl,
}

/// What must follow a message number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    End,
    Space,
}

/// What goes out before the next command is taken.
enum Pending {
    Nothing,
    List {
        which: List,
        next: usize,
    },
    Body {
        sending: Sending,
        at: usize,
        is_top: bool,
    },
}

/// One logged-in client and its INBOX as it was at the first command.
///
/// # Limits
/// [`LINE_BYTES_MAX`], [`BAD_COMMANDS_MAX`], [`IDLE_SECS_MAX`]; 24 octets of memory a message, and where they are noted or
/// summed up its unique identifier.
pub struct Session {
    store: Arc<dyn Store>,
    settings: Settings,
    maildrop: Option<Maildrop>,
    lines: Lines,
    output: Vec<u8>,
    pending: Pending,
    events: Vec<Event>,
    bad_commands: u32,
    /// Whether the command at hand was refused.
    refused: bool,
    last: usize,
    lowest_retr: Option<usize>,
    counts: Counts,
    deadline: Stamp,
    /// Output has moved since the deadline was set: the client is alive.
    moved: bool,
    finished: bool,
    input_ended: bool,
}

impl Session {
    /// A session over `store`. The login phase has written `+OK Logged in.`; what the client sent after it is
    /// to be fed. The mailbox is opened when the machine is first driven.
    pub fn new(store: Arc<dyn Store>, settings: Settings, now: Stamp) -> Session {
        Session {
            store,
            settings,
            maildrop: None,
            lines: Lines::new(),
            output: Vec::new(),
            pending: Pending::Nothing,
            events: Vec::new(),
            bad_commands: 0,
            refused: false,
            last: 0,
            lowest_retr: None,
            counts: Counts {
                traffic: (0, LOGGED_IN.len() as u64 + 2),
                ..Counts::default()
            },
            deadline: now + IDLE_SECS_MAX * SECOND,
            moved: false,
            finished: false,
            input_ended: false,
        }
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// A reply that says no.
    fn refuse(&mut self, line: &str) {
        self.refused = true;
        self.say(line);
    }

    fn finish(&mut self, reason: &'static str) {
        self.finished = true;
        self.pending = Pending::Nothing;
        let mut counts = std::mem::take(&mut self.counts);
        counts.traffic.0 = counts.traffic.0.saturating_sub(self.lines.unread().len() as u64);
        counts.traffic.1 += self.output.len() as u64;
        self.lines = Lines::new();
        if let Some(maildrop) = &self.maildrop {
            counts.deleted.1 = maildrop.entries.len() as u64;
            counts.size_bytes = maildrop.entries.iter().map(|m| m.size_bytes).sum();
            if let Some(uidls) = maildrop.identified() {
                counts.uidl_change = uidl_change(&uidls, self.lowest_retr);
            }
        }
        self.events.push(Event::Ended(Ended {
            reason,
            text: self.settings.logout.show(&counts),
            counts,
        }));
    }

    /// Opens INBOX and takes the picture that the whole session shows (RFC 1939 §4).
    fn open(&mut self) {
        if self.maildrop.is_some() || self.finished {
            return;
        }
        match Maildrop::open(&self.store, &self.settings) {
            Ok((maildrop, problem)) => {
                self.last = maildrop.last_seen();
                self.maildrop = Some(maildrop);
                self.events.extend(problem.map(Event::Problem));
            }
            Err(error) => {
                self.events
                    .push(Event::Problem(format!("cannot open INBOX: {error}")));
                let code = if matches!(error, mailbox::Error::Locked(_)) {
                    "IN-USE"
                } else {
                    "SYS/TEMP"
                };
                self.say(&format!("-ERR [{code}] Couldn't open INBOX."));
                self.finish("Mailbox init failed");
            }
        }
    }

    /// Takes commands until one has much to say or the input is used up.
    fn work(&mut self) {
        self.open();
        while !self.finished && self.is_free() {
            match self.lines.next_line(LINE_BYTES_MAX) {
                Some(Line::Complete(line)) => self.take_command(&line),
                Some(Line::TooLong) => {
                    self.refuse("-ERR Input line too long.");
                    self.count_refusal();
                }
                None if self.input_ended => return self.hang_up("Connection closed"),
                None => return,
            }
        }
    }

    fn is_free(&self) -> bool {
        matches!(self.pending, Pending::Nothing) && self.output.len() < OUTPUT_BYTES_MAX
    }

    fn take_command(&mut self, line: &[u8]) {
        let command = Command::parse(line);
        let argument = command.argument;
        self.refused = false;
        match command.name.as_str() {
            "STAT" => self.stat(),
            "LIST" => self.list(List::Sizes, argument),
            "UIDL" => self.list(List::Uidl, argument),
            "RETR" => self.retr(argument),
            "TOP" => self.top(argument),
            "DELE" => self.dele(argument),
            "RSET" => self.rset(),
            "NOOP" => self.say("+OK"),
            "CAPA" => self.capa(),
            "LANG" => self.lang(argument),
            // RFC 6856 §2.1: before the login only.
            "UTF8" => self.refuse("-ERR UTF8 comes before the login."),
            "LAST" if self.settings.last => self.say(&format!("+OK {}", self.last)),
            "QUIT" => self.quit(),
            "" => self.refuse("-ERR Unknown command."),
            name => self.refuse(&format!("-ERR Unknown command: {}", one_line(name))),
        }
        self.count_refusal();
    }

    fn count_refusal(&mut self) {
        if !self.refused {
            self.bad_commands = 0;
            return;
        }
        self.bad_commands += 1;
        if self.bad_commands > BAD_COMMANDS_MAX && !self.finished {
            self.say("-ERR Too many bad commands.");
            self.hang_up("Too many bad commands.");
        }
    }

    /// The maildrop, which is open whenever a command is taken.
    fn left(&self) -> (usize, u64) {
        self.maildrop.as_ref().map_or((0, 0), Maildrop::left)
    }

    fn stat(&mut self) {
        let (count, size) = self.left();
        self.say(&format!("+OK {count} {size}"));
    }

    fn list(&mut self, which: List, argument: &[u8]) {
        let (settings, maildrop) = (&self.settings, self.maildrop.as_mut());
        if let (List::Uidl, Some(maildrop)) = (which, maildrop)
            && let Err(error) = maildrop.identify(settings)
        {
            self.events.push(Event::Problem(format!(
                "cannot make unique identifiers of INBOX: {error}"
            )));
            return self.refuse("-ERR [SYS/TEMP] Couldn't make the unique identifiers.");
        }
        if argument.iter().all(|&b| b == b' ') {
            match which {
                List::Sizes => self.say(&format!("+OK {} messages:", self.left().0)),
                List::Uidl => self.say("+OK"),
            }
            self.pending = Pending::List { which, next: 0 };
        } else if let Some((at, _)) = self.message(argument, Then::End) {
            let line = self.list_line(which, at).unwrap_or_default();
            self.say(&format!("+OK {line}"));
        }
    }

    /// The line about a message; `None` when it is marked as deleted.
    fn list_line(&self, which: List, at: usize) -> Option<String> {
        let maildrop = self.maildrop.as_ref()?;
        let entry = maildrop.entries.get(at).filter(|entry| !entry.deleted)?;
        Some(match which {
            List::Sizes => format!("{} {}", at + 1, entry.size_bytes),
            List::Uidl => format!("{} {}", at + 1, maildrop.uidl(at)),
        })
    }

    /// The message that an argument names, and what follows the number; or the complaint is said.
    fn message<'a>(&mut self, argument: &'a [u8], then: Then) -> Option<(usize, &'a [u8])> {
        match number(argument, "message number", u64::from(u32::MAX)) {
            Err(complaint) => self.refuse(&complaint),
            Ok((_, rest)) if then == Then::Space && !rest.starts_with(b" ") => {
                self.noise("message number", rest)
            }
            Ok((_, rest)) if then == Then::End && !rest.is_empty() => self.noise("message number", rest),
            Ok((number, rest)) => {
                let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
                let entries = self.maildrop.as_ref().map(|maildrop| &maildrop.entries);
                let found = at
                    .zip(entries)
                    .and_then(|(at, entries)| Some((at, entries.get(at)?.deleted)));
                match found {
                    None => self.refuse(&format!("-ERR There's no message {number}.")),
                    Some((_, true)) => self.refuse("-ERR Message is deleted."),
                    Some((at, false)) => return Some((at, rest)),
                }
            }
        }
        None
    }

    fn noise(&mut self, what: &str, rest: &[u8]) {
        self.refuse(&format!(
            "-ERR Noise after {what}: {}",
            one_line(&String::from_utf8_lossy(rest))
        ));
    }

    fn retr(&mut self, argument: &[u8]) {
        if let Some((at, _)) = self.message(argument, Then::End) {
            self.send_body(at, None);
        }
    }

    fn top(&mut self, argument: &[u8]) {
        if let Some((at, rest)) = self.message(argument, Then::Space) {
            match number(rest, "size", u64::MAX) {
                Err(complaint) => self.refuse(&complaint),
                Ok((lines, [])) => self.send_body(at, Some(lines)),
                Ok((_, rest)) => self.noise("size", rest),
            }
        }
    }

    fn send_body(&mut self, at: usize, lines: Option<u64>) {
        let Some(maildrop) = &mut self.maildrop else {
            return;
        };
        let before = self.output.len();
        let size_bytes = maildrop.entries[at].size_bytes;
        match maildrop.body(at) {
            Ok(body) => {
                match lines {
                    None => {
                        maildrop.entries[at].seen = true;
                        self.lowest_retr = Some(self.lowest_retr.map_or(at, |lowest| lowest.min(at)));
                        self.last = self.last.max(at + 1);
                        self.say(&format!("+OK {size_bytes} octets"));
                    }
                    Some(_) => self.say("+OK"),
                }
                let said = (self.output.len() - before) as u64;
                let counter = match lines {
                    Some(_) => &mut self.counts.top,
                    None => &mut self.counts.retr,
                };
                *counter = (counter.0 + 1, counter.1 + said);
                let sending = Sending::new(body, lines, self.settings.workarounds);
                self.pending = Pending::Body {
                    sending,
                    at,
                    is_top: lines.is_some(),
                };
            }
            Err(mailbox::Error::NoSuchMessage(_)) => {
                match lines {
                    Some(_) => self.counts.top.0 += 1,
                    None => self.counts.retr.0 += 1,
                }
                self.refuse(&format!("-ERR Message {} expunged.", at + 1));
            }
            Err(error) => {
                self.problem("cannot read", at, &error);
                self.refuse("-ERR [SYS/TEMP] Couldn't read the message.");
            }
        }
    }

    fn problem(&mut self, what: &str, at: usize, error: &mailbox::Error) {
        let entries = self.maildrop.as_ref().map(|maildrop| &maildrop.entries);
        let uid = entries.map_or(0, |entries| entries[at].uid);
        self.events
            .push(Event::Problem(format!("{what} UID {uid} of INBOX: {error}")));
    }

    fn dele(&mut self, argument: &[u8]) {
        if let Some((at, _)) = self.message(argument, Then::End)
            && let Some(maildrop) = &mut self.maildrop
        {
            maildrop.entries[at].deleted = true;
            self.say("+OK Marked to be deleted.");
        }
    }

    fn rset(&mut self) {
        let Some(maildrop) = &mut self.maildrop else {
            return;
        };
        maildrop.reset();
        if self.settings.last {
            self.last = 0;
            if let Err(error) = maildrop.forget_seen() {
                self.events.push(Event::Problem(format!(
                    "cannot mark messages of INBOX as unseen: {error}"
                )));
            }
        }
        self.say("+OK");
    }

    fn capa(&mut self) {
        self.say("+OK");
        let capabilities = CAPABILITIES.iter().chain(&MORE_CAPABILITIES);
        capabilities.for_each(|capability| self.say(capability));
        self.say(".");
    }

    fn lang(&mut self, argument: &[u8]) {
        let answer = language::answer(argument);
        self.refused = answer.starts_with("-ERR");
        self.say(&answer);
    }

    fn quit(&mut self) {
        let deleted = self.update();
        match deleted {
            Ok((0, _)) => self.say("+OK Logging out."),
            Ok((count, bytes)) => {
                self.counts.deleted.0 = count;
                self.counts.deleted_bytes = bytes;
                self.say("+OK Logging out, messages deleted.");
            }
            Err(error) => {
                self.events.push(Event::Problem(format!(
                    "cannot delete messages of INBOX: {error}"
                )));
                self.say("-ERR [SYS/TEMP] Logging out, some deleted messages were not removed.");
            }
        }
        self.finish("Logged out");
    }

    /// RFC 1939 §6: deletes what was marked; what was retrieved is seen.
    fn update(&mut self) -> mailbox::Result<(u64, u64)> {
        self.update_seen();
        match &self.maildrop {
            Some(maildrop) => maildrop.delete(&self.settings),
            None => Ok((0, 0)),
        }
    }

    /// What was retrieved is seen, also when the client does not come to QUIT.
    fn update_seen(&mut self) {
        let maildrop = self.maildrop.as_ref().filter(|_| !self.settings.no_flag_updates);
        if let Some(Err(error)) = maildrop.map(Maildrop::update_seen) {
            self.events.push(Event::Problem(format!(
                "cannot mark messages of INBOX as seen: {error}"
            )));
        }
    }

    /// The end without QUIT: nothing is deleted.
    fn hang_up(&mut self, reason: &'static str) {
        if !self.finished {
            self.update_seen();
            self.finish(reason);
        }
    }

    /// Writes the next piece of what is pending.
    fn go_on(&mut self, limit: usize) {
        match &mut self.pending {
            Pending::Nothing => {}
            Pending::List { which, next } => {
                let (which, from) = (*which, *next);
                let mut at = from;
                let full = self.output.len() + limit.min(OUTPUT_BYTES_MAX);
                let count = self
                    .maildrop
                    .as_ref()
                    .map_or(0, |maildrop| maildrop.entries.len());
                while at < count && self.output.len() < full {
                    if let Some(line) = self.list_line(which, at) {
                        self.say(&line);
                    }
                    at += 1;
                }
                if at == count {
                    self.say(".");
                    self.pending = Pending::Nothing;
                } else {
                    self.pending = Pending::List { which, next: at };
                }
            }
            Pending::Body { sending, at, is_top } => {
                let (at, is_top) = (*at, *is_top);
                let before = self.output.len();
                let progress = sending.next(&mut self.output, limit);
                let counter = match is_top {
                    true => &mut self.counts.top,
                    false => &mut self.counts.retr,
                };
                counter.1 += (self.output.len() - before) as u64;
                match progress {
                    Ok(Progress::More) => {}
                    Ok(Progress::Complete) => {
                        self.say(".");
                        self.pending = Pending::Nothing;
                    }
                    Err(error) => {
                        // Half a message is out: only closing tells the client that it is not whole.
                        self.problem("cannot read", at, &error);
                        self.hang_up("Mailbox is unreadable");
                    }
                }
            }
        }
    }
}

impl Machine for Session {
    type Event = Event;
    type Answer = Infallible;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        self.deadline = now + IDLE_SECS_MAX * SECOND;
        self.counts.traffic.0 += input.len() as u64;
        self.lines.feed(input);
        self.work();
    }

    fn end_of_input(&mut self, _now: Stamp) {
        self.input_ended = true;
        self.work();
    }

    fn next_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            None
        } else {
            Some(self.events.remove(0))
        }
    }

    fn answer(&mut self, answer: Infallible, _now: Stamp) {
        match answer {}
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        self.work();
        let goal = into.len() + limit;
        while into.len() < goal {
            if self.output.is_empty() {
                self.go_on(goal - into.len());
                self.work();
            }
            if self.output.is_empty() {
                break;
            }
            self.moved = true;
            let room = goal - into.len();
            self.counts.traffic.1 += self.output.len().min(room) as u64;
            if self.output.len() <= room {
                into.append(&mut self.output);
                self.output = Vec::new();
            } else {
                into.extend(self.output.drain(..room));
            }
        }
    }

    fn deadline(&self) -> Option<Stamp> {
        (!self.finished).then_some(self.deadline)
    }

    fn time_out(&mut self, now: Stamp) {
        if self.finished || now < self.deadline {
            return;
        }
        if std::mem::take(&mut self.moved) || !matches!(self.pending, Pending::Nothing) {
            // It was busy taking a long answer; whether that still moves is the caller's to watch.
            self.deadline = now + IDLE_SECS_MAX * SECOND;
        } else {
            self.say("-ERR Disconnected for inactivity.");
            self.hang_up("Disconnected for inactivity");
        }
    }

    fn wants_input(&self) -> bool {
        !self.finished && !self.input_ended && self.is_free()
    }

    fn is_finished(&self) -> bool {
        self.finished && self.events.is_empty()
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
