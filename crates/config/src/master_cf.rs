//! master.cf: eight fields to a row, `-o` overrides, `{ … }` around arguments with white space (master(5)).

use std::path::Path;
use std::time::Duration;

use settings::{Postfix, Service, ServiceType, Values, params};

use crate::lines::{LogicalLine, logical_lines};
use crate::main_cf::{not_honoured, unknown};
use crate::{Problem, Severity, lossy_text_of, main_checks, ports};

/// A row as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The first field.
    pub name: String,
    /// The second.
    pub service_type: ServiceType,
    /// The five fields in between as written: private, unprivileged, chroot, wake-up, process limit.
    pub fields: [String; 5],
    /// The eighth field.
    pub command: String,
    /// What follows, overrides taken out, braces taken off.
    pub args: Vec<String>,
    /// Everything behind the command in order, in the form in which Postfix shows it.
    pub words: Vec<String>,
    /// `-o name=value`: name, text and line.
    pub overrides: Vec<(String, String, usize)>,
    /// The line where the row starts.
    pub line: usize,
}

/// Commands of Postfix that Yubin does not have yet.
const NOT_YET: &[&str] = &["postscreen", "dnsblog", "tlsproxy", "qmqpd", "spawn", "nqmgr"];

/// Commands of Postfix that Yubin has, or whose work is done without a process of its own.
const KNOWN: &[&str] = &[
    "anvil",
    "bounce",
    "cleanup",
    "discard",
    "error",
    "flush",
    "lmtp",
    "local",
    "oqmgr",
    "pickup",
    "pipe",
    "postlogd",
    "proxymap",
    "qmgr",
    "scache",
    "showq",
    "smtp",
    "smtpd",
    "tlsmgr",
    "trivial-rewrite",
    "verify",
    "virtual",
];

/// Reads master.cf; rows that are wrong are left out and told.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Row> {
    match lossy_text_of(path) {
        Ok(text) => parse(&text, problems),
        Err(error) => {
            problems.push(Problem::new(
                Severity::Error,
                ("master.cf", 0),
                "",
                error.to_string(),
            ));
            Vec::new()
        }
    }
}

/// The rows of a text in master.cf's syntax; a row with a mistake in it is told and kept as far as it can be read.
pub fn parse(text: &str, problems: &mut Vec<Problem>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in logical_lines(text, "master.cf", problems) {
        let mut faults = Vec::new();
        let read = row(&line, &mut faults);
        for (what, at) in faults {
            let name = line.text.split_ascii_whitespace().next().unwrap_or_default();
            problems.push(Problem::new(Severity::Error, ("master.cf", at), name, what));
        }
        let Some(row) = read else { continue };
        let twin = rows.iter().position(|other| {
            other.name == row.name && same_name_space(other.service_type, row.service_type)
        });
        if let Some(at) = twin {
            let what = format!("it replaces the row in line {}", rows[at].line);
            let place = ("master.cf", row.line);
            problems.push(Problem::new(Severity::Warning, place, &row.name, what));
            rows.remove(at);
        }
        rows.push(row);
    }
    rows
}

fn same_name_space(one: ServiceType, other: ServiceType) -> bool {
    (one == ServiceType::Inet) == (other == ServiceType::Inet)
}

type Fault = (String, usize);

/// The row of a line; `None` when too little of it can be read. Every mistake is noted.
pub(crate) fn row(line: &LogicalLine, faults: &mut Vec<Fault>) -> Option<Row> {
    let words = match words(line) {
        Ok(words) => words,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let start = line.line();
    if words.len() < 8 {
        let fields = "name, type, private, unpriv, chroot, wakeup, maxproc, command";
        let what = format!("the row has {} of its 8 fields ({fields})", words.len());
        faults.push((what, start));
        return None;
    }
    let fields: [String; 5] = std::array::from_fn(|field| words[field + 2].0.clone());
    check_fields(&fields, &words, faults);
    let service_type = ServiceType::of(&words[1].0);
    if service_type.is_none() {
        let types = "inet, unix, unix-dgram, fifo or pass";
        let what = format!("\"{}\" is not a service type: write {types}", words[1].0);
        faults.push((what, words[1].1));
    }
    let mut row = Row {
        name: words[0].0.clone(),
        service_type: service_type.unwrap_or(ServiceType::Unix),
        fields,
        command: words[7].0.clone(),
        args: Vec::new(),
        words: Vec::new(),
        overrides: Vec::new(),
        line: start,
    };
    take_arguments(&words[8..], &mut row, faults);
    service_type.map(|_| row)
}

fn take_arguments(words: &[(String, usize)], row: &mut Row, faults: &mut Vec<Fault>) {
    let mut rest = words.iter();
    // Options end at the first word that is none, as for getopt(3): what follows belongs to pipe's or spawn's program.
    let mut in_options = true;
    while let Some((word, at)) = rest.next() {
        in_options &= word.starts_with('-');
        let setting = match word.strip_prefix("-o").filter(|_| in_options) {
            Some("") => match rest.next() {
                Some((text, at)) => (text.as_str(), *at),
                None => {
                    faults.push(("nothing follows -o".to_owned(), *at));
                    continue;
                }
            },
            Some(text) if text.contains('=') => (text, *at),
            _ => {
                row.args.push(word.clone());
                row.words.push(in_braces(word));
                continue;
            }
        };
        match setting.0.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                let shown = in_braces(&format!("{name}={value}"));
                match word.as_str() {
                    "-o" => row.words.extend(["-o".to_owned(), shown]),
                    attached => row.words.push(attached.to_owned()),
                }
                row.overrides.push((name, value, setting.1));
            }
            _ => faults.push((format!("\"-o {}\" is not name=value", setting.0), setting.1)),
        }
    }
}

