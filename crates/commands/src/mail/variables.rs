//! What the user has set: variables, aliases and fields that are not shown, from the mailrc files, `-S` and `set`.

use std::collections::BTreeMap;

use super::conditions::{Conditions, Facts};
use super::list::words;
use super::show::Unwanted;

/// How deep mailrc files read others.
const SOURCE_DEPTH_MAX: usize = 10;

/// How deep aliases lead to aliases.
const ALIAS_DEPTH_MAX: usize = 20;
/// The most names that aliases expand to.
const NAMES_MAX: usize = 10_000;

/// Settings of one user.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    set: BTreeMap<String, String>,
    aliases: BTreeMap<String, Vec<String>>,
    /// Other addresses of the user.
    alternates: Vec<String>,
    pub(super) unwanted: Unwanted,
}

impl Default for Variables {
    /// What the distributions' `/etc/mail.rc` sets for Heirloom mailx.
    fn default() -> Variables {
        let set = [
            "append", "ask", "crt", "dot", "emptybox", "header", "hold", "keep", "save", "showname", "showto",
        ];
        Variables {
            set: set
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect(),
            aliases: BTreeMap::new(),
            alternates: Vec::new(),
            unwanted: Unwanted::default(),
        }
    }
}

impl Variables {
    /// Whether a variable is set.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// The text of a variable; empty for one that is set without a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// `name`, `name=text`, `noname`.
    pub(super) fn assign(&mut self, word: &str) {
        match word.split_once('=') {
            Some((name, text)) => {
                self.set.insert(name.trim().to_owned(), text.trim().to_owned());
            }
            None => match word.strip_prefix("no") {
                Some(name) if !name.is_empty() => self.clear(name),
                _ => {
                    self.set.insert(word.to_owned(), String::new());
                }
            },
        }
    }

    /// Unsets a variable.
    pub(super) fn clear(&mut self, name: &str) {
        self.set.remove(if name == "asksub" { "ask" } else { name });
    }

    /// All variables, `name` or `name="text"`, one a line.
    pub(super) fn listing(&self) -> String {
        let line = |(name, text): (&String, &String)| match text.as_str() {
            "" => format!("{name}\n"),
            text => format!("{name}=\"{text}\"\n"),
        };
        self.set.iter().map(line).collect()
    }

    /// All aliases, or the named ones.
    pub(super) fn alias_listing(&self, name: Option<&str>) -> String {
        let wanted = self
            .aliases
            .iter()
            .filter(|(alias, _)| name.is_none_or(|name| name == *alias));
        wanted
            .map(|(alias, names)| format!("{alias}\t{}\n", names.join(" ")))
            .collect()
    }

    /// The user's other addresses.
    pub(super) fn alternates(&self) -> &[String] {
        &self.alternates
    }

    /// Whether an address is another one of the user's: the whole address, or its local part when that was given.
    pub(super) fn is_alternate(&self, address: &str) -> bool {
        let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
        let is_it = |known: &String| match known.contains('@') {
            true => known.eq_ignore_ascii_case(address),
            false => known == local,
        };
        self.alternates.iter().any(is_it)
    }

    /// Adds to an alias.
    pub(super) fn alias(&mut self, name: &str, names: &[String]) {
        self.aliases
            .entry(name.to_owned())
            .or_default()
            .extend_from_slice(names);
    }

    /// Forgets an alias.
    pub(super) fn unalias(&mut self, name: &str) {
        self.aliases.remove(name);
    }

    /// The addresses that a name stands for: itself, when it is no alias.
    pub(super) fn expand(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.expand_into(name, 0, &mut found);
        found
    }

    fn expand_into(&self, name: &str, depth: usize, found: &mut Vec<String>) {
        match self.aliases.get(name).filter(|_| depth < ALIAS_DEPTH_MAX) {
            Some(names) => {
                for inner in names {
                    // A name inside its own alias is the address itself.
                    if inner == name {
                        push_new(found, inner);
                    } else if found.len() < NAMES_MAX {
                        self.expand_into(inner, depth + 1, found);
                    }
                }
            }
            None => push_new(found, name),
        }
    }

    /// Reads a mailrc file; `file` gives the text of those that it sources. What is not known is passed over: such files
    /// are shared with other programs.
    pub(super) fn read(&mut self, text: &str, facts: Facts, file: &dyn Fn(&str) -> Option<String>) {
        self.read_at_depth(text, facts, file, 0);
    }

