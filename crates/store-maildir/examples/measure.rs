//! Measures opening, listing and appending on a maildir of many messages: `measure [MESSAGES]`.

use std::io::Write;
use std::time::Instant;

use mailbox::{Flags, MailboxName, Result, Store};
use store_maildir::{MaildirStore, Options};

fn main() -> Result<()> {
    let messages: u32 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(10_000);
    let root = std::env::temp_dir().join(format!("yubin-measure-{}", std::process::id()));
    let told = run(&root, messages);
    let _ = std::fs::remove_dir_all(&root);
    told
}

fn run(root: &std::path::Path, messages: u32) -> Result<()> {
    let mut out = std::io::stdout();
    let mut tell = |what: &str, from: Instant, count: u32| {
        let took = from.elapsed();
        let rate = f64::from(count) / took.as_secs_f64();
        let _ = writeln!(
            out,
            "{what:28} {:9.2} ms  {rate:10.0}/s",
            took.as_secs_f64() * 1e3
        );
    };
    for part in ["cur", "new", "tmp"] {
        let _ = std::fs::create_dir_all(root.join(part));
    }
    for number in 0..messages {
        let name = format!("cur/{}.M{number}P1.host,S=16,W=18:2,S", 1_700_000_000 + number);
        let _ = std::fs::write(root.join(name), "Subject: x\n\nbody");
    }
    let start = Instant::now();
    let store = MaildirStore::new(root, Options::default());
    let id = store.open(&MailboxName::inbox())?.id;
    let listed = store.changes(&id, 0)?;
    tell("open without index", start, listed.messages.len() as u32);
    std::thread::sleep(std::time::Duration::from_millis(50));
    store.changes(&id, listed.highest_modseq)?;
    for what in ["open with index, all changes", "again"] {
        let start = Instant::now();
        let store = MaildirStore::new(root, Options::default());
        let id = store.open(&MailboxName::inbox())?.id;
        tell(what, start, store.changes(&id, 0)?.messages.len() as u32);
    }
    let start = Instant::now();
    tell("all changes", start, store.changes(&id, 0)?.messages.len() as u32);
    let start = Instant::now();
    for _ in 0..1000 {
        store.changes(&id, listed.highest_modseq)?;
    }
    tell("nothing new, 1000 times", start, 1000);
    let start = Instant::now();
    for number in 0..2000 {
        let mut append = store.append(&id)?;
        append.start(Flags::default(), number)?;
        append.write(&[b'x'; 4096])?;
        append.commit()?;
    }
    tell("append 2000 of 4 KiB", start, 2000);
    Ok(())
}
