//! The cache of address verification: an SQLite database, in a file or in memory (`address_verify_map`).
//!
//! It is a cache: after a power cut its last results may be missing, and one that is broken is begun anew.
//! Limits: [`ENTRIES_MAX`] in a file, [`ENTRIES_IN_MEMORY_MAX`] in memory; the oldest go first.

use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use access::verification::{Finding, Known, Status, Times};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use settings::Postfix;

/// How many addresses a file keeps.
pub(super) const ENTRIES_MAX: u64 = 1_000_000;
/// How many addresses are kept in memory.
pub(super) const ENTRIES_IN_MEMORY_MAX: u64 = 50_000;
/// How long an administrator's program that reads the file is waited for.
const BUSY_PATIENCE: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS verified (
    address TEXT PRIMARY KEY, status INTEGER NOT NULL, reason TEXT NOT NULL,
    updated INTEGER NOT NULL, probed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS verified_by_age ON verified (updated);
";

/// What became of a question to the cache.
pub(super) type Result<T> = std::result::Result<T, rusqlite::Error>;

/// Where a cache lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As `address_verify_map` names it: `btree:/var/lib/postfix/verify_cache`.
    name: String,
    /// The database; `None`: memory.
    file: Option<PathBuf>,
    /// The name is of another directory, which is not ours.
    is_moved: bool,
}

impl Place {
    /// By main.cf. The type is not asked for: `btree:`, `hash:` and `lmdb:` are names only. A file outside of `data_directory`
    /// lies there all the same.
    pub(super) fn of(settings: &Postfix) -> Place {
        let name = settings.address_verify_map.trim();
        let path = name.strip_prefix("proxy:").unwrap_or(name);
        let path = path.split_once(':').map_or(path, |(_, path)| path);
        let file = Path::new(path).file_name();
        let own = file.map(|file| settings.data_directory.join(file));
        Place {
            name: name.to_owned(),
            is_moved: own.as_ref().is_some_and(|own| own != Path::new(path)),
            file: own.map(|own| own.with_added_extension("sqlite")),
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str("internal"),
            name => f.write_str(name),
        }
    }
}

/// The cache.
pub(super) struct Cache {
    place: Place,
    connection: Connection,
    /// How many addresses it keeps.
    entries: u64,
    entries_max: u64,
    cleaned_micros: Option<i64>,
}

/// The file is no database, or no longer.
pub(super) fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

