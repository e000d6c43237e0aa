//! The login phase: greeting, CAPABILITY, ID, STARTTLS, AUTHENTICATE, LOGIN, LOGOUT (RFC 3501 §6.1, §6.2).

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
pub use machine::login::{Answer, Disconnect, Event, Settings, Tls};
use machine::{Machine, SECOND, Stamp};

use crate::extensions::Offered;
use crate::wire::Error;
use crate::wire::cursor::Cursor;
use crate::wire::framing::{Frame, Framing};

/// The longest command before login, in octets, its literals included.
pub const COMMAND_BYTES_MAX: usize = 8192;
/// The longest line of a SASL exchange, in octets: what a GSSAPI or OAuth token may need.
pub const SASL_BYTES_MAX: usize = 16 * 1024;
/// After so many commands that make no sense the connection is closed.
pub const BAD_COMMANDS_MAX: u32 = 3;
/// The most fields of an ID command (RFC 2971 §3.3).
pub const ID_FIELDS_MAX: usize = 30;
/// A client that is silent for so long before login is sent away.
pub const IDLE_SECS_MAX: i64 = 180;

/// Base64 as peers send it: padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the conversation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Commands are welcome.
    Ready,
    /// An event is with the caller; the tag of its command.
    Asking(String, Question),
    /// A challenge was sent; the client's line is awaited.
    AwaitingResponse(String),
    /// Over; whether by a login.
    Finished(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    StartTls,
    Password,
    Sasl,
}

/// What the server tells of itself before and at the login.
#[derive(Debug, Clone, Default)]
pub struct Introduction {
    /// What ID answers (`imap_id_send`): pairs of field and value. Empty: NIL.
    pub id: Vec<(String, String)>,
    /// What sessions offer by settings.
    pub offered: Offered,
}

/// The login phase of one connection.
///
/// # Limits
/// [`COMMAND_BYTES_MAX`], [`SASL_BYTES_MAX`], [`BAD_COMMANDS_MAX`], [`ID_FIELDS_MAX`], [`IDLE_SECS_MAX`].
#[derive(Debug)]
pub struct Login {
    settings: Settings,
    introduction: Introduction,
    framing: Framing,
    output: Vec<u8>,
    events: Vec<Event>,
    state: State,
    bad_commands: u32,
    deadline: Stamp,
    input_ended: bool,
}

impl Login {
    /// A connection that has just arrived; the greeting is ready.
    pub fn new(settings: Settings, introduction: Introduction, now: Stamp) -> Login {
        let mut login = Login {
            settings,
            introduction,
            framing: Framing::new(SASL_BYTES_MAX.max(COMMAND_BYTES_MAX)),
            output: Vec::new(),
            events: Vec::new(),
            state: State::Ready,
            bad_commands: 0,
            deadline: now + IDLE_SECS_MAX * SECOND,
            input_ended: false,
        };
        let greeting = format!(
            "* OK [CAPABILITY {}] {}",
            login.capabilities(),
            login.settings.greeting
        );
        login.say(&greeting);
        login
    }

    /// Whether the conversation ended in a login: the session takes over.
    pub fn is_logged_in(&self) -> bool {
        self.state == State::Finished(true)
    }

    /// What the client sent after its login command: the session is fed with it.
    pub fn into_unread(self) -> Vec<u8> {
        self.framing.unread().to_vec()
    }

    /// The CAPABILITY list before login.
    fn capabilities(&self) -> String {
        let literals = self.introduction.offered.literals.word();
        let usual = format!("IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE {literals}");
        let mut list = self.introduction.offered.list(usual);
        if self.settings.tls == Tls::Offered {
            list.push_str(" STARTTLS");
        }
        if self.refuses_plaintext() {
            list.push_str(" LOGINDISABLED");
        }
        for mechanism in self.settings.mechanisms.iter().filter(|m| self.is_offered(m)) {
            list.push_str(" AUTH=");
            list.push_str(mechanism);
        }
        list
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
        self.events.push(Event::Disconnected(why));
    }

