//! `postconf -M`, `-F` and `-P`: rows of master.cf, their fields and their own settings.

use std::path::Path;
use std::process::ExitCode;

use config::master_cf::Row;
use config::master_cf_edit::{RowEdit, edit_file};
use config::postconf_master::{
    FIELDS, Pattern, expanded, fields, folded, folded_command, folded_setting, line,
};
use settings::Values;

use super::request::{Request, Subject};
use super::{fatal, warn};
use crate::{Invocation, print_line};

/// Shows what the names ask for, or everything.
///
/// # Errors
/// What makes no sense, in words.
pub(super) fn show(request: &Request, rows: &[Row], values: &Values) -> Result<(), String> {
    let patterns = request
        .names
        .iter()
        .map(|name| pattern(request.subject, name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut unmatched: Vec<&String> = request.names.iter().collect();
    let wanted: Vec<Option<&Pattern>> = match patterns.is_empty() {
        true => vec![None],
        false => patterns.iter().map(Some).collect(),
    };
    for (number, pattern) in wanted.iter().enumerate() {
        let mut found = false;
        for row in rows
            .iter()
            .filter(|row| pattern.is_none_or(|pattern| pattern.fits_row(row)))
        {
            let row = match request.has('x') {
                true => expanded(row, values).map_err(|error| format!("{}: {error}", row.name))?,
                false => row.clone(),
            };
            found |= show_row(request, &row, *pattern);
        }
        if found && !request.names.is_empty() {
            unmatched.retain(|name| **name != request.names[number]);
        }
    }
    warn(
        unmatched
            .iter()
            .map(|name| format!("unmatched request: \"{name}\""))
            .collect(),
    );
    Ok(())
}

/// Whether anything was shown.
fn show_row(request: &Request, row: &Row, pattern: Option<&Pattern>) -> bool {
    if request.subject == Subject::Rows {
        match request.has('f') {
            true => folded(row).iter().for_each(|line| print_line(line)),
            false => print_line(&line(row)),
        }
        return true;
    }
    let all: Vec<(String, String)> = match request.subject {
        Subject::Fields => FIELDS
            .iter()
            .map(|name| (*name).to_owned())
            .zip(fields(row))
            .collect(),
        _ => {
            let texts = row
                .overrides
                .iter()
                .map(|(name, text, _)| (name.clone(), text.clone()));
            // Sorted by name; of two the later one counts.
            texts
                .collect::<std::collections::BTreeMap<_, _>>()
                .into_iter()
                .collect()
        }
    };
    let chosen = all
        .into_iter()
        .filter(|(name, _)| pattern.is_none_or(|pattern| pattern.fits_name(name)));
    let mut any = false;
    for (name, text) in chosen {
        any = true;
        let label = format!("{}/{}/{name}", row.name, row.service_type.as_str());
        match (request.has('h'), request.has('H')) {
            (true, _) => print_line(&text),
            (_, true) => print_line(&label),
            _ if request.has('f') && (request.subject, name.as_str()) == (Subject::Fields, "command") => {
                folded_command(&label, row)
                    .iter()
                    .for_each(|line| print_line(line));
            }
            _ if request.has('f') => folded_setting(&format!("{label} = {text}"))
                .iter()
                .for_each(|line| print_line(line)),
            _ => print_line(format!("{label} = {text}").trim_end()),
        }
    }
    any || request.subject == Subject::Parameters && pattern.is_none_or(|pattern| pattern.name().is_none())
}

fn pattern(subject: Subject, text: &str) -> Result<Pattern, String> {
    let (parts_max, form) = match subject {
        Subject::Rows => (2, "service_name[/type]"),
        Subject::Fields => (3, "service_name[/type[/field]]"),
        _ => (3, "service_name[/type[/parameter]]"),
    };
    let pattern = Pattern::of(text, parts_max)
        .ok_or_else(|| format!("-{} option requires {form}", subject.letter()))?;
    match pattern.name() {
        Some(name) if subject == Subject::Fields && !FIELDS.contains(&name) => {
            Err(format!("invalid service attribute name: \"{name}\""))
        }
        _ => Ok(pattern),
    }
}

/// Edits master.cf.
pub(super) fn edit(invocation: &Invocation, request: &Request, file: &Path) -> ExitCode {
    let edits = request
        .names
        .iter()
        .map(|name| edit_of(request, name))
        .collect::<Result<Vec<_>, _>>();
    let edits = match edits {
        Ok(edits) => edits,
        Err(text) => return fatal(invocation, &text),
    };
    match edit_file(file, &edits) {
        Ok(unmatched) => {
            let told = unmatched
                .iter()
                .filter(|at| matches!(edits[**at], RowEdit::Field(..) | RowEdit::Parameter(..)));
            warn(
                told.map(|at| format!("unmatched service_name/type: \"{}\"", request.names[*at]))
                    .collect(),
            );
            ExitCode::SUCCESS
        }
        Err(error) => fatal(invocation, &error.to_string()),
    }
}

fn edit_of(request: &Request, text: &str) -> Result<RowEdit, String> {
    let subject = request.subject;
    let adds = request.editing == Some('e');
    let (name, value) = match (adds, text.split_once('=')) {
        (true, Some((name, value))) => (name.trim(), value.trim()),
        (true, None) => return Err(format!("missing '=' after attribute name: \"{text}\"")),
        (false, _) => (text.trim(), ""),
    };
    let parts = name.split('/').count();
    let wanted = match subject {
        Subject::Rows => 2,
        _ => 3,
    };
    if parts != wanted || name.contains(char::is_whitespace) || !adds && text.contains('=') {
        return Err(match subject {
            Subject::Rows => "-Me, -MX or -M# requires service_name/type".to_owned(),
            Subject::Fields => "-Fe requires service_name/type/field".to_owned(),
            _ => "-Pe or -PX requires service_name/type/parameter".to_owned(),
        });
    }
    let pattern = pattern(subject, name)?;
    let has_blank = value.contains(char::is_whitespace);
    Ok(match (subject, request.editing) {
        (Subject::Rows, Some('e')) => RowEdit::Row(pattern, value.to_owned()),
        (Subject::Rows, Some('X')) => RowEdit::Remove(pattern),
        (Subject::Rows, _) => RowEdit::CommentOut(pattern),
        (Subject::Fields, _) if pattern.name().is_none() => {
            return Err("-Fe requires service_name/type/field".to_owned());
        }
        (Subject::Fields, _) if has_blank && pattern.name() != Some("command") => {
            return Err(format!(
                "-Fe does not accept whitespace in the field: \"{value}\""
            ));
        }
        (Subject::Fields, _) => RowEdit::Field(pattern, value.to_owned()),
        (_, Some('X')) => RowEdit::RemoveParameter(pattern),
        (_, _) if pattern.name().is_none() => {
            return Err("-Pe or -PX requires service_name/type/parameter".to_owned());
        }
        (_, _) if has_blank => return Err("-Pe does not accept whitespace in parameter value".to_owned()),
        (_, _) => RowEdit::Parameter(pattern, value.to_owned()),
    })
}
