//! main.cf: `name = value` lines, and what is wrong with them (postconf(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use settings::{Postfix, Support, Surroundings, Values, Wrong, expand, params};

use crate::bounce_template_file::bounce_templates;
use crate::lines::logical_lines;
use crate::master_cf::Row;
use crate::{Problem, Severity, lossy_text_of, main_checks, pattern_files, sendmail_directory};

/// A line of main.cf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The text as written, lines joined, white space at both ends taken off.
    pub text: String,
    /// The line where it starts.
    pub line: usize,
}

/// main.cf as written.
#[derive(Debug, Clone, Default)]
pub struct MainCf {
    /// Where it was read from.
    pub path: PathBuf,
    /// Every line in order, overridden ones too.
    pub settings: Vec<Setting>,
}

/// Reads main.cf; what is wrong with its syntax goes to `problems`.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> MainCf {
    match lossy_text_of(path) {
        Ok(text) => {
            let settings = parse(&text, problems);
            MainCf {
                path: path.to_owned(),
                settings,
            }
        }
        Err(error) => {
            problems.push(Problem::new(
                Severity::Error,
                ("main.cf", 0),
                "",
                error.to_string(),
            ));
            MainCf {
                path: path.to_owned(),
                settings: Vec::new(),
            }
        }
    }
}

/// The settings of a text in main.cf's syntax.
pub fn parse(text: &str, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for logical in logical_lines(text, "main.cf", problems) {
        let line = logical.line();
        if let Some(at) = logical.text.find(char::REPLACEMENT_CHARACTER) {
            let place = ("main.cf", logical.line_at(at));
            let name = logical.text.split('=').next().unwrap_or_default().trim();
            problems.push(Problem::new(
                Severity::Warning,
                place,
                name,
                "it holds bytes that are not UTF-8",
            ));
        }
        let Some((name, value)) = logical.text.split_once('=') else {
            let what = format!("\"{}\" has no '=' after the name", logical.text.trim());
            problems.push(
                Problem::new(Severity::Error, ("main.cf", line), "", what).with_hint("Write name = value"),
            );
            continue;
        };
        let name = name.trim();
        if name.is_empty() || name.contains(|c: char| c.is_ascii_whitespace()) {
            let what = if name.is_empty() {
                "the name before '=' is missing"
            } else {
                "a name is one word"
            };
            problems.push(Problem::new(Severity::Error, ("main.cf", line), name, what));
            continue;
        }
        if let Some(earlier) = lines.insert(name.to_owned(), line) {
            let what = format!("it overrides the setting in line {earlier}");
            problems.push(Problem::new(Severity::Warning, ("main.cf", line), name, what));
        }
        settings.push(Setting {
            name: name.to_owned(),
            text: value.trim().to_owned(),
            line,
        });
    }
    settings
}

impl MainCf {
    /// The texts over the defaults.
    pub fn values(&self, surroundings: &Surroundings) -> Values {
        let mut values = Values::new(surroundings);
        for setting in &self.settings {
            values.set(&setting.name, &setting.text);
        }
        values
    }

    /// The line that decides about a name; 0 when none does.
    pub fn line_of(&self, name: &str) -> usize {
        self.settings
            .iter()
            .rev()
            .find(|setting| setting.name == name)
            .map_or(0, |setting| setting.line)
    }
}

/// Makes the typed settings; wrong values, unknown names and what Yubin does not have go to `problems`.
pub(crate) fn lower(main: &MainCf, values: &Values, rows: &[Row], problems: &mut Vec<Problem>) -> Postfix {
    let mut found = Vec::new();
    let (mut postfix, wrong) = Postfix::from_values(values);
    let names: Vec<&str> = wrong.iter().map(|wrong| wrong.name.as_str()).collect();
    for wrong in &wrong {
        found.extend(wrong_value(main, values, wrong, &names));
    }
    let mut fault = |name: &str, text: String| {
        let place = ("main.cf", main.line_of(name));
        found.push(Problem::new(Severity::Error, place, name, text));
    };
    for (name, text) in main_checks::faults(&postfix) {
        if !names.contains(&name) {
            fault(name, text);
        }
    }
    pattern_files::read_in(&mut postfix, &mut fault);
    sendmail_directory::read_in(&mut postfix, &mut fault);
    found.extend(texts_of_reports(main, values, &mut postfix));
    found.extend(about_names(main, values, rows));
    if !main.settings.is_empty() {
        found.extend(older_defaults(values));
    }
    found.sort_by_key(|problem| problem.line);
    problems.extend(found);
    postfix
}

