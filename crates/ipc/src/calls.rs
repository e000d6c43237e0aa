//! Questions and answers over one channel, many at a time: each question has a number, its answer bears the same.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::channel::{Inbox, Outbox, Received, halves};
use crate::frame::Error;

/// A question or an answer with its number.
#[derive(Debug, Serialize, Deserialize)]
pub struct Numbered<T> {
    /// Of the question.
    pub number: u64,
    /// What is said.
    pub body: T,
}

/// Who waits for which answer; gone when the other side is.
type Waiting<A> = Mutex<Option<HashMap<u64, SyncSender<Received<A>>>>>;

/// The side that asks. Any thread may; each waits for its own answer.
#[derive(Debug)]
pub struct Caller<A> {
    outbox: Mutex<Outbox>,
    waiting: Arc<Waiting<A>>,
    number: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A: DeserializeOwned + Send + 'static> Caller<A> {
    /// Asks over `socket`, which blocks.
    ///
    /// # Errors
    /// When descriptors or threads are short.
    pub fn new(socket: UnixStream) -> std::io::Result<Caller<A>> {
        let (mut inbox, outbox) = halves(socket)?;
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let theirs = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("answers".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || hear(&mut inbox, &theirs))?;
        Ok(Caller {
            outbox: Mutex::new(outbox),
            waiting,
            number: AtomicU64::new(0),
        })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Io`] when the other side is gone before it answered.
    pub fn call<Q: Serialize>(&self, question: &Q, descriptors: Vec<OwnedFd>) -> Result<Received<A>, Error> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = sync_channel(1);
        match locked(&self.waiting).as_mut() {
            Some(waiting) => drop(waiting.insert(number, sender)),
            None => return Err(gone()),
        }
        let question = Numbered {
            number,
            body: question,
        };
        let sent = locked(&self.outbox).send(&question, descriptors);
        if let Err(error) = sent {
            if let Some(waiting) = locked(&self.waiting).as_mut() {
                waiting.remove(&number);
            }
            return Err(error);
        }
        answer.recv().map_err(|_| gone())
    }

    /// Whether the other side is gone.
    pub fn is_gone(&self) -> bool {
        locked(&self.waiting).is_none()
    }
}

impl<A> Drop for Caller<A> {
    fn drop(&mut self) {
        // Ends the thread that hears.
        locked(&self.outbox).hang_up();
    }
}

fn gone() -> Error {
    Error::Io(std::io::ErrorKind::BrokenPipe.into())
}

/// Gives each answer to the one who waits for it.
fn hear<A: DeserializeOwned>(inbox: &mut Inbox, waiting: &Waiting<A>) {
    while let Ok(Some((Numbered { number, body }, descriptors))) = inbox.receive::<Numbered<A>>() {
        let sender = locked(waiting)
            .as_mut()
            .and_then(|waiting| waiting.remove(&number));
        if let Some(sender) = sender {
            // Who does not wait any more needs no answer.
            let _ = sender.send((body, descriptors));
        }
    }
    // Whoever still waits is woken by the loss of its sender.
    locked(waiting).take();
}

/// The stack of a thread that reads frames, and of one that answers, in octets.
const STACK_BYTES: usize = 512 * 1024;

/// How long a thread that has answered waits for another question.
const LINGER: Duration = Duration::from_secs(2);

/// Answers the questions that come over `socket`, up to `threads_max` of them at a time, until the other side is gone and the
/// last question is answered.
///
/// # Errors
/// When the connection breaks, or what comes is no question of this conversation.
pub fn answer<Q, A, F>(socket: UnixStream, threads_max: usize, handler: F) -> Result<(), Error>
where
    Q: DeserializeOwned + Send,
    A: Serialize,
    F: Fn(Q, Vec<OwnedFd>) -> (A, Vec<OwnedFd>) + Sync,
{
    let (mut inbox, outbox) = halves(socket)?;
    let outbox = Mutex::new(outbox);
    let answer = |(Numbered { number, body }, descriptors): Received<Numbered<Q>>| {
        let (body, descriptors) = handler(body, descriptors);
        // Who asked may be gone.
        let _ = locked(&outbox).send(&Numbered { number, body }, descriptors);
    };
    let desk = Desk::new(threads_max.max(1));
    std::thread::scope(|scope| {
        let _closing = Closing(&desk);
        while let Some(question) = inbox.receive::<Numbered<Q>>()? {
            if desk.put(question) == Hands::Wanted {
                std::thread::Builder::new()
                    .name("answer".to_owned())
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, || desk.work(answer))?;
            }
        }
        Ok(())
    })
}

/// Where questions wait for a thread.
struct Desk<Q> {
    state: Mutex<OnDesk<Q>>,
    /// There is a question, or there will be none.
    more: Condvar,
    /// A question was taken.
    taken: Condvar,
    threads_max: usize,
}

struct OnDesk<Q> {
    questions: VecDeque<Q>,
    threads: usize,
    /// Of these, those that wait.
    idle: usize,
    is_closed: bool,
}

/// Whether a question needs one more thread.
#[derive(PartialEq, Eq)]
enum Hands {
    Enough,
    Wanted,
}

impl<Q> Desk<Q> {
    fn new(threads_max: usize) -> Desk<Q> {
        Desk {
            state: Mutex::new(OnDesk {
                questions: VecDeque::new(),
                threads: 0,
                idle: 0,
                is_closed: false,
            }),
            more: Condvar::new(),
            taken: Condvar::new(),
            threads_max,
        }
    }

    /// Puts a question down, when a thread has time for it or may be started.
    fn put(&self, question: Q) -> Hands {
        let mut state = locked(&self.state);
        while state.idle <= state.questions.len() && state.threads >= self.threads_max {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.questions.push_back(question);
        if state.idle >= state.questions.len() {
            self.more.notify_one();
            return Hands::Enough;
        }
        state.threads += 1;
        Hands::Wanted
    }

    /// Answers one question after the other, until there is none for a while.
    fn work(&self, answer: impl Fn(Q)) {
        let mut state = locked(&self.state);
        loop {
            while let Some(question) = state.questions.pop_front() {
                drop(state);
                answer(question);
                state = locked(&self.state);
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            self.taken.notify_one();
            let waited = self.more.wait_timeout_while(state, LINGER, |state| {
                state.questions.is_empty() && !state.is_closed
            });
            let (woken, time) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if time.timed_out() && state.questions.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        self.taken.notify_one();
    }
}

/// Lets the threads of a desk end when dropped.
struct Closing<'a, Q>(&'a Desk<Q>);

impl<Q> Drop for Closing<'_, Q> {
    fn drop(&mut self) {
        locked(&self.0.state).is_closed = true;
        self.0.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_own_answer() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let server = std::thread::spawn(move || answer(there, 4, |q: u64, files| (q * 2, files)));
        let caller = Caller::<u64>::new(here).expect("a thread");
        std::thread::scope(|scope| {
            for n in 0..50 {
                let caller = &caller;
                scope.spawn(move || {
                    let file = tempfile::tempfile().expect("a file").into();
                    let (answer, files) = caller.call(&n, vec![file]).expect("an answer");
                    assert_eq!((answer, files.len()), (n * 2, 1));
                });
            }
        });
        drop(caller);
        server.join().expect("no panic").expect("a clean end");
    }

    #[test]
    fn so_many_at_a_time_and_threads_are_used_again() {
        use std::collections::HashSet;
        use std::sync::atomic::AtomicUsize;
        const MOST: usize = 3;
        let (here, there) = UnixStream::pair().expect("a pair");
        let seen = Arc::new((
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            Mutex::new(HashSet::new()),
        ));
        let theirs = Arc::clone(&seen);
        let server = std::thread::spawn(move || {
            answer(there, MOST, |q: u64, files| {
                let (now, most, threads) = &*theirs;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                locked(threads).insert(std::thread::current().id());
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                (q, files)
            })
        });
        let caller = Caller::<u64>::new(here).expect("a thread");
        for n in 0..20 {
            assert_eq!(caller.call(&n, Vec::new()).expect("an answer").0, n);
        }
        assert!(locked(&seen.2).len() <= MOST, "threads are used again");
        std::thread::scope(|scope| {
            for n in 0..60 {
                let caller = &caller;
                scope.spawn(move || caller.call(&n, Vec::new()).expect("an answer"));
            }
        });
        drop(caller);
        server.join().expect("no panic").expect("a clean end");
        assert!(seen.1.load(Ordering::SeqCst) <= MOST);
    }

    #[test]
    fn nobody_waits_for_one_who_is_gone() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let caller = Caller::<u64>::new(here).expect("a thread");
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| caller.call(&1, Vec::new()));
            let mut inbox = Inbox::new(there);
            assert!(inbox.receive::<Numbered<u64>>().expect("comes").is_some());
            drop(inbox);
            assert!(matches!(asking.join().expect("no panic"), Err(Error::Io(_))));
        });
        assert!(caller.is_gone() && caller.call(&1, Vec::new()).is_err());
    }
}
