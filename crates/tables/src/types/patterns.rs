//! Tables of patterns, `/pattern/flags result` with IF, ENDIF and `!`: what `regexp:` and `pcre:` have in common
//! (regexp_table(5), pcre_table(5)). Warnings have Postfix's words.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

use super::raw_items;
use crate::source::{self, logical_lines};
use crate::{Error, Matter, Table, watch};

/// The most rules of one table.
pub const RULES_MAX: usize = 100_000;

/// The places of a match and of its groups in a text, in bytes.
pub(crate) type Places = Vec<Option<Range<usize>>>;

/// A compiled expression.
pub(crate) trait Expression: Send + Sync + std::fmt::Debug {
    /// How many groups it has.
    fn groups(&self) -> usize;

    /// Where it fits; `None` when it does not.
    ///
    /// # Errors
    /// When it gave up.
    fn find(&self, text: &str) -> Result<Option<Places>, String>;
}

/// What parts the one kind of table from the other.
pub(crate) struct Dialect {
    /// The type's word.
    pub(crate) kind: &'static str,
    /// What is said of a pattern that does not end.
    pub(crate) unclosed: &'static str,
    /// What is said of the group 0.
    pub(crate) no_group_0: &'static str,
    /// How expressions are made.
    pub(crate) compile: Compile,
}

/// Makes an expression of a pattern and its flags; the error is a whole warning.
pub(crate) type Compile = fn(&str, &str) -> Result<Box<dyn Expression>, String>;

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
enum Complaint {
    /// Said with the line's place.
    Placed(String),
    /// Said without.
    Bare(String),
}

impl From<String> for Complaint {
    fn from(text: String) -> Complaint {
        Complaint::Placed(text)
    }
}

/// Warnings about the lines of a table, to be told once each.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    texts: Mutex<VecDeque<String>>,
    first: Option<(String, String)>,
}

impl Warnings {
    /// Adds a warning about a line.
    pub(crate) fn add(&mut self, kind: &str, place: &str, cause: &str) {
        self.add_bare(format!("{kind} map {place}: {cause}"));
        if self.first.is_none() {
            self.first = Some((place.to_owned(), cause.to_owned()));
        }
    }

    fn add_bare(&mut self, text: String) {
        self.texts
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push_back(text);
    }

    /// The first of them as a problem of the table.
    pub(crate) fn problem(&self) -> Option<Error> {
        let (place, cause) = self.first.clone()?;
        Some(Error::Skipped { place, cause })
    }

    pub(crate) fn take(&self) -> Option<String> {
        self.texts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop_front()
    }
}

/// The lines of a rule table with their numbers, from 1: of a file, or of `{ {rule}, {rule} }`.
/// Those that continue nothing are left out with a warning.
///
/// # Errors
/// When the file cannot be read, or the items make no sense.
pub(crate) fn rule_lines(
    name: &str,
    kind: &str,
    warnings: &mut Warnings,
) -> Result<Vec<(usize, String)>, Error> {
    let lines: Vec<(usize, String)> = if name.starts_with('{') {
        let wrong = |cause: String| Error::Syntax {
            place: format!("{kind} map"),
            cause,
        };
        let items = raw_items(name).map_err(|_| wrong(format!("missing '}}' in \"{name}\"")))?;
        let bare = items.iter().map(|item| {
            let inner = item
                .strip_prefix('{')
                .ok_or_else(|| wrong(format!("no '{{' at start of text in \"{item}\"")))?;
            let inner = inner
                .strip_suffix('}')
                .ok_or_else(|| wrong(format!("syntax error after '}}' in \"{item}\"")))?;
            Ok(inner.trim().to_owned())
        });
        let rules = (1..).zip(bare.collect::<Result<Vec<String>, Error>>()?);
        rules.filter(|(_, rule)| !rule.is_empty()).collect()
    } else {
        let text = source::read(std::path::Path::new(name)).map_err(|error| match error {
            // Postfix says it so where there is no database.
            Error::Open { file, cause } => Error::OpenFile { file, cause },
            other => other,
        })?;
        if let Some(stray) = source::stray_line(&text) {
            warnings.add_bare(format!("{name}: {stray}"));
        }
        logical_lines(&text)
    };
    if lines.len() > RULES_MAX {
        return Err(Error::Syntax {
            place: format!("{kind}:{name}"),
            cause: "too many rules".to_owned(),
        });
    }
    Ok(lines)
}

/// What warnings call a line.
pub(crate) fn place(name: &str, line: usize) -> String {
    format!("{name}, line {line}")
}

/// A table of rules.
#[derive(Debug)]
pub(crate) struct Rules {
    kind: &'static str,
    name: String,
    rules: Vec<Rule>,
    /// On which line each stands.
    lines: Vec<usize>,
    warnings: Warnings,
}

/// A pattern, and whether it must not fit.
#[derive(Debug)]
struct Pattern {
    expression: Box<dyn Expression>,
    is_negated: bool,
}

