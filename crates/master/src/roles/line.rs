//! The line to the supervisor: what a role tells and asks it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipc::channel::{Outbox, Received};
use ipc::roles::{Answer, Message, Question};

/// Cheap to clone; any thread may use it.
#[derive(Clone)]
pub(crate) struct Line(Arc<Shared>);

struct Shared {
    outbox: Mutex<Outbox>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    /// By the number of the question; gone when the supervisor is.
    askers: Option<HashMap<u64, SyncSender<Received<Answer>>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    pub(crate) fn new(outbox: Outbox) -> Line {
        Line(Arc::new(Shared {
            outbox: Mutex::new(outbox),
            waiting: Mutex::new(Waiting {
                last: 0,
                askers: Some(HashMap::new()),
            }),
        }))
    }

    /// Tells the supervisor. When it is gone, this process soon is as well.
    pub(crate) fn tell(&self, message: &Message, descriptors: Vec<OwnedFd>) {
        let _ = locked(&self.0.outbox).send(message, descriptors);
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&self, question: Question, descriptors: Vec<OwnedFd>) -> Received<Answer> {
        let (sender, answer) = sync_channel(1);
        let number = {
            let mut waiting = locked(&self.0.waiting);
            waiting.last += 1;
            let number = waiting.last;
            if let Some(askers) = &mut waiting.askers {
                askers.insert(number, sender);
            }
            number
        };
        self.tell(&Message::Question { number, question }, descriptors);
        let gone = || (Answer::Busy("the supervisor is gone".to_owned()), Vec::new());
        answer.recv().unwrap_or_else(|_| gone())
    }

    /// An answer has come.
    pub(crate) fn answered(&self, number: u64, answer: Answer, descriptors: Vec<OwnedFd>) {
        let asker = locked(&self.0.waiting)
            .askers
            .as_mut()
            .and_then(|askers| askers.remove(&number));
        if let Some(asker) = asker {
            // Who does not wait any more needs no answer.
            let _ = asker.send((answer, descriptors));
        }
    }

    /// Whether the supervisor is gone.
    pub(crate) fn has_hung_up(&self) -> bool {
        locked(&self.0.waiting).askers.is_none()
    }

    /// The supervisor is gone: nobody waits any more.
    pub(crate) fn hung_up(&self) {
        locked(&self.0.waiting).askers = None;
    }
}
