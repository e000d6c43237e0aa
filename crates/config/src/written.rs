//! Where in main.cf and in master.cf's smtpd rows something is written, for whoever explains a decision: the files are read once more, since
//! settings do not keep their lines.

use std::path::{Path, PathBuf};

use crate::lines::{LogicalLine, logical_lines};
use crate::{lossy_text_of, master_cf};

/// How deep settings are followed that stand for others (`$name`).
const REFERENCES_MAX: usize = 4;

/// The settings of main.cf, and those of master.cf's rows.
#[derive(Debug, Clone, Default)]
pub struct Written {
    texts: Vec<Text>,
}

/// A setting as it is written.
#[derive(Debug, Clone)]
struct Text {
    file: PathBuf,
    /// The smtpd row of master.cf whose `-o` it is; `None`: main.cf.
    service: Option<String>,
    name: String,
    line: LogicalLine,
    /// Its value in the text of the line, in octets.
    value: std::ops::Range<usize>,
}

impl Text {
    fn value(&self) -> &str {
        &self.line.text[self.value.clone()]
    }

    /// `FILE:LINE` of an offset of the value.
    fn place(&self, offset: usize) -> String {
        let line = self.line.line_at(self.value.start + offset);
        format!("{}:{line}", self.file.display())
    }
}

/// What of a table is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// The table.
    Whole,
    /// The item with this key of `inline:{ … }`.
    Key(&'a str),
    /// The item of this number, from 1, of `regexp:{ … }` and its kin.
    Item(usize),
}

impl Written {
    /// Reads the files of a configuration; what cannot be read says nothing.
    pub fn read(directory: &Path) -> Written {
        let main = directory.join("main.cf");
        let master = directory.join("master.cf");
        let mut written = Written::default();
        if let Ok(text) = lossy_text_of(&main) {
            let lines = logical_lines(&text, "main.cf", &mut Vec::new());
            written
                .texts
                .extend(lines.into_iter().filter_map(|line| of_main(&main, line)));
        }
        if let Ok(text) = lossy_text_of(&master) {
            for line in logical_lines(&text, "master.cf", &mut Vec::new()) {
                written.texts.extend(of_master(&master, &line));
            }
        }
        written
    }

    /// The text that holds for a service: the row's own, or main.cf's; `None` where it is the default.
    fn text(&self, service: &str, name: &str) -> Option<&Text> {
        let of = |service: Option<&str>| {
            let mut texts = self.texts.iter().rev();
            texts.find(|text| text.name == name && text.service.as_deref() == service)
        };
        of(Some(service)).or_else(|| of(None))
    }

    /// Where `words` stand one behind the other in a setting of a service: all of them, else the first one, else the last one, in it or
    /// in a setting that it names by `$name`; else where the setting stands. `None` where the default holds.
    pub fn place_of_words(&self, service: &str, name: &str, words: &[&str]) -> Option<String> {
        let own = self.text(service, name)?;
        let (first, last) = (words.get(..1)?, &words[words.len() - 1..]);
        let found = [words, first, last]
            .into_iter()
            .find_map(|words| self.find_in(service, own, words, 0));
        Some(found.unwrap_or_else(|| own.place(0)))
    }

    fn find_in(&self, service: &str, text: &Text, words: &[&str], depth: usize) -> Option<String> {
        if let Some(at) = find_words(text.value(), words) {
            return Some(text.place(at));
        }
        let mut others = references(text.value()).filter(|_| depth < REFERENCES_MAX);
        others.find_map(|name| self.find_in(service, self.text(service, name)?, words, depth + 1))
    }

    /// Where a table is written out, as its text: in a setting of the service, or of main.cf.
    pub fn place_of_table(&self, service: &str, table: &str, part: Part<'_>) -> Option<String> {
        let of = |of: Option<&str>| {
            let mut texts = self
                .texts
                .iter()
                .rev()
                .filter(|text| text.service.as_deref() == of);
            texts.find_map(|text| Some((text, text.value().find(table)?)))
        };
        let (text, at) = of(Some(service)).or_else(|| of(None))?;
        let within = match part {
            Part::Whole => None,
            Part::Key(key) => key_at(table, key),
            Part::Item(number) => item_at(table, number),
        };
        Some(text.place(at + within.unwrap_or(0)))
    }
}

fn of_main(file: &Path, line: LogicalLine) -> Option<Text> {
    let equals = line.text.find('=')?;
    let name = line.text[..equals].trim().to_owned();
    let value = value_behind(&line.text, equals)..line.text.len();
    Some(Text {
        file: file.to_owned(),
        service: None,
        name,
        line,
        value,
    })
}

/// Where the value behind an equals sign begins.
fn value_behind(text: &str, equals: usize) -> usize {
    let rest = &text[equals + 1..];
    equals + 1 + (rest.len() - rest.trim_start().len())
}

/// The `-o` settings of a row.
fn of_master(file: &Path, line: &LogicalLine) -> Vec<Text> {
    let Some(row) = master_cf::row(line, &mut Vec::new()) else {
        return Vec::new();
    };
    let overrides = row.overrides.into_iter().filter(|_| row.command == "smtpd");
    let text = overrides.filter_map(|(name, value, _)| {
        let mut names = line.text.match_indices(name.as_str());
        let start = names.find_map(|(at, _)| {
            let behind = &line.text[at + name.len()..];
            let equals = line.text.len() - behind.trim_start().len();
            let start = line.text[equals..]
                .starts_with('=')
                .then(|| value_behind(&line.text, equals))?;
            line.text[start..].starts_with(value.as_str()).then_some(start)
        })?;
        Some(Text {
            file: file.to_owned(),
            service: Some(row.name.clone()),
            name,
            line: line.clone(),
            value: start..start + value.len(),
        })
    });
    text.collect()
}

