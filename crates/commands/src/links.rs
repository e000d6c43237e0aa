//! `yubin links DIR`: a symbolic link for every command, so that `mailq` and its kin are found by their names.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::install::INNER;
use crate::{COMMANDS, Invocation, print_line};

const HELP: &str = "\
usage: yubin links DIR

Makes a symbolic link to this program in DIR for every command. Links that point elsewhere and files that are
already there are left alone and reported.";

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    match invocation.args.as_slice() {
        [directory] if !directory.starts_with('-') => match link_all(Path::new(directory)) {
            Ok(0) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                invocation.complain(os::with_causes(error.as_ref()));
                ExitCode::FAILURE
            }
        },
        [flag] if flag == "--help" => {
            print_line(HELP);
            ExitCode::SUCCESS
        }
        _ => {
            invocation.complain("one directory, please");
            ExitCode::from(64)
        }
    }
}

/// Makes the links; returns how many names were taken by something else.
fn link_all(directory: &Path) -> Result<usize> {
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create directory {}", directory.display()))?;
    let mut taken = 0;
    for command in COMMANDS.iter().filter(|command| !INNER.contains(&command.name)) {
        let link = directory.join(command.name);
        if std::fs::read_link(&link).is_ok_and(|target| target == program) {
            continue;
        }
        match std::os::unix::fs::symlink(&program, &link) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                print_line(&format!("{} is there already; left alone", link.display()));
                taken += 1;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot create link {}", link.display()));
            }
        }
    }
    Ok(taken)
}
