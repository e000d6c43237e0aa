//! LIST and LSUB: which mailboxes are told of, and what of them (RFC 3501 §6.3.8, RFC 5258). What is told besides stands with
//! the extensions that ask for it.

use std::collections::{BTreeMap, BTreeSet};

use mailbox::{ListEntry, MailboxName, Namespace, mutf7};

use super::Session;
use super::reply::Context;
use crate::extensions::children;
use crate::extensions::namespace::push_separator;
use crate::wire::list::List;

/// A mailbox, or the name of one, that is told of.
#[derive(Debug, Default)]
struct Told<'a> {
    /// What the store lists under the name; nothing when it is only subscribed to.
    entry: Option<&'a ListEntry>,
    subscribed: bool,
    /// Something below it is subscribed to and not told of (RFC 5258 §4).
    has_child_info: bool,
}

/// What the name of a mailbox is to match.
struct Wanted {
    patterns: Vec<String>,
    namespaces: Vec<Namespace>,
}

impl Wanted {
    /// Reference and patterns, each as one pattern in UTF-8. What no name can match is left out.
    fn new(list: &List, session: &Session) -> Wanted {
        let patterns = list.patterns.iter().filter(|pattern| !pattern.is_empty());
        let whole = patterns.map(|pattern| [list.reference.as_slice(), pattern].concat());
        let whole = whole.filter_map(|whole| match session.utf8 {
            true => String::from_utf8(whole).ok(),
            false => mutf7::decode(&whole),
        });
        Wanted {
            patterns: whole.collect(),
            namespaces: session.store.namespaces(),
        }
    }

    fn separator(&self, name: &str) -> char {
        namespace_of(&self.namespaces, name).map_or('/', |namespace| namespace.separator)
    }

    fn matches(&self, name: &str) -> bool {
        let namespace = namespace_of(&self.namespaces, name);
        let separator = namespace.map_or('/', |namespace| namespace.separator);
        // What is not listed is only told to who asks for names with the prefix.
        let unlisted = namespace.filter(|namespace| !namespace.is_listed && name != "INBOX");
        let mut patterns = self
            .patterns
            .iter()
            .filter(|pattern| unlisted.is_none_or(|namespace| pattern.starts_with(&namespace.prefix)));
        patterns.any(|pattern| matches_name(pattern, name, separator))
    }

    /// The names above one, nearest first, that match.
    fn parents<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let separators = name.rmatch_indices(self.separator(name));
        separators
            .map(|(at, _)| &name[..at])
            .filter(|parent| self.matches(parent))
    }
}

/// The namespace that a name is in: the one with the longest prefix. The prefix without its last separator is in it, too.
pub(crate) fn namespace_of<'a>(namespaces: &'a [Namespace], name: &str) -> Option<&'a Namespace> {
    let holds = |namespace: &&Namespace| {
        let prefix = namespace.prefix.as_str();
        name.starts_with(prefix) || prefix.strip_suffix(namespace.separator) == Some(name)
    };
    let holding = namespaces.iter().filter(holds);
    // Of several that are as long, the first.
    holding
        .rev()
        .max_by_key(|namespace| namespace.prefix.len())
        .or(namespaces.first())
}

impl Session {
    pub(crate) fn list(&mut self, tag: &str, list: &List) {
        if !list.extended && list.patterns.iter().all(Vec::is_empty) {
            self.list_root(&list.reference);
            return self.tagged(tag, "OK List completed.");
        }
        let found = self.store.list().and_then(|entries| {
            let subscriptions = match list.returning.subscribed {
                true => self.store.subscriptions()?,
                false => Vec::new(),
            };
            Ok((entries, subscriptions))
        });
        let (entries, subscriptions) = match found {
            Ok(found) => found,
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        };
        let wanted = Wanted::new(list, self);
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        for (name, told) in told(list, &wanted, &entries, &subscriptions) {
            let separator = wanted.separator(name);
            let attributes = attributes(list, &told, name, (separator, &names));
            self.list_line("LIST", &attributes, (separator, name), told.has_child_info);
            if let Some(entry) = told.entry.filter(|entry| entry.selectable) {
                if list.returning.my_rights {
                    self.list_my_rights(&entry.name);
                }
                self.list_status(&entry.name, &list.returning.status);
            }
        }
        self.tagged(tag, "OK List completed.");
    }

