//! The lists that postconf(1) prints: names, texts and warnings in Postfix's form.

use std::collections::BTreeSet;

use settings::{Error, Values, params};

use crate::main_cf::{MainCf, is_own, own_names};
use crate::main_checks::undefined;
use crate::master_cf::Row;

/// Which settings are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All, with the texts that hold.
    All,
    /// All, with their defaults (`-d`).
    Defaults,
    /// Those that main.cf sets (`-n`).
    Set,
}

/// main.cf and master.cf as postconf sees them.
#[derive(Debug)]
pub struct Listing<'a> {
    main: &'a MainCf,
    rows: &'a [Row],
    values: Values,
    defaults: Values,
    own: BTreeSet<String>,
}

impl<'a> Listing<'a> {
    /// A listing of what was read; `values` holds main.cf's texts and those of `-o`.
    pub fn new(main: &'a MainCf, rows: &'a [Row], values: Values) -> Listing<'a> {
        let own = own_names(&values, rows);
        let defaults = values.defaults_only();
        Listing {
            main,
            rows,
            values,
            defaults,
            own,
        }
    }

    /// The names to list, sorted as Postfix sorts them (by bytes).
    pub fn names(&self, which: Which) -> Vec<String> {
        let explicit = self.values.explicit().keys().filter(|name| self.is_known(name));
        if which == Which::Set {
            return explicit.cloned().collect();
        }
        let listed = params::postfix_all()
            .iter()
            .map(|parameter| parameter.name.to_owned());
        let mut names: BTreeSet<String> = listed.filter(|name| is_listed(name)).collect();
        names.extend(self.transport_names());
        if which == Which::All {
            names.extend(explicit.cloned());
        }
        names.into_iter().collect()
    }

    /// The text of a name; `None` when there is no such parameter.
    ///
    /// # Errors
    /// [`Error::Expand`] when `expanded` is asked for and cannot be done.
    pub fn text(&self, name: &str, which: Which, expanded: bool) -> Result<Option<String>, Error> {
        if !self.is_known(name) {
            return Ok(None);
        }
        let raw = match which {
            Which::Defaults => self.defaults.default_text(name),
            Which::All | Which::Set => self.values.raw(name),
        };
        let Some(raw) = raw else { return Ok(None) };
        let text = match expanded && !params::is_raw(name) {
            true => self.values.expand(&raw)?,
            false => raw,
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Ok(Some(words.join(" ")))
    }

    /// The texts that hold.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The class of a name: `builtin`, `service` (a limit of one transport) or `user`.
    pub fn class_of(&self, name: &str) -> &'static str {
        if params::postfix(name).is_some() {
            "builtin"
        } else if self.transport_names().any(|known| known == name) {
            "service"
        } else {
            "user"
        }
    }

    /// `undefined parameter: name` for names that texts mention and nobody sets: those of master.cf, then main.cf's.
    pub fn undefined(&self) -> Vec<String> {
        let mut told = Vec::new();
        let mut tell = |path: String, missing: Vec<String>| {
            for name in missing {
                let line = format!("{path}: undefined parameter: {name}");
                if !told.contains(&line) {
                    told.push(line);
                }
            }
        };
        for row in self.rows {
            let mut own = self.values.clone();
            for (name, text, _) in &row.overrides {
                own.set(name, text);
            }
            for (name, text, _) in &row.overrides {
                tell(self.master_path(), undefined(name, text, &own));
            }
        }
        for (name, text) in self
            .values
            .explicit()
            .iter()
            .filter(|(name, _)| self.is_known(name))
        {
            tell(
                self.main.path.display().to_string(),
                undefined(name, text, &self.values),
            );
        }
        told
    }

    fn master_path(&self) -> String {
        self.main.path.with_file_name("master.cf").display().to_string()
    }

    /// `unused parameter: name=text` for what main.cf sets and nothing reads, in the order of the file.
    pub fn unused(&self) -> Vec<String> {
        let mut told = BTreeSet::new();
        let unknown = self
            .main
            .settings
            .iter()
            .filter(|setting| !self.is_known(&setting.name));
        unknown
            .filter(|setting| told.insert(setting.name.as_str()))
            .map(|setting| {
                let text = self.values.raw(&setting.name).unwrap_or_default();
                let path = self.main.path.display();
                format!("{path}: unused parameter: {}={text}", setting.name)
            })
            .collect()
    }

    /// The same for settings of rows of master.cf.
    pub fn unused_in_rows(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, text, _) in self.rows.iter().flat_map(|row| &row.overrides) {
            let known = params::postfix(name).is_some()
                || is_own(name, &self.own, self.rows)
                || self.transport_names().any(|known| known == *name);
            let line = format!("{}: unused parameter: {name}={text}", self.master_path());
            if !known && !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// `main.cf, line N: overriding earlier entry: name=text` for lines that replace earlier ones.
    pub fn overriding(&self) -> Vec<String> {
        let path = self.main.path.display();
        let mut told = Vec::new();
        for (at, setting) in self.main.settings.iter().enumerate() {
            let earlier = self.main.settings[..at]
                .iter()
                .rev()
                .find(|earlier| earlier.name == setting.name);
            if let Some(earlier) = earlier {
                let what = format!("overriding earlier entry: {}={}", setting.name, earlier.text);
                told.push(format!("{path}, line {}: {what}", setting.line));
            }
        }
        told
    }

    fn is_known(&self, name: &str) -> bool {
        params::postfix(name).is_some()
            || self.values.is_set(name) && is_own(name, &self.own, self.rows)
            || self.transport_names().any(|known| known == name)
    }

    /// The limits of every transport in master.cf.
    fn transport_names(&self) -> impl Iterator<Item = String> {
        const TRANSPORTS: &[&str] = &["error", "lmtp", "local", "pipe", "smtp", "virtual"];
        let transports = self
            .rows
            .iter()
            .filter(|row| TRANSPORTS.contains(&row.command.as_str()));
        let limits = transports.flat_map(|row| {
            params::PER_TRANSPORT
                .iter()
                .filter(|suffix| **suffix != "_time_limit" || row.command == "pipe")
                .map(|suffix| format!("{}{suffix}", row.name))
        });
        let spawned = self.rows.iter().filter(|row| row.command == "spawn");
        limits
            .chain(spawned.map(|row| format!("{}_time_limit", row.name)))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Older names are known but not listed, as in Postfix.
fn is_listed(name: &str) -> bool {
    params::postfix(name).is_some_and(|parameter| !parameter.summary.starts_with("An older name of "))
}
