//! `regexp:`: the first rule whose expression fits decides (regexp_table(5)).
//!
//! Expressions are those of the `regex` crate: linear in time, and leftmost-first where POSIX is leftmost-longest.

use std::collections::VecDeque;
use std::sync::Mutex;

use regex::{Regex, RegexBuilder};

use super::braced_items;
use crate::source::{self, logical_lines};
use crate::{Error, Table};

/// The most rules of one table.
pub const RULES_MAX: usize = 100_000;
/// The most memory that one compiled expression may take, in bytes.
const EXPRESSION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A table of rules.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    skipped: Skipped,
}

/// The rules that were passed over, to be told once each.
#[derive(Debug, Default)]
pub(crate) struct Skipped(Mutex<VecDeque<String>>);

impl Skipped {
    /// What is told about rules of a kind of table, and the first of it as a problem of the table.
    pub(crate) fn of(kind: &str, wrong: Vec<(String, String)>) -> (Skipped, Option<Error>) {
        let texts = wrong.iter().map(|(place, cause)| {
            let place = place.strip_prefix(&format!("{kind}:")).unwrap_or(place);
            format!("{kind} map {place}: {cause}: skipping this rule")
        });
        let skipped = Skipped(Mutex::new(texts.collect()));
        let first = wrong.into_iter().next();
        (
            skipped,
            first.map(|(place, cause)| Error::Skipped { place, cause }),
        )
    }

    pub(crate) fn take(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop_front()
    }
}

#[derive(Debug)]
enum Rule {
    /// An expression, whether it must not fit, and the result.
    Match(Regex, bool, String),
    /// `if`: when it does not hold, go on behind the rule of that number. Without an expression it never holds.
    If(Option<Regex>, bool, usize),
    EndIf,
}

pub(crate) fn open(name: &str) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let (rules, problem) = Rules::read(name)?;
    Ok((Box::new(rules), problem))
}

/// The lines of a rule table: of a file, or of `{ {rule}, {rule} }`.
pub(crate) fn rule_lines(name: &str, kind: &str) -> Result<Vec<(String, String)>, Error> {
    if name.starts_with('{') {
        let place = format!("{kind}:{name}");
        let items = braced_items(name).map_err(|cause| Error::Syntax {
            place: place.clone(),
            cause: cause.to_owned(),
        })?;
        return Ok(items.into_iter().map(|item| (place.clone(), item)).collect());
    }
    let text = source::read(std::path::Path::new(name))?;
    let lines = logical_lines(&text).into_iter();
    Ok(lines
        .map(|(line, text)| (format!("{name}, line {line}"), text))
        .collect())
}

