//! Owners and modes of what a system that root starts works with, and the users and groups it needs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use config::Loaded;
use master::{identity, left_queue};
use os::users::{Group, User};

use super::Finding;

const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
/// The maildrop's mode: members of the group leave files and see none.
const MAILDROP: u32 = 0o1730;
/// postdrop's mode.
const SET_GID: u32 = 0o2755;
const SET_UID_BIT: u32 = 0o4000;
const SET_GID_BIT: u32 = 0o2000;
const OTHERS_RUN: u32 = 0o001;
/// What root's own agents read at every connection.
const HOSTS_ACCESS: [&str; 2] = ["/etc/hosts.allow", "/etc/hosts.deny"];

/// What is wrong with the accounts that `loaded` names, and with what must belong to them.
pub(super) fn of(loaded: &Loaded) -> Vec<Finding> {
    let mut found = Vec::new();
    let postfix = &loaded.postfix;
    let owner = account("mail_owner", &postfix.mail_owner, &mut found);
    let group = drop_group(&postfix.setgid_group, &mut found);
    if let Some(owner) = &owner {
        if owner.uid == 0 {
            found.push(Finding::error(
                "mail_owner is root: mail is never handled as root. Name a user of its own".to_owned(),
            ));
        }
        if group.as_ref().is_some_and(|group| group.gid == owner.gid) {
            found.push(Finding::warning(format!(
                "setgid_group {} is the group of mail_owner {}: whoever can run postdrop has the rights of that group. \
                 Take a group that nothing else uses",
                postfix.setgid_group, postfix.mail_owner
            )));
        }
    }
    if let Some(user) = account("default_privs", &postfix.default_privs, &mut found)
        && (user.uid == 0 || owner.as_ref().is_some_and(|owner| owner.uid == user.uid))
    {
        found.push(Finding::error(format!(
            "default_privs is {}: commands of aliases must not run as root or as mail_owner",
            user.name
        )));
    }
    if let Some(owner) = &owner {
        queue(loaded, owner, group.as_ref(), &mut found);
        hosts_access(owner, &mut found);
    }
    if let Some(group) = &group {
        postdrop(loaded, group, &mut found);
    }
    mail_spool(loaded, &mut found);
    found
}

fn account(setting: &str, name: &str, found: &mut Vec<Finding>) -> Option<User> {
    let user = os::users::user_by_name(name);
    let text = match user {
        Ok(Some(user)) => return Some(user),
        Ok(None) => format!("{setting}: there is no user {name}. `yubin install` makes mail_owner"),
        Err(error) => format!("{setting}: cannot look up user {name}: {error}"),
    };
    found.push(Finding::error(text));
    None
}

fn drop_group(name: &str, found: &mut Vec<Finding>) -> Option<Group> {
    match os::users::group_by_name(name) {
        Ok(Some(group)) => return Some(group),
        Ok(None) => found.push(Finding::warning(format!(
            "setgid_group: there is no group {name}: users cannot leave mail while the system is down. `yubin install` makes it"
        ))),
        Err(error) => found.push(Finding::error(format!(
            "setgid_group: cannot look up group {name}: {error}"
        ))),
    }
    None
}

fn queue(loaded: &Loaded, owner: &User, group: Option<&Group>, found: &mut Vec<Finding>) {
    let postfix = &loaded.postfix;
    found.extend(left_queue::complaint(&postfix.queue_directory).map(Finding::error));
    let queue = (&postfix.queue_directory, Holds::Queue);
    for (directory, holds) in [queue, (&postfix.data_directory, Holds::Data)] {
        if let Ok(Some(closed)) = identity::closed_on_the_way(directory, owner) {
            found.push(Finding::error(format!(
                "{}: {} cannot come there: {} is closed to it: chmod o+x {2}",
                directory.display(),
                owner.name,
                closed.display()
            )));
        }
        match std::fs::symlink_metadata(directory) {
            Err(_) => found.push(Finding::note(format!(
                "{}: it is not there yet; the first start makes it",
                directory.display()
            ))),
            Ok(state) => owned((directory, holds), &state, owner, found),
        }
    }
    for part in ["log", "large", "public"] {
        let path = postfix.queue_directory.join(part);
        if let Ok(state) = std::fs::symlink_metadata(&path) {
            owned((&path, Holds::Queue), &state, owner, found);
        }
    }
    let maildrop = postfix.queue_directory.join("maildrop");
    let (Some(group), Ok(state)) = (group, std::fs::symlink_metadata(&maildrop)) else {
        return;
    };
    if (state.uid(), state.gid(), state.mode() & 0o7777) != (owner.uid, group.gid, MAILDROP) {
        let (user, group, path) = (&owner.name, &group.name, maildrop.display());
        found.push(Finding::warning(format!(
            "{path}: it should belong to {user}:{group} with mode {MAILDROP:04o}, and has {}:{} and {:04o}. A start sets it right; \
             or: chown {user}:{group} {path}; chmod {MAILDROP:o} {path}",
            state.uid(),
            state.gid(),
            state.mode() & 0o7777
        )));
    }
}

