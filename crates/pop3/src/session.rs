//! The session after login: STAT, LIST, UIDL, RETR, TOP, DELE and the rest over a mailbox store.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use machine::lines::{Line, Lines};
use machine::{Machine, SECOND, Stamp};
use mailbox::{FlagChange, Flags, MailboxId, MailboxName, Store, SystemFlags, Uid, UidSet, UidValidity};

use crate::LINE_BYTES_MAX;
use crate::body::{Progress, Sending};
use crate::uidl::UidlFormat;
use crate::words::{CAPABILITIES, Command, number, one_line};

/// After so many commands in a row that make no sense the connection is closed.
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
    /// Whether LAST is known (`pop3_enable_last`); RSET then also forgets what was read.
    pub last: bool,
    /// Whether RETR leaves messages unseen for IMAP (`pop3_no_flag_updates`).
    pub no_flag_updates: bool,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Dovecot's word for it: `Logged out`, `Connection closed`, `Disconnected for inactivity` …
    pub reason: &'static str,
    /// TOP commands, and the octets sent for them.
    pub top: (u64, u64),
    /// RETR commands, and the octets sent for them.
    pub retr: (u64, u64),
    /// Messages deleted, and messages there were.
    pub deleted: (u64, u64),
    /// The octets of all messages at the start.
    pub size_bytes: u64,
}

/// A message as it was when the session began.
#[derive(Debug, Clone, Copy)]
struct Entry {
    uid: Uid,
    size_bytes: u64,
    was_seen: bool,
    seen: bool,
    deleted: bool,
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
/// [`LINE_BYTES_MAX`], [`BAD_COMMANDS_MAX`], [`IDLE_SECS_MAX`]; 24 octets of memory a message.
pub struct Session {
    store: Arc<dyn Store>,
    settings: Settings,
    mailbox: Option<(MailboxId, UidValidity)>,
    messages: Vec<Entry>,
    /// What messages are called where they lie, when UIDL shows that.
    names: HashMap<Uid, String>,
    lines: Lines,
    output: Vec<u8>,
    pending: Pending,
    events: Vec<Event>,
    bad_commands: u32,
    last: usize,
    top: (u64, u64),
    retr: (u64, u64),
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
            mailbox: None,
            messages: Vec::new(),
            names: HashMap::new(),
            lines: Lines::new(),
            output: Vec::new(),
            pending: Pending::Nothing,
            events: Vec::new(),
            bad_commands: 0,
            last: 0,
            top: (0, 0),
            retr: (0, 0),
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

    fn finish(&mut self, reason: &'static str, deleted: u64) {
        self.finished = true;
        self.pending = Pending::Nothing;
        self.lines = Lines::new();
        self.events.push(Event::Ended(Ended {
            reason,
            top: self.top,
            retr: self.retr,
            deleted: (deleted, self.messages.len() as u64),
            size_bytes: self.messages.iter().map(|m| m.size_bytes).sum(),
        }));
    }

    /// Opens INBOX and takes the picture that the whole session shows (RFC 1939 §4).
    fn open(&mut self) {
        if self.mailbox.is_some() || self.finished {
            return;
        }
        if let Err(error) = self.read_inbox() {
            self.events
                .push(Event::Problem(format!("cannot open INBOX: {error}")));
            let code = if matches!(error, mailbox::Error::Locked(_)) {
                "IN-USE"
            } else {
                "SYS/TEMP"
            };
            self.say(&format!("-ERR [{code}] Couldn't open INBOX."));
            self.finish("Mailbox init failed", 0);
        }
    }

    fn read_inbox(&mut self) -> mailbox::Result<()> {
        let opened = self.store.open(&MailboxName::inbox())?;
        let changes = self.store.changes(&opened.id, 0)?;
        let seen = |flags: &Flags| flags.system.contains(SystemFlags::SEEN);
        self.messages = changes
            .messages
            .iter()
            .map(|m| Entry {
                uid: m.uid,
                size_bytes: m.size_bytes,
                was_seen: seen(&m.flags),
                seen: seen(&m.flags),
                deleted: false,
            })
            .collect();
        self.last = self
            .messages
            .iter()
            .rposition(|m| m.was_seen)
            .map_or(0, |at| at + 1);
        if self.settings.uidl.uses_name() {
            match self.store.storage_names(&opened.id)? {
                Some(names) => self.names = names,
                None => {
                    let text = "pop3_uidl_format: messages of this mailbox have no names for %f and %g; %08Xu%08Xv is used";
                    self.events.push(Event::Problem(text.to_owned()));
                    self.settings.uidl = UidlFormat::default();
                }
            }
        }
        self.mailbox = Some((opened.id, changes.uid_validity));
        Ok(())
    }

