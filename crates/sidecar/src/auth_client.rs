//! The client of Dovecot's authentication protocol: we ask another program who somebody is (`smtpd_sasl_path`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use machine::lines::{Line, Lines};

use crate::escape::{fields, push_line};
use crate::request::Request;
use crate::{Error, LINE_BYTES_MAX};

/// The most mechanisms that are remembered.
const MECHANISMS_MAX: usize = 64;

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The greeting is complete: exchanges may begin.
    Ready,
    /// The server's challenge in an exchange.
    Challenge {
        /// Our number for it.
        id: u32,
        /// The challenge.
        challenge: Vec<u8>,
    },
    /// The client is who it says.
    Ok {
        /// Our number for the exchange.
        id: u32,
        /// The user's name.
        user: String,
    },
    /// It is not, or it could not be found out.
    Fail {
        /// Our number for the exchange.
        id: u32,
        /// The name that was tried, if the server says so.
        user: String,
        /// Whether it could not be found out.
        is_temporary: bool,
        /// What the server says about it.
        reason: String,
    },
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    lines: Lines,
    output: Vec<u8>,
    mechanisms: Vec<(String, Vec<String>)>,
    is_ready: bool,
    last_id: u32,
}

impl Client {
    /// A fresh connection, from the process of that id.
    pub fn new(pid: u32) -> Client {
        let mut output = Vec::new();
        push_line(&mut output, ["VERSION", "1", "2"]);
        push_line(&mut output, ["CPID", &pid.to_string()]);
        Client {
            lines: Lines::new(),
            output,
            mechanisms: Vec::new(),
            is_ready: false,
            last_id: 0,
        }
    }

    /// The server's mechanisms, each with the words that say what it gives away.
    pub fn mechanisms(&self) -> &[(String, Vec<String>)] {
        &self.mechanisms
    }

    /// Begins an exchange; its number.
    pub fn begin(&mut self, mechanism: &str, request: &Request, initial: Option<&[u8]>) -> u32 {
        self.last_id = self.last_id.wrapping_add(1).max(1);
        let mut words = vec!["AUTH".to_owned(), self.last_id.to_string(), mechanism.to_owned()];
        words.extend(request.fields());
        // Nobody will log in to a mailbox with it.
        words.push("nologin".to_owned());
        words.extend(initial.map(|response| format!("resp={}", STANDARD.encode(response))));
        push_line(&mut self.output, words.iter().map(String::as_str));
        self.last_id
    }

    /// Sends a response in an exchange.
    pub fn respond(&mut self, id: u32, response: &[u8]) {
        push_line(
            &mut self.output,
            ["CONT", &id.to_string(), &STANDARD.encode(response)],
        );
    }

    /// Gives an exchange up.
    pub fn cancel(&mut self, id: u32) {
        push_line(&mut self.output, ["CANCEL", &id.to_string()]);
    }

    /// Takes what is to be written.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes bytes that the server sent.
    pub fn feed(&mut self, input: &[u8]) {
        self.lines.feed(input);
    }

