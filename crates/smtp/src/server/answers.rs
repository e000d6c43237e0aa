//! What the caller's answers lead to.

use super::commands::ok;
use super::{Answer, Ending, Event, Last, Note, Open, Server, Verb};
use crate::Reply;
use envelope::StatusCode;

impl Server {
    /// The open event has its answer.
    pub(super) fn answered(&mut self, open: Open, answer: Answer) {
        if answer == Answer::OutOfStep {
            return self.refuse_pipelining();
        }
        match open {
            Open::Connected => self.greet(answer),
            Open::ContentEnd { octets, chunked } => self.message_answered(octets, chunked, answer),
            Open::Auth => self.auth_answered(answer),
            Open::StartTls => match decision(answer) {
                Ok(_) => self.begin_tls(),
                Err(reply) => self.refuse_for(None, &reply),
            },
            Open::Handshake => self.tls_answered(&answer),
            Open::Secured => match decision(answer) {
                Ok(_) => self.secured(),
                Err(reply) => self.refuse_mildly(&reply),
            },
            Open::Introduced(attributes) => self.introduced(&attributes, answer),
            Open::FirstChunk { octets, last } => match decision(answer) {
                Ok(_) => self.start_chunks(octets, last),
                Err(reply) => self.refuse_chunk(octets, reply),
            },
            open => match decision(answer) {
                Ok(words) => self.accepted(open, words),
                Err(reply) => self.refuse_for(None, &reply),
            },
        }
    }

    /// A command was accepted, perhaps in the caller's own words.
    fn accepted(&mut self, open: Open, words: Option<Reply>) {
        let reply = match open {
            Open::Helo(verb) => {
                self.helo = Some(verb);
                self.greeting_reply(verb)
            }
            Open::Mail(smtputf8) => {
                self.begin(smtputf8);
                Reply::new(250, StatusCode::success(1, 0), "Ok")
            }
            Open::Rcpt => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients += 1;
                }
                Reply::new(250, StatusCode::success(1, 5), "Ok")
            }
            Open::Vrfy(address) => Reply::new(252, StatusCode::success(0, 0), address),
            Open::Unknown => return self.refuse_unknown(),
            Open::Etrn => Reply::bare(250, "Queuing started"),
            Open::Data => return self.start_data(),
            _ => ok(),
        };
        self.accept(&words.unwrap_or(reply));
    }

    fn greet(&mut self, answer: Answer) {
        if let Answer::Greet(reply) = &answer {
            return self.say(reply);
        }
        let (answer, later) = match answer {
            Answer::TurnAway { greeting, later } => (Answer::Reply(greeting), Some(Box::new(later))),
            answer => (answer, None),
        };
        match decision(answer) {
            Ok(words) => {
                let banner = Reply::bare(220, self.config.banner.clone());
                self.say(&words.unwrap_or(banner));
            }
            Err(reply) => {
                self.say(&reply);
                if reply.closes() {
                    self.finish(Ending::HungUp);
                }
                self.refusal_after_greeting = later.or_else(|| Some(Box::new(reply)));
            }
        }
    }

    /// The message is safe, or it is not: the transaction is over.
    fn message_answered(&mut self, octets: u64, chunked: bool, answer: Answer) {
        let expected = self.replies_after_content();
        let mut replies = match answer {
            Answer::PerRecipient(replies) => replies,
            Answer::Queued(id) => {
                let text = if chunked {
                    format!("Ok: {octets} bytes queued as {id}")
                } else {
                    format!("Ok: queued as {id}")
                };
                vec![Reply::new(250, StatusCode::success(0, 0), text); expected]
            }
            other => match decision(other) {
                Ok(words) => vec![words.unwrap_or_else(ok); expected],
                Err(reply) => vec![reply; expected],
            },
        };
        // A recipient without a reply would leave the client waiting, or believing too much.
        replies.resize(expected, unanswered());
        self.transaction = None;
        self.forwarded = false;
        let delivered = replies.iter().any(Reply::is_positive);
        if delivered {
            self.errors = 0;
            self.junk = 0;
            if let Some(transcript) = &mut self.transcript {
                transcript.forgive();
            }
        }
        let closes = replies.iter().any(Reply::closes);
        if let (Some(last), true) = (replies.pop(), expected > 0) {
            replies.iter().for_each(|reply| self.say(reply));
            match delivered {
                true => self.accept(&last),
                false => self.refuse_for(None, &last),
            }
        }
        self.last = Last::EndOfMessage;
        self.turn_page();
        if closes {
            self.finish(Ending::HungUp);
        }
    }

    fn auth_answered(&mut self, answer: Answer) {
        match answer {
            Answer::Challenge(challenge) => self.challenge(&challenge),
            Answer::AuthSuccess { user } => self.authenticated(user),
            Answer::AuthFailure(why) => self.refuse_for(None, &super::authentication::failed(&why)),
            Answer::Reply(reply) if !reply.is_positive() => self.refuse_for(None, &reply),
            _ => {
                let text = "Temporary authentication failure";
                self.refuse_for(None, &Reply::new(454, StatusCode::temporary(7, 0), text));
            }
        }
    }

    /// The client may begin the handshake.
    fn begin_tls(&mut self) {
        self.say(&Reply::new(220, StatusCode::success(0, 0), "Ready to start TLS"));
        // RFC 3207 §4.2, and nothing that came in the clear may be obeyed behind the handshake.
        if !self.unread().is_empty() {
            self.events.push_back(Event::Note(Note::DroppedPlaintext));
        }
        self.consume(self.unread().len());
        self.reset();
        self.open = Some(Open::Handshake);
        self.events.push_back(Event::Handshake);
    }

    /// RFC 3207 §4.2: after the handshake nothing is known about the client.
    fn tls_answered(&mut self, answer: &Answer) {
        if *answer != Answer::TlsStarted {
            return self.finish(Ending::HungUp);
        }
        self.tls = true;
        self.helo = None;
        self.user = None;
        self.open = Some(Open::Secured);
        self.events.push_back(Event::Secured);
    }

    /// The client may speak.
    fn secured(&mut self) {
        self.counts.accepted(Verb::StartTls);
        self.after_command();
    }
}

/// Yes, perhaps with words, or the refusal.
fn decision(answer: Answer) -> Result<Option<Reply>, Reply> {
    match answer {
        Answer::Accept => Ok(None),
        Answer::Reply(reply) if reply.is_positive() => Ok(Some(reply)),
        Answer::Reply(reply) => Err(reply),
        _ => Err(unanswered()),
    }
}

/// For an answer that does not fit its event.
fn unanswered() -> Reply {
    Reply::new(
        451,
        StatusCode::temporary(3, 0),
        "Error: no decision could be made",
    )
}