    /// Takes commands until one has much to say or the input is used up.
    fn work(&mut self) {
        self.open();
        while !self.finished && self.is_free() {
            match self.lines.next_line(LINE_BYTES_MAX) {
                Some(Line::Complete(line)) => self.take_command(&line),
                Some(Line::TooLong) => self.bad("-ERR Input line too long."),
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
            "LAST" if self.settings.last => self.say(&format!("+OK {}", self.last)),
            "QUIT" => self.quit(),
            "" => return self.bad("-ERR Unknown command."),
            name => return self.bad(&format!("-ERR Unknown command: {}", one_line(name))),
        }
        self.bad_commands = 0;
    }

    fn bad(&mut self, text: &str) {
        self.say(text);
        self.bad_commands += 1;
        if self.bad_commands >= BAD_COMMANDS_MAX {
            self.say("-ERR Too many bad commands.");
            self.hang_up("Too many bad commands");
        }
    }

    fn stat(&mut self) {
        let (count, size) = self.left();
        self.say(&format!("+OK {count} {size}"));
    }

    /// The messages that are not marked as deleted: how many, how many octets.
    fn left(&self) -> (usize, u64) {
        let left = self.messages.iter().filter(|m| !m.deleted);
        left.fold((0, 0), |(count, size), m| (count + 1, size + m.size_bytes))
    }

    fn list(&mut self, which: List, argument: &[u8]) {
        if argument.iter().all(|&b| b == b' ') {
            match which {
                List::Sizes => self.say(&format!("+OK {} messages:", self.left().0)),
                List::Uidl => self.say("+OK"),
            }
            self.pending = Pending::List { which, next: 0 };
        } else if let Some((at, _)) = self.message(argument, Then::End) {
            let line = self.list_line(which, at);
            self.say(&format!("+OK {line}"));
        }
    }

    fn list_line(&self, which: List, at: usize) -> String {
        let message = &self.messages[at];
        match which {
            List::Sizes => format!("{} {}", at + 1, message.size_bytes),
            List::Uidl => {
                let uid_validity = self.mailbox.as_ref().map_or(0, |(_, validity)| *validity);
                let name = self.names.get(&message.uid).map_or("", String::as_str);
                let shown = self.settings.uidl.show(message.uid, uid_validity, name);
                format!("{} {shown}", at + 1)
            }
        }
    }

    /// The message that an argument names, and what follows the number; or the complaint is said.
    fn message<'a>(&mut self, argument: &'a [u8], then: Then) -> Option<(usize, &'a [u8])> {
        match number(argument, "message number") {
            Err(complaint) => self.say(&complaint),
            Ok((_, rest)) if then == Then::Space && !rest.starts_with(b" ") => {
                self.noise("message number", rest)
            }
            Ok((_, rest)) if then == Then::End && !rest.is_empty() => self.noise("message number", rest),
            Ok((number, rest)) => {
                let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
                match at.and_then(|at| self.messages.get(at).map(|message| (at, message.deleted))) {
                    None => self.say(&format!("-ERR There's no message {number}.")),
                    Some((_, true)) => self.say("-ERR Message is deleted."),
                    Some((at, false)) => return Some((at, rest)),
                }
            }
        }
        None
    }

