//! The server of Dovecot's authentication protocol: what Postfix asks when `smtpd_sasl_type = dovecot`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;
use crate::conversation::{Conversation, Fields, Heard, Protocol, number};
use crate::escape::push_line;
use crate::request::Request;

/// The most exchanges that one client may have under way.
pub const EXCHANGES_MAX: usize = 64;

/// What the server says first.
#[derive(Debug, Clone, Default)]
pub struct Hello {
    /// The mechanisms, each with the words that say what it gives away (`plaintext`).
    pub mechanisms: Vec<(String, Vec<String>)>,
    /// The server's process id.
    pub pid: u32,
    /// The number of this connection.
    pub connection: u32,
    /// A secret of this connection, by which another protocol refers to it.
    pub cookie: [u8; 16],
}

/// What the caller decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An exchange begins.
    Begin {
        /// The client's number for it.
        id: u32,
        /// The mechanism's name as the client wrote it.
        mechanism: String,
        /// Who asks.
        request: Request,
        /// The initial response, if there is one.
        initial: Option<Vec<u8>>,
    },
    /// The client's response to the last challenge of an exchange.
    Response {
        /// The client's number for it.
        id: u32,
        /// The response.
        response: Vec<u8>,
    },
    /// An exchange is given up. Needs no answer.
    Cancelled(u32),
    /// The client makes no sense; the conversation is over. Needs no answer.
    Broken(Error),
}

/// What is answered to [`Event::Begin`] and [`Event::Response`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send this challenge (before base64).
    Challenge(Vec<u8>),
    /// The client is this user.
    Ok {
        /// The name.
        user: String,
    },
    /// It is not.
    Fail {
        /// The name that was tried; empty when none was given.
        user: String,
        /// Whether it could not be found out.
        is_temporary: bool,
        /// What the client may read; empty: nothing.
        reason: String,
    },
}

/// One client.
pub type Server = Conversation<Exchanges>;

/// What distinguishes the protocol: exchanges of several steps, several under way at once.
#[derive(Debug, Default)]
pub struct Exchanges {
    /// Exchanges that wait for the client.
    under_way: Vec<u32>,
}

impl Server {
    /// A client that has just connected.
    pub fn new(hello: &Hello) -> Server {
        let mut output = Vec::new();
        push_line(&mut output, ["VERSION", "1", "2"]);
        for (name, traits) in &hello.mechanisms {
            let words = ["MECH", name]
                .into_iter()
                .chain(traits.iter().map(String::as_str));
            push_line(&mut output, words);
        }
        push_line(&mut output, ["SPID", &hello.pid.to_string()]);
        push_line(&mut output, ["CUID", &hello.connection.to_string()]);
        let cookie: String = hello.cookie.iter().map(|byte| format!("{byte:02x}")).collect();
        push_line(&mut output, ["COOKIE", &cookie]);
        push_line(&mut output, ["DONE"]);
        Conversation::begin(Exchanges::default(), output)
    }
}

impl Protocol for Exchanges {
    type Event = Event;
    type Answer = Answer;

    fn hear(&mut self, verb: &str, fields: Fields<'_>, output: &mut Vec<u8>) -> Result<Heard<Event>, Error> {
        match verb {
            "AUTH" => self.begin(fields),
            "CONT" => self.response(fields, output),
            "CANCEL" => {
                let id = number(fields.next())?;
                self.under_way.retain(|known| *known != id);
                Ok(Heard::Told(Event::Cancelled(id)))
            }
            "CPID" => Ok(Heard::Nothing),
            // Dovecot sends such a client away too.
            other => Err(Error::Command(other.to_owned())),
        }
    }

    fn answer(&mut self, id: u32, answer: Answer, output: &mut Vec<u8>) {
        let number = id.to_string();
        match answer {
            Answer::Challenge(challenge) => {
                self.under_way.push(id);
                push_line(output, ["CONT", &number, &STANDARD.encode(challenge)]);
            }
            Answer::Ok { user } => push_line(output, ["OK", &number, &format!("user={user}")]),
            Answer::Fail {
                user,
                is_temporary,
                reason,
            } => {
                let mut words = vec!["FAIL".to_owned(), number];
                if !user.is_empty() {
                    words.push(format!("user={user}"));
                }
                if is_temporary {
                    words.extend(["temp".to_owned(), "code=temp_fail".to_owned()]);
                }
                if !reason.is_empty() {
                    words.push(format!("reason={reason}"));
                }
                push_line(output, words.iter().map(String::as_str));
            }
        }
    }

    fn broken(error: Error) -> Event {
        Event::Broken(error)
    }
}

impl Exchanges {
    fn begin(&mut self, fields: Fields<'_>) -> Result<Heard<Event>, Error> {
        let id = number(fields.next())?;
        if self.under_way.contains(&id) {
            return Err(Error::Line("AUTH with a number that is in use"));
        }
        if self.under_way.len() >= EXCHANGES_MAX {
            return Err(Error::Line("too many exchanges at once"));
        }
        let mechanism = fields.next().unwrap_or_default().to_owned();
        let (mut request, mut initial) = (Request::default(), None);
        for field in fields {
            match field.strip_prefix("resp=") {
                Some(text) => {
                    let decoded = STANDARD.decode(text);
                    initial =
                        Some(decoded.map_err(|_| Error::Line("AUTH with a response that is not base64"))?);
                }
                None => request.take(field),
            }
        }
        let begin = Event::Begin {
            id,
            mechanism,
            request,
            initial,
        };
        Ok(Heard::Asked(id, begin))
    }

