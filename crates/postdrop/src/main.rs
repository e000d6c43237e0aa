//! `postdrop`: the small set-group-ID program through which users leave mail while the mail system is down (postdrop(1)).
//!
//! In charge of nothing but this: a message on standard input becomes a file in the maildrop, whose owner is the
//! user. Not in charge of what the message says, nor of telling the mail system. No other crate of ours than `os` and `envelope`.
//! It trusts nobody: see `os::elevated` for what it drops, [`configuration`] for what it believes.
//! Limits: `envelope::maildrop::HEAD_BYTES_MAX`, `message_size_limit`, [`configuration::FILE_BYTES_MAX`].

mod authorization;
mod configuration;
mod drop;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use configuration::Configuration;
use os::elevated::Caller;

const HELP: &str = "usage: postdrop [-rv] [-c DIR]
Takes a message that sendmail(1) wrote from standard input and leaves it in the maildrop; the mail system picks it up.
  -r      speaks sendmail's protocol: the only way there is
  -c DIR  takes DIR/main.cf; of a user other than root only when the usual main.cf lists DIR in
          alternate_config_directories
  -v      has no effect";

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Help,
    Drop { directory: Option<PathBuf> },
}

fn main() -> ExitCode {
    // The one variable that postdrop(1) knows, as a name that is checked like that of -c.
    let named = std::env::var_os("MAIL_CONFIG").map(PathBuf::from);
    if let Err(error) = os::elevated::drop_inheritance() {
        return fatal(&error.to_string());
    }
    match wanted_of(std::env::args_os().skip(1)) {
        Ok(Wanted::Help) => say(HELP),
        Ok(Wanted::Drop { directory }) => match perform(directory.or(named)) {
            Ok(queue_id) => say(&queue_id),
            Err(text) => fatal(&text),
        },
        Err(text) => fatal(&text),
    }
}

fn wanted_of(args: impl Iterator<Item = OsString>) -> Result<Wanted, String> {
    const USAGE: &str = "usage: postdrop [-c config_dir] [-v]";
    let (mut args, mut directory) = (args, None);
    while let Some(arg) = args.next() {
        let arg = arg.into_string().map_err(|_| USAGE)?;
        if arg == "--help" {
            return Ok(Wanted::Help);
        }
        let letters = arg.strip_prefix('-').filter(|letters| !letters.is_empty());
        for (at, letter) in letters.ok_or(USAGE)?.char_indices() {
            match letter {
                'r' | 'v' => {}
                'c' => {
                    let rest = OsString::from(&arg[at + 2..]);
                    let value = Some(rest).filter(|rest| !rest.is_empty()).or_else(|| args.next());
                    directory = Some(PathBuf::from(value.ok_or(USAGE)?));
                    break;
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
    }
    Ok(Wanted::Drop { directory })
}

/// Leaves the message; returns its queue id.
fn perform(directory: Option<PathBuf>) -> Result<String, String> {
    let caller = Caller::of_process();
    let directory = configuration::directory(directory, caller)?;
    let settings = Configuration::read(&directory)?;
    if let Some(name) = authorization::stranger(&settings.authorized_submit_users, caller.uid)? {
        return Err(format!(
            "User {name}({}) is not allowed to submit mail",
            caller.uid
        ));
    }
    let queue_id = drop::leave(&settings, caller.uid, &mut std::io::stdin().lock())?;
    Ok(queue_id.to_string())
}

/// A line on standard output. Whoever does not listen has the message taken all the same.
fn say(line: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
    ExitCode::SUCCESS
}

fn fatal(text: &str) -> ExitCode {
    // There is nobody left to tell when that fails.
    let _ = writeln!(std::io::stderr().lock(), "postdrop: fatal: {text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let wanted = |line: &str| wanted_of(line.split_whitespace().map(OsString::from));
        let drop = |directory: Option<&str>| {
            Ok(Wanted::Drop {
                directory: directory.map(PathBuf::from),
            })
        };
        assert_eq!(wanted(""), drop(None));
        assert_eq!(wanted("-r -v"), drop(None));
        assert_eq!(wanted("-vrc /x"), drop(Some("/x")));
        assert_eq!(wanted("-c/x"), drop(Some("/x")));
        assert_eq!(wanted("--help"), Ok(Wanted::Help));
        for wrong in ["-x", "file", "-c", "-"] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }
}
