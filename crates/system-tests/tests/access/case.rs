//! The file of cases, and what a program told of one.

use std::fmt;
use std::path::Path;

use system_tests::rules::split_rule;
use system_tests::side_by_side;

/// A case: the settings of a service, and what a client says to it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// What it is called.
    pub(super) name: String,
    /// `-o` settings.
    pub(super) settings: Vec<(String, String)>,
    /// The client's address.
    pub(super) from: [u8; 4],
    /// How the message ends, where that is looked at: `removed`, a queue, `nothing`.
    pub(super) end: Option<String>,
    /// Whose certificate it shows when STARTTLS was accepted.
    pub(super) card: Option<String>,
    /// Each connection begins with TLS.
    pub(super) is_wrapped: bool,
    /// What it says; `again` is said by nobody: it comes again; `| …` is content, which nobody answers; `>> …` is said together with what follows.
    pub(super) lines: Vec<String>,
}

/// Where a client quits and comes again.
pub(super) const AGAIN: &str = "again";

/// Where a client says nothing and hears something.
pub(super) const LISTEN: &str = "listen";

/// What a client says in cases that do not tell.
const USUAL: [&str; 3] = [
    "HELO client.example",
    "MAIL FROM:<sender@example.net>",
    "RCPT TO:<alice@example.test>",
];

/// The zone and the cases of the file. A case begins with `== NAME`; then come settings (`name = value`), `from ADDRESS`, `card NAME` (the
/// certificate that is shown behind STARTTLS), `wrapped` (each connection begins with TLS), `again` (the client quits and comes again), `listen` (it hears what nothing was said for), `end QUEUE` (what becomes of the message is compared too), and
/// `> LINE` for what is said, `>> LINE` for what is said without waiting for its answer, `| LINE` for content. The zone stands in front of the first case.
pub(super) fn read(file: &str) -> (String, Vec<Case>) {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let path = scenarios.join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut parts = text.split("\n== ");
    let zone = parts.next().unwrap().to_owned();
    (zone, parts.map(one).collect())
}

fn one(text: &str) -> Case {
    let mut lines = text.lines();
    let mut case = Case {
        name: lines.next().unwrap().trim().to_owned(),
        settings: Vec::new(),
        from: [127, 0, 0, 2],
        end: None,
        card: None,
        is_wrapped: false,
        lines: Vec::new(),
    };
    for line in lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some(said) = line.strip_prefix("> ") {
            case.lines.push(said.to_owned());
        } else if line == "wrapped" {
            case.is_wrapped = true;
        } else if [AGAIN, LISTEN].contains(&line) || line.starts_with("| ") || line.starts_with(">> ") {
            case.lines.push(line.to_owned());
        } else if let Some(address) = line.strip_prefix("from ") {
            case.from = address.parse::<std::net::Ipv4Addr>().unwrap().octets();
        } else if let Some(end) = line.strip_prefix("end ") {
            case.end = Some(end.to_owned());
        } else if let Some(card) = line.strip_prefix("card ") {
            case.card = Some(card.to_owned());
        } else {
            case.settings.push(side_by_side::setting(line));
        }
    }
    if case.lines.is_empty() {
        case.lines = USUAL.map(str::to_owned).to_vec();
    }
    case
}

impl Case {
    /// How often the client comes.
    pub(super) fn sessions(&self) -> usize {
        1 + self.lines.iter().filter(|line| *line == AGAIN).count()
    }

    /// The same with what stands for names in `@`s, such as `@carol.cert@`.
    pub(super) fn with(mut self, names: &[(String, String)]) -> Case {
        let put = |text: &mut String| {
            for (name, value) in names {
                *text = text.replace(&format!("@{name}@"), value);
            }
        };
        self.settings.iter_mut().for_each(|(_, value)| put(value));
        self.lines.iter_mut().for_each(put);
        self
    }
}

/// What a program told of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    replies: Vec<String>,
    log: Vec<String>,
    asked: Vec<String>,
    /// What became of the message.
    effects: String,
}

/// Warnings in which each speaks of things in its own way: which server of DNS, which library, whose main.cf.
const OWN_WORDS: [&str; 3] = ["dict_", "restriction `", "overriding earlier entry"];