/// What lies in a directory of the mail system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Queue,
    Data,
}

fn owned((path, holds): (&Path, Holds), state: &Metadata, owner: &User, found: &mut Vec<Finding>) {
    const START: &str = "yubin install or a start by root sets it right; or: ";
    let is_full = || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    let (what, cure) = match holds {
        Holds::Queue => ("queued", START),
        // A start does not give away what it does not know.
        Holds::Data if state.uid() != 0 || is_full() => ("kept there", ""),
        Holds::Data => ("kept there", START),
    };
    let (path, name) = (path.display(), &owner.name);
    if !state.is_dir() {
        found.push(Finding::error(format!("{path}: it is no directory")));
        return;
    }
    if state.uid() != owner.uid {
        found.push(Finding::error(format!(
            "{path}: it does not belong to mail_owner {name} but to user id {}, so that nothing can be {what}: {cure}chown -R {name} \
             {path}",
            state.uid(),
        )));
    }
    if state.mode() & GROUP_OR_OTHERS_WRITE != 0 {
        found.push(Finding::warning(format!(
            "{path}: others than {name} can write there (mode {:04o}): chmod go-w {path}",
            state.mode() & 0o7777
        )));
    }
}

/// The program that lets users leave mail while the system is down: beside this one, else in `command_directory`.
fn postdrop(loaded: &Loaded, group: &Group, found: &mut Vec<Finding>) {
    let beside = std::env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent);
    let directories = beside
        .into_iter()
        .chain([loaded.postfix.command_directory.as_path()]);
    let mut places = directories.map(|directory| directory.join("postdrop"));
    let found_one = places.find_map(|path| path.metadata().ok().map(|state| (path, state)));
    let Some((path, state)) = found_one else {
        found.push(Finding::warning(
            "there is no postdrop: users cannot leave mail while the system is down. `yubin install` puts it in its place"
                .to_owned(),
        ));
        return;
    };
    found.extend(postdrop_is_wrong(
        &path,
        (state.uid(), state.gid(), state.mode() & 0o7777),
        group,
    ));
}

/// Why postdrop with this owner, group and mode does not do what it is for, or does more.
fn postdrop_is_wrong(path: &Path, (uid, gid, mode): (u32, u32, u32), group: &Group) -> Option<Finding> {
    if (uid, gid, mode) == (0, group.gid, SET_GID) {
        return None;
    }
    let (tell, follows): (fn(String) -> Finding, &str) = if mode & SET_UID_BIT != 0 {
        (Finding::error, "users run it with the rights of its owner")
    } else if mode & GROUP_OR_OTHERS_WRITE != 0 || uid != 0 {
        (Finding::error, "others than root can put another program there")
    } else if mode & SET_GID_BIT == 0 || gid != group.gid || mode & OTHERS_RUN == 0 {
        (Finding::error, "users cannot leave mail while the system is down")
    } else {
        (Finding::warning, "it works, and is not as it was installed")
    };
    let path = path.display();
    Some(tell(format!(
        "{path}: it should belong to root:{0} with mode {SET_GID:04o}, and has {uid}:{gid} and {mode:04o}: {follows}. \
         chown root:{0} {path}; chmod {SET_GID:o} {path}",
        group.name,
    )))
}

fn hosts_access(owner: &User, found: &mut Vec<Finding>) {
    for path in HOSTS_ACCESS.map(Path::new) {
        let Ok(state) = path.metadata() else { continue };
        let readable = if state.uid() == owner.uid {
            0o400
        } else if state.gid() == owner.gid {
            0o040
        } else {
            0o004
        };
        if state.mode() & readable == 0 {
            found.push(Finding::error(format!(
                "{0}: {1} cannot read it, so that every client is refused: chmod a+r {0}",
                path.display(),
                owner.name
            )));
        }
    }
}

