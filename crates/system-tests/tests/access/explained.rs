//! `yubin explain` says of each case what the running service said, and names the restriction that said it.

use serde_json::Value;
use system_tests::Sandbox;

use super::case::{Case, Told};

/// What `yubin explain` says otherwise; empty when all is well, and of cases that are no plain HELO, MAIL, RCPT.
pub(super) fn difference(case: &Case, by_ours: &Told, (ours, port): (&Sandbox, u16)) -> String {
    let [helo, mail, rcpt, ..] = case.lines.as_slice() else {
        return String::new();
    };
    let between = |line: &str, command: &str| {
        let path = line.strip_prefix(command)?.strip_prefix('<')?;
        path.strip_suffix('>').map(str::to_owned)
    };
    let helo = helo.strip_prefix("EHLO ").or_else(|| helo.strip_prefix("HELO "));
    let paths = between(mail, "MAIL FROM:").zip(between(rcpt, "RCPT TO:"));
    let (Some(helo), Some((sender, recipient))) = (helo, paths) else {
        return String::new();
    };
    let [a, b, c, d] = case.from;
    let arguments = [
        "--json",
        "--service",
        &format!("127.0.0.1:{port}"),
        "--client",
        &format!("{a}.{b}.{c}.{d}"),
        "--helo",
        helo,
        &format!("--from={sender}"),
        "--to",
        &recipient,
    ];
    let finished = ours.run("explain", &arguments, "");
    let said = &finished.stdout;
    let Ok(explanation) = serde_json::from_str::<Value>(said) else {
        return format!("== {}\n-- explain\n{said}{}\n", case.name, finished.stderr);
    };
    let last = explanation["dialogue"]
        .as_array()
        .and_then(|dialogue| dialogue.last());
    let lines = last.and_then(|last| last["reply"].as_array());
    let lines = lines.into_iter().flatten().filter_map(Value::as_str);
    let reply = lines.collect::<Vec<_>>().join("\n");
    // The connection, HELO, MAIL, RCPT: the first refusal is the last word.
    let mut replies = by_ours.replies().iter().take(4);
    let wanted = replies
        .clone()
        .find(|reply| !reply.starts_with('2'))
        .or(replies.next_back());
    let by = explanation["decided_by"]["restriction"].as_str();
    let is_named = !reply.starts_with(['4', '5']) || by.is_some();
    match wanted == Some(&reply) && is_named {
        true => String::new(),
        false => format!(
            "== {}\n-- explain, decided by {by:?}\n{reply}\n-- Yubin\n{wanted:?}\n",
            case.name
        ),
    }
}
