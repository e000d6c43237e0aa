//! The file `dovecot-acl` of a mailbox: an identifier and letters a line, as Dovecot's acl plugin (vfile) reads and writes it.
//! What it does not know of a file stays as it is.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use mailbox::rights::{AclEntry, Identifier, Rights, RightsChange};
use mailbox::{Error, Result};
use os::locks::{Dotlock, STALE_AFTER, Tries};

/// The file's name.
pub(super) const NAME: &str = "dovecot-acl";
/// The largest file that is read, in octets.
const BYTES_MAX: u64 = 1 << 20;
/// How often, and after which pause, a lock that another program holds is tried again.
const TRIES: Tries = Tries {
    attempts: 100,
    pause: Duration::from_millis(20),
};

/// The entries of a mailbox's list, in the order in which they count; none where there is no file.
pub(super) fn read(directory: &Path) -> Result<Vec<AclEntry>> {
    let mut entries: Vec<AclEntry> = text(directory)?.lines().filter_map(entry).collect();
    entries.sort_by(|a, b| (&a.identifier, a.is_negative).cmp(&(&b.identifier, b.is_negative)));
    Ok(entries)
}

fn text(directory: &Path) -> Result<String> {
    let path = directory.join(NAME);
    let failed = |source| Error::Io {
        what: format!("cannot read {}", path.display()),
        source,
    };
    match std::fs::metadata(&path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(error) => Err(failed(error)),
        Ok(meta) if meta.len() > BYTES_MAX => Err(failed(ErrorKind::FileTooLarge.into())),
        Ok(_) => std::fs::read_to_string(&path).map_err(failed),
    }
}

/// A line: `user=bob lrs`, `-user=bob s`, `owner lrwst`, `"user=with space" lr`.
fn entry(line: &str) -> Option<AclEntry> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, letters) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once(char::is_whitespace).unwrap_or((line, "")),
    };
    let (name, is_negative) = match name.strip_prefix('-') {
        Some(name) => (name, true),
        None => (name, false),
    };
    // After a colon stand rights by their names, which are not told to clients.
    let letters = letters.trim().split(':').next().unwrap_or_default().trim();
    Some(AclEntry {
        identifier: identifier(name)?,
        is_negative,
        letters: Rights::letters(letters).by_name(),
    })
}

fn identifier(name: &str) -> Option<Identifier> {
    Some(match name.split_once('=') {
        Some(("user", user)) => Identifier::User(user.to_owned()),
        Some(("group", group)) => Identifier::Group(group.to_owned()),
        Some(("group-override", group)) => Identifier::GroupOverride(group.to_owned()),
        _ => match name {
            "owner" => Identifier::Owner,
            "anyone" | "anonymous" => Identifier::Anyone,
            "authenticated" => Identifier::Authenticated,
            _ => return None,
        },
    })
}

fn line(entry: &AclEntry) -> String {
    let name = match &entry.identifier {
        Identifier::Anyone => "anyone".to_owned(),
        Identifier::Authenticated => "authenticated".to_owned(),
        Identifier::Group(group) => format!("group={group}"),
        Identifier::Owner => "owner".to_owned(),
        Identifier::User(user) => format!("user={user}"),
        Identifier::GroupOverride(group) => format!("group-override={group}"),
    };
    let name = if entry.is_negative {
        format!("-{name}")
    } else {
        name
    };
    match name.contains(' ') {
        true => format!("\"{name}\" {}\n", entry.letters),
        false => format!("{name} {}\n", entry.letters),
    }
}

/// Changes the entry of somebody; gives back the entries afterwards.
pub(super) fn change(
    directory: &Path,
    (identifier, is_negative): (&Identifier, bool),
    change: RightsChange,
) -> Result<Vec<AclEntry>> {
    replace(directory, |old| {
        let mut entries: Vec<AclEntry> = old.lines().filter_map(entry).collect();
        let unknown = old
            .lines()
            .filter(|line| entry(line).is_none() && !line.is_empty());
        let unknown: String = unknown.map(|line| format!("{line}\n")).collect();
        let is_it = |entry: &AclEntry| entry.identifier == *identifier && entry.is_negative == is_negative;
        let before = entries.iter().find(|entry| is_it(entry)).map(AclEntry::rights);
        let rights = match (change, before) {
            (RightsChange::Set(rights), _) => Some(rights),
            (RightsChange::Add(more), before) => Some(before.unwrap_or_default().union(more)),
            (RightsChange::Remove(less), Some(before)) => Some(before.without(less)),
            (RightsChange::Remove(_), None) | (RightsChange::Delete, _) => None,
        };
        entries.retain(|entry| !is_it(entry));
        entries.extend(rights.map(|rights| AclEntry {
            identifier: identifier.clone(),
            is_negative,
            letters: rights.by_name(),
        }));
        entries.sort_by(|a, b| (&a.identifier, a.is_negative).cmp(&(&b.identifier, b.is_negative)));
        let text: String = entries.iter().map(line).collect();
        (unknown + &text, entries)
    })
}

