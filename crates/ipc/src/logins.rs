//! The conversation between the front and the auth role: [`Question`]s and [`Answer`]s by [`calls`](crate::calls).

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use auth::penalty::{Penalized, Penalty};
use auth::{Account, Asker, Authority, Exchange, Failure, Progress, Reason, Recipient, Request, Verdict};
use sasl::Password;
use serde::{Deserialize, Serialize};

use crate::calls::{self, Caller};
use crate::frame::Error;

/// How many questions of one front are answered at a time: PAM may take its time with each.
const THREADS_MAX: usize = 64;
/// How many exchanges one front may have open.
const EXCHANGES_MAX: usize = 10_000;
/// So long after the loss of the auth role questions wait for the next one, which is there in a moment.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the front asks.
#[derive(Serialize, Deserialize)]
pub enum Question {
    /// Is this the password? (see [`Authority::verify`])
    #[allow(missing_docs)]
    Verify {
        user: String,
        authzid: String,
        password: Vec<u8>,
        mechanism: String,
        asker: Asker,
    },
    /// An exchange begins, with the client's first response if there is one.
    #[allow(missing_docs)]
    Begin {
        mechanism: String,
        asker: Asker,
        response: Option<Vec<u8>>,
    },
    /// It goes on.
    #[allow(missing_docs)]
    Step {
        exchange: u64,
        response: Option<Vec<u8>>,
    },
    /// It was given up.
    Forget(u64),
    /// Who is the mailbox user of that name, to that service?
    Lookup(String, String),
    /// Who gets mail by that name?
    Recipient(String),
    /// Who are all the users?
    List,
    /// Whose logins wait now?
    Penalties,
    /// How long does a login from there wait?
    Penalty(Asker),
    /// What is known of these users, of everybody when none is named, is to be forgotten.
    FlushCache(Vec<String>),
}

/// What the auth role answers.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::Verify`].
    Verdict(Verdict),
    /// To [`Question::Begin`] and [`Question::Step`]; the number is that of the exchange.
    Progress(u64, Progress),
    /// To [`Question::Lookup`].
    Account(Result<Option<Account>, String>),
    /// To [`Question::Recipient`].
    Recipient(Result<Option<Recipient>, String>),
    /// To [`Question::List`].
    Users(Result<Vec<String>, String>),
    /// To [`Question::Penalty`].
    Penalty(Penalty),
    /// To [`Question::Penalties`].
    Penalties(Vec<Penalized>),
    /// To [`Question::FlushCache`]: how many answers were forgotten.
    Count(usize),
    /// To [`Question::Forget`].
    Done,
}

/// What need not be asked: whoever asks knows it from its own settings.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// See [`Authority::has_userdb`].
    pub has_userdb: bool,
    /// See [`Authority::mechanisms`].
    pub mechanisms: Vec<String>,
}

/// An authority in another process.
pub struct Remote {
    current: Mutex<Current>,
    /// Who waits for another one.
    replaced: Condvar,
    known: Mutex<Known>,
}

/// The auth role that is asked.
struct Current {
    caller: Arc<Caller<Answer>>,
    /// When somebody first saw that it is gone.
    lost: Option<Instant>,
}

