//! dovecot.conf as a tree: settings and blocks with their places, includes read in, `$name` replaced.
//!
//! One reader for both dialects: they differ in names, not in the shape of lines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Problem, Severity, dovecot_groups, dovecot_obsolete, lossy_text_of};

/// How deep files may include files.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// How deep blocks may lie in blocks.
pub const NESTING_MAX: usize = 16;
/// How many files a pattern may include.
pub const INCLUDED_FILES_MAX: usize = 1_000;

/// File and line.
pub type Place = (String, usize);

/// A setting as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The text, quotes taken off and `$name` replaced; of `<file` the whole path.
    pub text: String,
    /// The text for people: `<file` as it is written.
    pub shown: String,
    /// Where it stands.
    pub place: Place,
}

/// A block as written: `kind name { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `service`, `namespace`, `protocol` …
    pub kind: String,
    /// What follows the kind; may be empty.
    pub name: String,
    /// What is in it, in order.
    pub entries: Vec<Entry>,
    /// Where it begins.
    pub place: Place,
}

/// A setting or a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A setting.
    Setting(Setting),
    /// A block.
    Block(Block),
}

/// A dovecot.conf with everything that it includes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Where it was read from.
    pub path: PathBuf,
    /// `dovecot_config_version`; empty in the 2.3 dialect.
    pub version: String,
    /// What stands at the top level, in order.
    pub entries: Vec<Entry>,
}

impl Tree {
    /// Whether the file is in the 2.4 dialect.
    pub fn is_newer_dialect(&self) -> bool {
        !self.version.is_empty()
    }
}

/// Reads a dovecot.conf and what it includes.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Tree {
    let mut reader = Reader {
        open: vec![Open::root()],
        problems,
    };
    match lossy_text_of(path) {
        Ok(text) => {
            let shown = path.file_name().map_or_else(
                || path.display().to_string(),
                |n| n.to_string_lossy().into_owned(),
            );
            reader.file(path, &shown, &text, 0);
        }
        Err(error) => {
            reader.problems.push(Problem::new(
                Severity::Error,
                ("dovecot.conf", 0),
                "",
                error.to_string(),
            ));
        }
    }
    let entries = reader.finish();
    let version = entries.iter().find_map(|entry| match entry {
        Entry::Setting(setting) if setting.name == "dovecot_config_version" => Some(setting.text.clone()),
        _ => None,
    });
    let entries = match &version {
        Some(_) => dovecot_groups::flattened(entries, problems),
        None => dovecot_obsolete::renewed(entries, problems),
    };
    let entries = with_addresses(entries, problems);
    Tree {
        path: path.to_owned(),
        version: version.unwrap_or_default(),
        entries,
    }
}

/// Host names of `local` and `remote` blocks replaced by their addresses, as Dovecot does when it reads them.
fn with_addresses(mut entries: Vec<Entry>, problems: &mut Vec<Problem>) -> Vec<Entry> {
    for entry in &mut entries {
        let Entry::Block(block) = entry else { continue };
        if matches!(block.kind.as_str(), "local" | "remote") {
            let words = settings::kinds::words(&block.name);
            let words: Vec<String> = words
                .iter()
                .map(|word| addresses_of(word, block, problems))
                .collect();
            block.name = words.join(" ");
        }
        if dovecot_groups::is_filter(&block.kind) {
            block.entries = with_addresses(std::mem::take(&mut block.entries), problems);
        }
    }
    entries
}

/// The addresses of a name; an address, a network or what cannot be found stays.
fn addresses_of(word: &str, block: &Block, problems: &mut Vec<Problem>) -> String {
    use std::net::ToSocketAddrs;
    let is_name = !word.contains(['/', ':', '[']) && word.contains(|c: char| c.is_ascii_alphabetic());
    if !is_name {
        return word.to_owned();
    }
    match (word, 0).to_socket_addrs() {
        Ok(found) => {
            let mut list: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            list.dedup();
            list.join(" ")
        }
        Err(_) => {
            let place = (block.place.0.as_str(), block.place.1);
            let what = format!("the host name {word} has no address");
            problems.push(Problem::new(Severity::Error, place, &block.kind, what));
            // An address that nobody has: the block applies to nobody.
            "0.0.0.0/32".to_owned()
        }
    }
}

/// A block that is being read.
struct Open {
    block: Block,
    values: BTreeMap<String, String>,
    include_depth: usize,
}

