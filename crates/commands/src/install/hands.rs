//! The steps of an installation: each looks at what is there, does what is missing, says so and writes it down.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::accounts::Ids;
use super::manifest::{Made, Manifest};
use super::places::Places;
use crate::print_line;

/// What a file in the way is called from then on.
const SUFFIX: &str = "before-yubin";

/// Whether things are done or only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Do,
    Tell,
}

/// What becomes of files of others that stand where ours belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// They stay, and are told.
    Stay,
    /// They are moved aside, and come back with `yubin uninstall`.
    Move,
}

/// The mode and owner of something; no owner where there is nobody to give it to.
pub(crate) type Owned = (u32, Option<Ids>);

/// Whoever does the steps.
pub(crate) struct Hands<'a> {
    pub(crate) places: &'a Places,
    pub(crate) mode: Mode,
    pub(crate) foreign: Foreign,
    pub(crate) manifest: Manifest,
    /// Whether owners can be given.
    pub(crate) is_root: bool,
    /// What was left as it is though it should be otherwise.
    pub(crate) left: usize,
    /// Directories that were told and not made, in [`Mode::Tell`].
    pub(crate) told: BTreeSet<PathBuf>,
    /// All that was said, in order.
    pub(crate) said: Vec<String>,
}

impl<'a> Hands<'a> {
    /// Hands that have done nothing yet.
    pub(crate) fn with(places: &'a Places, mode: Mode, foreign: Foreign, manifest: Manifest) -> Hands<'a> {
        Hands {
            places,
            mode,
            foreign,
            manifest,
            is_root: os::is_root(),
            left: 0,
            told: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    /// Says what was done, or would be.
    pub(crate) fn say(&mut self, what: &str) {
        self.said.push(what.to_owned());
        let would = if self.mode == Mode::Tell { "would " } else { "" };
        print_line(&format!("{would}{what}"));
    }

    pub(crate) fn leave(&mut self, what: &str) {
        self.left += 1;
        print_line(&format!("left alone: {what}"));
    }

    /// A directory with this mode and owner; its parents are made as they are usual.
    ///
    /// # Errors
    /// When it cannot be made, or is no directory.
    pub(crate) fn directory(&mut self, path: &Path, mode: u32, owner: Option<Ids>, made: Made) -> Result<()> {
        let real = self.places.real(path);
        let told = || format!("cannot make directory {}", real.display());
        if self.told.contains(&real) {
            return Ok(());
        }
        if let Some(parent) = path.parent().filter(|parent| !self.places.real(parent).exists()) {
            self.directory(parent, 0o755, None, Made::Directory(parent.to_owned()))?;
        }
        match fs::symlink_metadata(&real) {
            Ok(found) if !found.is_dir() && !real.is_dir() => {
                anyhow::bail!("{}: something else is there", told())
            }
            Ok(_) => {}
            Err(_) => {
                self.say(&format!("make directory {} (mode {mode:04o})", real.display()));
                if self.mode == Mode::Tell {
                    self.told.insert(real);
                    return Ok(());
                }
                DirBuilder::new().mode(0o700).create(&real).with_context(told)?;
                self.set(&real, mode, owner).with_context(told)?;
                self.manifest.add(made);
                return Ok(());
            }
        }
        // What was there before is no part of ours; only the owner and mode of our own are set right.
        if self.manifest.has(&made) {
            self.correct(&real, mode, owner).with_context(told)?;
        }
        Ok(())
    }

    /// A directory of data that `owner` alone works in. One that was there before is given to `owner` when nothing is in it that
    /// is not `known`, and refused otherwise: it is somebody else's.
    ///
    /// # Errors
    /// When it cannot be made or given; when it is somebody else's.
    pub(crate) fn data(&mut self, path: &Path, (mode, owner): Owned, known: &[&str]) -> Result<()> {
        let real = self.places.real(path);
        let Ok(found) = fs::metadata(&real) else {
            return self.directory(path, mode, owner, Made::Data(path.to_owned()));
        };
        let told = || format!("cannot use directory {}", real.display());
        if !found.is_dir() {
            anyhow::bail!("{}: something else is there", told());
        }
        self.refuse_anothers(path, owner, known)?;
        self.correct(&real, mode, owner).with_context(told)
    }

    /// Refuses a directory that belongs to somebody else than `owner` and holds what is not `known`.
    ///
    /// # Errors
    /// That it is somebody else's; that it cannot be read.
    pub(crate) fn refuse_anothers(&self, path: &Path, owner: Option<Ids>, known: &[&str]) -> Result<()> {
        let real = self.places.real(path);
        let told = || format!("cannot use directory {}", real.display());
        let Ok(found) = fs::metadata(&real) else {
            return Ok(());
        };
        let Some(wanted) = owner.filter(|owner| self.is_root && owner.uid != found.uid()) else {
            return Ok(());
        };
        for entry in fs::read_dir(&real).with_context(told)? {
            let name = entry.with_context(told)?.file_name();
            if !known.iter().any(|known| name == *known) {
                let give = match wanted {
                    Ids::NOT_YET => "the mail system's user".to_owned(),
                    wanted => format!("user id {}", wanted.uid),
                };
                anyhow::bail!(
                    "{}: it belongs to user id {} and holds {}, which is nothing of Yubin's. Name another directory in main.cf, or give \
                     this one to {give} if it is to be used",
                    told(),
                    found.uid(),
                    name.to_string_lossy(),
                );
            }
        }
        Ok(())
    }

    /// A user or group, made by `make`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn account(&mut self, name: &str, made: Made, make: &dyn Fn() -> Result<()>) -> Result<()> {
        self.say(&format!("make {name}"));
        if self.mode == Mode::Do {
            make()?;
            self.manifest.add(made);
        }
        Ok(())
    }

    fn correct(&mut self, real: &Path, mode: u32, owner: Option<Ids>) -> Result<()> {
        let found = fs::symlink_metadata(real)?;
        let is_owners = owner.is_none_or(|owner| (owner.uid, owner.gid) == (found.uid(), found.gid()));
        if found.mode() & 0o7777 == mode && (is_owners || !self.is_root) {
            return Ok(());
        }
        let owner_shown = owner.filter(|_| self.is_root && !is_owners);
        let owner_shown = owner_shown.map_or(String::new(), |ids| match ids {
            Ids::NOT_YET => "owner: the user that is made, ".to_owned(),
            Ids { uid, gid } => format!("owner {uid}:{gid}, "),
        });
        self.say(&format!(
            "set owner and mode of {} ({owner_shown}mode {mode:04o})",
            real.display()
        ));
        match self.mode {
            Mode::Tell => Ok(()),
            Mode::Do => self.set(real, mode, owner),
        }
    }

    /// Owner first: a change of owner takes set-ID bits away.
    fn set(&self, real: &Path, mode: u32, owner: Option<Ids>) -> Result<()> {
        if let Some(owner) = owner.filter(|_| self.is_root) {
            lchown(real, Some(owner.uid), Some(owner.gid))?;
        }
        Ok(fs::set_permissions(real, Permissions::from_mode(mode))?)
    }

    /// A file of the programs, the same at every installation of this version.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn file(&mut self, path: &Path, content: &[u8], mode: u32, owner: Option<Ids>) -> Result<()> {
        let real = self.places.real(path);
        let made = Made::File(path.to_owned());
        if fs::read(&real).is_ok_and(|there| there == content) {
            if self.manifest.has(&made) {
                self.correct(&real, mode, owner)?;
            }
            return Ok(());
        }
        if !self.make_way(path, &made)? {
            return Ok(());
        }
        self.say(&format!("write {} (mode {mode:04o})", real.display()));
        self.parent(path)?;
        if self.mode == Mode::Do {
            self.write(&real, content, mode, owner)?;
            self.manifest.add(made);
        }
        Ok(())
    }

    /// A file of the configuration: what is there stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn configuration(
        &mut self,
        path: &Path,
        content: &[u8],
        mode: u32,
        owner: Option<Ids>,
    ) -> Result<()> {
        let real = self.places.real(path);
        if fs::symlink_metadata(&real).is_ok() {
            return Ok(());
        }
        self.say(&format!("write {} (mode {mode:04o})", real.display()));
        self.parent(path)?;
        if self.mode == Mode::Do {
            self.write(&real, content, mode, owner)?;
            self.manifest.add(Made::Configuration(path.to_owned()));
        }
        Ok(())
    }

