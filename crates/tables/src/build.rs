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
use crate::{Error, types};

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
    build_from(table, &text, options, Some(&owner))
}

/// As [`build`] from a text that is at hand (`postmap -i`: standard input).
///
/// # Errors
/// As [`build`].
pub fn build_from_text(table: &TableRef, text: &str, options: Options) -> Result<Report, Error> {
    build_from(table, text, options, std::fs::metadata(&table.name).ok().as_ref())
}

fn build_from(
    table: &TableRef,
    text: &str,
    options: Options,
    owner: Option<&std::fs::Metadata>,
) -> Result<Report, Error> {
    let database = database_path(table)?;
    let mut content = Content::default();
    if options.is_incremental && database.exists() {
        for (key, value) in read(&database)? {
            content.add(key, value, Duplicates::Ignore);
        }
    }
    let found = source::parse(text, options.syntax, options.folds);
    let mut warnings: Vec<(usize, String)> = Vec::new();
    for (line, warning) in found.warnings {
        warnings.push((line, format!("{}, line {line}: {warning}", table.name)));
    }
    for entry in found.entries {
        let is_new = content.add(
            entry.key.clone().into_bytes(),
            entry.value.into_bytes(),
            options.duplicates,
        );
        if !is_new && options.duplicates == Duplicates::Warn {
            warnings.push((
                entry.line,
                format!("{}: duplicate entry: \"{}\"", database.display(), entry.key),
            ));
        }
    }
    warnings.sort_by_key(|(line, _)| *line);
    replace(&database, &content.records, owner.filter(|_| options.keeps_owner))?;
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
        replace(&database, &records, std::fs::metadata(&database).ok().as_ref())?;
    }
    Ok(before - records.len())
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
    /// Gives whether the key is new.
    fn add(&mut self, key: Vec<u8>, value: Vec<u8>, duplicates: Duplicates) -> bool {
        match self.places.get(&key) {
            Some(place) => {
                if duplicates == Duplicates::Replace {
                    self.records[*place].1 = value;
                }
                false
            }
            None => {
                self.places.insert(key.clone(), self.records.len());
                self.records.push((key, value));
                true
            }
        }
    }
}

/// Writes beside the database, syncs, and puts the new one in its place: readers see the old or the new one.
fn replace(database: &Path, records: &[Record], owner: Option<&std::fs::Metadata>) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Write {
        file: database.display().to_string(),
        cause: os::words(&error),
    };
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let written =
        write_synced((&temporary, is_lmdb(database)), records, owner).and_then(|()| std::fs::rename(&temporary, database));
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
    owner: Option<&std::fs::Metadata>,
) -> std::io::Result<()> {
    // Left over from a command that was killed under the same process number.
    let _ = std::fs::remove_file(path);
    let mode = owner.map_or(0o644, |owner| owner.mode() & 0o666);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    match is_lmdb {
        true => lmdb::write(&mut file, records)?,
        false => cdb::write(&mut file, records)?,
    }
    if let Some(owner) = owner {
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (owner.uid(), owner.gid()) {
            // Only root may give a file away; others keep what they make.
            let _ = std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()));
        }
    }
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.sync_all()
}