    fn response(&mut self, fields: Fields<'_>, output: &mut Vec<u8>) -> Result<Heard<Event>, Error> {
        let id = number(fields.next())?;
        let text = fields.next().unwrap_or_default();
        if !self.under_way.contains(&id) {
            // It has failed meanwhile, for example by being cancelled.
            push_line(
                output,
                ["FAIL", &id.to_string(), "reason=Authentication request timed out"],
            );
            return Ok(Heard::Nothing);
        }
        let response = STANDARD
            .decode(text)
            .map_err(|_| Error::Line("CONT with a response that is not base64"))?;
        self.under_way.retain(|known| *known != id);
        Ok(Heard::Asked(id, Event::Response { id, response }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LINE_BYTES_MAX;
    use machine::{Machine, Stamp};
    use proptest::prelude::*;
    use std::path::Path;
    use testkit::{Dialogue, Given, MachinePeer, Policy, Run};

    /// Everybody's password is `secret`; `CHALLENGE` asks once more.
    #[derive(Default)]
    struct House(Vec<String>);

    impl Policy for House {
        type Machine = Server;

        fn given(&mut self, _key: &str, _value: &str) -> Given {
            Given::NotHere
        }

        fn machine(&mut self, _now: Stamp) -> Server {
            Server::new(&Hello {
                mechanisms: vec![
                    ("PLAIN".to_owned(), vec!["plaintext".to_owned()]),
                    ("SCRAM-SHA-1".to_owned(), Vec::new()),
                ],
                pid: 17,
                connection: 1,
                cookie: [0xab; 16],
            })
        }

        fn decide(&mut self, event: Event, _now: Stamp) -> Option<Answer> {
            match event {
                Event::Begin {
                    id,
                    mechanism,
                    request,
                    initial,
                } => {
                    self.0.push(format!("{id} {mechanism} {request:?}"));
                    Some(match (mechanism.as_str(), initial) {
                        ("CHALLENGE", _) => Answer::Challenge(b"more".to_vec()),
                        (_, None) => Answer::Challenge(Vec::new()),
                        (_, Some(response)) => outcome(&response),
                    })
                }
                Event::Response { response, .. } => Some(outcome(&response)),
                Event::Cancelled(id) => {
                    self.0.push(format!("cancelled {id}"));
                    None
                }
                Event::Broken(error) => {
                    self.0.push(error.to_string());
                    None
                }
            }
        }

        fn facts(&mut self, kind: &str) -> Option<Vec<String>> {
            (kind == "log").then(|| std::mem::take(&mut self.0))
        }
    }

    fn outcome(response: &[u8]) -> Answer {
        let user = "al\tice".to_owned();
        match response {
            b"\0alice\0secret" => Answer::Ok { user },
            b"\0alice\0later" => Answer::Fail {
                user,
                is_temporary: true,
                reason: String::new(),
            },
            _ => Answer::Fail {
                user: String::new(),
                is_temporary: false,
                reason: "no\nreason".to_owned(),
            },
        }
    }

    #[test]
    fn dialogues() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues");
        for dialogue in Dialogue::all_in(&directory, "auth").unwrap() {
            for cuts in [None, Some(1), Some(2)] {
                let mut peer = MachinePeer::new(House::default());
                if let Err(failure) = (Run { cuts }).run(&dialogue, &mut peer) {
                    panic!("{failure}");
                }
            }
        }
    }

    #[test]
    fn exchanges_are_bounded() {
        let mut server = House::default().machine(0);
        server.feed(b"VERSION\t1\t2\n", 0);
        for id in 0..=EXCHANGES_MAX {
            server.feed(format!("AUTH\t{id}\tPLAIN\tservice=smtp\n").as_bytes(), 0);
            match server.next_event() {
                Some(Event::Begin { .. }) => server.answer(Answer::Challenge(Vec::new()), 0),
                other => {
                    assert_eq!(id, EXCHANGES_MAX);
                    assert!(matches!(other, Some(Event::Broken(_))), "{other:?}");
                }
            }
        }
        assert!(server.is_finished());
        let mut server = House::default().machine(0);
        server.feed(&[b'x'; LINE_BYTES_MAX + 2], 0);
        server.next_event();
        server.feed(b"\n", 0);
        assert_eq!(server.next_event(), Some(Event::Broken(Error::TooLong)));
    }

    proptest! {
        #[test]
        fn never_panics(lines in proptest::collection::vec(
            "(VERSION|AUTH|CONT|CANCEL|CPID|X)(\t(1|2|PLAIN|rip=x|resp=AA==|=|secured|é)){0,5}", 0..9)) {
            let mut server = House::default().machine(0);
            for line in lines {
                server.feed(line.as_bytes(), 0);
                server.feed(b"\n", 0);
                while server.next_event().is_some() {
                    server.answer(Answer::Challenge(Vec::new()), 0);
                }
            }
        }
    }
}