/// How much room a disk has changes while it is looked at.
fn without_free_space(text: &str) -> String {
    match text.split_once("mail queue: ") {
        Some((before, behind)) => {
            let (_, rest) = behind.split_once(" bytes").unwrap_or_default();
            format!("{before}mail queue: SOME bytes{rest}")
        }
        None => text.to_owned(),
    }
}

/// A queue id behind `warning: `.
fn without_warned_id(text: &str) -> String {
    match text.split_once("warning: ") {
        Some(("", behind)) => format!("warning: {}", without_queue_id(behind)),
        _ => text.to_owned(),
    }
}

impl Told {
    /// The same without names that differ from run to run.
    pub(super) fn new(replies: Vec<String>, log: &str, asked: &[String]) -> Told {
        let lines = log.lines().filter_map(|line| {
            let (_, text) = line.split_once("smtpd[")?;
            let (_, text) = text.split_once("]: ")?;
            let is_told = !text.starts_with("connect from")
                && !text.starts_with("disconnect from")
                && !text.starts_with("lost connection")
                // What ours says when it starts; each case has its own line again.
                && !text.starts_with("error: ")
                && !OWN_WORDS.iter().any(|words| text.contains(words));
            // Each library describes a session in its own way.
            let text = match text.split_once("TLS connection established from") {
                Some(_) => text.split_once("]: ").map_or(text, |(before, _)| before),
                None => text,
            };
            let text = match text.split_once(" for service 127.0.0.1:") {
                Some((before, _)) => format!("{before} for service PORT"),
                None => text.to_owned(),
            };
            let text = &text;
            let text = without_warned_id(&without_free_space(split_rule(text).0));
            is_told.then(|| without_queue_id(&text))
        });
        let replies = replies.iter().map(|reply| match reply.split_once("queued as ") {
            Some((before, _)) => format!("{before}queued as ID"),
            None => reply.clone(),
        });
        Told {
            replies: replies.collect(),
            log: lines.collect(),
            asked: asked.iter().map(|question| settled(question)).collect(),
            effects: String::new(),
        }
    }
}

pub(super) fn without_queue_id(text: &str) -> String {
    match text.split_once(": ") {
        Some((id, rest))
            if id.len() > 6
                && id.bytes().all(|octet| octet.is_ascii_alphanumeric())
                && id != "NOQUEUE"
                && id != "warning" =>
        {
            format!("ID: {rest}")
        }
        _ => text.to_owned(),
    }
}

/// A question without what differs.
fn settled(question: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((name @ ("client_port" | "server_port" | "instance" | "queue_id"), value)) => {
            let is_there = !value.is_empty();
            format!("{name}={}", if is_there { "SOME" } else { "" })
        }
        _ => line.to_owned(),
    };
    question.lines().map(line).collect::<Vec<_>>().join("\n")
}

impl Told {
    /// The same with what became of the message.
    pub(super) fn with_effects(self, effects: String) -> Told {
        Told { effects, ..self }
    }

    /// The replies; the greeting is the first one.
    pub(super) fn replies(&self) -> &[String] {
        &self.replies
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.replies
            .iter()
            .skip(1)
            .try_for_each(|line| writeln!(f, "S: {line}"))?;
        self.log.iter().try_for_each(|line| writeln!(f, "log {line}"))?;
        self.asked
            .iter()
            .try_for_each(|line| writeln!(f, "asked {line}"))?;
        f.write_str(&self.effects)
    }
}

/// The rules of the refusals in a log of ours, in order; `Err` is a line that names none.
pub(super) fn rules(log: &str) -> Vec<Result<String, String>> {
    let refusals = log.lines().filter(|line| {
        let text = line
            .split_once("smtpd[")
            .and_then(|(_, text)| text.split_once("]: "));
        text.is_some_and(|(_, text)| text.split(": ").nth(1) == Some("reject"))
    });
    let rule = |line: &str| {
        split_rule(line)
            .1
            .map(str::to_owned)
            .ok_or_else(|| line.to_owned())
    };
    refusals.map(rule).collect()
}