fn connect(file: Option<&Path>) -> Result<Connection> {
    let connection = match file {
        Some(file) => Connection::open(file)?,
        None => Connection::open_in_memory()?,
    };
    connection.busy_timeout(BUSY_PATIENCE)?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

impl Cache {
    /// Opens the cache, or makes it; in memory where its place cannot have it. `warn` is told why.
    pub(super) fn open(place: Place, warn: &dyn Fn(&str)) -> Cache {
        if let Some(file) = place.file.as_deref().filter(|_| place.is_moved) {
            let text = format!(
                "address_verify_map = {place}: it is kept below data_directory: {}",
                file.display()
            );
            warn(&text);
        }
        let opened = connect(place.file.as_deref());
        let opened = match opened {
            Err(error) if is_broken(&error) => {
                warn(&format!("{place}: {error}: it is begun anew"));
                remove(&place);
                connect(place.file.as_deref())
            }
            opened => opened,
        };
        opened
            .and_then(|connection| Cache::with(place.clone(), connection))
            .unwrap_or_else(|error| {
                warn(&format!(
                    "cannot open the cache {place}: {error}: results of probes are kept in memory"
                ));
                Cache::in_memory(place)
            })
    }

    fn in_memory(place: Place) -> Cache {
        let made = connect(None).and_then(|connection| Cache::with(place, connection));
        made.expect("SQLite makes a database in memory without a file, a lock or an input")
    }

    fn with(place: Place, connection: Connection) -> Result<Cache> {
        let count = "SELECT count(*) FROM verified";
        let entries: i64 = connection.query_row(count, [], |row| row.get(0))?;
        let in_file = connection.path().is_some_and(|path| !path.is_empty());
        Ok(Cache {
            place,
            entries: u64::try_from(entries).unwrap_or(0),
            entries_max: if in_file {
                ENTRIES_MAX
            } else {
                ENTRIES_IN_MEMORY_MAX
            },
            connection,
            cleaned_micros: None,
        })
    }

    /// Opens a cache that is there, to read it only; `None` where that cannot be done.
    pub(super) fn read(place: Place) -> Option<Cache> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(place.file.as_deref()?, flags).ok()?;
        Cache::with(place, connection).ok()
    }

    /// Where it lies.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// When it was cleaned, since it was opened.
    pub(super) fn cleaned_micros(&self) -> Option<i64> {
        self.cleaned_micros
    }

    /// Makes an empty one in the place of a broken one.
    pub(super) fn begin_anew(&mut self, warn: &dyn Fn(&str)) {
        remove(&self.place);
        *self = Cache::open(self.place.clone(), warn);
    }

    /// What is kept of an address.
    pub(super) fn find(&self, address: &str) -> Result<Option<Known>> {
        let query = "SELECT status, reason, updated, probed FROM verified WHERE address = ?1";
        let mut statement = self.connection.prepare(query)?;
        let found = statement.query_row([address], |row| {
            let status = match row.get(0)? {
                0 => Status::Deliverable,
                1 => Status::Undeliverable,
                _ => Status::Deferred,
            };
            Ok(Known {
                finding: Finding {
                    status,
                    text: row.get(1)?,
                },
                updated_micros: row.get(2)?,
                probed_micros: row.get(3)?,
            })
        });
        found.optional()
    }

    /// Keeps this of an address.
    pub(super) fn keep(&mut self, address: &str, known: &Known) -> Result<()> {
        let is_new = self.find(address)?.is_none();
        if is_new && self.entries >= self.entries_max {
            self.drop_oldest(self.entries_max / 16 + 1)?;
        }
        let status = match known.finding.status {
            Status::Deliverable => 0,
            Status::Undeliverable => 1,
            Status::Deferred => 2,
        };
        let change = "INSERT OR REPLACE INTO verified VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![
            address,
            status,
            known.finding.text,
            known.updated_micros,
            known.probed_micros
        ];
        self.connection.prepare(change)?.execute(values)?;
        self.entries += u64::from(is_new);
        Ok(())
    }

    /// A probe of an address was sent.
    pub(super) fn is_probed(&mut self, address: &str, now_micros: i64) -> Result<()> {
        let change = "UPDATE verified SET probed = ?2 WHERE address = ?1";
        self.connection.execute(change, params![address, now_micros])?;
        Ok(())
    }

    fn drop_oldest(&mut self, count: u64) -> Result<()> {
        let change =
            "DELETE FROM verified WHERE address IN (SELECT address FROM verified ORDER BY updated LIMIT ?1)";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let dropped = self.connection.execute(change, [count])?;
        self.entries = self.entries.saturating_sub(dropped as u64);
        Ok(())
    }

    /// Drops what counts no more; how many entries are left, and how many went.
    pub(super) fn clean(&mut self, times: &Times, now_micros: i64) -> Result<(u64, u64)> {
        self.cleaned_micros = Some(now_micros);
        let [good, other] = times.expiries_micros().map(|age| now_micros.saturating_sub(age));
        let change = "DELETE FROM verified WHERE updated < CASE status WHEN 0 THEN ?1 ELSE ?2 END";
        let dropped = self.connection.execute(change, [good, other])? as u64;
        self.entries = self.entries.saturating_sub(dropped);
        Ok((self.entries, dropped))
    }
}

