//! The table of parameters must not lie: what it calls supported is read by some crate.

use std::collections::BTreeSet;

use super::workspace::Source;

/// Where the rows are.
const TABLE: &str = "crates/settings/src/params/";
/// The rows that are there but not honoured, or that cannot mean anything.
const EXCEPTIONS: [&str; 2] = ["not_yet.rs", "without_effect.rs"];

/// Parameters that no crate reads by name, and why they are honoured all the same.
const READ_OTHERWISE: &[(&str, &str)] = &[
    (
        "bounce_template_file",
        "config reads the file: its texts are Postfix::bounce_templates",
    ),
    (
        "alternate_config_directories",
        "postdrop reads it, which has no typed settings",
    ),
    (
        "compatibility_level",
        "the defaults of other parameters are made of it",
    ),
    (
        "mail_plugins",
        "config tells every plugin in it that is not there",
    ),
    ("mail_version", "it stands in other parameters, as $mail_version"),
    (
        "multi_instance_name",
        "it stands in other parameters: syslog_name",
    ),
    (
        "mynetworks_style",
        "the default of mynetworks is made of it, in settings",
    ),
    ("process_id", "it stands in other parameters, as $process_id"),
    ("process_name", "it stands in other parameters, as $process_name"),
    (
        "reject_tempfail_action",
        "the defaults of other parameters are made of it",
    ),
    ("service_name", "it stands in other parameters, as $service_name"),
    ("stress", "the defaults of other parameters are made of it"),
];

/// Complains about supported parameters that nobody reads, and about exceptions that name no parameter.
pub fn check(sources: &[Source]) -> Vec<String> {
    let (table, readers): (Vec<&Source>, Vec<&Source>) = sources
        .iter()
        .filter(|source| is_table(source) || is_reader(source))
        .partition(|source| is_table(source));
    let is_exception = |source: &&&Source| EXCEPTIONS.iter().any(|file| source.path.ends_with(file));
    let rows: BTreeSet<&str> = table.iter().flat_map(|source| rows(&source.text)).collect();
    let excepted: BTreeSet<&str> = table
        .iter()
        .filter(is_exception)
        .flat_map(|source| first_strings(&source.text))
        .chain(READ_OTHERWISE.iter().map(|(name, _)| *name))
        .collect();
    let read: BTreeSet<&str> = readers
        .iter()
        .flat_map(|source| fields_read(&source.text))
        .collect();
    let unread = rows
        .iter()
        .filter(|name| !excepted.contains(*name) && !read.contains(*name))
        .map(|name| {
            format!("{TABLE}: {name} is called supported, but no crate reads it: honour it, or list it in not_yet.rs")
        });
    let unknown = excepted
        .iter()
        .filter(|name| !rows.contains(*name))
        .map(|name| format!("{TABLE}: {name} is listed as an exception, but no row makes a field of it"));
    unread.chain(unknown).collect()
}

fn is_table(source: &Source) -> bool {
    source.path.to_string_lossy().contains(TABLE)
}

/// `settings` makes the fields and `config` fills them; reading them there honours nothing.
fn is_reader(source: &Source) -> bool {
    let path = source.path.to_string_lossy();
    !source.is_test()
        && path.contains("crates/")
        && !path.contains("crates/settings/")
        && !path.contains("crates/config/")
}

/// The names of rows that make a typed field: `smtpd_timeout: Seconds = "300s", Reload, "…";`.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (name, rest) = line.trim_start().split_once(": ")?;
        let (kind, value) = rest.split_once(" = ")?;
        let is_row = is_name(name) && is_name(kind) && value.starts_with('"') && line.ends_with("\";");
        is_row.then_some(name)
    })
}

/// The first string of each `("name", …)`.
fn first_strings(text: &str) -> impl Iterator<Item = &str> {
    text.split('(')
        .filter_map(|piece| piece.trim_start().strip_prefix('"')?.split('"').next())
        .filter(|name| is_name(name))
}

/// Everything that follows a dot and looks like a field.
fn fields_read(text: &str) -> impl Iterator<Item = &str> {
    text.split('.').skip(1).map(|piece| {
        let end = piece.find(|c: char| !is_name_letter(c)).unwrap_or(piece.len());
        &piece[..end]
    })
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(is_name_letter)
}

fn is_name_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supported_parameter_is_read_by_some_crate() {
        let source = |path: &str, text: &str| Source {
            path: path.into(),
            text: text.to_owned(),
        };
        let others: String = READ_OTHERWISE
            .iter()
            .map(|(name, _)| format!("            {name}: Text = \"\", Reload, \"Other.\";\n"))
            .collect();
        let row = "            smtpd_x: Text = \"\", Reload, \"An x.\";\n";
        let table = source("crates/settings/src/params/postfix_smtpd.rs", &(others + row));
        let unread = check(std::slice::from_ref(&table));
        assert_eq!(unread.len(), 1, "{unread:?}");
        let read = source(
            "crates/front/src/smtpd/mod.rs",
            "settings\n    .smtpd_x\n    .clone()",
        );
        assert!(check(&[table.clone(), read]).is_empty());
        let inside = source("crates/config/src/lib.rs", "settings.smtpd_x");
        assert_eq!(check(&[table.clone(), inside]).len(), 1);
        let excepted = source(
            "crates/settings/src/params/not_yet.rs",
            "(\"smtpd_x\", \"not yet\"), (\"gone\", \"\")",
        );
        let stale = check(&[table, excepted]);
        assert!(stale.len() == 1 && stale[0].contains("gone"), "{stale:?}");
    }
}
