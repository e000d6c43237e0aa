//! `sendmail -bv` where Sendmail's files are in use: says on the screen where mail would go.

use std::collections::HashSet;
use std::process::ExitCode;

use address::Address;
use tables::aliases::{Target, targets};

use super::routing::{ERROR, Mailer, Routing};
use super::test_mode::{INVALID_ROUTE, is_route};
use crate::{EX_USAGE, print_line, submission};

/// How deep aliases may stand for aliases.
const DEPTH_MAX: usize = 50;

const EX_DATAERR: u8 = 65;
const EX_NOUSER: u8 = 67;
const EX_NOHOST: u8 = 68;
const EX_SOFTWARE: u8 = 70;

/// What is found out about addresses.
struct Verification<'a> {
    routing: &'a Routing,
    seen: HashSet<String>,
    /// Who gets mail; these are told last, as Sendmail does.
    deliverable: Vec<String>,
    code: u8,
}

/// Verifies what the arguments name.
pub(super) fn verify(routing: &Routing, words: &[String]) -> ExitCode {
    let mut verification = Verification {
        routing,
        seen: HashSet::new(),
        deliverable: Vec::new(),
        code: 0,
    };
    for word in words {
        if is_route(word) {
            verification.says(word, INVALID_ROUTE, EX_USAGE);
            continue;
        }
        match submission::recipients_of(word) {
            Ok(recipients) => recipients
                .iter()
                .for_each(|recipient| verification.address(&recipient.address, 0)),
            Err(word) => verification.says(&submission::shown(&word), "bad address", EX_DATAERR),
        }
    }
    verification.deliverable.iter().for_each(|line| print_line(line));
    ExitCode::from(verification.code)
}

impl Verification<'_> {
    fn says(&mut self, name: &str, text: &str, code: u8) {
        print_line(&format!("{name}... {text}"));
        if self.code == 0 || code > self.code {
            self.code = code;
        }
    }

    fn deliverable(&mut self, name: &str, mailer: &Mailer) {
        self.deliverable.push(format!("{name}... deliverable: {mailer}"));
    }

    fn address(&mut self, written: &Address, depth: usize) {
        let name = written.to_string();
        if !self.seen.insert(name.to_lowercase()) {
            return;
        }
        if depth > DEPTH_MAX {
            return self.says(&name, "aliasing/forwarding loop broken", EX_DATAERR);
        }
        if let Err(text) = self.resolved(written, &name, depth) {
            self.says(&name, &text, submission::EX_TEMPFAIL);
        }
    }

    fn resolved(&mut self, written: &Address, name: &str, depth: usize) -> Result<(), String> {
        let routing = self.routing;
        let completed = routing.completed(written)?;
        let canonical = routing.canonical(&completed, intake::mapping::Role::EnvelopeRecipient)?;
        let aliases = routing.aliases(&canonical)?;
        if aliases != [canonical.clone()] {
            aliases.iter().for_each(|alias| self.address(alias, depth + 1));
            return Ok(());
        }
        let mailer = routing.mailer(&canonical)?;
        if mailer.name == ERROR {
            let code = match (mailer.is_temporary, mailer.host.as_deref()) {
                (true, _) => submission::EX_TEMPFAIL,
                (_, Some("5.1.1")) => EX_NOUSER,
                (_, Some("5.1.2")) => EX_NOHOST,
                _ => EX_DATAERR,
            };
            self.says(name, &mailer.user, code);
            return Ok(());
        }
        if !routing.has_mailer(&mailer.name) {
            self.says(name, &format!("unknown mailer {}", mailer.name), EX_SOFTWARE);
            return Ok(());
        }
        if mailer.name == "local"
            && let Some(list) = self.alias(&canonical)?
        {
            for target in targets(&list).map_err(|error| error.to_string())? {
                match target {
                    // Somebody who is in his own list has a mailbox.
                    Target::Address(text) if text.eq_ignore_ascii_case(canonical.local()) => {
                        self.deliverable(&text, &mailer);
                    }
                    target => self.target(target, depth),
                }
            }
            return Ok(());
        }
        match routing.exists(&canonical)? {
            true => self.deliverable(name, &mailer),
            false => self.says(name, "User unknown", EX_NOUSER),
        }
        Ok(())
    }

    /// What aliases(5) has for a local address: with its extension, then without.
    fn alias(&self, address: &Address) -> Result<Option<String>, String> {
        let plain = address.strip_extension(&self.routing.settings.recipient_delimiter);
        let names = [
            Some(address.local().to_owned()),
            plain.map(|(plain, _)| plain.local().to_owned()),
        ];
        for name in names.into_iter().flatten() {
            let found = self.routing.aliases.lookup(&name.to_lowercase());
            if let Some(list) = found.map_err(|error| error.to_string())? {
                return Ok(Some(list));
            }
        }
        Ok(None)
    }

    fn target(&mut self, target: Target, depth: usize) {
        let mailer = |name: &str, user: String| Mailer {
            name: name.to_owned(),
            host: None,
            user,
            is_temporary: false,
        };
        match target {
            Target::Address(text) => match submission::recipients_of(&text) {
                Ok(found) => found
                    .iter()
                    .for_each(|recipient| self.address(&recipient.address, depth + 1)),
                Err(word) => self.says(&submission::shown(&word), "bad address", EX_DATAERR),
            },
            Target::Command(command) => {
                self.deliverable(&format!("\"|{command}\""), &mailer("prog", format!("|{command}")))
            }
            Target::File(file) => {
                let file = file.display().to_string();
                self.deliverable(&file, &mailer("*file*", file.clone()));
            }
            Target::Include(file) => {
                let file = format!(":include:{}", file.display());
                self.deliverable(&file, &mailer("*include*", file.clone()));
            }
            Target::Mailbox(user) => self.deliverable(&format!("\\{user}"), &mailer("local", user.clone())),
        }
    }
}
