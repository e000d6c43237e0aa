//! `sendmail.mc` as settings of main.cf, with a line about every statement: what was taken, into which setting, and what was
//! not and why.

mod defines;
mod features;
mod macros;
mod masquerade;

use std::collections::BTreeMap;

use crate::mc::{self, What};

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is these settings.
    Taken(Vec<(String, String)>),
    /// It is this row of master.cf.
    Service(String),
    /// Nothing is to be done; the text says why.
    Nothing(String),
    /// It was not taken; the text says why, or what to do.
    NotTaken(String),
}

/// A statement and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its line in the file; 0: it is not in the file, Sendmail does so by itself.
    pub line: usize,
    /// It, shortened: `define(confDOMAIN_NAME)`.
    pub statement: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// A setting of main.cf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The lines of sendmail.mc that it is made of; 0 as in [`Report`].
    pub lines: Vec<usize>,
}

/// What an import comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// The settings, in the order in which the file asks for them.
    pub settings: Vec<Setting>,
    /// Rows of master.cf beside those that are usual.
    pub services: Vec<String>,
    /// Every statement.
    pub reports: Vec<Report>,
}

impl Import {
    /// The lines of the report, `file` being the name in front of the line numbers.
    pub fn report(&self, file: &str) -> Vec<String> {
        let line = |report: &Report| {
            let place = match report.line {
                0 => "Sendmail's default".to_owned(),
                line => format!("{file}:{line}"),
            };
            let said = match &report.outcome {
                Outcome::Taken(settings) => {
                    let shown = settings.iter().map(|(name, text)| format!("{name} = {text}"));
                    shown.collect::<Vec<_>>().join("; ")
                }
                Outcome::Service(row) => format!("a row of master.cf: {row}"),
                Outcome::Nothing(why) => format!("nothing to do: {why}"),
                Outcome::NotTaken(why) => format!("not taken: {why}"),
            };
            format!("{place}: {}: {said}", report.statement)
        };
        self.reports.iter().map(line).collect()
    }

    /// How many statements were not taken.
    pub fn not_taken(&self) -> usize {
        let not_taken = |report: &&Report| matches!(report.outcome, Outcome::NotTaken(_));
        self.reports.iter().filter(not_taken).count()
    }

    /// The settings as main.cf has them, each behind a comment that says where it comes from.
    pub fn main_cf(&self, file: &str) -> String {
        let mut text = String::new();
        for Setting {
            name,
            text: value,
            lines,
        } in &self.settings
        {
            let numbers: Vec<String> = lines
                .iter()
                .filter(|line| **line > 0)
                .map(usize::to_string)
                .collect();
            let place = match numbers.is_empty() {
                true => "Sendmail's default".to_owned(),
                false => format!("{file}:{}", numbers.join(", ")),
            };
            text.push_str(&format!("# {place}\n{name} = {value}\n"));
        }
        text
    }
}

/// Settings that are lists: what a later statement says is added.
const LISTS: [&str; 9] = [
    "mydestination",
    "rbl_reply_maps",
    "relay_domains",
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_milters",
    "smtpd_sender_restrictions",
    "virtual_alias_domains",
    "alias_maps",
];

/// What has been understood so far.
struct Reading<'a> {
    import: Import,
    /// Where the tables lie.
    directory: &'a str,
    /// What `define` gave names to.
    defined: BTreeMap<String, String>,
    masquerade: masquerade::Masquerade,
    /// FEATURE(no_default_msa), or a port of one's own for submission.
    has_no_default_msa: bool,
}

/// Translates the text of a `sendmail.mc` whose tables lie in `directory`; `local_host_names` are the words of that file there.
pub fn import(text: &str, directory: &str, local_host_names: &[String]) -> Import {
    let mut reading = Reading {
        import: Import::default(),
        directory,
        defined: BTreeMap::new(),
        masquerade: masquerade::Masquerade::default(),
        has_no_default_msa: false,
    };
    reading.note(0, "today's defaults", take("compatibility_level", "3.6"));
    reading.note(
        0,
        "class w",
        take("mydestination", "$myhostname, localhost.$mydomain, localhost"),
    );
    reading.note(0, "user+detail", take("recipient_delimiter", "+"));
    reading.note(
        0,
        "relaying is denied for good",
        take(
            "smtpd_relay_restrictions",
            "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
        ),
    );
    let mut section: Option<String> = None;
    for statement in mc::read(text) {
        let line = statement.line;
        match statement.what {
            What::Call(name, arguments) => {
                if is_section(&name) {
                    section = (name != "MAILER_DEFINITIONS").then_some(name);
                    continue;
                }
                reading.call(line, &name, &arguments);
            }
            What::Raw(raw) => reading.raw(line, &raw, section.as_deref()),
        }
    }
    reading.masquerade(local_host_names);
    if !reading.has_no_default_msa {
        reading.serve(
            0,
            "DAEMON_OPTIONS(`Port=587, Name=MSA, M=E')",
            "submission inet n - n - - smtpd",
        );
    }
    reading.import.reports.sort_by_key(|report| report.line);
    reading.import
}

