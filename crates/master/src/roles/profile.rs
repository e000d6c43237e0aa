//! What each role may: one table. ARCHITECTURE.md prints it; [`truth`](super::truth) tries it.

use std::path::{Path, PathBuf};

use os::sandbox::{Allowed, Files, Profile};

use super::Role;
use crate::snapshot::Snapshot;

/// A row of the table, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The role.
    pub role: &'static str,
    /// As whom it runs.
    pub runs_as: &'static str,
    /// Which files it may read, besides what its uid may not.
    pub reads: &'static str,
    /// Which it may write.
    pub writes: &'static str,
    /// Whether it may open connections to other hosts.
    pub connects: &'static str,
    /// Whether it may start programs.
    pub starts: &'static str,
}

/// The table.
pub const TABLE: [Row; 5] = [
    Row {
        role: "master",
        runs_as: "root",
        reads: "all",
        writes: "all",
        connects: "no code of its own does",
        starts: "the roles",
    },
    Row {
        role: "front",
        runs_as: "`mail_owner`",
        reads: "the system's directories, the configuration",
        writes: "queue and data directory",
        connects: "yes",
        starts: "no",
    },
    Row {
        role: "auth",
        runs_as: "root for PAM and shadow, else `default_internal_user`",
        reads: "what its uid may",
        writes: "what its uid may",
        connects: "yes (PAM modules, databases)",
        starts: "yes (PAM modules)",
    },
    Row {
        role: "agent",
        runs_as: "the owner of the mail",
        reads: "what its uid may",
        writes: "below all but the system's directories",
        connects: "no",
        starts: "no",
    },
    Row {
        role: "runner",
        runs_as: "the user whose command it is",
        reads: "what its uid may",
        writes: "what its uid may",
        connects: "yes",
        starts: "the command, which may be setuid",
    },
];

/// Top-level directories that are the system's own.
const SYSTEM: [&str; 14] = [
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "root", "run", "sbin", "sys",
    "usr",
];
/// Those of them that a server of the network reads.
const READ_BY_FRONT: [&str; 11] = [
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/proc/self",
    "/run",
    "/sys/devices/system",
    "/usr",
];

/// What `role` gives up; `None` for one that gives up nothing but its identity.
pub fn of(role: Role, snapshot: &Snapshot) -> Option<Profile> {
    let postfix = &snapshot.postfix;
    match role {
        Role::Front => {
            let mut read: Vec<PathBuf> = READ_BY_FRONT.map(PathBuf::from).to_vec();
            read.push(postfix.config_directory.clone());
            read.extend(table_directories(snapshot));
            let write = vec![
                postfix.queue_directory.clone(),
                postfix.data_directory.clone(),
                PathBuf::from("/dev/null"),
            ];
            Some(Profile {
                files: Files::Below { read, write },
                network: Allowed::Yes,
                programs: Allowed::No,
            })
        }
        Role::Auth => Some(Profile {
            files: Files::OfUid,
            network: Allowed::Yes,
            programs: Allowed::Yes,
        }),
        Role::Agent(_) => {
            let mut write = users_directories();
            write.push(PathBuf::from("/dev/null"));
            Some(Profile {
                files: Files::Below {
                    read: vec![PathBuf::from("/")],
                    write,
                },
                network: Allowed::No,
                programs: Allowed::No,
            })
        }
        Role::Runner => None,
    }
}

/// Every directory below the root that is not the system's.
fn users_directories() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/") else {
        return Vec::new();
    };
    let is_users = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| !SYSTEM.contains(&name))
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.filter(is_users).collect()
}

/// Where the lookup tables of main.cf and master.cf are. Those that a reload names are opened by the supervisor.
fn table_directories(snapshot: &Snapshot) -> Vec<PathBuf> {
    let tables = crate::table_files::tables(snapshot);
    let files = tables.iter().flat_map(tables::files::of_table);
    let directories = files
        .chain(snapshot.databases.iter().cloned())
        .filter_map(|path| path.parent().map(Path::to_owned));
    // For a table in the root directory not everything is opened: the supervisor has the file.
    directories.filter(|path| path != Path::new("/")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_sees_the_directories_of_tables_and_of_their_databases() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().display();
        let main = format!(
            "virtual_alias_maps = hash:/srv/tables/aliases, sqlite:{place}/x.cf\nrelay_domains = texthash:/relays\n"
        );
        std::fs::write(dir.path().join("main.cf"), main).expect("written");
        std::fs::write(dir.path().join("master.cf"), "").expect("written");
        std::fs::write(
            dir.path().join("x.cf"),
            "dbpath = /srv/databases/x.db\nquery = x\n",
        )
        .expect("written");
        let loaded = config::load(dir.path(), &config::Options::default());
        let found = table_directories(&Snapshot::without_keys(&loaded));
        for wanted in ["/srv/tables", "/srv/databases"] {
            assert!(
                found.iter().any(|path| path == Path::new(wanted)),
                "{wanted}: {found:?}"
            );
        }
        assert!(!found.iter().any(|path| path == Path::new("/")), "{found:?}");
    }

    #[test]
    fn the_map_prints_the_table() {
        let map = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md");
        let map = std::fs::read_to_string(map).expect("the map");
        for row in TABLE {
            let line = format!(
                "| `{}` | {} | {} | {} | {} | {} |",
                row.role, row.runs_as, row.reads, row.writes, row.connects, row.starts
            );
            assert!(map.contains(&line), "ARCHITECTURE.md lacks: {line}");
        }
    }
}
