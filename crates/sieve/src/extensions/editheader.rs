//! `editheader` (RFC 5293): add and delete header fields.

use super::Extension;
use crate::checker::Checker;
use crate::headers::Index;
use crate::mail::{Field, header_text};
use crate::matching::Matcher;
use crate::run::{Run, Step};
use crate::settings::Settings;
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Given, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("editheader").off().words(&[
    Word::command(
        "addheader",
        &[("field-name", Kind::Text), ("value", Kind::Text)],
        &[Tag::flag("last")],
        addheader,
    ),
    Word::command(
        "deleteheader",
        &[],
        &[Tag::with("index", Kind::Number), Tag::flag("last")],
        deleteheader,
    )
    .matching()
    .own_arguments(),
]);

/// How a field may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Add,
    Delete,
}

/// Whether the settings allow it. Received and Auto-Submitted can never be deleted, Subject always be changed
/// (RFC 5293 §6).
fn is_allowed(settings: &Settings, name: &str, edit: Edit) -> bool {
    if name.eq_ignore_ascii_case("subject") {
        return true;
    }
    if edit == Edit::Delete
        && ["received", "auto-submitted"]
            .iter()
            .any(|fixed| fixed.eq_ignore_ascii_case(name))
    {
        return false;
    }
    let listed = |setting: &str| {
        let names = settings.text(setting).unwrap_or_default();
        names
            .split_whitespace()
            .any(|other| other.eq_ignore_ascii_case(name))
    };
    let (old, new) = match edit {
        Edit::Add => ("sieve_editheader_forbid_add", "forbid_add"),
        Edit::Delete => ("sieve_editheader_forbid_delete", "forbid_delete"),
    };
    let block = settings.below("sieve_editheader_header/").any(|(key, value)| {
        let mut words = key.splitn(2, '/');
        let (block, field) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let named = settings
            .text(&format!("sieve_editheader_header/{block}/name"))
            .unwrap_or(block);
        field == new && named.trim().eq_ignore_ascii_case(name) && value.trim().eq_ignore_ascii_case("yes")
    });
    !(listed(old) || listed("sieve_editheader_protected") || block)
}

#[derive(Debug)]
struct AddHeader {
    name: Text,
    value: Text,
    last: bool,
}

fn addheader(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let name = call.text(0);
    if let Some(literal) = name.literal() {
        if !is_name(literal) {
            checker.error(
                call.position,
                format!("addheader command: specified field name `{literal}' is invalid"),
            );
            return None;
        }
        if !is_allowed(checker.settings(), literal, Edit::Add) {
            checker.warning(
                call.position,
                format!("addheader command: adding specified header field `{literal}' is forbidden; modification will be denied"),
            );
        }
    }
    Some(Box::new(AddHeader {
        name,
        value: call.text(1),
        last: call.has("last"),
    }))
}

fn is_name(name: &str) -> bool {
    message::header::is_name(name.as_bytes())
}

/// A value as it stands behind the colon: one line where it is short and ASCII, folded or encoded where not.
fn folded(name: &str, value: &str, line_end: &str) -> Vec<u8> {
    let single: String = value
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let header = message::build::Header::new().text(name, &single);
    let block = header
        .map(|header| header.as_bytes().to_vec())
        .unwrap_or_default();
    let body = block.get(name.len() + 1..).unwrap_or_default();
    let body = body.strip_suffix(b"\r\n").unwrap_or(body);
    match line_end {
        "\n" => message::lines::to_lf(body),
        _ => body.to_vec(),
    }
}

