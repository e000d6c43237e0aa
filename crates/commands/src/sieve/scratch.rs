//! The mail store of `sieve-testsuite`: mailboxes in memory, their annotations, scripts to include, lists. Nothing outside is
//! touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sieve::testing::Stored;
use sieve::{Envelope, Found, Library, Location, Pipe, ProgramCall, ProgramEnd, Settings, Store};

use super::execution::Mailboxes;
use super::programs;

/// A message with its flags.
type Message = (Vec<u8>, Vec<String>);

/// Mailboxes and annotations.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    mailboxes: BTreeMap<String, Vec<Message>>,
    metadata: BTreeMap<(Option<String>, String), String>,
    /// For programs of `pipe`.
    pub(super) settings: Settings,
    pub(super) envelope: Envelope,
}

/// Mailbox names as they are compared: INBOX in any case is INBOX.
fn key(name: &str) -> String {
    match name.eq_ignore_ascii_case("INBOX") {
        true => "INBOX".to_owned(),
        false => name.to_owned(),
    }
}

impl Scratch {
    /// Whether mail can be put into a mailbox. INBOX can always.
    pub(super) fn exists(&self, name: &str) -> bool {
        let name = key(name);
        name == "INBOX" || self.mailboxes.contains_key(&name)
    }

    /// Makes a mailbox; one that is there stays.
    pub(super) fn create(&mut self, name: &str) {
        self.mailboxes.entry(key(name)).or_default();
    }

    pub(super) fn stored(&self, name: &str, index: usize) -> Stored {
        match self.mailboxes.get(&key(name)).map(|messages| messages.get(index)) {
            None => Stored::NoMailbox,
            Some(None) => Stored::NoMessage,
            Some(Some((message, flags))) => Stored::Message(message.clone(), flags.clone()),
        }
    }

    pub(super) fn set_metadata(
        &mut self,
        mailbox: Option<&str>,
        entry: &str,
        value: &str,
    ) -> Result<(), String> {
        if let Some(name) = mailbox.filter(|name| !self.exists(name)) {
            return Err(format!("Mailbox doesn't exist: {name}"));
        }
        self.metadata
            .insert((mailbox.map(key), entry.to_ascii_lowercase()), value.to_owned());
        Ok(())
    }

    pub(super) fn metadata(&self, mailbox: Option<&str>, entry: &str) -> Option<String> {
        self.metadata
            .get(&(mailbox.map(key), entry.to_ascii_lowercase()))
            .cloned()
    }

    /// The mailbox with a special use: the annotation `/private/specialuse` holds it.
    pub(super) fn with_special_use(&self, flag: &str) -> Option<&str> {
        self.metadata.iter().find_map(|((mailbox, entry), value)| {
            let uses = value
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case(flag));
            mailbox
                .as_deref()
                .filter(|_| entry == "/private/specialuse" && uses)
        })
    }
}

impl Mailboxes for Scratch {
    fn store(&mut self, store: &Store, message: &[u8]) -> Result<(), String> {
        let named = key(store.mailbox.as_deref().unwrap_or("INBOX"));
        let special = store
            .special_use
            .as_deref()
            .and_then(|flag| self.with_special_use(flag));
        let name = special.map_or(named, str::to_owned);
        if !self.exists(&name) && !store.create {
            return Err(format!("Mailbox doesn't exist: {name}"));
        }
        let messages = self.mailboxes.entry(name).or_default();
        messages.push((message.to_vec(), store.flags.clone()));
        Ok(())
    }

    fn pipe(&mut self, pipe: &Pipe, message: &[u8]) -> Result<(), String> {
        let call = ProgramCall {
            command: "pipe",
            program: pipe.program.clone(),
            arguments: pipe.arguments.clone(),
            input: message.to_vec(),
        };
        match programs::run(&self.settings, &self.envelope, &call) {
            ProgramEnd::Success(_) => Ok(()),
            ProgramEnd::Failure => Err(format!("failed to execute to program `{}'", pipe.program)),
            ProgramEnd::Trouble(why) => Err(why),
        }
    }
}

/// Where scripts to include are.
#[derive(Debug, Clone)]
enum Source {
    Directory(PathBuf),
    /// A `file` dictionary: lines of keys and values in turn.
    Dictionary(PathBuf),
}

/// The two places of a file of tests.
#[derive(Debug, Clone)]
pub(super) struct Places {
    personal: Source,
    global: Source,
}

impl Places {
    /// Beside the file, unless settings say otherwise.
    pub(super) fn of(settings: &Settings, directory: &Path) -> Places {
        let source = |block: &str, old: &str, usual: &str| {
            let get = |name: &str| settings.text(&format!("sieve_script/{block}/{name}"));
            let absolute = |path: &str| directory.join(path);
            let dictionary = settings
                .below(&format!("sieve_script/{block}/"))
                .find(|(name, _)| name.ends_with("dict/file/path"))
                .map(|(_, path)| Source::Dictionary(absolute(path)))
                .filter(|_| get("sieve_script_driver") == Some("dict"));
            let by_path = get("sieve_script_path").map(|path| Source::Directory(absolute(path)));
            let by_old = settings
                .text(old)
                .map(|text| match text.strip_prefix("dict:file:") {
                    Some(rest) => Source::Dictionary(absolute(rest.split(';').next().unwrap_or(rest))),
                    None => {
                        let path = text.strip_prefix("file:").unwrap_or(text);
                        Source::Directory(absolute(path.split(';').next().unwrap_or(path)))
                    }
                });
            dictionary
                .or(by_path)
                .or(by_old)
                .unwrap_or_else(|| Source::Directory(directory.join(usual)))
        };
        Places {
            personal: source("included", "sieve", "included"),
            global: source("included-global", "sieve_global", "included-global"),
        }
    }
}

/// The value of a key in a `file` dictionary.
fn dictionary_value(path: &Path, wanted: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    while let (Some(key), Some(value)) = (lines.next(), lines.next()) {
        if key == wanted {
            return Some(value.replace("\\n", "\n").replace("\\\\", "\\"));
        }
    }
    None
}

impl Library for Places {
    fn script(&mut self, location: Location, name: &str) -> Found {
        let source = match location {
            Location::Personal => &self.personal,
            Location::Global => &self.global,
        };
        let text = match source {
            Source::Directory(directory) => {
                std::fs::read_to_string(directory.join(format!("{name}.sieve"))).ok()
            }
            Source::Dictionary(file) => {
                let id = dictionary_value(file, &format!("priv/sieve/name/{name}"));
                id.and_then(|id| dictionary_value(file, &format!("priv/sieve/data/{id}")))
            }
        };
        text.map_or(Found::Missing, Found::Text)
    }
}

/// The file of an external list.
fn list_file(settings: &Settings, name: &str) -> Option<String> {
    let prefix = format!("sieve_extlists_list/{name}/");
    let mut paths = settings.below(&prefix).filter(|(key, _)| key.ends_with("path"));
    paths.next().map(|(_, path)| path.to_owned())
}

/// Whether there is a list of this name.
pub(super) fn is_list(settings: &Settings, name: &str) -> bool {
    settings
        .below(&format!("sieve_extlists_list/{name}/"))
        .next()
        .is_some()
}

/// Whether a list has a member.
///
/// # Errors
/// There is no such list.
pub(super) fn list_contains(
    settings: &Settings,
    directory: &Path,
    name: &str,
    member: &str,
) -> Result<bool, String> {
    let file = list_file(settings, name).ok_or("there is no such list")?;
    Ok(dictionary_value(&directory.join(file), &format!("priv/sieve/extlists/{member}")).is_some())
}
