//! Lists of names as `authorized_mailq_users` and `smtpd_sasl_mechanism_filter` write them: names, tables, `!` before
//! what does not belong; the first entry that matches decides.

use crate::{Error, Tables, Tell};
use settings::TableRef;

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
    pub fn open(words: &[String], problems: &mut Vec<Error>) -> NameList {
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

    /// As [`Tables::tell_warnings`].
    pub fn tell_warnings(&mut self, tell: &Tell) {
        for (_, pattern) in &mut self.entries {
            if let Pattern::Table(table) = pattern {
                table.tell_warnings(tell);
            }
        }
    }

    /// Whether `name` is in the list; names are compared without regard to case.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub fn contains(&self, name: &str) -> Result<bool, Error> {
        for (negated, pattern) in &self.entries {
            let matches = match pattern {
                Pattern::Name(known) => known.eq_ignore_ascii_case(name),
                Pattern::Table(table) => table.has(&name.to_ascii_lowercase())?,
            };
            if matches {
                return Ok(!negated);
            }
        }
        Ok(false)
    }
}

impl NameList {
    /// The login name of the user `uid` when the list of these words does not have it, `unknown` where the system has none.
    /// A list that cannot be asked has nobody.
    pub fn stranger(words: &[String], uid: u32) -> Option<String> {
        // The usual case does not depend on the name service.
        if words == ["static:anyone"] {
            return None;
        }
        let user = os::users::user_by_uid(uid).ok().flatten();
        let name = user.map_or_else(|| "unknown".to_owned(), |user| user.name);
        let is_listed = NameList::open(words, &mut Vec::new())
            .contains(&name)
            .unwrap_or(false);
        (!is_listed).then_some(name)
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

    #[test]
    fn users_are_known_by_name_and_strangers_as_unknown() {
        let stranger = |words: &str, uid| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            NameList::stranger(&words, uid)
        };
        assert_eq!(stranger("root", 0), None);
        assert_eq!(stranger("!root static:anyone", 0).as_deref(), Some("root"));
        assert_eq!(stranger("static:anyone", 4_000_000_000), None);
        assert_eq!(stranger("root", 4_000_000_000).as_deref(), Some("unknown"));
        assert_eq!(
            stranger("!unknown static:all", 4_000_000_000).as_deref(),
            Some("unknown")
        );
        assert_eq!(
            stranger("hash:/no/such/table static:all", 0).as_deref(),
            Some("root")
        );
    }
}