impl Command for AddHeader {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "addheader action".to_owned());
        let (name, value) = (self.name.value(run), self.value.value(run));
        if !is_name(&name) {
            return run.fail(format!(
                "addheader action: specified field name `{name}' is invalid"
            ));
        }
        if !is_allowed(&run.settings, &name, Edit::Add) {
            run.warning(format!(
                "addheader action: adding specified header field `{name}' is forbidden; modification denied"
            ));
            return Ok(());
        }
        if value.contains('\0') {
            return run.fail(format!("addheader action: specified value `{value}' is invalid"));
        }
        if value.len() > run.settings.header_bytes_max {
            return run.fail("addheader action: specified header value is too large".to_owned());
        }
        run.spend(run.mail.bytes().len() as u64 / 64)?;
        run.trace(Level::Actions, |_| format!("  `{name}: {value}'"));
        let field = Field {
            body: folded(&name, &value, run.mail.line_end()),
            name,
        };
        let mut fields = run.mail.fields().to_vec();
        match self.last {
            true => fields.push(field),
            false => fields.insert(0, field),
        }
        run.mail.set_fields(fields);
        Ok(())
    }
}

#[derive(Debug)]
struct DeleteHeader {
    name: Text,
    index: Option<Index>,
    patterns: Option<Vec<Text>>,
    matcher: Matcher,
}

fn deleteheader(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let index = Index::of(checker, &call).ok()?;
    let (name, patterns) = match call.positional.as_slice() {
        [Given::Text(name)] => (name.clone(), None),
        [Given::Text(name), patterns @ (Given::Text(_) | Given::Texts(_))] => {
            (name.clone(), Some(patterns.clone().into_texts()))
        }
        [] => {
            checker.error(
                call.position,
                "the deleteheader command expects at least one positional argument, but none was found",
            );
            return None;
        }
        [Given::Text(_), other] => {
            let found = other.name();
            checker.error(
                call.position,
                format!("the deleteheader command expects a string list as argument 2 (value patterns), but a {found} was found"),
            );
            return None;
        }
        [other] | [other, _] => {
            let found = other.name();
            checker.error(
                call.position,
                format!("the deleteheader command expects a string as argument 1 (field name), but a {found} was found"),
            );
            return None;
        }
        more => {
            let count = more.len();
            checker.error(
                call.position,
                format!("the deleteheader command requires at most 2 positional argument(s), but {count} is/are specified"),
            );
            return None;
        }
    };
    if let Some(literal) = name.literal() {
        if !is_name(literal) {
            checker.error(
                call.position,
                format!("deleteheader command: specified field name `{literal}' is invalid"),
            );
            return None;
        }
        if !is_allowed(checker.settings(), literal, Edit::Delete) {
            checker.warning(
                call.position,
                format!("deleteheader command: deleting specified header field `{literal}' is forbidden; modification will be denied"),
            );
        }
    }
    Some(Box::new(DeleteHeader {
        name,
        index,
        patterns,
        matcher: call.matcher,
    }))
}

impl Command for DeleteHeader {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "deleteheader action".to_owned());
        let name = self.name.value(run);
        if !is_name(&name) {
            return run.fail(format!(
                "deleteheader action: specified field name `{name}' is invalid"
            ));
        }
        if !is_allowed(&run.settings, &name, Edit::Delete) {
            run.warning(format!("deleteheader action: deleting specified header field `{name}' is forbidden; modification denied"));
            return Ok(());
        }
        run.spend(run.mail.bytes().len() as u64 / 64)?;
        let mut fields = run.mail.fields().to_vec();
        let named = |field: &Field| field.name.eq_ignore_ascii_case(&name);
        let mut chosen: Vec<usize> = (0..fields.len()).filter(|&at| named(&fields[at])).collect();
        if let Some(index) = self.index {
            let place = index.place(chosen.len());
            chosen = place.map(|place| chosen[place]).into_iter().collect();
        }
        if let Some(patterns) = &self.patterns {
            let mut fitting = Vec::new();
            for at in chosen {
                if self.matcher.any(run, patterns, [header_text(&fields[at].body)])? {
                    fitting.push(at);
                }
            }
            chosen = fitting;
        }
        for at in chosen.iter().rev() {
            fields.remove(*at);
        }
        if !chosen.is_empty() {
            run.mail.set_fields(fields);
        }
        Ok(())
    }
}
