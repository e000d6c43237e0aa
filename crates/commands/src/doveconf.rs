//! `doveconf`: shows dovecot.conf's settings as Dovecot's doveconf(1) does.

use std::path::PathBuf;
use std::process::ExitCode;

use config::doveconf::{Printout, Which};
use config::{Severity, dovecot_conf};

use crate::{Invocation, eprint_line, print_line};

const HELP: &str = "usage: doveconf [-adhnP] [-c FILE] [NAME ...]
Shows settings of dovecot.conf: all of them, or the named ones (ssl, passdb, service/imap-login, plugin/sieve).
  -a       shows everything (the same as no option)
  -c FILE  reads FILE instead of /etc/dovecot/dovecot.conf
  -d       shows the defaults
  -h       shows values without names
  -n       shows only what differs from the defaults
  -P       shows keys and passwords too";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    file: Option<String>,
    defaults: bool,
    changed: bool,
    no_names: bool,
    show_hidden: bool,
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
                'P' => request.show_hidden = true,
                'c' => {
                    let rest = &letters[at + 1..];
                    let file = if rest.is_empty() {
                        args.next().cloned()
                    } else {
                        Some(rest.to_owned())
                    };
                    request.file = Some(file.ok_or("nothing follows -c")?);
                    break;
                }
                _ => return Err(format!("there is no option -{letter}; see doveconf --help")),
            }
        }
    }
    Ok(request)
}

fn show(invocation: &Invocation, request: &Request) -> ExitCode {
    let file = PathBuf::from(request.file.as_deref().unwrap_or("/etc/dovecot/dovecot.conf"));
    let mut problems = Vec::new();
    let tree = (!request.defaults).then(|| dovecot_conf::read(&file, &mut problems));
    if let Some(problem) = problems
        .iter()
        .find(|problem| problem.severity == Severity::Error)
    {
        invocation.complain(format!("Fatal: Error in configuration file {problem}"));
        return ExitCode::from(89);
    }
    if tree.is_some() {
        // What is unknown or not there is told aside; the settings are shown all the same.
        for problem in config::load_dovecot(&file)
            .1
            .iter()
            .filter(|problem| problem.severity >= Severity::Warning)
        {
            eprint_line(&format!("doveconf: {problem}"));
        }
    }
    let printout = Printout::new(tree.as_ref(), request.show_hidden);
    if !request.names.is_empty() {
        for name in &request.names {
            printout
                .named(name, request.no_names)
                .iter()
                .for_each(|line| print_line(line));
        }
        return ExitCode::SUCCESS;
    }
    for line in header(&file, request) {
        print_line(&line);
    }
    let which = if request.changed {
        Which::Changed
    } else {
        Which::All
    };
    printout.lines(which).iter().for_each(|line| print_line(line));
    ExitCode::SUCCESS
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
        assert!(request.changed && request.show_hidden && !request.no_names);
        assert_eq!(
            (request.file.as_deref(), request.names.as_slice()),
            (Some("/x"), &["ssl".to_owned()][..])
        );
        assert!(request_of(&["-z".to_owned()]).is_err());
    }
}
