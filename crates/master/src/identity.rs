//! Who may become which user ([`may_become`], one pure function), and giving up root for good.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use config::Loaded;
use deliver_local::pipe::Pipes;
use ipc::roles::Kind;
use os::identity::Identity;
use os::users::User;
use settings::{Dovecot, Postfix, Userdb};

use crate::snapshot::Snapshot;

/// Whom nothing that reads mail ever runs as.
const ROOT: u32 = 0;

/// The user that `yubin install` makes when nothing else is named.
const INSTALLED_USER: &str = "yubin";

/// The users that are tried when the configuration names none that exists.
const UNPRIVILEGED: [&str; 2] = [INSTALLED_USER, "nobody"];

/// What the queue keeps below its directory, but for the maildrop (`maildrop.rs`).
const QUEUE_PARTS: [&str; 5] = ["large", "lock", "log", "pid", "public"];

/// What decides who may become whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The effective uid of the supervisor.
    pub own: u32,
    /// As whom the front runs: nobody else's business is done as that.
    pub front: u32,
    /// The group as which it runs.
    pub front_gid: u32,
    /// The uids and gids that `user=` of transports of master.cf name (pipe(8)).
    pub pipes: Vec<(u32, u32)>,
    /// The uids that commands, files and includes of alias tables may have: `default_privs`, and owners of tables.
    pub tables: Vec<u32>,
}

impl Policy {
    /// The policy of a supervisor with this configuration.
    pub fn of(snapshot: &Snapshot, front: &User) -> Policy {
        let postfix = &snapshot.postfix;
        let default_privs = user(&postfix.default_privs).ok().flatten();
        let owners = postfix.alias_maps.iter().filter_map(|table| {
            let path = Path::new(&table.name);
            let database = PathBuf::from(format!("{}.db", table.name));
            let found = std::fs::metadata(path).or_else(|_| std::fs::metadata(database));
            found.ok().map(|found| found.uid())
        });
        Policy {
            own: Identity::current().uid,
            front: front.uid,
            front_gid: front.gid,
            pipes: Pipes::of(&snapshot.transports).ids(),
            tables: default_privs
                .map(|user| user.uid)
                .into_iter()
                .chain(owners)
                .collect(),
        }
    }
}

/// Why somebody may not be become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is root, or its group.
    #[error("mail is never handled as root")]
    Root,
    /// It owns the queue.
    #[error("that is the owner of the queue (mail_owner): mail of users needs another uid")]
    QueueOwner,
    /// It is no uid of `default_privs` or of an alias table's owner.
    #[error("alias tables give no rights of that user")]
    NotOfATable,
    /// It is no user of a transport in master.cf.
    #[error("no transport of master.cf has that user")]
    NotOfATransport,
    /// Only root can become somebody else.
    #[error("Yubin runs as another user and is not root")]
    NotRoot,
}

/// Whether a process with `uid` and `gid` may be started for business of that kind (pure).
///
/// # Errors
/// The first [`Refusal`] that holds.
pub fn may_become(policy: &Policy, uid: u32, gid: u32, kind: Kind) -> std::result::Result<(), Refusal> {
    if policy.own != ROOT {
        return if uid == policy.own {
            Ok(())
        } else {
            Err(Refusal::NotRoot)
        };
    }
    if uid == ROOT || gid == ROOT {
        return Err(Refusal::Root);
    }
    if uid == policy.front {
        return Err(Refusal::QueueOwner);
    }
    match kind {
        Kind::Table if !policy.tables.contains(&uid) => Err(Refusal::NotOfATable),
        // As Postfix: nor with its group, to which the queue's files may be open.
        Kind::Pipe if gid == policy.front_gid => Err(Refusal::QueueOwner),
        Kind::Pipe if !policy.pipes.contains(&(uid, gid)) => Err(Refusal::NotOfATransport),
        Kind::Table | Kind::User | Kind::Virtual | Kind::Pipe => Ok(()),
    }
}

