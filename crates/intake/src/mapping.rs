//! Addresses that tables change on the way in: canonical(5), masquerading, virtual(5), and copies by table
//! (ADDRESS_REWRITING_README).
//!
//! Limits: [`NESTING_MAX`], `virtual_alias_expansion_limit`, `virtual_alias_recursion_limit`,
//! `virtual_alias_address_length_limit`.

use std::collections::HashSet;

use address::{Address, Domain};
use settings::{Postfix, TableRef};
use tables::Tell;
use tables::addresses::{AddressMap, Extension, Host};

use crate::sendmail::Renames;

/// How often a canonical address may itself have a canonical one.
pub const NESTING_MAX: usize = 10;

/// How much of an address that is too long is logged, in characters.
const SHOWN_CHARS: usize = 300;

/// Which of a message's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who sends it.
    EnvelopeSender,
    /// Who gets it.
    EnvelopeRecipient,
    /// An address in From and its like.
    HeaderSender,
    /// An address in To and its like.
    HeaderRecipient,
}

impl Role {
    /// As `canonical_classes` and `masquerade_classes` call it.
    fn class(self) -> &'static str {
        match self {
            Role::EnvelopeSender => "envelope_sender",
            Role::EnvelopeRecipient => "envelope_recipient",
            Role::HeaderSender => "header_sender",
            Role::HeaderRecipient => "header_recipient",
        }
    }
}

/// Why it cannot be told what an address becomes: the message waits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A table cannot be asked.
    #[error("{table} map lookup problem for {address} -- message not accepted, try again later")]
    Lookup {
        /// The parameter.
        table: &'static str,
        /// What was looked for.
        address: String,
        /// Why not.
        cause: tables::Error,
    },
    /// A table of copies cannot be asked.
    #[error("{table} map lookup problem -- message not accepted, try again later")]
    Copies {
        /// The parameter.
        table: &'static str,
        /// Why not.
        cause: tables::Error,
    },
    /// What stands for an address is longer than `virtual_alias_address_length_limit`.
    #[error("unreasonable {table} result {address}... -- message not accepted, try again later")]
    TooLong {
        /// The parameter.
        table: &'static str,
        /// The start of it.
        address: String,
    },
    /// What the tables say does not end, or is too much.
    #[error("unreasonable {table} map {what} for {address} -- message not accepted, try again later")]
    Unreasonable {
        /// The parameter.
        table: &'static str,
        /// `nesting` or `expansion size`.
        what: &'static str,
        /// What was looked for.
        address: String,
    },
}

impl Error {
    /// Why the table cannot be asked, where that is it.
    pub fn cause(&self) -> Option<(&'static str, &tables::Error)> {
        match self {
            Error::Lookup { table, cause, .. } | Error::Copies { table, cause } => Some((table, cause)),
            Error::TooLong { .. } | Error::Unreasonable { .. } => None,
        }
    }
}

/// A canonical map, and whose addresses it is asked for.
#[derive(Debug)]
struct Canonical {
    map: AddressMap,
    classes: Vec<String>,
}

/// `masquerade_domains`: hosts that hide behind their domain.
#[derive(Debug)]
struct Masquerade {
    domains: Vec<String>,
    exceptions: Vec<String>,
    classes: Vec<String>,
}

/// How far an alias may go.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    addresses_max: usize,
    nesting_max: usize,
    length_max: usize,
}

/// The tables.
pub struct Maps {
    /// In their order.
    canonical: [Canonical; 3],
    /// Who hears of odd answers.
    tell: Option<Tell>,
    masquerade: Masquerade,
    aliases: AddressMap,
    bounds: Bounds,
    sender_copies: AddressMap,
    recipient_copies: AddressMap,
    sendmail: Renames,
}

