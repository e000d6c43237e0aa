//! The login phase: greeting, CAPA, STLS, USER, PASS, AUTH, QUIT (RFC 1939 §4, 2449, 2595 §4, 5034).

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use machine::lines::{Line, Lines};
pub use machine::login::{Answer, Disconnect, Event, Settings, Tls};
use machine::{Machine, SECOND, Stamp};

use crate::LINE_BYTES_MAX;
use crate::words::{Command, LOGGED_IN, one_line};

/// The longest line of a SASL exchange, in octets: what a GSSAPI or OAuth token may need.
pub const SASL_LINE_BYTES_MAX: usize = 16 * 1024;
/// After so many commands in a row that make no sense the connection is closed.
pub const BAD_COMMANDS_MAX: u32 = 3;
/// A client that is silent for so long before login is sent away.
pub const IDLE_SECS_MAX: i64 = 180;

/// Base64 as peers send it: padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const PLAINTEXT_REFUSED: &str =
    "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.";

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Commands are welcome.
    Ready,
    /// An event is with the caller.
    Asking(Question),
    /// A challenge was sent; the client's line is awaited.
    AwaitingResponse,
    /// Over; whether by a login.
    Finished(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    StartTls,
    Password,
    Sasl,
}

/// The login phase of one connection.
///
/// # Limits
/// [`LINE_BYTES_MAX`], [`SASL_LINE_BYTES_MAX`], [`BAD_COMMANDS_MAX`], [`IDLE_SECS_MAX`].
#[derive(Debug)]
pub struct Login {
    settings: Settings,
    lines: Lines,
    output: Vec<u8>,
    event: Option<Event>,
    state: State,
    user: Option<Vec<u8>>,
    /// The client said UTF8.
    utf8: bool,
    bad_commands: u32,
    deadline: Stamp,
    input_ended: bool,
}

impl Login {
    /// A connection that has just arrived; the greeting is ready.
    pub fn new(settings: Settings, now: Stamp) -> Login {
        let greeting = format!("+OK {}", one_line(&settings.greeting));
        let mut login = Login {
            settings,
            lines: Lines::new(),
            output: Vec::new(),
            event: None,
            state: State::Ready,
            user: None,
            utf8: false,
            bad_commands: 0,
            deadline: now + IDLE_SECS_MAX * SECOND,
            input_ended: false,
        };
        login.say(&greeting);
        login
    }

    /// Whether the conversation ended in a login: the session takes over.
    pub fn is_logged_in(&self) -> bool {
        self.state == State::Finished(true)
    }

    /// What the client sent after its login command: the session is fed with it.
    pub fn into_unread(self) -> Vec<u8> {
        self.lines.unread().to_vec()
    }

    fn refuses_plaintext(&self) -> bool {
        self.settings.plaintext_needs_tls && !self.settings.secured
    }

