//! `passdb` and `userdb` blocks: drivers, and the 2.4 settings brought to `driver` and `args`.

use std::collections::BTreeMap;

use settings::kinds::{Kind, List, YesNo};
use settings::{Passdb, Userdb, params};

use super::{Lowering, settings_of};
use crate::Severity;
use crate::dovecot_conf::{Block, Entry};

/// Passdb and userdb drivers that are there.
const DRIVERS: &[&str] = &["passwd-file", "static", "passwd"];
/// Drivers of Dovecot that are not there yet.
const DRIVERS_LATER: &[&str] = &[
    "pam",
    "shadow",
    "sql",
    "ldap",
    "dict",
    "bsdauth",
    "checkpassword",
    "lua",
    "oauth2",
    "imap",
    "prefetch",
    "vpopmail",
    "nss",
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
                    for setting in settings_of(inner) {
                        let text = self.text(&setting.text);
                        fields.insert(format!("{}/{}", inner.kind, setting.name), text);
                    }
                }
            }
        }
        if self.newer {
            newer_database(&mut fields, &block.name);
        }
        let driver = fields.get("driver").cloned().unwrap_or_default();
        if DRIVERS_LATER.contains(&driver.as_str()) {
            self.tell(
                Severity::Note,
                &block.place,
                kind,
                format!("its driver {driver} is not there yet"),
            );
        } else if !DRIVERS.contains(&driver.as_str()) {
            let list = DRIVERS.join(", ");
            let what = if driver.is_empty() {
                format!("it names no driver: write driver = {list}")
            } else {
                format!("there is no driver {driver}: write one of {list}")
            };
            self.tell(Severity::Error, &block.place, kind, what);
        }
        fields
    }
}

/// Makes `driver` and `args` of the 2.4 settings of a passdb or userdb.
fn newer_database(fields: &mut BTreeMap<String, String>, name: &str) {
    let driver = fields
        .entry("driver".to_owned())
        .or_insert_with(|| name.to_owned())
        .clone();
    let mut args: Vec<String> = Vec::new();
    let mut arg = |key: &str, text: Option<String>| args.extend(text.map(|text| format!("{key}={text}")));
    match driver.as_str() {
        "passwd-file" => {
            arg("scheme", fields.remove("default_password_scheme"));
            arg("username_format", fields.remove("auth_username_format"));
            args.extend(fields.remove("passwd_file_path"));
        }
        "static" => {
            arg(
                "password",
                fields
                    .remove("static_password")
                    .or_else(|| fields.remove("password")),
            );
            let keys: Vec<String> = fields
                .keys()
                .filter(|key| key.starts_with("fields/"))
                .cloned()
                .collect();
            for key in keys {
                arg(key.trim_start_matches("fields/"), fields.remove(&key));
            }
        }
        _ => {}
    }
    let keys: Vec<String> = fields
        .keys()
        .filter(|key| key.starts_with("fields/"))
        .cloned()
        .collect();
    let overrides: Vec<String> = keys
        .iter()
        .filter_map(|key| {
            Some(format!(
                "{}={}",
                key.trim_start_matches("fields/"),
                fields.remove(key)?
            ))
        })
        .collect();
    if !overrides.is_empty() {
        fields.insert("override_fields".to_owned(), overrides.join(" "));
    }
    if !args.is_empty() {
        fields.insert("args".to_owned(), args.join(" "));
    }
}
