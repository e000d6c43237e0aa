//! The session after login: commands over a mailbox store. Here: the machine's verbs and the dispatch.

pub(crate) mod append;
pub mod crew;
pub(crate) mod decoded;
pub(crate) mod fetch;
mod flags;
mod listing;
mod mailboxes;
mod named;
pub(crate) mod remembered;
pub(crate) mod reply;
pub(crate) mod search;
pub(crate) mod section;
mod select;
pub(crate) mod structure;
pub(crate) mod transfer;
pub(crate) mod view;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use machine::{Machine, SECOND, Stamp};
use mailbox::Store;
use mailbox::store::Wake;

use crate::extensions::compress::Compression;
use crate::extensions::{self, Offered, idle::Idle, notify::Notify};
use crate::wire;
use crate::wire::command::Verb;
use crate::wire::cursor::Cursor;
use crate::wire::decode;
use crate::wire::framing::{Announced, Frame, Framing};
use append::Appending;
use crew::{Alone, Crew};
use fetch::Fetching;
use search::{Purpose, Searching, UNREAD_BYTES_MAX};
use view::View;

/// The longest command where no setting says otherwise, in octets, its literals included and an appended message not.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// A client that is silent for so long is logged out (RFC 3501 §5.4).
pub const IDLE_SECS_MAX: i64 = 30 * 60;
/// While IDLE lasts, something is said this often where no setting says otherwise.
pub const IDLE_NOTIFY_SECS: i64 = 2 * 60;
/// After so many commands in a row that make no sense the connection is closed.
pub const BAD_COMMANDS_MAX: u32 = 20;
/// No further command is begun while so much output waits.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What a session is told when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What ID answers (`imap_id_send`): pairs of field and value. Empty: NIL.
    pub id: Vec<(String, String)>,
    /// The longest command, in octets (`imap_max_line_length`).
    pub command_bytes_max: usize,
    /// While IDLE lasts, something is said at least this often (`imap_idle_notify_interval`).
    pub idle_notify: Stamp,
    /// What is offered by settings.
    pub offered: Offered,
    /// How much of the messages SEARCH, SORT and THREAD read before they let the connection be looked after, in octets.
    /// Who gives less than everything calls [`Machine::time_out`] when [`Machine::deadline`] says so.
    pub search_slice_bytes: u64,
    /// Who helps with that.
    pub crew: Arc<dyn Crew>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            id: Vec::new(),
            command_bytes_max: COMMAND_BYTES_MAX,
            idle_notify: IDLE_NOTIFY_SECS * SECOND,
            offered: Offered::default(),
            search_slice_bytes: u64::MAX,
            crew: Arc::new(Alone),
        }
    }
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
    pub traffic: Traffic,
}

/// What a session did, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Octets received.
    pub bytes_in: u64,
    /// Octets sent.
    pub bytes_out: u64,
    /// Messages that this session marked `\Deleted`.
    pub deleted: u64,
    /// Messages that this session expunged.
    pub expunged: u64,
    /// Headers (or parts of them) sent.
    pub headers: u64,
    /// Their octets.
    pub header_bytes: u64,
    /// Bodies (or parts of them) sent.
    pub bodies: u64,
    /// Their octets.
    pub body_bytes: u64,
}

/// What the session is in the middle of.
pub(crate) enum Job {
    /// Nothing: the next command is welcome.
    None,
    /// A FETCH whose answer is made as it is taken.
    Fetch(Box<Fetching>),
    /// An APPEND whose message arrives.
    Append(Box<Appending>),
    /// IDLE until DONE.
    Idle(Box<Idle>),
    /// A SEARCH, SORT or THREAD that reads messages.
    Search(Box<Searching>),
}

/// One logged-in client and its account's mail.
///
/// The store is called from within the machine's verbs: run them where blocking is allowed.
///
/// # Limits
/// [`COMMAND_BYTES_MAX`], [`IDLE_SECS_MAX`], [`BAD_COMMANDS_MAX`], [`OUTPUT_BYTES_MAX`], and those of [`crate::wire`].
pub struct Session {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) wake: Wake,
    pub(crate) settings: Settings,
    pub(crate) framing: Framing,
    pub(crate) output: Vec<u8>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) view: Option<Box<View>>,
    pub(crate) job: Job,
    /// CONDSTORE was asked for, or used (RFC 7162 §3.1).
    pub(crate) condstore: bool,
    pub(crate) compression: Compression,
    /// UTF8=ACCEPT was enabled (RFC 6855).
    pub(crate) utf8: bool,
    /// QRESYNC was turned on: expunged messages are told by VANISHED (RFC 7162 §3.2).
    pub(crate) qresync: bool,
    /// What NOTIFY asked for.
    pub(crate) notify: Option<Box<Notify>>,
    pub(crate) bad_commands: u32,
    pub(crate) traffic: Traffic,
    pub(crate) now: Stamp,
    pub(crate) deadline: Stamp,
    pub(crate) input_ended: bool,
    pub(crate) finished: bool,
}

