//! Who besides root can change what the mail system believes, or read what it must keep secret: the program, the configuration,
//! tables, passwords and keys, and the directories above them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::dovecot_conf::{self, Entry};
use config::{Loaded, Severity};

use super::Finding;

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;
const OTHERS_ENTER: u32 = 0o001;
/// In such a directory nobody removes or renames what is another's.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;
/// Where `yubin install` puts the program; services are started from there.
const PROGRAM: &str = "/usr/lib/yubin/yubin";

/// What a file is to the mail system, and so what follows when others have it in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// main.cf, master.cf, dovecot.conf and what it includes.
    Configuration,
    /// What root runs.
    Program,
    /// Aliases and other lookup tables. They may belong to a user, whose rights their commands then have.
    Table,
    /// A table with the passwords for other hosts.
    HostPasswords,
    /// A database of users, who log in by it.
    Passwords,
    /// A database that says who users are, without passwords.
    Users,
    /// A private key.
    Key,
}

impl Kind {
    /// What whoever can write it can do.
    fn harm(self) -> &'static str {
        match self {
            Kind::Configuration => "can make root do what it says",
            Kind::Program => "can have root run another program",
            Kind::Table => "can send mail elsewhere and have commands run",
            Kind::HostPasswords => "can send mail and passwords elsewhere",
            Kind::Passwords => "can log in as anybody",
            Kind::Users => "can read anybody's mail",
            Kind::Key => "can put another key there",
        }
    }

    /// Whether nobody but root should own it. A database of users may belong to whoever administers them, a table to its user.
    fn is_roots(self) -> bool {
        matches!(self, Kind::Configuration | Kind::Program)
    }

    /// What others do who can read it, and how bad that is.
    fn secret(self) -> Option<(Severity, &'static str)> {
        match self {
            Kind::Key => Some((Severity::Error, "whoever reads the key can pass for this host")),
            Kind::HostPasswords => Some((
                Severity::Warning,
                "whoever reads the passwords can send as this host",
            )),
            Kind::Passwords => Some((
                Severity::Warning,
                "whoever reads it can try passwords as fast as he likes",
            )),
            Kind::Configuration | Kind::Program | Kind::Table | Kind::Users => None,
        }
    }
}

/// What is wrong with the rights to all that `loaded` and its `directory` name.
pub(super) fn of(loaded: &Loaded, directory: &Path) -> Vec<Finding> {
    let mut look = Look::default();
    for (path, kind) in subjects(loaded, directory) {
        look.at(&path, kind);
    }
    look.found
}

/// The files, each with what it is; the kind that is worst when it is in others' hands comes first.
fn subjects(loaded: &Loaded, directory: &Path) -> Vec<(PathBuf, Kind)> {
    let mut all = Vec::new();
    let own = std::env::current_exe().ok();
    all.extend(
        own.into_iter()
            .chain([PathBuf::from(PROGRAM)])
            .map(|path| (path, Kind::Program)),
    );
    all.push((directory.to_owned(), Kind::Configuration));
    for name in ["main.cf", "master.cf", "dovecot.conf"] {
        all.push((directory.join(name), Kind::Configuration));
    }
    let included = dovecot_files(&directory.join("dovecot.conf"));
    all.extend(included.into_iter().map(|path| (path, Kind::Configuration)));
    all.extend(keys(loaded).into_iter().map(|path| (path, Kind::Key)));
    all.extend(databases_of_users(loaded));
    let with_passwords = loaded.postfix.smtp_sasl_password_maps.iter();
    let with_passwords = with_passwords.map(|table| (table, Kind::HostPasswords));
    let tables = loaded.postfix.tables().map(|table| (table, Kind::Table));
    for (table, kind) in with_passwords.chain(tables) {
        let table = table.behind_proxy();
        if table.name.starts_with('/') {
            let database = tables::build::database_name(&table).map(PathBuf::from);
            let files = database.into_iter().chain([PathBuf::from(&table.name)]);
            all.extend(files.map(|path| (path, kind)));
        }
    }
    all
}

