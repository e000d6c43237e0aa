//! `mail`: writes and reads mail at a terminal, with the interface of Heirloom mailx 12.5.

mod arguments;
mod collect;
mod compose;
mod conditions;
mod delivery;
mod escapes;
mod files;
mod folder;
mod headline;
mod interrupt;
mod list;
mod names;
mod outside;
mod programs;
mod reply;
mod saving;
mod session;
mod shell;
mod show;
mod sourcing;
mod state;
mod terminal;
#[cfg(test)]
mod tests;
mod variables;
mod verbs;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::submission::Submitter;
use crate::{Invocation, eprint_line, print_line};
use arguments::Arguments;
use collect::{Desk, Written};
use compose::Draft;
use conditions::Facts;
use outside::Outside;
use session::Session;
use terminal::Terminal;
use variables::Variables;

/// The first line of a session.
const BANNER: &str = "Heirloom Mail version 12.5 7/5/10.  Type ? for help.\n";
/// What `-V` says.
const VERSION: &str = "12.5 7/5/10";
/// The mailrc file of all users.
const SYSTEM_RC: &str = "/etc/mail.rc";

const HELP: &str = "usage: mail [-s SUBJECT] [-c NAMES] [-b NAMES] [-r ADDRESS] [-a FILE] [-q FILE] [-S VAR=VALUE] [-EntF~] NAME...
       mail [-eHNRn] [-f [FOLDER] | -u USER]
Sends the text on standard input, or shows the user's mail and takes commands (? lists them).
  -s SUBJECT   the subject               -c, -b NAMES  copies, blind copies
  -r ADDRESS   the sender                -a FILE       attaches a file
  -q FILE      the text starts with it   -E            does not send an empty text
  -t           takes To, Cc, Bcc and Subject from the text
  -f [FOLDER]  reads FOLDER, an mbox file or a Maildir directory (default: mbox)
  -u USER      reads USER's mailbox      -R            changes nothing
  -e           only says by its status whether there is mail
  -H           only shows the header lines   -N        does not show them at the start
  -S VAR=VALUE sets a variable           -n            does not read /etc/mail.rc
With -S expandaddr a NAME may be a file (/path, +folder) or a command (|command).
MAIL_CONFIG names the directory of main.cf.";

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let arguments = match Arguments::parse(&invocation.args) {
        Ok(arguments) => arguments,
        Err(text) => {
            eprint_line(&text);
            return ExitCode::from(2);
        }
    };
    if arguments.version {
        print_line(VERSION);
        return ExitCode::SUCCESS;
    }
    let submitter = Submitter::current();
    let variables = variables(&arguments, &submitter);
    let mut terminal = Terminal::new(submitter, variables.clone(), arguments.from.clone());
    let done = if arguments.sends() {
        send(&arguments, variables, &mut terminal)
    } else {
        read(&arguments, variables, &mut terminal)
    };
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The system's mailrc, the user's, then `-S`.
fn variables(arguments: &Arguments, submitter: &Submitter) -> Variables {
    let mut variables = Variables::default();
    let home = std::env::var_os("HOME").map_or_else(|| submitter.home.clone(), PathBuf::from);
    let own = std::env::var_os("MAILRC").map_or_else(|| home.join(".mailrc"), PathBuf::from);
    let facts = Facts {
        is_sending: arguments.sends(),
        is_terminal: os::terminal::stdin_is_terminal(),
    };
    let text_of = |name: &std::path::Path| {
        let text = std::fs::read(name).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    };
    let sourced = |name: &str| match name.strip_prefix("~/") {
        Some(rest) => text_of(&home.join(rest)),
        None => text_of(name.as_ref()),
    };
    let mut files = vec![own];
    if !arguments.no_system_rc {
        files.insert(0, PathBuf::from(SYSTEM_RC));
    }
    for file in files {
        // Most users have none.
        if let Some(text) = text_of(&file) {
            variables.read(&text, facts, &sourced);
        }
    }
    for word in &arguments.settings {
        variables.assign(word);
    }
    if let (true, Some(first)) = (arguments.records, arguments.to.first()) {
        let name = first.split('@').next().unwrap_or(first);
        variables.assign(&format!("record={name}"));
    }
    variables
}