    /// The answer to an empty pattern: the separator, and where the reference begins.
    fn list_root(&mut self, reference: &[u8]) {
        let reference = match self.utf8 {
            true => String::from_utf8(reference.to_vec()).ok(),
            false => mutf7::decode(reference),
        };
        let reference = reference.unwrap_or_default();
        let namespaces = self.store.namespaces();
        let namespace = namespace_of(&namespaces, &reference);
        let (separator, prefix) = namespace.map_or(('/', ""), |namespace| {
            (namespace.separator, namespace.prefix.as_str())
        });
        self.list_line("LIST", &["\\Noselect"], (separator, prefix), false);
    }

    pub(crate) fn lsub(&mut self, tag: &str, list: &List) {
        let found = self
            .store
            .subscriptions()
            .and_then(|subscribed| Ok((subscribed, self.store.list()?)));
        let (subscribed, entries) = match found {
            Ok(found) => found,
            Err(error) => return self.store_failed(tag, &error, Context::Other),
        };
        let wanted = Wanted::new(list, self);
        let mut told = BTreeSet::new();
        for name in &subscribed {
            let separator = wanted.separator(name.as_str());
            if wanted.matches(name.as_str()) {
                if told.insert(name.as_str()) {
                    let entry = entries.iter().find(|entry| entry.name == *name);
                    let uses = entry.into_iter().flat_map(|entry| &entry.special_use);
                    let attributes: Vec<_> = uses.map(|special_use| special_use.attribute()).collect();
                    self.list_line("LSUB", &attributes, (separator, name.as_str()), false);
                }
                continue;
            }
            // A parent that matches stands for subscribed children that do not (RFC 3501 §6.3.9).
            for parent in wanted.parents(name.as_str()) {
                let is_subscribed = subscribed.iter().any(|other| other.as_str() == parent);
                if !is_subscribed && told.insert(parent) {
                    self.list_line("LSUB", &["\\Noselect"], (separator, parent), false);
                }
            }
        }
        self.tagged(tag, "OK Lsub completed.");
    }

