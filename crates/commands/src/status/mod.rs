//! `yubin status`: what the running mail system does now, in sections that are asked for by name.

mod limits;

use std::process::ExitCode;

use ipc::control::{Reply, Request, Section};
use serde_json::{Map, Value, json};

use crate::mail_queue::{Answer, MailQueue};
use crate::{EX_USAGE, Invocation, print_line};

const HELP: &str = "\
usage: yubin status [OPTION ...] [SECTION ...]

Says what the running mail system does. Without SECTION: whether it runs, and all sections.

  limits    who is limited now and why: clients of the SMTP services that come too often, those whose replies wait because of
            mistakes, addresses whose logins wait because of wrong passwords; what was refused to them in the last hour

  --all     clients that are not limited, too
  --json    one JSON object, with all clients
  -c DIR    the configuration (MAIL_CONFIG does the same); default: /etc/yubin when it is there, /etc/postfix

For root and the owner of the mail system. Ends with 0, with 1 when the mail system does not run.";

/// The sections, by name.
const SECTIONS: [(&str, Section); 1] = [("limits", Section::Limits)];

/// Which clients are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Extent {
    /// Those that are limited.
    #[default]
    Limited,
    /// All that are known.
    All,
}

/// What is asked.
#[derive(Debug, Default)]
struct Wanted {
    sections: Vec<(&'static str, Section)>,
    extent: Extent,
    json: bool,
    directory: Option<String>,
}

impl Wanted {
    fn of(args: &[String]) -> Result<Wanted, String> {
        let mut wanted = Wanted::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--all" => wanted.extent = Extent::All,
                "--json" => wanted.json = true,
                "-c" => wanted.directory = Some(args.next().ok_or("-c needs a value")?.clone()),
                option if option.starts_with('-') => {
                    return Err(format!("there is no option \"{option}\" (see --help)"));
                }
                name => {
                    let section = SECTIONS.iter().find(|(known, _)| *known == name);
                    let unknown = || {
                        let names = SECTIONS.map(|(name, _)| name).join(", ");
                        format!("there is no section \"{name}\"; there are: {names}")
                    };
                    wanted.sections.push(*section.ok_or_else(unknown)?);
                }
            }
        }
        if wanted.sections.is_empty() {
            wanted.sections = SECTIONS.to_vec();
        }
        Ok(wanted)
    }
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let wanted = match Wanted::of(&invocation.args) {
        Ok(wanted) => wanted,
        Err(why) => {
            invocation.complain(why);
            return ExitCode::from(EX_USAGE);
        }
    };
    match tell(&wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            invocation.complain(why);
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Whether the mail system runs; what it says was printed.
fn tell(wanted: &Wanted) -> Result<bool, String> {
    let queue = MailQueue::of(wanted.directory.as_deref())?;
    let ask = |request| queue.ask(&request).map_err(|error| error.to_string());
    let Answer::Up(replies) = ask(Request::Status)? else {
        match wanted.json {
            true => print_line(&json!({ "running": false }).to_string()),
            false => print_line("the mail system does not run"),
        }
        return Ok(false);
    };
    let process = replies.iter().find_map(|reply| match reply {
        Reply::Process(process) => Some(*process),
        _ => None,
    });
    let mut object = Map::new();
    object.insert("running".to_owned(), json!(true));
    object.insert("process".to_owned(), json!(process));
    if !wanted.json {
        let process = process.map_or_else(String::new, |process| format!(": PID: {process}"));
        print_line(&format!("the mail system runs{process}"));
    }
    for (name, section) in &wanted.sections {
        let parts = match ask(Request::Show(*section))? {
            Answer::Up(replies) => replies,
            Answer::Down => return Err("the mail system has stopped".to_owned()),
        };
        let parts = parts.into_iter().filter_map(|reply| match reply {
            Reply::Section(part) => Some(part),
            _ => None,
        });
        match show(*section, parts.collect(), wanted)? {
            Shown::Object(shown) => drop(object.insert((*name).to_owned(), shown)),
            Shown::Lines(lines) => lines.iter().for_each(|line| print_line(line)),
        }
    }
    if wanted.json {
        print_line(&Value::Object(object).to_string());
    }
    Ok(true)
}

/// A section as it is shown.
enum Shown {
    /// To programs.
    Object(Value),
    /// To people.
    Lines(Vec<String>),
}

/// A section of these parts.
fn show(section: Section, parts: Vec<Value>, wanted: &Wanted) -> Result<Shown, String> {
    let unreadable = |error: serde_json::Error| format!("the mail system says something else: {error}");
    match section {
        Section::Limits => {
            let whole = limits::joined(parts).map_err(unreadable)?;
            match wanted.json {
                true => limits::object(&whole).map(Shown::Object).map_err(unreadable),
                false => Ok(Shown::Lines(limits::lines(&whole, wanted.extent))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_asked_for_by_name() {
        let of = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            Wanted::of(&args)
        };
        let all = of(&["--all", "limits"]).unwrap();
        assert_eq!((all.extent, all.sections.len()), (Extent::All, 1));
        assert_eq!(of(&["--json"]).unwrap().sections.len(), SECTIONS.len());
        assert_eq!(
            of(&["limit"]).unwrap_err(),
            "there is no section \"limit\"; there are: limits"
        );
        assert!(of(&["-x"]).is_err() && of(&["-c"]).is_err());
    }
}