/// Sends a letter. Whether it was sent.
fn send(arguments: &Arguments, mut variables: Variables, outside: &mut dyn Outside) -> bool {
    let mut draft = Draft {
        to: collect::names_of(&variables, &arguments.to),
        cc: collect::names_of(&variables, &arguments.cc),
        bcc: collect::names_of(&variables, &arguments.bcc),
        subject: arguments.subject.clone(),
        from: arguments
            .from
            .clone()
            .or_else(|| variables.text("from").map(str::to_owned)),
        ..Draft::default()
    };
    let prepared = collect::attachments(outside, &arguments.attachments).and_then(|attachments| {
        draft.attachments = attachments;
        match &arguments.start {
            Some(name) => outside
                .file_of(name)
                .and_then(|file| outside.read(&file))
                .map(|text| draft.body = text),
            None => Ok(()),
        }
    });
    if let Err(text) = prepared {
        outside.complain(&text);
        return false;
    }
    if draft.subject.is_none() && outside.is_interactive() && variables.is_set("ask") {
        match collect::ask_subject(outside) {
            Some(subject) => draft.subject = subject,
            None => return false,
        }
    }
    match write(arguments, &mut variables, outside, &mut draft) {
        Written::Cancelled => return true,
        Written::Killed => return false,
        Written::Whole | Written::Command(_) => {}
    }
    if arguments.reads_recipients {
        take_header(&mut draft);
        if let Err(text) = delivery::refuse_targets([&draft.to, &draft.cc, &draft.bcc].into_iter().flatten())
        {
            outside.complain(&text);
            return false;
        }
    }
    if draft.body.is_empty() && draft.attachments.is_empty() {
        if arguments.skips_empty {
            return true;
        }
        outside.say(match draft.subject {
            Some(_) => "Null message body; hope that's ok\n",
            None => "No message, no subject; hope that's ok\n",
        });
    }
    collect::send(outside, &variables, &draft)
}

/// Takes the text. Of the commands of a session only those about settings can be done here.
fn write(
    arguments: &Arguments,
    variables: &mut Variables,
    outside: &mut dyn Outside,
    draft: &mut Draft,
) -> Written {
    let escapes = outside.is_interactive() || arguments.escapes;
    loop {
        let mut desk = Desk {
            outside,
            variables,
            folder: None,
            escapes,
        };
        let command = match desk.write(draft) {
            Written::Command(command) => command,
            written => return written,
        };
        let (word, rest) = verbs::split(&command);
        let verb = verbs::find(word).map(|(name, _)| name);
        if verb.is_some_and(|verb| variables.order(verb, &list::words(rest))) {
            outside.heed(variables);
        } else {
            outside.say(&format!("\"{word}\" needs an open folder\n"));
        }
        outside.say("(continue)\n");
    }
}

/// `-t`: the text starts with header fields that say what the command line could.
fn take_header(draft: &mut Draft) {
    let text = std::mem::take(&mut draft.body);
    let end = message::header::length(&text);
    for field in message::header::fields(&text[..end]) {
        let value = || String::from_utf8_lossy(&field.unfolded()).into_owned();
        match field.name.to_ascii_lowercase().as_slice() {
            b"to" => draft.to.push(value()),
            b"cc" => draft.cc.push(value()),
            b"bcc" => draft.bcc.push(value()),
            b"subject" => draft.subject = Some(field.text()),
            b"from" => draft.from = Some(value()),
            b"in-reply-to" => draft.in_reply_to = Some(value()),
            b"references" => draft.references = Some(value()),
            _ => {}
        }
    }
    draft.body = text[end..].to_vec();
}

/// Shows mail and takes commands. Whether there was mail and all went well.
fn read(arguments: &Arguments, variables: Variables, terminal: &mut Terminal) -> bool {
    let spool = terminal.spool().display().to_string();
    let named = match (&arguments.user, &arguments.folder) {
        (Some(user), _) => terminal.file_of(&format!("%{user}")),
        (None, Some(folder)) => terminal.file_of(folder.as_deref().unwrap_or("&")),
        (None, None) => Ok(spool.clone()),
    };
    let name = match named {
        Ok(name) => name,
        Err(text) => {
            eprint_line(&text);
            return false;
        }
    };
    let is_spool = name == spool || arguments.user.is_some();
    if is_spool && let Some(text) = terminal::doubt(arguments.user.as_deref()) {
        eprint_line(&text);
    }
    let missing = is_spool && !std::path::Path::new(&name).exists();
    let loaded = if missing {
        Ok(folder::Folder::default())
    } else {
        terminal.load(&name)
    };
    let mut folder = match loaded {
        Ok(folder) => folder,
        Err(text) => {
            eprint_line(&text);
            return false;
        }
    };
    folder.is_spool = is_spool;
    folder.is_read_only |= arguments.read_only;
    if arguments.checks {
        return !folder.letters.is_empty();
    }
    if folder.letters.is_empty() && is_spool {
        let user = arguments
            .user
            .clone()
            .unwrap_or_else(|| terminal.user().to_owned());
        eprint_line(&format!("No mail for {user}"));
        return false;
    }
    let shows = variables.is_set("header") && !arguments.no_summary;
    let mut session = Session::new(terminal, variables, folder);
    if arguments.summary_only {
        session.command("from *");
        return true;
    }
    session.greet(shows);
    session.run()
}