/// Takes the texts of reports from their file. A mistake in it keeps nobody from being told: what is built in holds then.
fn texts_of_reports(main: &MainCf, values: &Values, postfix: &mut Postfix) -> Vec<Problem> {
    let name = "bounce_template_file";
    let file = &postfix.bounce_template_file;
    if file.as_os_str().is_empty() {
        return Vec::new();
    }
    let complaints = match bounce_templates(Some(file), values) {
        Ok(([_, expanded], complaints)) => {
            postfix.bounce_templates = expanded;
            complaints
        }
        Err(why) => vec![format!("{why}; the built-in texts hold")],
    };
    let place = ("main.cf", main.line_of(name));
    let told = complaints.into_iter();
    told.map(|text| Problem::new(Severity::Warning, place, name, text))
        .collect()
}

/// A main.cf from before 3.6 means what it meant then; who does not know that is surprised.
fn older_defaults(values: &Values) -> Option<Problem> {
    let list = main_checks::older_defaults(values);
    let level = values.expanded("compatibility_level").unwrap_or_default();
    (!list.is_empty()).then(|| {
        let what = format!("it is {level}, so older defaults hold: {}", list.join(", "));
        Problem::new(Severity::Note, ("main.cf", 0), "compatibility_level", what)
            .with_hint("Set compatibility_level = 3.6 for today's, or write these settings down")
    })
}

/// A wrong value at the parameter's own line; when its default is made of another parameter, at that one's line, or
/// nowhere when that one is told as wrong itself.
fn wrong_value(main: &MainCf, values: &Values, wrong: &Wrong, all_wrong: &[&str]) -> Option<Problem> {
    let text = wrong.error.to_string();
    if values.is_set(&wrong.name) {
        return Some(Problem::new(
            Severity::Error,
            ("main.cf", main.line_of(&wrong.name)),
            &wrong.name,
            text,
        ));
    }
    let sources = set_names_behind(values, &wrong.name);
    if sources.iter().any(|source| all_wrong.contains(&source.as_str())) {
        return None;
    }
    let source = sources.first().map_or("", String::as_str);
    let problem = Problem::new(
        Severity::Error,
        ("main.cf", main.line_of(source)),
        &wrong.name,
        text,
    );
    Some(problem.with_hint(format!("Its value comes from {source}")))
}

/// The names set in main.cf that the default of `name` is made of.
fn set_names_behind(values: &Values, name: &str) -> Vec<String> {
    let mut seen = vec![name.to_owned()];
    let mut sources = Vec::new();
    let mut at = 0;
    while let Some(name) = seen.get(at).cloned() {
        at += 1;
        if values.is_set(&name) {
            sources.push(name);
            continue;
        }
        for next in expand::names_in(&values.raw(&name).unwrap_or_default()) {
            if !seen.contains(&next) {
                seen.push(next);
            }
        }
    }
    sources
}

fn about_names(main: &MainCf, values: &Values, rows: &[Row]) -> Vec<Problem> {
    let own = own_names(values, rows);
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for setting in &main.settings {
        let place = ("main.cf", setting.line);
        match params::postfix(&setting.name) {
            Some(parameter) => problems.extend(not_honoured(parameter, &setting.text, place)),
            None if is_own(&setting.name, &own, rows) => {}
            None if !told.insert(setting.name.as_str()) => {}
            None => problems.push(unknown(&setting.name, place)),
        }
        let missing = main_checks::undefined(&setting.name, &setting.text, values);
        let about = |used: &String| main_checks::undefined_problem(place, &setting.name, used, values);
        problems.extend(missing.iter().map(about));
    }
    problems
}

/// A note when Yubin does not honour the parameter and the text asks for something else than the default.
pub(crate) fn not_honoured(
    parameter: &settings::Parameter,
    text: &str,
    place: (&str, usize),
) -> Option<Problem> {
    // What is not there is off.
    let is_so_anyway = (parameter.name, text) == ("biff", "no");
    match parameter.support {
        Support::NotSupported(reason) if text != parameter.default && !is_so_anyway => Some(Problem::new(
            Severity::Note,
            place,
            parameter.name,
            format!("it is not honoured: {reason}"),
        )),
        _ => None,
    }
}