/// Where mailboxes are made by whoever may: root, for the users.
fn mail_spool(loaded: &Loaded, found: &mut Vec<Finding>) {
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let postfix = &loaded.postfix;
    let directory = &postfix.mail_spool_directory;
    // What is set instead may still leave it to some users.
    let is_default = [
        &postfix.home_mailbox,
        &postfix.mailbox_command,
        &postfix.mailbox_transport,
    ]
    .iter()
    .all(|instead| instead.is_empty());
    let missing = if is_default { Finding::error } else { Finding::note };
    match directory.metadata() {
        Err(_) => found.push(missing(format!(
            "mail_spool_directory: {0} is not there: mail that goes there waits. mkdir -m 2775 {0}; chgrp mail {0}",
            directory.display()
        ))),
        Ok(state) if state.mode() & OTHERS_WRITE != 0 && state.mode() & STICKY == 0 => {
            found.push(Finding::warning(format!(
                "mail_spool_directory: {0}: everybody can remove everybody's mailbox (mode {1:04o}): chmod o-w {0}",
                directory.display(),
                state.mode() & 0o7777
            )));
        }
        // The supervisor makes mailboxes and locks for users whose agents may not, but nowhere where a user could put links.
        Ok(state) if state.uid() != 0 && state.mode() & OTHERS_WRITE == 0 => {
            found.push(Finding::warning(format!(
                "mail_spool_directory: {0}: it belongs to user id {1}, and root makes no mailboxes there for users who have none: \
                 chown root {0}",
                directory.display(),
                state.uid()
            )));
        }
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown};

    #[test]
    fn owners_and_modes_are_told_with_what_to_do() {
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().display().to_string();
        let main = format!(
            "queue_directory = {place}/spool\ndata_directory = {place}/data\nmail_owner = nobody\nsetgid_group = mail\n\
             default_privs = daemon\nmail_spool_directory = {place}/mail\n"
        );
        std::fs::write(dir.path().join("main.cf"), main).expect("written");
        std::fs::write(dir.path().join("master.cf"), "").expect("written");
        std::fs::create_dir_all(dir.path().join("spool/maildrop")).expect("made");
        let set = |path: &str, mode| {
            std::fs::set_permissions(dir.path().join(path), Permissions::from_mode(mode)).expect("set");
        };
        set("", 0o700);
        let texts = || {
            let loaded = config::load(dir.path(), &config::Options::default());
            of(&loaded)
                .into_iter()
                .map(|finding| format!("{}: {}", finding.word(), finding.text))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let before = texts();
        for part in [
            format!("error: {place}/spool: it does not belong to mail_owner nobody"),
            format!("{place}/data: it is not there yet"),
            format!("chown nobody:mail {place}/spool/maildrop; chmod 1730"),
            format!("error: mail_spool_directory: {place}/mail is not there"),
            format!("error: {place}/spool: nobody cannot come there: {place} is closed to it"),
        ] {
            assert!(before.contains(&part), "{part} is not in:\n{before}");
        }
        for part in ["active", "deferred", "incoming"] {
            std::fs::create_dir(dir.path().join("spool").join(part)).expect("made");
        }
        let complaint = format!("error: queue_directory: {place}/spool: that is the queue of Postfix");
        assert!(texts().contains(&complaint), "{}", texts());
        std::fs::create_dir(dir.path().join("spool/log")).expect("made");
        std::fs::write(dir.path().join("spool/log/segment-1"), "").expect("written");
        set("", 0o755);
        std::fs::create_dir_all(dir.path().join("data")).expect("made");
        std::fs::create_dir_all(dir.path().join("mail")).expect("made");
        let nobody = os::users::user_by_name("nobody").expect("asked").expect("there");
        let mail = os::users::group_by_name("mail").expect("asked").expect("there");
        for path in ["spool", "spool/log", "data"] {
            chown(dir.path().join(path), Some(nobody.uid), Some(nobody.gid)).expect("given");
        }
        chown(
            dir.path().join("spool/maildrop"),
            Some(nobody.uid),
            Some(mail.gid),
        )
        .expect("given");
        set("spool/maildrop", 0o1730);
        let after = texts();
        assert!(!after.contains(&place), "{after}");
    }

    #[test]
    fn a_postdrop_that_is_useless_or_dangerous_is_an_error() {
        let group = Group {
            name: "postdrop".to_owned(),
            gid: 77,
            members: Vec::new(),
        };
        let word = |uid, gid, mode| {
            let finding = postdrop_is_wrong(Path::new("/p/postdrop"), (uid, gid, mode), &group);
            finding.map_or("fine", |finding| finding.word())
        };
        assert_eq!(word(0, 77, 0o2755), "fine");
        for (uid, gid, mode) in [
            (0, 77, 0o755),
            (0, 0, 0o2755),
            (0, 77, 0o4755),
            (0, 77, 0o6755),
            (0, 77, 0o2775),
            (8, 77, 0o2755),
            (0, 77, 0o2750),
        ] {
            assert_eq!(word(uid, gid, mode), "error", "{uid}:{gid} {mode:o}");
        }
        assert_eq!(word(0, 77, 0o2711), "warning");
        let text =
            postdrop_is_wrong(Path::new("/p/postdrop"), (0, 77, 0o4755), &group).map(|found| found.text);
        assert_eq!(
            text.as_deref(),
            Some(
                "/p/postdrop: it should belong to root:postdrop with mode 2755, and has 0:77 and 4755: users run it with the \
                 rights of its owner. chown root:postdrop /p/postdrop; chmod 2755 /p/postdrop"
            )
        );
    }
}
