//! IMAP and POP3 beside Debian's Dovecot: one dovecot.conf, the same Maildirs, interleaved runs; every row of the goals.

mod corpus;
mod imap;
mod imap_client;
mod memory;
mod pop3;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::disk::Disk;
use super::output;
use super::servers::{self, Roles, Server};
use super::sides::{self, Before, Side};

use corpus::Corpus;
use imap_client::Client;

const PORT_BASES: [u16; 2] = [27_500, 27_600];
const RUNS: usize = 5;
/// Messages in most mailboxes, and in the large one.
const MANY: usize = 10_000;
const VERY_MANY: usize = 100_000;
/// How long loads without a natural end go on.
const LOAD_FOR: Duration = Duration::from_secs(2);
const PASSWORD: &str = "pw";

/// One of the two servers, and where the homes of its users are.
pub(super) struct Host<'a> {
    server: Server,
    imap: u16,
    imaps: u16,
    pop3: u16,
    homes: PathBuf,
    corpus: &'a Corpus,
}

/// What a run did: so many units (messages, megabytes, log-ins) in that time. `None`: the server does not offer it.
type Measured = Result<Option<(usize, Duration)>>;

/// A row of the goals.
struct Row {
    /// What is done, and what is counted.
    name: &'static str,
    /// The goal: at least so many times Dovecot's rate.
    goal: f64,
    /// One run; the number makes names of its own.
    measure: fn(&Host<'_>, usize) -> Measured,
}

/// Measures IMAP and prints the rows.
pub fn imap(program: &Path, disk: &Disk) -> Result<()> {
    run(program, disk, "IMAP", imap::ROWS)?;
    memory::run(program, disk)
}

/// Measures POP3 and prints the rows.
pub fn pop3(program: &Path, disk: &Disk) -> Result<()> {
    run(program, disk, "POP3", pop3::ROWS)
}

fn run(program: &Path, disk: &Disk, protocol: &str, rows: &[Row]) -> Result<()> {
    let corpus = Corpus::make(&disk.directory().join("corpus"))?;
    let hosts = hosts(program, disk, &corpus)?;
    println!(
        "\n{protocol} on Maildirs of {MANY} messages ({:.0} MB), {VERY_MANY} where it says so; {RUNS} interleaved runs: \
         median (smallest-largest)\n",
        corpus.megabytes(),
    );
    sides::show_head("units");
    for row in rows {
        let mut sides = [Side::default(), Side::default()];
        let mut offered = [true; 2];
        for run in 0..RUNS {
            for (at, host) in hosts.iter().enumerate() {
                let before = Before::of(&host.server, disk);
                let measured = (row.measure)(host, run);
                let measured = measured.with_context(|| format!("{}, {}", row.name, host.server.name))?;
                match measured {
                    Some(done) => sides[at].add(done, &before, &host.server, disk),
                    None => offered[at] = false,
                }
            }
        }
        sides::show_named(row.name, &hosts.each_ref().map(|host| host.server.name), &sides);
        for (host, offered) in hosts.iter().zip(offered) {
            if !offered {
                println!("{:<40} {} does not offer it", row.name, host.server.name);
            }
        }
        println!("{:<40} goal     {:.1} x", row.name, row.goal);
    }
    Ok(())
}

/// Starts both.
fn hosts<'a>(program: &Path, disk: &Disk, corpus: &'a Corpus) -> Result<[Host<'a>; 2]> {
    let [ours, dovecots] = ["yubin", "dovecot"].map(|name| disk.directory().join(name));
    let host = |server, directory: &Path, base: u16| Host {
        server,
        imap: base,
        imaps: base + 1,
        pop3: base + 2,
        homes: directory.join("home"),
        corpus,
    };
    configure(&ours, PORT_BASES[0])?;
    configure(&dovecots, PORT_BASES[1])?;
    let yubin = servers::mailboxes(program, &ours, Roles::Apart, (PORT_BASES[0], servers::IMAP))?;
    let dovecot = servers::dovecot(&dovecots, (PORT_BASES[1], servers::IMAP))?;
    Ok([
        host(yubin, &ours, PORT_BASES[0]),
        host(dovecot, &dovecots, PORT_BASES[1]),
    ])
}

/// Virtual users of one uid with any name, everything else at its default.
fn configure(directory: &Path, base: u16) -> Result<()> {
    for name in ["home", "run", "state"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let own = directory.display();
    output(
        "chown",
        &["daemon:daemon", &directory.join("home").to_string_lossy()],
    )?;
    let (certificate, key) = super::handover::self_signed(directory)?;
    let listener = |service: &str, name: &str, port: u16, tls: &str| {
        format!("service {service} {{\n  inet_listener {name} {{\n    port = {port}\n{tls}  }}\n}}\n")
    };
    let listeners = [
        listener("imap-login", "imap", base, ""),
        listener("imap-login", "imaps", base + 1, "    ssl = yes\n"),
        listener("pop3-login", "pop3", base + 2, ""),
        listener("pop3-login", "pop3s", 0, ""),
    ];
    let text = format!(
        "base_dir = {own}/run\nstate_dir = {own}/state\nlog_path = {own}/log\nprotocols = imap pop3\n\
         ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\ndisable_plaintext_auth = no\n\
         listen = 127.0.0.1\nfirst_valid_uid = 1\nmail_location = maildir:~/Maildir\nmail_max_userip_connections = 0\n\
         passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n\
         userdb {{\n  driver = static\n  args = uid=daemon gid=daemon home={own}/home/%n allow_all_users=yes\n}}\n{}",
        listeners.concat()
    );
    Ok(fs::write(directory.join("dovecot.conf"), text)?)
}

impl Host<'_> {
    /// Makes a user whose INBOX holds so many messages that no server has seen; their files are shared with the corpus.
    fn new_user(&self, name: &str, messages: usize) -> Result<()> {
        let home = self.homes.join(name);
        let _ = fs::remove_dir_all(&home);
        fs::create_dir(&home)?;
        let maildir = home.join("Maildir");
        if messages == 0 {
            fs::create_dir(&maildir)?;
        } else {
            let from = self.corpus.directory(messages);
            output(
                "cp",
                &["-al", &from.to_string_lossy(), &maildir.to_string_lossy()],
            )?;
        }
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(part))?;
        }
        // The files of the corpus have the owner already.
        for directory in [
            &home,
            &maildir,
            &maildir.join("cur"),
            &maildir.join("new"),
            &maildir.join("tmp"),
        ] {
            output("chown", &["daemon:daemon", &directory.to_string_lossy()])?;
        }
        Ok(())
    }

    /// A user whose mailbox of so many messages was read before, so that every index there can be is there.
    fn warm_user(&self, messages: usize) -> Result<String> {
        let name = format!("warm-{messages}");
        if !self.homes.join(&name).exists() {
            self.new_user(&name, messages)?;
            let mut client = self.selected(&name)?;
            client.command("FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE)")?;
            client.command("LOGOUT")?;
        }
        Ok(name)
    }

    /// A session of a user, logged in.
    fn session(&self, user: &str) -> Result<Client> {
        let mut client = Client::connect(self.imap)?;
        client.command(&format!("LOGIN {user} {PASSWORD}"))?;
        Ok(client)
    }

    /// A session with INBOX selected.
    fn selected(&self, user: &str) -> Result<Client> {
        let mut client = self.session(user)?;
        client.command("SELECT INBOX")?;
        Ok(client)
    }
}
