//! The server of Dovecot's master protocol as `auth-userdb` sockets speak it: who is a user, which users are there.

use machine::lines::{Line, Lines};
use machine::{Machine, Stamp};

use crate::escape::{fields, push_line};
use crate::request::Request;
use crate::{Error, LINE_BYTES_MAX};

/// What the caller decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Who is this user?
    User {
        /// The name.
        name: String,
        /// Who asks.
        request: Request,
    },
    /// Which users are there?
    List,
    /// The client makes no sense; the conversation is over. Needs no answer.
    Broken(Error),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The user and what is known of it.
    User {
        /// The name by which everything of it is called.
        name: String,
        /// `uid`, `gid`, `home`, `mail` and others.
        fields: Vec<(String, String)>,
    },
    /// There is no such user.
    NotFound,
    /// The users.
    Users(Vec<String>),
    /// It cannot be told now.
    Unavailable,
}

/// One client.
#[derive(Debug)]
pub struct Server {
    lines: Lines,
    output: Vec<u8>,
    event: Option<Event>,
    /// The number of the request that waits for an answer.
    open: Option<String>,
    has_version: bool,
    is_finished: bool,
}

impl Server {
    /// A client that has just connected to the process of that id.
    pub fn new(pid: u32) -> Server {
        let mut output = Vec::new();
        push_line(&mut output, ["VERSION", "1", "1"]);
        push_line(&mut output, ["SPID", &pid.to_string()]);
        Server {
            lines: Lines::new(),
            output,
            event: None,
            open: None,
            has_version: false,
            is_finished: false,
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        let fields = fields(line);
        let mut fields = fields.iter().map(String::as_str);
        let verb = fields.next().unwrap_or_default();
        if verb == "VERSION" {
            return match fields.next() {
                Some("1") => {
                    self.has_version = true;
                    Ok(())
                }
                other => Err(Error::Version(other.unwrap_or_default().to_owned())),
            };
        }
        if !self.has_version {
            return Err(Error::Line("the version is missing"));
        }
        let id = fields.next().filter(|id| id.parse::<u32>().is_ok());
        let id = id.ok_or(Error::Line("a number is missing"))?.to_owned();
        match verb {
            "USER" => {
                let name = fields
                    .next()
                    .ok_or(Error::Line("USER without a name"))?
                    .to_owned();
                let mut request = Request::default();
                fields.for_each(|field| request.take(field));
                self.event = Some(Event::User { name, request });
            }
            "LIST" => self.event = Some(Event::List),
            // Passwords are not shown to anybody; what else there may be we do not know.
            _ => {
                push_line(&mut self.output, ["FAIL", &id]);
                return Ok(());
            }
        }
        self.open = Some(id);
        Ok(())
    }
}

impl Machine for Server {
    type Event = Event;
    type Answer = Answer;

    fn feed(&mut self, input: &[u8], _now: Stamp) {
        self.lines.feed(input);
    }

    fn end_of_input(&mut self, _now: Stamp) {
        self.is_finished = true;
    }

    fn next_event(&mut self) -> Option<Event> {
        while self.event.is_none() && self.open.is_none() && !self.is_finished {
            let outcome = match self.lines.next_line(LINE_BYTES_MAX)? {
                Line::Complete(line) => self.line(&line),
                Line::TooLong => Err(Error::TooLong),
            };
            if let Err(error) = outcome {
                self.is_finished = true;
                self.event = Some(Event::Broken(error));
            }
        }
        self.event.take()
    }

    fn answer(&mut self, answer: Answer, _now: Stamp) {
        let Some(id) = self.open.take() else { return };
        match answer {
            Answer::User { name, fields } => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                let words = ["USER", &id, &name];
                push_line(
                    &mut self.output,
                    words.into_iter().chain(fields.iter().map(String::as_str)),
                );
            }
            Answer::NotFound => push_line(&mut self.output, ["NOTFOUND", &id]),
            Answer::Users(names) => {
                for name in &names {
                    push_line(&mut self.output, ["LIST", &id, name]);
                }
                push_line(&mut self.output, ["DONE", &id]);
            }
            Answer::Unavailable => push_line(&mut self.output, ["FAIL", &id]),
        }
    }

    fn next_output(&mut self, into: &mut Vec<u8>, _limit: usize) {
        into.append(&mut self.output);
    }

    fn deadline(&self) -> Option<Stamp> {
        None
    }

    fn time_out(&mut self, _now: Stamp) {}

    fn wants_input(&self) -> bool {
        self.event.is_none() && self.open.is_none() && !self.is_finished && !self.lines.has_line()
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(server: &mut Server) -> String {
        let mut output = Vec::new();
        server.next_output(&mut output, 4096);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn users_are_told() {
        let mut server = Server::new(17);
        assert_eq!(said(&mut server), "VERSION\t1\t1\nSPID\t17\n");
        server.feed(
            b"VERSION\t1\t0\nUSER\t1\talice\tservice=lda\nUSER\t2\tbob\nLIST\t3\nLIST\t4\nPASS\t5\talice\n",
            0,
        );
        let name = "alice".to_owned();
        let request = Request {
            service: "lda".to_owned(),
            ..Request::default()
        };
        let asked = Event::User {
            name: name.clone(),
            request,
        };
        assert_eq!(server.next_event(), Some(asked));
        assert_eq!(server.next_event(), None);
        let fields = vec![
            ("uid".to_owned(), "1000".to_owned()),
            ("home".to_owned(), "/h\t".to_owned()),
        ];
        server.answer(Answer::User { name, fields }, 0);
        assert_eq!(said(&mut server), "USER\t1\talice\tuid=1000\thome=/h\u{1}t\n");
        assert!(matches!(server.next_event(), Some(Event::User { .. })));
        server.answer(Answer::NotFound, 0);
        assert_eq!(server.next_event(), Some(Event::List));
        server.answer(Answer::Users(vec!["alice".to_owned(), "bob".to_owned()]), 0);
        assert_eq!(server.next_event(), Some(Event::List));
        server.answer(Answer::Unavailable, 0);
        assert_eq!(server.next_event(), None);
        let wanted = "NOTFOUND\t2\nLIST\t3\talice\nLIST\t3\tbob\nDONE\t3\nFAIL\t4\nFAIL\t5\n";
        assert_eq!(said(&mut server), wanted);
        server.feed(b"USER\tx\talice\n", 0);
        assert!(matches!(server.next_event(), Some(Event::Broken(_))));
        assert!(server.is_finished());
    }
}
