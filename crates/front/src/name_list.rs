//! Lists of names as `authorized_mailq_users` and `smtpd_sasl_mechanism_filter` write them: names, tables, `!` before
//! what does not belong; the first entry that matches decides.

use settings::TableRef;
use tables::Tables;

/// A list of names.
#[derive(Default)]
pub struct NameList {
    entries: Vec<(bool, Pattern)>,
}

enum Pattern {
    Name(String),
    Table(Tables),
}

impl NameList {
    /// A list of its words; `type:name` is a table keyed by names. A table that cannot be opened is told to `problems`,
    /// and every lookup in it fails.
    pub fn open(words: &[String], problems: &mut Vec<tables::Error>) -> NameList {
        let mut entries = Vec::new();
        for word in words {
            let bare = word.trim_start_matches('!');
            let negated = (word.len() - bare.len()) % 2 == 1;
            let pattern = match bare.parse::<TableRef>() {
                Ok(table) => {
                    let (table, found) = Tables::open(&[table]);
                    problems.extend(found);
                    Pattern::Table(table)
                }
                Err(_) => Pattern::Name(bare.to_owned()),
            };
            entries.push((negated, pattern));
        }
        NameList { entries }
    }

    /// Whether `name` is in the list; names are compared without regard to case.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn contains(&self, name: &str) -> Result<bool, tables::Error> {
        for (negated, pattern) in &self.entries {
            let matches = match pattern {
                Pattern::Name(known) => known.eq_ignore_ascii_case(name),
                Pattern::Table(table) => table.lookup(&name.to_ascii_lowercase())?.is_some(),
            };
            if matches {
                return Ok(!negated);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_decides() {
        let list = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            NameList::open(&words, &mut Vec::new())
        };
        let has = |words: &str, name: &str| list(words).contains(name).expect("no broken table");
        assert!(has("static:anyone", "alice"));
        assert!(has("!bob static:anyone", "alice") && !has("!bob static:anyone", "BOB"));
        assert!(has("root alice", "alice") && !has("root alice", "bob"));
        assert!(!has("!alice", "bob"), "what no entry names is not in the list");
    }
}
