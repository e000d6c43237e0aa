//! What an installation made, for whoever removes it: a line each, its kind, its path and what else must be known, between tabs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The first line.
const HEAD: &str = "# What `yubin install` made; `yubin uninstall` reads it.";

/// One thing that was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    /// A file of the programs: it goes.
    File(PathBuf),
    /// A link and where it leads: it goes unless it leads elsewhere by now.
    Link(PathBuf, PathBuf),
    /// A directory: it goes when it is empty.
    Directory(PathBuf),
    /// Configuration, yours from then on: it goes with `--purge`.
    Configuration(PathBuf),
    /// A directory of the queue, of caches, of logs: it goes with `--purge`, and all that is in it.
    Data(PathBuf),
    /// The directory of virtual mailboxes: it goes with `--purge`, when it is empty.
    Mailboxes(PathBuf),
    /// Somebody else's file that stood in the way, and where it is now: it comes back.
    Moved(PathBuf, PathBuf),
    /// A user of the system: it goes with `--purge`.
    User(String),
    /// A group of the system: it goes with `--purge`.
    Group(String),
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest(BTreeSet<Made>);

impl Manifest {
    /// Reads the file; one that is not there is an installation that never was.
    ///
    /// # Errors
    /// When it cannot be read, or has a line that makes no sense.
    pub(crate) fn read(path: &Path) -> Result<Manifest> {
        match std::fs::read_to_string(path) {
            Ok(text) => Manifest::parse(&text).with_context(|| format!("cannot use {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Manifest::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Manifest> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| Made::parse(line).with_context(|| format!("its line \"{line}\" says nothing known")))
            .collect::<Result<_>>()
            .map(Manifest)
    }

    /// The file's text.
    pub(crate) fn to_text(&self) -> String {
        let lines = self.0.iter().map(|made| format!("{}\n", made.to_line()));
        std::iter::once(format!("{HEAD}\n")).chain(lines).collect()
    }

    pub(crate) fn add(&mut self, made: Made) {
        self.0.insert(made);
    }

    pub(crate) fn has(&self, made: &Made) -> bool {
        self.0.contains(made)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left when programs, links and empty directories have gone.
    pub(crate) fn lasting(&self) -> Manifest {
        let lasts = |made: &&Made| !matches!(made, Made::File(_) | Made::Link(..) | Made::Moved(..));
        Manifest(self.0.iter().filter(lasts).cloned().collect())
    }

    /// Everything, what lies deeper first, directories that must be empty last.
    pub(crate) fn leaves_first(&self) -> impl Iterator<Item = &Made> {
        let mut all: Vec<&Made> = self.0.iter().collect();
        all.sort_by_key(|made| {
            let (rank, path) = match made {
                Made::File(path) | Made::Link(path, _) | Made::Configuration(path) => (0, path.as_path()),
                Made::Moved(_, path) => (1, path.as_path()),
                Made::Data(path) => (2, path.as_path()),
                Made::User(_) => (3, Path::new("")),
                Made::Group(_) => (4, Path::new("")),
                Made::Directory(path) | Made::Mailboxes(path) => (5, path.as_path()),
            };
            (rank, std::cmp::Reverse(path.to_owned()))
        });
        all.into_iter()
    }
}

impl Made {
    fn to_line(&self) -> String {
        let two = |kind: &str, path: &Path| format!("{kind}\t{}", path.display());
        let three = |kind: &str, path: &Path, other: &Path| {
            format!("{kind}\t{}\t{}", path.display(), other.display())
        };
        match self {
            Made::File(path) => two("file", path),
            Made::Link(path, target) => three("link", path, target),
            Made::Directory(path) => two("directory", path),
            Made::Configuration(path) => two("configuration", path),
            Made::Data(path) => two("data", path),
            Made::Mailboxes(path) => two("mailboxes", path),
            Made::Moved(from, to) => three("moved", from, to),
            Made::User(name) => format!("user\t{name}"),
            Made::Group(name) => format!("group\t{name}"),
        }
    }

    fn parse(line: &str) -> Option<Made> {
        let words: Vec<&str> = line.split('\t').collect();
        Some(match words.as_slice() {
            ["file", path] => Made::File(path.into()),
            ["link", path, target] => Made::Link(path.into(), target.into()),
            ["directory", path] => Made::Directory(path.into()),
            ["configuration", path] => Made::Configuration(path.into()),
            ["data", path] => Made::Data(path.into()),
            ["mailboxes", path] => Made::Mailboxes(path.into()),
            ["moved", from, to] => Made::Moved(from.into(), to.into()),
            ["user", name] => Made::User((*name).to_owned()),
            ["group", name] => Made::Group((*name).to_owned()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_goes_leaves_first() {
        let mut manifest = Manifest::default();
        for made in [
            Made::Group("g".to_owned()),
            Made::Directory("/usr/lib/yubin".into()),
            Made::Directory("/usr/lib/yubin/below".into()),
            Made::Moved("/usr/sbin/sendmail".into(), "/usr/sbin/sendmail.before".into()),
            Made::Link("/usr/sbin/sendmail".into(), "/usr/lib/yubin/yubin".into()),
            Made::Data("/var/spool/yubin".into()),
            Made::Mailboxes("/var/vmail".into()),
            Made::User("u".to_owned()),
            Made::File("/usr/lib/yubin/yubin".into()),
            Made::Configuration("/etc/yubin/main.cf".into()),
        ] {
            manifest.add(made);
        }
        let text = manifest.to_text();
        assert_eq!(Manifest::parse(&text).expect("read"), manifest);
        let order: Vec<String> = manifest.leaves_first().map(Made::to_line).collect();
        let at = |start: &str| {
            order
                .iter()
                .position(|line| line.starts_with(start))
                .expect("there")
        };
        assert!(at("link") < at("moved") && at("file") < at("directory\t/usr/lib/yubin/below"));
        let directories: Vec<&String> = order
            .iter()
            .filter(|line| line.starts_with("directory"))
            .collect();
        assert!(directories[0].ends_with("below"), "{order:?}");
        assert!(at("data") < at("user") && at("user") < at("group") && at("group") < at("directory"));
        assert!(Manifest::parse("rubbish\t/x\n").is_err());
    }
}
