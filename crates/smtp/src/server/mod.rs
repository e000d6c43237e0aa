//! The server's side of SMTP and LMTP as a machine.
//!
//! [`Server`] owns input, order of commands, errors and time; `commands.rs` has a function for each command,
//! `transfer.rs` what happens to the content, `authentication.rs` the AUTH exchange, `forwarding.rs` what trusted clients
//! tell of others, `answers.rs` the caller's answers.

mod answers;
mod authentication;
mod commands;
mod config;
mod content;
mod counts;
mod event;
mod footers;
mod forwarding;
mod options;
mod pipelining;
mod transfer;
mod words;

pub use config::{Auth, BareNewline, CommandFilter, Config, Filtering, Limits, Protocol, Tls, Words};
pub use counts::{Counts, Verb};
pub use event::{Answer, Ended, Ending, Event, HeloVerb, MailOptions, Note, RcptOptions};
pub use footers::{Footer, Footers};
pub use forwarding::{Attribute, Attributes, Told};

use crate::transcript::{Fault, Voice};
use crate::{Reply, Transcript};
use envelope::StatusCode;
use machine::{Machine, Stamp};
use memchr::memchr;
use std::collections::VecDeque;
use std::sync::Arc;
use transfer::Transfer;

/// The largest piece of content in one [`Event::Content`], in octets (line ends that are put right may add some).
pub const CONTENT_PIECE_OCTETS_MAX: usize = 64 * 1024;
/// The longest line of an AUTH exchange, in octets (RFC 4954 §4).
pub const AUTH_LINE_OCTETS_MAX: usize = 12_288;

/// One session, from the greeting to the end.
///
/// # Limits
/// [`Limits`], [`CONTENT_PIECE_OCTETS_MAX`], [`AUTH_LINE_OCTETS_MAX`]. Holds what was fed and not used; callers that
/// feed only when it [wants input](Machine::wants_input) bound that by the size of one read. Output is bounded by
/// one read's worth of commands and by the error and junk limits.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    now: Stamp,
    /// When the client was last heard, or last got something to react to.
    heard: Stamp,
    input: Vec<u8>,
    /// Where unread input starts.
    start: usize,
    output: Vec<u8>,
    events: VecDeque<Event>,
    /// The event that waits for its answer.
    open: Option<Open>,
    state: State,
    /// Replies are held back until then (`smtpd_error_sleep_time`).
    held_until: Option<Stamp>,
    /// The input was looked at, and is not enough.
    starved: bool,
    end_of_input: bool,
    helo: Option<HeloVerb>,
    tls: bool,
    user: Option<String>,
    refusal_after_greeting: Option<Box<Reply>>,
    transaction: Option<Box<Transaction>>,
    /// XFORWARD told something of the next message.
    forwarded: bool,
    errors: usize,
    junk: usize,
    last: Last,
    counts: Box<Counts>,
    /// What was said, where somebody wants to know.
    transcript: Option<Box<Transcript>>,
    footers: Option<Footers>,
    /// The client said more where it had to wait.
    spoke_ahead: bool,
}

/// What is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Commands.
    Command,
    /// The rest of a command line that is over its limit.
    OverlongLine,
    /// The rest of a response to a challenge that is over its limit.
    OverlongResponse,
    /// The response to a challenge.
    AuthResponse,
    /// The content after DATA.
    Data,
    /// The content of a BDAT chunk.
    Chunk { octets: u64, remaining: u64, last: bool },
    /// The content of a chunk that is of no use.
    Discard { remaining: u64, reply: Box<Reply> },
    /// Nothing any more.
    Finished,
}

/// Which event is open, with what its answer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Open {
    Connected,
    Helo(HeloVerb),
    /// With whether SMTPUTF8 was asked for.
    Mail(bool),
    Rcpt,
    Data,
    FirstChunk {
        octets: u64,
        last: bool,
    },
    ContentEnd {
        octets: u64,
        chunked: bool,
    },
    Auth,
    StartTls,
    Handshake,
    Secured,
    Introduced(Attributes),
    Vrfy(String),
    Etrn,
    Unknown,
}

/// The transaction between MAIL and the end of the content.
#[derive(Debug, Default)]
struct Transaction {
    /// The client asked for SMTPUTF8.
    smtputf8: bool,
    recipients: usize,
    /// Recipients over the limit.
    overshoot: usize,
    transfer: Option<Transfer>,
}

/// What the log says the end came after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Connect,
    Command(Verb),
    EndOfMessage,
}

/// How a line of input was.
enum Line {
    Complete {
        text: Vec<u8>,
        bare_line_feed: bool,
    },
    /// Over its limit, and its end is not there yet.
    TooLong,
    /// Over its limit; it is gone as a whole.
    Dropped,
    Unfinished,
}

