//! Lookup tables and aliases(5).
//!
//! In charge of every `type:name` that a parameter may hold, of the text sources of tables, and of building the
//! databases behind `hash:` and its like. Not in charge of what a looked-up value means, nor of expanding aliases
//! (crate `deliver-local`).
//!
//! Entries: [`Tables::open`] and [`Tables::lookup`]; [`build::build`] behind postmap(1) and postalias(1);
//! [`addresses::AddressMap`]; [`aliases::targets`]; [`watch`] for whoever explains; [`files::borrow_from`] for processes that may
//! not open all of them, [`waiting::go_through`] for those whose threads must not wait. An error is never "not found". One file per type in `types/`.
//! The names `hash:`, `btree:` and `dbm:` are served by constant databases of our own (`NAME.db`); where such a file
//! was written by Berkeley DB, the text source beside it is read instead.
//! Sources: postconf(5), postmap(1), postalias(1), aliases(5), regexp_table(5), cidr_table(5), D. J. Bernstein's cdb.
//! Limits: [`source::SOURCE_BYTES_MAX`], [`cdb::RECORD_BYTES_MAX`], [`types::patterns::RULES_MAX`], [`lmdb::KEY_BYTES_MAX`]; each type's own. Test data: `tests/`.

pub mod addresses;
pub mod aliases;
pub mod build;
pub mod cdb;
mod changes;
pub mod client_list;
pub mod file_values;
pub mod files;
pub mod lmdb;
pub mod name_list;
pub mod source;
pub mod types;
pub mod waiting;
pub mod watch;

use std::sync::Arc;

use settings::TableRef;

/// Why a table did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such type of table.
    #[error("unsupported dictionary type: {kind}")]
    UnknownType {
        /// The word before the colon.
        kind: String,
    },
    /// A file that is read as it is is missing or cannot be read.
    #[error("open {file}: {cause}")]
    OpenFile {
        /// The file.
        file: String,
        /// Why.
        cause: String,
    },
    /// Who could answer for such a table could make himself anybody: it is not asked whose mail is whose.
    #[error("{table} map is not allowed for {what} data")]
    NotAllowed {
        /// The table as configured.
        table: String,
        /// `security sensitive`, as Postfix writes it of that type.
        what: &'static str,
    },
    /// The name of a table makes no sense for its type.
    #[error("bad syntax: \"{table}\"; need \"{wanted}\"")]
    BadName {
        /// The table as configured.
        table: String,
        /// What it should look like.
        wanted: String,
    },
    /// What an `inline:` table holds makes no sense.
    #[error("{cause}: \"{table}\"; need \"inline:{{name=value...}}\"")]
    Inline {
        /// The table as configured.
        table: String,
        /// What is wrong.
        cause: String,
    },
    /// The table has no list of its entries, or cannot be changed.
    #[error("table {table}: {what} operation is not supported")]
    NoSuchOperation {
        /// The table as configured.
        table: String,
        /// `sequence`.
        what: &'static str,
    },
    /// Postfix has the type, Yubin does not yet.
    #[error("table {table}: type {kind} is not there yet")]
    NotYet {
        /// The table as configured.
        table: String,
        /// Its type.
        kind: String,
    },
    /// A file is missing or cannot be read.
    #[error("open database {file}: {cause}")]
    Open {
        /// The file.
        file: String,
        /// Why, and what to do about it.
        cause: String,
    },
    /// A file is damaged.
    #[error("table {file}: {cause}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong.
        cause: String,
    },
    /// The text of a table makes no sense.
    #[error("{place}: {cause}")]
    Syntax {
        /// File and line, or the table as configured.
        place: String,
        /// What is wrong.
        cause: String,
    },
    /// A rule of a table makes no sense; the others hold.
    #[error("{place}: {cause}")]
    Skipped {
        /// File and line, or the table as configured.
        place: String,
        /// What is wrong.
        cause: String,
    },
    /// The table could not be asked.
    #[error("table {table}: query error: {cause}")]
    Lookup {
        /// The table as configured.
        table: String,
        /// Why.
        cause: String,
    },
    /// A table of a list answers with nothing, which is neither a value nor "not found".
    #[error("{map} lookup of {key} returns an empty string result")]
    EmptyResult {
        /// The parameter of the list, or the table as configured.
        map: String,
        /// What was looked for.
        key: String,
    },
    /// A database cannot be written.
    #[error("cannot write {file}: {cause}")]
    Write {
        /// The file.
        file: String,
        /// Why.
        cause: String,
    },
}

