//! Users in an SQLite database: Dovecot's queries, with the values of variables quoted.
//!
//! Connections are kept and used by one lookup at a time, [`CONNECTIONS_MAX`] of them; more lookups open their own and close it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sasl::scheme::{Scheme, Weak};

use crate::driver::{Fields, Record, literal};
use crate::variables::{Variables, expand_escaped};

/// The most connections that are kept.
const CONNECTIONS_MAX: usize = 8;
/// How long a lookup waits for somebody who writes.
const BUSY_PATIENCE: Duration = Duration::from_secs(10);
/// The most users of one listing.
const USERS_MAX: usize = 1_000_000;

/// A database and the queries of one block.
pub(crate) struct Sql {
    path: PathBuf,
    is_read_only: bool,
    scheme: Scheme,
    password_query: Option<String>,
    user_query: Option<String>,
    iterate_query: Option<String>,
    idle: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sql")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The columns of a row that are not NULL.
type Row = Vec<(String, String)>;

impl Sql {
    /// Reads the `sql/…` settings of a block.
    pub(crate) fn of(options: &BTreeMap<String, String>, scheme: &str) -> Result<Sql, String> {
        let text = |key: &str| {
            options
                .get(&format!("sql/{key}"))
                .filter(|text| !text.is_empty())
                .cloned()
        };
        // 2.3's `connect` may hold parameters after the file.
        let connect = text("connect").ok_or("the file of the database is missing (connect, sqlite_path)")?;
        let path = connect.split_whitespace().next().unwrap_or_default().to_owned();
        let scheme = text("default_pass_scheme").unwrap_or_else(|| scheme.to_owned());
        Ok(Sql {
            path: PathBuf::from(path),
            is_read_only: options.get("sqlite_readonly").is_some_and(|text| text == "yes"),
            scheme: scheme.parse().map_err(|error: sasl::Error| error.to_string())?,
            password_query: text("password_query"),
            user_query: text("user_query"),
            iterate_query: text("iterate_query"),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// The same, with weak schemes of stored passwords believed or not.
    pub(crate) fn with_weak(self, weak: Weak) -> Sql {
        Sql {
            scheme: self.scheme.clone().with_weak(weak),
            ..self
        }
    }

    /// The query for a password, with its variables replaced.
    pub(crate) fn password_query(&self, variables: &Variables<'_>) -> Result<String, String> {
        filled(self.password_query.as_deref(), "password_query", variables)
    }

    /// The query for a user, with its variables replaced.
    pub(crate) fn user_query(&self, variables: &Variables<'_>) -> Result<String, String> {
        filled(self.user_query.as_deref(), "user_query", variables)
    }

    /// What `password_query` says of a user.
    pub(crate) fn passdb_record(&self, variables: &Variables<'_>) -> Result<Option<Record>, String> {
        let query = self.password_query(variables)?;
        let Some(mut fields) = self.one(&query, "password_query")? else {
            return Ok(None);
        };
        let has_password_column = fields.iter().any(|(name, _)| name == "password");
        let password = take(&mut fields, "password").filter(|_| has_password_column);
        let (name, domain) = (take(&mut fields, "username"), take(&mut fields, "domain"));
        let has_user = fields.iter().any(|(name, _)| name == "user");
        if let Some(name) = name.filter(|_| !has_user) {
            fields.push(("user".to_owned(), with_domain(name, domain)));
        }
        Ok(Some(Record {
            password,
            scheme: self.scheme.clone(),
            fields: literally(fields),
        }))
    }

    /// What `user_query` says of a user.
    pub(crate) fn userdb_fields(&self, variables: &Variables<'_>) -> Result<Option<Fields>, String> {
        let query = self.user_query(variables)?;
        Ok(self.one(&query, "user_query")?.map(literally))
    }

    /// All users by `iterate_query`; nothing without one.
    pub(crate) fn list(&self) -> Option<Result<Vec<String>, String>> {
        let query = self.iterate_query.as_deref()?;
        let rows = self.rows(query, USERS_MAX);
        Some(
            rows.map_err(|error| self.failed("iterate_query", &error))
                .map(|rows| {
                    let name = |mut row: Row| {
                        let user = take(&mut row, "user");
                        user.or_else(|| {
                            Some(with_domain(take(&mut row, "username")?, take(&mut row, "domain")))
                        })
                    };
                    rows.into_iter().filter_map(name).collect()
                }),
        )
    }

    fn one(&self, query: &str, what: &str) -> Result<Option<Row>, String> {
        let mut rows = self.rows(query, 2).map_err(|error| self.failed(what, &error))?;
        if rows.len() > 1 {
            return Err(format!(
                "sql {}: {what}: several rows for one user. Make the query unambiguous",
                self.path.display()
            ));
        }
        Ok(rows.pop())
    }

    fn failed(&self, what: &str, error: &rusqlite::Error) -> String {
        format!("sql {}: {what}: {error}", self.path.display())
    }

    fn rows(&self, query: &str, most: usize) -> rusqlite::Result<Vec<Row>> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let rows = read(&connection, query, most)?;
        // One with an error is not kept: the file may have been replaced.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONNECTIONS_MAX {
            idle.push(connection);
        }
        Ok(rows)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let access = if self.is_read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            // A database in WAL mode wants its shared memory written even by those who only read.
            OpenFlags::SQLITE_OPEN_READ_WRITE
        };
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_PATIENCE)?;
        Ok(connection)
    }
}

