//! Questions and answers over one channel, many at a time: each question has a number, its answer bears the same.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

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

/// Answers the questions that come over `socket`, up to `threads_max` of them at a time, until the other side is gone.
///
/// # Errors
/// When the connection breaks, or what comes is no question of this conversation.
pub fn answer<Q, A, F>(socket: UnixStream, threads_max: usize, handler: F) -> Result<(), Error>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize,
    F: Fn(Q, Vec<OwnedFd>) -> (A, Vec<OwnedFd>) + Send + Sync + 'static,
{
    let (mut inbox, outbox) = halves(socket)?;
    let (outbox, handler) = (Arc::new(Mutex::new(outbox)), Arc::new(handler));
    let places = Arc::new(Places {
        free: Mutex::new(threads_max.max(1)),
        one: Condvar::new(),
    });
    while let Some((Numbered { number, body }, descriptors)) = inbox.receive::<Numbered<Q>>()? {
        let place = Places::take(&places);
        let (outbox, handler) = (Arc::clone(&outbox), Arc::clone(&handler));
        let work = move || {
            let _place = place;
            let (body, descriptors) = handler(body, descriptors);
            // Who asked may be gone.
            let _ = locked(&outbox).send(&Numbered { number, body }, descriptors);
        };
        std::thread::Builder::new()
            .name("answer".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(work)?;
    }
    Ok(())
}

/// How many questions may still be taken on.
struct Places {
    free: Mutex<usize>,
    one: Condvar,
}

/// One of them, given back when dropped.
struct Place(Arc<Places>);

impl Places {
    fn take(places: &Arc<Places>) -> Place {
        let mut free = locked(&places.free);
        while *free == 0 {
            free = places.one.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Place(Arc::clone(places))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *locked(&self.0.free) += 1;
        self.0.one.notify_one();
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
