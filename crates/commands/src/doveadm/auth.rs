//! `doveadm auth test`: tries a login against the passdbs (doveadm-auth(1)).

use std::process::ExitCode;

use auth::{Asker, Request, Verdict};
use sasl::Password;

use super::{Call, NO_PERMISSION, TEMPORARY, ask_password, fatal, open_auth, usage};
use crate::{eprint_line, print_line};

const HELP: &str = "usage: doveadm auth test [-x INFO] USER [PASSWORD]
Tries a login. INFO is service=NAME, rip=ADDRESS or lip=ADDRESS and may be repeated.";

pub(super) fn run(call: &Call) -> ExitCode {
    match call.args.first().map(String::as_str) {
        Some("test") => test(call),
        Some("--help") => {
            print_line(HELP);
            ExitCode::SUCCESS
        }
        _ => usage(HELP),
    }
}

fn test(call: &Call) -> ExitCode {
    let (mut words, mut service, mut remote, mut local) = (Vec::new(), "doveadm".to_owned(), None, None);
    let mut args = call.args[1..].iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-x" => match args.next().and_then(|info| info.split_once('=')) {
                Some(("service", name)) => service = name.to_owned(),
                Some(("rip", address)) => remote = address.parse().ok(),
                Some(("lip", address)) => local = address.parse().ok(),
                _ => {}
            },
            "-a" | "-M" => drop(args.next()),
            option if option.starts_with('-') => return usage(HELP),
            word => words.push(word.to_owned()),
        }
    }
    let Some(user) = words.first() else {
        return usage(HELP);
    };
    let password = match words.get(1) {
        Some(password) => password.clone(),
        None => match ask_password("Password: ") {
            Ok(password) => password,
            Err(error) => return fatal(&error.to_string()),
        },
    };
    let auth = match open_auth(call) {
        Ok(auth) => auth,
        Err(code) => return code,
    };
    let password = Password::new(password);
    let asker = Asker {
        service,
        remote,
        local,
        secured: true,
    };
    let request = Request {
        user,
        authzid: "",
        password: &password,
        mechanism: "PLAIN",
        asker: &asker,
    };
    answer(user, auth.verify(&request))
}

fn answer(user: &str, verdict: Verdict) -> ExitCode {
    let (outcome, shown, code) = match verdict {
        Verdict::Ok(account, _) => ("auth succeeded", account.user, ExitCode::SUCCESS),
        Verdict::Failed(failure) => ("auth failed", failure.user, ExitCode::from(NO_PERMISSION)),
        Verdict::Temporary(text) => {
            eprint_line(&format!("Error: {text}"));
            ("auth failed", user.to_owned(), ExitCode::from(TEMPORARY))
        }
    };
    print_line(&format!("passdb: {user} {outcome}"));
    print_line("extra fields:");
    print_line(&format!("  user={shown}"));
    code
}