impl Maps {
    /// Opens the tables. What is wrong with one is told to `problems` now; every question to it fails.
    pub fn open(settings: &Postfix, problems: &mut Vec<tables::Error>) -> Maps {
        let extension = |class: &str| {
            let mut classes = settings.propagate_unmatched_extensions.iter();
            match classes.any(|word| word.eq_ignore_ascii_case(class)) {
                true => Extension::Propagated,
                false => Extension::Dropped,
            }
        };
        let mut open = |name: &'static str, references: &[TableRef], class: &str| {
            let about = (settings.recipient_delimiter.as_str(), extension(class));
            AddressMap::open(name, references, about, problems)
        };
        let mut canonical = |name, references: &[TableRef], classes: &[String]| Canonical {
            map: open(name, references, "canonical"),
            classes: classes.to_vec(),
        };
        Maps {
            canonical: [
                canonical(
                    "sender_canonical_maps",
                    &settings.sender_canonical_maps,
                    &settings.sender_canonical_classes,
                ),
                canonical(
                    "recipient_canonical_maps",
                    &settings.recipient_canonical_maps,
                    &settings.recipient_canonical_classes,
                ),
                canonical(
                    "canonical_maps",
                    &settings.canonical_maps,
                    &settings.canonical_classes,
                ),
            ],
            tell: None,
            masquerade: Masquerade {
                domains: settings.masquerade_domains.clone(),
                exceptions: settings.masquerade_exceptions.clone(),
                classes: settings.masquerade_classes.clone(),
            },
            aliases: open("virtual_alias_maps", &settings.virtual_alias_maps, "virtual"),
            bounds: Bounds {
                addresses_max: settings.virtual_alias_expansion_limit,
                nesting_max: settings.virtual_alias_recursion_limit,
                length_max: settings.virtual_alias_address_length_limit,
            },
            sender_copies: open("sender_bcc_maps", &settings.sender_bcc_maps, "bcc"),
            recipient_copies: open("recipient_bcc_maps", &settings.recipient_bcc_maps, "bcc"),
            sendmail: Renames::open(settings, problems),
        }
    }

    /// As [`tables::Tables::tell_warnings`].
    pub fn tell_warnings(&mut self, tell: &Tell) {
        self.tell = Some(std::sync::Arc::clone(tell));
        for canonical in &mut self.canonical {
            canonical.map.tell_warnings(tell);
        }
        for map in [
            &mut self.aliases,
            &mut self.sender_copies,
            &mut self.recipient_copies,
        ] {
            map.tell_warnings(tell);
        }
        self.sendmail.tell_warnings(tell);
    }

    /// Whether no header is changed by them.
    pub fn leave_headers(&self) -> bool {
        let has_no_canonical = self.canonical.iter().all(|canonical| canonical.map.is_empty());
        has_no_canonical && self.masquerade.domains.is_empty() && self.sendmail.leave_headers()
    }

    /// The address that stands for this one: its canonical one, behind its domain.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn canonical(&self, address: &Address, role: Role, host: &dyn Host) -> Result<Address, Error> {
        let asked = |table, cause| Error::Lookup {
            table,
            address: address.to_string(),
            cause,
        };
        let renamed = self
            .sendmail
            .renamed(address)
            .map_err(|cause| asked("domaintable", cause))?;
        let mut address = renamed.unwrap_or_else(|| address.clone());
        for canonical in &self.canonical {
            if has_class(&canonical.classes, role) {
                address = self.followed(&canonical.map, address, host)?;
            }
        }
        if role == Role::HeaderSender {
            let generic = self
                .sendmail
                .generic(&address, host)
                .map_err(|cause| Error::Lookup {
                    table: "genericstable",
                    address: address.to_string(),
                    cause,
                })?;
            address = generic.unwrap_or(address);
        }
        Ok(match has_class(&self.masquerade.classes, role) {
            true => self.masquerade.of(address),
            false => address,
        })
    }

    /// What stands for a recipient, one step on: `virtusertable` and `mailertable` come first.
    fn alias(&self, address: &Address, host: &dyn Host) -> Result<Option<Vec<Address>>, Error> {
        let found = self
            .sendmail
            .virtual_user(address, host)
            .map_err(|cause| Error::Lookup {
                table: "virtusertable",
                address: address.to_string(),
                cause,
            })?;
        match found {
            Some(user) => Ok(Some(vec![user])),
            None => self.aliases.asked(address, host),
        }
    }

    /// The address that is found for the one that is found, and so on. Where that does not end, the one that is reached: as
    /// Postfix does, which says that it does otherwise.
    fn followed(&self, map: &AddressMap, mut address: Address, host: &dyn Host) -> Result<Address, Error> {
        let warn = |text: String| self.tell.iter().for_each(|tell| tell(&text));
        for _ in 0..NESTING_MAX {
            let Some(found) = map.asked(&address, host)? else {
                return Ok(address);
            };
            if found.len() > 1 {
                warn(format!("multi-valued {} entry for {address}", map.name()));
            }
            let Some(found) = found.into_iter().next() else {
                return Ok(address);
            };
            if folded(&found) == folded(&address) {
                return Ok(found);
            }
            address = found;
        }
        let name = map.name();
        warn(format!("unreasonable {name} map nesting for {address}"));
        Ok(address)
    }

    /// The addresses for which a virtual alias stands, in order, each once; the address itself where it is none.
    ///
    /// # Errors
    /// When a table cannot be asked, or its answers do not end or are too many.
    pub fn aliases(&self, address: &Address, host: &dyn Host) -> Result<Vec<Address>, Error> {
        if self.aliases.is_empty() && self.sendmail.leave_recipients() {
            return Ok(vec![address.clone()]);
        }
        let mut all = vec![address.clone()];
        // Those that stand for themselves, among others.
        let mut done: HashSet<String> = HashSet::new();
        let mut at = 0;
        while at < all.len() {
            let mut nesting = 0;
            while !done.contains(&folded(&all[at])) {
                if all.len() > self.bounds.addresses_max {
                    return Err(self.unreasonable("expansion size", address));
                }
                if nesting >= self.bounds.nesting_max {
                    return Err(self.unreasonable("nesting", address));
                }
                let Some(found) = self.alias(&all[at], host)? else {
                    break;
                };
                let too_long = |found: &Address| found.to_string().len() > self.bounds.length_max;
                if let Some(found) = found.iter().find(|found| too_long(found)) {
                    return Err(Error::TooLong {
                        table: self.aliases.name(),
                        address: found.to_string().chars().take(SHOWN_CHARS).collect(),
                    });
                }
                let asked = folded(&all[at]);
                if found.iter().any(|found| folded(found) == asked) {
                    done.insert(asked);
                }
                let mut found = found.into_iter();
                match found.next() {
                    Some(first) => all[at] = first,
                    None => {
                        self.check_unread(&all[at], host)?;
                        break;
                    }
                }
                all.extend(found);
                nesting += 1;
            }
            at += 1;
        }
        let mut seen = HashSet::new();
        all.retain(|address| seen.insert(folded(address)));
        Ok(all)
    }

    /// What stands for this address is none: an error when it is too long for one. Nobody else gets the mail then.
    fn check_unread(&self, address: &Address, host: &dyn Host) -> Result<(), Error> {
        let asked = |cause| Error::Lookup {
            table: self.aliases.name(),
            address: address.to_string(),
            cause,
        };
        match self.aliases.text(address, host).map_err(asked)? {
            Some(text) if text.len() > address::LOCAL_BYTES_MAX => Err(Error::TooLong {
                table: self.aliases.name(),
                address: text.chars().take(SHOWN_CHARS).collect(),
            }),
            _ => Ok(()),
        }
    }

    /// Who gets copies of what this address sends; who of what it gets.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn copies(&self, address: &Address, role: Role, host: &dyn Host) -> Result<Option<Address>, Error> {
        let map = match role {
            Role::EnvelopeSender => &self.sender_copies,
            _ => &self.recipient_copies,
        };
        let found = map.lookup(address, host).map_err(|cause| Error::Copies {
            table: map.name(),
            cause,
        })?;
        Ok(found.and_then(|found| found.into_iter().next()))
    }

    fn unreasonable(&self, what: &'static str, address: &Address) -> Error {
        Error::Unreasonable {
            table: self.aliases.name(),
            what,
            address: address.to_string(),
        }
    }
}

