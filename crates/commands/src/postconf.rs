//! `postconf`: shows and edits main.cf and master.cf as Postfix's postconf(1) does.

mod master;
mod request;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::main_cf_edit::{Edit, edit_file};
use config::postconf::{Listing, Which};
use config::postconf_master::folded_setting;
use config::{Problem, Severity, main_cf, master_cf};
use settings::Surroundings;

use crate::{Invocation, configuration, eprint_line, print_bytes, print_line};
use request::{Request, Subject, assignment, is_name};

const HELP: &str = "usage: postconf [-dfHhnx] [-c DIR] [-C CLASS] [-o NAME=VALUE] [NAME ...]
       postconf [-c DIR] {-e NAME=VALUE | -X NAME | -# NAME} ...
       postconf {-M | -F | -P} [-fHhx] [-c DIR] [-o NAME=VALUE] [SERVICE[/TYPE[/NAME]] ...]
       postconf [-c DIR] {-M[e] SERVICE/TYPE=ROW | -MX SERVICE/TYPE | -M# SERVICE/TYPE} ...
       postconf [-c DIR] {-F[e] SERVICE/TYPE/FIELD=TEXT | -P[e] SERVICE/TYPE/NAME=VALUE | -PX SERVICE/TYPE/NAME} ...
       postconf {-a | -A | -l | -m | -T MODE | -b [FILE] | -t [FILE]}
Shows settings of main.cf: all of them, or the named ones.
  -c DIR         reads DIR/main.cf (MAIL_CONFIG does the same)
  -C CLASS       shows only names of a class: builtin, service, user or all
  -e NAME=VALUE  writes settings into the file (so does NAME=VALUE without -e)
  -X NAME        takes settings out of the file
  -# NAME        makes settings of the file comments
  -d             shows defaults instead of what the file says
  -f             shows long lines in several
  -h             shows values without names
  -H             shows names without values
  -n             shows only what main.cf sets
  -o NAME=VALUE  takes this as if main.cf said it
  -x             replaces $name in values
  -M, -F, -P     rows of master.cf, their fields, their -o settings; * stands for every service or type
  -a, -A         kinds of log-in for the SMTP server and the SMTP client
  -l, -m         ways of locking a mailbox; types of lookup tables
  -T MODE        about TLS: compile-version, run-version, public-key-algorithms
  -b [FILE]      the texts of reports, with every $name replaced: those of FILE, of bounce_template_file, or built in
  -t [FILE]      the same as a file has them";

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let request = match Request::of(&invocation.args) {
        Ok(request) => request,
        Err(text) => return fatal(invocation, &text),
    };
    match (request.subject, request.editing) {
        (Subject::BuiltIn(letter), _) => {
            built_in(letter).iter().for_each(|line| print_line(line));
            ExitCode::SUCCESS
        }
        (Subject::Tls, _) => about_tls(&request.names),
        (Subject::Templates(letter), _) => templates(invocation, letter, &request),
        (Subject::Main, Some(_)) => edit(invocation, &request),
        (_, Some(_)) => master::edit(invocation, &request, &directory(&request).join("master.cf")),
        _ => show(invocation, &request),
    }
}

fn fatal(invocation: &Invocation, text: &str) -> ExitCode {
    invocation.complain(format!("fatal: {text}"));
    ExitCode::FAILURE
}

/// `-a`, `-A`, `-l`, `-m`: what this program was built with.
fn built_in(letter: char) -> &'static [&'static str] {
    match letter {
        // The mailbox services of the same configuration check passwords, whatever smtpd_sasl_type says.
        'a' => &["cyrus", "dovecot"],
        'A' => &["cyrus"],
        'l' => &["flock", "fcntl", "dotlock"],
        _ => &tables::types::NAMES,
    }
}