impl Rules {
    fn read(name: &str) -> Result<(Rules, Option<Error>), Error> {
        let (mut rules, mut open, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        for (place, line) in rule_lines(name, "regexp")? {
            if rules.len() >= RULES_MAX {
                let cause = "too many rules".to_owned();
                return Err(Error::Syntax { place, cause });
            }
            if let Err(cause) = add(&mut rules, &mut open, &line) {
                wrong.push((place, cause));
            }
        }
        if !open.is_empty() {
            return Err(Error::Syntax {
                place: format!("regexp:{name}"),
                cause: "if without endif".to_owned(),
            });
        }
        let (skipped, problem) = Skipped::of("regexp", wrong);
        Ok((Rules { rules, skipped }, problem))
    }
}

/// Adds the rule of a line; `open` has the places of the `if`s that wait for their `endif`.
fn add(rules: &mut Vec<Rule>, open: &mut Vec<usize>, line: &str) -> Result<(), String> {
    let word = line.split(char::is_whitespace).next().unwrap_or("");
    if word.eq_ignore_ascii_case("endif") {
        let start = open.pop().ok_or("endif without if")?;
        let end = rules.len();
        if let Some(Rule::If(_, _, skip_to)) = rules.get_mut(start) {
            *skip_to = end;
        }
        rules.push(Rule::EndIf);
    } else if word.eq_ignore_ascii_case("if") {
        let condition = expression(line[2..].trim());
        open.push(rules.len());
        match condition {
            Ok((regex, is_negated, _)) => rules.push(Rule::If(Some(regex), is_negated, 0)),
            Err(cause) => {
                // What stands below a condition that cannot be read must not hold for everything.
                rules.push(Rule::If(None, false, 0));
                return Err(cause);
            }
        }
    } else {
        let (regex, is_negated, result) = expression(line)?;
        if is_negated && result.contains('$') {
            return Err("a rule with ! cannot use $number".to_owned());
        }
        rules.push(Rule::Match(regex, is_negated, template(result)));
    }
    Ok(())
}

/// `!/expression/flags result`: the expression, whether it must not fit, the result.
fn expression(rule: &str) -> Result<(Regex, bool, &str), String> {
    let (is_negated, rule) = match rule.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, rule),
    };
    let delimiter = rule
        .chars()
        .next()
        .filter(|c| !c.is_alphanumeric() && *c != '\\')
        .ok_or("/expression/ wanted")?;
    let body = &rule[delimiter.len_utf8()..];
    let mut is_escaped = false;
    let end = body.char_indices().find(|(_, c)| {
        let is_end = *c == delimiter && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    let (end, _) = end.ok_or_else(|| format!("the closing {delimiter} is missing"))?;
    let after = &body[end + delimiter.len_utf8()..];
    let (flags, result) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    // Without a flag case does not matter; `m` toggles multi-line mode, `x` is the default here as there.
    let (mut folds, mut is_multi_line) = (true, false);
    for flag in flags.chars() {
        match flag {
            'i' => folds = !folds,
            'm' => is_multi_line = !is_multi_line,
            'x' => {}
            other => return Err(format!("unknown regexp option \"{other}\"")),
        }
    }
    let regex = RegexBuilder::new(&body[..end])
        .case_insensitive(folds)
        .multi_line(is_multi_line)
        // As regcomp(3): a folded header field is one text, line ends and all.
        .dot_matches_new_line(!is_multi_line)
        .size_limit(EXPRESSION_BYTES_MAX)
        .build()
        .map_err(|error| {
            error
                .to_string()
                .lines()
                .last()
                .unwrap_or("wrong expression")
                .to_owned()
        })?;
    Ok((regex, is_negated, result.trim()))
}

/// `$1`, `${1}` and `$(1)` as the `regex` crate wants them.
fn template(result: &str) -> String {
    let (mut out, mut rest) = (String::new(), result);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
            continue;
        }
        let inner = rest.strip_prefix(['{', '(']).unwrap_or(rest);
        let digits = inner.find(|c: char| !c.is_ascii_digit()).unwrap_or(inner.len());
        if digits == 0 {
            out.push_str("$$");
            continue;
        }
        out.push_str(&format!("${{{}}}", &inner[..digits]));
        rest = inner[digits..]
            .strip_prefix(['}', ')'])
            .filter(|_| inner.len() < rest.len())
            .unwrap_or(&inner[digits..]);
    }
    out.push_str(rest);
    out
}

impl Table for Rules {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        let mut at = 0;
        while let Some(rule) = self.rules.get(at) {
            match rule {
                Rule::If(regex, is_negated, skip_to)
                    if regex
                        .as_ref()
                        .is_none_or(|regex| regex.is_match(key) == *is_negated) =>
                {
                    at = *skip_to;
                }
                Rule::Match(regex, false, result) => {
                    if let Some(found) = regex.captures(key) {
                        let mut out = String::new();
                        found.expand(result, &mut out);
                        return Ok(Some(out));
                    }
                }
                Rule::Match(regex, true, result) if !regex.is_match(key) => return Ok(Some(result.clone())),
                _ => {}
            }
            at += 1;
        }
        Ok(None)
    }

    fn take_warning(&self) -> Option<String> {
        self.skipped.take()
    }
}
