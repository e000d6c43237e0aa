//! The files of cases; `README.md` in `scenarios/imap/` and `scenarios/pop3/` says how they are written.

use std::path::Path;

use super::Protocol;

/// A file of cases.
pub(super) struct File {
    /// Lines of dovecot.conf.
    pub(super) dovecot_conf: String,
    /// In order.
    pub(super) cases: Vec<Case>,
}

/// A case.
pub(super) struct Case {
    /// `file/name`.
    pub(super) name: String,
    /// Folder, and the letter in it with its flags.
    pub(super) mail: Vec<(String, Option<(String, String)>)>,
    /// Further files, by path below the home, that are there before.
    pub(super) files: Vec<(String, String)>,
    /// Whether INBOX is a file (`~/inbox.mbox`).
    pub(super) is_mbox: bool,
    /// What is spoken.
    pub(super) protocol: Protocol,
    /// What happens.
    pub(super) steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A client says a line: its digit or `o`, how, and the line.
    Says(char, Say, String),
    /// Another program puts a letter into a folder.
    Delivers { folder: String, letter: String },
    /// Another program removes the N-th file, by name, of a folder.
    Removes { folder: String, number: usize },
    /// A client is gone without a word.
    HangsUp(char),
    /// What the server logged of the end of the next session that ended.
    Logs,
    /// The flags of the messages of a Maildir, as their files' names have them.
    Shows { folder: String },
}

/// How a line is said, and what is read then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// With a tag; until its answer.
    Command,
    /// What follows a literal.
    Continued,
    /// Without a tag; one line.
    Bare,
    /// Nothing; that many lines.
    Nothing,
}

/// All files, by name.
pub(super) fn read(protocol: Protocol) -> Vec<File> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let directory = directory.join(protocol.name());
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cases"));
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| file(protocol, path)).collect()
}

fn file(protocol: Protocol, path: &Path) -> File {
    let text = format!("\n{}", std::fs::read_to_string(path).unwrap());
    let subject = path.file_stem().unwrap().to_string_lossy();
    let mut parts = text.split("\n== ");
    let head = parts.next().unwrap();
    let conf = head.lines().filter(|line| !line.starts_with('#'));
    let dovecot_conf: String = conf.map(|line| format!("{line}\n")).collect();
    let is_mbox = dovecot_conf.contains("mail_location = mbox:");
    let cases = parts.map(|part| Case {
        is_mbox,
        ..case(protocol, &subject, part)
    });
    File {
        cases: cases.collect(),
        dovecot_conf,
    }
}

fn case(protocol: Protocol, subject: &str, text: &str) -> Case {
    let (name, rest) = text.split_once('\n').unwrap();
    let mut case = Case {
        name: format!("{subject}/{}", name.trim()),
        mail: Vec::new(),
        files: Vec::new(),
        is_mbox: false,
        protocol,
        steps: Vec::new(),
    };
    for line in rest
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split(' ').collect();
        let owned = |at: usize| words[at].to_owned();
        match words.as_slice() {
            ["mail", folder, letter] => case.give(folder, letter, ""),
            ["mail", folder, letter, flags] => case.give(folder, letter, flags),
            ["folder", _] => case.mail.push((owned(1), None)),
            ["file", _] => case.files.push((owned(1), String::new())),
            ["+", ..] => {
                let (_, content) = case.files.last_mut().expect("a file is named before");
                content.push_str(line.strip_prefix("+ ").unwrap_or_default());
                content.push('\n');
            }
            ["log"] => case.steps.push(Step::Logs),
            ["show", _] => case.steps.push(Step::Shows { folder: owned(1) }),
            ["x"] => case.steps.push(Step::HangsUp('1')),
            [word] if word.len() == 2 && word.ends_with('x') => {
                case.steps.extend(word.chars().next().map(Step::HangsUp));
            }
            ["deliver", _, _] => case.steps.push(Step::Delivers {
                folder: owned(1),
                letter: owned(2),
            }),
            ["remove", _, number] => case.steps.push(Step::Removes {
                folder: owned(1),
                number: number.parse().unwrap(),
            }),
            _ => {
                let says = says(line).unwrap_or_else(|| panic!("{}: what is {line:?}?", case.name));
                case.steps.push(says);
            }
        }
    }
    case
}

impl Case {
    fn give(&mut self, folder: &str, letter: &str, flags: &str) {
        let letter = (letter.to_owned(), flags.to_owned());
        self.mail.push((folder.to_owned(), Some(letter)));
    }
}

fn says(line: &str) -> Option<Step> {
    let first = line.chars().next()?;
    let (client, rest) = match first {
        '1'..='9' | 'o' => (first, &line[1..]),
        _ => ('1', line),
    };
    let how = match rest.chars().next()? {
        '>' => Say::Command,
        '|' => Say::Continued,
        '!' => Say::Bare,
        '<' => Say::Nothing,
        _ => return None,
    };
    let text = &rest[1..];
    Some(Step::Says(
        client,
        how,
        text.strip_prefix(' ').unwrap_or(text).to_owned(),
    ))
}
