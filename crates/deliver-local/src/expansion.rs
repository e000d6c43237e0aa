//! Aliases of one recipient, expanded until only users of this host and addresses elsewhere are left.

use std::collections::HashSet;

use address::Address;
use tables::Tables;
use tables::aliases::{self, Target};

use crate::Directory;

/// How deep aliases may name aliases.
pub const DEPTH_MAX: usize = 100;
/// How many targets one recipient may expand to.
pub const TARGETS_MAX: usize = 10_000;

/// Whom a recipient stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expansion {
    /// Users of this host, each once.
    pub users: Vec<String>,
    /// Addresses elsewhere, each once.
    pub forwards: Vec<Address>,
}

/// Why there is no expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A table or the directory cannot be asked now.
    Temporary(String),
    /// The alias names something that cannot be delivered to yet.
    NotYet(String),
    /// Over a limit, or in a circle.
    Limit(String),
}

/// Where an expansion is.
#[derive(Debug, Default)]
struct Way {
    /// The aliases that are being followed, the first one first.
    above: Vec<String>,
    /// All names that were looked up.
    seen: HashSet<String>,
    /// The alias that led back to one above it.
    circle: Option<String>,
}

/// What expanding needs.
pub struct Expander<'a> {
    /// The alias tables.
    pub aliases: &'a Tables,
    /// This host.
    pub directory: &'a dyn Directory,
    /// `recipient_delimiter`
    pub delimiters: &'a str,
}

impl Expander<'_> {
    /// Expands `address`, which is of this host.
    ///
    /// # Errors
    /// The [`Failure`] that decides the recipient's fate.
    pub fn expand(&self, address: &Address) -> Result<Expansion, Failure> {
        let mut expansion = Expansion::default();
        if let Some(name) = mailbox_of(address) {
            expansion.users.push(name.to_owned());
            return Ok(expansion);
        }
        let mut way = Way::default();
        self.follow(address, &mut way, &mut expansion)?;
        match way.circle {
            // An alias that comes back to itself adds nobody; without anybody else there is nobody at all.
            Some(name) if expansion.users.is_empty() && expansion.forwards.is_empty() => {
                Err(Failure::Limit(format!("alias database loop for {name}")))
            }
            _ => Ok(expansion),
        }
    }

    fn follow(&self, address: &Address, way: &mut Way, expansion: &mut Expansion) -> Result<(), Failure> {
        if way.above.len() > DEPTH_MAX || way.seen.len() > TARGETS_MAX {
            return Err(Failure::Limit(format!(
                "alias expansion of {address} is too deep or too wide"
            )));
        }
        let name = address.local().to_lowercase();
        if way.above.last() == Some(&name) {
            // `alice: alice, bob`: the user of that name.
            self.add_user(&name, expansion);
            return Ok(());
        }
        if way.above.contains(&name) {
            way.circle = way.circle.take().or_else(|| way.above.last().cloned());
            return Ok(());
        }
        if !way.seen.insert(name.clone()) {
            // Two ways to one alias: it was followed already.
            return Ok(());
        }
        let Some(targets) = self.targets(address)? else {
            self.add_user(&name, expansion);
            return Ok(());
        };
        way.above.push(name);
        for target in targets {
            match target {
                Target::Address(text) => self.follow_address(&text, way, expansion)?,
                Target::Mailbox(user) => self.add_user(&user, expansion),
                Target::Command(command) => return Err(not_yet(address, "the command", &command)),
                Target::File(file) => return Err(not_yet(address, "the file", &file.display().to_string())),
                Target::Include(file) => {
                    return Err(not_yet(address, "the list", &file.display().to_string()));
                }
            }
        }
        way.above.pop();
        Ok(())
    }

    fn follow_address(&self, text: &str, way: &mut Way, expansion: &mut Expansion) -> Result<(), Failure> {
        let next = Address::parse(text)
            .map_err(|error| Failure::Temporary(format!("alias target \"{text}\" is no address: {error}")))?;
        if self.is_local(&next)? {
            return self.follow(&next, way, expansion);
        }
        if !expansion.forwards.contains(&next) {
            expansion.forwards.push(next);
        }
        Ok(())
    }

    /// The targets of the alias `user+extension`, else of `user`.
    fn targets(&self, address: &Address) -> Result<Option<Vec<Target>>, Failure> {
        let plain = address.strip_extension(self.delimiters).map(|(plain, _)| plain);
        for form in std::iter::once(address).chain(plain.as_ref()) {
            let found = self.aliases.lookup(&form.local().to_lowercase());
            let found =
                found.map_err(|error| Failure::Temporary(format!("alias database unavailable: {error}")))?;
            if let Some(list) = found {
                let targets = aliases::targets(&list);
                let wrong = |error| Failure::Temporary(format!("alias {}: {error}", form.local()));
                return targets.map(Some).map_err(wrong);
            }
        }
        Ok(None)
    }

    fn is_local(&self, address: &Address) -> Result<bool, Failure> {
        address.domain().map_or(Ok(true), |domain| {
            self.directory.is_local(domain).map_err(Failure::Temporary)
        })
    }

    fn add_user(&self, name: &str, expansion: &mut Expansion) {
        let address = Address::new(name, None);
        let known = |name: &str| matches!(self.directory.user(name), Ok(Some(_)));
        let plain = address
            .strip_extension(self.delimiters)
            .map(|(plain, _)| plain.local().to_owned());
        let user = plain.filter(|_| !known(name)).unwrap_or_else(|| name.to_owned());
        if !expansion.users.contains(&user) {
            expansion.users.push(user);
        }
    }
}

/// The user whose mailbox is meant whatever the aliases say: `\name` (local(8)).
pub fn mailbox_of(address: &Address) -> Option<&str> {
    address.local().strip_prefix('\\')
}

fn not_yet(address: &Address, kind: &str, target: &str) -> Failure {
    Failure::NotYet(format!(
        "the alias of {address} names {kind} {target}, which Yubin cannot deliver to yet"
    ))
}
