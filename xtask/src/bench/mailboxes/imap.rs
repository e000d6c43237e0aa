//! The IMAP rows.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::corpus::RARE_WORD;
use super::imap_client::Client;
use super::{Host, LOAD_FOR, MANY, Measured, Row, VERY_MANY};

/// Log-ins in one run of the first row.
const LOGINS: usize = 20;
const SESSIONS: usize = 10;
const SMALL: usize = 0;

const fn row(name: &'static str, goal: f64, measure: fn(&Host<'_>, usize) -> Measured) -> Row {
    Row { name, goal, measure }
}

pub(super) const ROWS: &[Row] = &[
    row("login + SELECT, warm", 8.0, login_and_select),
    row("SELECT without index, 10 k", 2.0, |host, run| {
        select_new(host, run, MANY)
    }),
    row("SELECT without index, 100 k", 2.0, |host, run| {
        select_new(host, run, VERY_MANY)
    }),
    row("FETCH 1:* (FLAGS UID), 100 k, messages", 4.0, fetch_flags),
    row("ENVELOPE BODYSTRUCTURE, disk cold, msgs", 2.0, |host, run| {
        fetch_new(host, run, true)
    }),
    row("ENVELOPE BODYSTRUCTURE, page-warm, msgs", 3.0, |host, run| {
        fetch_new(host, run, false)
    }),
    row("ENVELOPE BODYSTRUCTURE, cached, msgs", 8.0, fetch_cached),
    row("FETCH full bodies, MB", 2.5, fetch_bodies),
    row("SEARCH TEXT, messages", 8.0, |host, _| {
        search(host, &format!("TEXT {RARE_WORD}"))
    }),
    row("SEARCH SUBJECT, messages", 8.0, |host, _| {
        search(host, "SUBJECT deadline")
    }),
    row("SORT first, messages", 4.0, |host, run| {
        first(host, run, "SORT", "SORT (SUBJECT) UTF-8 ALL")
    }),
    row("SORT again, messages", 2.0, |host, _| {
        again(host, "SORT", "SORT (SUBJECT) UTF-8 ALL")
    }),
    row("THREAD=REFERENCES first, messages", 8.0, |host, run| {
        first(host, run, "THREAD=REFERENCES", "THREAD REFERENCES UTF-8 ALL")
    }),
    row("THREAD=REFERENCES again, messages", 2.0, |host, _| {
        again(host, "THREAD=REFERENCES", "THREAD REFERENCES UTF-8 ALL")
    }),
    row("STORE 1:*, messages", 1.5, store),
    row("COPY 10 k, messages", 2.0, copy),
    row("EXPUNGE 10 k, messages", 1.2, expunge),
    row("APPEND, 1 connection, messages", 3.0, |host, run| {
        append(host, run, 1)
    }),
    row("APPEND, 20 connections, messages", 8.0, |host, run| {
        append(host, run, 20)
    }),
    row("mixed, log-ins included, commands", 5.0, |host, _| {
        mixed(host, false)
    }),
    row("mixed, sessions kept, commands", 2.5, |host, _| mixed(host, true)),
    row("log-ins", 10.0, log_ins),
];

fn timed(act: impl FnOnce() -> Result<usize>) -> Measured {
    let began = Instant::now();
    let units = act()?;
    Ok(Some((units, began.elapsed())))
}

fn login_and_select(host: &Host<'_>, _: usize) -> Measured {
    let user = host.warm_user(MANY)?;
    timed(|| {
        for _ in 0..LOGINS {
            host.selected(&user)?;
        }
        Ok(LOGINS)
    })
}

fn select_new(host: &Host<'_>, run: usize, messages: usize) -> Measured {
    let user = format!("select-{messages}-{run}");
    host.new_user(&user, messages)?;
    let mut client = host.session(&user)?;
    timed(|| client.command("SELECT INBOX").map(|_| 1))
}

fn fetch_flags(host: &Host<'_>, _: usize) -> Measured {
    let user = host.warm_user(VERY_MANY)?;
    let mut client = host.selected(&user)?;
    client.command("FETCH 1:* (FLAGS UID)")?;
    timed(|| {
        for _ in 0..5 {
            client.command("FETCH 1:* (FLAGS UID)")?;
        }
        Ok(5 * VERY_MANY)
    })
}

fn fetch_new(host: &Host<'_>, run: usize, cold: bool) -> Measured {
    let user = format!("structure-{cold}-{run}");
    host.new_user(&user, MANY)?;
    if cold {
        let forget = super::output("sync", &[]).and_then(|_| Ok(fs::write("/proc/sys/vm/drop_caches", "3")?));
        forget.context("the pages of files cannot be forgotten here")?;
    } else {
        read_all(&host.homes.join(&user).join("Maildir/cur"))?;
    }
    let mut client = host.selected(&user)?;
    timed(|| client.command("FETCH 1:* (ENVELOPE BODYSTRUCTURE)").map(|_| MANY))
}

fn read_all(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        fs::read(entry?.path())?;
    }
    Ok(())
}

fn fetch_cached(host: &Host<'_>, _: usize) -> Measured {
    let user = host.warm_user(MANY)?;
    let mut client = host.selected(&user)?;
    timed(|| client.command("FETCH 1:* (ENVELOPE BODYSTRUCTURE)").map(|_| MANY))
}

fn fetch_bodies(host: &Host<'_>, _: usize) -> Measured {
    let user = host.warm_user(MANY)?;
    let mut client = host.selected(&user)?;
    timed(|| Ok(client.command("FETCH 1:* BODY.PEEK[]")? / 1_000_000))
}

