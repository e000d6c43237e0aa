//! The client's side of SMTP and LMTP as a machine.
//!
//! [`Client`] owns replies, order, pipelining and time; `session.rs` gets from the greeting to being ready,
//! `transaction.rs` gives one message and keeps what became of each recipient.

mod config;
mod event;
mod replies;
mod session;
mod stuffing;
mod transaction;
mod xforward;

pub use crate::server::Protocol;
pub use config::{Config, ForwardedClient, Hello, Message, Pix, Recipient, Timeouts, TlsPolicy};
pub use event::{Answer, Event, Report};

use crate::Transcript;
use crate::transcript::{Fault, MASKED, Voice};
use envelope::{DeliveryResult, Outcome, StatusCode};
use machine::{Machine, SECOND, Stamp};
use replies::{Meaning, Replies, Said};
use std::collections::VecDeque;
use transaction::Current;

/// How many commands may wait for their replies at once. More could fill both directions of a connection.
pub const PIPELINED_COMMANDS_MAX: usize = 100;

/// One connection, from the greeting to the end.
///
/// # Limits
/// [`PIPELINED_COMMANDS_MAX`]; replies: [`crate::reply::REPLY_LINES_MAX`], [`crate::reply::REPLY_LINE_OCTETS_MAX`], of which
/// 16 KiB in all are kept; what is longer is cut.
#[derive(Debug)]
pub struct Client {
    config: Config,
    now: Stamp,
    /// When the reply that is awaited began to be awaited, or content last moved.
    since: Stamp,
    replies: Replies,
    output: Vec<u8>,
    /// Commands that have no reply yet.
    awaiting: VecDeque<Command>,
    stage: Stage,
    open: bool,
    report: Option<Report>,
    offers: Offers,
    tls: bool,
    /// STARTTLS was refused, and that is tolerated.
    gave_up_tls: bool,
    authenticated: bool,
    /// The greeting looks like one that a firewall has changed.
    behind_pix: bool,
    /// What the peer's reply to AUTH asks of the caller.
    login: Option<Login>,
    /// When the content began, and how many octets of it went out.
    content_since: Stamp,
    content_octets: u64,
    /// RSET comes before the next MAIL.
    dirty: bool,
    /// The peer said what is no answer to the command: it and we may not mean the same any more. No other message follows.
    out_of_step: bool,
    /// The session was kept, and the peer has not shown yet that it did so, too.
    unproved: bool,
    current: Option<Box<Current>>,
    end_of_input: bool,
    /// Why the session failed before there was a message.
    failure: Option<Failure>,
    /// What was said, where somebody wants to know.
    transcript: Option<Box<Transcript>>,
}

/// How far the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Greeting, EHLO, STARTTLS, AUTH: waiting for a reply.
    Opening,
    /// The caller does the handshake.
    Handshake,
    /// The caller logs in.
    LoggingIn,
    /// Between messages.
    Ready,
    /// MAIL to DATA.
    Envelope,
    /// The content goes out.
    Content,
    /// The content is out, the end mark waits (`delay_dotcrlf`).
    BeforeEnd,
    /// The end mark is out.
    AfterContent,
    /// QUIT is out, and its reply is waited for.
    Quitting,
    Finished,
}

/// A question of a login to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Login {
    Mechanism,
    Challenge(Vec<u8>),
    Success,
}

/// A command (or a wait) that will get one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Rset,
    Quit,
    /// XFORWARD, with the two parts of it.
    Xforward(xforward::Part),
    Mail,
    Rcpt(usize),
    Data,
    /// The end of the content, for all recipients.
    End,
    /// The end of the content, for one recipient of LMTP.
    EndFor(usize),
    /// The end of a content that was for nobody.
    EndForNobody,
}

/// What EHLO announced.
#[derive(Debug, Clone, Default)]
struct Offers {
    pipelining: bool,
    eight_bit_mime: bool,
    smtputf8: bool,
    dsn: bool,
    starttls: bool,
    size: bool,
    /// 0 is unknown or none.
    size_octets_max: u64,
    /// The attributes that XFORWARD may have, in capitals.
    xforward: Vec<String>,
    /// In capitals.
    mechanisms: Vec<String>,
}

/// Why a session, or what is left of a message, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    result: DeliveryResult,
    status: StatusCode,
    text: String,
}

