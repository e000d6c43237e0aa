//! What the databases of passdb and userdb blocks have in common: their arguments, and what they hold of a user.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sasl::scheme::Scheme;

use crate::passwd_file::{Files, Users};
use crate::variables::{Variables, expand};

/// Names and values. The values are templates: a database in which a percent sign means itself gives them through
/// [`literal`].
pub(crate) type Fields = Vec<(String, String)>;

/// What a database holds of a user who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The stored password, perhaps with its `{SCHEME}`; `None` or empty: there is none.
    pub(crate) password: Option<String>,
    /// The scheme of a stored password without one.
    pub(crate) scheme: Scheme,
    /// Everything else.
    pub(crate) fields: Fields,
}

impl Record {
    /// What a userdb says, which has no passwords.
    pub(crate) fn of_fields(fields: Fields) -> Record {
        Record {
            password: None,
            scheme: "PLAIN".parse().expect("PLAIN is a scheme"),
            fields,
        }
    }

    /// How much memory it takes, about, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let fields: usize = self
            .fields
            .iter()
            .map(|(key, value)| key.len() + value.len() + 48)
            .sum();
        self.password.as_ref().map_or(0, String::len) + fields + 64
    }
}

/// `scheme=… username_format=… /path`
#[derive(Debug)]
pub(crate) struct FileArgs {
    pub(crate) path: String,
    pub(crate) username_format: String,
    pub(crate) scheme: Option<String>,
}

impl FileArgs {
    pub(crate) fn of(args: &str, options: &BTreeMap<String, String>) -> Result<FileArgs, String> {
        let mut found = FileArgs {
            path: String::new(),
            username_format: String::new(),
            scheme: None,
        };
        let mut rest = args.trim();
        while !rest.starts_with('/') && !rest.starts_with('%') && !rest.is_empty() {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            match word.split_once('=') {
                Some(("scheme", scheme)) => found.scheme = Some(scheme.to_owned()),
                Some(("username_format", format)) => found.username_format = format.to_owned(),
                Some((key, _)) => return Err(format!("\"{key}\" is not known (scheme, username_format)")),
                None => break,
            }
            rest = after.trim_start();
        }
        found.path = rest.to_owned();
        if let Some(path) = options.get("passwd_file_path") {
            found.path = path.clone();
        }
        if let Some(format) = options
            .get("auth_username_format")
            .or(options.get("username_format"))
        {
            found.username_format = format.clone();
        }
        if found.path.is_empty() {
            Err("the path of the file is missing".to_owned())
        } else {
            Ok(found)
        }
    }

    /// The name to look for.
    pub(crate) fn name(&self, variables: &Variables<'_>) -> Result<String, String> {
        match self.username_format.as_str() {
            "" => Ok(variables.user.to_owned()),
            format => expand(format, variables).map_err(|error| format!("username_format={format}: {error}")),
        }
    }

    /// The users of the file.
    pub(crate) fn users(&self, variables: &Variables<'_>, files: &Files) -> Result<Arc<Users>, String> {
        let path = &self.path;
        let path = expand(path, variables).map_err(|error| format!("passwd-file {path}: {error}"))?;
        files.users(&PathBuf::from(path))
    }

    /// All names; nothing when the file depends on the user.
    pub(crate) fn list(&self, files: &Files) -> Option<Result<Vec<String>, String>> {
        let users = || files.users(&PathBuf::from(&self.path));
        (!self.path.contains('%')).then(|| users().map(|users| users.names().to_vec()))
    }
}

/// `key=value` words; one without `=` has the value `yes`.
pub(crate) fn words(text: &str) -> Fields {
    let pairs = text
        .split_ascii_whitespace()
        .map(|word| word.split_once('=').unwrap_or((word, "yes")));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// What stands in a 2.4 block's `fields { }`.
pub(crate) fn block_fields(options: &BTreeMap<String, String>) -> Fields {
    let fields = options
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("fields/")?, value)));
    fields
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// A text of a database in which a percent sign means itself.
pub(crate) fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

/// Whether a field without or with a value says yes (`nopassword`, `nologin=y`).
pub(crate) fn is_set(fields: &[(String, String)], name: &str) -> bool {
    fields
        .iter()
        .rev()
        .find(|(key, _)| key == name)
        .is_some_and(|(_, value)| !matches!(value.as_str(), "no" | "n" | "0"))
}

/// The lowest and the highest uid that may log in; a highest of 0: any.
pub(crate) type Uids = (usize, usize);

/// All names of the system's user database whose uid may log in.
pub(crate) fn system_users((first, last): Uids) -> Result<Vec<String>, String> {
    let all = os::users::all_users().map_err(|error| format!("passwd: {error}"))?;
    let may = |uid: u32| uid as usize >= first && (last == 0 || uid as usize <= last);
    Ok(all
        .into_iter()
        .filter(|(_, uid)| may(*uid))
        .map(|(name, _)| name)
        .collect())
}
