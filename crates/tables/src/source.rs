//! Text sources of tables: logical lines, `key value` maps (postmap(1)) and `name: value` aliases (postalias(1)).

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// The largest text source, in bytes.
pub const SOURCE_BYTES_MAX: u64 = 1 << 30;

/// How a warning ends that Postfix ends so.
pub(crate) const IGNORED: &str = " -- ignoring this line";

/// Which of the two syntaxes a source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `key white-space value`
    Map,
    /// `name: value, value`
    Aliases,
}

/// One entry of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line it begins on, from 1.
    pub line: usize,
    /// The key, folded to lower case where asked for.
    pub key: String,
    /// The value on one line.
    pub value: String,
}

/// The entries of a source, and what was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries {
    /// The good ones in order.
    pub entries: Vec<Entry>,
    /// `line N: …` for each bad one.
    pub warnings: Vec<(usize, String)>,
}

/// Reads a whole source.
///
/// # Errors
/// [`Error::Open`].
pub fn read(path: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| Error::Open {
        file: path.display().to_string(),
        cause: os::words(&error),
    };
    let file = crate::files::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(SOURCE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > SOURCE_BYTES_MAX {
        return Err(failed(std::io::Error::other("the file is too large")));
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// White space as Postfix sees it, whatever the locale.
const BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];

/// How much of a line a warning shows, in characters.
const SHOWN: usize = 30;

/// The logical lines of a text: comments and empty lines are left out, a line that begins with white space
/// continues the one before. Each with the number of its first line. What begins with white space and continues nothing is
/// left out.
pub fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let lines = LogicalLines::of(text).filter(|(_, line)| !line.starts_with(BLANKS));
    lines.map(|(number, line)| (number, line.into_owned())).collect()
}

/// What is wrong with a text's first line, where it begins with white space: it continues nothing. All others continue a line.
pub(crate) fn stray_line(text: &str) -> Option<String> {
    let (_, line) = LogicalLines::of(text).next()?;
    line.starts_with(BLANKS).then(|| stray_text(&line))
}

fn stray_text(line: &str) -> String {
    let shown: String = line.chars().take(SHOWN).collect();
    let end = if shown.len() < line.len() { "..." } else { "" };
    format!("logical line must not start with whitespace: \"{shown}{end}\"")
}

/// A warning as Postfix says it of a line of a file.
pub(crate) fn of_line(file: impl std::fmt::Display, line: usize, warning: &str) -> String {
    match warning.starts_with("logical line ") {
        true => format!("{file}: {warning}"),
        false => format!("{file}, line {line}: {warning}"),
    }
}

/// As [`logical_lines`], one after the other; only those that are continued are copied. What continues nothing is among them.
struct LogicalLines<'t> {
    physical: std::iter::Enumerate<std::str::Split<'t, char>>,
    /// The line that may be continued yet.
    begun: Option<(usize, Cow<'t, str>)>,
}

impl<'t> LogicalLines<'t> {
    fn of(text: &'t str) -> LogicalLines<'t> {
        LogicalLines {
            physical: text.split('\n').enumerate(),
            begun: None,
        }
    }
}

impl<'t> Iterator for LogicalLines<'t> {
    type Item = (usize, Cow<'t, str>);

    fn next(&mut self) -> Option<Self::Item> {
        for (number, line) in self.physical.by_ref() {
            let content = line.trim_start_matches(BLANKS);
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            match &mut self.begun {
                Some((_, before)) if content.len() < line.len() => before.to_mut().push_str(line),
                begun => {
                    if let Some(whole) = begun.replace((number + 1, Cow::Borrowed(line))) {
                        return Some(trimmed(whole));
                    }
                }
            }
        }
        self.begun.take().map(trimmed)
    }
}

/// Without white space at its end.
fn trimmed<'t>((number, line): (usize, Cow<'t, str>)) -> (usize, Cow<'t, str>) {
    match line {
        Cow::Borrowed(line) => (number, Cow::Borrowed(line.trim_end_matches(BLANKS))),
        Cow::Owned(mut line) => {
            line.truncate(line.trim_end_matches(BLANKS).len());
            (number, Cow::Owned(line))
        }
    }
}

/// The entries of a text.
pub fn parse(text: &str, syntax: Syntax, folds: bool) -> Entries {
    let mut found = Entries::default();
    for (line, content) in LogicalLines::of(text) {
        // To Postfix a line ends before a zero octet.
        let content = content.split('\0').next().unwrap_or_default();
        let parsed = match syntax {
            _ if content.starts_with(BLANKS) => Err(stray_text(content)),
            // What was no UTF-8 in the file.
            _ if content.contains(char::REPLACEMENT_CHARACTER) => {
                let shown = content.replace(char::REPLACEMENT_CHARACTER, "?");
                Err(format!("non-UTF-8 input \"{shown}\"{IGNORED}"))
            }
            Syntax::Map => map_entry(content),
            Syntax::Aliases => alias_entry(content).map_err(str::to_owned),
        };
        match parsed {
            Ok((key, value)) => {
                let key = if folds { key.to_lowercase() } else { key };
                found.entries.push(Entry { line, key, value });
            }
            Err(warning) => found.warnings.push((line, warning)),
        }
    }
    found
}

/// `key value`; the key may be in double quotes only as part of itself, as postmap(1) sees it.
fn map_entry(line: &str) -> Result<(String, String), String> {
    const WANTED: &str = "expected format: key whitespace value";
    let line = line.trim_start_matches(BLANKS);
    let (key, value) = split_key(line)?.ok_or(WANTED)?;
    let value = value.trim_matches(BLANKS);
    if value.is_empty() {
        Err(WANTED.to_owned())
    } else {
        Ok((key.to_owned(), value.to_owned()))
    }
}

/// The key ends at the first white space that is not within double quotes; `None` when there is none.
fn split_key(line: &str) -> Result<Option<(&str, &str)>, String> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if BLANKS.contains(&c) && !is_quoted => return Ok(Some((&line[..at], &line[at..]))),
            _ => {}
        }
    }
    match is_quoted {
        true => Err(format!("unbalanced '\"' in '{line}'{IGNORED}")),
        false => Ok(None),
    }
}

