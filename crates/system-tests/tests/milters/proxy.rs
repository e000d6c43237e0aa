//! A proxy that sees mail before it is accepted: it answers what a case says, and remembers what it heard.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::scripted::{Part, Scripted};

/// Listens on a port of 127.0.0.1.
pub(super) fn start(port: u16) -> Scripted {
    Scripted::start(port, serve)
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

fn serve(mut stream: TcpStream, mut part: Part<'_>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let is_usual_data = !part.has("DATA");
    let mut answer = |part: &mut Part<'_>, word: &str| -> std::io::Result<bool> {
        let scripted = part.next(word);
        match scripted.as_deref().unwrap_or_else(|| usual(word)) {
            "close" => return Ok(false),
            "stall" => {}
            text => stream.write_all(format!("{}\r\n", text.replace("\\r\\n", "\r\n")).as_bytes())?,
        }
        Ok(word != "QUIT")
    };
    if !answer(&mut part, "CONNECT")? {
        return Ok(());
    }
    while let Some(line) = lines.next() {
        let line = line?;
        part.hear(line.clone());
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if !answer(&mut part, &word)? {
            return Ok(());
        }
        if word == "DATA" && is_usual_data {
            for line in lines.by_ref() {
                let line = line?;
                part.hear(format!("  |{line}"));
                if line == "." {
                    break;
                }
            }
            if !answer(&mut part, ".")? {
                return Ok(());
            }
        }
    }
    Ok(())
}