    fn noise(&mut self, what: &str, rest: &[u8]) {
        self.say(&format!(
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
            match number(rest, "size") {
                Err(complaint) => self.say(&complaint),
                Ok((lines, [])) => self.send_body(at, Some(lines)),
                Ok((_, rest)) => self.noise("size", rest),
            }
        }
    }

    fn send_body(&mut self, at: usize, lines: Option<u64>) {
        let Some((mailbox, _)) = self.mailbox.clone() else {
            return;
        };
        let before = self.output.len();
        match self.store.body(&mailbox, self.messages[at].uid) {
            Ok(body) => {
                match lines {
                    None => self.say(&format!("+OK {} octets", self.messages[at].size_bytes)),
                    Some(_) => self.say("+OK"),
                }
                let said = (self.output.len() - before) as u64;
                let counter = if lines.is_some() {
                    &mut self.top
                } else {
                    &mut self.retr
                };
                *counter = (counter.0 + 1, counter.1 + said);
                let sending = Sending::new(body, lines);
                self.pending = Pending::Body {
                    sending,
                    at,
                    is_top: lines.is_some(),
                };
            }
            Err(mailbox::Error::NoSuchMessage(_)) => self.say("-ERR Message is expunged."),
            Err(error) => {
                self.problem("cannot read", at, &error);
                self.say("-ERR [SYS/TEMP] Couldn't read the message.");
            }
        }
    }

    fn problem(&mut self, what: &str, at: usize, error: &mailbox::Error) {
        self.events.push(Event::Problem(format!(
            "{what} UID {} of INBOX: {error}",
            self.messages[at].uid
        )));
    }

    fn dele(&mut self, argument: &[u8]) {
        if let Some((at, _)) = self.message(argument, Then::End) {
            self.messages[at].deleted = true;
            self.last = self.last.max(at + 1);
            self.say("+OK Marked to be deleted.");
        }
    }

    fn rset(&mut self) {
        for message in &mut self.messages {
            message.deleted = false;
            if self.settings.last {
                message.seen = message.was_seen;
            }
        }
        self.last = self
            .messages
            .iter()
            .rposition(|m| m.was_seen)
            .map_or(0, |at| at + 1);
        self.say("+OK");
    }

    fn capa(&mut self) {
        self.say("+OK");
        CAPABILITIES.iter().for_each(|capability| self.say(capability));
        self.say(".");
    }

    fn quit(&mut self) {
        self.update_seen();
        match self.expunge() {
            Ok(0) => {
                self.say("+OK Logging out.");
                self.finish("Logged out", 0);
            }
            Ok(deleted) => {
                self.say("+OK Logging out, messages deleted.");
                self.finish("Logged out", deleted);
            }
            Err(error) => {
                self.events.push(Event::Problem(format!(
                    "cannot delete messages of INBOX: {error}"
                )));
                self.say("-ERR [SYS/TEMP] Logging out, some deleted messages were not removed.");
                self.finish("Logged out", 0);
            }
        }
    }

    /// Removes what was marked; returns how many were marked.
    fn expunge(&self) -> mailbox::Result<u64> {
        let deleted: UidSet = self
            .messages
            .iter()
            .filter(|m| m.deleted)
            .map(|m| m.uid)
            .collect();
        if let Some((mailbox, _)) = self.mailbox.as_ref().filter(|_| !deleted.is_empty()) {
            let change = FlagChange::Add(Flags::system(SystemFlags::DELETED));
            self.store.store_flags(mailbox, &deleted, &change, None)?;
            self.store.expunge(mailbox, &deleted)?;
        }
        Ok(deleted.count())
    }

    /// What was retrieved is seen, also when the client does not come to QUIT.
    fn update_seen(&mut self) {
        let seen: UidSet = self
            .messages
            .iter()
            .filter(|m| m.seen && !m.was_seen && !m.deleted)
            .map(|m| m.uid)
            .collect();
        let Some((mailbox, _)) = self.mailbox.clone() else {
            return;
        };
        if self.settings.no_flag_updates || seen.is_empty() {
            return;
        }
        let change = FlagChange::Add(Flags::system(SystemFlags::SEEN));
        if let Err(error) = self.store.store_flags(&mailbox, &seen, &change, None) {
            self.events.push(Event::Problem(format!(
                "cannot mark messages of INBOX as seen: {error}"
            )));
        }
    }

    /// The end without QUIT: nothing is deleted.
    fn hang_up(&mut self, reason: &'static str) {
        if !self.finished {
            self.update_seen();
            self.finish(reason, 0);
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
                while at < self.messages.len() && self.output.len() < full {
                    if !self.messages[at].deleted {
                        let line = self.list_line(which, at);
                        self.say(&line);
                    }
                    at += 1;
                }
                if at == self.messages.len() {
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
                let counter = if is_top { &mut self.top } else { &mut self.retr };
                counter.1 += (self.output.len() - before) as u64;
                match progress {
                    Ok(Progress::More) => {}
                    Ok(Progress::Complete) => {
                        self.say(".");
                        self.pending = Pending::Nothing;
                        if !is_top {
                            self.messages[at].seen = true;
                            self.last = self.last.max(at + 1);
                        }
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
