//! `doveadm user`: what the userdb says of users, or the users that match a pattern (doveadm-user(1)).

use std::process::ExitCode;

use auth::{Account, Auth};

use super::{Call, NO_USER, TEMPORARY, fatal, open_auth, usage};
use crate::{eprint_line, print_line};

const HELP: &str = "usage: doveadm user [-f FIELD] [-u] USER...
Shows uid, gid, home and mail of users; a USER with * or ? lists the users that fit.
  -f FIELD  shows this field only
  -u        shows the fields of the userdb as it answers";

pub(super) fn run(call: &Call) -> ExitCode {
    let (mut field, mut raw, mut users) = (None, false, Vec::new());
    let mut args = call.args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-f" => field = args.next().cloned(),
            "-a" | "-x" | "-e" => drop(args.next()),
            "-u" => raw = true,
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
    show(&auth, &users, field.as_deref(), raw)
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

fn show(auth: &Auth, users: &[String], field: Option<&str>, raw: bool) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    if field.is_none() && !raw {
        print_line("field\tvalue");
    }
    for user in users {
        match auth.lookup(user, "doveadm") {
            Ok(Some(account)) => match field {
                Some(field) => fields(&account)
                    .iter()
                    .filter(|(name, _)| name == field)
                    .for_each(|(_, v)| print_line(v)),
                None if raw => raw_form(user, &account).iter().for_each(|line| print_line(line)),
                None => fields(&account)
                    .iter()
                    .for_each(|(name, value)| print_line(&format!("{name}\t{value}"))),
            },
            Ok(None) => {
                if !raw && field.is_none() {
                    print_line("");
                }
                let text = format!("userdb lookup: user {user} doesn't exist");
                if field.is_some() {
                    eprint_line(&text)
                } else {
                    print_line(&text)
                }
                code = ExitCode::from(NO_USER);
            }
            Err(text) => {
                eprint_line(&format!("Error: userdb lookup({user}) failed: {text}"));
                code = ExitCode::from(TEMPORARY);
            }
        }
    }
    code
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