    fn is_offered(&self, mechanism: &str) -> bool {
        !(self.refuses_plaintext() && matches!(mechanism, "PLAIN" | "LOGIN"))
            && (self.settings.tls == Tls::On || !mechanism.ends_with("-PLUS"))
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn finish(&mut self, why: Disconnect) {
        self.state = State::Finished(false);
        self.event = Some(Event::Disconnected(why));
    }

    fn ask(&mut self, question: Question, event: Event) {
        self.state = State::Asking(question);
        self.event = Some(event);
    }

    /// Works through the input until it is used up or the caller is asked.
    fn work(&mut self) {
        while self.event.is_none() {
            match self.state {
                State::Ready => match self.lines.next_line(SASL_LINE_BYTES_MAX) {
                    Some(Line::Complete(line)) if line.len() <= line_limit(&line) => self.take_command(&line),
                    Some(_) => self.bad("-ERR Input line too long."),
                    None => break,
                },
                State::AwaitingResponse => match self.lines.next_line(SASL_LINE_BYTES_MAX) {
                    Some(line) => self.take_response(line),
                    None => break,
                },
                State::Asking(_) | State::Finished(_) => return,
            }
        }
        if self.input_ended && self.event.is_none() {
            self.finish(Disconnect::ConnectionClosed);
        }
    }

    fn take_command(&mut self, line: &[u8]) {
        let command = Command::parse(line);
        match command.name.as_str() {
            "CAPA" => self.capa(),
            "STLS" => self.stls(),
            "USER" => self.user(command.argument),
            "PASS" => self.pass(command.argument),
            "AUTH" => self.auth(command.argument),
            "APOP" => self.say("-ERR APOP not enabled."),
            "UTF8" => {
                self.utf8 = true;
                self.say("+OK UTF-8 is on.");
            }
            "LANG" => self.say(&crate::language::answer(command.argument)),
            "QUIT" => {
                self.say("+OK Logging out");
                self.finish(Disconnect::LoggedOut);
            }
            _ => return self.bad("-ERR Unknown command."),
        }
        self.bad_commands = 0;
    }

    fn bad(&mut self, text: &str) {
        self.say(text);
        self.bad_commands += 1;
        if self.bad_commands >= BAD_COMMANDS_MAX {
            self.say("-ERR Too many invalid bad commands.");
            self.finish(Disconnect::TooManyBadCommands);
        }
    }

    fn capa(&mut self) {
        self.say("+OK");
        for capability in crate::words::CAPABILITIES {
            self.say(capability);
        }
        if self.settings.tls == Tls::Offered {
            self.say("STLS");
        }
        if !self.refuses_plaintext() {
            self.say("USER");
        }
        let offered: Vec<&str> = self
            .settings
            .mechanisms
            .iter()
            .map(String::as_str)
            .filter(|m| self.is_offered(m))
            .collect();
        // Without a mechanism the SASL line still says that AUTH is understood (RFC 5034 §3).
        let line = format!("SASL {}", offered.join(" "));
        self.say(line.trim_end());
        crate::words::MORE_CAPABILITIES
            .iter()
            .for_each(|capability| self.say(capability));
        self.say(".");
    }

    fn stls(&mut self) {
        match self.settings.tls {
            Tls::On => self.say("-ERR TLS is already active."),
            Tls::Unavailable => self.say("-ERR TLS support isn't enabled."),
            // RFC 6856 §2.1.
            Tls::Offered if self.utf8 => self.say("-ERR TLS begins before UTF8."),
            Tls::Offered => {
                self.say("+OK Begin TLS negotiation now.");
                self.ask(Question::StartTls, Event::StartTls);
            }
        }
    }

    fn user(&mut self, name: &[u8]) {
        if self.refuses_plaintext() {
            return self.say(PLAINTEXT_REFUSED);
        }
        self.user = Some(name.to_vec());
        self.say("+OK");
    }

    fn pass(&mut self, password: &[u8]) {
        if self.refuses_plaintext() {
            return self.say(PLAINTEXT_REFUSED);
        }
        match self.user.take() {
            Some(user) => self.ask(
                Question::Password,
                Event::PlainLogin {
                    user,
                    password: password.to_vec(),
                },
            ),
            None => self.say("-ERR No username given."),
        }
    }

    fn auth(&mut self, argument: &[u8]) {
        let text = String::from_utf8_lossy(argument).into_owned();
        let mut parts = text.split_ascii_whitespace();
        let Some(mechanism) = parts.next().map(str::to_ascii_uppercase) else {
            return self.list_mechanisms();
        };
        let initial = match parts.next() {
            None => None,
            Some("=") => Some(Vec::new()),
            Some(encoded) => match BASE64.decode(encoded) {
                Ok(bytes) => Some(bytes),
                Err(_) => return self.say("-ERR [AUTH] Invalid base64 data in initial response"),
            },
        };
        if !self.settings.mechanisms.contains(&mechanism) {
            self.say("-ERR [AUTH] Unsupported authentication mechanism.");
        } else if !self.is_offered(&mechanism) {
            self.say("-ERR [AUTH] Plaintext authentication disabled.");
        } else {
            self.ask(Question::Sasl, Event::SaslStart { mechanism, initial });
        }
    }

    /// AUTH without an argument, as Outlook once asked for the mechanisms.
    fn list_mechanisms(&mut self) {
        self.say("+OK");
        for mechanism in self.settings.mechanisms.clone() {
            if self.is_offered(&mechanism) {
                self.say(&mechanism);
            }
        }
        self.say(".");
    }

    /// The client's line within AUTH.
    fn take_response(&mut self, line: Line) {
        self.state = State::Ready;
        let line = match line {
            Line::Complete(line) => line,
            Line::TooLong => return self.bad("-ERR [AUTH] Authentication response too large."),
        };
        if line == b"*" {
            return self.say("-ERR Authentication aborted by client.");
        }
        match BASE64.decode(&line) {
            Ok(bytes) => self.ask(Question::Sasl, Event::SaslResponse(bytes)),
            Err(_) => self.say("-ERR [AUTH] Invalid base64 in response"),
        }
    }

    fn take_answer(&mut self, question: Question, answer: Answer) {
        match answer {
            Answer::TlsStarted if question == Question::StartTls => {
                // Whatever was sent before the handshake was not protected by it (CVE-2011-0411).
                self.lines.clear();
                self.user = None;
                self.settings.tls = Tls::On;
                self.settings.secured = true;
            }
            Answer::LoggedIn if question != Question::StartTls => {
                self.say(LOGGED_IN);
                self.state = State::Finished(true);
            }
            Answer::Challenge(challenge) if question == Question::Sasl => {
                self.say(&format!("+ {}", BASE64.encode(challenge)));
                self.state = State::AwaitingResponse;
            }
            Answer::Failed => self.say("-ERR [AUTH] Authentication failed."),
            Answer::Refused(text) | Answer::Closed(text) => {
                self.say(&format!("-ERR [AUTH] {}", one_line(&text)));
            }
            Answer::TooMany(text) => self.say(&format!("-ERR [IN-USE] {}", one_line(&text))),
            Answer::Bye(text) => {
                self.say(&format!("-ERR {}", one_line(&text)));
                self.finish(Disconnect::Refused);
            }
            // An answer that does not fit the question is the caller's mistake: nobody gets in by it.
            Answer::TemporaryFailure | Answer::TlsStarted | Answer::LoggedIn | Answer::Challenge(_) => {
                self.say("-ERR [SYS/TEMP] Temporary authentication failure.");
            }
        }
    }
}

impl Machine for Login {
    type Event = Event;
    type Answer = Answer;

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
        self.event.take()
    }

