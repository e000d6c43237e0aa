//! `passdb` and `userdb` blocks: drivers, and the 2.4 settings brought to `driver` and `args`.

use std::collections::BTreeMap;

use settings::kinds::{Kind, List, YesNo};
use settings::{Passdb, Userdb, params};

use super::{Lowering, settings_of, sql_file};
use crate::dovecot_conf::{Block, Entry};
use crate::{Problem, Severity};

/// Passdb drivers that are there.
const PASSDB_DRIVERS: &[&str] = &["pam", "passwd-file", "sql", "shadow", "passwd", "static"];
/// Userdb drivers that are there.
const USERDB_DRIVERS: &[&str] = &["passwd", "passwd-file", "sql", "static", "prefetch", "nss"];
/// Drivers of Dovecot that are not there yet.
const DRIVERS_LATER: &[&str] = &[
    "ldap",
    "dict",
    "bsdauth",
    "checkpassword",
    "lua",
    "oauth2",
    "imap",
    "vpopmail",
];

/// 2.4's settings of SQL databases, which may stand outside of the blocks that use them.
const SQL_SETTINGS: &[&str] = &[
    "sql_driver",
    "sqlite_path",
    "sqlite_journal_mode",
    "sqlite_readonly",
];

impl Lowering<'_> {
    pub(super) fn passdb(&mut self, block: &Block) {
        let mut passdb = Passdb {
            place: block.place.clone(),
            ..Passdb::default()
        };
        let mut fields = self.database(block, "passdb");
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        passdb.name = block.name.clone();
        passdb.driver = take("driver");
        passdb.args = take("args");
        passdb.default_fields = take("default_fields");
        passdb.override_fields = take("override_fields");
        passdb.skip = take("skip");
        passdb.result_success = take("result_success");
        passdb.result_failure = take("result_failure");
        passdb.result_internalfail = take("result_internalfail");
        passdb.username_filter = take("username_filter");
        passdb.mechanisms = List::read(&take("mechanisms")).unwrap_or_default();
        let flags = ["deny", "master", "pass"].map(|name| (name, take(name)));
        for (name, text) in flags {
            match (
                name,
                if text.is_empty() {
                    Ok(false)
                } else {
                    YesNo::read(&text)
                },
            ) {
                ("deny", Ok(yes)) => passdb.deny = yes,
                ("master", Ok(yes)) => passdb.master = yes,
                (_, Ok(yes)) => passdb.pass = yes,
                (_, Err(error)) => self.tell(Severity::Error, &block.place, name, error.to_string()),
            }
        }
        passdb.options = fields;
        self.dovecot.passdbs.push(passdb);
    }

    pub(super) fn userdb(&mut self, block: &Block) {
        let mut fields = self.database(block, "userdb");
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        let userdb = Userdb {
            name: block.name.clone(),
            driver: take("driver"),
            args: take("args"),
            default_fields: take("default_fields"),
            override_fields: take("override_fields"),
            skip: take("skip"),
            result_success: take("result_success"),
            result_failure: take("result_failure"),
            result_internalfail: take("result_internalfail"),
            options: fields,
            place: block.place.clone(),
        };
        self.dovecot.userdbs.push(userdb);
    }

    /// The settings of a passdb or userdb under their 2.3 names, the driver checked.
    fn database(&mut self, block: &Block, kind: &str) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for entry in &block.entries {
            match entry {
                Entry::Setting(setting) => {
                    let name = setting
                        .name
                        .strip_prefix(kind)
                        .and_then(|rest| rest.strip_prefix('_'));
                    let name = name.unwrap_or(&setting.name);
                    if !self.newer && !params::dovecot_block_names(kind).any(|known| known == name) {
                        self.unknown_in(block, setting);
                    }
                    fields.insert(name.to_owned(), self.text(&setting.text));
                }
                Entry::Block(inner) => {
                    let kept = inner
                        .kind
                        .strip_prefix(kind)
                        .and_then(|rest| rest.strip_prefix('_'));
                    let group = kept.unwrap_or(&inner.kind);
                    for setting in settings_of(inner) {
                        let text = self.text(&setting.text);
                        match group {
                            "sqlite" => fields.insert(format!("sqlite_{}", setting.name), text),
                            group => fields.insert(format!("{group}/{}", setting.name), text),
                        };
                    }
                }
            }
        }
        if self.newer {
            newer_database(&mut fields, &block.name);
        }
        self.driver(block, kind, &fields);
        if fields.get("driver").is_some_and(|driver| driver == "sql") && !self.newer {
            self.sql_file(block, kind, &mut fields);
        }
        fields
    }

    fn driver(&mut self, block: &Block, kind: &str, fields: &BTreeMap<String, String>) {
        let driver = fields.get("driver").map(String::as_str).unwrap_or_default();
        let there = if kind == "passdb" {
            PASSDB_DRIVERS
        } else {
            USERDB_DRIVERS
        };
        if there.contains(&driver) {
            return;
        }
        let list = there.join(", ");
        if DRIVERS_LATER.contains(&driver) {
            let what = if kind == "passdb" {
                format!("its driver {driver} is not there yet: log-ins that ask it fail temporarily")
            } else {
                format!("its driver {driver} is not there yet: looking up its users fails temporarily")
            };
            return self.tell(Severity::Warning, &block.place, kind, what);
        }
        let what = if driver.is_empty() {
            format!("it names no driver: write driver = {list}")
        } else {
            format!("there is no driver {driver}: write one of {list}")
        };
        self.tell(Severity::Error, &block.place, kind, what);
    }

    /// What the file of a 2.3 `sql` block says becomes `sql/…` settings of the block.
    fn sql_file(&mut self, block: &Block, kind: &str, fields: &mut BTreeMap<String, String>) {
        let file = fields.get("args").cloned().unwrap_or_default();
        if file.is_empty() {
            let what = "args names no file: write args = /etc/dovecot/dovecot-sql.conf.ext";
            return self.tell(Severity::Error, &block.place, kind, what);
        }
        match sql_file::read(std::path::Path::new(&file)) {
            Ok(found) => {
                let driver = found.get("driver").cloned().unwrap_or_default();
                self.sql_driver(&block.place, kind, &driver);
                fields.extend(found.into_iter().map(|(key, text)| (format!("sql/{key}"), text)));
            }
            Err(wrong) => {
                for (line, what) in wrong {
                    let problem = match line {
                        0 => Problem::new(Severity::Error, (&block.place.0, block.place.1), kind, what),
                        line => Problem::new(Severity::Error, (&file, line), kind, what),
                    };
                    self.problems.push(problem);
                }
            }
        }
    }

    fn sql_driver(&mut self, place: &crate::dovecot_conf::Place, kind: &str, driver: &str) {
        let (severity, what) = match driver {
            "sqlite" => return,
            "mysql" | "pgsql" | "cassandra" => (
                Severity::Warning,
                format!("SQL by {driver} is not there yet: what asks it fails temporarily. There is sqlite"),
            ),
            "" => (
                Severity::Error,
                "it names no SQL driver: write driver = sqlite".to_owned(),
            ),
            other => (
                Severity::Error,
                format!("there is no SQL driver {other}: write sqlite"),
            ),
        };
        self.tell(severity, place, kind, what);
    }

    /// Gives the blocks of 2.4 what stands outside of them.
    pub(super) fn complete_databases(&mut self) {
        if !self.newer {
            return;
        }
        let scheme = self.dovecot.others.get("passdb_default_password_scheme").cloned();
        for block in &mut self.dovecot.passdbs {
            // A passwd-file's own scheme is in its arguments already.
            if let Some(scheme) = &scheme {
                let options = &mut block.options;
                options
                    .entry("default_password_scheme".to_owned())
                    .or_insert_with(|| scheme.clone());
            }
        }
        let outside: Vec<(String, String)> = SQL_SETTINGS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.dovecot.others.get(*name)?.clone())))
            .collect();
        let passdbs = self.dovecot.passdbs.iter_mut();
        let passdbs = passdbs.map(|block| ("passdb", &block.driver, &mut block.options, &block.place));
        let userdbs = self.dovecot.userdbs.iter_mut();
        let userdbs = userdbs.map(|block| ("userdb", &block.driver, &mut block.options, &block.place));
        let mut used = Vec::new();
        for (kind, driver, options, place) in passdbs.chain(userdbs) {
            if driver != "sql" {
                continue;
            }
            for (name, text) in &outside {
                options.entry(name.clone()).or_insert_with(|| text.clone());
            }
            let mut copy = |from: &str, to: &str| {
                if let Some(text) = options.get(from).cloned() {
                    options.insert(format!("sql/{to}"), text);
                }
            };
            copy("sql_driver", "driver");
            copy("sqlite_path", "connect");
            copy("default_password_scheme", "default_pass_scheme");
            copy(
                "query",
                if kind == "passdb" {
                    "password_query"
                } else {
                    "user_query"
                },
            );
            copy("iterate_query", "iterate_query");
            used.push((
                kind,
                place.clone(),
                options.get("sql/driver").cloned().unwrap_or_default(),
            ));
        }
        for (kind, place, driver) in used {
            self.sql_driver(&place, kind, &driver);
        }
    }
}