    /// Works through the input until it is used up or the caller is asked.
    fn work(&mut self) {
        while self.events.is_empty() {
            match self.state {
                State::Ready => match self.framing.next_frame() {
                    Some(frame) => self.take_frame(frame),
                    None => break,
                },
                State::AwaitingResponse(_) => match self.framing.next_frame() {
                    Some(frame) => self.take_response(frame),
                    None => break,
                },
                State::Asking(..) | State::Finished(_) => return,
            }
        }
        if self.input_ended && self.events.is_empty() && !matches!(self.state, State::Finished(_)) {
            self.finish(Disconnect::ConnectionClosed);
        }
    }

    fn take_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Command(command) if command.len() <= COMMAND_BYTES_MAX => self.take_command(&command),
            Frame::Command(_) | Frame::Dropped(_) => self.bad("*", "BAD Too long argument."),
            Frame::Literal(announced) => {
                if self.introduction.offered.literals.refuses(announced) {
                    self.say("* BYE Non-synchronizing literal size too large");
                    return self.finish(Disconnect::TooManyBadCommands);
                }
                if self.framing.so_far().len() as u64 + announced.size < COMMAND_BYTES_MAX as u64
                    && self.framing.collect()
                {
                    if announced.synchronising {
                        self.say("+ OK");
                    }
                } else {
                    let tag = Cursor::new(self.framing.so_far())
                        .atom("a tag")
                        .unwrap_or("*")
                        .to_owned();
                    self.bad(&tag, "BAD Too long argument.");
                    self.framing.refuse();
                }
            }
            Frame::StreamEnd => {}
        }
    }

    fn take_command(&mut self, command: &[u8]) {
        let mut cursor = Cursor::new(command);
        let tag = match cursor.word(is_tag_octet, "a tag") {
            Ok(tag) => tag.to_owned(),
            Err(_) => return self.bad("*", "BAD Error in IMAP command received by server."),
        };
        if self.dispatch(&tag, &mut cursor).is_err() {
            self.bad(&tag, "BAD Error in IMAP command received by server.");
        }
    }

    fn dispatch(&mut self, tag: &str, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.space()?;
        let name = cursor.atom("a command")?.to_ascii_uppercase();
        match name.as_str() {
            "CAPABILITY" => {
                cursor.end()?;
                self.say(&format!("* CAPABILITY {}", self.capabilities()));
                self.say(&format!(
                    "{tag} OK Pre-login capabilities listed, post-login capabilities have more."
                ));
            }
            "NOOP" => {
                cursor.end()?;
                self.say(&format!("{tag} OK NOOP completed."));
            }
            "LOGOUT" => {
                cursor.end()?;
                self.say("* BYE Logging out");
                self.say(&format!("{tag} OK Logout completed."));
                self.finish(Disconnect::LoggedOut);
            }
            "ID" => self.id(tag, cursor)?,
            "STARTTLS" => self.starttls(tag, cursor)?,
            "LOGIN" => self.login(tag, cursor)?,
            "AUTHENTICATE" => self.authenticate(tag, cursor)?,
            _ => return Err(Error::UnknownCommand(name)),
        }
        Ok(())
    }

    fn bad(&mut self, tag: &str, text: &str) {
        self.bad_commands += 1;
        if self.bad_commands >= BAD_COMMANDS_MAX {
            self.say("* BYE Too many invalid IMAP commands.");
            self.finish(Disconnect::TooManyBadCommands);
        } else {
            self.say(&format!("{tag} {text}"));
        }
    }

    fn id(&mut self, tag: &str, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.space()?;
        let fields = id_fields(cursor)?;
        cursor.end()?;
        let answer = id_answer(&self.introduction.id);
        self.say(&answer);
        self.say(&format!("{tag} OK ID completed."));
        if !fields.is_empty() {
            self.events.push(Event::ClientId(fields));
        }
        Ok(())
    }

    fn starttls(&mut self, tag: &str, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.end()?;
        match self.settings.tls {
            Tls::On => self.say(&format!("{tag} BAD TLS is already active.")),
            Tls::Unavailable => self.say(&format!("{tag} BAD TLS support isn't enabled.")),
            Tls::Offered => {
                self.say(&format!("{tag} OK Begin TLS negotiation now."));
                self.ask(tag, Question::StartTls, Event::StartTls);
            }
        }
        Ok(())
    }

    fn login(&mut self, tag: &str, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.space()?;
        let user = cursor.astring()?;
        cursor.space()?;
        let password = cursor.astring()?;
        cursor.end()?;
        if self.refuses_plaintext() {
            self.refuse_plaintext(tag);
        } else {
            self.ask(tag, Question::Password, Event::PlainLogin { user, password });
        }
        Ok(())
    }

    fn refuse_plaintext(&mut self, tag: &str) {
        self.say(
            "* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. \
             If anyone was listening, the password was exposed.",
        );
        self.say(&format!(
            "{tag} NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections."
        ));
    }

    fn authenticate(&mut self, tag: &str, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        cursor.space()?;
        let mechanism = cursor.atom("a mechanism")?.to_ascii_uppercase();
        let initial = if cursor.eat(b' ') {
            let text = cursor.take_while(|b| b > b' ');
            Some(decode_response(text).ok_or(Error::Expected("base64"))?)
        } else {
            None
        };
        cursor.end()?;
        if !self.settings.mechanisms.contains(&mechanism) {
            self.say(&format!("{tag} NO [ALERT] Unsupported authentication mechanism."));
        } else if !self.is_offered(&mechanism) {
            self.refuse_plaintext(tag);
        } else {
            self.ask(tag, Question::Sasl, Event::SaslStart { mechanism, initial });
        }
        Ok(())
    }

    fn ask(&mut self, tag: &str, question: Question, event: Event) {
        self.state = State::Asking(tag.to_owned(), question);
        self.events.push(event);
    }

    /// The client's line within AUTHENTICATE.
    fn take_response(&mut self, frame: Frame) {
        let State::AwaitingResponse(tag) = std::mem::replace(&mut self.state, State::Ready) else {
            return;
        };
        let line = match frame {
            Frame::Command(line) => line,
            Frame::Literal(_) => {
                self.framing.refuse();
                return self.bad(&tag, "BAD Invalid base64 data in continued response.");
            }
            _ => return self.bad(&tag, "BAD Authentication response too large."),
        };
        if line == b"*" {
            return self.say(&format!("{tag} BAD Authentication aborted by client."));
        }
        // An empty line is an empty response; only in an initial response is it spelt "=" (RFC 4959 §3).
        match BASE64.decode(&line) {
            Ok(bytes) => self.ask(&tag, Question::Sasl, Event::SaslResponse(bytes)),
            Err(_) => self.bad(&tag, "BAD Invalid base64 data in continued response."),
        }
    }

    fn logged_in(&mut self, tag: &str) {
        let capabilities = crate::extensions::capabilities(&self.introduction.offered);
        self.say(&format!("{tag} OK [CAPABILITY {capabilities}] Logged in"));
        self.state = State::Finished(true);
    }

    fn take_answer(&mut self, tag: &str, question: Question, answer: Answer) {
        match answer {
            Answer::TlsStarted if question == Question::StartTls => {
                // Whatever was sent before the handshake was not protected by it (CVE-2011-0411).
                self.framing.clear();
                self.settings.tls = Tls::On;
                self.settings.secured = true;
            }
            Answer::LoggedIn if question != Question::StartTls => self.logged_in(tag),
            Answer::Challenge(challenge) if question == Question::Sasl => {
                self.say(&format!("+ {}", BASE64.encode(challenge)));
                self.state = State::AwaitingResponse(tag.to_owned());
            }
            Answer::Failed => self.say(&format!("{tag} NO [AUTHENTICATIONFAILED] Authentication failed.")),
            Answer::Refused(text) => self.say(&format!("{tag} NO [AUTHORIZATIONFAILED] {}", one_line(&text))),
            Answer::Closed(text) => self.say(&format!("{tag} NO [CONTACTADMIN] {}", one_line(&text))),
            Answer::TooMany(text) => self.say(&format!("{tag} NO [LIMIT] {}", one_line(&text))),
            Answer::Bye(text) => {
                self.say(&format!("* BYE {}", one_line(&text)));
                self.finish(Disconnect::Refused);
            }
            // An answer that does not fit the question is the caller's mistake: nobody gets in by it.
            Answer::TemporaryFailure | Answer::TlsStarted | Answer::LoggedIn | Answer::Challenge(_) => {
                self.say(&format!(
                    "{tag} NO [UNAVAILABLE] Temporary authentication failure."
                ));
            }
        }
    }
}