/// Macros behind which lines of sendmail.cf follow.
fn is_section(name: &str) -> bool {
    let rules = [
        "LOCAL_CONFIG",
        "LOCAL_RULESETS",
        "LOCAL_NET_CONFIG",
        "MAILER_DEFINITIONS",
        "LOCAL_TRY_TLS",
        "LOCAL_UUCP",
    ];
    rules.contains(&name) || name.starts_with("LOCAL_RULE_")
}

fn take(name: &str, text: &str) -> Outcome {
    Outcome::Taken(vec![(name.to_owned(), text.to_owned())])
}

fn nothing(why: &str) -> Outcome {
    Outcome::Nothing(why.to_owned())
}

fn not_taken(why: impl Into<String>) -> Outcome {
    Outcome::NotTaken(why.into())
}

impl Reading<'_> {
    fn note(&mut self, line: usize, statement: &str, outcome: Outcome) {
        match &outcome {
            Outcome::Taken(settings) => {
                for (name, text) in settings {
                    self.set(line, name, text);
                }
            }
            Outcome::Service(row) => self.import.services.push(row.clone()),
            Outcome::Nothing(_) | Outcome::NotTaken(_) => {}
        }
        self.import.reports.push(Report {
            line,
            statement: statement.to_owned(),
            outcome,
        });
    }

    fn set(&mut self, line: usize, name: &str, text: &str) {
        let known = self
            .import
            .settings
            .iter_mut()
            .find(|setting| setting.name == name);
        let Some(setting) = known else {
            return self.import.settings.push(Setting {
                name: name.to_owned(),
                text: text.to_owned(),
                lines: vec![line],
            });
        };
        let items: Vec<&str> = match text.starts_with('{') || text.starts_with("inline:") {
            true => vec![text],
            false => text.split(", ").collect(),
        };
        match LISTS.contains(&name) {
            true => {
                for item in items {
                    if !setting.text.split(", ").any(|known| known == item) {
                        setting.text = format!("{}, {item}", setting.text);
                    }
                }
            }
            false => setting.text = text.to_owned(),
        }
        setting.lines.push(line);
    }

    fn call(&mut self, line: usize, name: &str, arguments: &[String]) {
        let first = arguments.first().map(|text| text.trim()).unwrap_or_default();
        // Quotes within quotes are taken off when m4 uses the text.
        let second = arguments
            .get(1)
            .map(|text| text.trim_matches(['`', '\'', ' ']))
            .unwrap_or_default();
        match name {
            "define" => {
                let outcome = self.define(first, second);
                self.defined.insert(first.to_owned(), second.to_owned());
                self.note(line, &format!("define({first})"), outcome);
            }
            "FEATURE" => {
                let outcome = match self.masquerading(line, first, "") {
                    Some(outcome) => outcome,
                    None => self.feature(line, first, arguments),
                };
                self.note(line, &format!("FEATURE({first})"), outcome);
            }
            _ => {
                let outcome = match self.masquerading(line, name, first) {
                    Some(outcome) => outcome,
                    None => self.macro_call(name, arguments),
                };
                let shown = match first {
                    "" => name.to_owned(),
                    first => format!("{name}({})", first.chars().take(60).collect::<String>()),
                };
                self.note(line, &shown, outcome);
            }
        }
    }

    /// A line of sendmail.cf.
    fn raw(&mut self, line: usize, text: &str, section: Option<&str>) {
        let shown: String = text.chars().take(40).collect();
        let outcome = match (section, text.strip_prefix("Cw")) {
            (_, Some(words)) => take(
                "mydestination",
                &words.split_whitespace().collect::<Vec<_>>().join(", "),
            ),
            _ if text.starts_with("Fw") => match text[2..].trim_start_matches("-o").trim() {
                file if file.starts_with('/') => take("mydestination", file),
                _ => not_taken("a class from a program or database"),
            },
            _ if text.starts_with("Dj") => take("myhostname", text[2..].trim()),
            _ if text.starts_with("DM") => {
                let outcome = self.masquerading(line, "MASQUERADE_AS", text[2..].trim());
                outcome.unwrap_or_else(|| nothing("it is empty"))
            }
            _ if text.starts_with("DS") => self.smart_host(text[2..].trim()),
            (Some(section), _) => not_taken(format!(
                "a line of sendmail.cf in {section}: rules are not translated; see transport_maps, \
                 virtual_alias_maps and smtpd_recipient_restrictions"
            )),
            (None, _) => not_taken("it is no macro that is known"),
        };
        self.note(line, &shown, outcome);
    }

    /// `relayhost` of a smart host, which may have its mailer in front.
    fn smart_host(&self, text: &str) -> Outcome {
        let (mailer, host) = match text.split_once(':') {
            Some((mailer, host)) if !mailer.contains('[') => (mailer, host),
            _ => ("relay", text),
        };
        if mailer == "uucp-dom" || mailer.starts_with("uucp") {
            return not_taken("there is no UUCP");
        }
        let arguments = self
            .defined
            .get("RELAY_MAILER_ARGS")
            .or_else(|| self.defined.get("ESMTP_MAILER_ARGS"));
        let port = arguments.and_then(|arguments| arguments.split_whitespace().nth(2));
        match (host, port) {
            ("", _) => nothing("it is empty"),
            (host, Some(port)) => take("relayhost", &format!("{host}:{port}")),
            (host, None) => take("relayhost", host),
        }
    }
}

#[cfg(test)]
mod tests;
