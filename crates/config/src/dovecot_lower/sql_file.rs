//! The file that `args` of a 2.3 `sql` block names (`dovecot-sql.conf.ext`): `key = value` lines, no blocks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::lossy_text_of;

/// What the file may say, with 2.3's defaults.
const KEYS: &[(&str, &str)] = &[
    ("driver", ""),
    ("connect", ""),
    ("default_pass_scheme", "MD5"),
    (
        "password_query",
        "SELECT username, domain, password FROM users WHERE username = '%n' AND domain = '%d'",
    ),
    (
        "user_query",
        "SELECT home, uid, gid FROM users WHERE username = '%n' AND domain = '%d'",
    ),
    ("iterate_query", "SELECT username, domain FROM users"),
    ("update_query", ""),
    ("userdb_warning_disable", "no"),
];

/// A line of the file that cannot be used: its number (0: the whole file), and what is wrong.
pub(super) type Wrong = (usize, String);

/// The settings of the file, defaults filled in.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, Vec<Wrong>> {
    let text = lossy_text_of(path).map_err(|error| vec![(0, error.to_string())])?;
    parse(&text)
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, Vec<Wrong>> {
    let mut found: BTreeMap<String, String> = KEYS
        .iter()
        .map(|(key, default)| ((*key).to_owned(), (*default).to_owned()))
        .collect();
    let mut wrong = Vec::new();
    for (number, line) in whole_lines(text) {
        let Some((key, value)) = line.split_once('=') else {
            wrong.push((number, format!("\"{line}\" is not KEY = VALUE")));
            continue;
        };
        let key = key.trim();
        match found.get_mut(key) {
            Some(kept) => unquoted(value.trim()).clone_into(kept),
            None => {
                let known: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
                wrong.push((
                    number,
                    format!("there is no setting {key}: write one of {}", known.join(", ")),
                ));
            }
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// Lines without comments and empty ones, a line that ends in a backslash joined with the next by a space.
fn whole_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') || (line.is_empty() && !goes_on) {
            continue;
        }
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line.trim_end(), true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, last)) if goes_on => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push((at + 1, line.to_owned())),
        }
        goes_on = more;
    }
    lines
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        // `'%n' = 'x'` begins and ends with quotes that are not a pair.
        if let Some(inner) = inner
            && !inner.contains(quote)
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_over_several_lines() {
        let text = "# where\ndriver = sqlite\nconnect = \"/var/lib/u.sqlite\"\n\
                    password_query = SELECT userid AS user, password \\\n  # why\n  FROM users \\\n  WHERE userid = '%u'\n\n";
        let found = parse(text).unwrap();
        assert_eq!(found["connect"], "/var/lib/u.sqlite");
        assert_eq!(
            found["password_query"],
            "SELECT userid AS user, password FROM users WHERE userid = '%u'"
        );
        assert_eq!(found["default_pass_scheme"], "MD5");
        let wrong = parse("driver = sqlite\npasword_query = x\nnonsense\n").unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].0 == 2 && wrong[0].1.starts_with("there is no setting pasword_query"));
    }
}
