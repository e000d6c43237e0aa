//! What the log says of each recipient and each trouble, without what changes from run to run.

use crate::rules::split_rule;

/// The daemons whose warnings belong to deliveries.
const DELIVERERS: &[&str] = &["/local[", "/virtual[", "/pipe[", "/cleanup["];
/// How much of a line is told, in characters; how much of a long output there is depends on how the pipe is read.
const SHOWN_MAX: usize = 400;

/// The outcomes in the log, sorted: address, original address, DSN code, status, text.
pub(super) fn outcomes(log: &str) -> Vec<String> {
    let mut found: Vec<String> = log.lines().filter_map(outcome).collect();
    found.sort();
    found
}

fn outcome(line: &str) -> Option<String> {
    let (_, fields) = line.split_once(": to=<")?;
    let (fields, status) = fields.split_once(", status=")?;
    let mut text = format!("to=<{}", fields.split_once('>')?.0);
    text.push('>');
    for field in fields.split(", ") {
        if ["orig_to=", "relay=", "dsn="]
            .iter()
            .any(|name| field.starts_with(name))
        {
            text.push_str(", ");
            text.push_str(field);
        }
    }
    Some(format!("{text}, status={}", without_queue_ids(status)))
}

/// What checks of content did, sorted.
pub(super) fn decisions(log: &str) -> Vec<String> {
    let is_of_checks = |text: &str| [": header ", ": body "].iter().any(|kind| text.contains(kind));
    let decision = |line: &str| {
        let (start, text) = line.split_once("]: ")?;
        let (daemon, _) = start.rsplit_once('[')?;
        let daemon = daemon.rsplit('/').next()?;
        let (_, text) = split_rule(text).0.split_once(": ")?;
        let is_wanted = ["cleanup", "smtp", "lmtp"].contains(&daemon) && is_of_checks(text);
        let text = match text.split_once("header Received: ") {
            // Behind the trace, which has a queue id and a date.
            Some((start, trace)) => {
                let (_, end) = trace.split_once("(UTC)").unwrap_or_default();
                format!("{start}header Received:{end}")
            }
            None => text.to_owned(),
        };
        is_wanted.then(|| format!("{daemon} {}", text.chars().take(SHOWN_MAX).collect::<String>()))
    };
    let mut found: Vec<String> = log.lines().filter_map(decision).collect();
    found.sort();
    found
}

/// What Postfix says of a machine so busy that the clock of its file system lags.
const CLOCK: [&str; 2] = ["file system clock is", "resetting file time stamps"];

/// The warnings of deliveries, sorted.
pub(super) fn warnings(log: &str) -> Vec<String> {
    let is_of_a_delivery = |line: &&str| DELIVERERS.iter().any(|name| line.contains(name));
    let warning = |line: &str| {
        ["warning: ", "fatal: ", "error: "].iter().find_map(|grade| {
            let (_, text) = line.split_once(grade)?;
            Some(format!("{grade}{}", without_queue_ids(text)))
        })
    };
    let is_of_the_machine = |line: &&str| CLOCK.iter().any(|words| line.contains(words));
    let lines = log.lines().filter(|line| !is_of_the_machine(line));
    let mut found: Vec<String> = lines.filter(is_of_a_delivery).filter_map(warning).collect();
    found.sort();
    found.dedup();
    found
}

/// A text without queue ids (after `forwarded as`, and before a colon at the start) and names of files in Maildirs.
pub(super) fn without_queue_ids(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(without_maildir_name).collect();
    for at in 0..words.len() {
        let bare = words[at].trim_end_matches([')', ':', ',']);
        let end = words[at][bare.len()..].to_owned();
        let may_be_one = match at {
            0 => end == ":",
            _ => words[at - 1] == "as",
        };
        if may_be_one && is_queue_id(bare) {
            words[at] = format!("ID{end}");
        }
    }
    words.join(" ").chars().take(SHOWN_MAX).collect()
}

fn is_queue_id(word: &str) -> bool {
    word.len() >= 6
        && word.bytes().all(|octet| octet.is_ascii_alphanumeric())
        && (word.bytes().any(|octet| octet.is_ascii_digit())
            || word.bytes().all(|octet| matches!(octet, b'A'..=b'F')))
}

/// `…/tmp/1795896059.P6150.mail.sandbox.test:` is `…/tmp/*:`.
fn without_maildir_name(word: &str) -> String {
    match word.split_once("/tmp/") {
        Some((directory, name)) if name.starts_with(|first: char| first.is_ascii_digit()) => {
            let end = if name.ends_with(':') { ":" } else { "" };
            format!("{directory}/tmp/*{end}")
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_is_left_out() {
        let log = "Nov 28 19:47:30 mail postfix/local[156]: 955E432: to=<bob@a.test>, orig_to=<all@a.test>, relay=local, \
                   delay=0.06, delays=0.03/0.03/0/0, dsn=2.0.0, status=sent (forwarded as FACADEAB)\n\
                   Nov 28 19:47:30 mail postfix/local[156]: warning: group or other writable file: /x\n\
                   Nov 28 19:47:30 mail postfix/local[156]: warning: 75491F6A: odd /x/tmp/1795896059.P6150.mail: no\n\
                   Nov 28 19:47:30 mail postfix/qmgr[156]: warning: of another\n";
        let wanted =
            "to=<bob@a.test>, orig_to=<all@a.test>, relay=local, dsn=2.0.0, status=sent (forwarded as ID)";
        assert_eq!(outcomes(log), [wanted]);
        let wanted = [
            "warning: ID: odd /x/tmp/*: no",
            "warning: group or other writable file: /x",
        ];
        assert_eq!(warnings(log), wanted);
    }
}