impl Server {
    /// A session that has just been connected; the first event is [`Event::Connected`].
    pub fn new(config: Arc<Config>, now: Stamp) -> Server {
        let tls = config.tls == Tls::Active;
        let transcript = config.transcript_lines.map(|_| Box::default());
        Server {
            config,
            now,
            heard: now,
            input: Vec::new(),
            start: 0,
            output: Vec::new(),
            events: VecDeque::from([Event::Connected]),
            open: Some(Open::Connected),
            state: State::Command,
            held_until: None,
            starved: false,
            end_of_input: false,
            helo: None,
            tls,
            user: None,
            refusal_after_greeting: None,
            transaction: None,
            forwarded: false,
            errors: 0,
            junk: 0,
            last: Last::Connect,
            counts: Box::default(),
            transcript,
            footers: None,
            spoke_ahead: false,
        }
    }

    /// The same with something below its refusals.
    pub fn with_footers(self, footers: Option<Footers>) -> Server {
        Server { footers, ..self }
    }

    /// What was said so far, counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Who has logged in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// What the Received header says behind `with` (RFC 3848): `ESMTPSA`, `LMTP` …
    pub fn with_protocol(&self) -> &'static str {
        match (self.helo, self.tls, self.user.is_some()) {
            (Some(HeloVerb::Lhlo), false, false) => "LMTP",
            (Some(HeloVerb::Lhlo), true, false) => "LMTPS",
            (Some(HeloVerb::Lhlo), false, true) => "LMTPA",
            (Some(HeloVerb::Lhlo), true, true) => "LMTPSA",
            (Some(HeloVerb::Ehlo), false, false) => "ESMTP",
            (Some(HeloVerb::Ehlo), true, false) => "ESMTPS",
            (Some(HeloVerb::Ehlo), false, true) => "ESMTPA",
            (Some(HeloVerb::Ehlo), true, true) => "ESMTPSA",
            (Some(HeloVerb::Helo) | None, _, _) => "SMTP",
        }
    }

    /// The unread input.
    fn unread(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Drops `count` octets of the unread input; gives the memory back when nothing is left.
    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.input.len() {
            self.input = Vec::new();
            self.start = 0;
        }
    }

    /// The next line, of at most `limit` octets.
    fn line(&mut self, limit: usize) -> Line {
        let unread = self.unread();
        let Some(at) = memchr(b'\n', unread) else {
            if unread.len() <= limit + 1 {
                return Line::Unfinished;
            }
            self.consume(self.unread().len());
            return Line::TooLong;
        };
        let bare_line_feed = at == 0 || unread[at - 1] != b'\r';
        let text = unread[..at].to_vec();
        let end = at - usize::from(!bare_line_feed);
        self.consume(at + 1);
        if end > limit {
            return Line::Dropped;
        }
        Line::Complete { text, bare_line_feed }
    }

    /// Does one step with the input; `false` when there is not enough of it.
    fn step(&mut self) -> bool {
        match self.state.clone() {
            State::Command => self.command_line(),
            State::OverlongLine | State::OverlongResponse => self.skip_overlong_line(),
            State::AuthResponse => self.auth_line(),
            State::Data => self.data(),
            State::Chunk {
                octets,
                remaining,
                last,
            } => self.chunk(octets, remaining, last),
            State::Discard { remaining, reply } => self.discard(remaining, *reply),
            State::Finished => false,
        }
    }

    /// Says something.
    fn say(&mut self, reply: &Reply) {
        let mut worded = words::worded(self.config.words, reply);
        if let Some(footers) = &self.footers {
            worded = footers.added(worded);
        }
        let worded = match self.config.soft_bounce {
            true => worded.softened(),
            false => worded,
        };
        worded.write(&mut self.output);
        if let Some(transcript) = &mut self.transcript {
            transcript.add_reply(Voice::Out, &worded);
        }
    }

    /// A command is over and was accepted.
    fn accept(&mut self, reply: &Reply) {
        self.say(reply);
        if let Last::Command(verb) = self.last {
            self.counts.accepted(verb);
        }
        self.after_command();
    }

    /// The client said a line; credentials in it are masked.
    fn heard(&mut self, line: &[u8]) {
        if let Some(transcript) = &mut self.transcript {
            transcript.add_command(Voice::In, line);
        }
    }

    /// The session shows a fault.
    fn fault(&mut self, fault: Fault) {
        if let Some(transcript) = &mut self.transcript {
            transcript.fault(fault);
        }
    }

    /// A long transcript is handed over, and a new one begun.
    fn turn_page(&mut self) {
        let limit = self.config.transcript_lines.unwrap_or(usize::MAX);
        if let Some(transcript) = &mut self.transcript
            && transcript.line_count() > limit
        {
            let full = std::mem::take(transcript);
            self.events.push_back(Event::Note(Note::Transcript(full, None)));
        }
    }

    /// What was said and not handed over yet, for a connection that broke before the machine was finished.
    pub fn take_transcript(&mut self) -> Option<Transcript> {
        self.transcript.take().map(|transcript| *transcript)
    }

    /// A command is over and was refused, as the protocol wants it: one error more.
    fn refuse(&mut self, reply: &Reply) {
        self.refuse_for(Some(Fault::Protocol), reply);
    }

    /// A command is over and was refused: one error more. The caller's refusals are faults for the caller to name.
    fn refuse_for(&mut self, fault: Option<Fault>, reply: &Reply) {
        if let Some(fault) = fault {
            self.fault(fault);
        }
        self.errors += 1;
        self.refuse_mildly(reply);
    }

    /// A command is over and was refused, without blame.
    fn refuse_mildly(&mut self, reply: &Reply) {
        self.say(reply);
        if reply.closes() {
            self.finish(Ending::HungUp);
        } else {
            self.after_command();
        }
    }

    /// Too many errors end the session; many slow it down.
    fn after_command(&mut self) {
        let limits = &self.config.limits;
        if self.state == State::Finished {
            return;
        }
        if self.errors >= limits.hard_errors_max {
            let text = format!("{} Error: too many errors", self.config.hostname);
            self.say(&Reply::new(421, StatusCode::temporary(7, 0), text));
            self.finish(Ending::TooManyErrors);
        } else if self.errors > limits.soft_errors_max && limits.error_delay > 0 {
            let (errors, until) = (self.errors, self.now + limits.error_delay);
            self.held_until = Some(until);
            self.events.push_back(Event::Note(Note::Slowed { errors, until }));
        }
    }

    /// Forgets the transaction, and says so.
    fn reset(&mut self) {
        let forwarded = std::mem::take(&mut self.forwarded);
        if self.transaction.take().is_some() || forwarded {
            self.events.push_back(Event::Reset);
        }
    }

    /// The end: nothing is read any more.
    fn finish(&mut self, how: Ending) {
        if self.state == State::Finished {
            return;
        }
        let after = self.after();
        self.reset();
        self.state = State::Finished;
        self.open = None;
        self.input = Vec::new();
        self.start = 0;
        if let Some(transcript) = self.transcript.take() {
            self.events
                .push_back(Event::Note(Note::Transcript(transcript, Some(how))));
        }
        self.events.push_back(Event::Ended(Ended { how, after }));
    }

    /// What the log says the end came after.
    fn after(&self) -> String {
        let transfer = self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.transfer.as_ref());
        match (self.last, transfer) {
            (Last::Command(verb @ (Verb::Data | Verb::Bdat)), Some(transfer)) => {
                format!("{} ({} bytes)", verb.name(), transfer.octets)
            }
            (Last::Command(verb), _) => verb.name().to_owned(),
            (Last::Connect, _) => "CONNECT".to_owned(),
            (Last::EndOfMessage, _) => "END-OF-MESSAGE".to_owned(),
        }
    }
}

