//! Where mailboxes lie: files and directories below the root, `/` between levels, `.subscriptions`.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use mailbox::name::NAME_BYTES_MAX;
use mailbox::{Error as MailboxError, ListEntry, MailboxName, SpecialUse, UidValidity};

use crate::file::Paths;
use crate::{Error, Result};

/// Levels of directories that are looked into.
pub const DEPTH_MAX: usize = 16;
/// Mailboxes of one account that are listed.
pub const MAILBOXES_MAX: usize = 10_000;
/// The longest subscriptions file that is read, in octets.
const SUBSCRIPTIONS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Directories of indexes, beside the mailboxes they are of.
const INDEXES: &str = ".imap";
/// What a mailbox is for, in the directory of its index.
const SPECIAL_USE_FILE: &str = "yubin.special-use";

/// The directories of one account.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    pub(crate) root: PathBuf,
    pub(crate) inbox: PathBuf,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Mailbox,
    Folder,
    Other,
    Nothing,
}

impl Folders {
    /// Where a mailbox lies.
    pub(crate) fn paths(&self, name: &MailboxName) -> Paths {
        if name.is_inbox() {
            let index = self.root.join(INDEXES).join("INBOX");
            return Paths {
                file: self.inbox.clone(),
                index,
                may_be_missing: true,
            };
        }
        let file = self.root.join(name.as_str());
        let leaf = file.file_name().unwrap_or_default().to_owned();
        let index = file.parent().unwrap_or(&self.root).join(INDEXES).join(leaf);
        Paths {
            file,
            index,
            may_be_missing: false,
        }
    }

    pub(crate) fn kind(&self, name: &MailboxName) -> Kind {
        if check_name(name).is_err() {
            return Kind::Nothing;
        }
        match std::fs::metadata(self.paths(name).file) {
            Ok(meta) if meta.is_dir() => Kind::Folder,
            Ok(meta) if meta.is_file() => Kind::Mailbox,
            // A FIFO or a device: no mailbox, and nothing may be made in its place.
            Ok(_) => Kind::Other,
            Err(_) => Kind::Nothing,
        }
    }