/// The files that a dovecot.conf includes, as far as they set anything.
fn dovecot_files(file: &Path) -> BTreeSet<PathBuf> {
    fn gather(entries: &[Entry], files: &mut BTreeSet<PathBuf>) {
        for entry in entries {
            match entry {
                Entry::Setting(setting) => drop(files.insert(PathBuf::from(&setting.place.0))),
                Entry::Block(block) => {
                    files.insert(PathBuf::from(&block.place.0));
                    gather(&block.entries, files);
                }
            }
        }
    }
    let mut files = BTreeSet::new();
    if file.exists() {
        // What is wrong with it is told by the one who loads it.
        gather(&dovecot_conf::read(file, &mut Vec::new()).entries, &mut files);
    }
    files.retain(|file| file.is_absolute());
    files
}

fn keys(loaded: &Loaded) -> BTreeSet<PathBuf> {
    let services = loaded.services.iter().map(|service| &service.settings);
    let of_postfix = services.chain([&loaded.postfix]).flat_map(|settings| {
        let single = [
            &settings.smtpd_tls_key_file,
            &settings.smtpd_tls_eckey_file,
            &settings.smtp_tls_key_file,
        ];
        single.into_iter().chain(&settings.smtpd_tls_chain_files)
    });
    let of_dovecot = loaded
        .dovecot
        .iter()
        .filter_map(|dovecot| dovecot.ssl_key.trim_start().strip_prefix('<'));
    let names = of_postfix.map(String::as_str).chain(of_dovecot.map(str::trim));
    names
        .filter(|name| name.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// Every path in the arguments of passdbs and userdbs; of one that depends on the user, the directory above that.
fn databases_of_users(loaded: &Loaded) -> Vec<(PathBuf, Kind)> {
    let mut all = Vec::new();
    let mut add = |args: &str, options: &BTreeMap<String, String>, kind| {
        let paths = args
            .split_whitespace()
            .chain(options.values().map(String::as_str))
            .filter(|word| word.starts_with('/'));
        all.extend(paths.map(|path| (fixed_part(path), kind)));
    };
    if let Some(dovecot) = &loaded.dovecot {
        for passdb in &dovecot.passdbs {
            if is_of_files(&passdb.driver) {
                add(&passdb.args, &passdb.options, Kind::Passwords);
            }
        }
        for userdb in &dovecot.userdbs {
            if is_of_files(&userdb.driver) {
                add(&userdb.args, &userdb.options, Kind::Users);
            }
        }
    }
    all
}

fn is_of_files(driver: &str) -> bool {
    matches!(driver, "passwd-file" | "sql")
}

fn fixed_part(path: &str) -> PathBuf {
    match path.split_once('%') {
        Some((fixed, _)) => PathBuf::from(fixed.rsplit_once('/').map_or("/", |(directory, _)| directory)),
        None => PathBuf::from(path),
    }
}

/// A look at files one after the other: what several share is told once.
#[derive(Default)]
struct Look {
    seen: BTreeSet<PathBuf>,
    found: Vec<Finding>,
}

impl Look {
    /// At a file as it is named, and where links lead; one that is not there is nobody's business here.
    fn at(&mut self, named: &Path, kind: Kind) {
        let (Ok(real), Ok(state)) = (named.canonicalize(), named.metadata()) else {
            return;
        };
        if self.seen.insert(real.clone()) {
            let is_reachable = others_can_come(&real);
            // The name that the configuration has is the one that is known.
            self.found.extend(written(named, &state, kind, is_reachable));
            self.found
                .extend(read_by_others(named, &state, kind, is_reachable));
        }
        // Who can write a directory can put another file in the place of each below it.
        for directory in named.ancestors().chain(real.ancestors()).skip(1) {
            if directory.as_os_str().is_empty() || !self.seen.insert(directory.to_owned()) {
                continue;
            }
            let Ok(state) = directory.metadata() else { continue };
            if state.is_dir() && state.mode() & STICKY == 0 {
                let is_reachable = others_can_come(directory);
                self.found.extend(written(directory, &state, kind, is_reachable));
            }
        }
    }
}

/// Whether every directory above lets everybody through.
fn others_can_come(real: &Path) -> bool {
    let closed = |directory: &Path| {
        let state = directory.metadata();
        state.is_ok_and(|state| state.mode() & OTHERS_ENTER == 0)
    };
    !real.ancestors().skip(1).any(closed)
}

/// Who can write it that should not.
fn written(path: &Path, state: &Metadata, kind: Kind, is_reachable: bool) -> Vec<Finding> {
    let (mode, harm, path) = (state.mode() & 0o7777, kind.harm(), path.display());
    let mut found = Vec::new();
    if kind.is_roots() && state.uid() != ROOT {
        found.push(Finding::warning(format!(
            "{path}: it belongs to user id {}, who {harm}: chown root {path}",
            state.uid()
        )));
    }
    let tell = if mode & OTHERS_WRITE != 0 && is_reachable {
        Finding::error
    } else {
        Finding::warning
    };
    if mode & OTHERS_WRITE != 0 {
        found.push(tell(format!(
            "{path}: others than its owner can write it (mode {mode:04o}): whoever does {harm}: chmod go-w {path}"
        )));
    } else if mode & GROUP_WRITE != 0 && !is_owners_group(state) {
        found.push(tell(format!(
            "{path}: others than its owner can write it (mode {mode:04o}): whoever is in group {} {harm}: chmod g-w {path}",
            group_name(state.gid())
        )));
    }
    found
}

/// Whether others can read what is secret.
fn read_by_others(path: &Path, state: &Metadata, kind: Kind, is_reachable: bool) -> Option<Finding> {
    let (severity, harm) = kind.secret()?;
    let mode = state.mode() & 0o7777;
    if state.is_dir() || mode & OTHERS_READ == 0 || !is_reachable {
        return None;
    }
    let path = path.display();
    Some(Finding {
        severity,
        text: format!("{path}: everybody can read it (mode {mode:04o}): {harm}: chmod o-r {path}"),
    })
}

/// Root's group, or the one that the owner has for himself.
fn is_owners_group(state: &Metadata) -> bool {
    let is_his = || {
        let owner = os::users::user_by_uid(state.uid());
        matches!(owner, Ok(Some(owner)) if owner.gid == state.gid())
    };
    state.gid() == ROOT || is_his()
}

fn group_name(gid: u32) -> String {
    match os::users::group_by_gid(gid) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown};

    /// A configuration that names one file of each kind, below a directory that everybody can come to.
    fn system() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().display();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("written");
            set(dir.path(), name, 0o644);
        };
        write(
            "main.cf",
            &format!(
                "alias_maps = hash:{place}/tables/aliases\nsmtpd_tls_key_file = {place}/key.pem\n\
                 smtp_sasl_password_maps = texthash:{place}/hosts\n"
            ),
        );
        write("master.cf", "smtp inet n - n - - smtpd\n");
        write("dovecot.conf", "!include more.conf\n");
        write(
            "more.conf",
            &format!(
                "ssl = no\npassdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {place}/users\n}}\n\
                 userdb {{\n  driver = passwd-file\n  args = {place}/domains/%d/users\n}}\n"
            ),
        );
        std::fs::create_dir_all(dir.path().join("tables")).expect("made");
        std::fs::create_dir_all(dir.path().join("domains")).expect("made");
        for name in ["tables/aliases", "tables/aliases.db", "key.pem", "hosts", "users"] {
            write(name, "");
        }
        for name in ["key.pem", "hosts", "users"] {
            set(dir.path(), name, 0o640);
        }
        for name in ["", "tables", "domains"] {
            set(dir.path(), name, 0o755);
        }
        dir
    }

    fn set(directory: &Path, name: &str, mode: u32) {
        std::fs::set_permissions(directory.join(name), Permissions::from_mode(mode)).expect("set");
    }

    /// What is told of files below `directory`, with the directory cut off.
    fn told(directory: &Path) -> Vec<String> {
        let loaded = config::load(directory, &config::Options::default());
        let place = format!("{}/", directory.display());
        let texts = of(&loaded, directory)
            .into_iter()
            .filter(|finding| {
                finding.text.contains(&place) && !finding.text.contains("it belongs to user id")
            })
            .map(|finding| format!("{}: {}", finding.word(), finding.text));
        texts.map(|text| text.replace(&place, "")).collect()
    }

    #[test]
    fn what_others_can_write_or_read_is_told_with_what_follows() {
        let dir = system();
        assert_eq!(told(dir.path()), [""; 0]);
        for (name, mode, expected) in [
            (
                "users",
                0o666,
                "error: users: others than its owner can write it (mode 0666): whoever does can log in as anybody",
            ),
            (
                "users",
                0o644,
                "warning: users: everybody can read it (mode 0644)",
            ),
            (
                "key.pem",
                0o644,
                "error: key.pem: everybody can read it (mode 0644): whoever reads the key can pass for this host",
            ),
            (
                "hosts",
                0o604,
                "warning: hosts: everybody can read it (mode 0604)",
            ),
            (
                "main.cf",
                0o646,
                "error: main.cf: others than its owner can write it (mode 0646)",
            ),
            ("master.cf", 0o666, "error: master.cf: others"),
            ("dovecot.conf", 0o666, "error: dovecot.conf: others"),
            ("more.conf", 0o666, "error: more.conf: others"),
            ("tables/aliases", 0o666, "error: tables/aliases: others"),
            ("tables/aliases.db", 0o666, "error: tables/aliases.db: others"),
            (
                "tables",
                0o777,
                "error: tables: others than its owner can write it (mode 0777): whoever does can send mail elsewhere",
            ),
            (
                "domains",
                0o757,
                "error: domains: others than its owner can write it (mode 0757): whoever does can read anybody's mail",
            ),
        ] {
            let path = dir.path().join(name);
            let before = path.metadata().expect("there").mode() & 0o7777;
            set(dir.path(), name, mode);
            let now = told(dir.path());
            assert!(
                !now.is_empty() && now[0].starts_with(expected),
                "{expected}: {now:?}"
            );
            set(dir.path(), name, before);
        }
        // Whoever cannot come there cannot read it, and will write it when the directory is opened.
        set(dir.path(), "", 0o700);
        set(dir.path(), "key.pem", 0o644);
        assert_eq!(told(dir.path()), [""; 0]);
        set(dir.path(), "users", 0o666);
        assert!(
            told(dir.path())[0].starts_with("warning: users: others"),
            "{:?}",
            told(dir.path())
        );
        // What is in a directory like /tmp stays what it is.
        set(dir.path(), "", 0o755);
        set(dir.path(), "users", 0o640);
        set(dir.path(), "key.pem", 0o640);
        set(dir.path(), "tables", 0o1777);
        assert_eq!(told(dir.path()), [""; 0]);
    }

    #[test]
    fn a_group_of_others_is_told_and_the_owners_own_is_not() {
        if !os::is_root() {
            println!("skipped: needs root");
            return;
        }
        let dir = system();
        let mail = os::users::group_by_name("mail").expect("asked").expect("there");
        let daemon = os::users::user_by_name("daemon").expect("asked").expect("there");
        set(dir.path(), "tables/aliases", 0o664);
        assert_eq!(told(dir.path()), [""; 0], "root's group");
        let give = |uid, gid| chown(dir.path().join("tables/aliases"), Some(uid), Some(gid)).expect("given");
        give(daemon.uid, daemon.gid);
        assert_eq!(told(dir.path()), [""; 0], "the owner's group");
        give(daemon.uid, mail.gid);
        let now = told(dir.path());
        assert!(
            now[0].starts_with("warning: tables/aliases: others")
                && now[0].contains("whoever is in group mail can"),
            "{now:?}"
        );
    }
}