impl Client {
    /// A connection that has just been made.
    pub fn new(config: Config, now: Stamp) -> Client {
        let tls = config.tls_active;
        let transcript = config.keeps_transcript.then(Box::default);
        Client {
            config,
            now,
            since: now,
            replies: Replies::default(),
            output: Vec::new(),
            awaiting: VecDeque::from([Command::Greeting]),
            stage: Stage::Opening,
            open: false,
            report: None,
            offers: Offers::default(),
            tls,
            gave_up_tls: false,
            authenticated: false,
            behind_pix: false,
            login: None,
            content_since: now,
            content_octets: 0,
            dirty: false,
            out_of_step: false,
            unproved: false,
            current: None,
            end_of_input: false,
            failure: None,
            transcript,
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether the peer offers STARTTLS and it was not used.
    pub fn offers_unused_tls(&self) -> bool {
        self.offers.starttls && !self.tls
    }

    /// Whether the greeting looks like one that a PIX firewall has changed, so that the workarounds are on.
    pub fn is_behind_pix(&self) -> bool {
        self.behind_pix
    }

    /// Why the session failed before it took a message, as an outcome for every recipient. The caller that never
    /// got [`Event::Ready`] finds the reason here.
    pub fn failure(&self) -> Option<Outcome> {
        self.failure
            .as_ref()
            .map(|failure| failure.outcome(&self.config.relay))
    }

    /// Whether the session waits for the caller's next message, or for its leave to go.
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready && !self.end_of_input
    }

    /// The session was kept for a while after its last message. RSET comes before the next one, to see whether the peer has
    /// kept it, too: until then a failure makes the report [`Report::stale`].
    pub fn resume(&mut self) {
        self.dirty = true;
        self.unproved = true;
        if let Some(transcript) = &mut self.transcript {
            **transcript = Transcript::default();
        }
    }

    /// What was said since the session began, or since this was asked the last time, if a fault of the peer's was in it.
    pub fn take_faulty_transcript(&mut self) -> Option<Transcript> {
        let transcript = self.transcript.as_mut()?;
        transcript.faults().next()?;
        Some(std::mem::take(&mut **transcript))
    }

    /// We say a line.
    fn saying(&mut self, line: &str) {
        if let Some(transcript) = &mut self.transcript {
            transcript.add_command(Voice::Out, line.as_bytes());
        }
    }

    /// The peer said something; whether it was what a mail server says.
    fn heard(&mut self, said: &Said) {
        if let Some(transcript) = &mut self.transcript {
            said.lines()
                .for_each(|line| transcript.add(Voice::In, line.as_bytes()));
        }
    }

    /// A reply that no mail server should need: our command was not understood, or what was said is no answer to it.
    fn note_fault(&mut self, reply: &Said) {
        let code = reply.code;
        let is_fault = !(400..=599).contains(&code) || code == 555 || (500..510).contains(&code);
        if let Some(transcript) = self.transcript.as_mut().filter(|_| is_fault) {
            transcript.fault(Fault::Protocol);
        }
    }

    /// Sends credentials: one line of a login.
    fn send_secret(&mut self, line: &str) {
        self.saying(if line == "*" { line } else { MASKED });
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.wait_for(Command::Auth);
    }

    /// Sends one command.
    fn send(&mut self, command: Command, line: &str) {
        self.saying(line);
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.wait_for(command);
    }

    fn wait_for(&mut self, command: Command) {
        if self.awaiting.is_empty() {
            self.since = self.now;
        }
        self.awaiting.push_back(command);
    }

    /// No more messages.
    fn leave(&mut self) {
        self.send(Command::Quit, "QUIT");
        self.stage = match self.config.skip_quit_response {
            true => Stage::Finished,
            false => Stage::Quitting,
        };
    }

    /// Takes replies as long as there are some and nothing is asked of the caller.
    fn take_replies(&mut self) {
        if self.stage == Stage::Quitting {
            return self.good_bye();
        }
        while self.stage != Stage::Finished && !self.open {
            match self.replies.next() {
                Some(reply) => self.reply(&reply),
                None => break,
            }
        }
        if self.end_of_input && self.stage != Stage::Finished && !self.open {
            let text = format!("lost connection with {} while {}", self.config.peer, self.doing());
            self.fail(Failure::deferred(StatusCode::temporary(4, 2), text));
        }
    }

    /// Whatever is said to QUIT, or not, is the end.
    fn good_bye(&mut self) {
        if self.end_of_input || self.replies.next().is_some() {
            self.stage = Stage::Finished;
            self.awaiting.clear();
        }
    }

    fn reply(&mut self, reply: &Said) {
        self.since = self.now;
        self.heard(reply);
        let Some(command) = self.awaiting.pop_front() else {
            return self.unasked(reply);
        };
        let closes = reply.code == 421;
        let said = self.said(command, reply);
        match command {
            Command::Greeting | Command::Ehlo | Command::Helo | Command::StartTls | Command::Auth => {
                self.opening_reply(command, reply);
            }
            command => self.transaction_reply(command, reply),
        }
        if closes && self.stage != Stage::Finished {
            // What a peer says of one recipient is not said of the others.
            let failure = match command {
                Command::Rcpt(_) => {
                    let text = format!("lost connection with {} while sending RCPT TO", self.config.peer);
                    Failure::deferred(StatusCode::temporary(4, 2), text)
                }
                Command::EndFor(_) => {
                    let doing = "sending end of data -- message may be sent more than once";
                    let text = format!("lost connection with {} while {doing}", self.config.peer);
                    Failure::deferred(StatusCode::temporary(4, 2), text)
                }
                _ => Failure::deferred(reply.status(), said),
            };
            self.fail(failure);
        }
    }

    /// A reply without a command: 421 may come at any time (RFC 5321 §3.8), and a peer may refuse a message before it
    /// has all of it.
    fn unasked(&mut self, reply: &Said) {
        let failure =
            if self.stage == Stage::Content && matches!(reply.meaning(), Meaning::Later | Meaning::Never) {
                Failure::by_reply(reply, self.said(Command::End, reply))
            } else {
                let text = format!(
                    "host {} said: {} (unasked)",
                    self.config.peer,
                    reply.in_one_line()
                );
                Failure::deferred(StatusCode::temporary(4, 2), text)
            };
        self.fail(failure);
    }

    /// `host mx[192.0.2.1] said: 550 5.1.1 … (in reply to RCPT TO command)`
    fn said(&self, command: Command, reply: &Said) -> String {
        let what = match command {
            Command::Greeting => "initial server greeting",
            Command::Ehlo if self.config.protocol == Protocol::Lmtp => "LHLO command",
            Command::Ehlo => "EHLO command",
            Command::Helo => "HELO command",
            Command::StartTls => "STARTTLS command",
            Command::Auth => "AUTH command",
            Command::Rset => "RSET command",
            Command::Quit => "QUIT command",
            Command::Xforward(part) => part.command(),
            Command::Mail => "MAIL FROM command",
            Command::Rcpt(_) => "RCPT TO command",
            Command::Data => "DATA command",
            Command::End | Command::EndFor(_) | Command::EndForNobody => "end of DATA command",
        };
        format!(
            "host {} said: {} (in reply to {what})",
            self.config.peer,
            reply.in_one_line()
        )
    }

    /// What a broken connection interrupted, in Postfix's words.
    fn doing(&self) -> &'static str {
        if matches!(self.stage, Stage::Content | Stage::BeforeEnd) {
            return "sending message body";
        }
        match self.awaiting.front() {
            Some(Command::Greeting) => "receiving the initial server greeting",
            Some(Command::Ehlo) if self.config.protocol == Protocol::Lmtp => "performing the LHLO handshake",
            Some(Command::Ehlo) => "performing the EHLO handshake",
            Some(Command::Helo) => "performing the HELO handshake",
            Some(Command::StartTls) => "performing the TLS handshake",
            Some(Command::Auth) => "performing SASL authentication",
            Some(Command::Rset) => "sending RSET",
            Some(Command::Quit) => "sending QUIT",
            Some(Command::Xforward(part)) => part.doing(),
            Some(Command::Mail) => "sending MAIL FROM",
            Some(Command::Rcpt(_)) => "sending RCPT TO",
            Some(Command::Data) => "sending DATA command",
            Some(_) => "sending end of data -- message may be sent more than once",
            None => "waiting for the next message",
        }
    }