    /// What the server has said next; `None` when more must be read.
    ///
    /// # Errors
    /// The server makes no sense: the connection is of no use any more.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let line = match self.lines.next_line(LINE_BYTES_MAX) {
                None => return Ok(None),
                Some(Line::TooLong) => return Err(Error::TooLong),
                Some(Line::Complete(line)) => line,
            };
            if let Some(event) = self.line(&fields(&line))? {
                return Ok(Some(event));
            }
        }
    }

    fn line(&mut self, fields: &[String]) -> Result<Option<Event>, Error> {
        let field = |at: usize| fields.get(at).map_or("", String::as_str);
        match field(0) {
            "VERSION" if field(1) != "1" => return Err(Error::Version(field(1).to_owned())),
            "MECH" if !self.is_ready && self.mechanisms.len() < MECHANISMS_MAX => {
                let traits = fields.iter().skip(2).cloned().collect();
                self.mechanisms.push((field(1).to_ascii_uppercase(), traits));
            }
            "DONE" if !self.is_ready => {
                self.is_ready = true;
                return Ok(Some(Event::Ready));
            }
            "CONT" => {
                let challenge = STANDARD
                    .decode(field(2))
                    .map_err(|_| Error::Line("CONT with a challenge that is not base64"))?;
                return Ok(Some(Event::Challenge {
                    id: number(field(1))?,
                    challenge,
                }));
            }
            "OK" => {
                let user = value(fields, "user").ok_or(Error::Line("OK without a user"))?;
                return Ok(Some(Event::Ok {
                    id: number(field(1))?,
                    user,
                }));
            }
            "FAIL" => {
                let is_temporary = fields
                    .iter()
                    .any(|field| field == "temp" || field == "code=temp_fail");
                return Ok(Some(Event::Fail {
                    id: number(field(1))?,
                    user: value(fields, "user").unwrap_or_default(),
                    is_temporary,
                    reason: value(fields, "reason").unwrap_or_default(),
                }));
            }
            _ => {}
        }
        Ok(None)
    }
}

fn value(fields: &[String], name: &str) -> Option<String> {
    let mut pairs = fields.iter().filter_map(|field| field.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

fn number(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|_| Error::Line("a number is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation() {
        let mut client = Client::new(42);
        assert_eq!(client.take_output(), b"VERSION\t1\t2\nCPID\t42\n");
        client.feed(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tcram-md5\tdictionary\tactive\nSPID\t1\n");
        assert_eq!(client.next_event(), Ok(None));
        client.feed(b"CUID\t1\nCOOKIE\tab\nDONE\n");
        assert_eq!(client.next_event(), Ok(Some(Event::Ready)));
        let names: Vec<&str> = client
            .mechanisms()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["PLAIN", "CRAM-MD5"]);
        let request = Request {
            service: "smtp".to_owned(),
            remote: Some("192.0.2.1".parse().unwrap()),
            local: Some("127.0.0.1".parse().unwrap()),
            local_port: Some(587),
            secured: true,
            session: "a\tb".to_owned(),
            ..Request::default()
        };
        assert_eq!(client.begin("PLAIN", &request, Some(b"\0a\0b")), 1);
        let wanted = "AUTH\t1\tPLAIN\tservice=smtp\tsecured\tsession=a\u{1}tb\tlip=127.0.0.1\trip=192.0.2.1\tlport=587\tnologin\tresp=AGEAYg==\n";
        assert_eq!(String::from_utf8(client.take_output()).unwrap(), wanted);
        client.feed(b"OK\t1\tuser=al\x01tice\n");
        let user = "al\tice".to_owned();
        assert_eq!(client.next_event(), Ok(Some(Event::Ok { id: 1, user })));
        assert_eq!(client.begin("CRAM-MD5", &request, None), 2);
        client.feed(b"CONT\t2\tPDE+\nFAIL\t2\tuser=alice\ttemp\n");
        let challenge = b"<1>".to_vec();
        assert_eq!(
            client.next_event(),
            Ok(Some(Event::Challenge { id: 2, challenge }))
        );
        client.respond(2, b"alice x");
        client.cancel(2);
        assert!(
            client
                .take_output()
                .ends_with(b"CONT\t2\tYWxpY2UgeA==\nCANCEL\t2\n")
        );
        let failed = Event::Fail {
            id: 2,
            user: "alice".to_owned(),
            is_temporary: true,
            reason: String::new(),
        };
        assert_eq!(client.next_event(), Ok(Some(failed)));
    }

    #[test]
    fn nonsense_ends_it() {
        for line in [
            "VERSION\t2\t0\n",
            "OK\t1\n",
            "OK\tx\tuser=a\n",
            "CONT\t1\t!\n",
            "FAIL\n",
        ] {
            let mut client = Client::new(1);
            client.feed(line.as_bytes());
            assert!(client.next_event().is_err(), "{line}");
        }
    }
}