/// As whom the front runs when root starts the system: `mail_owner`; where only mailboxes are served, `default_login_user`.
///
/// # Errors
/// When there is no such user, or it is root.
pub fn front_user(loaded: &Loaded, serves_mta: bool) -> Result<User> {
    let (name, place) = front_user_name(loaded, serves_mta);
    match user(&name)? {
        Some(user) if user.uid != ROOT => Ok(user),
        Some(_) => bail!("{place}: {name} is root: mail is never handled as root"),
        None => bail!("{place}: there is no user {name}: `yubin install` makes it, --single does without"),
    }
}

/// Looks at every user whom the configuration has processes run as, before any is started or told of it.
///
/// # Errors
/// All that is wrong, in one text.
pub fn check(loaded: &Loaded, serves_mta: bool) -> Result<()> {
    let front = front_user(loaded, serves_mta).map_err(|error| os::with_causes(error.as_ref()));
    let auth = loaded.dovecot.as_ref().map_or(Ok(None), auth_user);
    let mut wrong: Vec<String> = auth
        .err()
        .map(|error| os::with_causes(error.as_ref()))
        .into_iter()
        .collect();
    if serves_mta {
        wrong.extend(wrong_default_privs(loaded, front.as_ref().ok()));
    }
    wrong.extend(front.err());
    match wrong.is_empty() {
        true => Ok(()),
        false => bail!(wrong.join("; ")),
    }
}

/// Why nothing may be done as `default_privs` (postconf(5): not root, not the owner of the queue). A default that nobody made
/// on this system is told by `yubin check`, and by the first delivery that needs it.
fn wrong_default_privs(loaded: &Loaded, front: Option<&User>) -> Option<String> {
    let name = &loaded.postfix.default_privs;
    let place = format!("main.cf:{}: default_privs", loaded.main.line_of("default_privs"));
    let user = match user(name) {
        Ok(Some(user)) => user,
        Ok(None) if !loaded.values.explicit().contains_key("default_privs") => return None,
        Ok(None) => return Some(format!("{place}: there is no user {name}")),
        Err(error) => return Some(format!("{place}: {}", os::with_causes(error.as_ref()))),
    };
    if user.uid == ROOT || user.gid == ROOT {
        return Some(format!(
            "{place}: {name} has the rights of root: mail is never handled as root"
        ));
    }
    let is_front = front.is_some_and(|front| front.uid == user.uid);
    is_front.then(|| {
        format!("{place}: {name} owns the queue (mail_owner): commands of aliases need another user")
    })
}

/// As whom passwords are verified: Dovecot's internal user, or root (`None`) where the system's own passwords are asked for,
/// where a database is a file that the internal user may not read, or where there is no such user.
///
/// # Errors
/// When the system cannot be asked for the user.
pub fn auth_user(dovecot: &Dovecot) -> Result<Option<User>> {
    const ROOTS: [&str; 4] = ["pam", "shadow", "passwd", "bsdauth"];
    let Some(user) = user(&dovecot.default_internal_user)? else {
        return Ok(None);
    };
    let groups = os::users::groups_of(&user)?;
    let is_open = |path: &str| match std::fs::metadata(path) {
        Ok(found) if found.uid() == user.uid => found.mode() & 0o400 != 0,
        Ok(found) if groups.contains(&found.gid()) => found.mode() & 0o040 != 0,
        Ok(found) => found.mode() & 0o004 != 0,
        // It will be told by the one who needs it.
        Err(_) => true,
    };
    let passdbs = dovecot.passdbs.iter();
    let of_passdbs = passdbs.clone().map(|block| (block.args.as_str(), &block.options));
    let userdbs = dovecot.userdbs.iter();
    let of_userdbs = userdbs.map(|block| (block.args.as_str(), &block.options));
    let mut files = of_passdbs.chain(of_userdbs).flat_map(|(args, options)| {
        let words = args
            .split_whitespace()
            .chain(options.values().map(String::as_str));
        words.filter(|word| word.starts_with('/') && !word.contains('%'))
    });
    let needs_root = passdbs
        .clone()
        .any(|block| ROOTS.contains(&block.driver.as_str()));
    Ok((!needs_root && files.all(is_open)).then_some(user))
}