    fn read_at_depth(
        &mut self,
        text: &str,
        facts: Facts,
        file: &dyn Fn(&str) -> Option<String>,
        depth: usize,
    ) {
        let mut conditions = Conditions::default();
        for line in text.replace("\\\n", " ").lines() {
            let line = line.trim();
            let mut words = words(line);
            if line.starts_with('#') || words.is_empty() {
                continue;
            }
            let verb = words.remove(0);
            let first = words.first().map_or("", String::as_str);
            // A condition that is none is passed over as well.
            let _ = match verb.as_str() {
                "if" => conditions.begin(first, facts),
                "else" | "el" => conditions.turn(),
                "endif" | "en" => conditions.end(),
                "source" | "so" if conditions.hold() && depth < SOURCE_DEPTH_MAX => {
                    if let Some(text) = file(first) {
                        self.read_at_depth(&text, facts, file, depth + 1);
                    }
                    Ok(())
                }
                verb if conditions.hold() => {
                    self.order(verb, &words);
                    Ok(())
                }
                _ => Ok(()),
            };
        }
    }

    /// Does what a command about settings says; `false` when it is none.
    pub(super) fn order(&mut self, verb: &str, words: &[String]) -> bool {
        match verb {
            "set" | "se" => words.iter().for_each(|word| self.assign(word)),
            "unset" | "uns" => words.iter().for_each(|word| self.clear(word)),
            "alias" | "a" | "group" | "g" => {
                if let Some((name, names)) = words.split_first() {
                    self.alias(name, names);
                }
            }
            "alternates" | "alt" => {
                for word in words {
                    if !self.alternates.contains(word) {
                        self.alternates.push(word.clone());
                    }
                }
            }
            "unalias" | "una" | "ungroup" => words.iter().for_each(|name| self.unalias(name)),
            "ignore" | "discard" | "ig" | "di" => {
                self.unwanted
                    .ignored
                    .extend(words.iter().map(|word| word.to_ascii_lowercase()));
            }
            "unignore" => self
                .unwanted
                .ignored
                .retain(|name| !words.iter().any(|w| w.eq_ignore_ascii_case(name))),
            "retain" | "ret" => {
                self.unwanted
                    .retained
                    .extend(words.iter().map(|word| word.to_ascii_lowercase()));
            }
            "unretain" => self
                .unwanted
                .retained
                .retain(|name| !words.iter().any(|w| w.eq_ignore_ascii_case(name))),
            _ => return false,
        }
        true
    }
}

fn push_new(found: &mut Vec<String>, name: &str) {
    if !found.iter().any(|known| known == name) {
        found.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDING: Facts = Facts {
        is_sending: true,
        is_terminal: true,
    };

    #[test]
    fn a_mailrc() {
        let mut variables = Variables::default();
        assert!(variables.is_set("hold"));
        variables.read(
            "# mine\nset nohold from=\"Ann B <ann@x>\" \\\n  record=sent\nalias team bob eve\nalias all team ann all\n\
             if s\nset sending\nelse\nset reading\nendif\nignore X-Spam\nsource more\nbeep boop\nunset crt\n",
            SENDING,
            &|name| (name == "more").then(|| "set sourced\nalternates ann@x\n".to_owned()),
        );
        assert!(
            variables.is_set("sourced")
                && variables.is_alternate("Ann@x")
                && !variables.is_alternate("ann@y")
        );
        assert!(!variables.is_set("hold") && !variables.is_set("crt"));
        assert!(variables.is_set("sending") && !variables.is_set("reading"));
        assert_eq!(variables.text("from"), Some("Ann B <ann@x>"));
        assert_eq!(variables.text("record"), Some("sent"));
        assert_eq!(variables.expand("all"), ["bob", "eve", "ann", "all"]);
        assert_eq!(variables.expand("eve"), ["eve"]);
        assert!(variables.unwanted.ignored.contains(&"x-spam".to_owned()));
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let mut variables = Variables::default();
        variables.read("alias a b\nalias b a\nsource x\n", SENDING, &|_| {
            Some("source x\n".to_owned())
        });
        assert_eq!(variables.expand("a").len(), 1);
    }
}
