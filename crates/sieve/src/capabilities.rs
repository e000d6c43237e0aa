//! Which extensions scripts may require: the defaults, and what an administrator adds or takes away.

use std::collections::BTreeSet;

use crate::extensions::EXTENSIONS;

/// A set of extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<&'static str>);

impl Default for Capabilities {
    /// Those that are there when nothing is set (`sieve_extensions`).
    fn default() -> Capabilities {
        let on = EXTENSIONS.iter().filter(|extension| extension.on_by_default);
        Capabilities(on.map(|extension| extension.name).collect())
    }
}

impl Capabilities {
    /// All that there are but for the test language.
    pub fn all() -> Capabilities {
        let names = EXTENSIONS.iter().map(|extension| extension.name);
        Capabilities(names.filter(|name| *name != crate::testing::EXTENSION).collect())
    }

    /// Names with `+` are added, with `-` taken away; without a sign in any, only those named are there. As
    /// `sieve_extensions` and the option `-x` of the tools. Returns the names that are not known.
    pub fn apply(&mut self, words: &str) -> Vec<String> {
        let mut unknown = Vec::new();
        let signed = |word: &str| word.starts_with(['+', '-']);
        if words.split_whitespace().any(|word| !signed(word)) {
            self.0.clear();
        }
        for word in words.split_whitespace() {
            let name = word.trim_start_matches(['+', '-']);
            match EXTENSIONS.iter().find(|extension| extension.name == name) {
                None => unknown.push(name.to_owned()),
                Some(extension) if word.starts_with('-') => drop(self.0.remove(extension.name)),
                Some(extension) => drop(self.0.insert(extension.name)),
            }
        }
        unknown
    }

    /// Adds one by its name, if there is such an extension.
    pub fn add(&mut self, name: &str) {
        let found = EXTENSIONS.iter().find(|extension| extension.name == name);
        self.0.extend(found.map(|extension| extension.name));
    }

    /// Whether scripts may require `name`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Their names, as ManageSieve lists them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}