/// The name of [`front_user`], and where it stands.
fn front_user_name(loaded: &Loaded, serves_mta: bool) -> (String, String) {
    match &loaded.dovecot {
        Some(dovecot) if !serves_mta => (
            login_user_name(dovecot),
            "dovecot.conf: default_login_user".to_owned(),
        ),
        _ => {
            let place = format!("main.cf:{}: mail_owner", loaded.main.line_of("mail_owner"));
            (loaded.postfix.mail_owner.clone(), place)
        }
    }
}

/// `default_login_user`. Its default is a user that Dovecot's package makes: without that it is the one that `yubin install` made.
fn login_user_name(dovecot: &Dovecot) -> String {
    let name = &dovecot.default_login_user;
    let is_there = |name: &str| user(name).is_ok_and(|user| user.is_some());
    let is_default = *name == Dovecot::defaults().default_login_user;
    if is_default && !is_there(name) && is_there(INSTALLED_USER) {
        INSTALLED_USER.to_owned()
    } else {
        name.clone()
    }
}

/// A user that a default names and nobody made: a system that was never installed. It runs in one process.
pub fn missing_default_user(loaded: &Loaded, serves_mta: bool) -> Option<String> {
    let (name, _) = front_user_name(loaded, serves_mta);
    let default = match &loaded.dovecot {
        Some(_) if !serves_mta => Dovecot::defaults().default_login_user,
        _ if loaded.values.explicit().contains_key("mail_owner") => return None,
        _ => name.clone(),
    };
    let is_missing = || user(&name).is_ok_and(|user| user.is_none());
    (name == default && is_missing()).then_some(name)
}

/// Gives the queue to `user`.
///
/// # Errors
/// What cannot be given; that it is another mail system's queue.
pub fn give_queue(postfix: &Postfix, user: &User) -> Result<()> {
    let queue = &postfix.queue_directory;
    if let Some(complaint) = crate::left_queue::complaint(queue) {
        bail!("{complaint}");
    }
    std::fs::create_dir_all(queue)
        .with_context(|| format!("cannot create the queue directory {}", queue.display()))?;
    let setgid_group = os::users::group_by_name(&postfix.setgid_group)
        .with_context(|| format!("cannot look up setgid_group {}", postfix.setgid_group))?;
    give_parts(queue, (user.uid, user.gid), setgid_group.map(|group| group.gid))
}

/// Makes `data_directory`, or gives it to `user` where it is root's and empty. What is there otherwise stays whose it is. What is to
/// be told of it comes back: nothing that the system needs lies there.
pub fn give_data(postfix: &Postfix, user: &User) -> Option<String> {
    let data = &postfix.data_directory;
    let (path, name) = (data.display(), &user.name);
    match give_data_here(data, user) {
        Ok(told) => told,
        Err(error) => Some(format!(
            "data_directory: cannot give {path} to {name}: {}",
            os::words(&error)
        )),
    }
}

fn give_data_here(data: &Path, user: &User) -> std::io::Result<Option<String>> {
    /// As `yubin install` makes it.
    const MODE: u32 = 0o750;
    if data.as_os_str().is_empty() {
        return Ok(None);
    }
    let complaint = crate::left_queue::complaint_of_data("data_directory", data, data);
    match std::fs::symlink_metadata(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && complaint.is_none() => {
            std::fs::create_dir_all(data)?;
            std::fs::set_permissions(data, std::fs::Permissions::from_mode(MODE))?;
        }
        Err(error) => return Err(error),
        // Whoever made a link knows where it leads.
        Ok(found) if found.uid() != ROOT || !found.is_dir() => return Ok(None),
        Ok(_) if complaint.is_some() => return Ok(complaint),
        Ok(_) if std::fs::read_dir(data)?.next().is_some() => {
            return Ok(Some(format!(
                "data_directory: {0}: it belongs to root and is not empty: it stays as it is. If all in it is the mail system's: \
                 chown -R {1} {0}",
                data.display(),
                user.name
            )));
        }
        Ok(_) => {}
    }
    std::os::unix::fs::lchown(data, Some(user.uid), Some(user.gid))?;
    Ok(None)
}