impl Machine for Login {
    type Event = Event;
    type Answer = Answer;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        self.deadline = now + IDLE_SECS_MAX * SECOND;
        self.framing.feed(input);
        self.work();
    }

    fn end_of_input(&mut self, _now: Stamp) {
        self.input_ended = true;
        self.work();
    }

    fn next_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            return None;
        }
        let event = self.events.remove(0);
        if self.events.is_empty() {
            self.work();
        }
        Some(event)
    }

    fn answer(&mut self, answer: Answer, now: Stamp) {
        self.deadline = now + IDLE_SECS_MAX * SECOND;
        if let State::Asking(tag, question) = std::mem::replace(&mut self.state, State::Ready) {
            self.take_answer(&tag, question, answer);
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
        match self.state {
            State::Ready | State::AwaitingResponse(_) => Some(self.deadline),
            State::Asking(..) | State::Finished(_) => None,
        }
    }

    fn time_out(&mut self, _now: Stamp) {
        if matches!(self.state, State::Ready | State::AwaitingResponse(_)) {
            self.say("* BYE Disconnected for inactivity.");
            self.finish(Disconnect::Inactivity);
        }
    }

    fn wants_input(&self) -> bool {
        !self.input_ended
            && self.events.is_empty()
            && matches!(self.state, State::Ready | State::AwaitingResponse(_))
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished(_)) && self.events.is_empty()
    }
}