/// `name: value`; the name may be quoted, and is local.
fn alias_entry(line: &str) -> Result<(String, String), &'static str> {
    const WANTED: &str = "need name:value pair";
    let line = line.trim_start_matches(BLANKS);
    let (name, value) = match line.strip_prefix('"') {
        Some(rest) => {
            let (name, after) = unquote(rest).ok_or(WANTED)?;
            (
                name,
                after.trim_start_matches(BLANKS).strip_prefix(':').ok_or(WANTED)?,
            )
        }
        None => {
            let (name, value) = line.split_once(':').ok_or(WANTED)?;
            (name.trim_end_matches(BLANKS).to_owned(), value)
        }
    };
    let value = value.trim_matches(BLANKS);
    if name.is_empty() || value.is_empty() {
        return Err(WANTED);
    }
    if name.contains('@') {
        return Err("name must be local");
    }
    Ok((name, one_line(value)))
}

/// The text up to the closing quote, unescaped, and what follows it.
pub(crate) fn unquote(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => out.push(chars.next()?.1),
            c => out.push(c),
        }
    }
    None
}

/// A list of targets with `, ` between them; what is within quotes stays as it is.
fn one_line(value: &str) -> String {
    let targets = crate::aliases::split(value);
    targets.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, String)>;

    fn pairs(text: &str, syntax: Syntax) -> (Pairs, Vec<(usize, String)>) {
        let found = parse(text, syntax, true);
        (
            found
                .entries
                .into_iter()
                .map(|entry| (entry.key, entry.value))
                .collect(),
            found.warnings,
        )
    }

    /// What Debian's postmap 3.7 makes of the same text.
    #[test]
    fn maps() {
        let text = "# c\nkey value one\nOther\ttwo\n  continued\nkeyonly\n\"quo ted\" x\n";
        let (found, warnings) = pairs(text, Syntax::Map);
        let expected = [
            ("key", "value one"),
            ("other", "two  continued"),
            ("\"quo ted\"", "x"),
        ];
        assert_eq!(
            found,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert_eq!(
            warnings,
            [(5, "expected format: key whitespace value".to_owned())]
        );
    }

    /// What Debian's postalias 3.7 makes of the same text.
    #[test]
    fn aliases() {
        let text = "# comment\npostmaster: root\ndaemon:\troot\n , bin\n\"quoted name\": bob\nMixedCase: Foo\n\
                    incl: :include:/tmp/x\npipe: \"|/bin/cat > /dev/null\", /var/mail/file, user@dom\nempty:\nnoline\n\
                    a@b.c: x\nj : spaced\n";
        let (found, warnings) = pairs(text, Syntax::Aliases);
        let expected = [
            ("postmaster", "root"),
            ("daemon", "root, bin"),
            ("quoted name", "bob"),
            ("mixedcase", "Foo"),
            ("incl", ":include:/tmp/x"),
            ("pipe", "\"|/bin/cat > /dev/null\", /var/mail/file, user@dom"),
            ("j", "spaced"),
        ];
        assert_eq!(
            found,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        let wanted = "need name:value pair".to_owned();
        assert_eq!(
            warnings,
            [
                (9, wanted.clone()),
                (10, wanted),
                (11, "name must be local".to_owned())
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[a: \t\n\"\\\\#,|/é]{0,80}") {
            parse(&text, Syntax::Map, true);
            parse(&text, Syntax::Aliases, true);
        }
    }
}
