//! postmap(1) and postalias(1): from a text source to a database, and the databases' everyday care.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use settings::TableRef;

use crate::cdb::{self, Cdb, Opened, Record};
use crate::lmdb::{self, Lmdb};
use crate::source::{self, Syntax};
use crate::{Error, file_values, types};

/// What to do about a key that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Keep the first and warn.
    #[default]
    Warn,
    /// Keep the first in silence (`-w`).
    Ignore,
    /// Take the new one (`-r`).
    Replace,
}

/// How a database is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The syntax of the source.
    pub syntax: Syntax,
    /// What to do about repeated keys.
    pub duplicates: Duplicates,
    /// Whether keys are folded to lower case (not with `-f`).
    pub folds: bool,
    /// Whether the old entries stay and the new ones are added (`-i`).
    pub is_incremental: bool,
    /// Whether the database gets the source's owner when we are root (not with `-o`).
    pub keeps_owner: bool,
    /// Whether the database gets the source's permissions, too (not with `-p`: then they are 0644).
    pub keeps_mode: bool,
    /// Whether values are names of files, whose content is the value (`-F`).
    pub reads_files: bool,
}

impl Options {
    /// What postmap or postalias does without options.
    pub fn of(syntax: Syntax) -> Options {
        Options {
            syntax,
            duplicates: Duplicates::Warn,
            folds: true,
            is_incremental: false,
            keeps_owner: true,
            keeps_mode: true,
            reads_files: false,
        }
    }
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The database.
    pub file: PathBuf,
    /// How many entries it has.
    pub entries: usize,
    /// The longest value, in bytes.
    pub longest_value_bytes: usize,
    /// All values together, in bytes.
    pub value_bytes: usize,
    /// What was passed over, in Postfix's words.
    pub warnings: Vec<String>,
}

/// Whether a type has databases to build (texthash and its like have none: nothing to do).
pub fn has_database(kind: &str) -> bool {
    types::database::suffix(kind).is_some()
}

/// The file of a table's database; `None` for a type that has none.
pub fn database_name(table: &TableRef) -> Option<String> {
    types::database::suffix(&table.kind).map(|suffix| format!("{}{suffix}", table.name))
}

/// Builds the database of a table from the text source of its name.
///
/// # Errors
/// [`Error::Open`] for the source, [`Error::Write`] for the database, [`Error::UnknownType`]. The old database stays
/// as it is when anything fails.
pub fn build(table: &TableRef, options: Options) -> Result<Report, Error> {
    let path = Path::new(&table.name);
    let failed = |error: std::io::Error| Error::Open {
        file: table.name.clone(),
        cause: os::words(&error),
    };
    let owner = std::fs::metadata(path).map_err(failed)?;
    let text = source::read(path)?;
    build_from(table, (&table.name, &text), options, Some(&owner))
}

/// As [`build`] from a text that is at hand (`postmap -i`: standard input).
///
/// # Errors
/// As [`build`].
pub fn build_from_text(table: &TableRef, text: &str, options: Options) -> Result<Report, Error> {
    let owner = std::fs::metadata(&table.name).ok();
    build_from(table, ("stdin", text), options, owner.as_ref())
}

fn build_from(
    table: &TableRef,
    (place, text): (&str, &str),
    options: Options,
    owner: Option<&std::fs::Metadata>,
) -> Result<Report, Error> {
    let database = database_path(table)?;
    let mut content = Content::default();
    if options.is_incremental && database.exists() {
        for (key, value) in read(&database)? {
            let _ = content.add(key, value, Duplicates::Ignore);
        }
    }
    let found = source::parse(text, options.syntax, options.folds);
    let mut warnings: Vec<(usize, String)> = Vec::new();
    for (line, warning) in found.warnings {
        warnings.push((line, source::of_line(place, line, &warning)));
    }
    for mut entry in found.entries {
        if options.reads_files {
            match file_values::encoded(&entry.value) {
                Ok(value) => entry.value = value,
                Err(cause) => {
                    let text = format!("{place}, line {}: {cause}: skipping this entry", entry.line);
                    warnings.push((entry.line, text));
                    continue;
                }
            }
        }
        let added = content.add(
            entry.key.into_bytes(),
            entry.value.into_bytes(),
            options.duplicates,
        );
        if let Err(key) = added
            && options.duplicates == Duplicates::Warn
        {
            let key = String::from_utf8_lossy(&key);
            let text = format!("{}: duplicate entry: \"{key}\"", called(table, &database));
            warnings.push((entry.line, text));
        }
    }
    warnings.sort_by_key(|(line, _)| *line);
    let likeness = Likeness {
        owner: owner
            .filter(|_| options.keeps_owner)
            .map(|owner| (owner.uid(), owner.gid())),
        mode: owner
            .filter(|_| options.keeps_mode)
            .map_or(0o644, |owner| owner.mode() & 0o666),
    };
    replace(&database, &content.records, likeness)?;
    Ok(Report {
        entries: content.records.len(),
        longest_value_bytes: content
            .records
            .iter()
            .map(|(_, value)| value.len())
            .max()
            .unwrap_or(0),
        value_bytes: content.records.iter().map(|(_, value)| value.len()).sum(),
        warnings: warnings.into_iter().map(|(_, warning)| warning).collect(),
        file: database,
    })
}