impl Session {
    /// A session over `store`. The login phase has written the tagged OK; what the client sent after it is to
    /// be fed. `wake` is called, on any thread, when the machine's [`Machine::wake`] is to be called.
    pub fn new(store: Arc<dyn Store>, wake: Wake, settings: Settings, now: Stamp) -> Session {
        Session {
            store,
            wake,
            framing: Framing::new(settings.command_bytes_max),
            settings,
            output: Vec::new(),
            events: VecDeque::new(),
            view: None,
            job: Job::None,
            condstore: false,
            compression: Compression::Off,
            utf8: false,
            qresync: false,
            notify: None,
            bad_commands: 0,
            traffic: Traffic::default(),
            now,
            deadline: now + IDLE_SECS_MAX * SECOND,
            input_ended: false,
            finished: false,
        }
    }

    /// What the session did so far; for the log when the connection broke and [`Event::Ended`] never came.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Sends the client away (shutdown): says BYE with this text, unless it would fall into the middle of an answer.
    pub fn bye(&mut self, text: &str) {
        if !self.finished {
            if !matches!(self.job, Job::Fetch(_)) {
                self.say(&format!("* BYE {}", crate::login::one_line(text)));
            }
            self.finish("Shutting down");
        }
    }

    /// Works through the input until it is used up, a FETCH is to be taken or enough output waits.
    fn work(&mut self) {
        while !self.finished
            && self.output.len() < OUTPUT_BYTES_MAX
            && !matches!(self.compression, Compression::Starting)
        {
            self.notice();
            match self.job {
                Job::Fetch(_) | Job::Search(_) => break,
                Job::Append(_) => {
                    if !self.append_more() {
                        break;
                    }
                }
                Job::None | Job::Idle(_) => match self.framing.next_frame() {
                    Some(frame) => self.take_frame(frame),
                    None => break,
                },
            }
        }
        let is_answering = match self.job {
            Job::Fetch(_) => true,
            // Who hangs up waits for no answer; who only says no more has said what else it wants.
            Job::Search(_) => !self.framing.unread().is_empty(),
            _ => false,
        };
        if self.input_ended
            && !self.finished
            && !is_answering
            && self.output.is_empty()
            && !self.has_compressed()
        {
            self.finish("Connection closed");
        }
    }

    /// Whether all that was fed is answered, and the answer taken.
    fn is_ready(&self) -> bool {
        !self.finished && self.output.is_empty() && !matches!(self.job, Job::Fetch(_))
    }

