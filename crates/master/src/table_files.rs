//! The files of tables that the configuration names, and so those that the supervisor opens for roles that may not. Postfix opens
//! its tables as root before it gives root up; here nobody who reads mail ever was root.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use access::hosts_access::{self, FILE_BYTES_MAX};
use os::users::User;
use settings::{Postfix, TableRef};

use crate::identity;
use crate::snapshot::Snapshot;

/// Who asks for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The front, which asks the tables of main.cf and master.cf.
    Front,
    /// An agent, which asks for the command of its user's mailbox.
    Agent,
}

/// The files of the tables of one configuration, as it names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFiles {
    of_front: BTreeSet<PathBuf>,
    of_agents: BTreeSet<PathBuf>,
}

impl TableFiles {
    /// Those of `snapshot`.
    pub fn of(snapshot: &Snapshot) -> TableFiles {
        TableFiles {
            of_front: tables(snapshot)
                .iter()
                .flat_map(tables::files::of_table)
                .collect(),
            of_agents: snapshot
                .postfix
                .mailbox_command_maps
                .iter()
                .flat_map(tables::files::of_table)
                .collect(),
        }
    }

    /// Whether `path` may be opened for `asker`: it is, letter by letter, the file of one of its tables (pure).
    pub fn may_open(&self, asker: Asker, path: &Path) -> bool {
        let files = match asker {
            Asker::Front => &self.of_front,
            Asker::Agent => &self.of_agents,
        };
        // Paths are compared by their parts, so a `..` is only what it is in the configuration as well.
        files.contains(path)
    }
}

/// Every table of main.cf, and of the rows of master.cf that are served.
pub fn tables(snapshot: &Snapshot) -> Vec<TableRef> {
    let rows = snapshot.services.iter().chain(&snapshot.transports);
    let rows = rows.chain(&snapshot.cleanups);
    let settings = rows
        .map(|row| &row.settings)
        .chain(snapshot.pickup.as_deref())
        .chain([&snapshot.postfix]);
    let mut found: Vec<TableRef> = Vec::new();
    for table in settings.flat_map(Postfix::every_table) {
        if !found.contains(&table) {
            found.push(table);
        }
    }
    found
}

/// Whether `path` is `/etc/hosts.allow`, `/etc/hosts.deny` or, letter by letter, a file of patterns that one of them names now.
pub fn is_of_hosts_access(path: &Path) -> bool {
    ["/etc/hosts.allow", "/etc/hosts.deny"].iter().any(|file| {
        let names = || {
            let mut text = Vec::new();
            let file = File::open(file).ok()?;
            file.take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
            Some(hosts_access::files_of(&String::from_utf8_lossy(&text)))
        };
        path == Path::new(file)
            || names().is_some_and(|names| names.iter().any(|name| path == Path::new(name)))
    })
}

/// Opens a file of a table for a role, as root.
///
/// # Errors
/// As [`os::guarded::open`].
pub fn open(path: &Path) -> io::Result<File> {
    os::guarded::open(path)
}

/// Why the front, running as `user`, cannot get at `file` of a table: it may not read it, and root does not open it for others.
/// `None` where it can, and where there is no such file.
pub fn out_of_reach(file: &Path, user: &User) -> Option<String> {
    if may_read(file, user) {
        return None;
    }
    match open(file) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(format!(
            "{} may not read it, and root does not open it: {}",
            user.name,
            os::words(&error)
        )),
        _ => None,
    }
}

/// Whether the modes let `user` read `file`.
pub fn may_read(file: &Path, user: &User) -> bool {
    let (Ok(found), Ok(None)) = (file.metadata(), identity::closed_on_the_way(file, user)) else {
        return false;
    };
    let needed = if found.uid() == user.uid {
        0o400
    } else if os::users::groups_of(user).is_ok_and(|groups| groups.contains(&found.gid())) {
        0o040
    } else {
        0o004
    };
    found.mode() & needed != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(main: &str, master: &str) -> TableFiles {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("main.cf"), main).expect("written");
        std::fs::write(dir.path().join("master.cf"), master).expect("written");
        let loaded = config::load(dir.path(), &config::Options::default());
        assert!(!loaded.has_errors(), "{:?}", loaded.problems);
        TableFiles::of(&Snapshot::without_keys(&loaded))
    }

    #[test]
    fn the_files_of_named_tables_are_opened_and_no_others() {
        let files = files(
            "smtp_sasl_password_maps = hash:/etc/mail/passwords\nmailbox_command_maps = texthash:/etc/mail/commands\n\
             mydestination = a.test, texthash:/etc/mail/domains\nalias_maps = lmdb:/etc/../etc/aliases\n",
            "smtp inet n - n - - smtpd -o virtual_alias_maps=cdb:/etc/mail/of_the_row\n\
             slow unix - - n - - smtp -o smtp_generic_maps=proxy:regexp:/etc/mail/generic\n",
        );
        let front = |path: &str| files.may_open(Asker::Front, Path::new(path));
        for path in [
            "/etc/mail/passwords",
            "/etc/mail/passwords.db",
            "/etc/mail/commands",
            "/etc/mail/domains",
            "/etc/mail/of_the_row.cdb",
            "/etc/mail/generic",
            "/etc/../etc/aliases.lmdb",
        ] {
            assert!(front(path), "{path}");
        }
        for path in [
            "/etc/shadow",
            "/etc/mail/../shadow",
            "/etc/mail/passwords/../../shadow",
            "/etc/mail/passwords.db/../other",
            "/etc/mail/other",
            "/etc/mail/passwords.lmdb",
            "/etc/mail",
            "/etc/aliases.lmdb",
            "etc/mail/passwords",
            "",
        ] {
            assert!(!front(path), "{path}");
        }
        let agent = |path: &str| files.may_open(Asker::Agent, Path::new(path));
        assert!(agent("/etc/mail/commands"));
        assert!(!agent("/etc/mail/passwords.db") && !agent("/etc/shadow"));
    }

    #[test]
    fn what_the_front_gets_at_is_told_from_what_it_does_not() {
        use std::os::unix::fs::{PermissionsExt, chown};
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        let nobody = os::users::user_by_name("nobody").expect("asked").expect("there");
        let dir = tempfile::tempdir().expect("a directory");
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        let table = dir.path().join("table");
        std::fs::write(&table, "").expect("written");
        set(&table, 0o600);
        assert_eq!(out_of_reach(&table, &nobody), None, "root opens it");
        assert!(!may_read(&table, &nobody));
        set(dir.path(), 0o777);
        let why = out_of_reach(&table, &nobody).expect("everybody can swap it");
        assert!(
            why.starts_with("nobody may not read it, and root does not open it: others than"),
            "{why}"
        );
        chown(&table, Some(nobody.uid), None).expect("given");
        assert_eq!(out_of_reach(&table, &nobody), None, "it is his own");
        assert_eq!(out_of_reach(&dir.path().join("none"), &nobody), None);
    }
}
