//! Match types (RFC 5228 §2.7.1, 5231, regex, 6134): values of a message against keys of a script.

use std::cmp::Ordering;

use regex::Regex;

use crate::comparator::Comparator;
use crate::glob::Glob;
use crate::regular;
use crate::run::{Run, Stop};
use crate::text::{MATCH_VALUES_MAX, Text};
use crate::trace::Level;

/// How a value is held against a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MatchType {
    #[default]
    Is,
    Contains,
    Matches,
    Regex,
    Value(Relation),
    Count(Relation),
    List,
}

/// RFC 5231 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Gt,
    Ge,
    Lt,
    Le,
    Eq,
    Ne,
}

impl Relation {
    pub(crate) fn from_name(name: &str) -> Option<Relation> {
        Some(match name {
            "gt" => Relation::Gt,
            "ge" => Relation::Ge,
            "lt" => Relation::Lt,
            "le" => Relation::Le,
            "eq" => Relation::Eq,
            "ne" => Relation::Ne,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Relation::Gt => "gt",
            Relation::Ge => "ge",
            Relation::Lt => "lt",
            Relation::Le => "le",
            Relation::Eq => "eq",
            Relation::Ne => "ne",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Gt => order.is_gt(),
            Relation::Ge => order.is_ge(),
            Relation::Lt => order.is_lt(),
            Relation::Le => order.is_le(),
            Relation::Eq => order.is_eq(),
            Relation::Ne => order.is_ne(),
        }
    }
}

impl MatchType {
    /// The match type that the tag `name` means, without its relation, and the capability that it needs.
    pub(crate) fn from_tag(name: &str) -> Option<(MatchType, Option<&'static str>)> {
        Some(match name.to_ascii_lowercase().as_str() {
            "is" => (MatchType::Is, None),
            "contains" => (MatchType::Contains, None),
            "matches" => (MatchType::Matches, None),
            "regex" => (MatchType::Regex, Some("regex")),
            "value" => (MatchType::Value(Relation::Eq), Some("relational")),
            "count" => (MatchType::Count(Relation::Eq), Some("relational")),
            "list" => (MatchType::List, Some("extlists")),
            _ => return None,
        })
    }

    /// The name of its tag.
    pub(crate) fn name(self) -> String {
        match self {
            MatchType::Is => "is".to_owned(),
            MatchType::Contains => "contains".to_owned(),
            MatchType::Matches => "matches".to_owned(),
            MatchType::Regex => "regex".to_owned(),
            MatchType::List => "list".to_owned(),
            MatchType::Value(relation) => format!("value-{}", relation.name()),
            MatchType::Count(relation) => format!("count-{}", relation.name()),
        }
    }
}

/// A match type with its comparator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Matcher {
    pub(crate) kind: MatchType,
    pub(crate) comparator: Comparator,
}