/// A new mailbox begins with the list of the one above it.
pub(super) fn inherit(from: &Path, to: &Path) -> Result<()> {
    let parents = text(from)?;
    if parents.is_empty() {
        return Ok(());
    }
    replace(to, |_| (parents, ()))
}

/// Writes the file anew, under the lock that Dovecot takes.
fn replace<T>(directory: &Path, make: impl FnOnce(&str) -> (String, T)) -> Result<T> {
    let path = directory.join(NAME);
    let failed = |source| Error::Io {
        what: format!("cannot write {}", path.display()),
        source,
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let _lock = Dotlock::take(&path, TRIES, STALE_AFTER).map_err(|error| match error {
        os::Error::Locked(_) => Error::Locked(path.display().to_string()),
        error => failed(std::io::Error::other(error)),
    })?;
    let (new, made) = make(&text(directory)?);
    let beside = directory.join(format!("{NAME}.new"));
    os::files::create_like_directory(&beside)
        .and_then(|mut file| {
            file.write_all(new.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(failed)?;
    Ok(made)
}

/// What the entries say that a user may; where they say nothing of the owner, the owner may everything.
pub(super) fn rights(entries: &[AclEntry], user: &str, groups: &[String], is_owner: bool) -> Rights {
    /// Kinds of identifiers: what a later one says takes the place of what an earlier one said.
    fn kind(identifier: &Identifier) -> u8 {
        match identifier {
            Identifier::Anyone => 0,
            Identifier::Authenticated => 1,
            Identifier::Group(_) => 2,
            Identifier::Owner => 3,
            Identifier::User(_) => 4,
            Identifier::GroupOverride(_) => 5,
        }
    }
    let mut all = entries.to_vec();
    if is_owner && !entries.iter().any(|entry| entry.identifier == Identifier::Owner) {
        all.push(AclEntry {
            identifier: Identifier::Owner,
            is_negative: false,
            letters: Rights::ALL.to_string(),
        });
        all.sort_by(|a, b| (&a.identifier, a.is_negative).cmp(&(&b.identifier, b.is_negative)));
    }
    let (mut rights, mut last) = (Rights::NONE, None);
    for entry in &all {
        let is_about = match &entry.identifier {
            Identifier::Anyone | Identifier::Authenticated => true,
            Identifier::Group(group) | Identifier::GroupOverride(group) => groups.contains(group),
            Identifier::Owner => is_owner,
            Identifier::User(name) => name == user,
        };
        if !is_about {
            continue;
        }
        let this = kind(&entry.identifier);
        rights = match entry.is_negative {
            true => rights.without(entry.rights()),
            false if last == Some(this) => rights.union(entry.rights()),
            false => entry.rights(),
        };
        last = Some(this);
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_changed_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        assert_eq!(read(at).unwrap(), []);
        std::fs::write(
            at.join(NAME),
            "# kept\nuser=bob lrs\n-user=bob s\nowner lrwst :extra\n",
        )
        .unwrap();
        let bob = Identifier::User("bob".to_owned());
        let of = |who: &str, is_owner| rights(&read(at).unwrap(), who, &[], is_owner).to_string();
        assert_eq!(
            (of("bob", false), of("x", false), of("alice", true)),
            ("lr".into(), "".into(), "lrwst".into())
        );
        change(at, (&bob, true), RightsChange::Delete).unwrap();
        change(at, (&bob, false), RightsChange::Add(Rights::letters("w"))).unwrap();
        let carol = Identifier::User("carol king".to_owned());
        change(at, (&carol, false), RightsChange::Set(Rights::letters("rl"))).unwrap();
        change(at, (&carol, false), RightsChange::Remove(Rights::letters("r"))).unwrap();
        let text = std::fs::read_to_string(at.join(NAME)).unwrap();
        assert_eq!(
            text,
            "# kept\nowner lrwts\nuser=bob lrws\n\"user=carol king\" l\n"
        );
        assert_eq!(of("carol king", false), "l");
        assert!(!at.join("dovecot-acl.lock").exists());
    }

    #[test]
    fn what_is_said_of_fewer_counts_more() {
        let entries: Vec<AclEntry> = [
            "anyone l",
            "authenticated lr",
            "group=a lw",
            "group=b s",
            "user=bob e",
            "group-override=c a",
        ]
        .iter()
        .filter_map(|line| entry(line))
        .collect();
        let of = |user: &str, groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            rights(&entries, user, &groups, false).to_string()
        };
        assert_eq!(of("x", &[]), "lr");
        assert_eq!(of("x", &["a"]), "lw");
        assert_eq!(of("x", &["a", "b"]), "lws");
        assert_eq!(of("bob", &["a"]), "e");
        assert_eq!(of("bob", &["c"]), "a");
    }

    #[test]
    fn a_lock_that_a_crash_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let left = format!("999999999:{}", os::hostname::hostname());
        std::fs::write(dir.path().join("dovecot-acl.lock"), left).unwrap();
        let bob = Identifier::User("bob".to_owned());
        change(dir.path(), (&bob, false), RightsChange::Set(Rights::letters("l"))).unwrap();
        assert_eq!(read(dir.path()).unwrap().len(), 1);
        assert!(!dir.path().join("dovecot-acl.lock").exists());
    }
}
