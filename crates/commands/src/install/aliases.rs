//! The alias table, and who reads root's mail in it: nothing is delivered as root, so without an alias its mail waits.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use config::Loaded;
use settings::TableRef;
use tables::source::{self, Syntax};

use super::accounts::{Accounts, Person};
use super::hands::{Hands, Mode};
use super::places::Places;

/// Where the table is when the configuration names none that is a file. The oldest users of mail are in it.
const ALIASES: &str = "/etc/aliases";
/// The ids that ordinary users have on Debian (`UID_MIN`, `UID_MAX` of login.defs).
const ORDINARY_UIDS: std::ops::RangeInclusive<u32> = 1000..=60_000;
/// Shells of those who do not log in, by the last part of their names.
const CLOSED_SHELLS: [&str; 3] = ["false", "nologin", "sync"];

/// What a look at a table has told of root.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    NoTable,
    NoAlias,
    Alias(String),
}

/// Makes sure that somebody reads root's mail: `wanted`, or the only ordinary user when the table is made. A table that is there is
/// changed only when `wanted` says so.
///
/// # Errors
/// When `wanted` is nobody; when the table cannot be read or written.
pub(super) fn provide(hands: &mut Hands<'_>, loaded: &Loaded, wanted: Option<&str>) -> Result<()> {
    let table = table_of(loaded);
    let real = hands.places.real(&table);
    let accounts = Accounts::of(hands.places);
    let name = wanted.map(|name| reader(name, &accounts)).transpose()?;
    match (look(&real)?, name) {
        (Found::NoTable, Some(name)) => write(hands, &table, Some(&name)),
        (Found::NoTable, None) => {
            let candidates = candidates(&accounts)?;
            match candidates.as_slice() {
                [only] => write(hands, &table, Some(only)),
                several => {
                    write(hands, &table, None)?;
                    hands.leave(&unanswered(&real, several));
                    Ok(())
                }
            }
        }
        (Found::NoAlias, Some(name)) => add(hands, &real, &name),
        (Found::NoAlias, None) => {
            hands.leave(&unanswered(&real, &candidates(&accounts)?));
            Ok(())
        }
        (Found::Alias(there), Some(name)) if there != name => {
            hands.leave(&format!(
                "{}: root has the alias {there} already, which is not changed to {name}: change it there and run newaliases",
                real.display()
            ));
            Ok(())
        }
        (Found::Alias(_), _) => Ok(()),
    }
}

/// The text file that newaliases builds.
fn table_of(loaded: &Loaded) -> PathBuf {
    let settings = &loaded.postfix;
    let tables = settings.alias_database.iter().chain(&settings.alias_maps);
    let file = tables
        .map(TableRef::behind_proxy)
        .find(|table| tables::build::has_database(&table.kind) && table.name.starts_with('/'));
    file.map_or_else(|| PathBuf::from(ALIASES), |table| PathBuf::from(table.name))
}

fn look(real: &Path) -> Result<Found> {
    if std::fs::symlink_metadata(real).is_err() {
        return Ok(Found::NoTable);
    }
    let text = source::read(real)?;
    let entries = source::parse(&text, Syntax::Aliases, true).entries;
    let of_root = entries.into_iter().find(|entry| entry.key == "root");
    Ok(of_root.map_or(Found::NoAlias, |entry| Found::Alias(entry.value)))
}

/// Who was named, if that can be: a user of the system who is not root, or an address elsewhere.
fn reader(name: &str, accounts: &Accounts<'_>) -> Result<String> {
    let is_address = name.contains('@') && address::Address::parse(name).is_ok();
    let is_strange = name.is_empty() || name.contains(|c: char| c.is_whitespace() || ",:|\"\\#".contains(c));
    if is_strange || name.starts_with('/') || (name.contains('@') && !is_address) {
        bail!("--root-alias: \"{name}\" is neither a user nor an address");
    }
    if is_address {
        return Ok(name.to_owned());
    }
    match accounts.user(name)? {
        Some(ids) if ids.uid == 0 => {
            bail!("--root-alias: {name} is root: name somebody who is not, as nothing is delivered as root")
        }
        Some(_) => Ok(name.to_owned()),
        None => bail!("--root-alias: there is no user {name}. Name a user of this system, or an address"),
    }
}