    /// The session is over: what has no outcome yet gets this one.
    fn fail(&mut self, failure: Failure) {
        self.settle_rest(&failure);
        self.failure = Some(failure);
        self.stage = Stage::Finished;
        self.open = false;
        self.awaiting.clear();
        self.output.clear();
    }

    fn patience(&self) -> Stamp {
        let times = &self.config.timeouts;
        if matches!(self.stage, Stage::Content | Stage::BeforeEnd) {
            return times.data_xfer;
        }
        match self.awaiting.front() {
            Some(Command::StartTls) => times.starttls,
            Some(Command::Xforward(_)) => times.xforward,
            Some(Command::Mail) => times.mail,
            Some(Command::Rcpt(_)) => times.rcpt,
            Some(Command::Data) => times.data_init,
            Some(Command::End | Command::EndFor(_) | Command::EndForNobody) => times.data_done,
            Some(Command::Rset) => times.rset,
            Some(Command::Quit) => times.quit,
            Some(Command::Greeting | Command::Ehlo | Command::Helo | Command::Auth) | None => times.helo,
        }
    }
}

impl Failure {
    fn deferred(status: StatusCode, text: String) -> Failure {
        Failure {
            result: DeliveryResult::Deferred,
            status,
            text,
        }
    }

    /// By the first digit of a reply that is not what was hoped for. One that makes no sense here is as good as 5.
    fn by_reply(reply: &Said, text: String) -> Failure {
        let (result, status) = match reply.meaning() {
            Meaning::Later => (DeliveryResult::Deferred, reply.status()),
            Meaning::Never => (DeliveryResult::Bounced, reply.status()),
            _ => (DeliveryResult::Bounced, StatusCode::permanent(5, 0)),
        };
        Failure { result, status, text }
    }

