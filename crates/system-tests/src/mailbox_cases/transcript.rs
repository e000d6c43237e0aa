//! What the clients of a case were told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;

use base64::Engine as _;

use crate::lines::LineClient;
use crate::wait::wait_for;

use super::Protocol;
use super::case::{Case, Say, Step};
use super::mail;

/// Whose mail, and where.
pub(super) struct Account<'a> {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) other: &'a str,
    pub(super) password: &'a str,
    /// All that the server has logged.
    pub(super) log: &'a dyn Fn() -> String,
}

/// Has the server look into every folder of a case, so that no message in it is new.
pub(super) fn look_into(folders: impl Iterator<Item = String>, account: &Account) {
    let mut client = Client::new('1', account, "");
    for folder in folders {
        client.do_step(Say::Command, &format!("SELECT {folder}"), account);
    }
    client.do_step(Say::Command, "LOGOUT", account);
}

/// Lines said and heard, in order, without what differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transcript(Vec<String>);

impl Transcript {
    /// Goes through a case.
    pub(super) fn of(case: &Case, account: &Account, home: &Path) -> Transcript {
        let mut clients: BTreeMap<char, Client> = BTreeMap::new();
        let mut lines = Vec::new();
        let mut logged = 0;
        for (number, step) in case.steps.iter().enumerate() {
            match step {
                Step::Says(name, how, text) => {
                    let client = clients
                        .entry(*name)
                        .or_insert_with(|| Client::new(*name, account, text));
                    client.do_step(*how, text, account);
                    lines.extend(client.heard.drain(..).map(|line| format!("{name} {line}")));
                }
                Step::Delivers { folder, letter } => mail::deliver(home, folder, letter, number),
                Step::Removes { folder, number } => mail::remove(home, folder, *number),
                Step::HangsUp(name) => drop(clients.remove(name)),
                Step::Logs => {
                    wait_for("the end of a session in the log", || ends(account).len() > logged);
                    lines.push(format!("log {}", ends(account)[logged]));
                    logged += 1;
                }
                Step::Shows { folder } => lines.push(format!("files {}", mail::show(home, folder))),
            }
        }
        match case.protocol {
            Protocol::Imap => Transcript(sorted(settled(&lines))),
            Protocol::Pop3 => Transcript(lines),
        }
    }

    /// What is said and answered otherwise, for reading.
    pub(super) fn difference(&self, ours: &Transcript, name: &str) -> String {
        let mut text = format!("== {name}\n");
        let (theirs, ours) = (self.steps(), ours.steps());
        for at in 0..theirs.len().max(ours.len()) {
            let (by_theirs, by_ours) = (theirs.get(at).copied(), ours.get(at).copied());
            if by_theirs == by_ours {
                continue;
            }
            for (who, lines) in [("Dovecot", by_theirs), ("Yubin", by_ours)] {
                for line in lines.unwrap_or_default() {
                    text.push_str(&format!("{who:7} {line}\n"));
                }
            }
        }
        text
    }

