//! Where mail lands: the files below /home, /var/mail and /srv after a scenario, and what differs between two runs.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::account::accounts;
use super::outcome::{decisions, outcomes, warnings, without_queue_ids};

/// The places that mail may land in.
const PLACES: &[&str] = &["/home", "/var/mail", "/srv", "/root"];
/// The header fields that are compared.
const FIELDS: &[&str] = &["return-path:", "x-original-to:", "delivered-to:", "subject:"];
/// The header line of a message of which all is compared.
pub(super) const WHOLE: &str = "X-Scenario: whole";
/// What of such a message is not: it has times and queue ids in it.
const CHANGING: &[&str] = &["received:", "message-id:", "date:", "from "];
/// The fields of a delivery report that are compared.
const REPORT: &[&str] = &[
    "final-recipient:",
    "original-recipient:",
    "action:",
    "status:",
    "diagnostic-code:",
];
/// Lines of another file that are shown.
const LINES_SHOWN_MAX: usize = 200;

/// The files there are, each with owner, mode and content.
pub struct Snapshot {
    files: BTreeMap<String, (String, Vec<u8>)>,
}

impl Snapshot {
    /// What is there now.
    pub fn take() -> Snapshot {
        let mut files = BTreeMap::new();
        for place in PLACES {
            walk(Path::new(place), &mut files);
        }
        Snapshot { files }
    }

    /// What has changed since `before` and what the log says, in readable lines.
    pub fn tell(&self, before: &Snapshot, log: &str) -> String {
        let mut told = String::new();
        for (path, (look, content)) in &self.files {
            if before.files.get(path) == Some(&(look.clone(), content.clone())) {
                continue;
            }
            for line in describe(path, look, content) {
                told.push_str(&format!("file {line}\n"));
            }
        }
        for path in before.files.keys().filter(|path| !self.files.contains_key(*path)) {
            told.push_str(&format!("file {path} is gone\n"));
        }
        for line in outcomes(log) {
            told.push_str(&format!("outcome {line}\n"));
        }
        for line in decisions(log) {
            told.push_str(&format!("decision {line}\n"));
        }
        for line in warnings(log) {
            told.push_str(&format!("warning {line}\n"));
        }
        told
    }
}

fn walk(directory: &Path, files: &mut BTreeMap<String, (String, Vec<u8>)>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let name = path.to_string_lossy().into_owned();
        if metadata.is_dir() {
            files.insert(format!("{name}/"), (look(&metadata), Vec::new()));
            walk(&path, files);
        } else {
            let content = match metadata.is_file() {
                true => fs::read(&path).unwrap_or_default(),
                false => Vec::new(),
            };
            // Databases are as different as the programs.
            if !name.ends_with(".db") {
                files.insert(name, (look(&metadata), content));
            }
        }
    }
}

/// The kind, owner and group, and the mode.
fn look(metadata: &Metadata) -> String {
    let kind = match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => "directory",
        (_, true) => "file",
        _ => "other",
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let (user, group) = (name(metadata.uid()), name(metadata.gid()));
    format!("{kind} {user}:{group} {mode:04o}")
}

/// The name of a user of the host, and of the group with the same number.
fn name(id: u32) -> String {
    match id {
        0 => "root".to_owned(),
        8 => "mail".to_owned(),
        65_534 => "nobody".to_owned(),
        _ => accounts()
            .iter()
            .find(|account| account.uid == id)
            .map_or_else(|| id.to_string(), |account| account.name.to_owned()),
    }
}

/// Lines about a file; those of its content carry its name too, so that each stands for itself.
fn describe(path: &str, look: &str, content: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(content);
    let name = maildir_name(path).unwrap_or_else(|| path.to_owned());
    let mut lines = vec![format!("{name}: {look}")];
    // What a command wrote is told in full.
    if name.starts_with("/srv/out/") && text.starts_with("== called") {
        let shown = text.lines().take(LINES_SHOWN_MAX).map(without_date);
        lines.extend(shown.map(|line| format!("{name}: {line}")));
        return lines;
    }
    let mut messages: Vec<String> = match name != path {
        true => vec![message(&text)],
        false => split_mbox(&text).into_iter().map(message).collect(),
    };
    messages.sort();
    lines.extend(
        messages
            .into_iter()
            .map(|message| format!("{name}: message {message}")),
    );
    if lines.len() == 1 && !text.is_empty() {
        let shown = text.lines().take(LINES_SHOWN_MAX);
        lines.extend(shown.map(|line| format!("{name}: text {line}")));
    }
    lines
}

