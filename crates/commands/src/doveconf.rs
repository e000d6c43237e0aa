//! `doveconf`: shows dovecot.conf's settings as Dovecot's doveconf(1) does.

use std::process::ExitCode;

use config::doveconf::{For, Form, Printout, Which};
use config::{Severity, dovecot_conf};

use crate::{Invocation, configuration, eprint_line, print_line};

const HELP: &str = "usage: doveconf [-adhnNPsSx] [-c FILE] [-f FILTER] [NAME ...]
Shows settings of dovecot.conf: all of them, or the named ones (ssl, passdb, service/imap-login, plugin/sieve).
  -a         shows everything (the same as no option)
  -c FILE    reads FILE instead of /etc/yubin/dovecot.conf or /etc/dovecot/dovecot.conf
  -d         shows the defaults
  -f FILTER  shows what holds for one connection: protocol=NAME (or service=NAME), local=ADDRESS, lname=NAME,
             remote=ADDRESS; several may be given
  -h         shows values without names
  -n         shows only what differs from the defaults (so does -N)
  -P         shows keys and passwords too
  -s         shows hidden settings: there are none
  -S         shows every setting in a line of its own, for programs
  -x         shows what is in the files behind <FILE
-m is not there: settings do not belong to single programs here. -e, -k and -p are for Dovecot's own programs.
The exit code is 89 when the file has mistakes; all of them are told.";

/// The exit code of a file with mistakes, Dovecot's.
const BAD_CONFIGURATION: u8 = 89;

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    file: Option<String>,
    defaults: bool,
    changed: bool,
    no_names: bool,
    flat: bool,
    only_hidden: bool,
    form: Form,
    connection: Option<For>,
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match request_of(&invocation.args) {
        Ok(request) => show(invocation, &request),
        Err(text) => {
            invocation.complain(text);
            ExitCode::from(64)
        }
    }
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
                'a' => {}
                'd' => request.defaults = true,
                'n' | 'N' => request.changed = true,
                'h' => request.no_names = true,
                'P' => request.form.hidden = true,
                'x' => request.form.contents = true,
                'S' => request.flat = true,
                's' => request.only_hidden = true,
                'c' | 'f' => {
                    let rest = &letters[at + 1..];
                    let value = match rest {
                        "" => args.next().map(String::as_str),
                        rest => Some(rest),
                    };
                    let value = value.ok_or_else(|| format!("nothing follows -{letter}"))?;
                    match letter {
                        'c' => request.file = Some(value.to_owned()),
                        _ => take_filter(request.connection.get_or_insert_default(), value)?,
                    }
                    break;
                }
                'm' | 'e' | 'k' | 'p' => {
                    return Err(format!("-{letter} is not there; see doveconf --help"));
                }
                _ => return Err(format!("there is no option -{letter}; see doveconf --help")),
            }
        }
    }
    Ok(request)
}

/// `protocol=imap`, `remote=10.1.1.1` …
fn take_filter(connection: &mut For, filter: &str) -> Result<(), String> {
    let (name, value) = filter.split_once('=').ok_or_else(|| {
        format!("\"{filter}\" is not a filter: write protocol=imap, or see doveconf --help")
    })?;
    let address = || {
        value
            .parse()
            .map(Some)
            .map_err(|_| format!("\"{value}\" is not an address"))
    };
    match name {
        "protocol" | "service" => connection.protocol = Some(value.to_owned()),
        "lname" => connection.local_name = Some(value.to_owned()),
        "local" => connection.local = address()?,
        "remote" => connection.remote = address()?,
        _ => return Err(format!("Unknown filter argument: {filter}")),
    }
    Ok(())
}

fn show(invocation: &Invocation, request: &Request) -> ExitCode {
    let file = request
        .file
        .as_deref()
        .map_or_else(configuration::dovecot_file, configuration::named_dovecot_file);
    let tree = (!request.defaults).then(|| dovecot_conf::read(&file, &mut Vec::new()));
    let code = match &tree {
        Some(_) => tell_problems(invocation, &file),
        None => ExitCode::SUCCESS,
    };
    if code != ExitCode::SUCCESS {
        return code;
    }
    let mut printout = Printout::new(tree.as_ref(), request.form);
    if let Some(connection) = &request.connection {
        printout.apply(connection);
    }
    if !request.names.is_empty() {
        for name in &request.names {
            let lines = printout.named(name, request.no_names);
            lines.iter().for_each(|line| print_line(line));
        }
        return ExitCode::SUCCESS;
    }
    let which = if request.changed {
        Which::Changed
    } else {
        Which::All
    };
    let lines = match (request.only_hidden, request.flat) {
        (true, _) => header(&file, request),
        (_, true) => printout.flat(which),
        _ => [header(&file, request), printout.lines(which)].concat(),
    };
    lines.iter().for_each(|line| print_line(line));
    ExitCode::SUCCESS
}

/// All problems, each in a line. With mistakes nothing is shown: what it would mean is not what is written.
fn tell_problems(invocation: &Invocation, file: &std::path::Path) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for problem in &config::load_dovecot(file).1 {
        match problem.severity {
            Severity::Error => {
                invocation.complain(format!("Fatal: Error in configuration file {problem}"));
                code = ExitCode::from(BAD_CONFIGURATION);
            }
            Severity::Warning => eprint_line(&format!("doveconf: Warning: {problem}")),
            // What is not there yet is told by `dovecot` and `postfix check`.
            Severity::Note => {}
        }
    }
    code
}

fn header(file: &std::path::Path, request: &Request) -> Vec<String> {
    let release = rustix::system::uname();
    let system = format!(
        "{} {} {}",
        release.sysname().to_string_lossy(),
        release.release().to_string_lossy(),
        release.machine().to_string_lossy()
    );
    let mut lines = vec![
        format!("# {} (Yubin): {}", env!("CARGO_PKG_VERSION"), file.display()),
        format!("# OS: {system} {} ", distribution()),
        format!("# Hostname: {}", os::hostname::hostname()),
    ];
    if !request.changed {
        lines.push("# NOTE: Send doveconf -n output instead when asking for help.".to_owned());
    }
    lines
}

/// `Debian 12.11`, as the system calls itself.
fn distribution() -> String {
    if let Ok(version) = std::fs::read_to_string("/etc/debian_version") {
        return format!("Debian {}", version.trim());
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let args: Vec<String> = ["-nP", "-c", "/x", "ssl"].map(str::to_owned).to_vec();
        let request = request_of(&args).expect("valid");
        assert!(request.changed && request.form.hidden && !request.no_names);
        assert_eq!(
            (request.file.as_deref(), request.names.as_slice()),
            (Some("/x"), &["ssl".to_owned()][..])
        );
        for wrong in ["-z", "-m", "-ffoo=x", "-flocal=x", "-f", "-c"] {
            assert!(request_of(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        let request = request_of(&["-S".to_owned(), "-fservice=imap".to_owned()]).expect("valid");
        let protocol = request.connection.and_then(|connection| connection.protocol);
        assert_eq!((protocol.as_deref(), request.flat), (Some("imap"), true));
    }
}