    fn list_line(
        &mut self,
        word: &str,
        attributes: &[&str],
        (separator, name): (char, &str),
        has_child_info: bool,
    ) {
        let name = self.encoded_name(name);
        let out = &mut self.output;
        out.extend_from_slice(format!("* {word} ({}) ", attributes.join(" ")).as_bytes());
        push_separator(out, separator);
        out.push(b' ');
        out.extend_from_slice(&name);
        if has_child_info {
            out.extend_from_slice(b" (CHILDINFO (\"SUBSCRIBED\"))");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// What is told of, by name; INBOX is first where the store lists it first.
fn told<'a>(
    list: &List,
    wanted: &'a Wanted,
    entries: &'a [ListEntry],
    subscriptions: &'a [MailboxName],
) -> Vec<(&'a str, Told<'a>)> {
    let has_use = |entry: Option<&ListEntry>| entry.is_some_and(|entry| !entry.special_use.is_empty());
    let is_for_something = |entry: Option<&ListEntry>| !list.selection.special_use || has_use(entry);
    if !list.selection.subscribed {
        let subscribed: BTreeSet<&MailboxName> = subscriptions.iter().collect();
        let entries = entries
            .iter()
            .filter(|entry| wanted.matches(entry.name.as_str()) && is_for_something(Some(entry)));
        let tell = |entry: &'a ListEntry| {
            let told = Told {
                entry: Some(entry),
                subscribed: subscribed.contains(&entry.name),
                has_child_info: false,
            };
            (entry.name.as_str(), told)
        };
        return entries.map(tell).collect();
    }
    let known: BTreeMap<&str, &ListEntry> =
        entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let mut found: BTreeMap<&str, Told<'_>> = BTreeMap::new();
    for name in subscriptions.iter().map(MailboxName::as_str) {
        let entry = known.get(name).copied();
        if wanted.matches(name) {
            if is_for_something(entry) {
                let told = found.entry(name).or_default();
                (told.entry, told.subscribed) = (entry, true);
            }
        } else if list.selection.recursive_match
            && is_for_something(entry)
            && let Some(parent) = wanted.parents(name).next()
        {
            let told = found.entry(parent).or_default();
            (told.entry, told.has_child_info) = (known.get(parent).copied(), true);
        }
    }
    if list.selection.recursive_match {
        for name in subscriptions.iter().map(MailboxName::as_str) {
            for parent in wanted.parents(name) {
                if let Some(told) = found.get_mut(parent) {
                    told.has_child_info = true;
                }
            }
        }
    }
    found.into_iter().collect()
}

/// The attributes, in Dovecot's order. `sorted` holds all names.
fn attributes(
    list: &List,
    told: &Told<'_>,
    name: &str,
    (separator, sorted): (char, &[&str]),
) -> Vec<&'static str> {
    let mut attributes = Vec::new();
    if told.subscribed && list.returning.subscribed {
        attributes.push("\\Subscribed");
    }
    match told.entry {
        Some(entry) if entry.selectable => {}
        Some(entry) if entry.exists || !list.extended => attributes.push("\\Noselect"),
        _ => attributes.push("\\NonExistent"),
    }
    if told.entry.is_some_and(|entry| entry.no_inferiors) {
        attributes.push("\\NoInferiors");
    } else if list.returning.children || !list.extended {
        attributes.push(children::attribute(name, separator, sorted));
    }
    if list.returning.special_use || !list.extended {
        let uses = told.entry.into_iter().flat_map(|entry| &entry.special_use);
        attributes.extend(uses.map(|special_use| special_use.attribute()));
    }
    attributes
}

/// Whether a name matches a pattern: `*` is anything, `%` anything but the separator. INBOX has no case.
fn matches_name(pattern: &str, name: &str, separator: char) -> bool {
    let first = name.split(separator).next().unwrap_or_default();
    let caseless = if first == "INBOX" { first.len() } else { 0 };
    matches_pattern(pattern.as_bytes(), name.as_bytes(), separator as u8, caseless)
}

/// One pass with one set of reachable positions: no pattern makes it take more than pattern × name steps. The first
/// `caseless` octets of the name have no case.
fn matches_pattern(pattern: &[u8], name: &[u8], separator: u8, caseless: usize) -> bool {
    let mut reachable = vec![false; name.len() + 1];
    reachable[0] = true;
    for &octet in pattern {
        if matches!(octet, b'*' | b'%') {
            for at in 0..name.len() {
                if reachable[at] && (octet == b'*' || name[at] != separator) {
                    reachable[at + 1] = true;
                }
            }
        } else {
            for at in (0..name.len()).rev() {
                let same = match at < caseless {
                    true => name[at].eq_ignore_ascii_case(&octet),
                    false => name[at] == octet,
                };
                reachable[at + 1] = reachable[at] && same;
            }
            reachable[0] = false;
        }
    }
    reachable[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a%", "a", true),
            ("a*b", "a/x/b", true),
            ("a*b*", "a/x/c", false),
            ("inbox", "INBOX", true),
            ("in%", "INBOX", true),
            ("inbox/*", "INBOX/sub", true),
            ("*x/sub", "INBOX/sub", true),
            ("inbox/SUB", "INBOX/sub", false),
            ("inboxes", "INBOXES", false),
            ("", "a", false),
        ] {
            assert_eq!(matches_name(pattern, name, '/'), expected, "{pattern} {name}");
        }
        assert!(!matches_name(&"*a".repeat(200), &"a".repeat(199), '/'));
    }
}