impl Open {
    fn root() -> Open {
        let block = Block {
            kind: String::new(),
            name: String::new(),
            entries: Vec::new(),
            place: (String::new(), 0),
        };
        Open {
            block,
            values: BTreeMap::new(),
            include_depth: 0,
        }
    }
}

struct Reader<'p> {
    open: Vec<Open>,
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, shown: &str, text: &str, depth: usize) {
        let mut joined = String::new();
        let mut start = 0;
        for (number, line) in text.lines().enumerate() {
            if joined.is_empty() {
                start = number + 1;
            }
            let line = line.trim_start_matches('\u{feff}').trim_end();
            let comment = line.trim_start().starts_with('#');
            let line = if joined.is_empty() {
                line
            } else {
                line.trim_start()
            };
            match line.strip_suffix('\\').filter(|_| !comment) {
                Some(part) => {
                    joined.push_str(part.trim_end());
                    joined.push(' ');
                    continue;
                }
                None => joined.push_str(line),
            }
            let whole = std::mem::take(&mut joined);
            self.line(path, (shown, start), whole.trim(), depth);
        }
        if !joined.is_empty() {
            self.line(path, (shown, start), joined.trim(), depth);
        }
        while self.open.len() > 1 && self.open.last().is_some_and(|open| open.include_depth == depth) {
            let Some(open) = self.open.last() else { break };
            let what = "the closing } of this block is missing";
            let place = (open.block.place.0.as_str(), open.block.place.1);
            self.problems
                .push(Problem::new(Severity::Error, place, &open.block.kind, what));
            self.close();
        }
    }

    fn line(&mut self, path: &Path, place: (&str, usize), line: &str, depth: usize) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if let Some(rest) = line.strip_prefix('!') {
            return self.include(path, place, rest, depth);
        }
        let bare = without_comment(line);
        if bare == "}" {
            if self.open.len() == 1 {
                self.complain(place, "", "there is no block that this } could close");
            } else {
                self.close();
            }
            return;
        }
        match parts(bare) {
            Parts::Setting(name, text) => self.setting(place, name, text, path),
            Parts::Block(kind, name) => self.begin(place, kind, &name, depth),
            Parts::OneLine(kind, name, inner) => {
                self.begin(place, kind, &name, depth);
                if !inner.is_empty() {
                    self.line(path, place, inner, depth);
                }
                self.close();
            }
            Parts::Neither => {
                let what = format!("\"{bare}\" is neither name = value nor the beginning of a block");
                self.complain(place, "", &what);
            }
        }
    }

    fn complain(&mut self, place: (&str, usize), name: &str, what: &str) {
        self.problems
            .push(Problem::new(Severity::Error, place, name, what));
    }

    fn setting(&mut self, place: (&str, usize), name: &str, text: &str, path: &Path) {
        let written = text;
        let text = match unquoted(text) {
            Some(literal) => literal,
            None => match text.strip_prefix('<') {
                Some(file) => format!("<{}", beside(path, file.trim()).display()),
                None => self.with_values(text),
            },
        };
        let shown = match text.starts_with('<') {
            true => written.to_owned(),
            false => text.clone(),
        };
        let setting = Setting {
            name: name.to_owned(),
            text,
            shown,
            place: (place.0.to_owned(), place.1),
        };
        if let Some(open) = self.open.last_mut() {
            open.values.insert(setting.name.clone(), setting.text.clone());
            open.block.entries.push(Entry::Setting(setting));
        }
    }

    /// `$name` (2.3) and `$SET:name`, `$ENV:name` (2.4) at the beginning of a word.
    fn with_values(&self, text: &str) -> String {
        let mut out = String::new();
        for (number, word) in text.split(' ').enumerate() {
            if number > 0 {
                out.push(' ');
            }
            let name = word.strip_prefix("$SET:").or_else(|| word.strip_prefix('$'));
            let value = match (word.strip_prefix("$ENV:"), name) {
                (Some(variable), _) => std::env::var(variable).ok(),
                (None, Some(name)) => self
                    .open
                    .iter()
                    .rev()
                    .find_map(|open| open.values.get(name).cloned()),
                (None, None) => None,
            };
            match (value, name) {
                (Some(value), _) => out.push_str(&value),
                // A known setting that is not set before has its default.
                (None, Some(name)) if settings::params::dovecot(name).is_some() => {
                    out.push_str(settings::params::dovecot(name).map_or("", |parameter| parameter.default));
                }
                _ => out.push_str(word),
            }
        }
        out
    }

    fn begin(&mut self, place: (&str, usize), kind: &str, name: &str, depth: usize) {
        if self.open.len() > NESTING_MAX {
            self.complain(place, kind, "blocks lie too deep in each other");
        }
        let block = Block {
            kind: kind.to_owned(),
            name: name.to_owned(),
            entries: Vec::new(),
            place: (place.0.to_owned(), place.1),
        };
        self.open.push(Open {
            block,
            values: BTreeMap::new(),
            include_depth: depth,
        });
    }

    fn close(&mut self) {
        if let Some(done) = self.open.pop()
            && let Some(outer) = self.open.last_mut()
        {
            outer.block.entries.push(Entry::Block(done.block));
        }
    }

    fn finish(mut self) -> Vec<Entry> {
        while self.open.len() > 1 {
            self.close();
        }
        self.open.pop().map(|root| root.block.entries).unwrap_or_default()
    }

    fn include(&mut self, path: &Path, place: (&str, usize), rest: &str, depth: usize) {
        let (word, file) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let optional = match word {
            "include" => false,
            "include_try" => true,
            _ => {
                return self.complain(
                    place,
                    "",
                    &format!("\"!{word}\" is not known: write !include or !include_try"),
                );
            }
        };
        if depth >= INCLUDE_DEPTH_MAX {
            return self.complain(place, "!include", "files include each other too deeply");
        }
        let pattern = beside(path, file.trim());
        let files = matching(&pattern);
        if files.is_empty() && !optional {
            return self.complain(
                place,
                "!include",
                &format!("no file matches {}", pattern.display()),
            );
        }
        for file in files {
            match lossy_text_of(&file) {
                Ok(text) => self.file(&file, &file.display().to_string(), &text, depth + 1),
                Err(crate::Error::Read { .. }) if optional => {}
                Err(error) => self.complain(place, "!include", &error.to_string()),
            }
        }
    }
}

