//! The host that mail is passed on to: it takes everything, and tells what it was told of envelopes.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Where it listens.
const PORT: u16 = 2500;
/// What it offers.
const OFFER: &[u8] = b"250-peer.test\r\n250 AUTH PLAIN\r\n";

/// A host that takes mail for as long as the process lives.
pub(super) struct Peer {
    heard: Arc<Mutex<String>>,
}

impl Peer {
    /// Starts it.
    pub(super) fn start() -> Peer {
        let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let peer = Peer {
            heard: Arc::clone(&heard),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                // A client may hang up at any time.
                std::thread::spawn(move || drop(serve(stream, &heard)));
            }
        });
        peer
    }

    /// What clients have said since the last time, in lines; not how they introduced themselves.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<String>) -> std::io::Result<()> {
    stream.write_all(b"220 peer.test ESMTP\r\n")?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(line) = lines.next().transpose()? {
        let verb = line.split(' ').next().unwrap_or_default();
        if ["MAIL", "RCPT", "AUTH"].contains(&verb) {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push_str(&format!("peer {line}\n"));
        }
        match verb {
            "EHLO" => stream.write_all(OFFER)?,
            "AUTH" => stream.write_all(b"235 2.7.0 welcome\r\n")?,
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n")?;
                while lines.next().transpose()?.is_some_and(|line| line != ".") {}
                stream.write_all(b"250 2.0.0 taken\r\n")?;
            }
            _ => stream.write_all(b"250 2.0.0 fine\r\n")?,
        }
    }
    Ok(())
}
