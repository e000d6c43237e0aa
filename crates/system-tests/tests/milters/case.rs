//! The file of cases, and what a program told of one.

use std::fmt;
use std::path::Path;

use system_tests::rules::split_rule;
use system_tests::side_by_side;

use crate::scripted::Script;

/// A case: the settings of a service, what the filters do, and what a client says.
#[derive(Debug, Clone, Default)]
pub(super) struct Case {
    /// What it is called.
    pub(super) name: String,
    /// `-o` settings.
    pub(super) settings: Vec<(String, String)>,
    /// What the two filters do.
    pub(super) scripts: [Script; 2],
    /// What the proxy answers.
    pub(super) proxy: Script,
    /// What a client says; `| …` is content, which nobody answers. None: the mail is left by `sendmail`.
    pub(super) lines: Vec<String>,
    /// Arguments of `sendmail`, if it is a local user's mail.
    pub(super) sendmail: Option<String>,
}

const MESSAGE: [&str; 7] = [
    "| From: s@example.net",
    "| Subject: first",
    "| X-Old: one",
    "| X-Old: two",
    "| ",
    "| Hello",
    "| there",
];

/// What a client says in cases that do not tell.
fn usual() -> Vec<String> {
    let before = [
        "HELO client.example",
        "MAIL FROM:<s@example.net>",
        "RCPT TO:<a@example.test>",
        "DATA",
    ];
    let all = before.into_iter().chain(MESSAGE).chain(["."]);
    all.map(str::to_owned).collect()
}

/// The cases of the file. A case begins with `== NAME`; then come settings (`name = value`), `1 EVENT ACTIONS` and `2 EVENT
/// ACTIONS` for what the filters do, `3 COMMAND REPLY` for what the proxy says, `> LINE` for what is said, `| LINE` for content, `message` for a usual one, `! ARGUMENTS`
/// for a mail by `sendmail`. What stands before the first one is for the reader.
pub(super) fn read() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/milters.cases");
    let text = std::fs::read_to_string(path).unwrap();
    text.split("\n== ").skip(1).map(one).collect()
}

fn one(text: &str) -> Case {
    let mut lines = text.lines();
    let mut case = Case {
        name: lines.next().unwrap().trim().to_owned(),
        ..Case::default()
    };
    for line in lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some(said) = line.strip_prefix("> ") {
            case.lines.push(said.to_owned());
        } else if line.starts_with('|') {
            case.lines.push(format!("{line} ").trim_end().to_owned());
        } else if line == "message" {
            case.lines.extend(MESSAGE.iter().map(|&line| line.to_owned()));
        } else if let Some(arguments) = line.strip_prefix("! ") {
            case.sendmail = Some(arguments.to_owned());
        } else if let Some((number @ ("1" | "2" | "3"), rest)) = line.split_once(' ') {
            let (event, actions) = rest.split_once(' ').unwrap();
            let script = match number {
                "3" => &mut case.proxy,
                _ => &mut case.scripts[usize::from(number == "2")],
            };
            script.insert(event.to_owned(), actions.to_owned());
        } else {
            case.settings.push(side_by_side::setting(line));
        }
    }
    if case.lines.is_empty() {
        case.lines = usual();
    }
    case
}

/// What a program told of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) replies: Vec<String>,
    pub(super) log: Vec<String>,
    pub(super) heard: Vec<String>,
    pub(super) mail: Vec<String>,
}

impl Told {
    /// The same without names that differ from run to run. `host` is what the port of the service is replaced in.
    pub(super) fn settled(mut self, port: u16) -> Told {
        let ids = ids(&self.log);
        // The largest packet that is read.
        for line in &mut self.log {
            if let Some((before, _)) = line.split_once("unreasonable packet length") {
                *line = format!("{before}unreasonable packet length");
            }
        }
        let texts = [&mut self.replies, &mut self.log, &mut self.heard, &mut self.mail];
        for text in texts.into_iter().flatten() {
            for id in &ids {
                *text = text.replace(id, "ID");
            }
            if port > 0 {
                *text = text.replace(&format!("={port}"), "=PORT");
            }
            *text = without_dates(text);
            *text = without_port(text);
        }
        for line in &mut self.log {
            *line = split_rule(line).0.to_owned();
        }
        self.log.retain(|line| is_told(line));
        self
    }
}

/// Names in the queue that lines of a log begin with.
pub(super) fn ids(log: &[String]) -> Vec<String> {
    let first = |line: &String| line.split_once(": ").map(|(id, _)| id.to_owned());
    let is_id = |id: &String| {
        id.len() > 6
            && id != "NOQUEUE"
            && id
                .bytes()
                .all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit())
    };
    let mut ids: Vec<String> = log.iter().filter_map(first).filter(is_id).collect();
    ids.dedup();
    ids
}

fn is_told(line: &str) -> bool {
    let dull = [
        "connect from",
        "disconnect from",
        "lost connection",
        "ID: client=",
        "ID: message-id=",
        "ID: uid=",
        "discarding EHLO keywords",
        "warning: file system clock",
        "warning: resetting file time stamps",
    ];
    // Mail that goes back to its sender: whose transport says so is its own business.
    let is_of_report = line.contains(", relay=none, ");
    !is_of_report && !dull.iter().any(|words| line.starts_with(words))
}

fn without_port(text: &str) -> String {
    for name in ["{client_port}=", " PORT="] {
        if let Some((before, after)) = text.split_once(name) {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            return format!("{before}{name}SOME{rest}");
        }
    }
    text.to_owned()
}

/// Lines with the date of a Received or Date field, and the Message-Id of a mail that had none.
fn without_dates(text: &str) -> String {
    let lines = text.lines().map(|line| {
        if let Some((before, _)) = line.split_once("Message-Id").filter(|_| line.contains("ID@")) {
            return format!("{before}Message-Id");
        }
        let is_date = line.contains("; ") && line.contains(" +")
            || line.starts_with("  |Date:")
            || line.contains(" HEADER Date|");
        let is_split = line.trim_start_matches("  |").trim_start().get(3..5) == Some(", ");
        match (is_date, is_split) {
            (true, _) => {
                let end = line.find("; ").map_or(9, |at| at + 2);
                format!("{}DATE", &line[..end])
            }
            (_, true) => "DATE".to_owned(),
            _ => line.to_owned(),
        }
    });
    let mut all: String = lines.map(|line| line + "\n").collect();
    if !text.ends_with('\n') {
        all.pop();
    }
    all
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.replies
            .iter()
            .try_for_each(|line| writeln!(f, "S: {line}"))?;
        self.log.iter().try_for_each(|line| writeln!(f, "log {line}"))?;
        self.heard
            .iter()
            .try_for_each(|line| writeln!(f, "heard {line}"))?;
        self.mail.iter().try_for_each(|text| write!(f, "mail\n{text}"))
    }
}