/// A path relative to the file that names it.
fn beside(path: &Path, file: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(file)
}

/// The files that a path with `*` and `?` names, sorted; a plain path names itself when it is there.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy();
        if !part.contains(['*', '?']) {
            for path in &mut found {
                path.push(&*part);
            }
            continue;
        }
        let mut next = Vec::new();
        for path in found {
            let dir = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path.as_path()
            };
            let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
            next.extend(names.filter(|name| glob(&part, name)).map(|name| path.join(name)));
        }
        next.sort();
        next.truncate(INCLUDED_FILES_MAX);
        found = next;
    }
    found.retain(|path| path.exists());
    found
}

fn glob(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

enum Parts<'t> {
    Setting(&'t str, &'t str),
    Block(&'t str, String),
    OneLine(&'t str, String, &'t str),
    Neither,
}

fn parts(line: &str) -> Parts<'_> {
    let name_end = line
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '{'))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    let rest = rest.trim_start();
    if let Some(text) = rest.strip_prefix('=') {
        return if name.is_empty() {
            Parts::Neither
        } else {
            Parts::Setting(name, text.trim())
        };
    }
    if name.is_empty() {
        return Parts::Neither;
    }
    if let Some(title) = rest.strip_suffix('{') {
        return Parts::Block(name, title_of(title));
    }
    // `mailbox Drafts { auto = create }`, which 2.4 allows.
    match rest
        .split_once('{')
        .and_then(|(title, inner)| Some((title, inner.strip_suffix('}')?)))
    {
        Some((title, inner)) => Parts::OneLine(name, title_of(title), inner.trim()),
        None => Parts::Neither,
    }
}

fn title_of(title: &str) -> String {
    let title = title.trim();
    unquoted(title).unwrap_or_else(|| title.to_owned())
}

/// The text inside `"…"` or `'…'`; a backslash keeps the next character.
fn unquoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    Some(out)
}

/// The line up to a `#` that follows white space and is not in quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') if before.is_ascii_whitespace() || before == '=' => quote = Some(c),
            (None, '#') if before.is_ascii_whitespace() => return line[..at].trim_end(),
            _ => {}
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_names() {
        assert!(glob("*.conf", "10-mail.conf") && glob("a?c*", "abcd") && glob("*", "x"));
        assert!(!glob("*.conf", ".x.conf") && !glob("a?", "a") && !glob("*.conf", "conf"));
    }

    #[test]
    fn comments_and_quotes() {
        assert_eq!(without_comment("a = b # c"), "a = b");
        assert_eq!(without_comment("a = b#c"), "a = b#c");
        assert_eq!(without_comment("a = \"b # c\" # d"), "a = \"b # c\"");
        assert_eq!(unquoted(r#""a \"b\" \\c""#).as_deref(), Some(r#"a "b" \c"#));
    }
}
