//! What the administrator sets for Sieve, under Pigeonhole's names (2.3 and 2.4), with its defaults.

use std::collections::BTreeMap;

/// Limits and choices of compiling and running scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The largest script, in bytes; 0 is no limit. `sieve_max_script_size`.
    pub script_bytes_max: usize,
    /// How many actions one run has; 0 is no limit. `sieve_max_actions`.
    pub actions_max: usize,
    /// How many redirects one run has; 0 is none at all. `sieve_max_redirects`.
    pub redirects_max: usize,
    /// The budget of one run, in seconds of Pigeonhole's CPU time; 0 is no limit. `sieve_max_cpu_time`.
    /// A run counts its own steps, [`STEPS_PER_SECOND`] for each, so that its outcome does not depend on the machine.
    pub cpu_secs_max: u64,
    /// How deep included scripts nest. `sieve_include_max_nesting_depth`.
    pub include_nesting_max: usize,
    /// How many scripts one script includes in all. `sieve_include_max_includes`.
    pub includes_max: usize,
    /// How many variables a script has. `sieve_variables_max_scope_size`.
    pub variables_max: usize,
    /// The longest value of a variable, in bytes. `sieve_variables_max_variable_size`.
    pub variable_bytes_max: usize,
    /// The longest header field that `addheader` adds, in bytes. `sieve_editheader_max_header_size`.
    pub header_bytes_max: usize,
    /// The characters that part a local part. `recipient_delimiter`.
    pub recipient_delimiter: String,
    /// The owner's address. `sieve_user_email`.
    pub user_email: Option<String>,
    /// All other settings, by name.
    values: BTreeMap<String, String>,
}

/// How many steps of a run stand for a second of CPU time.
pub const STEPS_PER_SECOND: u64 = 10_000_000;

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            script_bytes_max: 1 << 20,
            actions_max: 32,
            redirects_max: 4,
            cpu_secs_max: 30,
            include_nesting_max: 10,
            includes_max: 255,
            variables_max: 255,
            variable_bytes_max: 4096,
            header_bytes_max: 2048,
            recipient_delimiter: "+".to_owned(),
            user_email: None,
            values: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Sets `name` to `value` as it stands in the configuration; names that Sieve does not know are kept for whoever does.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let count = |value: &str| value.trim().parse::<usize>().map_err(|_| not(value, "a number"));
        match name {
            "sieve_max_script_size" => self.script_bytes_max = size(value)?,
            "sieve_max_actions" => self.actions_max = count(value)?,
            "sieve_max_redirects" => self.redirects_max = count(value)?,
            "sieve_max_cpu_time" => self.cpu_secs_max = seconds(value)?,
            "sieve_include_max_nesting_depth" => self.include_nesting_max = count(value)?,
            "sieve_include_max_includes" => self.includes_max = count(value)?,
            "sieve_variables_max_scope_size" | "sieve_variables_max_scope_count" => {
                self.variables_max = count(value)?
            }
            "sieve_variables_max_variable_size" | "sieve_variables_max_value_size" => {
                self.variable_bytes_max = size(value)?;
            }
            "sieve_editheader_max_header_size" => self.header_bytes_max = size(value)?,
            "recipient_delimiter" => self.recipient_delimiter = value.to_owned(),
            "sieve_user_email" => {
                let address = value.trim().trim_start_matches('<').trim_end_matches('>');
                self.user_email = (!address.is_empty()).then(|| address.to_owned());
            }
            _ => {}
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Takes back what was set for `name`.
    pub fn unset(&mut self, name: &str) {
        let mut fresh = Settings::default();
        let values = std::mem::take(&mut self.values);
        for (other, value) in values.iter().filter(|(other, _)| *other != name) {
            // It was taken before.
            let _ = fresh.set(other, value);
        }
        *self = fresh;
    }

    /// The text of a setting, if it is set.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The text of the first of `names` that is set and not blank.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        let set = names.iter().filter_map(|name| self.text(name));
        set.map(str::trim).find(|text| !text.is_empty())
    }

    /// A yes or no.
    pub fn is_on(&self, name: &str, default: bool) -> bool {
        match self.text(name).map(|text| text.trim().to_ascii_lowercase()) {
            Some(text) if matches!(text.as_str(), "yes" | "y" | "true" | "1") => true,
            Some(text) if matches!(text.as_str(), "no" | "n" | "false" | "0") => false,
            _ => default,
        }
    }

    /// The settings whose names start with `prefix`, with what follows it.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let from = self.values.range(prefix.to_owned()..);
        from.map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// How many steps a run may take.
    pub(crate) fn steps_max(&self) -> u64 {
        match self.cpu_secs_max {
            0 => u64::MAX,
            secs => secs.saturating_mul(STEPS_PER_SECOND),
        }
    }
}

fn not(value: &str, what: &str) -> String {
    format!("\"{value}\" is not {what}")
}

/// A size such as `1M`, `64 k`, in bytes.
///
/// # Errors
/// It is none.
pub fn size(value: &str) -> Result<usize, String> {
    let value = value.trim();
    let end = value
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(value.len());
    let shift = match value[end..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return Err(not(value, "a size such as 64k")),
    };
    let number: usize = value[..end]
        .parse()
        .map_err(|_| not(value, "a size such as 64k"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| not(value, "a size such as 64k"))
}

/// A time such as `2s`, `7d`, `12 hours`, in seconds.
///
/// # Errors
/// It is none.
pub fn seconds(value: &str) -> Result<u64, String> {
    let value = value.trim();
    let end = value
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(value.len());
    let unit = match value[end..].trim().to_ascii_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return Err(not(value, "a time such as 7d")),
    };
    let number: u64 = value[..end]
        .parse()
        .map_err(|_| not(value, "a time such as 7d"))?;
    number
        .checked_mul(unit)
        .ok_or_else(|| not(value, "a time such as 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_taken_back() {
        let mut settings = Settings::default();
        settings.set("sieve_max_script_size", "2 k").unwrap();
        settings.set("sieve_max_actions", "5").unwrap();
        settings.set("sieve_foo/a", "x").unwrap();
        assert_eq!((settings.script_bytes_max, settings.actions_max), (2048, 5));
        assert_eq!(settings.below("sieve_foo/").collect::<Vec<_>>(), [("a", "x")]);
        settings.unset("sieve_max_actions");
        assert_eq!((settings.script_bytes_max, settings.actions_max), (2048, 32));
        assert!(settings.set("sieve_max_actions", "x").is_err());
        assert_eq!(seconds("2h"), Ok(7200));
    }
}