    fn take_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Command(line) if matches!(self.job, Job::Idle(_)) => self.end_idle(&line),
            Frame::Literal(announced) => self.take_literal(announced),
            Frame::Command(command) => self.take_command(&command),
            Frame::Dropped(start) => {
                let (tag, text) = too_long(&start);
                self.bad(&tag, &text);
            }
            Frame::StreamEnd => {}
        }
    }

    fn take_literal(&mut self, announced: Announced) {
        if self.refuses_literal(announced) {
            return;
        }
        match wire::append::head(self.framing.so_far()) {
            Some(Ok((head, rest))) => self.begin_append(head, rest, announced),
            Some(Err(refusal)) => {
                self.framing.refuse();
                self.refuse(refusal);
            }
            None => self.collect_literal(announced),
        }
    }

    /// Whether a literal came unasked that is larger than may be: there is no way to go on but with it.
    pub(crate) fn refuses_literal(&mut self, announced: Announced) -> bool {
        let refused = self.settings.offered.literals.refuses(announced);
        if refused {
            let is_append = matches!(wire::append::head(self.framing.so_far()), Some(Ok(_)))
                || matches!(self.job, Job::Append(_));
            let code = if is_append { "[TOOBIG] " } else { "" };
            self.say(&format!("* BYE {code}Non-synchronizing literal size too large"));
            self.finish("Non-synchronizing literal size too large");
        }
        refused
    }

    /// The literal is an argument like others.
    pub(crate) fn collect_literal(&mut self, announced: Announced) {
        if self.framing.collect() {
            if announced.synchronising {
                self.say("+ OK");
            }
            return;
        }
        let (tag, text) = too_long(self.framing.so_far());
        self.bad(&tag, &text);
        self.framing.refuse();
    }

    fn take_command(&mut self, bytes: &[u8]) {
        let mut head = match decode::head(bytes) {
            Ok(head) => head,
            Err(refusal) => return self.refuse(refusal),
        };
        let bad_commands = self.bad_commands;
        let done = match extensions::command(&head.name, &self.settings.offered) {
            Some(command) => self.run(command, head.tag, &mut head.arguments),
            None => decode::verb(&mut head).map(|verb| self.carry_out(head.tag, verb)),
        };
        match done {
            Ok(()) if self.bad_commands == bad_commands => self.bad_commands = 0,
            Ok(()) => {}
            Err(error) => self.refuse(head.refusal(error)),
        }
    }

    fn carry_out(&mut self, tag: &str, verb: Verb) {
        match verb {
            Verb::Capability => {
                self.say(&format!(
                    "* CAPABILITY {}",
                    extensions::capabilities(&self.settings.offered)
                ));
                self.complete(tag, "OK Capability completed.");
            }
            Verb::Noop => self.complete(tag, "OK NOOP completed."),
            Verb::Logout => self.logout(tag),
            Verb::Id(_) => {
                let answer = crate::login::id_answer(&self.settings.id);
                self.say(&answer);
                self.complete(tag, "OK ID completed.");
            }
            Verb::Select {
                mailbox,
                read_only,
                parameters,
            } => self.select(tag, &mailbox, read_only, parameters),
            Verb::Delete(name) => self.delete(tag, &name),
            Verb::Rename(from, to) => self.rename(tag, &from, &to),
            Verb::Subscribe(name) => self.subscribe(tag, &name, true),
            Verb::Unsubscribe(name) => self.subscribe(tag, &name, false),
            Verb::Status { mailbox, items } => self.status(tag, &mailbox, &items),
            verb => self.with_mailbox(tag, verb),
        }
    }

    /// The commands that need a selected mailbox.
    fn with_mailbox(&mut self, tag: &str, verb: Verb) {
        if self.view.is_none() {
            return self.bad(tag, "No mailbox selected");
        }
        match verb {
            Verb::Check => self.complete(tag, "OK Check completed."),
            Verb::Close => self.close(tag),
            Verb::Expunge => self.expunge(tag, None),
            Verb::Search(search) if self.utf8 && search.charset.is_some() => {
                // RFC 6855 §3: everything is UTF-8.
                self.bad(
                    tag,
                    "Error in IMAP command SEARCH: CHARSET is not allowed with UTF8=ACCEPT",
                );
            }
            Verb::Search(search) => self.search(tag, search, Purpose::Search),
            Verb::Fetch(fetch) => self.start_fetch(tag, fetch),
            Verb::Store(store) => self.store_flags(tag, &store),
            Verb::Copy {
                by_uid,
                messages,
                mailbox,
            } => self.copy(tag, by_uid, &messages, &mailbox),
            _ => self.bad(tag, "Error in IMAP command received by server."),
        }
    }

    fn logout(&mut self, tag: &str) {
        self.say("* BYE Logging out");
        self.say(&format!("{tag} OK Logout completed."));
        self.finish("Logged out");
    }

    /// Ends the session. What is in the output is still sent.
    pub(crate) fn finish(&mut self, reason: &'static str) {
        if !self.finished {
            self.finished = true;
            self.job = Job::None;
            self.view = None;
            self.traffic.bytes_out += self.output.len() as u64;
            self.events.push_back(Event::Ended(Ended {
                reason,
                traffic: self.traffic,
            }));
            self.traffic.bytes_out -= self.output.len() as u64;
        }
    }

    /// Makes output until `into` holds `limit` octets more or there is none to be made.
    fn produce(&mut self, into: &mut Vec<u8>, limit: usize) {
        let end = into.len().saturating_add(limit);
        loop {
            if !self.output.is_empty() {
                let room = end.saturating_sub(into.len());
                if self.output.len() > room {
                    into.extend(self.output.drain(..room));
                    return;
                }
                into.append(&mut self.output);
                self.output = Vec::new();
            }
            if into.len() >= end {
                return;
            }
            if matches!(self.job, Job::Fetch(_)) && !self.finished {
                self.fetch_more(into, end);
                continue;
            }
            self.work();
            if self.output.is_empty() && !matches!(self.job, Job::Fetch(_)) && !self.take_compressed() {
                return;
            }
        }
    }
}

