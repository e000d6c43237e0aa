//! SIGKILL at random moments while Debian's `smtp-source` pushes mail in: every message that was answered with 250 is in
//! the mailbox, whole, on this host or on the one that it is relayed to. A message may be there twice: that is counted and
//! printed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use system_tests::{Sandbox, has_program, wait_for};

/// How long messages are pushed in, over all rounds of one test.
const PUSHING: Duration = Duration::from_secs(12);
const SESSIONS: &str = "10";

/// `smtp-source` at work, and the queue ids that it was told with a 250.
struct Source {
    child: Child,
    acknowledged: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Source {
    fn start(port: u16, octets: usize, recipient: &str) -> Source {
        let mut command = Command::new("/usr/sbin/smtp-source");
        command.args(["-v", "-s", SESSIONS, "-m", "100000", "-l", &octets.to_string()]);
        command.args(["-f", "sender@example.org", "-t", recipient]);
        command.arg(format!("127.0.0.1:{port}"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("smtp-source can be started");
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let (stderr, ids) = (
            child.stderr.take().expect("it is a pipe"),
            Arc::clone(&acknowledged),
        );
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, id)) = line.split_once("<<< 250 2.0.0 Ok: queued as ") {
                    ids.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(id.to_owned());
                }
            }
        });
        Source {
            child,
            acknowledged,
            reader: Some(reader),
        }
    }

    fn count(&self) -> usize {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Ends it; all that it was told.
    fn end(mut self) -> Vec<String> {
        // It ends by itself when its server is gone; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.reader.take().map(JoinHandle::join);
        std::mem::take(&mut *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers without a pattern (xorshift); a failing test prints its seed.
struct Dice(u64);

impl Dice {
    fn seeded() -> Dice {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = now.expect("the clock is past 1970").as_nanos();
        Dice(u64::try_from(seed & u128::from(u64::MAX)).unwrap_or(1) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Pushes, kills, starts again; returns the queue ids that were answered with 250.
#[allow(clippy::print_stdout, reason = "what a test prints is shown with its failure")]
fn push_and_kill(sandbox: &mut Sandbox, octets: usize, most_at_once: u64) -> BTreeSet<String> {
    let mut dice = Dice::seeded();
    println!("seed {}", dice.0);
    let mut acknowledged = BTreeSet::new();
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < PUSHING || rounds < 3 {
        let source = Source::start(sandbox.ports().smtp, octets, "alice@localhost");
        let enough = usize::try_from(1 + dice.below(most_at_once)).expect("a small number");
        wait_for("messages to be accepted", || source.count() >= enough);
        sandbox.kill();
        for id in source.end() {
            assert!(acknowledged.insert(id.clone()), "{id} was given twice");
        }
        rounds += 1;
        sandbox.launch();
    }
    println!(
        "{rounds} kills, {} messages answered with 250",
        acknowledged.len()
    );
    acknowledged
}

/// Every message that was acknowledged is among these, and all are whole; how many are there more than once.
#[allow(
    clippy::print_stdout,
    reason = "duplicates are to be seen in the test's output"
)]
fn check(acknowledged: &BTreeSet<String>, messages: &[Vec<u8>]) -> usize {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut body: Option<&str> = None;
    for message in messages {
        let text = std::str::from_utf8(message).expect("smtp-source writes ASCII");
        let id = text
            .split_once(" with SMTP id ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or_else(|| panic!("a message without a queue id:\n{text}"));
        *times.entry(id.to_owned()).or_default() += 1;
        let (header, rest) = text.split_once("\n\n").expect("a header and a body");
        assert!(header.contains("\nMessage-Id: <"), "{header}");
        assert!(rest.starts_with("1XXXX"), "{rest}");
        assert_eq!(*body.get_or_insert(rest), rest, "{id} is damaged");
    }
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !times.contains_key(*id))
        .collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    let twice = times.values().filter(|&&count| count > 1).count();
    println!(
        "{} messages in the mailbox, {twice} of them more than once",
        times.len()
    );
    twice
}

fn messages_survive(octets: usize, most_at_once: u64, mbox: bool) {
    if !has_program("/usr/sbin/smtp-source", "postfix") {
        return;
    }
    let mut sandbox = Sandbox::start();
    if mbox {
        sandbox.edit_main_cf("home_mailbox", "");
        sandbox.restart();
    }
    let acknowledged = push_and_kill(&mut sandbox, octets, most_at_once);
    wait_for("the queue to be worked off", || super::queue_is_empty(&sandbox));
    let messages = if mbox {
        sandbox.mbox("alice")
    } else {
        sandbox.maildir("alice", "Maildir")
    };
    check(&acknowledged, &messages);
}

#[test]
fn messages_survive_in_a_maildir() {
    messages_survive(4096, 400, false);
}

#[test]
fn messages_survive_in_an_mbox() {
    messages_survive(4096, 200, true);
}

/// Large ones lie in spool files of their own.
#[test]
fn large_messages_survive() {
    messages_survive(300_000, 20, false);
}

/// One host that relays everything to another one, which has the mailbox.
struct Relayed {
    relay: Sandbox,
    receiver: Sandbox,
}

impl Relayed {
    fn start() -> Relayed {
        let (mut relay, mut receiver) = (Sandbox::start(), Sandbox::start());
        receiver.stop();
        receiver.edit_main_cf("mydestination", "localhost, receiver.test");
        receiver.launch();
        relay.stop();
        relay.edit_main_cf("relayhost", &format!("[127.0.0.1]:{}", receiver.ports().smtp));
        relay.edit_main_cf("minimal_backoff_time", "1s");
        relay.edit_main_cf("maximal_backoff_time", "2s");
        relay.edit_main_cf("queue_run_delay", "1s");
        relay.launch();
        Relayed { relay, receiver }
    }

    /// Kills one of the two, whichever the dice say, and starts it again.
    fn kill_one(&mut self, dice: &mut Dice) {
        let killed = match dice.below(2) {
            0 => &mut self.relay,
            _ => &mut self.receiver,
        };
        killed.kill();
        killed.launch();
    }
}

/// What the relay was told with 250 is in the other host's mailbox, whichever of the two dies, and when.
#[test]
#[allow(clippy::print_stdout, reason = "what a test prints is shown with its failure")]
fn relayed_messages_survive_the_death_of_either_host() {
    if !has_program("/usr/sbin/smtp-source", "postfix") {
        return;
    }
    let mut hosts = Relayed::start();
    let mut dice = Dice::seeded();
    println!("seed {}", dice.0);
    let mut acknowledged = BTreeSet::new();
    let start = Instant::now();
    let mut kills = 0;
    while start.elapsed() < PUSHING || kills < 4 {
        let source = Source::start(hosts.relay.ports().smtp, 4096, "alice@receiver.test");
        let enough = usize::try_from(1 + dice.below(200)).expect("a small number");
        wait_for("messages to be accepted", || source.count() >= enough);
        hosts.kill_one(&mut dice);
        kills += 1;
        acknowledged.extend(source.end());
    }
    println!("{kills} kills, {} messages answered with 250", acknowledged.len());
    for host in [&hosts.relay, &hosts.receiver] {
        wait_for("the queue to be worked off", || super::queue_is_empty(host));
    }
    let twice = check(&acknowledged, &hosts.receiver.maildir("alice", "Maildir"));
    let is_told = |host: &Sandbox| {
        host.log()
            .contains("those whose delivery was under way may arrive twice")
    };
    assert!(
        twice == 0 || is_told(&hosts.relay) || is_told(&hosts.receiver),
        "mail is there twice, and no log says that it may be"
    );
}
