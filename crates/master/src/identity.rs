//! Who may become which user: one pure function, and giving up root for good.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use config::Loaded;
use os::identity::Identity;
use os::users::User;

/// The users that are tried when the configuration names none that exists.
const UNPRIVILEGED: [&str; 2] = ["yubin", "nobody"];

/// What the queue keeps below its directory.
const QUEUE_PARTS: [&str; 6] = ["large", "lock", "log", "maildrop", "pid", "public"];

/// Whether a process of `own` effective uid may act as `wanted`: as itself, or, being root, as anybody but root.
pub fn may_become(own: u32, wanted: u32) -> bool {
    own == wanted || (own == 0 && wanted != 0)
}

/// As whom the single profile runs when root starts it: the one owner of all virtual mailboxes if there is one, else
/// `mail_owner`, else an unprivileged user.
///
/// # Errors
/// When no such user exists: root is never kept.
pub fn single_user(loaded: &Loaded) -> Result<User> {
    if let Some(owner) = virtual_owner(loaded)? {
        return Ok(owner);
    }
    let owner = user(&loaded.postfix.mail_owner)?.filter(|user| user.uid != 0);
    owner.map_or_else(unprivileged_user, Ok)
}

/// Whom the embedded system runs as when root starts it.
///
/// # Errors
/// When no such user exists: root is never kept.
pub fn unprivileged_user() -> Result<User> {
    for name in UNPRIVILEGED {
        if let Some(user) = user(name)?.filter(|user| user.uid != 0) {
            return Ok(user);
        }
    }
    bail!(
        "there is no user {} to run as: root is never kept",
        UNPRIVILEGED.join(" or ")
    )
}

/// Becomes `user` for good.
///
/// # Errors
/// When the system refuses; the process must not go on.
pub fn become_user(user: &User) -> Result<()> {
    Ok(Identity::of(user)?.take()?)
}

/// The uid that every userdb gives to everybody (`args = uid=vmail …`), or that owns the embedded system's users.
fn virtual_owner(loaded: &Loaded) -> Result<Option<User>> {
    let Some(dovecot) = &loaded.dovecot else {
        return Ok(None);
    };
    for userdb in dovecot.userdbs.iter().filter(|userdb| userdb.driver == "static") {
        let uid = userdb
            .args
            .split_whitespace()
            .find_map(|word| word.strip_prefix("uid="));
        if let Some(uid) = uid {
            return user(uid);
        }
    }
    Ok(None)
}

/// A user by name or number.
fn user(name: &str) -> Result<Option<User>> {
    let found = match name.parse() {
        Ok(uid) => os::users::user_by_uid(uid),
        Err(_) => os::users::user_by_name(name),
    };
    found.with_context(|| format!("cannot look up user {name}"))
}

/// Stops being root, if this is root, and hands the queue and the log over to the new identity first.
///
/// # Errors
/// When the system refuses; the process must not go on.
pub fn give_up_root(loaded: &Loaded) -> Result<()> {
    if !os::identity::is_root() {
        return Ok(());
    }
    let user = single_user(loaded)?;
    let queue = &loaded.postfix.queue_directory;
    std::fs::create_dir_all(queue)
        .with_context(|| format!("cannot create the queue directory {}", queue.display()))?;
    // Only what is ours: a queue directory may be shared with what another mail system left there.
    for path in std::iter::once(queue.clone()).chain(QUEUE_PARTS.map(|part| queue.join(part))) {
        let given: Result<()> = match std::fs::symlink_metadata(&path) {
            Ok(_) if path == *queue => {
                std::os::unix::fs::lchown(&path, Some(user.uid), Some(user.gid)).map_err(Into::into)
            }
            Ok(_) => os::ownership::give_tree(&path, user.uid, user.gid).map_err(Into::into),
            Err(_) => Ok(()),
        };
        given.with_context(|| format!("cannot give {} to {}", path.display(), user.name))?;
    }
    become_user(&user)
}

/// The first directory on the way to `path` that is closed to `user`.
///
/// # Errors
/// When a directory cannot be looked at.
pub fn closed_on_the_way(path: &Path, user: &User) -> Result<Option<PathBuf>> {
    let path =
        std::path::absolute(path).with_context(|| format!("cannot tell where {} is", path.display()))?;
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    ancestors.reverse();
    for directory in ancestors {
        let found = match std::fs::metadata(directory) {
            Ok(found) => found,
            // What is not there yet will be made.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot look at {}", directory.display()));
            }
        };
        let needed = if found.uid() == user.uid {
            0o100
        } else if found.gid() == user.gid {
            0o010
        } else {
            0o001
        };
        if found.mode() & needed == 0 {
            return Ok(Some(directory.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::may_become;

    #[test]
    fn root_becomes_anybody_but_root_and_others_stay_themselves() {
        assert!(may_become(1000, 1000) && may_become(0, 1000) && may_become(0, 0));
        assert!(!may_become(1000, 0) && !may_become(1000, 1001));
    }
}
