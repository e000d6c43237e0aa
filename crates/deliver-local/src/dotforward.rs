//! `~/.forward`: where a user wants mail to go (local(8), forward(5)). Read and obeyed with the user's own rights.

use address::Address;
use envelope::{Outcome, StatusCode};
use settings::Postfix;
use tables::aliases::Target;

use crate::command::expanded;
use crate::lists::{self, Missing, Trust};
use crate::outcomes::{bounced, deferred, misconfigured};
use crate::task::{Facts, Rights};

/// How deep `:include:` files may name include files.
pub(crate) const INCLUDE_DEPTH_MAX: usize = 100;

/// What a user's `.forward` comes to.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    /// Its targets, those of its include files among them, in order.
    pub(crate) targets: Vec<Wanted>,
    /// For the log.
    pub(crate) warnings: Vec<String>,
}

/// A target of a `.forward`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The user's own mailbox.
    OwnMailbox,
    /// An address, to be queued for.
    Address(Address),
    /// A command.
    Command(String),
    /// A file.
    File(std::path::PathBuf),
    /// Nothing that could be done; the text says which target it was.
    Failed(String, Outcome),
}

/// The first `.forward` of `forward_path` that is there and says something; `None` when mail goes to the mailbox.
///
/// # Errors
/// The outcome of mail for a user whose file cannot be read now.
pub(crate) fn read(
    (facts, rights): (&Facts, &Rights),
    settings: &Postfix,
    warnings: &mut Vec<String>,
) -> Result<Option<Forward>, Outcome> {
    let home = rights.home.as_deref();
    let filter = &settings.forward_expansion_filter;
    for path in &settings.forward_path {
        let Some(path) = expanded(path, facts, home, (settings, Some(filter))) else {
            continue;
        };
        let list = match lists::read(path.as_ref(), Trust::Owner(rights.uid)) {
            Ok(list) => list,
            Err(Missing::NoFile) => continue,
            Err(Missing::Unsafe(why)) => {
                warnings.push(why);
                return Ok(None);
            }
            Err(Missing::Unreadable(why) | Missing::Senseless(why)) => {
                warnings.push(why.clone());
                return Err(deferred(StatusCode::temporary(3, 0), why));
            }
        };
        if list.targets.is_empty() {
            continue;
        }
        let mut reader = Reader {
            facts,
            home,
            settings,
            found: Forward::default(),
        };
        reader.add(list.targets, "forward", 0);
        return Ok(Some(reader.found));
    }
    Ok(None)
}

struct Reader<'a> {
    facts: &'a Facts,
    home: Option<&'a std::path::Path>,
    settings: &'a Postfix,
    found: Forward,
}

impl Reader<'_> {
    fn add(&mut self, targets: Vec<Target>, source: &str, depth: usize) {
        for target in targets {
            match target {
                Target::Include(path) => self.include(&path, depth),
                target => {
                    let wanted = self.wanted(target, source);
                    if !self.found.targets.contains(&wanted) {
                        self.found.targets.push(wanted);
                    }
                }
            }
        }
    }

    fn include(&mut self, path: &std::path::Path, depth: usize) {
        let failed = if depth >= INCLUDE_DEPTH_MAX {
            let text = format!(":include: file {} is too deep in others", path.display());
            bounced(StatusCode::permanent(4, 6), text)
        } else {
            match included(path, Trust::NotTheWorld) {
                Ok(list) => return self.add(list.targets, "include", depth + 1),
                Err((outcome, why)) => {
                    self.found.warnings.push(why);
                    outcome
                }
            }
        };
        let name = format!(":include:{}", path.display());
        self.found.targets.push(Wanted::Failed(name, failed));
    }

    fn wanted(&self, target: Target, source: &str) -> Wanted {
        match target {
            Target::Mailbox(name) if self.is_own(&name) => Wanted::OwnMailbox,
            Target::Mailbox(name) => Wanted::Address(Address::new(&format!("\\{name}"), None)),
            Target::Command(text) => {
                match restricted(&self.settings.allow_mail_to_commands, source, "command") {
                    Some(outcome) => Wanted::Failed(format!("|{text}"), outcome),
                    None => Wanted::Command(text),
                }
            }
            Target::File(path) => match restricted(&self.settings.allow_mail_to_files, source, "file") {
                Some(outcome) => Wanted::Failed(path.display().to_string(), outcome),
                None => Wanted::File(path),
            },
            Target::Include(path) => Wanted::Failed(format!(":include:{}", path.display()), misconfigured()),
            Target::Address(text) if text.starts_with("~/") => self.wanted(self.at_home(&text), source),
            Target::Address(text) => match Address::parse(&text) {
                Ok(address) if address.domain().is_none() && self.is_own(address.local()) => {
                    Wanted::OwnMailbox
                }
                Ok(address) => Wanted::Address(address),
                Err(error) => {
                    let why = format!(
                        ".forward of {}: \"{text}\" is no address: {error}",
                        self.facts.user
                    );
                    Wanted::Failed(text, bounced(StatusCode::permanent(1, 3), why))
                }
            },
        }
    }

    /// `~/file`: a file of the home directory.
    fn at_home(&self, text: &str) -> Target {
        match self.home {
            Some(home) => Target::File(home.join(text.trim_start_matches("~/"))),
            None => Target::Address(text.trim_start_matches("~/").to_owned()),
        }
    }

    fn is_own(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.facts.user) || name.eq_ignore_ascii_case(&self.facts.local)
    }
}

/// Reads an include file.
///
/// # Errors
/// The outcome, and what the administrator is told.
pub(crate) fn included(path: &std::path::Path, trust: Trust) -> Result<lists::List, (Outcome, String)> {
    let named = |why: &str| why.replacen("file ", ":include: file ", 1);
    lists::read(path, trust).map_err(|missing| match missing {
        Missing::NoFile => {
            let why = format!(
                "unable to lookup :include: file {}: No such file or directory",
                path.display()
            );
            (misconfigured(), why)
        }
        Missing::Unsafe(why) | Missing::Senseless(why) => (misconfigured(), named(&why)),
        Missing::Unreadable(why) => (deferred(StatusCode::temporary(3, 0), why.clone()), why),
    })
}

/// Why a command or file is not allowed there (`allow_mail_to_commands`, `allow_mail_to_files`).
pub(crate) fn restricted(allowed: &[String], source: &str, kind: &str) -> Option<Outcome> {
    let is_allowed = allowed.iter().any(|word| word.eq_ignore_ascii_case(source));
    (!is_allowed).then(|| {
        bounced(
            StatusCode::permanent(7, 1),
            format!("mail to {kind} is restricted"),
        )
    })
}