/// Gives the queue in `queue` to the user and group `owner`, its maildrop to the set-group-ID program's group if there is one.
///
/// # Errors
/// What cannot be given.
pub fn give_parts(queue: &Path, owner: (u32, u32), drop_gid: Option<u32>) -> Result<()> {
    let (uid, gid) = owner;
    // Only what is ours: a queue directory may be shared with what another mail system left there.
    for path in std::iter::once(queue.to_owned()).chain(QUEUE_PARTS.map(|part| queue.join(part))) {
        let given: Result<()> = match std::fs::symlink_metadata(&path) {
            Ok(_) if path == *queue => {
                std::os::unix::fs::lchown(&path, Some(uid), Some(gid)).map_err(Into::into)
            }
            Ok(_) => os::ownership::give_tree(&path, uid, gid).map_err(Into::into),
            Err(_) => Ok(()),
        };
        given.with_context(|| format!("cannot give {} to user id {uid}", path.display()))?;
    }
    crate::maildrop::prepare(queue, owner, drop_gid)
}

/// As whom the single profile runs when root starts it: the owner of the virtual mailboxes if the configuration names one,
/// else `mail_owner`, else an unprivileged user.
///
/// # Errors
/// When no such user exists, or it is root: root is never kept.
pub fn single_user(loaded: &Loaded) -> Result<User> {
    if let Some(owner) = virtual_owner(loaded)? {
        return Ok(owner);
    }
    let name = &loaded.postfix.mail_owner;
    let is_chosen = loaded.values.explicit().contains_key("mail_owner");
    match user(name)? {
        Some(user) if user.uid != ROOT => Ok(user),
        // A default that nobody made on this system.
        None if !is_chosen => unprivileged_user(),
        found => {
            let place = format!("main.cf:{}: mail_owner", loaded.main.line_of("mail_owner"));
            match found {
                Some(_) => bail!("{place}: {name} is root: mail is never handled as root"),
                None => bail!("{place}: there is no user {name}"),
            }
        }
    }
}

/// Whom the embedded system in `directory` runs as when root starts it: the directory's owner, or an unprivileged user where
/// that is root, or nobody yet.
///
/// # Errors
/// When no such user exists: root is never kept.
pub fn embedded_user(directory: &Path) -> Result<User> {
    match std::fs::metadata(directory) {
        Ok(found) if found.uid() != ROOT => Ok(match user(&found.uid().to_string())? {
            Some(user) => user,
            None => nameless(found.uid(), found.gid()),
        }),
        _ => unprivileged_user(),
    }
}

fn unprivileged_user() -> Result<User> {
    for name in UNPRIVILEGED {
        if let Some(user) = user(name)?.filter(|user| user.uid != ROOT) {
            return Ok(user);
        }
    }
    bail!(
        "there is no user {} to run as: root is never kept",
        UNPRIVILEGED.join(" or ")
    )
}

/// Ids that the system has no name for.
fn nameless(uid: u32, gid: u32) -> User {
    User {
        name: uid.to_string(),
        uid,
        gid,
        home: PathBuf::new(),
        shell: PathBuf::new(),
        gecos: String::new(),
    }
}

/// Becomes `user` for good.
///
/// # Errors
/// When the system refuses; the process must not go on.
pub fn become_user(user: &User) -> Result<()> {
    Ok(Identity::of(user)?.take()?)
}