/// Removes a database with what SQLite has beside it.
fn remove(place: &Place) {
    let Some(file) = &place.file else { return };
    for beside in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(beside);
        // What is not there need not go; what cannot go is told when it is opened.
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    const DAY: i64 = 86_400_000_000;

    fn settings(directory: &Path, map: &str) -> Postfix {
        Postfix {
            data_directory: directory.to_owned(),
            address_verify_map: map.to_owned(),
            ..Postfix::defaults(&Surroundings::default())
        }
    }

    fn known(status: Status, updated_micros: i64) -> Known {
        Known {
            finding: Finding {
                status,
                text: "host said: 550 \"no\"".to_owned(),
            },
            updated_micros,
            probed_micros: updated_micros,
        }
    }

    fn silent(text: &str) {
        panic!("nobody should be told: {text}");
    }

    #[test]
    fn what_is_kept_is_there_after_a_restart_and_can_be_read_beside() {
        let directory = tempfile::tempdir().expect("a directory");
        let map = format!("btree:{}/verify_cache", directory.path().display());
        let place = || Place::of(&settings(directory.path(), &map));
        assert!(Cache::read(place()).is_none());
        let mut cache = Cache::open(place(), &silent);
        let bad = known(Status::Undeliverable, 5);
        cache.keep("a@x.test", &bad).expect("it is kept");
        cache.is_probed("a@x.test", 9).expect("it is noted");
        let noted = Known {
            probed_micros: 9,
            ..bad
        };
        let beside = Cache::read(place()).expect("it is there");
        assert_eq!(beside.find("a@x.test").expect("an answer"), Some(noted.clone()));
        drop((cache, beside));
        let mut cache = Cache::open(place(), &silent);
        assert_eq!(cache.find("a@x.test").expect("an answer"), Some(noted));
        assert_eq!(cache.find("b@x.test").expect("an answer"), None);
        assert_eq!(cache.entries, 1);
        cache
            .keep("a@x.test", &known(Status::Deliverable, 6))
            .expect("it is kept");
        assert_eq!(cache.entries, 1);
        assert!(directory.path().join("verify_cache.sqlite").exists());
    }

    #[test]
    fn a_cleaning_drops_what_counts_no_more() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = settings(directory.path(), "");
        let mut cache = Cache::open(Place::of(&settings), &silent);
        let now = 100 * DAY;
        for (address, status, age) in [
            ("new", Status::Deliverable, DAY),
            ("old", Status::Deliverable, 32 * DAY),
            ("good", Status::Deliverable, 4 * DAY),
            ("bad", Status::Undeliverable, 4 * DAY),
            ("late", Status::Deferred, 2 * DAY),
        ] {
            cache
                .keep(address, &known(status, now - age))
                .expect("it is kept");
        }
        assert_eq!(
            cache.clean(&Times::of(&settings), now).expect("it is done"),
            (3, 2)
        );
        for gone in ["old", "bad"] {
            assert_eq!(cache.find(gone).expect("an answer"), None);
        }
        assert_eq!(cache.cleaned_micros(), Some(now));
    }

    #[test]
    fn a_full_cache_drops_the_oldest() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut cache = Cache::open(Place::of(&settings(directory.path(), "")), &silent);
        cache.entries_max = 32;
        for number in 0..33 {
            cache
                .keep(&number.to_string(), &known(Status::Deliverable, number))
                .expect("it is kept");
        }
        assert_eq!(cache.entries, 30);
        assert_eq!(cache.find("2").expect("an answer"), None);
        assert!(cache.find("3").expect("an answer").is_some());
    }

    #[test]
    fn a_broken_file_is_begun_anew_and_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let map = format!("lmdb:{}/cache", directory.path().display());
        fs::write(
            directory.path().join("cache.sqlite"),
            "this is no database at all",
        )
        .expect("a file");
        let told = std::cell::RefCell::new(Vec::new());
        let settings = settings(directory.path(), &map);
        let mut cache = Cache::open(Place::of(&settings), &|text| {
            told.borrow_mut().push(text.to_owned())
        });
        cache
            .keep("a@x.test", &known(Status::Deliverable, 1))
            .expect("it is kept");
        assert!(
            matches!(told.borrow().as_slice(), [text] if text.ends_with("it is begun anew")),
            "{told:?}"
        );
    }

    #[test]
    fn where_no_file_can_be_memory_serves() {
        let told = std::cell::RefCell::new(Vec::new());
        let settings = settings(Path::new("/nonexistent"), "btree:/nonexistent/cache");
        let mut cache = Cache::open(Place::of(&settings), &|text| {
            told.borrow_mut().push(text.to_owned())
        });
        cache
            .keep("a@x.test", &known(Status::Deliverable, 1))
            .expect("it is kept");
        assert_eq!(cache.entries_max, ENTRIES_IN_MEMORY_MAX);
        assert!(told.borrow()[0].ends_with("results of probes are kept in memory"));
    }

    #[test]
    fn a_file_elsewhere_lies_in_the_data_directory() {
        let place = Place::of(&settings(
            Path::new("/var/lib/postfix"),
            "proxy:hash:/etc/postfix/verify",
        ));
        assert_eq!(
            place.file.as_deref(),
            Some(Path::new("/var/lib/postfix/verify.sqlite"))
        );
        assert!(place.is_moved);
        assert_eq!(place.to_string(), "proxy:hash:/etc/postfix/verify");
        let memory = Place::of(&settings(Path::new("/var/lib/postfix"), " "));
        assert_eq!((memory.file.as_deref(), memory.is_moved), (None, false));
    }
}
