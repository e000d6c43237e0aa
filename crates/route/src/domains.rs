//! Lists of domains as `mydestination` and `relay_domains` write them: names, `/file`s, tables, `!` exceptions.

use address::Domain;
use settings::TableRef;
use tables::{Tables, Tell};

use crate::Error;

/// A list of domains.
pub struct DomainList {
    entries: Vec<Entry>,
    /// Whether a name in the list stands for its subdomains too.
    subdomains: bool,
}

struct Entry {
    /// `!pattern`: what matches is not in the list.
    except: bool,
    pattern: Pattern,
}

enum Pattern {
    Name(String),
    Table(Tables),
}

impl DomainList {
    /// A list of its words; `type:name` is a table keyed by domains (`config` has replaced `/file` by its words). A
    /// table that cannot be opened is told to `problems`, and every lookup in it fails.
    pub fn open(words: &[String], subdomains: bool, problems: &mut Vec<tables::Error>) -> DomainList {
        let mut entries = Vec::new();
        for word in words {
            let (except, word) = word
                .strip_prefix('!')
                .map_or((false, word.as_str()), |rest| (true, rest));
            let pattern = match word.parse::<TableRef>() {
                Ok(table) if !word.starts_with('[') => {
                    let (table, found) = Tables::open(&[table]);
                    problems.extend(found);
                    Pattern::Table(table)
                }
                _ => Pattern::Name(word.to_owned()),
            };
            entries.push(Entry { except, pattern });
        }
        DomainList { entries, subdomains }
    }

    /// The same with the name of the parameter that has it, for warnings about lookups that fail.
    pub fn titled(mut self, parameter: &str) -> DomainList {
        for entry in &mut self.entries {
            if let Pattern::Table(table) = &mut entry.pattern {
                *table = std::mem::take(table).titled(parameter);
            }
        }
        self
    }

    /// As [`Tables::tell_warnings`].
    pub fn tell_warnings(&mut self, tell: &Tell) {
        for entry in &mut self.entries {
            if let Pattern::Table(table) = &mut entry.pattern {
                table.tell_warnings(tell);
            }
        }
    }

    /// The domains of `fast_flush_domains`.
    pub fn fast_flush(settings: &settings::Postfix, problems: &mut Vec<tables::Error>) -> DomainList {
        let mut parents = settings.parent_domain_matches_subdomains.iter();
        let subdomains = parents.any(|list| list == "fast_flush_domains");
        DomainList::open(&settings.fast_flush_domains, subdomains, problems).titled("fast_flush_domains")
    }

    /// Whether `domain` is in the list: the first entry that matches decides.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn contains(&self, domain: &Domain) -> Result<bool, Error> {
        for entry in &self.entries {
            let matches = match &entry.pattern {
                Pattern::Name(name) => self.names(name, domain),
                Pattern::Table(table) => self.finds(table, domain)?,
            };
            if matches {
                return Ok(!entry.except);
            }
        }
        Ok(false)
    }

    fn names(&self, name: &str, domain: &Domain) -> bool {
        let text = domain.as_str();
        // Where names stand for their subdomains, a dot in front of one makes it match nothing.
        if let Some(parent) = name.strip_prefix('.').filter(|_| !self.subdomains) {
            return text.len() > parent.len() + 1 && domain.is_within(parent);
        }
        name.eq_ignore_ascii_case(text) || (self.subdomains && domain.is_within(name))
    }

    fn finds(&self, table: &Tables, domain: &Domain) -> Result<bool, Error> {
        let lower = domain.as_str().to_ascii_lowercase();
        let mut key = lower.as_str();
        loop {
            if table.has(key)? {
                return Ok(true);
            }
            match key.split_once('.') {
                Some((_, parent)) if self.subdomains && !parent.is_empty() => key = parent,
                _ => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str], subdomains: bool) -> DomainList {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        DomainList::open(&words, subdomains, &mut Vec::new())
    }

    fn has(list: &DomainList, name: &str) -> bool {
        list.contains(&Domain::parse(name).expect("a domain"))
            .expect("no table")
    }

    #[test]
    fn names_match_without_case_and_with_subdomains_only_where_asked() {
        let exact = list(&["example.com", "localhost"], false);
        assert!(has(&exact, "EXAMPLE.com") && has(&exact, "localhost"));
        assert!(!has(&exact, "www.example.com") && !has(&exact, "badexample.com"));
        let wide = list(&["example.com"], true);
        assert!(has(&wide, "www.example.com") && !has(&wide, "badexample.com"));
        let dotted = list(&[".example.com"], false);
        assert!(has(&dotted, "www.example.com") && !has(&dotted, "example.com"));
        let neither = list(&[".example.com"], true);
        assert!(!has(&neither, "www.example.com") && !has(&neither, "example.com"));
    }

    #[test]
    fn the_first_match_decides() {
        let list = list(&["!secret.example.com", "example.com"], true);
        assert!(!has(&list, "secret.example.com") && has(&list, "open.example.com"));
    }
}