#[derive(Debug)]
enum Rule {
    Match(Pattern, Vec<Part>),
    /// `if`: when it does not hold, go on behind the rule of that number. Without a pattern it never holds.
    If(Option<Pattern>, usize),
    EndIf,
}

/// A part of a result.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

pub(crate) fn open(
    name: &str,
    dialect: &Dialect,
    matter: Matter,
) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let mut reader = Reader {
        dialect,
        matter,
        rules: Vec::new(),
        open: Vec::new(),
        complaints: Vec::new(),
    };
    let mut warnings = Warnings::default();
    let mut lines = Vec::new();
    for (number, line) in rule_lines(name, dialect.kind, &mut warnings)? {
        let place = place(name, number);
        reader.line(&place, &line);
        lines.resize(reader.rules.len(), number);
        for complaint in reader.complaints.drain(..) {
            match complaint {
                Complaint::Placed(text) => warnings.add(dialect.kind, &place, &text),
                Complaint::Bare(text) => warnings.add_bare(text),
            }
        }
    }
    let end = reader.rules.len();
    for (start, place) in reader.open {
        // What stands behind an open IF belongs to it. One that makes no sense was told.
        if let Some(Rule::If(pattern, skip_to)) = reader.rules.get_mut(start) {
            *skip_to = end;
            if pattern.is_some() {
                warnings.add(dialect.kind, &place, "IF has no matching ENDIF");
            }
        }
    }
    let problem = warnings.problem();
    let table = Rules {
        kind: dialect.kind,
        name: name.to_owned(),
        rules: reader.rules,
        lines,
        warnings,
    };
    Ok((Box::new(table), problem))
}

/// A pattern and what follows it on its line.
type Headed<'t> = (Pattern, &'t str);

struct Reader<'d> {
    dialect: &'d Dialect,
    matter: Matter,
    rules: Vec<Rule>,
    /// The `if`s that wait for their `endif`: number of the rule, place.
    open: Vec<(usize, String)>,
    complaints: Vec<Complaint>,
}