fn check_fields(fields: &[String; 5], words: &[(String, usize)], faults: &mut Vec<Fault>) {
    for (field, what) in [(0, "private"), (1, "unprivileged"), (2, "chroot")] {
        if !matches!(fields[field].as_str(), "y" | "n" | "-") {
            let what = format!("\"{}\" is not a value of {what}: write y, n or -", fields[field]);
            faults.push((what, words[field + 2].1));
        }
    }
    let number = |text: &str| text == "-" || text.parse::<u32>().is_ok();
    if !number(fields[3].trim_end_matches('?')) {
        let what = format!("\"{}\" is not a wake-up time: write seconds or -", fields[3]);
        faults.push((what, words[5].1));
    }
    if !number(&fields[4]) {
        let what = format!("\"{}\" is not a process limit: write a number or -", fields[4]);
        faults.push((what, words[6].1));
    }
}

/// What is wrong with the address of an `inet` row, which would only be seen when it is bound.
fn address_fault(row: &Row, postfix: &Postfix) -> Option<String> {
    if row.service_type != ServiceType::Inet {
        return None;
    }
    let (host, port) = row.name.rsplit_once(':').unwrap_or(("", &row.name));
    if port.is_empty() {
        return Some(format!("\"{}\" names no port: write port or host:port", row.name));
    }
    if !ports::is_port(port, &postfix.known_tcp_ports) {
        return Some(match port.bytes().all(|byte| byte.is_ascii_digit()) {
            true => format!("\"{port}\" is not a port: write a number from 1 to 65535"),
            false => format!("\"{port}\" is not a port: neither known_tcp_ports nor /etc/services has it"),
        });
    }
    let is_host = host.is_empty() || matches!(host, "all" | "loopback-only") || main_checks::is_host(host);
    (!is_host).then(|| format!("\"{host}\" is neither an address nor a host name"))
}

/// A word as it is written: in braces when it has white space.
pub fn in_braces(word: &str) -> String {
    match word.is_empty() || word.contains(|c: char| c.is_ascii_whitespace()) {
        true => format!("{{{word}}}"),
        false => word.to_owned(),
    }
}

