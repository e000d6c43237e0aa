//! Sessions on their way from the front to an agent: they wait here until the auth role says whose ticket it is.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use auth::Account;
use ipc::roles::{Answer, Identity, Kind, Order, Question, Session, Whose};

use super::Supervisor;
use super::agents::What;

/// Those that wait, by the number of the question to the auth role.
#[derive(Default)]
pub(super) struct Sessions {
    last: u64,
    waiting: HashMap<u64, Waiting>,
}

struct Waiting {
    /// The front that asked, and its number.
    front: u64,
    number: u64,
    question: Question,
    descriptors: Vec<OwnedFd>,
}

impl Supervisor {
    /// The front has a session and a ticket.
    pub(super) fn ask_whose(&mut self, number: u64, question: Question, descriptors: Vec<OwnedFd>) {
        let Question::Session { ticket, .. } = &question else {
            return;
        };
        let front = self.front.as_ref().map_or(0, |front| front.id);
        self.sessions.last += 1;
        let order = Order::Redeem {
            number: self.sessions.last,
            ticket: ticket.clone(),
        };
        let Some(auth) = &mut self.auth else {
            let answer = Answer::Busy("the auth service is not there".to_owned());
            return self.answer(front, number, answer, Vec::new());
        };
        auth.order(&order, Vec::new());
        let waiting = Waiting {
            front,
            number,
            question,
            descriptors,
        };
        self.sessions.waiting.insert(self.sessions.last, waiting);
    }

    /// The auth role has said whose ticket it was.
    pub(super) fn redeemed(&mut self, number: u64, account: Option<(Account, Option<String>)>) {
        let Some(waiting) = self.sessions.waiting.remove(&number) else {
            return;
        };
        if let Some((account, login)) = account {
            return self.pass_on(waiting, account, login);
        }
        let answer = Answer::Refused("the ticket is not valid".to_owned());
        self.answer(waiting.front, waiting.number, answer, Vec::new());
    }

    fn pass_on(&mut self, waiting: Waiting, account: Account, login: Option<String>) {
        let Question::Session {
            ticket: _,
            protocol,
            session,
            unread,
            remote,
            local,
        } = waiting.question
        else {
            return;
        };
        let whose = Whose {
            kind: match login {
                Some(_) => Kind::User,
                None => Kind::Virtual,
            },
            identity: Identity {
                uid: account.uid,
                gid: account.gid,
                user: login,
            },
        };
        let session = Session {
            protocol,
            account,
            session,
            unread,
            remote,
            local,
        };
        let what = What::Session(Box::new(session), waiting.descriptors);
        self.want((waiting.front, waiting.number), whose, what);
    }

    /// Nobody will say whose tickets those are that wait.
    pub(super) fn refuse_sessions(&mut self, why: &str) {
        let waiting: Vec<Waiting> = self
            .sessions
            .waiting
            .drain()
            .map(|(_, waiting)| waiting)
            .collect();
        for waiting in waiting {
            self.answer(
                waiting.front,
                waiting.number,
                Answer::Busy(why.to_owned()),
                Vec::new(),
            );
        }
    }
}
