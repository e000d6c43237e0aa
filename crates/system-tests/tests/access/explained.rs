//! `yubin explain` says of each case what the running service said, and names the rule that the service's log named.

use serde_json::Value;
use system_tests::Sandbox;

use super::case::{Case, Told};

/// What `yubin explain` says otherwise; empty when all is well, and of cases that are no plain HELO, MAIL, RCPT.
pub(super) fn difference(
    case: &Case,
    (by_ours, rules): (&Told, &super::Rules),
    (ours, port): (&Sandbox, u16),
) -> String {
    let nameless: Vec<&String> = rules.iter().filter_map(|rule| rule.as_ref().err()).collect();
    if !nameless.is_empty() {
        return format!("== {}\n-- refusals without a rule\n{nameless:#?}\n", case.name);
    }
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
    let rule = explanation["rule"].as_str();
    let is_refused = reply.starts_with(['4', '5']);
    let logged = rules.iter().flatten().next().map(String::as_str);
    let is_named = !is_refused || (by.is_some() && rule.is_some() && rule == logged);
    let is_placed = !is_refused || is_place_right(case, &explanation["decided_by"]);
    match wanted == Some(&reply) && is_named && is_placed {
        true => String::new(),
        false => format!(
            "== {}\n-- explain, decided by {}, rule {rule:?}\n{reply}\n-- Yubin, rule {logged:?}\n{wanted:?}\n",
            case.name, explanation["decided_by"]
        ),
    }
}

/// Whether the place that `yubin explain` names is a line in which the rule is written; the default of a setting has none.
fn is_place_right(case: &Case, decided_by: &Value) -> bool {
    let text = |name: &str| decided_by[name].as_str().unwrap_or_default();
    let Some((file, number)) = decided_by["place"]
        .as_str()
        .and_then(|place| place.rsplit_once(':'))
    else {
        let parameter = text("parameter");
        let in_main = super::MAIN_CF.iter().map(|(name, _)| *name);
        let mut all = case.settings.iter().map(|(name, _)| name.as_str()).chain(in_main);
        return all.all(|name| name != parameter);
    };
    let content = std::fs::read_to_string(file).unwrap_or_default();
    let number: usize = number.parse().unwrap_or(0);
    let line = content.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    let words = ["restriction", "argument", "parameter"].map(text);
    let mut words = words.iter().filter(|word| !word.is_empty());
    words.any(|word| line.to_ascii_lowercase().contains(&word.to_ascii_lowercase()))
}
