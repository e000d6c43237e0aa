//! Accepting mail over SMTP: rate, CPU and disk flushes per message, of Yubin and Postfix with one configuration.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::disk::Disk;
use super::processes::cpu_time;
use super::servers::{self, SMTP_SOURCE, Server};
use super::sides::{self, Before, Side};

const PORTS: [u16; 2] = [27_125, 27_225];
const RUNS: usize = 5;
/// How long one run should take; the warm-up tells how many messages that are.
const RUN_SECS: f64 = 1.5;
const MESSAGES_MAX: usize = 20_000;
/// After a run the queue is worked off: until the server uses no CPU any more, but no longer than this.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN_LOOK: Duration = Duration::from_millis(120);

/// One row of the table.
struct Load {
    sessions: usize,
    body_bytes: usize,
    /// Many messages over each connection, instead of a connection for each message.
    keeps: bool,
    warm_up_messages: usize,
}

const fn load(sessions: usize, kib: usize, keeps: bool, warm_up_messages: usize) -> Load {
    Load {
        sessions,
        body_bytes: kib * 1024,
        keeps,
        warm_up_messages,
    }
}

const LOADS: [Load; 7] = [
    load(1, 4, false, 500),
    load(10, 4, false, 1000),
    load(50, 4, false, 1000),
    load(10, 4, true, 1000),
    load(1, 100, false, 200),
    load(10, 100, false, 500),
    load(50, 100, false, 500),
];

/// Measures and prints the table.
pub fn run(program: &Path, disk: &Disk) -> Result<()> {
    let directories = ["yubin", "postfix"].map(|name| disk.directory().join(name));
    for (directory, port) in directories.iter().zip(PORTS) {
        servers::configure(directory, port)?;
    }
    let mut sides = vec![servers::yubin(program, &directories[0], PORTS[0])?];
    match servers::postfix(&directories[1], PORTS[1]) {
        Ok(postfix) => sides.push(postfix),
        Err(error) => println!("Postfix does not start here, Yubin stands alone: {error:#}"),
    }
    println!(
        "\naccepting mail for the transport discard; {RUNS} interleaved runs of {RUN_SECS} s: median (smallest-largest)\n\
         CPU: of the whole process tree for reception, queue and discarding. flushes: of the disk, both counted per message\n"
    );
    sides::show_head("messages");
    for load in &LOADS {
        let mut results: Vec<Side> = sides.iter().map(|_| Side::default()).collect();
        let counts = sides
            .iter()
            .map(|server| warm_up(server, load))
            .collect::<Result<Vec<_>>>()?;
        for _ in 0..RUNS {
            for ((server, count), result) in sides.iter().zip(&counts).zip(&mut results) {
                measure(server, load, *count, disk, result)?;
            }
        }
        show(load, &sides, &results);
    }
    Ok(())
}

fn warm_up(server: &Server, load: &Load) -> Result<usize> {
    let took = push(server.port, load, load.warm_up_messages)?;
    settle(server);
    let rate = load.warm_up_messages as f64 / took.as_secs_f64();
    Ok(((rate * RUN_SECS) as usize).clamp(load.sessions, MESSAGES_MAX))
}

fn measure(server: &Server, load: &Load, count: usize, disk: &Disk, result: &mut Side) -> Result<()> {
    let before = Before::of(server, disk);
    let took = push(server.port, load, count)?;
    settle(server);
    result.add((count, took), &before, server, disk);
    Ok(())
}

/// Sends `count` messages; how long that took.
fn push(port: u16, load: &Load, count: usize) -> Result<Duration> {
    let mut generator = Command::new(SMTP_SOURCE);
    if load.keeps {
        generator.arg("-d");
    }
    let numbers = [load.sessions, count, load.body_bytes].map(|number| number.to_string());
    generator.args(["-s", &numbers[0], "-m", &numbers[1], "-l", &numbers[2]]);
    generator.args(["-f", "sender@bench.test", "-t", "recipient@bench.test"]);
    generator.arg(format!("127.0.0.1:{port}")).stdin(Stdio::null());
    let began = Instant::now();
    let status = generator.status().context("cannot run smtp-source")?;
    let took = began.elapsed();
    if !status.success() {
        bail!("smtp-source to port {port}: {status}");
    }
    Ok(took)
}

/// Waits until the server has worked off what it accepted.
fn settle(server: &Server) {
    let began = Instant::now();
    let mut last = cpu_time(server.pid);
    while began.elapsed() < DRAIN_TIMEOUT {
        std::thread::sleep(DRAIN_LOOK);
        let now = cpu_time(server.pid);
        if now == last {
            return;
        }
        last = now;
    }
}

fn show(load: &Load, servers: &[Server], results: &[Side]) {
    let kept = if load.keeps { ", kept" } else { "" };
    let sessions = sides::counted(load.sessions, "session");
    let name = format!("{} KiB, {sessions}{kept}", load.body_bytes / 1024);
    sides::show(&name, servers, results);
}