/// A tag: any atom octets but `+`.
pub(crate) fn is_tag_octet(octet: u8) -> bool {
    octet != b'+' && octet < 0x80 && crate::wire::cursor::is_atom_octet(octet)
}

/// The fields of an ID command: NIL or a list of pairs.
pub(crate) fn id_fields(cursor: &mut Cursor<'_>) -> Result<Vec<(String, Option<String>)>, Error> {
    let mut fields = Vec::new();
    if cursor.eat_word("NIL") {
        return Ok(fields);
    }
    cursor.expect(b'(', "a list")?;
    while !cursor.eat(b')') {
        if fields.len() == ID_FIELDS_MAX {
            return Err(Error::TooMany);
        }
        let name = cursor.string()?;
        cursor.space()?;
        let value = cursor.nstring()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        fields.push((text(name), value.map(text)));
        if cursor.peek() != Some(b')') {
            cursor.space()?;
        }
    }
    Ok(fields)
}

/// The untagged answer to ID.
pub(crate) fn id_answer(id: &[(String, String)]) -> String {
    if id.is_empty() {
        return "* ID NIL".to_owned();
    }
    let quoted = |text: &str| {
        format!(
            "\"{}\"",
            one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
        )
    };
    let pairs: Vec<String> = id
        .iter()
        .map(|(k, v)| format!("{} {}", quoted(k), quoted(v)))
        .collect();
    format!("* ID ({})", pairs.join(" "))
}

/// The initial response: `=` is an empty one.
fn decode_response(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"=" {
        Some(Vec::new())
    } else {
        BASE64.decode(text).ok()
    }
}

/// Text of ours or of a table, made fit for one response line.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
