//! Scenarios of local delivery as they stand in `scenarios/*.scenarios`: settings, files, mails.
//! [`Scenario`] says how a file looks.

use std::path::Path;

use super::account::{SENDER, accounts};

/// Who a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Something that is there before the mails come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Path, owner, mode, content.
    File(String, Owner, u32, String),
    /// Path, owner, mode.
    Directory(String, Owner, u32),
    /// A line for the shell.
    Shell(String),
}

/// How a mail is handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By SMTP on port 25.
    Smtp,
    /// By sendmail(1), as this user.
    Sendmail(u32),
}

/// A mail of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// How it is handed in.
    pub way: Way,
    /// The envelope's sender; may be empty.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Lines of 70 octets in the body.
    pub lines: usize,
    /// One more header line.
    pub header: Option<String>,
    /// Header and body in place of the usual ones; of such a message all is compared.
    pub content: Option<String>,
    /// Before it, all mail on hold is let go.
    pub is_after_release: bool,
}

/// A scenario.
///
/// ```text
/// scenario NAME: why it exists
/// set NAME = VALUE                        a line of main.cf
/// master ROW                              a row of master.cf; its further lines follow, indented by two
/// aliases [PATH [OWNER[:GROUP]]]          an aliases(5) file (/etc/aliases), built into a database
/// file PATH OWNER[:GROUP] MODE            a file; its lines follow, indented by two
/// dir PATH OWNER[:GROUP] MODE             a directory
/// do TEXT                                 a line for the shell, as root
/// mail RECIPIENT… [from=ADDRESS] [lines=N] [header=TEXT_WITHOUT_BLANKS] [released]
///                                         with `released`, behind letting go what is on hold
/// sendmail USER RECIPIENT…                the same by the command, as this user
///                                         for both: header and body of one's own may follow, indented by two
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Why it exists.
    pub why: String,
    /// Lines of main.cf.
    pub settings: Vec<String>,
    /// Rows of master.cf beside the usual ones.
    pub rows: Vec<String>,
    /// Alias files, to be built into databases.
    pub aliases: Vec<String>,
    /// What is there before.
    pub pieces: Vec<Piece>,
    /// The mails, in order.
    pub mails: Vec<Mail>,
}

impl Scenario {
    /// All scenarios of the files `*.scenarios` in a directory, by file and place.
    ///
    /// # Panics
    /// At a mistake, with its file and line.
    #[track_caller]
    pub fn all_in(directory: &Path) -> Vec<Scenario> {
        let entries = std::fs::read_dir(directory).expect("the scenarios are there");
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "scenarios"));
        files.sort();
        let mut all = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("it can be read");
            match Scenario::parse(&text) {
                Ok(scenarios) => all.extend(scenarios),
                Err((line, why)) => panic!("{}:{line}: {why}", file.display()),
            }
        }
        let mut names: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert!(twice.is_none(), "two scenarios have one name: {twice:?}");
        all
    }

    /// The scenarios in a file's text.
    ///
    /// # Errors
    /// The number of the line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Vec<Scenario>, (usize, String)> {
        let mut all: Vec<Scenario> = Vec::new();
        let mut lines = text.lines().enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let mut block = String::new();
            while let Some((_, more)) = lines.next_if(|(_, next)| next.starts_with("  ")) {
                block.push_str(&more[2..]);
                block.push('\n');
            }
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            if verb == "scenario" {
                let (name, why) = rest.split_once(": ").ok_or((at + 1, "no reason".to_owned()))?;
                all.push(Scenario {
                    name: name.to_owned(),
                    why: why.to_owned(),
                    ..Scenario::default()
                });
                continue;
            }
            let scenario = all.last_mut().ok_or((at + 1, "no scenario yet".to_owned()))?;
            scenario.add(verb, rest, block).map_err(|why| (at + 1, why))?;
        }
        Ok(all)
    }

    fn add(&mut self, verb: &str, rest: &str, block: String) -> Result<(), String> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (verb, words.as_slice()) {
            ("set", _) => self.settings.push(rest.to_owned()),
            ("master", _) => {
                let further = block.lines().map(|line| format!("\n  {line}"));
                self.rows
                    .push(std::iter::once(rest.to_owned()).chain(further).collect());
            }
            ("do", _) => self.pieces.push(Piece::Shell(rest.to_owned())),
            ("aliases", []) => self.add_aliases("/etc/aliases", "root", block)?,
            ("aliases", [path]) => self.add_aliases(path, "root", block)?,
            ("aliases", [path, who]) => self.add_aliases(path, who, block)?,
            ("file", [path, who, bits]) => {
                let piece = Piece::File((*path).to_owned(), owner(who)?, mode(bits)?, block);
                self.pieces.push(piece);
            }
            ("dir", [path, who, bits]) => {
                let piece = Piece::Directory((*path).to_owned(), owner(who)?, mode(bits)?);
                self.pieces.push(piece);
            }
            ("mail", words) => self.mails.push(mail(Way::Smtp, words, block)?),
            ("sendmail", [user, words @ ..]) => {
                self.mails
                    .push(mail(Way::Sendmail(owner(user)?.uid), words, block)?);
            }
            _ => return Err(format!("\"{verb} {rest}\" is no line of a scenario")),
        }
        Ok(())
    }

    fn add_aliases(&mut self, path: &str, who: &str, block: String) -> Result<(), String> {
        self.pieces
            .push(Piece::File(path.to_owned(), owner(who)?, 0o644, block));
        self.aliases.push(path.to_owned());
        Ok(())
    }
}

