//! Users and groups of the system that is installed into: looked up, made and removed by the system's own programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::places::Places;

/// Where useradd(8) and groupadd(8) may lie when `PATH` does not say.
const SBIN: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The ids of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Ids {
    /// Of somebody who is only said to be made (`--dry-run`): ids that nobody can have.
    pub(crate) const NOT_YET: Ids = Ids {
        uid: u32::MAX,
        gid: u32::MAX,
    };
}

/// A user that a mail system needs.
#[derive(Debug, Clone)]
pub(crate) struct WantedUser {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    /// What it is for.
    pub(crate) comment: &'static str,
}

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) shell: PathBuf,
}

/// The accounts of the system at `root`.
#[derive(Debug)]
pub(crate) struct Accounts<'a> {
    places: &'a Places,
}

impl<'a> Accounts<'a> {
    pub(crate) fn of(places: &'a Places) -> Accounts<'a> {
        Accounts { places }
    }

    /// A user's ids.
    ///
    /// # Errors
    /// When the name service fails.
    pub(crate) fn user(&self, name: &str) -> Result<Option<Ids>> {
        if self.places.is_here() {
            let found = os::users::user_by_name(name)?;
            return Ok(found.map(|user| Ids {
                uid: user.uid,
                gid: user.gid,
            }));
        }
        Ok(self.entry("/etc/passwd", name).and_then(|fields| {
            Some(Ids {
                uid: fields.get(2)?.parse().ok()?,
                gid: fields.get(3)?.parse().ok()?,
            })
        }))
    }

    /// All users of `/etc/passwd`: what a directory elsewhere may know besides is nobody's to choose from.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn people(&self) -> Result<Vec<Person>> {
        let file = self.places.real(Path::new("/etc/passwd"));
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => bail!("cannot read {}: {}", file.display(), os::words(&error)),
        };
        let people = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            Some(Person {
                name: (*fields.first()?).to_owned(),
                uid: fields.get(2)?.parse().ok()?,
                shell: PathBuf::from(fields.get(6)?),
            })
        });
        Ok(people.collect())
    }

    /// A group's id.
    ///
    /// # Errors
    /// When the name service fails.
    pub(crate) fn group(&self, name: &str) -> Result<Option<u32>> {
        if self.places.is_here() {
            return Ok(os::users::group_by_name(name)?.map(|group| group.gid));
        }
        let entry = self.entry("/etc/group", name);
        Ok(entry.and_then(|fields| fields.get(2)?.parse().ok()))
    }

    fn entry(&self, file: &str, name: &str) -> Option<Vec<String>> {
        let text = std::fs::read_to_string(self.places.real(Path::new(file))).ok()?;
        let mut entries = text.lines().map(|line| line.split(':').map(str::to_owned));
        entries.find_map(|mut fields| {
            (fields.next()?.as_str() == name)
                .then(|| std::iter::once(name.to_owned()).chain(fields).collect())
        })
    }

    /// Makes a group.
    ///
    /// # Errors
    /// What groupadd(8) said.
    pub(crate) fn add_group(&self, name: &str) -> Result<()> {
        self.run("groupadd", &["--system", name])
    }

    /// Makes a user with a group of the same name.
    ///
    /// # Errors
    /// What useradd(8) said.
    pub(crate) fn add_user(&self, user: &WantedUser) -> Result<()> {
        let home = user.home.to_string_lossy();
        let has_group = self.group(&user.name)?.is_some();
        let group = ["--gid", user.name.as_str()];
        let group: &[&str] = if has_group { &group } else { &["--user-group"] };
        let mut words = vec!["--system", "--no-create-home", "--home-dir", home.as_ref()];
        words.extend(["--shell", "/usr/sbin/nologin", "--comment", user.comment]);
        words.extend(group);
        words.push(&user.name);
        self.run("useradd", &words)
    }

    /// Removes a user, not its files.
    ///
    /// # Errors
    /// What userdel(8) said.
    pub(crate) fn remove_user(&self, name: &str) -> Result<()> {
        self.run("userdel", &[name])
    }

    /// Removes a group.
    ///
    /// # Errors
    /// What groupdel(8) said.
    pub(crate) fn remove_group(&self, name: &str) -> Result<()> {
        self.run("groupdel", &[name])
    }

    fn run(&self, program: &str, words: &[&str]) -> Result<()> {
        let Some(path) = found(program) else {
            bail!(
                "there is no {program}: make by hand what `{program} {}` would",
                words.join(" ")
            );
        };
        let mut command = Command::new(path);
        if !self.places.is_here() {
            command.arg("--prefix").arg(&self.places.root);
        }
        let done = command.args(words).output();
        match done {
            Ok(done) if done.status.success() => Ok(()),
            Ok(done) => bail!(
                "{program} {}: {}",
                words.join(" "),
                String::from_utf8_lossy(&done.stderr).trim()
            ),
            Err(error) => bail!("cannot run {program}: {}", os::words(&error)),
        }
    }
}

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(SBIN.map(PathBuf::from));
    let mut places = directories.map(|directory| directory.join(program));
    places.find(|place| place.is_file())
}
