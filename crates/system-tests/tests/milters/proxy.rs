//! A proxy that sees mail before it is accepted: it answers what a case says, and remembers what it heard.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::filter::Script;

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    heard: Mutex<Vec<String>>,
    open: AtomicUsize,
}

/// Listens until the process ends.
pub(super) struct Proxy(Arc<Shared>);

impl Proxy {
    /// Listens on a port of 127.0.0.1.
    pub(super) fn start(port: u16) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let shared = Arc::clone(&own);
                shared.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let _ = serve(stream, &shared);
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Proxy(shared)
    }

    /// What it does from now on.
    pub(super) fn play(&self, script: &Script) {
        self.0
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(script);
        self.0
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// What it has heard since.
    pub(super) fn heard(&self) -> Vec<String> {
        self.0
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether somebody is connected.
    pub(super) fn is_busy(&self) -> bool {
        self.0.open.load(Ordering::SeqCst) > 0
    }
}

/// What it says to a command if nothing else is wanted.
fn usual(word: &str) -> &'static str {
    match word {
        "CONNECT" => "220 proxy ESMTP",
        "EHLO" => "250-proxy\\r\\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",
        "MAIL" => "250 2.1.0 Proxy likes the sender",
        "RCPT" => "250 2.1.5 Proxy likes the recipient",
        "DATA" => "354 go on",
        "." => "250 2.0.0 Proxy takes it",
        "QUIT" => "221 2.0.0 Bye",
        _ => "250 2.0.0 Ok",
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let script = shared
        .script
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut counts = std::collections::HashMap::new();
    let mut answer = |stream: &mut TcpStream, word: &str| -> std::io::Result<bool> {
        let count: &mut usize = counts.entry(word.to_owned()).or_default();
        *count += 1;
        let found = script
            .get(&format!("{word}:{count}"))
            .or_else(|| script.get(word));
        let what = found.map_or_else(|| usual(word), String::as_str);
        match what {
            "close" => return Ok(false),
            "stall" => {}
            text => stream.write_all(format!("{}\r\n", text.replace("\\r\\n", "\r\n")).as_bytes())?,
        }
        Ok(word != "QUIT")
    };
    let hear = |line: &str| {
        let mut heard = shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(line.to_owned());
    };
    if !answer(&mut stream, "CONNECT")? {
        return Ok(());
    }
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(line) = lines.next() {
        let line = line?;
        hear(&line);
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if !answer(&mut stream, &word)? {
            return Ok(());
        }
        if word == "DATA" && !script.contains_key("DATA") {
            for line in lines.by_ref() {
                let line = line?;
                hear(&format!("  |{line}"));
                if line == "." {
                    break;
                }
            }
            if !answer(&mut stream, ".")? {
                return Ok(());
            }
        }
    }
    Ok(())
}