/// Makes `driver` and `args` of the 2.4 settings of a passdb or userdb.
fn newer_database(fields: &mut BTreeMap<String, String>, name: &str) {
    let driver = fields
        .entry("driver".to_owned())
        .or_insert_with(|| name.to_owned())
        .clone();
    let mut args: Vec<String> = Vec::new();
    let prefix = format!("{}_", driver.replace('-', "_"));
    let prefixed: Vec<String> = fields
        .keys()
        .filter(|key| key.starts_with(&prefix))
        .cloned()
        .collect();
    for key in prefixed {
        // `sql_driver` is the kind of SQL, not of the block.
        if !SQL_SETTINGS.contains(&key.as_str())
            && let Some(text) = fields.remove(&key)
        {
            fields.insert(key[prefix.len()..].to_owned(), text);
        }
    }
    let mut arg = |key: &str, text: Option<String>| args.extend(text.map(|text| format!("{key}={text}")));
    match driver.as_str() {
        "passwd-file" => {
            arg("scheme", fields.remove("default_password_scheme"));
            arg("username_format", fields.remove("auth_username_format"));
            args.extend(fields.remove("path"));
        }
        "pam" => {
            for key in ["session", "setcred", "max_requests", "failure_show_msg"] {
                arg(key, fields.remove(key));
            }
            args.extend(fields.remove("service_name"));
        }
        "static" => {
            arg("password", fields.remove("password"));
            arg("allow_all_users", fields.remove("allow_all_users"));
            // Words end at white space; a value with some stays what it is.
            let is_word = |(key, text): &(&String, &String)| {
                key.starts_with("fields/") && !text.contains(char::is_whitespace)
            };
            let keys: Vec<String> = fields
                .iter()
                .filter(is_word)
                .map(|(key, _)| key.clone())
                .collect();
            for key in keys {
                arg(key.trim_start_matches("fields/"), fields.remove(&key));
            }
        }
        _ => {}
    }
    if !args.is_empty() {
        fields.insert("args".to_owned(), args.join(" "));
    }
}
