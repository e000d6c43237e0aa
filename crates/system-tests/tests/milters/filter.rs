//! A mail filter that does what a case says, and remembers what it heard.

use std::io::{Read, Write};
use std::net::TcpStream;

use milter::command::{Command, Peer};
use milter::options::{Agreement, Options};
use milter::reply::{Change, Reply, Verdict};
use milter::server::Server;

use crate::scripted::{Part, Scripted};

/// Listens on a port of 127.0.0.1.
pub(super) fn start(port: u16) -> Scripted {
    Scripted::start(port, serve)
}

/// How it goes on.
#[derive(PartialEq)]
enum Next {
    Listen,
    HangUp,
}

fn serve(mut stream: TcpStream, mut part: Part<'_>) -> std::io::Result<()> {
    let (mut server, mut piece) = (Server::default(), [0; 8192]);
    loop {
        let command = match server.next_command() {
            Ok(Some(command)) => command,
            Ok(None) => {
                let read = stream.read(&mut piece)?;
                if read == 0 {
                    return Ok(());
                }
                server.feed(&piece[..read]);
                continue;
            }
            Err(error) => {
                part.hear(format!("nonsense: {error}"));
                return Ok(());
            }
        };
        let (name, told) = told(&command);
        part.hear(told);
        let Some(name) = name else { continue };
        let scripted = part.next(name);
        let what = scripted.as_deref().unwrap_or("continue");
        let mut out = Vec::new();
        let next = match name {
            "NEGOTIATE" => agree(what, &mut out),
            "ABORT" => Next::Listen,
            _ => act(what, &mut out),
        };
        stream.write_all(&out)?;
        if next == Next::HangUp || name == "QUIT" {
            return Ok(());
        }
    }
}

/// The event's name, if it may be answered, and what is remembered of it.
fn told(command: &Command) -> (Option<&'static str>, String) {
    let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    match command {
        Command::Negotiate(Options {
            version,
            actions,
            steps,
        }) => (
            Some("NEGOTIATE"),
            format!("NEGOTIATE {version} {actions:x} {steps:x}"),
        ),
        Command::Macros(letter, macros) => {
            let one = |(name, value): &(String, String)| format!(" {name}={value}");
            let all: String = macros.iter().map(one).collect();
            (None, format!("  macros {}{all}", char::from(*letter)))
        }
        Command::Connect { host, peer } => {
            let peer = match peer {
                Peer::Unknown => "U".to_owned(),
                Peer::Unix(path) => format!("L {path}"),
                Peer::V4(address, port) | Peer::V6(address, port) => {
                    format!("{address} {}", if *port == 0 { "0" } else { "PORT" })
                }
            };
            (Some("CONNECT"), format!("CONNECT {host} {peer}"))
        }
        Command::Helo(name) => (Some("HELO"), format!("HELO {name}")),
        Command::Mail(words) => (Some("MAIL"), format!("MAIL {}", words.join(" "))),
        Command::Rcpt(words) => (Some("RCPT"), format!("RCPT {}", words.join(" "))),
        Command::Data => (Some("DATA"), "DATA".to_owned()),
        Command::Unknown(line) => (Some("UNKNOWN"), format!("UNKNOWN {}", bytes(line))),
        Command::Header { name, value } => {
            (Some("HEADER"), format!("HEADER {}|{}", bytes(name), bytes(value)))
        }
        Command::EndOfHeader => (Some("EOH"), "EOH".to_owned()),
        Command::Body(piece) if piece.len() > 500 => (Some("BODY"), format!("BODY of {}", piece.len())),
        Command::Body(piece) => (Some("BODY"), format!("BODY {}", bytes(piece))),
        Command::EndOfMessage => (Some("EOM"), "EOM".to_owned()),
        Command::Abort => (Some("ABORT"), "ABORT".to_owned()),
        Command::Quit => (Some("QUIT"), "QUIT".to_owned()),
        Command::QuitNewConnection => (None, "QUIT_NC".to_owned()),
    }
}