impl Error {
    /// Whether the table could not be opened at all: Postfix says `TABLE is unavailable. WHY` at each of its lookups.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Error::UnknownType { .. }
            | Error::OpenFile { .. }
            | Error::NotAllowed { .. }
            | Error::BadName { .. }
            | Error::Inline { .. }
            | Error::NotYet { .. }
            | Error::Open { .. } => true,
            Error::NoSuchOperation { .. }
            | Error::Damaged { .. }
            | Error::Syntax { .. }
            | Error::Skipped { .. }
            | Error::Lookup { .. }
            | Error::EmptyResult { .. }
            | Error::Write { .. } => false,
        }
    }

    /// Whether the table answers what no table may: Postfix has told it when the answer came, and does not speak of a failed lookup.
    pub fn is_empty_result(&self) -> bool {
        matches!(self, Error::EmptyResult { .. })
    }
}

/// An open table.
pub trait Table: Send + Sync + std::fmt::Debug {
    /// The value of a key; `None` when the table does not have it.
    ///
    /// # Errors
    /// When the table cannot be asked now. Trying again later makes sense.
    fn lookup(&self, key: &str) -> Result<Option<String>, Error>;

    /// As [`Table::lookup`] without folding the key to lower case (`postmap -f`).
    ///
    /// # Errors
    /// As [`Table::lookup`].
    fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        self.lookup(key)
    }

    /// All entries, in an order of the table's own (`postmap -s`).
    ///
    /// # Errors
    /// [`Error::NoSuchOperation`] where a table has no list of them; as [`Table::lookup`].
    fn entries(&self) -> Result<Vec<(String, String)>, Error> {
        Err(Error::NoSuchOperation {
            table: String::new(),
            what: "sequence",
        })
    }

    /// A warning for the log, each once (a database that is older than its source).
    fn take_warning(&self) -> Option<String> {
        None
    }
}

/// Who is told the warnings of tables, each once: the log of the daemon that asks them.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// How much of a key a warning shows, in characters.
const KEY_SHOWN: usize = 1000;

/// What answers decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// Anything but that.
    Usual,
    /// Which program passes mail on, and to whom: patterns give no pieces of what a stranger wrote.
    Transport,
    /// Which commands run, which files are written and as whom: nor are servers asked that anybody might stand in for
    /// (local(8), virtual(8)).
    Rights,
}

/// How a table is asked, which the log tells of a lookup that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// As one of the tables of a parameter.
    AsMap,
    /// As one of aliases.
    AsAliases,
}

/// Whether a key is folded to lower case where a table does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// It is.
    Folded,
    /// It stays as it is written (`postmap -f`).
    Kept,
}

/// Several tables, asked in order (`alias_maps = hash:/etc/aliases, texthash:/etc/more`).
pub struct Tables {
    tables: Vec<(TableRef, Box<dyn Table>)>,
    tell: Option<Tell>,
    /// The parameter that has them.
    title: Option<String>,
    asked: Asked,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables {
            tables: Vec::new(),
            tell: None,
            title: None,
            asked: Asked::AsMap,
        }
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tables").field(&self.tables).finish()
    }
}

impl Tables {
    /// Opens tables, and tells what is wrong with them now. A table whose file is missing stays in its place:
    /// looking it up is an error until the file is there. So does a table of a type that is not there yet.
    pub fn open(refs: &[TableRef]) -> (Tables, Vec<Error>) {
        Tables::open_for(Matter::Usual, refs)
    }

    /// The same for what they decide.
    pub fn open_for(matter: Matter, refs: &[TableRef]) -> (Tables, Vec<Error>) {
        let mut problems = Vec::new();
        let mut tables = Vec::with_capacity(refs.len());
        for table in refs {
            let (opened, problem) = types::open(table, matter);
            problems.extend(problem);
            tables.push((table.clone(), opened));
        }
        let opened = Tables {
            tables,
            ..Tables::default()
        };
        (opened, problems)
    }

