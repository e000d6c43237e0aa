//! The farewell of IMAP sessions when the system stops: each says BYE, and the stop waits until they have.

use std::convert::Infallible;
use std::time::Duration;

use imap::session::{Event, Session};
use machine::{Machine, Stamp};
use tokio::sync::watch;

/// What clients are told.
const TEXT: &str = "Server shutting down.";

/// Tells the sessions that the system stops. One for the life of the process.
#[derive(Debug)]
pub struct Farewell {
    leaving: watch::Sender<bool>,
}

impl Default for Farewell {
    fn default() -> Farewell {
        Farewell {
            leaving: watch::Sender::new(false),
        }
    }
}

impl Farewell {
    /// Sends every session away; returns when all have gone, or after `patience`.
    pub async fn bid(&self, patience: Duration) {
        self.leaving.send_replace(true);
        // Who does not read in time is cut off.
        let _ = tokio::time::timeout(patience, self.leaving.closed()).await;
    }

    /// What a session holds while it lasts.
    pub(crate) fn listen(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }
}

/// An IMAP session that takes its leave when it is woken after the farewell was bid.
pub(crate) struct Parting {
    pub(crate) session: Session,
    pub(crate) leaving: watch::Receiver<bool>,
}

impl Machine for Parting {
    type Event = Event;
    type Answer = Infallible;

    fn feed(&mut self, input: &[u8], now: Stamp) {
        self.session.feed(input, now);
    }

    fn end_of_input(&mut self, now: Stamp) {
        self.session.end_of_input(now);
    }

    fn next_event(&mut self) -> Option<Event> {
        self.session.next_event()
    }

    fn answer(&mut self, answer: Infallible, _: Stamp) {
        match answer {}
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        self.session.next_output(into, limit);
    }

    fn deadline(&self) -> Option<Stamp> {
        self.session.deadline()
    }

    fn time_out(&mut self, now: Stamp) {
        self.session.time_out(now);
    }

    fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    fn is_finished(&self) -> bool {
        self.session.is_finished()
    }

    fn wake(&mut self, now: Stamp) {
        if *self.leaving.borrow() {
            self.session.bye(TEXT);
        } else {
            self.session.wake(now);
        }
    }
}
