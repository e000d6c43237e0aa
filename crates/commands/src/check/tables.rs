//! Lookup tables that the mail system cannot open: their files are not there, are damaged, or neither the front nor the supervisor
//! for it would open them.

use std::path::Path;

use ::tables::types::sqlite;
use ::tables::{Error, Tables};
use config::Loaded;
use master::snapshot::Snapshot;
use master::{identity, table_files};
use os::users::User;
use settings::TableRef;

use super::Finding;

/// What follows for mail.
const FOLLOWS: &str = "mail that needs it waits";

/// What is wrong with the tables of `loaded`.
pub(super) fn of(loaded: &Loaded) -> Vec<Finding> {
    let tables = table_files::tables(&Snapshot::without_keys(loaded));
    // Who is no other user opens them as they are.
    let user = match os::is_root() {
        true => identity::front_user(loaded, true).ok(),
        false => None,
    };
    let mut found = Vec::new();
    for table in tables.iter().filter(|table| !is_of_a_default(table, loaded)) {
        let unreachable = user.iter().flat_map(|user| out_of_reach(table, user));
        let texts: Vec<String> = unreachable.chain(broken(table)).collect();
        found.extend(
            texts
                .into_iter()
                .map(|text| Finding::warning(format!("{table}: {text}: {FOLLOWS}"))),
        );
    }
    found
}

/// Aliases that nobody has named, and those of which it is told that their database is to be built.
fn is_of_a_default(table: &TableRef, loaded: &Loaded) -> bool {
    let (settings, explicit) = (&loaded.postfix, loaded.values.explicit());
    let is_default = |name: &str, tables: &[TableRef]| !explicit.contains_key(name) && tables.contains(table);
    is_default("alias_maps", &settings.alias_maps)
        || is_default("alias_database", &settings.alias_database)
        || (settings.alias_database.contains(table) && super::is_old(table))
}

/// Why it cannot be opened by whoever may open everything.
fn broken(table: &TableRef) -> Option<String> {
    let (_, problems) = Tables::open(std::slice::from_ref(table));
    let is_of_a_file = |problem: &&Error| {
        matches!(
            problem,
            Error::Open { .. } | Error::OpenFile { .. } | Error::Damaged { .. }
        )
    };
    problems.iter().find(is_of_a_file).map(ToString::to_string)
}

/// Its files that are there, and that the front gets neither by itself nor from the supervisor.
fn out_of_reach(table: &TableRef, user: &User) -> Vec<String> {
    let files = tables::files::of_table(table).into_iter();
    let mut found: Vec<String> = files
        .filter_map(|file| {
            let why = table_files::out_of_reach(&file, user)?;
            Some(format!("cannot open {}: {why}", file.display()))
        })
        .collect();
    found.extend(sqlite::database_of(table).and_then(|file| of_sqlite(&file, user)));
    found
}

/// A database that SQLite opens by its name: nobody opens it for the front.
fn of_sqlite(file: &Path, user: &User) -> Option<String> {
    let is_closed = file.exists() && !table_files::may_read(file, user);
    is_closed.then(|| {
        format!(
            "cannot open {0}: {1} may not read it, and root does not open databases of sqlite: for others: chgrp {1} {0}; chmod g+r {0}",
            file.display(),
            user.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn told(directory: &Path) -> Vec<String> {
        let loaded = config::load(directory, &config::Options::default());
        of(&loaded).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn tables_that_cannot_be_opened_are_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().display();
        let set = |name: &str, mode| {
            let path = dir.path().join(name);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        let main = format!(
            "mail_owner = nobody\nvirtual_alias_maps = hash:{place}/aliases\nmydestination = texthash:{place}/domains\n\
             smtp_sasl_password_maps = unionmap:{{texthash:{place}/passwords,static:x}}\n\
             relay_domains = sqlite:{place}/relay.cf\n"
        );
        std::fs::write(dir.path().join("main.cf"), main).expect("written");
        std::fs::write(dir.path().join("master.cf"), "").expect("written");
        for (name, text) in [
            ("passwords", "a b:c\n"),
            ("relay.cf", &format!("dbpath = {place}/relay.db\nquery = x\n")),
            ("relay.db", ""),
        ] {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        set("", 0o755);
        set("passwords", 0o600);
        set("relay.db", 0o600);
        let has = |told: &[String], start: &str| told.iter().any(|text| text.starts_with(start));
        let first = told(dir.path());
        assert!(
            has(
                &first,
                &format!("hash:{place}/aliases: open database {place}/aliases.db: No such file")
            ),
            "{first:?}"
        );
        assert!(
            has(
                &first,
                &format!("texthash:{place}/domains: open database {place}/domains: No such file")
            ),
            "{first:?}"
        );
        assert!(
            !first.iter().any(|text| text.contains("passwords")),
            "root opens it: {first:?}"
        );
        if !os::is_root() {
            println!("skipped: the rest needs root");
            return;
        }
        let closed = format!("sqlite:{place}/relay.cf: cannot open {place}/relay.db: nobody may not read it");
        assert!(has(&first, &closed) && first.len() == 3, "{first:?}");
        for name in ["aliases.db", "domains"] {
            std::fs::write(dir.path().join(name), "").expect("written");
        }
        set("relay.db", 0o644);
        set("", 0o777);
        let then = told(dir.path());
        let unsafely = format!(
            "unionmap:{{texthash:{place}/passwords,static:x}}: cannot open {place}/passwords: nobody may not read it, and root does \
             not open it: others than the owner of its directory can put another file there (mode 0777): mail"
        );
        assert!(has(&then, &unsafely), "{then:?}");
        let damaged = format!("hash:{place}/aliases: open database {place}/aliases.db: it is too short");
        assert!(has(&then, &damaged) && then.len() == 2, "{then:?}");
    }
}
