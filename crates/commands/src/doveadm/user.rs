//! `doveadm user`: what the userdb says of users, or the users that match a pattern (doveadm-user(1)).

use std::process::ExitCode;

use auth::variables::Variables;
use auth::{Account, Auth};

use super::formatter::Formatter;
use super::{Call, NO_USER, TEMPORARY, fatal, open_auth, usage};
use crate::{eprint_line, print_bytes, print_line};

const HELP: &str = "usage: doveadm user [-e TEXT | -f FIELD | -u] USER...
Shows uid, gid, home and mail of users; a USER with * or ? lists the users that fit.
  -e TEXT   shows TEXT with its variables (%u, %h ...) replaced
  -f FIELD  shows this field only
  -u        shows the fields of the userdb as it answers";

/// What is shown of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// Every field, in a form.
    All,
    /// One field.
    Field(String),
    /// A text with variables.
    Text(String),
    /// The userdb's answer.
    Raw,
}

pub(super) fn run(call: &Call) -> ExitCode {
    let (mut wanted, mut users) = (Wanted::All, Vec::new());
    let mut args = call.args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-f" | "-e" => match args.next() {
                Some(word) if arg == "-f" => wanted = Wanted::Field(word.clone()),
                Some(word) => wanted = Wanted::Text(word.clone()),
                None => return usage(HELP),
            },
            "-a" => return fatal("user -a: there is no auth socket to ask; the userdb is asked directly"),
            // It says from where a login would come; the userdb's answer does not hang on it.
            "-x" => drop(args.next()),
            "-u" => wanted = Wanted::Raw,
            "--help" => {
                print_line(HELP);
                return ExitCode::SUCCESS;
            }
            option if option.starts_with('-') => return usage(HELP),
            user => users.push(user.to_owned()),
        }
    }
    if users.is_empty() {
        return usage(HELP);
    }
    let auth = match open_auth(call) {
        Ok(auth) => auth,
        Err(code) => return code,
    };
    if users.iter().any(|user| user.contains(['*', '?'])) {
        return list(&auth, &users);
    }
    show(&auth, &users, &wanted, call.formatter.unwrap_or(Formatter::Tab))
}

fn list(auth: &Auth, patterns: &[String]) -> ExitCode {
    match auth.list() {
        Ok(users) => {
            let fits = |user: &String| patterns.iter().any(|pattern| auth::matches(pattern, user));
            users
                .iter()
                .filter(|user| fits(user))
                .for_each(|user| print_line(user));
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprint_line(&format!("Error: {text}"));
            fatal("user listing failed")
        }
    }
}

fn show(auth: &Auth, users: &[String], wanted: &Wanted, formatter: Formatter) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let mut rows = Vec::new();
    // As with Dovecot, what is no row comes behind the rows, with an empty line between users.
    let mut behind = Vec::new();
    for (at, user) in users.iter().enumerate() {
        if at > 0 && *wanted != Wanted::Raw {
            behind.push(String::new());
        }
        match auth.lookup(user, "doveadm") {
            Ok(Some(account)) => match wanted {
                Wanted::All => rows.extend(fields(&account)),
                Wanted::Field(field) => {
                    let fields = fields(&account).into_iter();
                    behind.extend(fields.filter(|(name, _)| name == field).map(|(_, value)| value));
                }
                Wanted::Text(text) => match expanded(text, &account) {
                    Ok(text) => behind.push(text),
                    Err(error) => {
                        eprint_line(&format!("Error: -e {text}: {error}"));
                        code = ExitCode::from(TEMPORARY);
                    }
                },
                Wanted::Raw => behind.extend(raw_form(user, &account)),
            },
            Ok(None) => {
                let text = format!("userdb lookup: user {user} doesn't exist");
                match wanted {
                    Wanted::All => behind.extend([String::new(), text]),
                    Wanted::Raw => behind.push(text),
                    Wanted::Field(_) | Wanted::Text(_) => eprint_line(&text),
                }
                code = ExitCode::from(NO_USER);
            }
            Err(text) => {
                eprint_line(&format!("Error: userdb lookup({user}) failed: {text}"));
                code = ExitCode::from(TEMPORARY);
            }
        }
    }
    if *wanted == Wanted::All {
        print_bytes(formatter.pairs(["field", "value"], &rows).as_bytes());
    }
    behind.iter().for_each(|line| print_line(line));
    code
}

/// The text with what its variables stand for.
fn expanded(text: &str, account: &Account) -> Result<String, String> {
    let home = account.home.as_ref().map(|home| home.display().to_string());
    let variables = Variables {
        user: &account.user,
        home: home.as_deref().unwrap_or_default(),
        service: "doveadm",
        uid: Some(account.uid),
        gid: Some(account.gid),
        ..Variables::default()
    };
    auth::variables::expand(text, &variables).map_err(|error| error.to_string())
}

/// The fields as the mail services see them.
fn fields(account: &Account) -> Vec<(String, String)> {
    let mut all = vec![
        ("uid".to_owned(), account.uid.to_string()),
        ("gid".to_owned(), account.gid.to_string()),
    ];
    if let Some(home) = &account.home {
        all.push(("home".to_owned(), home.display().to_string()));
    }
    all.push(("mail".to_owned(), account.mail_location.clone()));
    all.extend(
        account
            .extra
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    all
}

/// `userdb: alice`, then one indented field a line.
fn raw_form(user: &str, account: &Account) -> Vec<String> {
    let mut lines = vec![
        format!("userdb: {user}"),
        format!("  {:<10}: {}", "user", account.user),
    ];
    let all = fields(account).into_iter().filter(|(name, _)| name != "mail");
    lines.extend(all.map(|(name, value)| format!("  {name:<10}: {value}")));
    lines
}