/// Removes keys from a database (`postmap -d`). Gives how many were there.
///
/// # Errors
/// As [`build`].
pub fn delete(table: &TableRef, keys: &[String], folds: bool) -> Result<usize, Error> {
    let database = database_path(table)?;
    let mut records = read(&database)?;
    let before = records.len();
    let keys: Vec<String> = keys
        .iter()
        .map(|key| if folds { key.to_lowercase() } else { key.clone() })
        .collect();
    records.retain(|(key, _)| !keys.iter().any(|wanted| wanted.as_bytes() == key));
    if records.len() < before {
        let old = std::fs::metadata(&database).map_err(|error| Error::Open {
            file: database.display().to_string(),
            cause: os::words(&error),
        })?;
        let likeness = Likeness {
            owner: Some((old.uid(), old.gid())),
            mode: old.mode() & 0o666,
        };
        replace(&database, &records, likeness)?;
    }
    Ok(before - records.len())
}

/// Writes records as they are into a table's database (`makemap`): keys that repeat stay, and are found by their first
/// record. A database that is there keeps its permissions, a new one gets `mode` and, where it is given, the owner.
///
/// # Errors
/// As [`build`].
pub fn store(
    table: &TableRef,
    records: &[Record],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let database = database_path(table)?;
    let old = std::fs::metadata(&database).ok();
    let likeness = Likeness {
        owner: owner.or(old.as_ref().map(|old| (old.uid(), old.gid()))),
        mode: old.map_or(mode, |old| old.mode() & 0o777),
    };
    replace(&database, records, likeness)
}

/// All records of a database, in order, as they are.
///
/// # Errors
/// [`Error::Open`], [`Error::Damaged`], [`Error::UnknownType`].
pub fn records(table: &TableRef) -> Result<Vec<Record>, Error> {
    read(&database_path(table)?)
}

/// All entries of a database, in order (`postmap -s`).
///
/// # Errors
/// [`Error::Open`], [`Error::Damaged`], [`Error::UnknownType`].
pub fn entries(table: &TableRef) -> Result<Vec<(String, String)>, Error> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(read(&database_path(table)?)?
        .into_iter()
        .map(|(key, value)| (text(key), text(value)))
        .collect())
}

fn database_path(table: &TableRef) -> Result<PathBuf, Error> {
    match types::database::suffix(&table.kind) {
        Some(suffix) => Ok(PathBuf::from(format!("{}{suffix}", table.name))),
        None => Err(Error::UnknownType {
            kind: table.kind.clone(),
        }),
    }
}

fn read(database: &Path) -> Result<Vec<Record>, Error> {
    if is_lmdb(database) {
        return Lmdb::open(database)?.records();
    }
    match Cdb::open(database)? {
        Opened::Ours(cdb) => cdb.records(),
        Opened::BerkeleyDb => Err(Error::Damaged {
            file: database.display().to_string(),
            cause: "it was written by Berkeley DB; build it anew from its source".to_owned(),
        }),
    }
}

fn is_lmdb(database: &Path) -> bool {
    database.extension().is_some_and(|extension| extension == "lmdb")
}

/// Records in the order of their keys' first appearance.
#[derive(Default)]
struct Content {
    records: Vec<Record>,
    places: HashMap<Vec<u8>, usize>,
}

impl Content {
    /// Gives a key back that is there already.
    fn add(&mut self, key: Vec<u8>, value: Vec<u8>, duplicates: Duplicates) -> Result<(), Vec<u8>> {
        match self.places.get(&key) {
            Some(place) => {
                if duplicates == Duplicates::Replace {
                    self.records[*place].1 = value;
                }
                Err(key)
            }
            None => {
                self.places.insert(key.clone(), self.records.len());
                self.records.push((key, value));
                Ok(())
            }
        }
    }
}

/// What a new database's file is like.
#[derive(Debug, Clone, Copy)]
struct Likeness {
    /// User and group, where they are to be somebody else's than ours.
    owner: Option<(u32, u32)>,
    mode: u32,
}

/// What Postfix calls a table where it tells of a repeated key.
fn called(table: &TableRef, database: &Path) -> String {
    match table.kind.as_str() {
        "cdb" => table.name.clone(),
        "lmdb" => table.to_string(),
        _ => database.display().to_string(),
    }
}

/// Writes beside the database, syncs, and puts the new one in its place: readers see the old or the new one.
fn replace(database: &Path, records: &[Record], likeness: Likeness) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Write {
        file: database.display().to_string(),
        cause: os::words(&error),
    };
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = write_synced((&temporary, is_lmdb(database)), records, likeness)
        .and_then(|()| std::fs::rename(&temporary, database))
        .inspect(|()| crate::changes::replaced());
    if let Err(error) = written {
        if error.kind() != ErrorKind::AlreadyExists {
            let _ = std::fs::remove_file(&temporary);
        }
        return Err(failed(error));
    }
    let directory = database
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

fn write_synced(
    (path, is_lmdb): (&Path, bool),
    records: &[Record],
    likeness: Likeness,
) -> std::io::Result<()> {
    // Left over from a command that was killed under the same process number.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    match is_lmdb {
        true => lmdb::write(&mut file, records)?,
        false => cdb::write(&mut file, records)?,
    }
    if let Some((uid, gid)) = likeness.owner {
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (uid, gid) {
            // Only root may give a file away; others keep what they make.
            let _ = std::os::unix::fs::fchown(&file, Some(uid), Some(gid));
        }
    }
    file.set_permissions(std::fs::Permissions::from_mode(likeness.mode))?;
    file.sync_all()
}
