//! Mail by SMTP into mailboxes: deliveries from the first octet until the last one is in its mailbox; rate, CPU and disk flushes
//! per delivery, of Yubin and Postfix with one configuration.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::disk::Disk;
use super::output;
use super::servers::{self, SMTP_SOURCE, Server};
use super::sides::{self, Before, Side};

const PORTS: [u16; 2] = [27_545, 27_645];
const RUNS: usize = 5;
/// How long one run should take; the warm-up tells how many messages that are.
const RUN_SECS: f64 = 1.5;
const WARM_UP_DELIVERIES: usize = 300;
const DELIVERIES_MAX: usize = 50_000;
const BODY_BYTES: usize = 4096;
const SESSIONS: usize = 10;
/// How long the last delivery of a run may take.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(2);
/// How many recipients a message has.
const RECIPIENTS: [usize; 2] = [1, 100];
/// Each format with what stands behind a user's name.
const FORMATS: [(&str, &str); 2] = [("Maildir", "/"), ("mbox", "")];

/// Measures and prints the table.
pub fn run(program: &Path, disk: &Disk) -> Result<()> {
    println!(
        "\nmail by SMTP into mailboxes, {BODY_BYTES} octets, {SESSIONS} sessions; {RUNS} interleaved runs of {RUN_SECS} s: \
         median (smallest-largest); all per delivery\n"
    );
    sides::show_head("deliveries");
    for (format, ending) in FORMATS {
        let directories = ["yubin", "postfix"].map(|name| disk.directory().join(format).join(name));
        for (directory, port) in directories.iter().zip(PORTS) {
            configure(directory, port, ending)?;
        }
        let mut servers = vec![servers::yubin(program, &directories[0], PORTS[0])?];
        match servers::postfix(&directories[1], PORTS[1]) {
            Ok(postfix) => servers.push(postfix),
            Err(error) => println!("Postfix does not start here, Yubin stands alone: {error:#}"),
        }
        for recipients in RECIPIENTS {
            let mut logs = directories.each_ref().map(|directory| Deliveries::of(directory));
            let mut results: Vec<Side> = servers.iter().map(|_| Side::default()).collect();
            let mut counts = Vec::new();
            for (server, log) in servers.iter().zip(&mut logs) {
                let messages = WARM_UP_DELIVERIES.div_ceil(recipients);
                let took = deliver(server, log, messages, recipients)?;
                let rate = messages as f64 / took.as_secs_f64();
                let most = DELIVERIES_MAX / recipients;
                counts.push(((rate * RUN_SECS) as usize).clamp(SESSIONS, most));
            }
            for _ in 0..RUNS {
                let each = servers.iter().zip(&mut logs).zip(&counts).zip(&mut results);
                for (((server, log), messages), result) in each {
                    let before = Before::of(server, disk);
                    let took = deliver(server, log, *messages, recipients)?;
                    result.add((messages * recipients, took), &before, server, disk);
                }
            }
            let load = format!("{format}, {}", sides::counted(recipients, "recipient"));
            sides::show(&load, &servers, &results);
        }
    }
    Ok(())
}

/// A hundred virtual mailboxes of one uid, everything else at its default.
fn configure(directory: &Path, port: u16, ending: &str) -> Result<()> {
    servers::configure(directory, port)?;
    let boxes = directory.join("boxes");
    fs::create_dir_all(&boxes)?;
    output("chown", &["nobody:nogroup", &boxes.to_string_lossy()])?;
    let users = (1..=100).chain([0]).map(|number| {
        let name = if number == 0 {
            "user".to_owned()
        } else {
            format!("{number}user")
        };
        format!("{name}@boxes.test {name}{ending}\n")
    });
    fs::write(directory.join("etc/boxes"), users.collect::<String>())?;
    let main_cf = directory.join("etc/main.cf");
    let mut text = fs::read_to_string(&main_cf)?;
    let uid = output("id", &["-u", "nobody"])?;
    let gid = output("id", &["-g", "nobody"])?;
    text.push_str(&format!(
        "virtual_mailbox_domains = boxes.test\nvirtual_mailbox_base = {}\nvirtual_mailbox_limit = 0\n\
         virtual_mailbox_maps = texthash:{}/etc/boxes\nvirtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n",
        boxes.display(),
        directory.display()
    ));
    Ok(fs::write(main_cf, text)?)
}

/// The deliveries that a server's log tells of.
struct Deliveries {
    log: PathBuf,
    read_to: u64,
    /// The beginning of a line that is not complete yet.
    rest: String,
}

impl Deliveries {
    fn of(directory: &Path) -> Deliveries {
        Deliveries {
            log: directory.join("log/mail.log"),
            read_to: 0,
            rest: String::new(),
        }
    }

    /// How many there were since the last look.
    fn new_ones(&mut self) -> Result<usize> {
        let mut file =
            File::open(&self.log).with_context(|| format!("cannot open {}", self.log.display()))?;
        file.seek(SeekFrom::Start(self.read_to))?;
        let mut text = std::mem::take(&mut self.rest);
        self.read_to += file.read_to_string(&mut text)? as u64;
        let complete = text.rfind('\n').map_or(0, |at| at + 1);
        self.rest = text.split_off(complete);
        Ok(text.matches("status=sent").count())
    }
}

/// Sends so many messages and waits for the last delivery; how long that took.
fn deliver(server: &Server, log: &mut Deliveries, messages: usize, recipients: usize) -> Result<Duration> {
    log.new_ones()?;
    let mut generator = Command::new(SMTP_SOURCE);
    let numbers = [SESSIONS, messages, BODY_BYTES, recipients].map(|number| number.to_string());
    let [sessions, count, octets, each] = &numbers;
    generator.args([
        "-s",
        sessions,
        "-m",
        count,
        "-l",
        octets,
        "-f",
        "sender@bench.test",
    ]);
    if recipients > 1 {
        generator.args(["-r", each]);
    }
    generator.args(["-t", "user@boxes.test"]);
    generator
        .arg(format!("127.0.0.1:{}", server.port))
        .stdin(Stdio::null());
    let began = Instant::now();
    let status = generator.status().context("cannot run smtp-source")?;
    if !status.success() {
        bail!("smtp-source to port {}: {status}", server.port);
    }
    let mut left = messages * recipients;
    while left > 0 {
        left = left.saturating_sub(log.new_ones()?);
        if began.elapsed() > DELIVERY_TIMEOUT {
            bail!(
                "{}: {left} deliveries are missing after {DELIVERY_TIMEOUT:?}",
                server.name
            );
        }
        std::thread::sleep(LOOK);
    }
    Ok(began.elapsed())
}
