//! The session after login: commands over a mailbox store.

use std::convert::Infallible;
use std::sync::Arc;

use machine::{Machine, Stamp};
use mailbox::Store;
use mailbox::store::Wake;

/// What a session is told when it starts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What ID answers (`imap_id_send`): pairs of field and value. Empty: NIL.
    pub id: Vec<(String, String)>,
}

/// What the session tells its caller. Nothing needs an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something the administrator should read: what could not be done, to what, why.
    Problem(String),
    /// The session is over.
    Ended(Ended),
}

/// How a session ended, and what it did, for the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Dovecot's word for it: `Logged out`, `Connection closed`, `Disconnected for inactivity` …
    pub reason: &'static str,
    /// Octets received.
    pub bytes_in: u64,
    /// Octets sent.
    pub bytes_out: u64,
    /// Messages that this session marked `\Deleted`.
    pub deleted: u64,
    /// Messages that this session expunged.
    pub expunged: u64,
    /// Headers (or parts of them) sent, and their octets.
    pub headers: (u64, u64),
    /// Bodies (or parts of them) sent, and their octets.
    pub bodies: (u64, u64),
}

/// One logged-in client and its account's mail.
pub struct Session {
    store: Arc<dyn Store>,
    wake: Wake,
    settings: Settings,
    output: Vec<u8>,
}

impl Session {
    /// A session over `store`. The login phase has written the tagged OK; what the client sent after it is to
    /// be fed. `wake` is called, on any thread, when the machine's [`Machine::wake`] is to be called.
    pub fn new(store: Arc<dyn Store>, wake: Wake, settings: Settings, now: Stamp) -> Session {
        let _ = now;
        Session {
            store,
            wake,
            settings,
            output: b"* BYE [UNAVAILABLE] Sessions are not built yet.\r\n".to_vec(),
        }
    }
}

impl Machine for Session {
    type Event = Event;
    type Answer = Infallible;

    fn feed(&mut self, _input: &[u8], _now: Stamp) {
        let _ = (&self.store, &self.wake, &self.settings);
    }

    fn end_of_input(&mut self, _now: Stamp) {}

    fn next_event(&mut self) -> Option<Event> {
        None
    }

    fn answer(&mut self, answer: Infallible, _now: Stamp) {
        match answer {}
    }

    fn next_output(&mut self, into: &mut Vec<u8>, _limit: usize) {
        into.append(&mut self.output);
    }

    fn deadline(&self) -> Option<Stamp> {
        None
    }

    fn time_out(&mut self, _now: Stamp) {}

    fn wants_input(&self) -> bool {
        false
    }

    fn is_finished(&self) -> bool {
        true
    }
}