/// Words with the lines they stand in; `{ … }` is one word without its braces and the space inside them.
fn words(line: &LogicalLine) -> Result<Vec<(String, usize)>, Fault> {
    let text = &line.text;
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(skip) = text[at..].find(|c: char| !c.is_ascii_whitespace()) {
        at += skip;
        let number = line.line_at(at);
        if text[at..].starts_with('{') && words.len() >= 8 {
            let end = closing(&text[at..]).ok_or_else(|| ("the closing } is missing".to_owned(), number))?;
            words.push((text[at + 1..at + end].trim().to_owned(), number));
            at += end + 1;
        } else {
            let end = text[at..]
                .find(|c: char| c.is_ascii_whitespace())
                .unwrap_or(text.len() - at);
            words.push((text[at..at + end].to_owned(), number));
            at += end;
        }
    }
    Ok(words)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// Fills in the defaults and makes each row's settings.
pub(crate) fn lower(
    rows: Vec<Row>,
    values: &Values,
    postfix: &Postfix,
    problems: &mut Vec<Problem>,
) -> Vec<Service> {
    let mut services = Vec::new();
    for row in rows {
        problems.extend(about(&row));
        let settings = if row.overrides.is_empty() {
            postfix.clone()
        } else {
            overridden(&row, values, problems)
        };
        if let Some(what) = address_fault(&row, &settings) {
            problems.push(Problem::new(
                Severity::Error,
                ("master.cf", row.line),
                &row.name,
                what,
            ));
        }
        let [private, unprivileged, chroot, wakeup, limit] = &row.fields;
        let process_limit = match limit.as_str() {
            "-" => Some(settings.default_process_limit),
            number => number.parse().ok(),
        };
        services.push(Service {
            service_type: row.service_type,
            private: private != "n",
            unprivileged: unprivileged != "n",
            chroot: chroot == "y",
            wakeup: Duration::from_secs(wakeup.trim_end_matches('?').parse().unwrap_or(0)),
            wakeup_if_used: wakeup.ends_with('?'),
            process_limit: process_limit.filter(|limit| *limit > 0),
            command: row.command,
            args: row.args,
            overrides: row
                .overrides
                .into_iter()
                .map(|(name, text, _)| (name, text))
                .collect(),
            settings,
            line: row.line,
            name: row.name,
        });
    }
    services
}

fn about(row: &Row) -> Option<Problem> {
    let place = ("master.cf", row.line);
    let command = row.command.as_str();
    if NOT_YET.contains(&command) {
        let what = format!("its command {command} is not there yet; the row has no effect");
        return Some(Problem::new(Severity::Note, place, &row.name, what));
    }
    // What follows pipe is its own language.
    if command == "pipe" {
        return None;
    }
    if KNOWN.contains(&command) {
        let argument = row.args.iter().find(|word| !word.starts_with('-'))?;
        let what = format!("\"{argument}\" and what follows it have no effect: {command} takes options only");
        return Some(Problem::new(Severity::Warning, place, &row.name, what));
    }
    let problem = Problem::new(
        Severity::Warning,
        place,
        &row.name,
        format!("there is no command {command}"),
    );
    Some(match params::nearest(command, KNOWN.iter().copied()) {
        Some(near) => problem.with_hint(format!("Did you mean {near}?")),
        None => problem,
    })
}

fn overridden(row: &Row, values: &Values, problems: &mut Vec<Problem>) -> Postfix {
    let mut own = values.clone();
    own.set("service_name", &row.name);
    own.set("process_name", &row.command);
    for (name, text, _) in &row.overrides {
        own.set(name, text);
    }
    let line_of = |name: &str| {
        row.overrides
            .iter()
            .find(|(known, ..)| known == name)
            .map_or(row.line, |found| found.2)
    };
    let (mut settings, wrong) = Postfix::from_values(&own);
    // What main.cf itself has wrong is told there.
    for wrong in wrong
        .into_iter()
        .filter(|wrong| row.overrides.iter().any(|(name, ..)| *name == wrong.name))
    {
        let place = ("master.cf", line_of(&wrong.name));
        problems.push(Problem::new(
            Severity::Error,
            place,
            &wrong.name,
            wrong.error.to_string(),
        ));
    }
    let classes = own.expanded("smtpd_restriction_classes").unwrap_or_default();
    let mentioned: Vec<String> = own
        .explicit()
        .values()
        .flat_map(|text| settings::expand::names_in(text))
        .chain(settings::kinds::words(&classes))
        .collect();
    for (name, text, _) in &row.overrides {
        let place = ("master.cf", line_of(name));
        match params::postfix(name) {
            Some(parameter) => problems.extend(not_honoured(parameter, text, place)),
            None if mentioned.iter().any(|used| used == name) => {}
            None if params::PER_TRANSPORT.iter().any(|suffix| name.ends_with(suffix)) => {}
            None => problems.push(unknown(name, place)),
        }
        let missing = main_checks::undefined(name, text, &own);
        let about = |used: &String| main_checks::undefined_problem(place, name, used, &own);
        problems.extend(missing.iter().map(about));
    }
    for (name, text) in main_checks::faults(&settings) {
        if row.overrides.iter().any(|(known, ..)| known == name) {
            let place = ("master.cf", line_of(name));
            problems.push(Problem::new(Severity::Error, place, name, text));
        }
    }
    crate::pattern_files::read_in(&mut settings, &mut |name, text| {
        if row.overrides.iter().any(|(known, ..)| known == name) {
            problems.push(Problem::new(
                Severity::Error,
                ("master.cf", line_of(name)),
                name,
                text,
            ));
        }
    });
    // What is wrong in the directory is told at main.cf.
    crate::sendmail_directory::read_in(&mut settings, &mut |_, _| {});
    settings
}