/// Those who could be meant: people who log in.
fn candidates(accounts: &Accounts<'_>) -> Result<Vec<String>> {
    let people = accounts.people()?.into_iter().filter(is_ordinary);
    let mut names: Vec<String> = people.map(|person| person.name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn is_ordinary(person: &Person) -> bool {
    let shell = person.shell.file_name();
    let is_closed = shell.is_some_and(|name| CLOSED_SHELLS.iter().any(|closed| name == *closed));
    ORDINARY_UIDS.contains(&person.uid) && !is_closed
}

fn unanswered(table: &Path, candidates: &[String]) -> String {
    const SHOWN_MAX: usize = 5;
    let who = match candidates {
        [] => "there is no ordinary user yet".to_owned(),
        [only] => format!("{only} could read it"),
        some if some.len() <= SHOWN_MAX => format!("{} could read it", some.join(", ")),
        many => format!("{} users could read it", many.len()),
    };
    format!(
        "{}: root has no alias, so that mail for root waits ({who}): yubin install --root-alias NAME, or add \"root: NAME\" and \
         run newaliases",
        table.display()
    )
}

fn write(hands: &mut Hands<'_>, table: &Path, root: Option<&str>) -> Result<()> {
    let last = match root {
        Some(name) => format!("root:           {name}\n"),
        None => "# Nobody reads root's mail before somebody is named here:\n# root:         you\n".to_owned(),
    };
    let text = format!("{}{last}", include_str!("files/aliases"));
    hands.configuration(table, text.as_bytes(), 0o644, None)
}

/// Adds a line; whoever reads at the same time sees all of it or nothing.
fn add(hands: &mut Hands<'_>, real: &Path, name: &str) -> Result<()> {
    hands.say(&format!("add \"root: {name}\" to {}", real.display()));
    if hands.mode == Mode::Tell {
        return Ok(());
    }
    let told = || format!("cannot add to {}", real.display());
    let text = std::fs::read(real).with_context(told)?;
    let separator = if text.is_empty() || text.ends_with(b"\n") {
        ""
    } else {
        "\n"
    };
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(real)
        .with_context(told)?;
    file.write_all(format!("{separator}root:           {name}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(told)
}

/// Whether a database of the configuration is to be built: this system's only.
pub(super) fn build(places: &Places, loaded: &Loaded) -> Result<()> {
    use tables::build::{Options, build};
    if !places.is_here() {
        return Ok(());
    }
    let databases = loaded.postfix.alias_database.iter();
    for table in databases.filter(|table| crate::check::is_old(table)) {
        build(table, Options::of(Syntax::Aliases)).with_context(|| format!("cannot build {table}"))?;
        crate::print_line(&format!("build {table}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::hands::Foreign;
    use super::super::manifest::Manifest;
    use super::*;

    const ROOT: &str = "root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n";
    const ANN: &str = "ann:x:1000:1000::/home/ann:/bin/bash\n";
    const BOB: &str = "bob:x:1001:1001::/home/bob:/bin/sh\n";

    /// A system with these users and, if there is one, this table.
    struct System(tempfile::TempDir);

    impl System {
        fn with(users: &str, table: Option<&str>) -> System {
            let root = tempfile::tempdir().expect("a directory");
            std::fs::create_dir(root.path().join("etc")).expect("made");
            std::fs::write(root.path().join("etc/passwd"), format!("{ROOT}{users}")).expect("written");
            if let Some(table) = table {
                std::fs::write(root.path().join("etc/aliases"), table).expect("written");
            }
            System(root)
        }

        /// What became of it: the number of things left alone.
        fn provide(&self, wanted: Option<&str>) -> Result<usize> {
            let places = Places {
                prefix: "/usr".into(),
                root: self.0.path().to_owned(),
                config: "/etc/yubin".into(),
            };
            let mut hands = Hands::with(&places, Mode::Do, Foreign::Stay, Manifest::default());
            hands.is_root = false;
            let loaded = config::load(self.0.path(), &config::Options::default());
            provide(&mut hands, &loaded, wanted)?;
            Ok(hands.left)
        }

        fn table(&self) -> String {
            std::fs::read_to_string(self.0.path().join("etc/aliases")).expect("there")
        }

        fn alias(&self) -> Found {
            look(&self.0.path().join("etc/aliases")).expect("readable")
        }
    }

    #[test]
    fn the_only_ordinary_user_reads_roots_mail() {
        let daemon = "daemon:x:1:1::/:/bin/sh\nshut:x:1002:1002::/:/usr/sbin/nologin\n";
        let system = System::with(&format!("{ANN}{daemon}"), None);
        assert_eq!(system.provide(None).expect("done"), 0);
        assert_eq!(system.alias(), Found::Alias("ann".to_owned()));
        assert!(
            system
                .table()
                .contains("postmaster:     root\nmailer-daemon:  postmaster\n")
        );
    }

    #[test]
    fn several_or_none_are_asked_for() {
        for users in ["", &format!("{ANN}{BOB}")] {
            let system = System::with(users, None);
            assert_eq!(system.provide(None).expect("done"), 1);
            assert_eq!(system.alias(), Found::NoAlias);
        }
        let system = System::with(&format!("{ANN}{BOB}"), None);
        assert_eq!(system.provide(Some("bob")).expect("done"), 0);
        assert_eq!(system.alias(), Found::Alias("bob".to_owned()));
        let told = unanswered(Path::new("/etc/aliases"), &["ann".to_owned(), "bob".to_owned()]);
        assert!(told.contains("(ann, bob could read it)"), "{told}");
    }

    #[test]
    fn a_table_that_is_there_changes_only_when_asked() {
        let table = "# See man 5 aliases for format\npostmaster:    root";
        let system = System::with(ANN, Some(table));
        assert_eq!(system.provide(None).expect("told"), 1);
        assert_eq!(system.table(), table);
        assert_eq!(system.provide(Some("ops@elsewhere.example")).expect("done"), 0);
        assert_eq!(
            system.table(),
            format!("{table}\nroot:           ops@elsewhere.example\n")
        );
        // Once more, and another: what is there stays.
        assert_eq!(system.provide(Some("ops@elsewhere.example")).expect("there"), 0);
        assert_eq!(system.provide(Some("ann")).expect("told"), 1);
        assert_eq!(system.alias(), Found::Alias("ops@elsewhere.example".to_owned()));
    }

    #[test]
    fn who_is_named_must_be_somebody() {
        let system = System::with(ANN, None);
        for (name, why) in [
            ("root", "is root"),
            ("carol", "there is no user carol"),
            ("|/bin/sh", "neither a user nor an address"),
            ("ann, bob", "neither a user nor an address"),
            ("/dev/null", "neither a user nor an address"),
            ("", "neither a user nor an address"),
        ] {
            let error = system.provide(Some(name)).expect_err("refused").to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
