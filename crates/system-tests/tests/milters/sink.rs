//! Where mail goes: a server that takes everything and remembers it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Listens until the process ends.
pub(super) struct Sink(Arc<Mutex<Vec<String>>>);

impl Sink {
    /// Listens on a port of 127.0.0.1.
    pub(super) fn start(port: u16) -> Sink {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let taken = Arc::default();
        let sink = Sink(Arc::clone(&taken));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let taken = Arc::clone(&taken);
                thread::spawn(move || {
                    let _ = serve(stream, &taken);
                });
            }
        });
        sink
    }

    /// Envelopes and messages so far; they are forgotten. Recipients of one message may come one by one: they are put together.
    pub(super) fn take(&self) -> Vec<String> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *taken)
    }
}

fn serve(mut stream: TcpStream, taken: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 sink ESMTP\r\n")?;
    let mut envelope = Vec::new();
    while let Some(Ok(line)) = lines.next() {
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let said: &[u8] = match word.as_str() {
            "EHLO" => b"250-sink\r\n250-8BITMIME\r\n250 DSN\r\n",
            "MAIL" | "RCPT" => {
                envelope.push(sorted(&line));
                b"250 2.0.0 Ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                envelope.sort();
                let mut message: String = envelope.drain(..).map(|line| line + "\n").collect();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    message.push_str("  |");
                    message.push_str(&line);
                    message.push('\n');
                }
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                b"250 2.0.0 Ok\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 Bye\r\n")?;
                return Ok(());
            }
            _ => b"250 2.0.0 Ok\r\n",
        };
        stream.write_all(said)?;
    }
    Ok(())
}

/// The order of parameters has no meaning.
fn sorted(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    if let Some(parameters) = words.get_mut(2..) {
        parameters.sort_unstable();
    }
    words.join(" ")
}
