//! `postconf`: shows main.cf's settings as Postfix's postconf(1) does.

use std::path::PathBuf;
use std::process::ExitCode;

use config::main_cf_edit::{Edit, edit_file};
use config::postconf::{Listing, Which};
use config::{Problem, Severity, main_cf, master_cf};
use settings::Surroundings;

use crate::{Invocation, configuration, eprint_line, print_line};

const HELP: &str = "usage: postconf [-dHhnx] [-c DIR] [-o NAME=VALUE] [NAME ...]
       postconf [-c DIR] {-e NAME=VALUE | -X NAME | -# NAME} ...
Shows settings of main.cf: all of them, or the named ones.
  -c DIR         reads DIR/main.cf (MAIL_CONFIG does the same)
  -e NAME=VALUE  writes settings into main.cf (so does NAME=VALUE without -e)
  -X NAME        takes settings out of main.cf
  -# NAME        makes settings of main.cf comments
  -d             shows defaults instead of what the file says
  -h             shows values without names
  -H             shows names without values
  -n             shows only what main.cf sets
  -o NAME=VALUE  takes this as if main.cf said it
  -x             replaces $name in values";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    config_directory: Option<String>,
    defaults: bool,
    set_only: bool,
    no_names: bool,
    no_values: bool,
    expanded: bool,
    overrides: Vec<(String, String)>,
    names: Vec<String>,
    /// `e`, `X` or `#`: the names are to be edited.
    editing: Option<char>,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match request_of(&invocation.args) {
        Ok(request) => match edits_of(&request) {
            Ok(edits) if edits.is_empty() => show(invocation, &request),
            Ok(edits) => edit(invocation, &request, &edits),
            Err(text) => fatal(invocation, &text),
        },
        Err(text) => fatal(invocation, &text),
    }
}

fn fatal(invocation: &Invocation, text: &str) -> ExitCode {
    invocation.complain(format!("fatal: {text}"));
    ExitCode::FAILURE
}

fn request_of(args: &[String]) -> Result<Request, String> {
    let mut request = Request::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            request.names.push(arg.clone());
            continue;
        };
        for (at, letter) in letters.char_indices() {
            match letter {
                'd' => request.defaults = true,
                'n' => request.set_only = true,
                'h' => request.no_names = true,
                'H' => request.no_values = true,
                'x' => request.expanded = true,
                'v' | 'f' | 'p' => {}
                'c' | 'o' => {
                    let rest = &letters[at + 1..];
                    let value = if rest.is_empty() {
                        args.next().cloned()
                    } else {
                        Some(rest.to_owned())
                    };
                    let value = value.ok_or_else(|| format!("nothing follows -{letter}"))?;
                    if letter == 'c' {
                        request.config_directory = Some(value);
                    } else {
                        let (name, text) = value
                            .split_once('=')
                            .ok_or_else(|| format!("\"{value}\" is not name=value"))?;
                        request
                            .overrides
                            .push((name.trim().to_owned(), text.trim().to_owned()));
                    }
                    break;
                }
                'e' | 'X' | '#' => request.editing = Some(letter),
                'M' | 'F' | 'P' | 'C' | 'a' | 'A' | 'b' | 'l' | 'm' | 't' | 'T' => {
                    return Err(format!("-{letter} is not there yet"));
                }
                _ => return Err(format!("there is no option -{letter}; see postconf --help")),
            }
        }
    }
    if request.defaults && request.set_only {
        return Err("give one of -d and -n".to_owned());
    }
    Ok(request)
}

/// What is to be edited; nothing when settings are to be shown.
fn edits_of(request: &Request) -> Result<Vec<Edit>, String> {
    let set = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok(Edit::Set(name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("missing '=' after attribute name: \"{text}\"")),
    };
    let names = request.names.iter();
    match request.editing {
        Some('e') => names.map(set).collect(),
        Some('X') => Ok(names.cloned().map(Edit::Remove).collect()),
        Some(_) => Ok(names.cloned().map(Edit::CommentOut).collect()),
        None if request.names.iter().any(|name| name.contains('=')) => names.map(set).collect(),
        None => Ok(Vec::new()),
    }
}

fn edit(invocation: &Invocation, request: &Request, edits: &[Edit]) -> ExitCode {
    match edit_file(&directory(request).join("main.cf"), edits) {
        Ok(()) => ExitCode::SUCCESS,
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
        if !(request.defaults && problem.line == 0) {
            return fatal(invocation, &in_full(problem, &dir));
        }
    }
    let rows = master_cf::read(&dir.join("master.cf"), &mut Vec::new());
    let mut values = main.values(&surroundings);
    if let Some(dir) = named {
        values.set("config_directory", &dir);
    }
    for (name, text) in &request.overrides {
        values.set(name, text);
    }
    let listing = Listing::new(&main, &rows, values);
    if !request.defaults {
        warn(listing.overriding());
    }
    let code = show_values(invocation, request, &listing);
    if !request.defaults {
        warn(listing.unused());
    }
    code
}

fn show_values(invocation: &Invocation, request: &Request, listing: &Listing<'_>) -> ExitCode {
    let which = match (request.defaults, request.set_only) {
        (true, _) => Which::Defaults,
        (_, true) => Which::Set,
        _ => Which::All,
    };
    let names = if request.names.is_empty() {
        listing.names(which)
    } else {
        request.names.clone()
    };
    for name in names {
        match listing.text(&name, which, request.expanded) {
            Ok(Some(text)) => print_line(&line(request, &name, &text)),
            Ok(None) => warn(vec![format!("{name}: unknown parameter")]),
            Err(error) => return fatal(invocation, &format!("{name}: {error}")),
        }
    }
    ExitCode::SUCCESS
}

fn line(request: &Request, name: &str, text: &str) -> String {
    match (request.no_names, request.no_values) {
        (true, _) => text.to_owned(),
        (_, true) => name.to_owned(),
        _ if text.is_empty() => format!("{name} ="),
        _ => format!("{name} = {text}"),
    }
}

fn warn(texts: Vec<String>) {
    for text in texts {
        eprint_line(&format!("postconf: warning: {text}"));
    }
}

/// The problem with the directory before the file's name.
fn in_full(problem: &Problem, dir: &std::path::Path) -> String {
    if problem.line == 0 {
        problem.text.clone()
    } else {
        format!("{}/{problem}", dir.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments() {
        let request = request_of(&args("-nh -c/x -o a=b myhostname")).expect("valid");
        assert!(request.set_only && request.no_names && !request.expanded);
        assert_eq!(request.config_directory.as_deref(), Some("/x"));
        assert_eq!(request.overrides, [("a".to_owned(), "b".to_owned())]);
        assert_eq!(request.names, ["myhostname"]);
        assert!(
            request_of(&args("-c")).is_err()
                && request_of(&args("-dn")).is_err()
                && request_of(&args("-q")).is_err()
        );
    }
}
