//! Passing mail on: smtp-source, a server, smtp-sink. Rate until the last message has arrived, CPU, disk flushes and
//! connections per message, of Yubin and Postfix with one configuration.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::disk::Disk;
use super::figures::Figures;
use super::servers::{self, SMTP_SOURCE, Server};
use super::sides::{self, Before, Side};

const SMTP_SINK: &str = "/usr/sbin/smtp-sink";
const PORTS: [u16; 2] = [27_525, 27_625];
const SINK_PORT: u16 = 27_725;
const RUNS: usize = 5;
const MESSAGES: usize = 3000;
const WARM_UP_MESSAGES: usize = 500;
const BODY_BYTES: usize = 4096;
const SESSIONS: usize = 10;
/// How long the last message may take.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(300);

/// Debian's smtp-sink, counting.
struct Sink {
    child: Child,
    messages: Arc<AtomicUsize>,
    sessions: Arc<AtomicUsize>,
}

impl Sink {
    fn start() -> Result<Sink> {
        let mut child = Command::new(SMTP_SINK)
            .args(["-u", "nobody", "-c", &format!("127.0.0.1:{SINK_PORT}"), "1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run smtp-sink")?;
        let mut screen = child.stdout.take().context("smtp-sink has a standard output")?;
        let (messages, sessions) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counters = (Arc::clone(&messages), Arc::clone(&sessions));
        std::thread::spawn(move || {
            // `sess=1 quit=0 mesg=12`, again and again over the same line.
            let (mut text, mut piece) = (String::new(), [0; 4096]);
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                text.push_str(&String::from_utf8_lossy(&piece[..count]));
                let Some((whole, rest)) = text.rsplit_once('\r') else {
                    continue;
                };
                let last = whole.rsplit('\r').next().unwrap_or_default();
                for word in last.split_whitespace() {
                    match word.split_once('=') {
                        Some(("mesg", number)) => store(&counters.0, number),
                        Some(("sess", number)) => store(&counters.1, number),
                        _ => {}
                    }
                }
                text = rest.to_owned();
            }
        });
        Ok(Sink {
            child,
            messages,
            sessions,
        })
    }

    fn counts(&self) -> (usize, usize) {
        (
            self.messages.load(Ordering::Relaxed),
            self.sessions.load(Ordering::Relaxed),
        )
    }

    /// Waits until so many messages have arrived in all.
    fn wait_for(&self, messages: usize) -> Result<()> {
        let began = Instant::now();
        while self.counts().0 < messages {
            if began.elapsed() > ARRIVAL_TIMEOUT {
                bail!("only {} of {messages} messages have arrived", self.counts().0);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn store(counter: &AtomicUsize, number: &str) {
    if let Ok(number) = number.parse() {
        counter.store(number, Ordering::Relaxed);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures and prints the table.
pub fn run(program: &Path, disk: &Disk) -> Result<()> {
    let directories = ["yubin", "postfix"].map(|name| disk.directory().join(name));
    for (directory, port) in directories.iter().zip(PORTS) {
        servers::configure(directory, port)?;
        let main_cf = directory.join("etc/main.cf");
        let text = fs::read_to_string(&main_cf)?;
        fs::write(
            main_cf,
            format!("{text}mydestination = localhost\nrelayhost = [127.0.0.1]:{SINK_PORT}\n"),
        )?;
    }
    let sink = Sink::start()?;
    let mut servers = vec![servers::yubin(program, &directories[0], PORTS[0])?];
    match servers::postfix(&directories[1], PORTS[1]) {
        Ok(postfix) => servers.push(postfix),
        Err(error) => println!("Postfix does not start here, Yubin stands alone: {error:#}"),
    }
    println!(
        "\npassing on {MESSAGES} messages of {BODY_BYTES} octets from {SESSIONS} sessions of smtp-source to smtp-sink, until the \
         last one has arrived; {RUNS} interleaved runs: median (smallest-largest)\n"
    );
    sides::show_head("messages");
    let mut results: Vec<Side> = servers.iter().map(|_| Side::default()).collect();
    let mut connections = vec![Figures::default(); servers.len()];
    for server in &servers {
        pass_on(server, &sink, WARM_UP_MESSAGES)?;
    }
    for _ in 0..RUNS {
        for ((server, result), connections) in servers.iter().zip(&mut results).zip(&mut connections) {
            let (before, connected) = (Before::of(server, disk), sink.counts().1);
            let took = pass_on(server, &sink, MESSAGES)?;
            result.add((MESSAGES, took), &before, server, disk);
            connections.add((sink.counts().1 - connected) as f64 / MESSAGES as f64);
        }
    }
    sides::show(&sides::counted(SESSIONS, "session"), &servers, &results);
    for (server, connections) in servers.iter().zip(&connections) {
        println!("{}: {connections:.3} connections for each message", server.name);
    }
    Ok(())
}

/// Sends `count` messages; how long it took until all had arrived.
fn pass_on(server: &Server, sink: &Sink, count: usize) -> Result<Duration> {
    let wanted = sink.counts().0 + count;
    let began = Instant::now();
    let numbers = [SESSIONS, count, BODY_BYTES].map(|number| number.to_string());
    let status = Command::new(SMTP_SOURCE)
        .args(["-s", &numbers[0], "-m", &numbers[1], "-l", &numbers[2]])
        .args(["-f", "sender@bench.test", "-t", "recipient@elsewhere.test"])
        .arg(format!("127.0.0.1:{}", server.port))
        .stdin(Stdio::null())
        .status()
        .context("cannot run smtp-source")?;
    if !status.success() {
        bail!("smtp-source to port {}: {status}", server.port);
    }
    sink.wait_for(wanted)?;
    Ok(began.elapsed())
}
