//! Small hosts that mail is sent to: each has one habit.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A host that takes connections and never says a word; its port.
pub(crate) fn silent() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            kept.push(stream);
        }
    });
    port
}

/// A host that refuses every recipient in these words; its port.
pub(crate) fn refusing(reply: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || drop(refuse(&stream, reply)));
        }
    });
    port
}

fn refuse(mut stream: &TcpStream, reply: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 rogue.example ESMTP\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let answer = match line.get(..4).unwrap_or_default() {
            "RCPT" => reply,
            "DATA" => "554 5.5.1 nobody",
            "QUIT" => return stream.write_all(b"221 2.0.0 bye\r\n"),
            _ => "250 2.0.0 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}