impl Matcher {
    /// Whether any of `values` fits any of `keys`. Sets the match values when `variables` is there.
    ///
    /// # Errors
    /// An expression that is none, a list that cannot be asked, or a budget that is spent.
    pub(crate) fn any<I>(&self, run: &mut Run<'_>, keys: &[Text], values: I) -> Result<bool, Stop>
    where
        I: IntoIterator<Item = String>,
    {
        self.trace_start(run);
        let keys: Vec<String> = keys.iter().map(|key| key.value(run)).collect();
        let matched = match self.kind {
            MatchType::Count(relation) => self.count(run, relation, &keys, values)?,
            MatchType::List => self.listed(run, &keys, values)?,
            MatchType::Regex => {
                let keys = run.expressions(&keys, self.comparator)?;
                self.first(run, &keys, values)?
            }
            MatchType::Matches => {
                let keys = keys
                    .into_iter()
                    .map(|text| (Key::Glob(Glob::new(&text, self.comparator)), text))
                    .collect::<Vec<_>>();
                self.first(run, &keys, values)?
            }
            _ => {
                let keys = keys
                    .into_iter()
                    .map(|text| (Key::Text(self.comparator.fold(&text).text), text))
                    .collect::<Vec<_>>();
                self.first(run, &keys, values)?
            }
        };
        let word = if matched { "matched" } else { "not matched" };
        run.trace(Level::Matching, |_| {
            format!("  finishing match with result: {word}")
        });
        Ok(matched)
    }

    fn trace_start(&self, run: &mut Run<'_>) {
        let (kind, comparator) = (self.kind.name(), self.comparator.name());
        run.trace(Level::Matching, |_| {
            format!("  starting `:{kind}' match with `{comparator}' comparator:")
        });
    }

    fn first<I>(&self, run: &mut Run<'_>, keys: &[(Key, String)], values: I) -> Result<bool, Stop>
    where
        I: IntoIterator<Item = String>,
    {
        for value in values {
            run.trace(Level::Matching, |_| format!("  matching value `{value}'"));
            for (key, text) in keys {
                let fits = self.fits(run, key, text, &value)?;
                run.trace(Level::Matching, |_| {
                    format!("    with key `{text}' => {}", u8::from(fits))
                });
                if fits {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn fits(&self, run: &mut Run<'_>, key: &Key, text: &str, value: &str) -> Result<bool, Stop> {
        run.spend(1 + (value.len() + text.len()) as u64 / 64)?;
        match (self.kind, key) {
            (MatchType::Value(relation), _) => Ok(relation.holds(self.comparator.compare(value, text))),
            (_, Key::Glob(glob)) => {
                let found = glob.find(value, self.comparator);
                run.spend(found.effort / 64)?;
                Ok(found.captures.is_some_and(|captures| {
                    run.set_match_values(captures);
                    true
                }))
            }
            (_, Key::Regex(regex)) => {
                run.spend(value.len() as u64 / 8)?;
                let Some(found) = regex.captures(value) else {
                    return Ok(false);
                };
                let groups = found.iter().take(MATCH_VALUES_MAX);
                let captures = groups.map(|group| group.map_or("", |group| group.as_str()).to_owned());
                let captures = captures.collect();
                run.set_match_values(captures);
                Ok(true)
            }
            (MatchType::Contains, Key::Text(key)) => {
                let folded = self.comparator.fold(value);
                Ok(memchr::memmem::find(folded.text.as_bytes(), key.as_bytes()).is_some())
            }
            (_, Key::Text(key)) if self.comparator.finds_substrings() => {
                Ok(self.comparator.fold(value).text == *key)
            }
            (_, Key::Text(_)) => Ok(self.comparator.compare(value, text).is_eq()),
        }
    }

    fn count<I>(
        &self,
        run: &mut Run<'_>,
        relation: Relation,
        keys: &[String],
        values: I,
    ) -> Result<bool, Stop>
    where
        I: IntoIterator<Item = String>,
    {
        let count = values.into_iter().count().to_string();
        run.trace(Level::Matching, |_| format!("  matching value `{count}'"));
        for key in keys {
            run.spend(1)?;
            let fits = relation.holds(self.comparator.compare(&count, key));
            run.trace(Level::Matching, |_| {
                format!("    with key `{key}' => {}", u8::from(fits))
            });
            if fits {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn listed<I>(&self, run: &mut Run<'_>, lists: &[String], values: I) -> Result<bool, Stop>
    where
        I: IntoIterator<Item = String>,
    {
        for value in values {
            for list in lists {
                run.spend(10)?;
                match run.host.list_contains(list, &value) {
                    Ok(true) => {
                        run.set_match_values(vec![value.clone()]);
                        return Ok(true);
                    }
                    Ok(false) => {}
                    Err(why) => return run.fail(format!("extlists: list `{list}' cannot be asked: {why}")),
                }
            }
        }
        Ok(false)
    }
}

/// A key made ready.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// Folded.
    Text(String),
    Glob(Glob),
    Regex(Regex),
}

impl Run<'_> {
    /// The expressions of `keys`, those that are none left out with a message, as Pigeonhole does.
    fn expressions(&mut self, keys: &[String], comparator: Comparator) -> Result<Vec<(Key, String)>, Stop> {
        let mut expressions = Vec::new();
        for key in keys {
            let case_matters =
                comparator != Comparator::AsciiCasemap && comparator != Comparator::UnicodeCasemap;
            self.spend(50)?;
            if let Some(regex) = self.known_expression(key, case_matters) {
                expressions.push((Key::Regex(regex), key.clone()));
                continue;
            }
            match regular::compile(key, case_matters) {
                Ok(regex) => {
                    self.remember_expression(key, case_matters, &regex);
                    expressions.push((Key::Regex(regex), key.clone()));
                }
                Err(why) => self.error(format!(
                    "invalid regular expression '{key}' for regex match: {why}"
                )),
            }
        }
        Ok(expressions)
    }
}
