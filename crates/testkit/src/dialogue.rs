//! Dialogue files: a conversation, line by line, that runs against any [`Peer`](crate::Peer). First `# ` and why the file
//! exists, then `given KEY VALUE`; `C: text` sends a line, `C- text` sends without a line end; `S: pattern` expects the
//! next line, `S* pattern` skips to one that fits; `closed` expects the end, `tls` does a handshake, `@ +30s` (`ms`,
//! `s`, `m`, `h`) lets time pass; `queue|log|mailbox pattern` checks the next such fact (`queue end`: no more).
//! Patterns: [`crate::pattern`].

use crate::pattern::{self, Pattern};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest dialogue file, in octets.
pub const FILE_OCTETS_MAX: usize = 1024 * 1024;
/// The words that begin a line about what the peer has done.
pub const FACTS: [&str; 3] = ["queue", "log", "mailbox"];

/// A dialogue file, read.
#[derive(Debug, Clone)]
pub struct Dialogue {
    /// The file's name, for complaints.
    pub name: String,
    /// Why it exists.
    pub reason: String,
    /// What must hold before it starts, in order.
    pub given: Vec<(String, String)>,
    /// What happens, with line numbers from 1.
    pub steps: Vec<(usize, Step)>,
}

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Send(Pattern),
    /// Expect this as the next line.
    Expect(Pattern),
    /// Expect this after any number of other lines.
    ExpectLater(Pattern),
    /// Expect the end of the connection.
    Closed,
    /// Do a TLS handshake.
    Tls,
    /// Let time pass.
    Pass(Duration),
    /// The next fact of this kind is like this; `None`: there is no more.
    Fact(String, Option<Pattern>),
}

/// Why a file is no dialogue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A line breaks the syntax.
    #[error("{name}:{line}: {what}")]
    Line {
        /// The file.
        name: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The file or directory cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
}

impl Dialogue {
    /// Reads a dialogue from its text.
    ///
    /// # Errors
    /// With file and line of the first mistake.
    pub fn parse(name: &str, text: &str) -> Result<Dialogue, Error> {
        let wrong = |line: usize, what: String| Error::Line {
            name: name.to_owned(),
            line,
            what,
        };
        let reason = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
            .map(str::trim);
        let reason = reason.filter(|r| !r.is_empty() && text.len() <= FILE_OCTETS_MAX);
        let reason =
            reason.ok_or_else(|| wrong(1, "the first line must be `# ` and the reason".to_owned()))?;
        let mut dialogue = Dialogue {
            name: name.to_owned(),
            reason: reason.to_owned(),
            given: Vec::new(),
            steps: Vec::new(),
        };
        for (index, line) in text.lines().enumerate().skip(1) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(given) = line.strip_prefix("given ") {
                if !dialogue.steps.is_empty() {
                    return Err(wrong(
                        index + 1,
                        "`given` comes before anything is said".to_owned(),
                    ));
                }
                let (key, value) = given.trim().split_once(' ').unwrap_or((given.trim(), ""));
                dialogue.given.push((key.to_owned(), value.trim().to_owned()));
                continue;
            }
            let step = step(line).map_err(|what| wrong(index + 1, what))?;
            dialogue.steps.push((index + 1, step));
        }
        Ok(dialogue)
    }

    /// Every file with this extension in `directory`, by name.
    ///
    /// # Errors
    /// When one cannot be read, or is no dialogue; when there is none.
    pub fn all_in(directory: &Path, extension: &str) -> Result<Vec<Dialogue>, Error> {
        let unreadable = |error| Error::Unreadable(directory.to_owned(), error);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|e| e == extension));
        paths.sort();
        if paths.is_empty() {
            return Err(unreadable(std::io::ErrorKind::NotFound.into()));
        }
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).map_err(|e| Error::Unreadable(path.clone(), e))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Dialogue::parse(&name, &text)
        };
        paths.iter().map(read).collect()
    }
}

/// One line that is neither empty, nor a comment, nor a `given`.
fn step(line: &str) -> Result<Step, String> {
    let said = |marker: &str| {
        line.strip_prefix(marker)
            .map(|text| text.strip_prefix(' ').unwrap_or(text))
    };
    let pattern = |text: &str| Pattern::parse(text).map_err(|e: pattern::Error| e.to_string());
    if let Some(text) = said("C:") {
        // The line end is part of what is sent.
        return Ok(Step::Send(pattern(&format!("{text}\\r\\n"))?));
    }
    if let Some(text) = said("C-") {
        return Ok(Step::Send(pattern(text)?));
    }
    if let Some(text) = said("S:") {
        return Ok(Step::Expect(pattern(text)?));
    }
    if let Some(text) = said("S*") {
        return Ok(Step::ExpectLater(pattern(text)?));
    }
    if let Some(time) = line.strip_prefix("@ +") {
        return duration(time.trim())
            .map(Step::Pass)
            .ok_or_else(|| format!("{time:?} is not a time"));
    }
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    match (word, rest) {
        ("closed", "") => Ok(Step::Closed),
        ("tls", "") => Ok(Step::Tls),
        (kind, "end") if FACTS.contains(&kind) => Ok(Step::Fact(kind.to_owned(), None)),
        (kind, text) if FACTS.contains(&kind) => Ok(Step::Fact(kind.to_owned(), Some(pattern(text)?))),
        _ => Err(format!("{word:?} does not begin a line of a dialogue")),
    }
}

/// `30s`, `250ms`, `5m`, `1h`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let text =
            "# Why\ngiven host mx\ngiven empty\nC: NOOP\nC- a\\n\nS: 250 {any}\n\n@ +5m\nclosed\nqueue end\n";
        let dialogue = Dialogue::parse("x.smtp", text).unwrap();
        assert_eq!(dialogue.reason, "Why");
        assert_eq!(
            dialogue.given,
            [("host".into(), "mx".into()), ("empty".into(), "".into())]
        );
        let lines: Vec<usize> = dialogue.steps.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [4, 5, 6, 8, 9, 10]);
        assert_eq!(dialogue.steps[3].1, Step::Pass(Duration::from_secs(300)));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line) in [
            ("C: x", 1),
            ("# w\nfoo", 2),
            ("# w\nS: {odd}", 2),
            ("# w\nC: x\ngiven a b", 3),
            ("# w\n@ +x", 2),
        ] {
            let error = Dialogue::parse("f", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("f:{line}: ")), "{error}");
        }
    }
}