    /// A link of the configuration to a file that is used where it lies.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn named(&mut self, path: &Path, target: &Path) -> Result<()> {
        let real = self.places.real(path);
        if fs::symlink_metadata(&real).is_ok() {
            return Ok(());
        }
        self.say(&format!("link {} to {}", real.display(), target.display()));
        self.parent(path)?;
        if self.mode == Mode::Do {
            symlink(target, &real).with_context(|| format!("cannot make link {}", real.display()))?;
            self.manifest.add(Made::Configuration(path.to_owned()));
        }
        Ok(())
    }

    /// A link to a program.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn link(&mut self, path: &Path, target: &Path) -> Result<()> {
        let real = self.places.real(path);
        if fs::read_link(&real).is_ok_and(|there| there == target) {
            return Ok(());
        }
        let made = Made::Link(path.to_owned(), target.to_owned());
        if !self.make_way(path, &made)? {
            return Ok(());
        }
        self.say(&format!("link {} to {}", real.display(), target.display()));
        self.parent(path)?;
        if self.mode == Mode::Do {
            symlink(target, &real).with_context(|| format!("cannot make link {}", real.display()))?;
            self.manifest.add(made);
        }
        Ok(())
    }

    fn parent(&mut self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(parent) => self.directory(parent, 0o755, None, Made::Directory(parent.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether the place is free, or was made so.
    fn make_way(&mut self, path: &Path, made: &Made) -> Result<bool> {
        let real = self.places.real(path);
        if fs::symlink_metadata(&real).is_err() {
            return Ok(true);
        }
        if self.manifest.has(made) {
            // A link is made anew; a file is replaced in one step.
            if matches!(made, Made::Link(..)) && self.mode == Mode::Do {
                fs::remove_file(&real).with_context(|| format!("cannot remove {}", real.display()))?;
            }
            return Ok(true);
        }
        if self.foreign == Foreign::Stay {
            self.leave(&format!(
                "{} is another program's (--force moves it aside)",
                real.display()
            ));
            return Ok(false);
        }
        let aside = aside(path);
        self.say(&format!("move {} to {}", real.display(), aside.display()));
        if self.mode == Mode::Do {
            fs::rename(&real, self.places.real(&aside))
                .with_context(|| format!("cannot move {} aside", real.display()))?;
            self.manifest.add(Made::Moved(path.to_owned(), aside));
        }
        Ok(true)
    }

    /// Under another name first: the program that is there may be running, and nobody sees half a file.
    fn write(&self, real: &Path, content: &[u8], mode: u32, owner: Option<Ids>) -> Result<()> {
        let new = PathBuf::from(format!("{}.new", real.display()));
        let told = || format!("cannot write {}", real.display());
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(told),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .with_context(told)?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .with_context(told)?;
        self.set(&new, mode, owner).with_context(told)?;
        fs::rename(&new, real).with_context(told)
    }

    /// Writes down what was made.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn write_down(&mut self) -> Result<()> {
        if self.mode == Mode::Tell {
            return Ok(());
        }
        let path = self.places.manifest();
        self.parent(&path)?;
        self.write(
            &self.places.real(&path),
            self.manifest.to_text().as_bytes(),
            0o644,
            None,
        )
    }
}

fn aside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.{SUFFIX}", path.display()))
}