    /// What is said, each with what is heard then.
    fn steps(&self) -> Vec<&[String]> {
        let is_said = |line: &String| matches!(line.as_bytes().get(2), Some(b'>' | b'|' | b'!'));
        self.0.chunk_by(|_, next| !is_said(next)).collect()
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// What is logged of the ends of the account's sessions.
fn ends(account: &Account) -> Vec<String> {
    let who = format!("{}({})<", account.protocol.name(), account.user);
    let log = (account.log)();
    let lines = log.lines().filter(|line| line.contains(&who));
    lines
        .filter_map(|line| Some(line.split_once(": Disconnected: ")?.1.to_owned()))
        .collect()
}

/// A connection.
struct Client {
    protocol: Protocol,
    lines: LineClient,
    letter: char,
    commands: usize,
    /// The tag of a command whose literal is being sent.
    pending: String,
    heard: Vec<String>,
    uid_validity: u64,
    modseq: u64,
    /// It has asked for modseqs.
    wants_modseqs: bool,
}

impl Client {
    fn new(name: char, account: &Account, first: &str) -> Client {
        let mut client = Client {
            protocol: account.protocol,
            lines: LineClient::connect(account.port),
            letter: match name {
                'o' => 'o',
                digit => char::from(b'a' + (digit as u8 - b'1')),
            },
            commands: 0,
            pending: String::new(),
            heard: Vec::new(),
            uid_validity: 0,
            modseq: 0,
            wants_modseqs: false,
        };
        client.read_line();
        if !first.starts_with("raw") {
            let user = if name == 'o' { account.other } else { account.user };
            client.log_in(user, account.password);
        }
        client
    }

    fn log_in(&mut self, user: &str, password: &str) {
        match self.protocol {
            Protocol::Imap => {
                self.send(&format!("login LOGIN {user} {password}\r\n"));
                self.read_until(|line| line.starts_with("login "));
            }
            Protocol::Pop3 => {
                self.send(&format!("USER {user}\r\n"));
                self.read_line();
                self.send(&format!("PASS {password}\r\n"));
                if self.read_line().is_none_or(|line| line != "+OK Logged in.") {
                    return;
                }
            }
        }
        self.heard.clear();
    }

    fn do_step(&mut self, how: Say, text: &str, account: &Account) {
        // Shown as it is written: numbers differ from run to run.
        let template = text;
        let text = self.filled(text, account);
        match how {
            Say::Command => {
                let text = text.strip_prefix("raw").unwrap_or(&text).trim_start();
                if text.is_empty() {
                    return;
                }
                if self.protocol == Protocol::Pop3 {
                    return self.ask_pop3(text);
                }
                self.commands += 1;
                self.pending = format!("{}{}", self.letter, self.commands);
                let capitals = text.to_ascii_uppercase();
                let words = ["CONDSTORE", "QRESYNC", "MODSEQ", "CHANGEDSINCE"];
                self.wants_modseqs |= words.iter().any(|word| capitals.contains(word));
                let shown = template.strip_prefix("raw").unwrap_or(template).trim_start();
                self.heard.push(format!("> {} {shown}", self.pending));
                self.send(&format!("{} {text}\r\n", self.pending));
                self.read_after(text);
            }
            Say::Continued => {
                self.heard.push(format!("| {text}"));
                match text.strip_suffix('\\') {
                    Some(start) => self.send(&unescaped(start)),
                    None => {
                        self.send(&format!("{}\r\n", unescaped(&text)));
                        self.read_after(&text);
                    }
                }
            }
            Say::Bare => {
                self.heard.push(format!("! {text}"));
                self.send(&format!("{}\r\n", unescaped(&text)));
                self.read_line();
            }
            Say::Nothing => {
                for _ in 0..text.trim().parse().unwrap() {
                    self.read_line();
                }
            }
        }
        // SELECT tells it unasked here, not there.
        let wants_modseqs = self.wants_modseqs;
        self.heard
            .retain(|line| wants_modseqs || !line.starts_with("* OK [HIGHESTMODSEQ "));
    }

    /// Says a line of POP3 and reads its answer, with all lines where it has several.
    fn ask_pop3(&mut self, line: &str) {
        self.heard.push(format!("> {line}"));
        self.send(&format!("{}\r\n", unescaped(line)));
        let upper = line.to_ascii_uppercase();
        let words: Vec<&str> = upper.split_ascii_whitespace().collect();
        let is_long = matches!(
            words.as_slice(),
            ["CAPA" | "LIST" | "UIDL" | "LANG" | "AUTH"] | ["RETR" | "TOP" | "CAPA", ..]
        );
        let first = self.read_line();
        if is_long && first.is_some_and(|line| line.starts_with("+OK")) {
            self.read_until(|line| line == ".");
        }
    }

    fn filled(&self, text: &str, account: &Account) -> String {
        text.replace("{user}", account.user)
            .replace("{other}", account.other)
            .replace("{user64}", &base64(account.user))
            .replace(
                "{plain}",
                &base64(&format!("\0{}\0{}", account.user, account.password)),
            )
            .replace("{uidvalidity}", &self.uid_validity.to_string())
            .replace("{modseq}", &self.modseq.to_string())
            .replace("{modseq-1}", &self.modseq.saturating_sub(1).to_string())
    }

    fn send(&mut self, text: &str) {
        // Octets as \xHH gave them: a char each.
        let octets: Vec<u8> = text.chars().flat_map(octets_of).collect();
        if let Err(error) = self.lines.try_send(&octets) {
            self.heard.push(format!("(cannot say it: {:?})", error.kind()));
        }
    }

    /// Reads what a line is answered with.
    fn read_after(&mut self, text: &str) {
        if self.protocol == Protocol::Pop3 {
            self.read_line();
            return;
        }
        let tag = format!("{} ", self.pending);
        if text.ends_with("+}") {
            return;
        }
        let is_asked = text.ends_with('}') || text.to_ascii_uppercase().starts_with("IDLE");
        self.read_until(|line| line.starts_with(&tag) || (is_asked && line.starts_with('+')));
    }

    fn read_until(&mut self, is_last: impl Fn(&str) -> bool) {
        while let Some(line) = self.read_line() {
            if is_last(&line) {
                return;
            }
        }
    }

    fn read_line(&mut self) -> Option<String> {
        let line = match self.lines.try_line() {
            Ok(Some(line)) => line,
            Ok(None) => {
                self.heard.push("(closed)".to_owned());
                return None;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.heard.push("(closed)".to_owned());
                return None;
            }
            Err(error) => {
                self.heard.push(format!("(nothing: {:?})", error.kind()));
                return None;
            }
        };
        if let Some(number) = number_after(&line, "UIDVALIDITY ") {
            self.uid_validity = number;
        }
        for words in ["HIGHESTMODSEQ ", "MODSEQ ("] {
            if let Some(number) = number_after(&line, words) {
                self.modseq = self.modseq.max(number);
            }
        }
        if let Some(told) = without_object_ids(&line) {
            self.heard.push(told);
        }
        Some(line)
    }
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// What RFC 8474 makes a server say of every mailbox that is selected or made, and Dovecot does not, is left out.
fn without_object_ids(line: &str) -> Option<String> {
    match line.split_once("[MAILBOXID (") {
        Some(("* OK ", _)) => None,
        Some((before, after)) => {
            let after = after.split_once(")] ").map_or(after, |(_, after)| after);
            Some(format!("{before}{after}"))
        }
        None => Some(line.to_owned()),
    }
}

/// A character of a line to say: those above 0xFF as UTF-8, those that `\xHH` made as the octet.
fn octets_of(character: char) -> Vec<u8> {
    match u32::from(character) {
        // Private use: see `unescaped`.
        code @ 0xF700..=0xF7FF => vec![(code & 0xFF) as u8],
        _ => character.to_string().into_bytes(),
    }
}

/// `\r`, `\n`, `\t`, `\\`, `\xHH`; octets above 0x7F become characters that [`octets_of`] knows.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next() {
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let octet = u32::from_str_radix(&digits, 16).unwrap();
                out.extend(char::from_u32(0xF700 + octet));
            }
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

/// The number that follows the words.
fn number_after(line: &str, words: &str) -> Option<u64> {
    let (_, rest) = line.split_once(words)?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit());
    rest[..digits.unwrap_or(rest.len())].parse().ok()
}

/// Lines without what differs from run to run: validities and modseqs are numbered by the order in which they appear, or by size;
/// dates of today are NOW; how long something took is left out.
fn settled(lines: &[String]) -> Vec<String> {
    let mut validities: Vec<String> = Vec::new();
    let mut modseqs = BTreeSet::new();
    for line in lines {
        for words in MODSEQ_WORDS {
            each_number(line, words, |number| {
                modseqs.extend(number.parse::<u64>());
                number.to_owned()
            });
        }
    }
    let modseqs: Vec<u64> = modseqs.into_iter().collect();
    let settle = |line: &String| {
        let mut line = without_time(line);
        for words in ["UIDVALIDITY ", "APPENDUID ", "COPYUID "] {
            line = each_number(&line, words, |number| {
                let at = validities.iter().position(|known| known == number);
                let at = at.unwrap_or_else(|| {
                    validities.push(number.to_owned());
                    validities.len() - 1
                });
                format!("V{at}")
            });
        }
        for words in MODSEQ_WORDS {
            line = each_number(&line, words, |number| {
                let rank = number
                    .parse()
                    .ok()
                    .and_then(|number| modseqs.binary_search(&number).ok());
                rank.map_or(number.to_owned(), |rank| format!("M{rank}"))
            });
        }
        without_today(&line)
    };
    lines.iter().map(settle).collect()
}

/// Mailboxes in order of their lines, each with what is told of it behind it: Dovecot lists them as the directory has them.
fn sorted(lines: Vec<String>) -> Vec<String> {
    let is = |line: &str, words: &[&str]| words.iter().any(|word| line[1..].starts_with(word));
    let begins = |line: &String| is(line, &[" * LIST ", " * LSUB "]);
    let belongs = |line: &String| begins(line) || is(line, &[" * STATUS ", " * MYRIGHTS "]);
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let mut rest = lines.as_slice();
    while let Some(start) = rest.iter().position(begins) {
        let (before, listed) = rest.split_at(start);
        let end = listed.iter().position(|line| !belongs(line));
        let (listed, after) = listed.split_at(end.unwrap_or(listed.len()));
        let mut mailboxes: Vec<&[String]> = listed.chunk_by(|_, next| !begins(next)).collect();
        mailboxes.sort();
        out.extend_from_slice(before);
        out.extend(mailboxes.concat());
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

const MODSEQ_WORDS: [&str; 5] = [
    "HIGHESTMODSEQ ",
    "MODSEQ (",
    "MODSEQ ",
    "CHANGEDSINCE ",
    "UNCHANGEDSINCE ",
];

/// The line with every number that follows the words replaced.
fn each_number(line: &str, words: &str, mut replace: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(words) {
        let (before, after) = rest.split_at(at + words.len());
        out.push_str(before);
        let end = after.find(|letter: char| !letter.is_ascii_digit());
        let (number, after) = after.split_at(end.unwrap_or(after.len()));
        if !number.is_empty() {
            out.push_str(&replace(number));
        }
        rest = after;
    }
    out + rest
}

/// Without ` (0.001 + 0.000 secs).`, or without the full stop alone.
fn without_time(line: &str) -> String {
    match (line.rfind(" ("), line.rfind(" secs).")) {
        (Some(start), Some(end)) if start < end => line[..start].trim_end_matches('.').to_owned(),
        _ => line.trim_end_matches('.').to_owned(),
    }
}

/// Dates of this year and later, which are when the test runs, are NOW.
fn without_today(line: &str) -> String {
    let mut out = String::new();
    for (at, piece) in line.split('"').enumerate() {
        if at > 0 {
            out.push('"');
        }
        let octets = piece.as_bytes();
        let is_date = octets.len() == 26 && octets[2] == b'-' && octets[6] == b'-' && octets[11] == b' ';
        let is_now = is_date && piece[7..11].parse::<u32>().is_ok_and(|year| year >= 2026);
        out.push_str(if is_now { "NOW" } else { piece });
    }
    out
}