impl Current {
    fn new(socket: UnixStream) -> std::io::Result<Current> {
        Ok(Current {
            caller: Arc::new(Caller::new(socket)?),
            lost: None,
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    /// The one at the other end of `socket`, of which this is known.
    ///
    /// # Errors
    /// When descriptors or threads are short.
    pub fn new(socket: UnixStream, known: Known) -> std::io::Result<Remote> {
        Ok(Remote {
            current: Mutex::new(Current::new(socket)?),
            replaced: Condvar::new(),
            known: Mutex::new(known),
        })
    }

    /// The auth role was started anew: it is at the end of this socket.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub fn reconnect(&self, socket: UnixStream) -> std::io::Result<()> {
        *locked(&self.current) = Current::new(socket)?;
        self.replaced.notify_all();
        Ok(())
    }

    /// The configuration was read again.
    pub fn configure(&self, known: Known) {
        *locked(&self.known) = known;
    }

    /// Asks; a role that ends before it has answered is asked again when it is back, once.
    fn ask(&self, question: &Question) -> Result<Answer, String> {
        let caller = Arc::clone(&locked(&self.current).caller);
        let answered = caller.call(question, Vec::new()).or_else(|error| {
            let is_lost_with_it = matches!(question, Question::Step { .. } | Question::Forget(_));
            let can_be_repeated = matches!(error, Error::Io(_)) && !is_lost_with_it;
            let next = can_be_repeated.then(|| self.next_after(&caller)).flatten();
            next.map_or(Err(error), |next| next.call(question, Vec::new()))
        });
        answered
            .map(|(answer, _)| answer)
            .map_err(|error| no_answer(&error))
    }

    /// The role that follows the one of `gone`, if it comes in time.
    fn next_after(&self, gone: &Arc<Caller<Answer>>) -> Option<Arc<Caller<Answer>>> {
        let is_same = |current: &mut Current| Arc::ptr_eq(&current.caller, gone);
        let mut current = locked(&self.current);
        let left = if is_same(&mut current) {
            let lost = *current.lost.get_or_insert_with(Instant::now);
            PATIENCE.saturating_sub(lost.elapsed())
        } else {
            Duration::ZERO
        };
        let waited = self.replaced.wait_timeout_while(current, left, is_same);
        let (mut current, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!is_same(&mut current)).then(|| Arc::clone(&current.caller))
    }
}

fn no_answer(error: &Error) -> String {
    format!("the auth service does not answer: {error}")
}

impl Authority for Remote {
    fn verify(&self, request: &Request<'_>) -> Verdict {
        let question = Question::Verify {
            user: request.user.to_owned(),
            authzid: request.authzid.to_owned(),
            password: request.password.bytes().to_vec(),
            mechanism: request.mechanism.to_owned(),
            asker: request.asker.clone(),
        };
        match self.ask(&question) {
            Ok(Answer::Verdict(verdict)) => verdict,
            Ok(_) => Verdict::Temporary("the auth service answers something else".to_owned()),
            Err(why) => Verdict::Temporary(why),
        }
    }

    fn exchange(self: Arc<Self>, mechanism: &str, asker: &Asker) -> Option<Box<dyn Exchange>> {
        let is_offered = |name| locked(&self.known).mechanisms.iter().any(|known| known == name);
        let is_possible = !mechanism.eq_ignore_ascii_case("EXTERNAL") || asker.certificate.is_some();
        sasl::mechanism::known(mechanism).filter(|name| is_offered(*name) && is_possible)?;
        Some(Box::new(RemoteExchange {
            authority: self,
            beginning: Some((mechanism.to_owned(), asker.clone())),
            number: None,
        }))
    }

    fn lookup(&self, user: &str, service: &str) -> Result<Option<Account>, String> {
        match self.ask(&Question::Lookup(user.to_owned(), service.to_owned()))? {
            Answer::Account(account) => account,
            _ => Err("the auth service answers something else".to_owned()),
        }
    }

    fn mechanisms(&self) -> Vec<String> {
        locked(&self.known).mechanisms.clone()
    }

    fn has_userdb(&self) -> bool {
        locked(&self.known).has_userdb
    }

    fn list(&self) -> Result<Vec<String>, String> {
        match self.ask(&Question::List)? {
            Answer::Users(users) => users,
            _ => Err("the auth service answers something else".to_owned()),
        }
    }

    fn penalty(&self, asker: &Asker) -> Penalty {
        match self.ask(&Question::Penalty(asker.clone())) {
            Ok(Answer::Penalty(penalty)) => penalty,
            // The login itself will tell that nobody answers.
            _ => Penalty::default(),
        }
    }

    fn penalties(&self) -> Vec<Penalized> {
        match self.ask(&Question::Penalties) {
            Ok(Answer::Penalties(penalties)) => penalties,
            _ => Vec::new(),
        }
    }

    fn flush_cache(&self, users: &[String]) -> usize {
        match self.ask(&Question::FlushCache(users.to_vec())) {
            Ok(Answer::Count(count)) => count,
            _ => 0,
        }
    }

    fn recipient(&self, name: &str) -> Result<Option<Recipient>, String> {
        match self.ask(&Question::Recipient(name.to_owned()))? {
            Answer::Recipient(recipient) => recipient,
            _ => Err("the auth service answers something else".to_owned()),
        }
    }
}

/// An exchange whose other end is in the auth role.
struct RemoteExchange {
    authority: Arc<Remote>,
    /// Until the first step.
    beginning: Option<(String, Asker)>,
    /// From the first step to the end.
    number: Option<u64>,
}

impl Exchange for RemoteExchange {
    fn step(&mut self, response: Option<&[u8]>) -> Progress {
        let response = response.map(<[u8]>::to_vec);
        let question = match (self.beginning.take(), self.number) {
            (Some((mechanism, asker)), _) => Question::Begin {
                mechanism,
                asker,
                response,
            },
            (None, Some(exchange)) => Question::Step { exchange, response },
            (None, None) => return Progress::Done(Verdict::Temporary("the exchange is over".to_owned())),
        };
        match self.authority.ask(&question) {
            Ok(Answer::Progress(number, progress)) => {
                self.number = matches!(progress, Progress::Challenge(_)).then_some(number);
                progress
            }
            Ok(_) => Progress::Done(Verdict::Temporary(
                "the auth service answers something else".to_owned(),
            )),
            Err(why) => {
                self.number = None;
                Progress::Done(Verdict::Temporary(why))
            }
        }
    }
}

impl Drop for RemoteExchange {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            // When nobody is there, nothing is kept there either.
            let _ = self.authority.ask(&Question::Forget(number));
        }
    }
}