/// The uid that a userdb gives to everybody (`args = uid=vmail …`, its fields), or else `mail_uid`.
fn virtual_owner(loaded: &Loaded) -> Result<Option<User>> {
    let Some(dovecot) = &loaded.dovecot else {
        return Ok(None);
    };
    let of_userdbs = dovecot.userdbs.iter().find_map(|userdb| {
        let (file, line) = &userdb.place;
        Some((
            everybodys(userdb, "uid")?,
            everybodys(userdb, "gid"),
            format!("{file}:{line}: userdb"),
        ))
    });
    let of_settings = || {
        let (uid, gid) = (dovecot.mail_uid.clone(), dovecot.mail_gid.clone());
        (!uid.is_empty()).then(|| {
            (
                uid,
                Some(gid).filter(|gid| !gid.is_empty()),
                "mail_uid".to_owned(),
            )
        })
    };
    let Some((uid, gid, place)) = of_userdbs.or_else(of_settings) else {
        return Ok(None);
    };
    let owner = match (user(&uid)?, uid.parse()) {
        (Some(user), _) => user,
        (None, Ok(uid)) => nameless(uid, gid.and_then(|gid| gid.parse().ok()).unwrap_or(uid)),
        (None, Err(_)) => bail!("{place}: uid={uid}: there is no such user of the system"),
    };
    if owner.uid == ROOT {
        bail!("{place}: uid={uid} is root: mail is never handled as root");
    }
    Ok(Some(owner))
}