/// `-b`, `-t`: the texts of reports, with every `$name` replaced or as they are.
fn templates(invocation: &Invocation, letter: char, request: &Request) -> ExitCode {
    if request.names.len() > 1 {
        return fatal(invocation, "options -b and -t require at most one template file");
    }
    // What is wrong with main.cf is told where it is used.
    let main = main_cf::read(&directory(request).join("main.cf"), &mut Vec::new());
    let values = main.values(&config::this_machine());
    let configured = values.expanded("bounce_template_file").unwrap_or_default();
    let named = request.names.first().cloned().unwrap_or(configured);
    let file = (!named.is_empty()).then(|| Path::new(&named));
    match config::bounce_templates(file, &values) {
        Ok(([raw, expanded], complaints)) => {
            warn(complaints);
            let shown = if letter == 'b' {
                expanded.texts()
            } else {
                raw.to_file()
            };
            print_bytes(shown.as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => fatal(invocation, &why),
    }
}

/// `-T`: about the TLS library.
fn about_tls(modes: &[String]) -> ExitCode {
    for mode in modes {
        match mode.as_str() {
            "compile-version" | "run-version" => print_line("rustls 0.23 with AWS-LC"),
            "public-key-algorithms" => ["ecdsa", "ed25519", "rsa"]
                .iter()
                .for_each(|name| print_line(name)),
            mode => warn(vec![format!("unknown 'postconf -T' mode: {mode}")]),
        }
    }
    ExitCode::SUCCESS
}

/// What is to be edited, and requests that later ones replace.
fn edits_of(request: &Request) -> Result<(Vec<Edit>, Vec<String>), String> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut replaced = Vec::new();
    for (number, text) in request.names.iter().enumerate() {
        let edit = match request.editing {
            Some('e') => assignment(text).map(|(name, value)| Edit::Set(name, value))?,
            // The first word decides what all are.
            Some(letter) if text.contains('=') && number == 0 => {
                return Err(format!("specify one of -e -{letter}"));
            }
            _ if text.contains('=') => {
                return Err("-X or -# requires parameter names without value".to_owned());
            }
            _ if !is_name(text.trim()) => {
                return Err(format!("\"{text}\" is not a name: a name is one word"));
            }
            Some('X') => Edit::Remove(text.trim().to_owned()),
            _ => Edit::CommentOut(text.trim().to_owned()),
        };
        let earlier = edits.iter().position(|old| old.name() == edit.name());
        if let Some(Edit::Set(name, old)) = earlier.map(|at| edits.remove(at)) {
            replaced.push(format!("ignoring earlier request: '{name} = {old}'"));
        }
        edits.push(edit);
    }
    Ok((edits, replaced))
}

fn edit(invocation: &Invocation, request: &Request) -> ExitCode {
    let (edits, replaced) = match edits_of(request) {
        Ok(edits) => edits,
        Err(text) => return fatal(invocation, &text),
    };
    warn(replaced);
    let file = directory(request).join("main.cf");
    let before = main_cf::read(&file, &mut Vec::new()).settings;
    match edit_file(&file, &edits) {
        Ok(()) => {
            let names = edits.iter().map(Edit::name);
            let several =
                names.filter(|name| before.iter().filter(|setting| setting.name == *name).count() > 1);
            warn(
                several
                    .map(|name| format!("{}: multiple entries for \"{name}\"", file.display()))
                    .collect(),
            );
            ExitCode::SUCCESS
        }
        Err(error) => fatal(invocation, &error.to_string()),
    }
}

/// The directory that -c or MAIL_CONFIG names, or the usual one.
fn directory(request: &Request) -> PathBuf {
    configuration::directory(request.config_directory.as_deref())
}

fn named_directory(request: &Request) -> Option<String> {
    request
        .config_directory
        .clone()
        .or_else(|| std::env::var("MAIL_CONFIG").ok())
}

fn show(invocation: &Invocation, request: &Request) -> ExitCode {
    let named = named_directory(request);
    let dir = directory(request);
    let machine = config::this_machine();
    let surroundings = Surroundings {
        process_name: "postconf".to_owned(),
        config_directory: match &named {
            // It is set below, as Postfix does.
            Some(_) => machine.config_directory.clone(),
            None => dir.clone(),
        },
        ..machine
    };
    let mut problems = Vec::new();
    let main = main_cf::read(&dir.join("main.cf"), &mut problems);
    if let Some(problem) = problems
        .iter()
        .find(|problem| problem.severity == Severity::Error)
    {
        // Defaults can be shown without a file.
        if !(request.has('d') && problem.line == 0) {
            return fatal(invocation, &in_full(problem, &dir));
        }
    }
    let mut master_problems = Vec::new();
    let rows = master_cf::read(&dir.join("master.cf"), &mut master_problems);
    let wants_rows = request.subject != Subject::Main;
    if let Some(problem) = master_problems
        .iter()
        .find(|problem| wants_rows && problem.severity == Severity::Error)
    {
        return fatal(invocation, &in_full(problem, &dir));
    }
    let mut values = main.values(&surroundings);
    if let Some(dir) = named {
        values.set("config_directory", &dir);
    }
    for (name, text) in &request.overrides {
        values.set(name, text);
    }
    let listing = Listing::new(&main, &rows, values);
    if !request.has('d') {
        warn(listing.overriding());
        warn(listing.undefined());
    }
    let done = match request.subject {
        Subject::Main => show_values(request, &listing),
        _ => master::show(request, &rows, listing.values()),
    };
    if let Err(text) = done {
        return fatal(invocation, &text);
    }
    if !request.has('d') {
        if request.subject == Subject::Main {
            warn(listing.unused());
        }
        warn(listing.unused_in_rows());
    }
    ExitCode::SUCCESS
}

fn show_values(request: &Request, listing: &Listing<'_>) -> Result<(), String> {
    let which = match (request.has('d'), request.has('n')) {
        (true, _) => Which::Defaults,
        (_, true) => Which::Set,
        _ => Which::All,
    };
    let is_wanted = |name: &String| {
        let classes = &request.classes;
        classes.is_empty()
            || classes
                .iter()
                .any(|class| class == "all" || class == listing.class_of(name))
    };
    let names = if request.names.is_empty() {
        listing.names(which).into_iter().filter(is_wanted).collect()
    } else {
        request.names.clone()
    };
    let set = listing.names(Which::Set);
    for name in names {
        // With -n a name that is not set is not shown; one that is not known is told.
        let is_hidden = which == Which::Set && !set.contains(&name);
        match listing.text(&name, which, request.has('x')) {
            Ok(Some(_)) if is_hidden => {}
            Ok(Some(text)) => lines(request, &name, &text)
                .iter()
                .for_each(|line| print_line(line)),
            Ok(None) => warn(vec![format!("{name}: unknown parameter")]),
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    Ok(())
}

fn lines(request: &Request, name: &str, text: &str) -> Vec<String> {
    let line = match (request.has('h'), request.has('H')) {
        (true, _) => text.to_owned(),
        (_, true) => name.to_owned(),
        _ if text.is_empty() => format!("{name} ="),
        _ => format!("{name} = {text}"),
    };
    match request.has('f') && !request.has('h') {
        true => folded_setting(&line),
        false => vec![line],
    }
}

fn warn(texts: Vec<String>) {
    for text in texts {
        eprint_line(&format!("postconf: warning: {text}"));
    }
}

/// The problem with the directory before the file's name.
fn in_full(problem: &Problem, dir: &Path) -> String {
    if problem.line == 0 {
        problem.text.clone()
    } else {
        format!("{}/{problem}", dir.display())
    }
}