/// A warning about a name that no table knows.
pub(crate) fn unknown(name: &str, place: (&str, usize)) -> Problem {
    let names = params::postfix_all().iter().map(|parameter| parameter.name);
    let problem = Problem::new(Severity::Warning, place, name, "there is no such parameter");
    match params::nearest(name, names) {
        Some(near) => problem.with_hint(format!("Did you mean {near}?")),
        None => problem,
    }
}

/// The names of the user's own: those used as `$name`, the restriction classes, and the settings of tables that
/// have them in main.cf.
pub fn own_names(values: &Values, rows: &[Row]) -> BTreeSet<String> {
    let texts = values.explicit().values().map(String::as_str);
    let overrides = rows
        .iter()
        .flat_map(|row| row.overrides.iter().map(|(_, text, _)| text.as_str()));
    let args = rows.iter().flat_map(|row| row.args.iter().map(String::as_str));
    let texts: Vec<&str> = texts.chain(overrides).chain(args).collect();
    let mut own: BTreeSet<String> = texts.iter().copied().flat_map(expand::names_in).collect();
    let classes = values.expanded("smtpd_restriction_classes").unwrap_or_default();
    own.extend(settings::kinds::words(&classes));
    own.extend(texts.into_iter().flat_map(names_of_tables));
    own
}

/// `ldap:myldap` has its settings in main.cf as `myldap_server_host` and so on; `ldap:/file` has them in the file.
fn names_of_tables(text: &str) -> impl Iterator<Item = String> {
    let tables = text.split(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '{' | '}'));
    let sources = tables.filter_map(|word| {
        let (before, source) = word.rsplit_once(':')?;
        let kind = before.rsplit(':').next().unwrap_or(before);
        (DATABASES.contains(&kind) && !source.is_empty() && !source.starts_with(['/', '.'])).then_some(source)
    });
    sources.flat_map(|source| {
        DATABASE_SETTINGS
            .iter()
            .map(move |suffix| format!("{source}_{suffix}"))
    })
}

/// Types of tables whose settings may stand in main.cf.
const DATABASES: &[&str] = &["ldap", "memcache", "mysql", "pgsql", "sqlite"];

/// Their settings (ldap_table(5), memcache_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5)).
const DATABASE_SETTINGS: &[&str] = &[
    "additional_conditions",
    "backup",
    "bind",
    "bind_dn",
    "bind_pw",
    "cache",
    "cache_expiry",
    "cache_size",
    "charset",
    "chase_referrals",
    "data_size_limit",
    "dbname",
    "dbpath",
    "debuglevel",
    "dereference",
    "domain",
    "encoding",
    "expansion_limit",
    "hosts",
    "key_format",
    "leaf_result_attribute",
    "line_size_limit",
    "max_try",
    "memcache",
    "option_file",
    "option_group",
    "password",
    "query",
    "query_filter",
    "query_function",
    "recursion_limit",
    "require_result_set",
    "result_attribute",
    "result_filter",
    "result_format",
    "retry_pause",
    "sasl_authz_id",
    "sasl_mechs",
    "sasl_minssf",
    "sasl_realm",
    "scope",
    "search_base",
    "select_field",
    "select_function",
    "server_host",
    "server_port",
    "size_limit",
    "special_result_attribute",
    "start_tls",
    "table",
    "terminal_result_attribute",
    "timeout",
    "tls_CAfile",
    "tls_CApath",
    "tls_ca_cert_dir",
    "tls_ca_cert_file",
    "tls_cert",
    "tls_cert_file",
    "tls_cipher_suite",
    "tls_ciphers",
    "tls_key",
    "tls_key_file",
    "tls_random_file",
    "tls_require_cert",
    "tls_verify_cert",
    "ttl",
    "user",
    "version",
    "where_field",
];

/// Whether a name that is not in the table is of the user's own, or a limit of a transport in master.cf.
pub fn is_own(name: &str, own: &BTreeSet<String>, rows: &[Row]) -> bool {
    own.contains(name)
        || params::PER_TRANSPORT.iter().any(|suffix| {
            name.strip_suffix(suffix)
                .is_some_and(|transport| rows.iter().any(|row| row.name == transport))
        })
}
