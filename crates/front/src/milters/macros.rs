//! The macros of a session: what a filter is told by name (MILTER_README).

use std::collections::HashMap;
use std::sync::Arc;

use milter::client::Macros;
use milter::options::Stage;
use settings::Postfix;

/// Which macros a service sends when, and those that always have the same value.
#[derive(Debug)]
pub(crate) struct Names {
    stages: [(Stage, Vec<String>); 8],
    defaults: HashMap<String, String>,
    constants: HashMap<String, String>,
}

impl Names {
    pub(super) fn of(settings: &Postfix) -> Names {
        let stages = [
            (Stage::Connect, &settings.milter_connect_macros),
            (Stage::Helo, &settings.milter_helo_macros),
            (Stage::Mail, &settings.milter_mail_macros),
            (Stage::Rcpt, &settings.milter_rcpt_macros),
            (Stage::Data, &settings.milter_data_macros),
            (Stage::EndOfHeader, &settings.milter_end_of_header_macros),
            (Stage::EndOfMessage, &settings.milter_end_of_data_macros),
            (Stage::Unknown, &settings.milter_unknown_command_macros),
        ];
        let constants = [
            ("j", &settings.myhostname),
            ("v", &settings.milter_macro_v),
            ("daemon_name", &settings.milter_macro_daemon_name),
        ];
        Names {
            stages: stages.map(|(stage, names)| (stage, names.clone())),
            defaults: settings
                .milter_macro_defaults
                .iter()
                .filter_map(|word| pair(word))
                .collect(),
            constants: constants
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .into(),
        }
    }
}

/// `name=value` or `{ name = value }`; the name may be in braces of its own.
fn pair(word: &str) -> Option<(String, String)> {
    let inner = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let is_whole = |inner: &&str| inner.contains('=');
    let text = inner.filter(is_whole).unwrap_or(word);
    let (name, value) = text.split_once('=')?;
    Some((bare(name.trim()).to_owned(), value.trim().to_owned()))
}

/// The name without braces.
fn bare(name: &str) -> &str {
    let inner = name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or(name)
}

/// What the names stand for now.
pub(crate) struct Values {
    names: Arc<Names>,
    values: HashMap<&'static str, String>,
}

impl Values {
    pub(super) fn new(names: &Arc<Names>) -> Values {
        Values {
            names: Arc::clone(names),
            values: HashMap::new(),
        }
    }

    /// Something is known from now on, or no more.
    pub(crate) fn set(&mut self, name: &'static str, value: Option<String>) {
        match value {
            Some(value) => self.values.insert(name, value),
            None => self.values.remove(name),
        };
    }
}

impl Macros for Values {
    fn value(&self, name: &str) -> Option<String> {
        let name = bare(name);
        let known = self.values.get(name).or_else(|| self.names.constants.get(name));
        known.or_else(|| self.names.defaults.get(name)).cloned()
    }

    fn names(&self, stage: Stage) -> &[String] {
        let found = self.names.stages.iter().find(|(own, _)| *own == stage);
        found.map_or(&[], |(_, names)| names)
    }
}

/// An address as macros show it.
pub(crate) fn shown(address: &address::Address) -> String {
    address.to_string().to_lowercase()
}

/// Words of a list of macros.
#[cfg(test)]
fn words(text: &str) -> Vec<String> {
    settings::kinds::words(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    #[test]
    fn what_nobody_knows_has_a_default() {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.milter_macro_defaults = words("{frob}=knit, {auth_type=NONE}, { cipher = a b } bare=1");
        settings.milter_macro_v = "V".to_owned();
        let mut values = Values::new(&Arc::new(Names::of(&settings)));
        values.set("auth_type", Some("PLAIN".to_owned()));
        let known = |values: &Values, name: &str| values.value(name);
        assert_eq!(known(&values, "{auth_type}").as_deref(), Some("PLAIN"));
        values.set("auth_type", None);
        assert_eq!(known(&values, "{auth_type}").as_deref(), Some("NONE"));
        assert_eq!(known(&values, "{frob}").as_deref(), Some("knit"));
        assert_eq!(known(&values, "{cipher}").as_deref(), Some("a b"));
        assert_eq!(known(&values, "{bare}").as_deref(), Some("1"));
        assert_eq!(known(&values, "v").as_deref(), Some("V"));
        assert_eq!(known(&values, "i"), None);
        assert_eq!(values.names(Stage::Data), ["i"]);
    }
}