impl Machine for Server {
    type Event = Event;
    type Answer = Answer;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        self.now = now;
        self.heard = now;
        self.starved = false;
        let used = self.feed_content(input);
        if self.state != State::Finished {
            if self.start > 0 {
                self.input.drain(..self.start);
                self.start = 0;
            }
            self.input.extend_from_slice(&input[used..]);
        }
    }

    fn end_of_input(&mut self, now: Stamp) {
        self.now = now;
        self.end_of_input = true;
    }

    fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.open.is_some() || self.held_until.is_some() || self.state == State::Finished {
                return None;
            }
            if !self.step() {
                if !self.end_of_input {
                    self.starved = true;
                    return None;
                }
                self.finish(Ending::Lost);
            }
        }
    }

    fn answer(&mut self, answer: Answer, now: Stamp) {
        self.now = now;
        self.heard = now;
        if let Some(open) = self.open.take() {
            self.answered(open, answer);
        }
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        if self.held_until.is_some() || self.output.is_empty() {
            return;
        }
        if self.output.len() <= limit {
            into.append(&mut self.output);
            self.output = Vec::new();
        } else {
            into.extend(self.output.drain(..limit));
        }
    }

    fn deadline(&self) -> Option<Stamp> {
        if self.held_until.is_some() {
            return self.held_until;
        }
        (self.open.is_none() && self.state != State::Finished)
            .then(|| self.heard + self.config.limits.timeout)
    }

    fn time_out(&mut self, now: Stamp) {
        self.now = now;
        match self.deadline() {
            Some(deadline) if now < deadline => {}
            None => {}
            Some(_) if self.held_until.take().is_some() => self.heard = now,
            Some(_) => {
                let text = format!("{} Error: timeout exceeded", self.config.hostname);
                self.say(&Reply::new(421, StatusCode::temporary(4, 2), text));
                self.finish(Ending::TimedOut);
            }
        }
    }

    fn wants_input(&self) -> bool {
        self.starved
            && !self.end_of_input
            && self.open.is_none()
            && self.held_until.is_none()
            && self.state != State::Finished
    }

    fn is_finished(&self) -> bool {
        self.state == State::Finished && self.held_until.is_none() && self.events.is_empty()
    }
}