    fn outcome(&self, relay: &str) -> Outcome {
        Outcome {
            result: self.result,
            status: self.status,
            text: self.text.clone(),
            relay: relay.to_owned(),
            detail: Default::default(),
        }
    }
}

impl Machine for Client {
    type Event = Event;
    type Answer = Answer;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        self.now = now;
        self.replies.feed(input);
    }

    fn end_of_input(&mut self, now: Stamp) {
        self.now = now;
        self.end_of_input = true;
    }

    fn next_event(&mut self) -> Option<Event> {
        self.take_replies();
        if let Some(report) = self.report.take() {
            return Some(Event::Done(report));
        }
        if self.open {
            return None;
        }
        let event = match self.stage {
            Stage::Ready => Event::Ready,
            Stage::Handshake => Event::StartTls,
            Stage::LoggingIn => self.login_event()?,
            // The next piece is asked for when the last one is out.
            Stage::Content if self.output.is_empty() => Event::Content,
            Stage::BeforeEnd if self.output.is_empty() => {
                Event::Pause(self.config.pix.delay.unwrap_or_default())
            }
            _ => return None,
        };
        self.open = true;
        Some(event)
    }

    fn answer(&mut self, answer: Answer, now: Stamp) {
        self.now = now;
        self.since = now;
        if !std::mem::take(&mut self.open) {
            return;
        }
        match (self.stage, answer) {
            (Stage::Ready, Answer::Next(message)) => self.begin(*message),
            (Stage::Handshake, Answer::TlsStarted) => self.tls_started(),
            (Stage::Handshake, Answer::TlsFailed(why)) => self.tls_failed(format!("Cannot start TLS: {why}")),
            (Stage::Handshake, Answer::TlsRefused(text)) => self.tls_failed(text),
            (Stage::LoggingIn, answer) => self.login_answer(answer),
            (Stage::BeforeEnd, _) => self.end_mark(),
            (Stage::Content, Answer::Content(content)) => self.content(&content),
            (Stage::Content, Answer::ContentEnd) => self.content_end(),
            (Stage::Content, _) => {
                let text = format!("local data error while talking to {}", self.config.peer);
                self.fail(Failure::deferred(StatusCode::temporary(3, 0), text));
            }
            _ => self.leave(),
        }
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        if self.output.is_empty() {
            return;
        }
        if self.output.len() <= limit {
            into.append(&mut self.output);
        } else {
            into.extend(self.output.drain(..limit));
        }
    }

    fn deadline(&self) -> Option<Stamp> {
        if self.open || self.stage == Stage::Finished {
            return None;
        }
        match self.config.data_octets_per_second_min {
            Some(rate) if self.stage == Stage::Content => {
                let more = Stamp::try_from(self.content_octets / rate.max(1)).unwrap_or(Stamp::MAX / SECOND);
                Some(self.content_since + self.patience() + more.saturating_mul(SECOND))
            }
            _ => Some(self.since + self.patience()),
        }
    }

    fn time_out(&mut self, now: Stamp) {
        self.now = now;
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            if self.stage == Stage::Quitting {
                self.stage = Stage::Finished;
                return;
            }
            let text = format!(
                "conversation with {} timed out while {}",
                self.config.peer,
                self.doing()
            );
            self.fail(Failure::deferred(StatusCode::temporary(4, 2), text));
        }
    }

    /// Also while content goes out: a peer may refuse in the middle of it.
    fn wants_input(&self) -> bool {
        !self.end_of_input && self.stage != Stage::Finished && self.stage != Stage::Handshake
    }

    fn is_finished(&self) -> bool {
        self.stage == Stage::Finished && self.report.is_none()
    }
}