impl Reader<'_> {
    fn line(&mut self, place: &str, line: &str) {
        let line = line.trim();
        if !line.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            match self.rule(line) {
                Ok(rule) => self.rules.push(rule),
                Err(complaint) => self.complaints.push(complaint),
            }
            return;
        }
        let word_end = line
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(line.len());
        let (word, rest) = (&line[..word_end], line[word_end..].trim());
        if word.eq_ignore_ascii_case("if") {
            self.condition(place, rest);
        } else if word.eq_ignore_ascii_case("endif") {
            self.end_of_condition(rest);
        } else {
            self.placed("ignoring unrecognized request");
        }
    }

    fn placed(&mut self, text: &str) {
        self.complaints.push(Complaint::Placed(text.to_owned()));
    }

    fn condition(&mut self, place: &str, rest: &str) {
        self.open.push((self.rules.len(), place.to_owned()));
        match self.pattern(rest) {
            Ok((pattern, after)) => {
                if !after.is_empty() {
                    self.placed(&format!("ignoring extra text after IF statement: \"{after}\""));
                    self.placed("do not prepend whitespace to statements between IF and ENDIF");
                }
                self.rules.push(Rule::If(Some(pattern), 0));
            }
            Err(complaint) => {
                // What stands below a condition that cannot be read must not hold for everything.
                self.rules.push(Rule::If(None, 0));
                self.complaints.push(complaint);
            }
        }
    }

    fn end_of_condition(&mut self, rest: &str) {
        let Some((start, _)) = self.open.pop() else {
            self.placed("ignoring ENDIF without matching IF");
            return;
        };
        if !rest.is_empty() {
            self.placed(&format!("ignoring extra text after ENDIF statement: \"{rest}\""));
        }
        let end = self.rules.len();
        if let Some(Rule::If(pattern, skip_to)) = self.rules.get_mut(start) {
            *skip_to = end;
            // The `if` was told as one that is passed over.
            if pattern.is_none() && self.open.is_empty() {
                self.placed("ignoring ENDIF without matching IF");
            }
        }
        self.rules.push(Rule::EndIf);
    }

    fn rule(&mut self, line: &str) -> Result<Rule, Complaint> {
        let (pattern, result) = self.pattern(line)?;
        if result.is_empty() {
            self.placed("no replacement text: using empty string");
        }
        let parts = match self.parts(result) {
            Ok(parts) => parts,
            Err(complaint) => {
                self.complaints.push(complaint);
                return Err("bad replacement syntax: skipping this rule".to_owned().into());
            }
        };
        let highest = parts.iter().filter_map(|part| match part {
            Part::Group(number) => Some(*number),
            Part::Text(_) => None,
        });
        if let Some(highest) = highest.max() {
            let cause = match pattern.is_negated {
                _ if self.matter != Matter::Usual => {
                    "regular expression substitution is not allowed: skipping this rule".to_owned()
                }
                true => "$number found in negative match replacement text: skipping this rule".to_owned(),
                false if highest > pattern.expression.groups() => {
                    format!("out of range replacement index \"{highest}\": skipping this rule")
                }
                false => return Ok(Rule::Match(pattern, parts)),
            };
            return Err(cause.into());
        }
        Ok(Rule::Match(pattern, parts))
    }

    /// `!/expression/flags rest`.
    fn pattern<'t>(&mut self, text: &'t str) -> Result<Headed<'t>, Complaint> {
        let bare = text.trim_start_matches('!');
        let is_negated = (text.len() - bare.len()) % 2 == 1;
        let bare = bare.trim_start();
        let Some(delimiter) = bare.chars().next() else {
            return Err("no regexp: skipping this rule".to_owned().into());
        };
        let body = &bare[delimiter.len_utf8()..];
        let mut is_escaped = false;
        let end = body.char_indices().find(|(_, c)| {
            let is_end = *c == delimiter && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_end
        });
        let Some((end, _)) = end else {
            let unclosed = self.dialect.unclosed;
            return Err(format!("no closing regexp delimiter \"{delimiter}\": {unclosed} this rule").into());
        };
        let after = &body[end + delimiter.len_utf8()..];
        let (flags, rest) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        if self.dialect.kind == "pcre" && flags.contains('X') {
            self.placed("ignoring obsolete regexp option \"X\"");
        }
        let expression = (self.dialect.compile)(&body[..end], flags)?;
        let pattern = Pattern {
            expression,
            is_negated,
        };
        Ok((pattern, rest.trim()))
    }

    /// The result with its `$1`, `${1}`, `$(1)` and `$$`.
    fn parts(&self, result: &str) -> Result<Vec<Part>, Complaint> {
        let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), result);
        while let Some(at) = rest.find('$') {
            text.push_str(&rest[..at]);
            let reference = &rest[at..];
            rest = &reference[1..];
            if let Some(after) = rest.strip_prefix('$') {
                text.push('$');
                rest = after;
                continue;
            }
            let (name, after) = self.name(reference, &text)?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Group(self.number(name)?));
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(parts)
    }

    /// The name behind a `$`, and what follows it.
    fn name<'t>(&self, reference: &'t str, before: &str) -> Result<(&'t str, &'t str), Complaint> {
        let bare = &reference[1..];
        for (opening, closing) in [('{', '}'), ('(', ')')] {
            if let Some(inner) = bare.strip_prefix(opening) {
                return inner.split_once(closing).ok_or_else(|| {
                    Complaint::Bare(format!("truncated macro reference: \"{before}{reference}\""))
                });
            }
        }
        let end = bare
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(bare.len());
        if end == 0 {
            return Err(Complaint::Bare(format!(
                "empty macro name: \"{before}{reference}\""
            )));
        }
        Ok(bare.split_at(end))
    }

    fn number(&self, name: &str) -> Result<usize, Complaint> {
        match name.parse::<usize>() {
            Ok(0) => Err(format!("{} replacement index \"0\"", self.dialect.no_group_0).into()),
            Ok(number) => Ok(number),
            Err(_) => Err(format!("non-numeric replacement index \"{name}\"").into()),
        }
    }
}

impl Rules {
    fn find(&self, pattern: &Pattern, key: &str) -> Result<Option<Places>, Error> {
        let found = pattern.expression.find(key);
        found.map_err(|cause| Error::Lookup {
            table: format!("{}:{}", self.kind, self.name),
            cause,
        })
    }
}

impl Table for Rules {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        let mut at = 0;
        while let Some(rule) = self.rules.get(at) {
            match rule {
                Rule::If(None, skip_to) => at = *skip_to,
                Rule::If(Some(pattern), skip_to) => {
                    if self.find(pattern, key)?.is_some() == pattern.is_negated {
                        at = *skip_to;
                    }
                }
                Rule::Match(pattern, parts) => {
                    let found = self.find(pattern, key)?;
                    if found.is_some() != pattern.is_negated {
                        self.lines.get(at).copied().into_iter().for_each(watch::at);
                        return Ok(Some(filled(parts, key, &found.unwrap_or_default())));
                    }
                }
                Rule::EndIf => {}
            }
            at += 1;
        }
        Ok(None)
    }

    fn take_warning(&self) -> Option<String> {
        self.warnings.take()
    }
}

/// A result with the text of its groups. An expression works in octets: what it cuts out of a character is replaced.
fn filled(parts: &[Part], key: &str, places: &Places) -> String {
    let mut out = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => out.extend_from_slice(text.as_bytes()),
            Part::Group(number) => {
                let place = places.get(*number).cloned().flatten();
                out.extend_from_slice(
                    place
                        .and_then(|place| key.as_bytes().get(place))
                        .unwrap_or_default(),
                );
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