fn search(host: &Host<'_>, what: &str) -> Measured {
    let user = host.warm_user(MANY)?;
    let mut client = host.selected(&user)?;
    timed(|| match client.found(&format!("SEARCH {what}"))? {
        0 => bail!("nothing was found"),
        _ => Ok(MANY),
    })
}

fn first(host: &Host<'_>, run: usize, capability: &str, command: &str) -> Measured {
    let user = format!("first-{}-{run}", capability.len());
    host.new_user(&user, MANY)?;
    read_all(&host.homes.join(&user).join("Maildir/cur"))?;
    let mut client = host.selected(&user)?;
    if !client.offers(capability)? {
        return Ok(None);
    }
    timed(|| client.command(command).map(|_| MANY))
}

/// In a new session, with what an earlier one left in the index.
fn again(host: &Host<'_>, capability: &str, command: &str) -> Measured {
    let user = host.warm_user(MANY)?;
    let mut client = host.selected(&user)?;
    if !client.offers(capability)? {
        return Ok(None);
    }
    client.command(command)?;
    client.command("LOGOUT")?;
    let mut client = host.selected(&user)?;
    timed(|| client.command(command).map(|_| MANY))
}

fn store(host: &Host<'_>, run: usize) -> Measured {
    let user = format!("store-{run}");
    host.new_user(&user, MANY)?;
    let mut client = host.selected(&user)?;
    timed(|| {
        client.command("STORE 1:* +FLAGS (\\Deleted)")?;
        client.command("STORE 1:* -FLAGS (\\Deleted)")?;
        Ok(2 * MANY)
    })
}

fn copy(host: &Host<'_>, run: usize) -> Measured {
    let user = format!("copy-{run}");
    host.new_user(&user, MANY)?;
    let mut client = host.selected(&user)?;
    client.command("CREATE there")?;
    timed(|| client.command("COPY 1:* there").map(|_| MANY))
}

fn expunge(host: &Host<'_>, run: usize) -> Measured {
    let user = format!("expunge-{run}");
    host.new_user(&user, MANY)?;
    let mut client = host.selected(&user)?;
    client.command("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
    timed(|| client.command("EXPUNGE").map(|_| MANY))
}

fn append(host: &Host<'_>, run: usize, connections: usize) -> Measured {
    let user = format!("append-{connections}-{run}");
    host.new_user(&user, SMALL)?;
    let message = format!(
        "From: a@example.org\r\nSubject: appended\r\n\r\n{}",
        "0123456789abc\r\n".repeat(270)
    );
    at_once(connections, |_, until| {
        let mut client = host.session(&user)?;
        let mut count = 0;
        while Instant::now() < until {
            client.append(&message)?;
            count += 1;
        }
        Ok(count)
    })
}

fn mixed(host: &Host<'_>, kept: bool) -> Measured {
    let users: Vec<String> = (0..SESSIONS).map(|number| format!("mixed-{number}")).collect();
    for user in &users {
        if !host.homes.join(user).exists() {
            host.new_user(user, MANY)?;
            host.selected(user)?
                .command("FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE)")?;
        }
    }
    at_once(SESSIONS, |number, until| {
        let (mut count, mut session) = (0, None);
        while Instant::now() < until {
            let mut client = match session.take() {
                Some(client) => client,
                None => {
                    count += 2;
                    host.selected(&users[number])?
                }
            };
            count += round(&mut client, 1 + count % (MANY - 60))?;
            if kept {
                session = Some(client);
            } else {
                client.command("LOGOUT")?;
                count += 1;
            }
        }
        Ok(count)
    })
}

/// What a client does that shows a page of a mailbox and opens a message of it; how many commands that is.
fn round(client: &mut Client, from: usize) -> Result<usize> {
    let commands = [
        "NOOP".to_owned(),
        format!("UID FETCH {from}:{} (FLAGS ENVELOPE RFC822.SIZE)", from + 50),
        format!("UID FETCH {from} (BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (References List-Id)])"),
        format!("UID FETCH {from} BODY.PEEK[]"),
        format!("UID STORE {from} +FLAGS (\\Seen)"),
        "STATUS INBOX (MESSAGES UNSEEN)".to_owned(),
        "UID SEARCH UNSEEN SINCE 1-Nov-2023 LARGER 30000".to_owned(),
        format!("UID STORE {from} -FLAGS (\\Seen)"),
    ];
    for command in &commands {
        client.command(command)?;
    }
    Ok(commands.len())
}

fn log_ins(host: &Host<'_>, _: usize) -> Measured {
    host.warm_user(MANY)?;
    at_once(SESSIONS, |number, until| {
        let mut count = 0;
        while Instant::now() < until {
            host.session(&format!("login-{number}"))?.command("LOGOUT")?;
            count += 1;
        }
        Ok(count)
    })
}

/// Runs a load in so many threads for [`LOAD_FOR`].
fn at_once(threads: usize, load: impl Fn(usize, Instant) -> Result<usize> + Sync) -> Measured {
    let began = Instant::now();
    let until = began + LOAD_FOR;
    let counts: Vec<Result<usize>> = std::thread::scope(|scope| {
        let load = &load;
        let running: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || load(number, until)))
            .collect();
        let ended = running.into_iter().map(|thread| thread.join());
        ended
            .map(|count| count.unwrap_or_else(|_| bail!("a thread of the load panicked")))
            .collect()
    });
    let took: Duration = began.elapsed();
    let counts: Vec<usize> = counts.into_iter().collect::<Result<_>>()?;
    Ok(Some((counts.iter().sum(), took)))
}
