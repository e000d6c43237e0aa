//! Prints how many messages a second FETCH answers over the in-memory store: `cargo run --release --example fetch_rate`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::Instant;

use imap::session::{Session, Settings};
use machine::Machine;
use mailbox::memory::MemoryStore;
use mailbox::{Flags, MailboxName, Store};

const MESSAGES: usize = 100_000;
const CONTENT: &[u8] = b"From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Minutes\r\n\
    Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n\
    Content-Type: text/html\r\n\r\n<p>Hello</p>\r\n--b--\r\n";

fn main() -> mailbox::Result<()> {
    let store = Arc::new(MemoryStore::new());
    let inbox = store.open(&MailboxName::inbox())?.id;
    let mut append = store.append(&inbox)?;
    for _ in 0..MESSAGES {
        append.start(Flags::default(), 0)?;
        append.write(CONTENT)?;
    }
    append.commit()?;
    let mut session = Session::new(store, Arc::new(|| {}), Settings::default(), 0);
    for command in [
        "SELECT INBOX",
        "FETCH 1:* (FLAGS UID)",
        "FETCH 1:* (FLAGS UID)",
        "FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)",
        "FETCH 1:* ENVELOPE",
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE)",
        "FETCH 1:* BODY.PEEK[]",
        "SEARCH SUBJECT nothing",
        "SEARCH TEXT nothing",
        "STORE 1:* +FLAGS.SILENT (\\Seen)",
    ] {
        let start = Instant::now();
        session.feed(format!("a {command}\r\n").as_bytes(), 0);
        let (mut out, mut octets) = (Vec::new(), 0);
        loop {
            out.clear();
            session.next_output(&mut out, 64 * 1024);
            if out.is_empty() {
                break;
            }
            octets += out.len();
        }
        let secs = start.elapsed().as_secs_f64();
        println!(
            "{command}: {:.0} messages/s, {:.0} MB/s",
            MESSAGES as f64 / secs,
            octets as f64 / secs / 1e6
        );
    }
    Ok(())
}
