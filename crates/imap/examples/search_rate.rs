//! Prints how many messages SEARCH, SORT and THREAD go through a second over the in-memory store, of processor time, one
//! thread: `cargo run --release -p imap --example search_rate`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::Arc;

use imap::session::{Session, Settings};
use machine::Machine;
use mailbox::memory::MemoryStore;
use mailbox::{Flags, MailboxName, Store};

const MESSAGES: usize = 100_000;

fn message(number: usize) -> String {
    let (day, thread, sender) = (number % 28 + 1, number / 7, number % 997);
    let mime = match number % 3 {
        0 => "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        _ => "",
    };
    let line = "All work and no play makes a dull message, which nobody reads to its end = none.\r\n";
    format!(
        "Return-Path: <u{sender}@example.org>\r\nReceived: from mail.example.org by mx.example.com; {day} Jan 2020\r\n\
         From: \"User {sender}\" <u{sender}@example.org>\r\nTo: bob@example.com\r\nSubject: Re: Minutes of {thread}\r\n\
         Date: Mon, {day} Jan 2020 10:00:{:02} +0000\r\nMessage-ID: <{number}@example.org>\r\n\
         References: <{}@example.org>\r\n{mime}\r\n{}",
        number % 60,
        thread * 7,
        line.repeat(30)
    )
}

fn main() -> mailbox::Result<()> {
    let store = Arc::new(MemoryStore::new());
    let inbox = store.open(&MailboxName::inbox())?.id;
    let mut append = store.append(&inbox)?;
    for number in 0..MESSAGES {
        append.start(Flags::default(), i64::try_from(number).unwrap_or_default())?;
        append.write(message(number).as_bytes())?;
    }
    append.commit()?;
    let mut session = Session::new(store, Arc::new(|| {}), Settings::default(), 0);
    for command in [
        "SELECT INBOX",
        "SEARCH UNSEEN",
        "SEARCH SUBJECT nothing",
        "SEARCH FROM nothing",
        "SEARCH BODY nothing",
        "SEARCH TEXT nothing",
        "SORT (ARRIVAL) UTF-8 ALL",
        "SORT (REVERSE SIZE) UTF-8 ALL",
        "SORT (DATE) UTF-8 ALL",
        "SORT (SUBJECT) UTF-8 ALL",
        "SORT (FROM) UTF-8 ALL",
        "THREAD ORDEREDSUBJECT UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "THREAD REFS UTF-8 ALL",
    ] {
        let start = cpu_secs();
        session.feed(format!("a {command}\r\n").as_bytes(), 0);
        let mut out = Vec::new();
        loop {
            out.clear();
            session.next_output(&mut out, 64 * 1024);
            if out.is_empty() {
                break;
            }
        }
        let secs = cpu_secs() - start;
        println!("{command}: {:.0} messages/s", MESSAGES as f64 / secs);
    }
    Ok(())
}

/// How long this process has had a processor.
fn cpu_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = text
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or_default();
    nanoseconds / 1e9
}