fn filled(query: Option<&str>, what: &str, variables: &Variables<'_>) -> Result<String, String> {
    let query = query.ok_or_else(|| format!("sql: there is no {what}"))?;
    let quote = |value: &str| value.replace('\'', "''");
    expand_escaped(query, variables, &quote).map_err(|error| format!("sql: {what}: {error}"))
}

fn read(connection: &Connection, query: &str, most: usize) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(query)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let text = match row.get_ref(at)? {
                ValueRef::Null => continue,
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            };
            columns.push((name.clone(), text));
        }
        all.push(columns);
        if all.len() >= most {
            break;
        }
    }
    Ok(all)
}

fn take(row: &mut Row, name: &str) -> Option<String> {
    let at = row.iter().position(|(key, _)| key == name)?;
    Some(row.remove(at).1)
}

fn with_domain(name: String, domain: Option<String>) -> String {
    match domain.filter(|domain| !domain.is_empty()) {
        Some(domain) => format!("{name}@{domain}"),
        None => name,
    }
}

fn literally(row: Row) -> Fields {
    row.into_iter()
        .map(|(name, value)| (name, literal(&value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(directory: &std::path::Path, statements: &str) -> BTreeMap<String, String> {
        let path = directory.join("users.sqlite");
        Connection::open(&path)
            .unwrap()
            .execute_batch(statements)
            .unwrap();
        let pairs = [
            ("sql/connect", path.display().to_string()),
            ("sql/default_pass_scheme", "PLAIN".to_owned()),
            (
                "sql/password_query",
                "SELECT * FROM users WHERE user = '%u'".to_owned(),
            ),
            (
                "sql/user_query",
                "SELECT home, uid, NULL AS gid FROM users WHERE user = '%u'".to_owned(),
            ),
            (
                "sql/iterate_query",
                "SELECT user AS username, 'x.test' AS domain FROM users".to_owned(),
            ),
        ];
        pairs
            .into_iter()
            .map(|(key, text)| (key.to_owned(), text))
            .collect()
    }

    #[test]
    fn rows_are_records_and_names_cannot_break_out() {
        let directory = tempfile::tempdir().unwrap();
        let options = database(
            directory.path(),
            "CREATE TABLE users (user, password, home, uid INTEGER, allow_nets);
             INSERT INTO users VALUES ('ann', 'pw', '/h/100%/ann', 7, NULL), ('o''b', '{PLAIN}x', '/h', 8, '10.0.0.0/8');",
        );
        let sql = Sql::of(&options, "PLAIN").unwrap();
        let of = |user| Variables {
            user,
            ..Variables::default()
        };
        let ann = sql.passdb_record(&of("ann")).unwrap().unwrap();
        assert_eq!(ann.password.as_deref(), Some("pw"));
        assert!(
            ann.fields
                .contains(&("home".to_owned(), "/h/100%%/ann".to_owned()))
        );
        assert!(!ann.fields.iter().any(|(name, _)| name == "allow_nets"));
        assert!(sql.passdb_record(&of("o'b")).unwrap().is_some());
        assert_eq!(sql.passdb_record(&of("x' OR '1'='1")).unwrap(), None);
        assert_eq!(
            sql.userdb_fields(&of("ann")).unwrap().unwrap(),
            [
                ("home".to_owned(), "/h/100%%/ann".to_owned()),
                ("uid".to_owned(), "7".to_owned())
            ]
        );
        assert_eq!(sql.list().unwrap().unwrap(), ["ann@x.test", "o'b@x.test"]);
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = database(
            directory.path(),
            "CREATE TABLE users (user TEXT); INSERT INTO users VALUES ('1'), ('1');",
        );
        let of_one = Variables {
            user: "1",
            ..Variables::default()
        };
        let several = Sql::of(&options, "PLAIN")
            .unwrap()
            .passdb_record(&of_one)
            .unwrap_err();
        assert!(several.contains("several rows"), "{several}");
        let missing = Sql::of(&options, "PLAIN")
            .unwrap()
            .userdb_fields(&of_one)
            .unwrap_err();
        assert!(missing.contains("no such column: home"), "{missing}");
        options.insert("sql/connect".to_owned(), "/nonexistent/users.sqlite".to_owned());
        let gone = Sql::of(&options, "PLAIN")
            .unwrap()
            .passdb_record(&of_one)
            .unwrap_err();
        assert!(
            gone.starts_with("sql /nonexistent/users.sqlite: password_query: "),
            "{gone}"
        );
        options.remove("sql/connect");
        assert!(Sql::of(&options, "PLAIN").is_err());
    }
}