fn has_class(classes: &[String], role: Role) -> bool {
    classes
        .iter()
        .any(|class| class.eq_ignore_ascii_case(role.class()))
}

fn folded(address: &Address) -> String {
    address.to_string().to_lowercase()
}

/// What is asked of a map, with the mistakes of this stage.
trait Asked {
    fn asked(&self, address: &Address, host: &dyn Host) -> Result<Option<Vec<Address>>, Error>;
}

impl Asked for AddressMap {
    fn asked(&self, address: &Address, host: &dyn Host) -> Result<Option<Vec<Address>>, Error> {
        self.lookup(address, host).map_err(|cause| Error::Lookup {
            table: self.name(),
            address: address.to_string(),
            cause,
        })
    }
}

impl Masquerade {
    /// The address without its host: the first domain of the list that it is below of decides; `!domain` keeps it.
    fn of(&self, address: Address) -> Address {
        let is_exception = |user: &String| user.eq_ignore_ascii_case(address.local());
        let Some(domain) = address.domain() else {
            return address;
        };
        if self.exceptions.iter().any(is_exception) {
            return address;
        }
        for entry in &self.domains {
            let wanted = entry.trim_start_matches('!');
            let is_kept = (entry.len() - wanted.len()) % 2 == 1;
            if domain.as_str().eq_ignore_ascii_case(wanted) {
                return address;
            }
            if domain.is_within(wanted) {
                let parent = Domain::parse(wanted).ok().filter(|_| !is_kept);
                return match parent {
                    Some(parent) => address.at(Some(parent)),
                    None => address,
                };
            }
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    struct Here;

    impl Host for Here {
        fn is_local(&self, address: &Address) -> Result<bool, tables::Error> {
            Ok(address
                .domain()
                .is_none_or(|domain| domain.as_str() == "here.test"))
        }
        fn completed(&self, address: Address) -> Address {
            match address.domain() {
                Some(_) => address,
                None => address.at(Domain::parse("here.test").ok()),
            }
        }
    }

    fn table(entries: &str) -> Vec<TableRef> {
        vec![TableRef::new("inline", &format!("{{ {entries} }}"))]
    }

    fn maps(change: impl FnOnce(&mut Postfix)) -> Maps {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.recipient_delimiter = "+".to_owned();
        change(&mut settings);
        let mut problems = Vec::new();
        let maps = Maps::open(&settings, &mut problems);
        assert_eq!(problems, []);
        maps
    }

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    #[test]
    fn canonical_maps_are_followed_by_class() {
        let maps = maps(|settings| {
            settings.canonical_maps = table("{ a@x = b@x }, { b@x = c@x }, { own@x = own@x }");
            settings.sender_canonical_maps = table("{ s@x = a@x }");
            settings.masquerade_domains = vec!["!keep.d.test".into(), "d.test".into()];
            settings.masquerade_exceptions = vec!["root".into()];
        });
        let mapped = |text, role| {
            maps.canonical(&address(text), role, &Here)
                .expect("an answer")
                .to_string()
        };
        assert_eq!(mapped("a@x", Role::HeaderRecipient), "c@x");
        assert_eq!(mapped("own@x", Role::HeaderRecipient), "own@x");
        assert_eq!(mapped("s@x", Role::EnvelopeSender), "c@x");
        assert_eq!(mapped("s@x", Role::EnvelopeRecipient), "s@x");
        assert_eq!(mapped("u@h.d.test", Role::HeaderSender), "u@d.test");
        assert_eq!(mapped("u@h.d.test", Role::EnvelopeRecipient), "u@h.d.test");
        assert_eq!(mapped("root@h.d.test", Role::HeaderSender), "root@h.d.test");
        assert_eq!(mapped("u@h.keep.d.test", Role::HeaderSender), "u@h.keep.d.test");
    }

    #[test]
    fn canonical_loops_end() {
        let mut maps = maps(|settings| settings.canonical_maps = table("{ a@x = b@x, c@x }, { b@x = a@x }"));
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let hears = std::sync::Arc::clone(&told);
        let tell: Tell = std::sync::Arc::new(move |text| {
            hears.lock().expect("nobody panics with it").push(text.to_owned());
        });
        maps.tell_warnings(&tell);
        let reached = maps.canonical(&address("a@x"), Role::HeaderSender, &Here);
        assert_eq!(reached, Ok(address("a@x")));
        let told = told.lock().expect("nobody panics with it");
        assert_eq!(
            told.first().map(String::as_str),
            Some("multi-valued canonical_maps entry for a@x")
        );
        assert_eq!(
            told.last().map(String::as_str),
            Some("unreasonable canonical_maps map nesting for a@x")
        );
    }

    fn aliases(entries: &str, text: &str) -> Result<String, Error> {
        let maps = maps(|settings| {
            settings.virtual_alias_maps = table(entries);
            settings.virtual_alias_expansion_limit = 5;
            settings.virtual_alias_recursion_limit = 4;
            settings.virtual_alias_address_length_limit = 20;
        });
        let found = maps.aliases(&address(text), &Here)?;
        Ok(found.iter().map(Address::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn aliases_are_expanded_each_once() {
        let entries = "{ all@v = a@v, b@v, all@v }, { a@v = x, b@v }, { b@v = y@z }, { c@v = @w }";
        assert_eq!(
            aliases(entries, "all@v").expect("an answer"),
            "x@here.test y@z all@v"
        );
        assert_eq!(aliases(entries, "c+e@v").expect("an answer"), "c+e@w");
        assert_eq!(aliases(entries, "n@v").expect("an answer"), "n@v");
    }

    #[test]
    fn aliases_that_do_not_end_do() {
        for (entries, wanted) in [
            ("{ a@v = b@v }, { b@v = a@v }", "nesting"),
            (
                "{ a@v = 1@v, 2@v, 3@v }, { 1@v = 4@v, 5@v, 6@v, 7@v }",
                "expansion size",
            ),
        ] {
            let told = aliases(entries, "a@v");
            assert!(
                matches!(&told, Err(Error::Unreasonable { what, .. }) if *what == wanted),
                "{told:?}"
            );
        }
        let told = aliases("{ a@v = a-very-long-name-indeed@somewhere.test }", "a@v");
        assert!(matches!(told, Err(Error::TooLong { .. })));
    }
}