    /// The same as tables of aliases: the log speaks otherwise of those.
    pub fn as_aliases(self) -> Tables {
        Tables {
            asked: Asked::AsAliases,
            ..self
        }
    }

    /// The same with the name of the parameter that has them, for warnings about what they answer.
    pub fn titled(self, parameter: &str) -> Tables {
        Tables {
            title: Some(parameter.to_owned()),
            ..self
        }
    }

    /// From now on warnings are told to `tell`, those that there are already at once; [`Tables::take_warnings`] has none then.
    pub fn tell_warnings(&mut self, tell: &Tell) {
        self.tell = Some(Arc::clone(tell));
        self.tables.iter().for_each(|(_, table)| self.pass_on(&**table));
    }

    /// Tells what the table has to say; it may have said it by failing, too.
    fn pass_on(&self, table: &dyn Table) {
        if let Some(tell) = &self.tell {
            while let Some(warning) = table.take_warning() {
                tell(&warning);
            }
        }
    }

    /// Whether there are tables of a type.
    pub fn is_known(kind: &str) -> bool {
        types::NAMES.contains(&kind)
    }

    /// Whether there is no table at all.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// What a table says, unless it says nothing at all: an empty value would open or lose what is asked for (maps(3)).
    fn answer(&self, table: &TableRef, key: &str, value: String) -> Result<String, Error> {
        if !value.is_empty() {
            return Ok(value);
        }
        let map = self.title.clone().unwrap_or_else(|| table.to_string());
        let error = Error::EmptyResult {
            map,
            key: key.to_owned(),
        };
        if let (Some(tell), Error::EmptyResult { map, .. }) = (&self.tell, &error) {
            tell(&error.to_string());
            tell(&format!("{map} should return NO RESULT in case of NOT FOUND"));
        }
        Err(error)
    }

    /// What a table says when it is asked, told as Postfix tells it where it does not answer.
    fn heard(
        &self,
        (table, opened): (&TableRef, &dyn Table),
        key: &str,
        found: Result<Option<String>, Error>,
    ) -> Result<Option<String>, Error> {
        self.pass_on(opened);
        if let (Some(tell), Err(error)) = (&self.tell, &found) {
            if error.is_unavailable() {
                tell(&format!("{table} is unavailable. {error}"));
            }
            if is_told_by_nobody_else(table, error) {
                tell(&error.to_string());
            }
            let shown: String = key.chars().take(KEY_SHOWN).collect();
            tell(&match self.asked {
                // Owners of lists are asked for as anything else.
                Asked::AsAliases if !key.starts_with("owner-") => {
                    format!("{table}: lookup of '{shown}' failed")
                }
                Asked::AsMap | Asked::AsAliases => format!("{table} lookup error for \"{shown}\""),
            });
        }
        found
    }

    /// The same for a list that has a name.
    fn told_of_list(&self, table: &TableRef, error: &Error) {
        if let (Some(tell), Some(title)) = (&self.tell, &self.title) {
            if error.is_unavailable() {
                tell(&format!("{table} is unavailable. {error}"));
            } else if is_told_by_nobody_else(table, error) {
                tell(&error.to_string());
            }
            tell(&format!("{title}: {table}: table lookup problem"));
        }
    }

    /// Whether a table has the key, with whatever value: how tables in lists of names, domains and networks are asked.
    ///
    /// # Errors
    /// The first error on the way.
    pub fn has(&self, key: &str) -> Result<bool, Error> {
        Tables::one_has(self.tables.iter(), key, self)
    }

    /// As [`Tables::has`] for a key that is a part, as in [`Tables::lookup_part`].
    ///
    /// # Errors
    /// The first error on the way.
    pub fn has_part(&self, key: &str) -> Result<bool, Error> {
        let mut tables = self.tables.iter();
        let fixed = tables.by_ref().filter(|(table, _)| !types::has_patterns(table));
        Tables::one_has(fixed, key, self)
    }

