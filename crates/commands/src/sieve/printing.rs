//! A result as `sieve-test` shows it, in Pigeonhole's lines.

use sieve::{Action, Entry, Store};

/// The actions and the implicit keep.
pub(super) fn result(actions: &[Entry], implicit_keep: Option<&Entry>, default_mailbox: &str) -> String {
    let mut text = String::from("\nPerformed actions:\n\n");
    if actions.is_empty() {
        text.push_str("  (none)\n");
    }
    actions
        .iter()
        .for_each(|entry| one(&mut text, entry, default_mailbox));
    text.push_str("\nImplicit keep:\n\n");
    match implicit_keep {
        Some(entry) => one(&mut text, entry, default_mailbox),
        None => text.push_str("  (none)\n"),
    }
    text.push('\n');
    text
}

fn one(text: &mut String, entry: &Entry, default_mailbox: &str) {
    let mut line = |words: &str| {
        text.push_str(words);
        text.push('\n');
    };
    match &entry.action {
        Action::Store(store) => {
            let mailbox = store.mailbox.as_deref().unwrap_or(default_mailbox);
            line(&format!(" * store message in folder: {}", plain(mailbox)));
            side_effects(store, &mut line);
        }
        Action::Redirect(redirect) => line(&format!(" * redirect message to: <{}>", redirect.address)),
        Action::Discard => line(" * discard"),
        Action::Reject { reason, .. } => line(&format!(" * reject message with reason: {}", plain(reason))),
        Action::Vacation(vacation) => vacation_lines(vacation, &mut line),
        Action::Notify(notify) => notify_lines(notify, &mut line),
        Action::Report(report) => line(&format!(
            " * report incoming message as `{}' to: <{}>",
            report.feedback_type, report.address
        )),
        Action::Pipe(pipe) => {
            line(&format!(
                " * pipe message to external program '{}':",
                pipe.program
            ));
            line(&format!(
                "    => try           : {}",
                if pipe.tries { "yes" } else { "no" }
            ));
        }
        Action::DuplicateMark { key, last, .. } => match &key.handle {
            Some(handle) => line(&format!(
                " * track {}duplicate with handle: {}",
                which(*last),
                plain(handle)
            )),
            None => line(&format!(" * track {}duplicate", which(*last))),
        },
    }
    if entry.copy {
        line("        + preserve implicit keep");
    }
}

/// Anew each time that it is seen, or from the first time.
fn which(last: bool) -> &'static str {
    if last { "last " } else { "" }
}

/// Text on one line.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn side_effects(store: &Store, line: &mut impl FnMut(&str)) {
    if let Some(flag) = &store.special_use {
        line(&format!(
            "        + use mailbox with special-use flag `{flag}' instead if accessible"
        ));
    }
    if let Some(id) = &store.mailbox_id {
        line(&format!(
            "        + use mailbox with id `{id}' instead if accessible"
        ));
    }
    if store.create {
        line("        + create mailbox if it does not exist");
    }
    if !store.flags.is_empty() {
        const SYSTEM: [&str; 5] = ["\\flagged", "\\answered", "\\deleted", "\\seen", "\\draft"];
        let is = |name: &str, flag: &&String| flag.eq_ignore_ascii_case(name);
        let system = SYSTEM
            .iter()
            .filter(|name| store.flags.iter().any(|flag| is(name, &flag)));
        let keywords = store.flags.iter().filter(|flag| !flag.starts_with('\\'));
        let all: Vec<&str> = system.copied().chain(keywords.map(String::as_str)).collect();
        line(&format!("        + add IMAP flags: {}", all.join(" ")));
    }
}

fn vacation_lines(vacation: &sieve::Vacation, line: &mut impl FnMut(&str)) {
    line(" * send vacation message:");
    line(&format!("    => seconds : {}", vacation.seconds));
    if let Some(subject) = &vacation.subject {
        line(&format!("    => subject : {subject}"));
    }
    if let Some(from) = &vacation.from {
        line(&format!("    => from    : {}", plain(from)));
    }
    line(&format!("    => handle  : {}", vacation.handle));
    line("");
    line("START MESSAGE");
    line(&vacation.reason);
    line("END MESSAGE");
}

fn notify_lines(notify: &sieve::Notify, line: &mut impl FnMut(&str)) {
    if notify.deprecated {
        line(" * send (deprecated) notification with method 'mailto':");
        line(&format!("    => importance    : {}", notify.importance));
        line(&format!(
            "    => message       : {}",
            plain(notify.message.as_deref().unwrap_or_default())
        ));
        if let Some(id) = &notify.id {
            line(&format!("    => id            : {id} "));
        }
        line("    => recipients    :");
        notify
            .to
            .iter()
            .for_each(|to| line(&format!("       + To: {to}")));
        return line("");
    }
    line(" * send notification with method 'mailto:':");
    line(&format!("    => importance   : {}", notify.importance));
    if let Some(subject) = notify.message.as_ref().or(notify.subject.as_ref()) {
        line(&format!("    => subject      : {}", plain(subject)));
    }
    if let Some(from) = &notify.from {
        line(&format!("    => from         : {from}"));
    }
    line("    => recipients   :");
    notify
        .to
        .iter()
        .for_each(|to| line(&format!("       + To: {to}")));
    notify
        .cc
        .iter()
        .for_each(|cc| line(&format!("       + Cc: {cc}")));
    if notify.to.is_empty() && notify.cc.is_empty() {
        line("       NONE, action has no effect");
    }
    if !notify.headers.is_empty() {
        line("    => headers      :");
        notify
            .headers
            .iter()
            .for_each(|(name, value)| line(&format!("       + {name}: {}", plain(value))));
    }
    if let Some(body) = &notify.body {
        line("    => body         : ");
        line("--");
        line(&body.replace("\r\n", "\n"));
        line("--");
    }
    line("");
}