/// Answers one front until it is gone. `authority` is asked for at each question, as the configuration may change; `issue`
/// makes the ticket of a login.
///
/// # Errors
/// When the connection breaks.
pub fn answer(
    socket: UnixStream,
    authority: impl Fn() -> Arc<dyn Authority> + Send + Sync + 'static,
    issue: impl Fn(&Account) -> auth::Ticket + Send + Sync + 'static,
) -> Result<(), Error> {
    let open = Open::default();
    calls::answer(socket, THREADS_MAX, move |question, _| {
        (reply(question, &authority(), &open, &issue), Vec::new())
    })
}

#[derive(Default)]
struct Open {
    exchanges: Mutex<HashMap<u64, Box<dyn Exchange>>>,
    last: AtomicU64,
}

fn reply(
    question: Question,
    authority: &Arc<dyn Authority>,
    open: &Open,
    issue: &dyn Fn(&Account) -> auth::Ticket,
) -> Answer {
    let ticketed = |verdict| match verdict {
        Verdict::Ok(account, _) => {
            let ticket = issue(&account);
            Verdict::Ok(account, ticket)
        }
        other => other,
    };
    match question {
        Question::Verify {
            user,
            authzid,
            password,
            mechanism,
            asker,
        } => Answer::Verdict(ticketed(authority.verify(&Request {
            user: &user,
            authzid: &authzid,
            password: &Password::new(password),
            mechanism: &mechanism,
            asker: &asker,
        }))),
        Question::Begin {
            mechanism,
            asker,
            response,
        } => match Arc::clone(authority).exchange(&mechanism, &asker) {
            Some(exchange) => step(exchange, response.as_deref(), open, &ticketed),
            None => Answer::Progress(0, Progress::Done(no_such_mechanism(mechanism))),
        },
        Question::Step { exchange, response } => {
            let found = locked(&open.exchanges).remove(&exchange);
            match found {
                Some(exchange) => step(exchange, response.as_deref(), open, &ticketed),
                None => {
                    let text = "the exchange is not there any more".to_owned();
                    Answer::Progress(0, Progress::Done(Verdict::Temporary(text)))
                }
            }
        }
        Question::Forget(exchange) => {
            locked(&open.exchanges).remove(&exchange);
            Answer::Done
        }
        Question::List => Answer::Users(authority.list()),
        Question::Penalty(asker) => Answer::Penalty(authority.penalty(&asker)),
        Question::Penalties => Answer::Penalties(authority.penalties()),
        Question::FlushCache(users) => Answer::Count(authority.flush_cache(&users)),
        Question::Lookup(user, service) => Answer::Account(authority.lookup(&user, &service)),
        Question::Recipient(name) => Answer::Recipient(authority.recipient(&name)),
    }
}