/// What a userdb says of every user: in its fields, or as a static one.
fn everybodys(userdb: &Userdb, field: &str) -> Option<String> {
    let options = [
        field.to_owned(),
        format!("fields/{field}"),
        format!("fields/{field}:default"),
    ];
    let in_options = options.iter().find_map(|name| userdb.options.get(name));
    let args = if userdb.driver == "static" {
        userdb.args.as_str()
    } else {
        ""
    };
    let prefix = format!("{field}=");
    let in_text = [
        userdb.override_fields.as_str(),
        args,
        userdb.default_fields.as_str(),
    ]
    .into_iter()
    .flat_map(str::split_whitespace)
    .find_map(|word| word.strip_prefix(&prefix));
    in_text.map(str::to_owned).or_else(|| in_options.cloned())
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
    give_queue(&loaded.postfix, &user)?;
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
    use super::*;

    fn owner(dovecot: &str) -> Result<Option<u32>, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("dovecot.conf");
        std::fs::write(&file, dovecot).expect("a file");
        for name in ["main.cf", "master.cf"] {
            std::fs::write(dir.path().join(name), "").expect("a file");
        }
        let loaded = config::load(dir.path(), &config::Options::default());
        assert!(loaded.dovecot.is_some(), "{:?}", loaded.problems);
        let owner = virtual_owner(&loaded).map_err(|error| error.to_string())?;
        Ok(owner.map(|user| user.uid))
    }

    #[test]
    fn the_owner_of_virtual_mail_is_found_and_is_never_root() {
        let of_static = |args: &str| owner(&format!("userdb {{\n  driver = static\n  args = {args}\n}}\n"));
        assert_eq!(of_static("uid=54321 gid=54322 home=/m/%n"), Ok(Some(54_321)));
        assert_eq!(of_static("home=/m/%n"), Ok(None));
        assert_eq!(owner("mail_uid = nobody\n"), Ok(Some(65_534)));
        let fields =
            "userdb {\n  driver = passwd-file\n  args = /x\n  override_fields = home=/x uid=54321\n}\n";
        assert_eq!(owner(fields), Ok(Some(54_321)));
        let root = of_static("uid=0 gid=0").expect_err("root");
        assert!(
            root.ends_with("userdb: uid=0 is root: mail is never handled as root"),
            "{root}"
        );
        assert!(owner("mail_uid = root\n").is_err() && of_static("uid=no-such-user").is_err());
    }

    #[test]
    fn users_that_cannot_be_are_told_all_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("master.cf"), "").expect("a file");
        let told = |main: &str| {
            std::fs::write(dir.path().join("main.cf"), main).expect("a file");
            let loaded = config::load(dir.path(), &config::Options::default());
            check(&loaded, true).map_err(|error| error.to_string())
        };
        // Two users that every system has.
        assert_eq!(told("mail_owner = daemon\ndefault_privs = bin\n"), Ok(()));
        let wrong =
            told("mail_owner = not-here-1\ndefault_privs = not-here-2\n").expect_err("neither is there");
        for text in [
            "main.cf:1: mail_owner: there is no user not-here-1",
            "main.cf:2: default_privs: there is no user not-here-2",
        ] {
            assert!(wrong.contains(text), "{wrong}");
        }
        let wrong = told("mail_owner = daemon\ndefault_privs = root\n").expect_err("root");
        assert!(
            wrong.contains("main.cf:2: default_privs: root has the rights of root"),
            "{wrong}"
        );
        let wrong = told("mail_owner = daemon\ndefault_privs = daemon\n").expect_err("the same");
        assert!(wrong.contains("daemon owns the queue (mail_owner)"), "{wrong}");
    }

    #[test]
    fn who_may_become_whom() {
        const UIDS: [u32; 5] = [0, 7, 33, 1000, 65_534];
        let kinds = [Kind::User, Kind::Virtual, Kind::Table, Kind::Pipe];
        for own in UIDS {
            let policy = Policy {
                own,
                front: 7,
                front_gid: 8,
                pipes: vec![(0, 9), (33, 8), (33, 9), (7, 9)],
                tables: vec![0, 7, 65_534],
            };
            for (uid, gid, kind) in UIDS
                .iter()
                .flat_map(|uid| [0, 8, 9].map(|gid| (*uid, gid)))
                .flat_map(|(uid, gid)| kinds.map(|kind| (uid, gid, kind)))
            {
                let may = may_become(&policy, uid, gid, kind);
                let expected = match (own, uid, gid, kind) {
                    (0, 0, ..) | (0, _, 0, _) => Err(Refusal::Root),
                    (0, 7, ..) => Err(Refusal::QueueOwner),
                    (0, 33 | 1000, _, Kind::Table) => Err(Refusal::NotOfATable),
                    (0, _, 8, Kind::Pipe) => Err(Refusal::QueueOwner),
                    (0, 1000 | 65_534, _, Kind::Pipe) => Err(Refusal::NotOfATransport),
                    (0, 33, 9, Kind::Pipe) => Ok(()),
                    (0, 65_534, _, Kind::Table) | (0, _, _, Kind::User | Kind::Virtual) => Ok(()),
                    (own, uid, ..) if own == uid => Ok(()),
                    _ => Err(Refusal::NotRoot),
                };
                assert_eq!(may, expected, "{own} becomes {uid}:{gid} for {kind:?}");
            }
        }
    }

    #[test]
    fn an_empty_data_directory_of_roots_is_given_and_a_full_one_is_not() {
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        let nobody = user("nobody").expect("asked").expect("there");
        let dir = tempfile::tempdir().expect("a directory");
        let mut postfix = Postfix::defaults(&settings::Surroundings::default());
        let owner = |path: &Path| path.metadata().expect("there").uid();
        for name in ["new/below", "empty", "full"] {
            postfix.data_directory = dir.path().join(name);
            let data = &postfix.data_directory;
            if name != "new/below" {
                std::fs::create_dir(data).expect("made");
            }
            if name == "full" {
                std::fs::write(data.join("other"), "").expect("written");
                let told = give_data(&postfix, &nobody).expect("told");
                assert!(told.contains("it belongs to root and is not empty"), "{told}");
                assert_eq!(owner(data), ROOT);
            } else {
                assert_eq!(give_data(&postfix, &nobody), None, "{name}");
                assert_eq!(owner(data), nobody.uid, "{name}");
            }
        }
        postfix.data_directory = PathBuf::from("/usr/lib");
        assert!(give_data(&postfix, &nobody).is_some());
        assert_eq!(owner(Path::new("/usr/lib")), ROOT);
    }
}