fn mail(way: Way, words: &[&str], block: String) -> Result<Mail, String> {
    let mut mail = Mail {
        way,
        from: SENDER.to_owned(),
        to: Vec::new(),
        lines: 1,
        header: None,
        content: Some(block).filter(|block| !block.is_empty()),
        is_after_release: false,
    };
    for word in words {
        match word.split_once('=') {
            Some(("from", from)) => from.clone_into(&mut mail.from),
            Some(("lines", lines)) => {
                mail.lines = lines.parse().map_err(|_| format!("{lines} is no number"))?;
            }
            None if *word == "released" => mail.is_after_release = true,
            Some(("header", header)) => mail.header = Some(header.to_owned()),
            _ if word.contains('@') || word.contains('!') => mail.to.push((*word).to_owned()),
            _ => mail.to.push(format!("{word}@sandbox.test")),
        }
    }
    match mail.to.is_empty() {
        true => Err("a mail without recipients".to_owned()),
        false => Ok(mail),
    }
}

fn owner(text: &str) -> Result<Owner, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    Ok(Owner {
        uid: number(user)?,
        gid: number(group)?,
    })
}

/// The number of a user of the host; `mail` is Debian's group.
fn number(name: &str) -> Result<u32, String> {
    match name {
        "root" => Ok(0),
        "mail" => Ok(8),
        "nobody" => Ok(65_534),
        _ => accounts()
            .iter()
            .find(|account| account.name == name)
            .map(|account| account.uid)
            .ok_or_else(|| format!("{name} is no user of the host")),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|_| format!("{text} is no mode"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read() {
        let text = "# note\n\nscenario one: to see\nset a = b\naliases\n  x: y\nfile /home/alice/.forward alice 0600\n  \\alice\n    bob\nmail x bob@elsewhere.test from= lines=3\n";
        let all = Scenario::parse(text).expect("it is well formed");
        assert_eq!(all.len(), 1);
        let one = &all[0];
        assert_eq!((one.name.as_str(), one.why.as_str()), ("one", "to see"));
        assert_eq!(one.settings, ["a = b"]);
        assert_eq!(one.aliases, ["/etc/aliases"]);
        let alice = Owner { uid: 2001, gid: 2001 };
        let forward = "\\alice\n  bob\n".to_owned();
        let wanted = Piece::File("/home/alice/.forward".to_owned(), alice, 0o600, forward);
        assert_eq!(one.pieces[1], wanted);
        assert_eq!(one.mails[0].to, ["x@sandbox.test", "bob@elsewhere.test"]);
        assert_eq!((one.mails[0].from.as_str(), one.mails[0].lines), ("", 3));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let wrong = |text| Scenario::parse(text).expect_err("it is wrong");
        assert_eq!(wrong("mail alice\n").0, 1);
        assert_eq!(
            wrong("scenario a: b\nfile /x zoe 0600\n"),
            (2, "zoe is no user of the host".to_owned())
        );
        assert_eq!(wrong("scenario a: b\n\nsend alice\n").0, 3);
    }
}
