//! What the embedded system costs when nothing happens: time until it greets, memory alone and per idle session.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::disk::Disk;
use super::figures::Figures;
use super::processes::memory_kib;
use super::servers::{self, Server};

const PORT_BASE: u16 = 27_300;
const RUNS: usize = 5;
const PLAIN_SESSIONS: usize = 500;
const TLS_SESSIONS: usize = 300;
/// Memory is read when it has stayed as it is for so long.
const LOOK: Duration = Duration::from_millis(300);
const SETTLE_LOOKS: usize = 20;
/// Logs sessions in, selects INBOX, says IDLE; then prints a line and waits for the end of its input.
const GENERATOR: &str = include_str!("idle_imap.py");

/// Measures and prints.
pub fn run(program: &Path, disk: &Disk) -> Result<()> {
    let directory = disk.directory().join("embedded");
    let (server, password) = servers::embedded(program, &directory, PORT_BASE)?;
    let password = password.context("the first start shows no password")?;
    drop(server);
    allow_many_sessions(&directory)?;
    println!("\nthe embedded system, {RUNS} runs");
    let (mut greeting, mut memory) = (Figures::default(), Figures::default());
    for _ in 0..RUNS {
        let began = Instant::now();
        let (server, _) = servers::embedded(program, &directory, PORT_BASE)?;
        greeting.add(began.elapsed().as_secs_f64() * 1000.0);
        memory.add(settled_memory(&server) / 1024.0);
    }
    println!("start to first greeting     {greeting:.1} ms");
    println!("memory with no connection   {memory:.1} MiB");
    for (name, count, port, tls) in [
        ("plain", PLAIN_SESSIONS, PORT_BASE + 143, false),
        ("TLS", TLS_SESSIONS, PORT_BASE + 993, true),
    ] {
        let (server, _) = servers::embedded(program, &directory, PORT_BASE)?;
        let each = idle_sessions(&server, count, (port, tls), ("alice", &password))?;
        println!(
            "memory per idle {name:<5} IMAP  {each:.1} KiB ({count} sessions of one user, INBOX selected, IDLE)"
        );
    }
    Ok(())
}

fn allow_many_sessions(directory: &Path) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(directory.join("etc/dovecot.conf"))?;
    Ok(writeln!(file, "mail_max_userip_connections = 10000")?)
}

/// KiB for each of `count` sessions.
pub(super) fn idle_sessions(
    server: &Server,
    count: usize,
    (port, tls): (u16, bool),
    (user, password): (&str, &str),
) -> Result<f64> {
    let before = settled_memory(server);
    let mut generator = Command::new("python3")
        .args([
            "-c",
            GENERATOR,
            &port.to_string(),
            &count.to_string(),
            if tls { "yes" } else { "no" },
            user,
            password,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run python3")?;
    let mut line = String::new();
    if let Some(screen) = generator.stdout.take() {
        BufReader::new(screen).read_line(&mut line)?;
    }
    let after = settled_memory(server);
    drop(generator.stdin.take());
    generator.wait()?;
    if line.trim() != "ready" {
        bail!("the sessions were not all logged in");
    }
    Ok((after - before) / count as f64)
}

/// KiB, once they stay the same.
pub(super) fn settled_memory(server: &Server) -> f64 {
    let mut last = memory_kib(server.pid);
    for _ in 0..SETTLE_LOOKS {
        std::thread::sleep(LOOK);
        let now = memory_kib(server.pid);
        if now == last {
            break;
        }
        last = now;
    }
    last as f64
}