impl Session {
    /// Makes compressed output: more than `limit` octets, or all there is to be made, so that the peer can read it.
    fn produce_compressed(&mut self, into: &mut Vec<u8>, limit: usize) {
        let end = into.len().saturating_add(limit);
        let mut plain = Vec::new();
        while into.len() < end {
            plain.clear();
            self.produce(&mut plain, OUTPUT_BYTES_MAX);
            let Compression::On(streams) = &mut self.compression else {
                return;
            };
            if plain.is_empty() {
                return streams.flush(into);
            }
            streams.encode(&plain, into);
        }
    }
}

/// Tag and answer for a command that is too long and begins so: Dovecot's words.
fn too_long(start: &[u8]) -> (String, String) {
    let mut cursor = Cursor::new(start);
    let Ok(tag) = cursor.word(crate::login::is_tag_octet, "a tag") else {
        return (
            "*".to_owned(),
            "Error in IMAP command received by server.".to_owned(),
        );
    };
    if cursor.space().is_err() {
        return ("*".to_owned(), "Error in IMAP tag: Too long argument".to_owned());
    }
    let mut name = cursor.atom("a command").unwrap_or_default().to_ascii_uppercase();
    if name == "UID"
        && cursor.space().is_ok()
        && let Ok(inner) = cursor.atom("a command")
    {
        name = format!("UID {}", inner.to_ascii_uppercase());
    }
    if cursor.space().is_err() {
        return (
            tag.to_owned(),
            "Error in IMAP command: Too long argument".to_owned(),
        );
    }
    let what = match cursor.rest().contains(&b' ') {
        true => "IMAP command line too large",
        false => "Too long argument",
    };
    (tag.to_owned(), format!("Error in IMAP command {name}: {what}"))
}

impl Machine for Session {
    type Event = Event;
    type Answer = Infallible;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        self.now = now;
        self.deadline = now + IDLE_SECS_MAX * SECOND;
        self.traffic.bytes_in += input.len() as u64;
        if self.finished {
            return;
        }
        match &mut self.compression {
            Compression::On(streams) => {
                streams.feed(input);
                while self.is_ready() && self.take_compressed() {
                    self.work();
                }
            }
            Compression::Off | Compression::Starting => {
                self.framing.feed(input);
                self.work();
            }
        }
    }

    fn end_of_input(&mut self, now: Stamp) {
        self.now = now;
        self.input_ended = true;
        self.work();
    }

    fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn answer(&mut self, answer: Infallible, _now: Stamp) {
        match answer {}
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        let before = into.len();
        match self.compression {
            Compression::On(_) => self.produce_compressed(into, limit),
            Compression::Off => self.produce(into, limit),
            Compression::Starting => {
                self.produce(into, limit);
                if self.output.is_empty() {
                    self.start_compression();
                }
            }
        }
        self.traffic.bytes_out += (into.len() - before) as u64;
    }

    fn deadline(&self) -> Option<Stamp> {
        match &self.job {
            _ if self.finished => None,
            Job::Idle(idle) => Some(idle.next_notice),
            Job::Search(_) => Some(self.now),
            _ => Some(self.deadline),
        }
    }

    fn time_out(&mut self, now: Stamp) {
        self.now = now;
        match &mut self.job {
            Job::Idle(idle) => {
                idle.next_notice = now.saturating_add(self.settings.idle_notify);
                self.say("* OK Still here");
            }
            Job::Fetch(_) => {}
            Job::Search(_) => {
                self.search_more();
                self.work();
            }
            _ if now >= self.deadline => {
                self.say("* BYE Disconnected for inactivity.");
                self.finish("Disconnected for inactivity");
            }
            _ => {}
        }
    }

    fn wants_input(&self) -> bool {
        let is_busy = match self.job {
            Job::Fetch(_) => true,
            Job::Search(_) => self.framing.unread().len() > UNREAD_BYTES_MAX,
            _ => false,
        };
        !self.finished && !self.input_ended && self.output.is_empty() && !is_busy && !self.has_compressed()
    }

    fn is_finished(&self) -> bool {
        self.finished && self.events.is_empty()
    }

    fn wake(&mut self, now: Stamp) {
        self.now = now;
        self.woken();
    }
}

#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
