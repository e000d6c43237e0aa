//! The server of Dovecot's master protocol as `auth-userdb` sockets speak it: who is a user, which users are there.

use crate::Error;
use crate::conversation::{Conversation, Fields, Heard, Protocol, number};
use crate::escape::push_line;
use crate::request::Request;

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
pub type Server = Conversation<Lookups>;

/// What distinguishes the protocol: each question has its whole answer at once.
#[derive(Debug)]
pub struct Lookups;

impl Server {
    /// A client that has just connected to the process of that id.
    pub fn new(pid: u32) -> Server {
        let mut output = Vec::new();
        push_line(&mut output, ["VERSION", "1", "1"]);
        push_line(&mut output, ["SPID", &pid.to_string()]);
        Conversation::begin(Lookups, output)
    }
}

impl Protocol for Lookups {
    type Event = Event;
    type Answer = Answer;

    fn hear(&mut self, verb: &str, fields: Fields<'_>, output: &mut Vec<u8>) -> Result<Heard<Event>, Error> {
        let id = number(fields.next())?;
        Ok(match verb {
            "USER" => {
                let name = fields.next().ok_or(Error::Line("USER without a name"))?;
                let mut request = Request::default();
                fields.for_each(|field| request.take(field));
                let name = name.to_owned();
                Heard::Asked(id, Event::User { name, request })
            }
            "LIST" => Heard::Asked(id, Event::List),
            // Passwords are not shown to anybody; what else there may be we do not know.
            _ => {
                push_line(output, ["FAIL", &id.to_string()]);
                Heard::Nothing
            }
        })
    }

    fn answer(&mut self, id: u32, answer: Answer, output: &mut Vec<u8>) {
        let id = id.to_string();
        match answer {
            Answer::User { name, fields } => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                let words = ["USER", &id, &name];
                push_line(output, words.into_iter().chain(fields.iter().map(String::as_str)));
            }
            Answer::NotFound => push_line(output, ["NOTFOUND", &id]),
            Answer::Users(names) => {
                for name in &names {
                    push_line(output, ["LIST", &id, name]);
                }
                push_line(output, ["DONE", &id]);
            }
            Answer::Unavailable => push_line(output, ["FAIL", &id]),
        }
    }

    fn broken(error: Error) -> Event {
        Event::Broken(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::Machine;

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