    /// Makes the directories above a mailbox; refused where one of them is a mailbox.
    pub(crate) fn create_parents(&self, name: &MailboxName) -> mailbox::Result<()> {
        let file = self.paths(name).file;
        let parent = file.parent().unwrap_or(&self.root);
        match DirBuilder::new().recursive(true).mode(0o700).create(parent) {
            Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::AlreadyExists) => Err(
                MailboxError::InvalidName(name.to_string(), "mailbox doesn't allow inferior mailboxes"),
            ),
            made => made
                .map_err(Error::io("create", parent))
                .map_err(MailboxError::from),
        }
    }

    /// Makes the directory in which mailboxes will be.
    pub(crate) fn create_directory(&self, name: &MailboxName) -> mailbox::Result<()> {
        self.create_parents(name)?;
        let directory = self.paths(name).file;
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => MailboxError::MailboxExists(name.to_string()),
                _ => Error::io("create", &directory)(error).into(),
            })
    }

    /// Removes a directory that holds no mailboxes.
    pub(crate) fn remove_directory(&self, name: &MailboxName) -> mailbox::Result<()> {
        let directory = self.paths(name).file;
        // What is left in there are indexes of mailboxes that others removed.
        let is_empty = std::fs::read_dir(&directory)
            .map_err(Error::io("list", &directory))?
            .all(|entry| entry.is_ok_and(|entry| entry.file_name() == INDEXES));
        if !is_empty {
            return Err(MailboxError::HasChildren(name.to_string()));
        }
        let _ = std::fs::remove_dir_all(directory.join(INDEXES));
        std::fs::remove_dir(&directory).map_err(Error::io("remove", &directory))?;
        Ok(())
    }

    /// Every mailbox and every folder.
    pub(crate) fn list(&self) -> Result<Vec<ListEntry>> {
        let mut found = BTreeMap::new();
        self.walk(&self.root, "", 0, &mut found)?;
        let entry = |name: MailboxName, selectable| ListEntry {
            // A file holds no files; INBOX is one too, but what is below it has a directory of that name.
            no_inferiors: selectable && !name.is_inbox(),
            name,
            selectable,
            exists: true,
            special_use: Vec::new(),
        };
        let inbox = entry(MailboxName::inbox(), true);
        let others = found
            .into_iter()
            .map(|(name, selectable)| entry(MailboxName::new(&name, '/'), selectable));
        Ok(std::iter::once(inbox).chain(others).collect())
    }

    fn walk(
        &self,
        directory: &Path,
        prefix: &str,
        depth: usize,
        found: &mut BTreeMap<String, bool>,
    ) -> Result<()> {
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(Error::io("list", directory))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", directory))?;
            let Ok(leaf) = entry.file_name().into_string() else {
                continue;
            };
            let name = format!("{prefix}{leaf}");
            let is_inbox = entry.path() == self.inbox;
            if is_inbox || leaf.starts_with('.') || leaf.ends_with(".lock") || found.len() >= MAILBOXES_MAX {
                continue;
            }
            let Ok(meta) = std::fs::metadata(entry.path()) else {
                continue;
            };
            if name.eq_ignore_ascii_case("INBOX") {
                // The mailbox of this name is elsewhere. A directory of it holds what is below INBOX.
                if meta.is_dir() && name == "INBOX" {
                    self.walk(&entry.path(), "INBOX/", depth + 1, found)?;
                }
            } else if meta.is_file() {
                found.insert(name, true);
            } else if meta.is_dir() && depth < DEPTH_MAX {
                self.walk(&entry.path(), &format!("{name}/"), depth + 1, found)?;
                found.insert(name, false);
            }
        }
        Ok(())
    }

    /// What a mailbox is for, by the note that its creation left beside its index.
    pub(crate) fn special_use(&self, name: &MailboxName) -> Vec<SpecialUse> {
        let file = self.paths(name).index.join(SPECIAL_USE_FILE);
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace().filter_map(SpecialUse::named).collect()
    }

    /// Notes what a mailbox is for.
    pub(crate) fn note_special_use(
        &self,
        name: &MailboxName,
        special_use: SpecialUse,
    ) -> mailbox::Result<()> {
        let directory = self.paths(name).index;
        let file = directory.join(SPECIAL_USE_FILE);
        let write = || -> std::io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            let mut file = os::files::create_like_directory(&file)?;
            file.write_all(special_use.attribute().as_bytes())?;
            file.sync_all()
        };
        write().map_err(Error::io("write", &file))?;
        Ok(())
    }

    /// A UIDVALIDITY that no mailbox of this account has had.
    pub(crate) fn new_validity(&self, now_secs: i64) -> UidValidity {
        let path = self.root.join(INDEXES).join("yubin.uidvalidity");
        let last: UidValidity = std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        let now = UidValidity::try_from(now_secs).unwrap_or(1);
        let next = now.max(last.saturating_add(1)).max(1);
        // A write that fails costs no more than the clock's word for it.
        let _ = os::files::create_like_directory(&path)
            .and_then(|mut file| file.write_all(format!("{next}\n").as_bytes()));
        next
    }

    /// The subscribed names, in order.
    pub(crate) fn subscriptions(&self) -> Result<Vec<MailboxName>> {
        let path = self.root.join(".subscriptions");
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Ok(meta) if meta.len() > SUBSCRIPTIONS_BYTES_MAX => {
                return Err(Error::io("read", &path)(ErrorKind::FileTooLarge.into()));
            }
            _ => std::fs::read(&path).map_err(Error::io("read", &path))?,
        };
        let text = String::from_utf8_lossy(&text);
        // Dovecot's second version of the file has a heading, and tabs between levels.
        let (is_second, lines) = text
            .strip_prefix("V\t2\n")
            .map_or((false, &text[..]), |rest| (true, rest));
        let mut names: Vec<MailboxName> = lines
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| {
                MailboxName::new(
                    &if is_second {
                        line.replace('\t', "/")
                    } else {
                        line.to_owned()
                    },
                    '/',
                )
            })
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    pub(crate) fn write_subscriptions(&self, names: &[MailboxName]) -> Result<()> {
        let path = self.root.join(".subscriptions");
        let new = self.root.join(format!(".subscriptions.{}", std::process::id()));
        let mut text = "V\t2\n\n".to_owned();
        for name in names {
            text.push_str(&name.as_str().replace('/', "\t"));
            text.push('\n');
        }
        let write = || -> std::io::Result<()> {
            let mut file = os::files::create_like_directory(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        };
        write().map_err(Error::io("write", &path))?;
        crate::deliver::sync_parent(&path)
    }
}

/// Whether a name can be a file or directory below the root.
pub(crate) fn check_name(name: &MailboxName) -> mailbox::Result<()> {
    let text = name.as_str();
    let complaint = if text.is_empty() {
        "it is empty"
    } else if text.len() > NAME_BYTES_MAX {
        "it is too long"
    } else if text.split('/').any(str::is_empty) {
        "a level of it is empty"
    } else if text.split('/').any(|level| level.starts_with('.')) {
        "a level of it begins with a dot"
    } else if text.split('/').any(|level| level.len() > 200) {
        "a level of it is too long"
    } else if text.ends_with(".lock") {
        "it is a lock file's name"
    } else if text.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(MailboxError::InvalidName(text.to_owned(), complaint))
}
