//! A server that does what a case says, and remembers what it heard: what the filter and the proxy have in common.

use std::collections::HashMap;
use std::io::Result;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What is done at an event: its name, or `NAME:2` for the second of its kind on a connection.
pub(super) type Script = HashMap<String, String>;

/// A peer that neither speaks nor goes would keep the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection's view of the server.
pub(super) struct Part<'a> {
    script: Script,
    counts: HashMap<String, usize>,
    heard: &'a Mutex<Vec<String>>,
}

impl Part<'_> {
    /// What the script has for this event; each call is one more of its kind.
    pub(super) fn next(&mut self, event: &str) -> Option<String> {
        let count = self.counts.entry(event.to_owned()).or_default();
        *count += 1;
        let numbered = self.script.get(&format!("{event}:{count}"));
        numbered.or_else(|| self.script.get(event)).cloned()
    }

    /// Whether the script has anything for such events.
    pub(super) fn has(&self, event: &str) -> bool {
        self.script.contains_key(event)
    }

    /// Something was heard.
    pub(super) fn hear(&self, line: String) {
        lock(self.heard).push(line);
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    heard: Mutex<Vec<String>>,
    open: AtomicUsize,
}

/// Listens until the process ends.
pub(super) struct Scripted(Arc<Shared>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scripted {
    /// Listens on a port of 127.0.0.1; `serve` speaks with each peer.
    pub(super) fn start(port: u16, serve: fn(TcpStream, Part<'_>) -> Result<()>) -> Scripted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let shared = Arc::clone(&own);
                shared.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let part = Part {
                        script: lock(&shared.script).clone(),
                        counts: HashMap::new(),
                        heard: &shared.heard,
                    };
                    // A peer that is gone in the middle is what some cases are about.
                    let _ = stream
                        .set_read_timeout(Some(PATIENCE))
                        .and_then(|()| serve(stream, part));
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Scripted(shared)
    }

    /// What it does from now on.
    pub(super) fn play(&self, script: &Script) {
        lock(&self.0.script).clone_from(script);
        lock(&self.0.heard).clear();
    }

    /// What it has heard since.
    pub(super) fn heard(&self) -> Vec<String> {
        lock(&self.0.heard).clone()
    }

    /// Whether somebody is connected.
    pub(super) fn is_busy(&self) -> bool {
        self.0.open.load(Ordering::SeqCst) > 0
    }
}