/// `version actions steps [stage=macro,macro …]`, the numbers in hexadecimal; or something else that is no agreement.
fn agree(what: &str, out: &mut Vec<u8>) -> Next {
    let mut words = what.split_whitespace();
    let mut number = || u32::from_str_radix(words.next()?, 16).ok();
    let options = match what {
        "continue" => Some((6, 0x1ff, 0)),
        _ => number().and_then(|version| Some((version, number()?, number()?))),
    };
    let Some((version, actions, steps)) = options else {
        return act(what, out);
    };
    let macros = words
        .filter_map(|word| word.split_once('='))
        .map(|(stage, names)| {
            (
                stage.parse().unwrap(),
                names.split(',').map(str::to_owned).collect(),
            )
        });
    let agreement = Agreement {
        options: Options {
            version,
            actions,
            steps,
        },
        macros: macros.collect(),
    };
    Server::agree(&agreement, out);
    Next::Listen
}

/// Actions, parted by `; `.
fn act(what: &str, out: &mut Vec<u8>) -> Next {
    for action in what.split("; ").map(str::trim) {
        let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
        let verdict = match word {
            "continue" => Some(Verdict::Continue),
            "accept" => Some(Verdict::Accept),
            "reject" => Some(Verdict::Reject),
            "tempfail" => Some(Verdict::TempFail),
            "discard" => Some(Verdict::Discard),
            "skip" => Some(Verdict::Skip),
            "shutdown" => Some(Verdict::Shutdown),
            "connfail" => Some(Verdict::ConnectionFailure),
            "reply" => Some(Verdict::Code(unescaped(rest))),
            _ => None,
        };
        match (verdict, word) {
            (Some(verdict), _) => Reply::Verdict(verdict).write(out),
            (None, "progress") => Reply::Progress.write(out),
            // No answer.
            (None, "stall") => {}
            (None, "close") => return Next::HangUp,
            (None, "raw") => out.extend(unescaped(rest)),
            (None, _) => Reply::Change(change(word, rest)).write(out),
        }
    }
    Next::Listen
}

fn change(word: &str, rest: &str) -> Change {
    let field = |text: &str| {
        let (name, value) = text.split_once(':').unwrap();
        (
            unescaped(name),
            unescaped(value.strip_prefix(' ').unwrap_or(value)),
        )
    };
    let indexed = || {
        let (index, text) = rest.split_once(' ').unwrap();
        let (name, value) = field(text);
        (index.parse().unwrap(), name, value)
    };
    let options = || {
        let (address, options) = rest.split_once(" | ").unwrap_or((rest, ""));
        (address.to_owned(), options.to_owned())
    };
    match word {
        "add" => {
            let (name, value) = field(rest);
            Change::AddHeader { name, value }
        }
        "insert" => {
            let (index, name, value) = indexed();
            Change::InsertHeader { index, name, value }
        }
        "change" => {
            let (index, name, value) = indexed();
            Change::ChangeHeader { index, name, value }
        }
        "body" => Change::ReplaceBody(unescaped(rest)),
        "addrcpt" => {
            let (address, options) = options();
            Change::AddRecipient(address, options)
        }
        "delrcpt" => Change::DeleteRecipient(rest.to_owned()),
        "chgfrom" => {
            let (address, options) = options();
            Change::ChangeSender(address, options)
        }
        "quarantine" => Change::Quarantine(rest.to_owned()),
        other => panic!("{other}: no such action"),
    }
}

/// `\r`, `\n`, `\s` (a space), `\xNN` in a case mean what they look like.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&letter, behind) = rest.split_first().unwrap();
        rest = behind;
        match letter {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b's' => out.push(b' '),
            b'x' => {
                let (digits, behind) = rest.split_at(2);
                rest = behind;
                let digits = std::str::from_utf8(digits).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
            }
            other => out.push(other),
        }
    }
    out
}
