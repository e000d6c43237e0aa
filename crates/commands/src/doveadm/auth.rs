//! `doveadm auth`: tries a login, looks a user up in the passdbs, empties the cache (doveadm-auth(1)).

use std::process::ExitCode;

use auth::{Asker, Request, Verdict};
use sasl::Password;

use super::master::Master;
use super::{Call, NO_PERMISSION, NO_USER, TEMPORARY, ask_password, fatal, open_auth, settings_with, usage};
use crate::{eprint_line, print_line};

const HELP: &str = "usage: doveadm auth test [-x INFO] [-M MASTER] USER [PASSWORD]
       doveadm auth lookup [-f FIELD] [-x INFO] USER...
       doveadm auth cache flush [USER...]
Tries a login; shows what the passdbs say of users; has the running system forget what databases said.
INFO is service=NAME, rip=ADDRESS or lip=ADDRESS and may be repeated.";

/// What the options say.
struct Options {
    asker: Asker,
    /// `-M`: whose password it is.
    master: Option<String>,
    /// `-f`: the one field that is shown.
    field: Option<String>,
    words: Vec<String>,
}

impl Options {
    fn of(args: &[String]) -> Option<Options> {
        let mut options = Options {
            asker: Asker {
                service: "doveadm".to_owned(),
                secured: true,
                ..Asker::default()
            },
            master: None,
            field: None,
            words: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "-x" => match args.next().and_then(|info| info.split_once('=')) {
                    Some(("service", name)) => name.clone_into(&mut options.asker.service),
                    Some(("rip", address)) => options.asker.remote = address.parse().ok(),
                    Some(("lip", address)) => options.asker.local = address.parse().ok(),
                    Some(("rport", port)) => options.asker.remote_port = port.parse().ok(),
                    Some(("lport", port)) => options.asker.local_port = port.parse().ok(),
                    Some(("session", session)) => session.clone_into(&mut options.asker.session),
                    _ => {}
                },
                // The databases are asked directly.
                "-a" => drop(args.next()),
                "-M" => options.master = Some(args.next()?.clone()),
                "-f" => options.field = Some(args.next()?.clone()),
                option if option.starts_with('-') => return None,
                word => options.words.push(word.to_owned()),
            }
        }
        Some(options)
    }
}

pub(super) fn run(call: &Call) -> ExitCode {
    let rest = call.args.get(1..).unwrap_or_default();
    let command = call.args.first().map(String::as_str);
    if command == Some("--help") {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let Some(options) = Options::of(rest) else {
        return usage(HELP);
    };
    match command {
        Some("test") => test(call, &options),
        Some("lookup") => lookup(call, &options),
        Some("cache") if options.words.first().is_some_and(|word| word == "flush") => {
            flush(call, &options.words[1..])
        }
        _ => usage(HELP),
    }
}

fn test(call: &Call, options: &Options) -> ExitCode {
    let Some(user) = options.words.first() else {
        return usage(HELP);
    };
    let password = match options.words.get(1) {
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
    let (login, authzid) = match &options.master {
        Some(master) => (master, user.as_str()),
        None => (user, ""),
    };
    let request = Request {
        user: login,
        authzid,
        password: &password,
        mechanism: "PLAIN",
        asker: &options.asker,
    };
    answer(user, &auth.test(&request))
}

fn answer(user: &str, tested: &auth::Tested) -> ExitCode {
    let (outcome, code) = match &tested.verdict {
        Verdict::Ok(..) => ("auth succeeded", ExitCode::SUCCESS),
        // The password is right, which is what the question was; the field tells the rest.
        Verdict::Failed(_) if tested.fields.iter().any(|(name, _)| name == "nologin") => {
            ("auth succeeded", ExitCode::SUCCESS)
        }
        Verdict::Failed(_) => ("auth failed", ExitCode::from(NO_PERMISSION)),
        Verdict::Temporary(text) => {
            eprint_line(&format!("Error: {text}"));
            ("auth failed", ExitCode::from(TEMPORARY))
        }
    };
    print_line(&format!("passdb: {user} {outcome}"));
    print_line("extra fields:");
    for (name, value) in &tested.fields {
        // As Dovecot, which gives this field no value on its way.
        match name.as_str() {
            "nologin" => print_line("  nologin"),
            name => print_line(&format!("  {name}={value}")),
        }
    }
    code
}

fn lookup(call: &Call, options: &Options) -> ExitCode {
    if options.words.is_empty() {
        return usage(HELP);
    }
    let auth = match open_auth(call) {
        Ok(auth) => auth,
        Err(code) => return code,
    };
    let mut code = ExitCode::SUCCESS;
    for (at, user) in options.words.iter().enumerate() {
        if at > 0 && options.field.is_none() {
            print_line("");
        }
        match auth.passdb_lookup(user, &options.asker) {
            Ok(Some(fields)) => match &options.field {
                Some(field) => {
                    let values = fields.iter().filter(|(name, _)| name == field);
                    values.for_each(|(_, value)| print_line(value));
                }
                None => {
                    print_line(&format!("passdb: {user}"));
                    for (name, value) in &fields {
                        print_line(&format!("  {name:<10}: {value}"));
                    }
                }
            },
            Ok(None) => {
                print_line(&format!("passdb lookup: user {user} doesn't exist"));
                code = ExitCode::from(NO_USER);
            }
            Err(text) => {
                eprint_line(&format!("Error: passdb lookup({user}) failed: {text}"));
                code = ExitCode::from(TEMPORARY);
            }
        }
    }
    code
}

/// The cache is the running system's: it is asked by its control socket.
fn flush(call: &Call, users: &[String]) -> ExitCode {
    let settings = match settings_with(&call.config_file, &call.overrides) {
        Ok(settings) => settings,
        Err(text) => return fatal(&text),
    };
    let master = Master::of(&settings);
    if master.process.is_none() {
        let file = master.pid_file.display();
        return fatal(&format!("Dovecot is not running (read from {file})"));
    }
    let Some(directory) = master.mail_system() else {
        return fatal(
            "the mailbox services run without the mail system and its control socket: doveadm reload empties the cache",
        );
    };
    let loaded = config::load(std::path::Path::new(directory), &config::Options::default());
    let request = ipc::control::Request::FlushAuthCache {
        users: users.to_vec(),
    };
    let mut flushed = 0;
    let asked = ipc::control::ask(&loaded.postfix.queue_directory, &request, |reply| {
        if let ipc::control::Reply::Count(count) = reply {
            flushed = count;
        }
    });
    match asked {
        Ok(()) => {
            print_line(&format!("{flushed} cache entries flushed"));
            ExitCode::SUCCESS
        }
        Err(error) => fatal(&error.to_string()),
    }
}