/// A message of a Maildir without the name that is its own.
fn maildir_name(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let folder = directory.rsplit('/').next()?;
    (["new", "cur", "tmp"].contains(&folder) && !name.is_empty()).then(|| format!("{directory}/*"))
}

fn split_mbox(text: &str) -> Vec<&str> {
    if !text.starts_with("From ") {
        return Vec::new();
    }
    text["From ".len()..].split("\n\nFrom ").collect()
}

/// `From a@b  Sat Nov 28 …` without the date.
fn without_date(line: &str) -> String {
    match line.split_once("  ") {
        Some((start, _)) if start.starts_with("From ") => format!("{start} DATE"),
        _ => line.to_owned(),
    }
}

/// The compared fields of a message and of the report in it, in one line.
fn message(text: &str) -> String {
    let is_wanted = |line: &&str, wanted: &[&str]| {
        let lower = line.to_ascii_lowercase();
        wanted.iter().any(|field| lower.starts_with(field))
    };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    if head.lines().any(|line| line == WHOLE) {
        return whole(head, body);
    }
    let mut parts: Vec<String> = head
        .lines()
        .filter(|line| is_wanted(line, FIELDS))
        .map(str::to_owned)
        .collect();
    if let Some((_, report)) = body.split_once("Content-Type: message/delivery-status") {
        let report = report
            .split("\n--")
            .next()
            .unwrap_or_default()
            .replace("\n    ", " ");
        // One group of lines a recipient, in the order in which their deliveries ended.
        let mut groups: Vec<String> = report
            .split("\n\n")
            .map(|group| {
                let wanted = group.lines().filter(|line| is_wanted(line, REPORT));
                wanted.map(without_queue_ids).collect::<Vec<_>>().join(" | ")
            })
            .filter(|group| !group.is_empty())
            .collect();
        groups.sort();
        parts.extend(groups);
    }
    parts.join(" | ")
}

/// All of a message but what changes from run to run, in one line.
fn whole(head: &str, body: &str) -> String {
    let unfolded = head.replace("\n\t", "\\t").replace("\n ", "\\n ");
    let mut lines = unfolded.lines().peekable();
    // The rest of an mbox's `From ` line.
    lines.next_if(|line| !line.contains(": "));
    let kept = lines.filter(|line| {
        let lower = line.to_ascii_lowercase();
        !CHANGING.iter().any(|start| lower.starts_with(start))
    });
    let body = body.trim_end().lines();
    let parts: Vec<&str> = kept.chain([""]).chain(body).collect();
    parts.join(" / ")
}

/// The lines that only one of two runs told, `-` for those of the first and `+` for those of the second.
pub fn compare(first: &str, second: &str) -> Vec<String> {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    first
        .lines()
        .for_each(|line| *counts.entry(line).or_default() += 1);
    second
        .lines()
        .for_each(|line| *counts.entry(line).or_default() -= 1);
    let mut differences = Vec::new();
    for (line, count) in counts {
        let sign = if count > 0 { '-' } else { '+' };
        for _ in 0..count.abs() {
            differences.push(format!("{sign} {line}"));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_an_mbox_are_told_in_one_order() {
        let mbox = "From a  x\nSubject: two\nX-Original-To: b\n\nbody\n\nFrom a  x\nSubject: one\n\nbody\n\n";
        let lines = describe("/var/mail/bob", "file 1:1 0600", mbox.as_bytes());
        let wanted = [
            "/var/mail/bob: file 1:1 0600",
            "/var/mail/bob: message Subject: one",
            "/var/mail/bob: message Subject: two | X-Original-To: b",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn a_report_is_told_by_its_fields() {
        let text = "Subject: Undelivered\nFrom: x\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; m\n\n\
                    Final-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: X-Postfix; unknown\n    user\n\n--b\nStatus: no\n";
        let wanted = "Subject: Undelivered | Final-Recipient: rfc822; a@b | Action: failed | Status: 5.1.1 | \
                      Diagnostic-Code: X-Postfix; unknown user";
        assert_eq!(message(text), wanted);
    }

    #[test]
    fn what_both_told_is_no_difference() {
        assert_eq!(compare("a\nb\nb\n", "b\nc\na\n"), ["- b", "+ c"]);
    }
}
