//! `yubin role`: what the supervisor starts for each role. Nothing for people.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use master::roles;

use crate::{Invocation, eprint_line, print_line};

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    let done = match invocation.args.as_slice() {
        [role] => roles::run(role),
        [word, trial @ ..] if word == "truth" => truth(trial),
        _ => Err(anyhow::anyhow!(
            "this is for the supervisor only (see yubin serve --help)"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let why = os::with_causes(error.as_ref());
            eprint_line(&format!("yubin role {}: {why}", invocation.args.join(" ")));
            ExitCode::FAILURE
        }
    }
}

/// `truth ROLE UID GID CONFIG_DIRECTORY MAILBOX PORT`
fn truth(words: &[String]) -> Result<()> {
    let [role, uid, gid, config_directory, mailbox, port] = words else {
        bail!("a trial has six words");
    };
    let number = |text: &String| {
        text.parse::<u32>()
            .with_context(|| format!("{text} is no number"))
    };
    let trial = roles::truth::Trial {
        role: role.clone(),
        uid: number(uid)?,
        gid: number(gid)?,
        config_directory: config_directory.into(),
        mailbox: mailbox.into(),
        port: port.parse().context("no port")?,
    };
    for line in roles::truth::lines(&trial)? {
        print_line(&line);
    }
    Ok(())
}
