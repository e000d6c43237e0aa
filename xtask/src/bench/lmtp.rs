//! Delivery over LMTP into Maildirs of one uid: rate, CPU and disk flushes per message, of Yubin and Dovecot with one
//! dovecot.conf.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::disk::Disk;
use super::output;
use super::servers::{self, Roles, SMTP, SMTP_SOURCE, Server};
use super::sides::{self, Before, Side};

const PORTS: [u16; 2] = [27_324, 27_424];
const RUNS: usize = 5;
const RUN_SECS: f64 = 1.5;
const WARM_UP_MESSAGES: usize = 200;
const BODY_BYTES: usize = 4096;
/// Each session delivers to a user of its own.
const SESSIONS: [usize; 2] = [1, 10];

/// Measures and prints the table.
pub fn run(program: &Path, disk: &Disk) -> Result<()> {
    let directories = ["yubin", "dovecot"].map(|name| disk.directory().join(name));
    for (directory, port) in directories.iter().zip(PORTS) {
        configure(directory, port)?;
    }
    let mut servers = vec![servers::mailboxes(
        program,
        &directories[0],
        Roles::InOneProcess,
        (PORTS[0], SMTP),
    )?];
    match servers::dovecot(&directories[1], (PORTS[1], SMTP)) {
        Ok(dovecot) => servers.push(dovecot),
        Err(error) => println!("Dovecot does not start here, Yubin stands alone: {error:#}"),
    }
    println!(
        "\nLMTP to Maildir, {BODY_BYTES} octets, a connection kept by each session; {RUNS} interleaved runs of {RUN_SECS} s: \
         median (smallest-largest)\n"
    );
    sides::show_head("messages");
    for sessions in SESSIONS {
        let mut results: Vec<Side> = servers.iter().map(|_| Side::default()).collect();
        let mut counts = Vec::new();
        for server in &servers {
            let took = push(server.port, sessions, WARM_UP_MESSAGES)?;
            let rate = WARM_UP_MESSAGES as f64 / took.as_secs_f64();
            counts.push(((rate * RUN_SECS) as usize).max(sessions));
        }
        for _ in 0..RUNS {
            for ((server, count), result) in servers.iter().zip(&counts).zip(&mut results) {
                measure(server, sessions, *count, disk, result)?;
            }
        }
        sides::show(&sides::counted(sessions, "session"), &servers, &results);
    }
    Ok(())
}

/// Virtual users of one uid, everything else at its default.
fn configure(directory: &Path, port: u16) -> Result<()> {
    for name in ["home", "run", "state"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let own = directory.display();
    output(
        "chown",
        &["nobody:nogroup", &directory.join("home").to_string_lossy()],
    )?;
    let text = format!(
        "base_dir = {own}/run\nstate_dir = {own}/state\nlog_path = {own}/log\nprotocols = lmtp\nssl = no\n\
         listen = 127.0.0.1\nfirst_valid_uid = 1\nmail_location = maildir:~/Maildir\n\
         passdb {{\n  driver = static\n  args = nopassword=y\n}}\n\
         userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={own}/home/%n allow_all_users=yes\n}}\n\
         service lmtp {{\n  inet_listener lmtp {{\n    port = {port}\n  }}\n}}\n"
    );
    Ok(fs::write(directory.join("dovecot.conf"), text)?)
}

fn measure(server: &Server, sessions: usize, count: usize, disk: &Disk, result: &mut Side) -> Result<()> {
    let before = Before::of(server, disk);
    let took = push(server.port, sessions, count)?;
    result.add((count / sessions * sessions, took), &before, server, disk);
    Ok(())
}

/// Delivers `count` messages over so many sessions; how long that took.
fn push(port: u16, sessions: usize, count: usize) -> Result<Duration> {
    let began = Instant::now();
    let mut generators: Vec<Child> = Vec::new();
    for number in 0..sessions {
        let mut generator = Command::new(SMTP_SOURCE);
        let (each, body) = ((count / sessions).to_string(), BODY_BYTES.to_string());
        generator.args([
            "-L",
            "-d",
            "-s",
            "1",
            "-m",
            &each,
            "-l",
            &body,
            "-f",
            "sender@bench.test",
        ]);
        generator.args(["-t", &format!("user{number}@bench.test")]);
        generator.arg(format!("127.0.0.1:{port}")).stdin(Stdio::null());
        generators.push(generator.spawn().context("cannot run smtp-source")?);
    }
    for mut generator in generators {
        let status = generator.wait()?;
        if !status.success() {
            bail!("smtp-source to port {port}: {status}");
        }
    }
    Ok(began.elapsed())
}