fn step(
    mut exchange: Box<dyn Exchange>,
    response: Option<&[u8]>,
    open: &Open,
    ticketed: &dyn Fn(Verdict) -> Verdict,
) -> Answer {
    match exchange.step(response) {
        Progress::Challenge(challenge) => {
            let number = open.last.fetch_add(1, Ordering::Relaxed) + 1;
            let mut exchanges = locked(&open.exchanges);
            if exchanges.len() >= EXCHANGES_MAX {
                let text = "too many exchanges are open".to_owned();
                return Answer::Progress(0, Progress::Done(Verdict::Temporary(text)));
            }
            exchanges.insert(number, exchange);
            Answer::Progress(number, Progress::Challenge(challenge))
        }
        Progress::Done(verdict) => Answer::Progress(0, Progress::Done(ticketed(verdict))),
    }
}

fn no_such_mechanism(name: String) -> Verdict {
    Verdict::Failed(Failure {
        user: String::new(),
        database: "auth".into(),
        reason: Reason::Mechanism(name.into()),
        delay: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An authority that knows one user.
    struct One;

    impl Authority for One {
        fn verify(&self, _: &Request<'_>) -> Verdict {
            Verdict::Temporary("not asked here".to_owned())
        }

        fn mechanisms(&self) -> Vec<String> {
            Vec::new()
        }

        fn exchange(self: Arc<Self>, _: &str, _: &Asker) -> Option<Box<dyn Exchange>> {
            None
        }

        fn lookup(&self, _: &str, _: &str) -> Result<Option<Account>, String> {
            Ok(None)
        }

        fn has_userdb(&self) -> bool {
            true
        }

        fn list(&self) -> Result<Vec<String>, String> {
            Ok(vec!["alice".to_owned()])
        }
    }

    fn serve(socket: UnixStream) {
        std::thread::spawn(|| answer(socket, || Arc::new(One), |_| auth::Ticket::default()));
    }

    #[test]
    fn a_role_that_ends_is_asked_again_when_it_is_back() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let remote = Remote::new(here, Known::default()).expect("a thread");
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| remote.list());
            let mut inbox = crate::channel::Inbox::new(there);
            let asked = inbox.receive::<calls::Numbered<Question>>().expect("comes");
            assert!(asked.is_some());
            // It ends before it answers.
            drop(inbox);
            let (here, there) = UnixStream::pair().expect("a pair");
            serve(there);
            remote.reconnect(here).expect("a thread");
            assert_eq!(asking.join().expect("no panic"), Ok(vec!["alice".to_owned()]));
        });
    }

    #[test]
    fn nobody_waits_for_one_who_has_been_gone_for_long() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let remote = Remote::new(here, Known::default()).expect("a thread");
        drop(there);
        locked(&remote.current).lost = Instant::now().checked_sub(PATIENCE);
        let why = remote.list().expect_err("nobody is there");
        assert!(why.starts_with("the auth service does not answer"), "{why}");
        let (here, there) = UnixStream::pair().expect("a pair");
        serve(there);
        remote.reconnect(here).expect("a thread");
        assert_eq!(remote.list(), Ok(vec!["alice".to_owned()]));
    }
}
