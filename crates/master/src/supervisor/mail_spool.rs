//! Files in a mail spool that belongs to a group (`/var/mail`, group mail): made by the supervisor for an agent that has its
//! user's rights only. An agent may have its own user's files made, no others.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use ipc::roles::{Answer, Identity, Question};
use os::mail_spool;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// The lock files that are held, each by a child.
#[derive(Debug, Default)]
pub(super) struct MailSpool {
    held: HashMap<String, u64>,
}

/// Where, and after how long a lock file is nobody's any more.
pub(super) struct Place<'a> {
    pub(super) directory: &'a Path,
    pub(super) stale_after: Duration,
}

impl MailSpool {
    /// Does what the agent `child` of `identity` asks.
    pub(super) fn answer(
        &mut self,
        question: &Question,
        child: u64,
        identity: &Identity,
        place: &Place<'_>,
    ) -> Answer {
        let (Question::CreateMailbox(name) | Question::LockMailbox(name) | Question::UnlockMailbox(name)) =
            question
        else {
            return Answer::Refused("that is not the mail spool's business".to_owned());
        };
        let is_own = identity.user.as_deref() == Some(name);
        if !is_own || !mail_spool::is_plain(name) {
            return Answer::Refused(format!("{name} is not the user of this agent"));
        }
        let done = match question {
            Question::CreateMailbox(_) => create(name, identity, place),
            Question::LockMailbox(_) => self.lock(name, child, place),
            _ => self.unlock(name, child, place),
        };
        match done {
            Ok(()) => Answer::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Answer::Busy("it is locked".to_owned())
            }
            Err(error) => Answer::Refused(os::words(&error)),
        }
    }

    /// Removes the lock files of a child that has ended.
    pub(super) fn ended(&mut self, child: u64, place: &Place<'_>) {
        let theirs: Vec<String> = self
            .held
            .iter()
            .filter(|(_, holder)| **holder == child)
            .map(|(name, _)| name.clone())
            .collect();
        for name in theirs {
            // Nothing can be done about one that cannot be removed; it grows stale.
            let _ = self.unlock(&name, child, place);
        }
    }

    fn lock(&mut self, name: &str, child: u64, place: &Place<'_>) -> io::Result<()> {
        let directory = mail_spool::open(place.directory)?;
        let lock = format!("{name}.lock");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&directory, &lock, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => {
                // Other programs look whether this process lives.
                let _ = write!(File::from(file), "{}", std::process::id());
                self.held.insert(name.to_owned(), child);
                Ok(())
            }
            Err(rustix::io::Errno::EXIST) => {
                if !self.held.contains_key(name) && is_stale(&directory, &lock, place.stale_after) {
                    rustix::fs::unlinkat(&directory, &lock, AtFlags::empty())?;
                }
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn unlock(&mut self, name: &str, child: u64, place: &Place<'_>) -> io::Result<()> {
        if self.held.get(name) != Some(&child) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.held.remove(name);
        Ok(rustix::fs::unlinkat(
            mail_spool::open(place.directory)?,
            format!("{name}.lock"),
            AtFlags::empty(),
        )?)
    }
}

fn create(name: &str, identity: &Identity, place: &Place<'_>) -> io::Result<()> {
    let user = os::users::user_by_name(name).map_err(io::Error::other)?;
    // Whatever the front says: a file of that name is that user's.
    if user.is_none_or(|user| user.uid != identity.uid) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let owner = (identity.uid, identity.gid);
    mail_spool::create(&mail_spool::open(place.directory)?, name, owner)
}

fn is_stale(directory: &std::os::fd::OwnedFd, lock: &str, after: Duration) -> bool {
    let Ok(found) = rustix::fs::statat(directory, lock, AtFlags::SYMLINK_NOFOLLOW) else {
        return false;
    };
    let changed = u64::try_from(found.st_mtime).unwrap_or(0);
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(changed);
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
        && changed.elapsed().is_ok_and(|age| age > after)
}