    fn one_has<'t>(
        tables: impl Iterator<Item = &'t (TableRef, Box<dyn Table>)>,
        key: &str,
        of: &Tables,
    ) -> Result<bool, Error> {
        for (table, opened) in tables {
            let found = opened.lookup(key);
            of.pass_on(&**opened);
            if let Some(value) = found.inspect_err(|error| of.told_of_list(table, error))? {
                watch::found(table, key, &value);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first entry for the key as it stands in the table, an empty one too: what tools show.
    ///
    /// # Errors
    /// The first error on the way.
    pub fn entry(&self, key: &str, case: Case) -> Result<Option<String>, Error> {
        for (_, opened) in &self.tables {
            let found = match case {
                Case::Folded => opened.lookup(key),
                Case::Kept => opened.lookup_unfolded(key),
            };
            self.pass_on(&**opened);
            if let Some(value) = found? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The first value that a table has for the key. A table that cannot be asked ends the search: what stands
    /// behind it must not decide in its stead.
    ///
    /// # Errors
    /// The first error on the way; [`Error::EmptyResult`] where a table answers with nothing.
    pub fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.lookup_with_source(key)?.map(|(value, _)| value))
    }

    /// As [`Tables::lookup`] without folding the key to lower case, where a table does that (`postmap -f`).
    ///
    /// # Errors
    /// The first error on the way.
    pub fn lookup_unfolded(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.lookup_unfolded_with_source(key)?.map(|(value, _)| value))
    }

    /// As [`Tables::lookup_unfolded`], with the table that answered.
    ///
    /// # Errors
    /// The first error on the way.
    pub fn lookup_unfolded_with_source(&self, key: &str) -> Result<Option<(String, &TableRef)>, Error> {
        for (table, opened) in &self.tables {
            let found = self.heard((table, &**opened), key, opened.lookup_unfolded(key))?;
            if let Some(value) = found {
                return Ok(Some((self.answer(table, key, value)?, table)));
            }
        }
        Ok(None)
    }

    /// As [`Tables::lookup`] for a key that is a part of what is looked up (a domain, a name without its extension): tables
    /// of patterns are passed over, which see the whole and nothing else (access(5), transport(5)).
    ///
    /// # Errors
    /// The first error on the way.
    pub fn lookup_part(&self, key: &str) -> Result<Option<String>, Error> {
        let fixed = self
            .tables
            .iter()
            .filter(|(table, _)| !types::has_patterns(table));
        for (table, opened) in fixed {
            let found = self.heard((table, &**opened), key, opened.lookup(key))?;
            if let Some(value) = found {
                watch::found(table, key, &value);
                return Ok(Some(self.answer(table, key, value)?));
            }
        }
        Ok(None)
    }

    /// As [`Tables::lookup`], with the table that answered.
    ///
    /// # Errors
    /// The first error on the way.
    pub fn lookup_with_source(&self, key: &str) -> Result<Option<(String, &TableRef)>, Error> {
        for (table, opened) in &self.tables {
            let found = self.heard((table, &**opened), key, opened.lookup(key))?;
            if let Some(value) = found {
                watch::found(table, key, &value);
                return Ok(Some((self.answer(table, key, value)?, table)));
            }
        }
        Ok(None)
    }

    /// All entries of all tables (`postmap -s`).
    ///
    /// # Errors
    /// [`Error::NoSuchOperation`]; as [`Tables::lookup`].
    pub fn entries(&self) -> Result<Vec<(String, String)>, Error> {
        let mut all = Vec::new();
        for (table, opened) in &self.tables {
            let entries = opened.entries();
            self.pass_on(&**opened);
            all.extend(entries.map_err(|error| match error {
                Error::NoSuchOperation { what, .. } => Error::NoSuchOperation {
                    table: table.to_string(),
                    what,
                },
                other => other,
            })?);
        }
        Ok(all)
    }

    /// Warnings that arose since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        self.tables
            .iter()
            .flat_map(|(_, table)| std::iter::from_fn(|| table.take_warning()))
            .collect()
    }
}

/// Whether the log would not say why a lookup failed: servers' tables tell their troubles themselves.
fn is_told_by_nobody_else(table: &TableRef, error: &Error) -> bool {
    match error {
        Error::Damaged { .. } | Error::Syntax { .. } => true,
        Error::Lookup { .. } => ["sqlite", "unix", "regexp", "pcre"].contains(&table.kind.as_str()),
        _ => false,
    }
}