    fn answer(&mut self, answer: Answer, now: Stamp) {
        self.deadline = now + IDLE_SECS_MAX * SECOND;
        if let State::Asking(question) = self.state {
            self.state = State::Ready;
            self.take_answer(question, answer);
        }
        self.work();
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        if self.output.len() <= limit {
            into.append(&mut self.output);
            self.output = Vec::new();
        } else {
            into.extend(self.output.drain(..limit));
        }
    }

    fn deadline(&self) -> Option<Stamp> {
        matches!(self.state, State::Ready | State::AwaitingResponse).then_some(self.deadline)
    }

    fn time_out(&mut self, _now: Stamp) {
        if matches!(self.state, State::Ready | State::AwaitingResponse) {
            self.say("-ERR Disconnected for inactivity.");
            self.finish(Disconnect::Inactivity);
        }
    }

    fn wants_input(&self) -> bool {
        !self.input_ended
            && self.event.is_none()
            && matches!(self.state, State::Ready | State::AwaitingResponse)
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished(_)) && self.event.is_none()
    }
}

/// AUTH may carry an initial response (RFC 5034 §4); other commands are short.
fn line_limit(line: &[u8]) -> usize {
    let is_auth = line
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"AUTH"));
    if is_auth {
        SASL_LINE_BYTES_MAX
    } else {
        LINE_BYTES_MAX
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