/// Whether a word may begin or end beside this.
fn is_apart(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, ',' | '{' | '}')
}

/// Where words stand one behind the other in a list; the case of the first one does not matter.
fn find_words(text: &str, words: &[&str]) -> Option<usize> {
    let (first, rest) = words.split_first()?;
    let lower = text.to_ascii_lowercase();
    let first = first.to_ascii_lowercase();
    let starts = lower.match_indices(first.as_str()).map(|(at, _)| at);
    let mut starts = starts.filter(|at| {
        let end = &text[at + first.len()..];
        text[..*at].chars().next_back().is_none_or(is_apart) && end.chars().next().is_none_or(is_apart)
    });
    starts.find(|at| {
        let mut behind = &text[at + first.len()..];
        rest.iter().all(|word| {
            behind = behind.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
            match behind.strip_prefix(word) {
                Some(left) => {
                    behind = left;
                    true
                }
                None => false,
            }
        })
    })
}

/// The names of other settings in a text: `$name`, `${name…}`, `$(name)`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|behind| {
        let behind = behind.trim_start_matches(['{', '(']);
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &behind[..end.unwrap_or(behind.len())];
        (!name.is_empty()).then_some(name)
    })
}

/// Where a key of `inline:{ … }` stands.
fn key_at(table: &str, key: &str) -> Option<usize> {
    let lower = table.to_ascii_lowercase();
    let key = key.to_ascii_lowercase();
    let mut found = lower.match_indices(key.as_str()).map(|(at, _)| at);
    found.find(|at| {
        let before = lower[..*at].chars().next_back();
        let behind = lower[at + key.len()..].trim_start();
        before.is_some_and(is_apart) && behind.starts_with('=')
    })
}

/// Where the item of this number in `regexp:{ {…} {…} }` begins.
fn item_at(table: &str, number: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut items = table.char_indices().filter_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (c == '{' && depth == 2).then_some(at)
    });
    items.nth(number.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "\
mynetworks = 127.0.0.0/8
class = permit_mynetworks,
  reject_unknown_client_hostname
blocked = check_client_access
  inline:{
    { a.test = REJECT }
    { b.test = REJECT } }
smtpd_client_restrictions =
  permit_mynetworks
  # not this
  Check_Client_Access hash:/one
  check_client_access hash:/two,
  $blocked,
  class
";
    const MASTER: &str = "\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o { smtpd_client_restrictions = permit_sasl_authenticated,
       check_client_access pcre:{ {/x/ OK},
         {/y/ REJECT} }, reject }
  -o mynetworks=192.0.2.0/24
";

    #[test]
    fn places_are_found() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in [("main.cf", MAIN), ("master.cf", MASTER)] {
            std::fs::write(directory.path().join(name), text).expect("written");
        }
        let written = Written::read(directory.path());
        let shown = |place: Option<String>| {
            let place = place?;
            let (_, name) = place.rsplit_once('/')?;
            Some(name.to_owned())
        };
        let words = |service: &str, name: &str, words: &[&str]| {
            shown(written.place_of_words(service, name, words)).unwrap_or_default()
        };
        let list = "smtpd_client_restrictions";
        assert_eq!(
            words("smtp", list, &["check_client_access", "hash:/two"]),
            "main.cf:12"
        );
        assert_eq!(
            words("smtp", list, &["check_client_access", "hash:/one"]),
            "main.cf:11"
        );
        assert_eq!(words("smtp", list, &["permit_mynetworks"]), "main.cf:9");
        assert_eq!(words("smtp", list, &["class"]), "main.cf:14");
        assert_eq!(
            words("smtp", "class", &["reject_unknown_client_hostname"]),
            "main.cf:3"
        );
        let inline = "inline:{    { a.test = REJECT }    { b.test = REJECT } }";
        assert_eq!(words("smtp", list, &["check_client_access", inline]), "main.cf:4");
        assert_eq!(words("submission", list, &["reject"]), "master.cf:5");
        assert_eq!(words("submission", "mynetworks", &["x"]), "master.cf:6");
        assert_eq!(words("smtp", "mynetworks", &["x"]), "main.cf:1");
        assert_eq!(words("smtp", "relay_domains", &["x"]), "");
        let table = |service: &str, table: &str, part| {
            shown(written.place_of_table(service, table, part)).unwrap_or_default()
        };
        assert_eq!(table("smtp", inline, Part::Whole), "main.cf:5");
        assert_eq!(table("smtp", inline, Part::Key("B.test")), "main.cf:7");
        let patterns = "pcre:{ {/x/ OK},         {/y/ REJECT} }";
        assert_eq!(table("submission", patterns, Part::Item(2)), "master.cf:5");
        assert_eq!(table("submission", patterns, Part::Item(1)), "master.cf:4");
        assert_eq!(table("smtp", patterns, Part::Whole), "");
    }
}
