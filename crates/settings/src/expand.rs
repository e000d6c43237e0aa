//! `$name` in parameter values: `$name ${name} $(name) ${name?a} ${name:b} ${name?{a}:{b}} ${{x}=={y}?{a}:{b}} $$`.
//!
//! The rules are those of postconf(5), "EXPRESSIONS": a name that is not set is empty text; the text of a name is
//! expanded in turn, and a name that leads back to itself is an error.

use std::cmp::Ordering;

/// How deep names and expressions may lie in each other.
pub const DEPTH_MAX: usize = 100;
/// How long an expanded text may become, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// Why a text could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name's value leads back to the name.
    #[error("${name} leads back to itself ({path})")]
    Recursion {
        /// The name.
        name: String,
        /// The names in between, joined by arrows.
        path: String,
    },
    /// An opening brace has no closing one.
    #[error("the closing {0} is missing in \"{1}\"")]
    Unclosed(char, String),
    /// `$` stands before something that is no name.
    #[error("no name follows the $ in \"{0}\"; a plain dollar sign is written $$")]
    NoName(String),
    /// `${…}` holds something that is no expression.
    #[error("\"{0}\" is not an expression: {1}")]
    Expression(String, &'static str),
    /// Over [`DEPTH_MAX`] or [`BYTES_MAX`].
    #[error("the value becomes too {0}")]
    TooLarge(&'static str),
}

/// Expands `text`; `raw` gives the unexpanded text of a name, `None` for one that is not set.
///
/// # Errors
/// See [`Error`].
pub fn expand(text: &str, raw: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
    Expander {
        raw,
        names: Vec::new(),
        depth: 0,
    }
    .text(text)
}

/// Expands the value of `name`; not set is empty.
///
/// # Errors
/// See [`Error`].
pub fn expand_name(name: &str, raw: &dyn Fn(&str) -> Option<String>) -> Result<String, Error> {
    Expander {
        raw,
        names: Vec::new(),
        depth: 0,
    }
    .name(name)
}

/// The names that `text` mentions after `$`, in order, with repeats.
pub fn names_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let bare = rest.trim_start_matches(['{', '(']).trim_start();
        let name = leading_name(bare);
        if !name.is_empty() {
            names.push(name.to_owned());
        }
    }
    names
}

struct Expander<'a> {
    raw: &'a dyn Fn(&str) -> Option<String>,
    names: Vec<String>,
    depth: usize,
}

impl Expander<'_> {
    fn text(&mut self, text: &str) -> Result<String, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Error::TooLarge("deeply nested"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = self.dollar(&rest[at + 1..], text, &mut out)?;
            if out.len() > BYTES_MAX {
                return Err(Error::TooLarge("long"));
            }
        }
        out.push_str(rest);
        self.depth -= 1;
        Ok(out)
    }

    /// What follows a `$`; gives back what is left behind it.
    fn dollar<'t>(&mut self, after: &'t str, whole: &str, out: &mut String) -> Result<&'t str, Error> {
        match after.chars().next() {
            Some('$') => {
                out.push('$');
                Ok(&after[1..])
            }
            Some(open @ ('{' | '(')) => {
                let (inner, rest) = enclosed(after, open)
                    .ok_or_else(|| Error::Unclosed(if open == '{' { '}' } else { ')' }, whole.to_owned()))?;
                out.push_str(&self.expression(inner)?);
                Ok(rest)
            }
            _ => {
                let name = leading_name(after);
                if name.is_empty() {
                    return Err(Error::NoName(whole.to_owned()));
                }
                out.push_str(&self.name(name)?);
                Ok(&after[name.len()..])
            }
        }
    }

    fn name(&mut self, name: &str) -> Result<String, Error> {
        let Some(raw) = (self.raw)(name) else {
            return Ok(String::new());
        };
        if self.names.iter().any(|open| open == name) {
            let path: Vec<&str> = self.names.iter().map(String::as_str).chain([name]).collect();
            return Err(Error::Recursion {
                name: name.to_owned(),
                path: path.join(" -> "),
            });
        }
        self.names.push(name.to_owned());
        let expanded = self.text(&raw)?;
        self.names.pop();
        Ok(expanded)
    }

    /// What stands between the braces.
    fn expression(&mut self, inner: &str) -> Result<String, Error> {
        let trimmed = inner.trim_start();
        let (truth, value, rest) = if trimmed.starts_with('{') {
            let (truth, rest) = self.comparison(trimmed, inner)?;
            (
                truth,
                if truth {
                    "bool:true".to_owned()
                } else {
                    String::new()
                },
                rest,
            )
        } else {
            let name = leading_name(trimmed);
            if name.is_empty() {
                return Err(Error::Expression(
                    inner.to_owned(),
                    "a name or {value} must come first",
                ));
            }
            let value = self.name(name)?;
            (!value.is_empty(), value, &trimmed[name.len()..])
        };
        match rest.trim_start().split_at_checked(1) {
            None => Ok(value),
            Some(("?", then)) => {
                let (then, otherwise) = branches(then, inner)?;
                match (truth, otherwise) {
                    (true, _) => self.text(then),
                    (false, Some(otherwise)) => self.text(otherwise),
                    (false, None) => Ok(String::new()),
                }
            }
            Some((":", otherwise)) => {
                let (otherwise, _) = branches(otherwise, inner)?;
                if truth { Ok(value) } else { self.text(otherwise) }
            }
            Some(_) => Err(Error::Expression(inner.to_owned(), "? or : must follow the name")),
        }
    }

    /// `{x} op {y}`.
    fn comparison<'t>(&mut self, text: &'t str, whole: &str) -> Result<(bool, &'t str), Error> {
        let unclosed = || Error::Unclosed('}', whole.to_owned());
        let (left, rest) = enclosed(text, '{').ok_or_else(unclosed)?;
        let rest = rest.trim_start();
        let operator_len = rest
            .find(|c: char| c.is_ascii_whitespace() || c == '{')
            .unwrap_or(rest.len());
        let (operator, rest) = rest.split_at(operator_len);
        let rest = rest.trim_start();
        if !rest.starts_with('{') {
            return Err(Error::Expression(
                whole.to_owned(),
                "{value} must follow the comparison",
            ));
        }
        let (right, rest) = enclosed(rest, '{').ok_or_else(unclosed)?;
        let left = self.text(left.trim())?;
        let right = self.text(right.trim())?;
        let (operator, ordering) = match operator.strip_suffix("level") {
            Some(bare) => (bare, level(&left).cmp(&level(&right))),
            None => (operator, compare(&left, &right)),
        };
        let truth = match operator {
            "==" => ordering.is_eq(),
            "!=" => ordering.is_ne(),
            "<" => ordering.is_lt(),
            "<=" => ordering.is_le(),
            ">" => ordering.is_gt(),
            ">=" => ordering.is_ge(),
            _ => {
                return Err(Error::Expression(
                    whole.to_owned(),
                    "the comparison must be == != < <= > >=",
                ));
            }
        };
        Ok((truth, rest))
    }
}

fn leading_name(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

/// `text` starts with `open`: what is inside up to the matching close, and what follows.
fn enclosed(text: &str, open: char) -> Option<(&str, &str)> {
    let close = if open == '{' { '}' } else { ')' };
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some((&text[1..at], &text[at + 1..]));
            }
        }
    }
    None
}

/// `a`, `{a}` or `{a}:{b}` after a `?` or `:`.
fn branches<'t>(text: &'t str, whole: &str) -> Result<(&'t str, Option<&'t str>), Error> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with('{') {
        return Ok((text, None));
    }
    let unclosed = || Error::Unclosed('}', whole.to_owned());
    let (first, rest) = enclosed(trimmed, '{').ok_or_else(unclosed)?;
    let rest = rest.trim_start();
    let Some(other) = rest.strip_prefix(':') else {
        return if rest.is_empty() {
            Ok((first, None))
        } else {
            Err(Error::Expression(whole.to_owned(), "only : may follow {value}"))
        };
    };
    let other = other.trim_start();
    if !other.starts_with('{') {
        return Ok((first, Some(other)));
    }
    let (second, rest) = enclosed(other, '{').ok_or_else(unclosed)?;
    if rest.trim().is_empty() {
        Ok((first, Some(second)))
    } else {
        Err(Error::Expression(
            whole.to_owned(),
            "nothing may follow the last {value}",
        ))
    }
}

/// As numbers when both are, otherwise as text.
fn compare(left: &str, right: &str) -> Ordering {
    match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

/// `3.6` → [3, 6, 0].
fn level(text: &str) -> [u64; 3] {
    let mut parts = text.split('.').map(|part| part.trim().parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, values: &[(&str, &str)]) -> Result<String, Error> {
        expand(text, &|name| {
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_form_of_reference() {
        let set = [("a", "1"), ("e", ""), ("b", "$a-$a"), ("lvl", "3.6")];
        for (text, expected) in [
            ("$a ${a} $(a) $b", "1 1 1 1-1"),
            ("$$a", "$a"),
            ("${a?yes}${e?yes}${none?yes}", "yes"),
            ("${a:no}|${e:no}|${none:$a}", "1|no|1"),
            ("${a?{x}:{y}}${e?{x}:{y}}", "xy"),
            ("${{$a}=={1}?{t}:{f}} ${{$a} != {1} ? {t} : {f}}", "t f"),
            ("${{10}>{9}?{n}:{t}} ${{10}>{9x}?{n}:{t}}", "n t"),
            ("${{$lvl} <level {3.10} ? {old} : {new}}", "old"),
            ("${{$lvl} <level {3.6} ? {old} : {new}}", "new"),
            ("${a?{${e?{x}:{deep $b}}}:{y}}s", "deep 1-1s"),
            ("$undefined.", "."),
        ] {
            assert_eq!(with(text, &set).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let set = [("a", "$b"), ("b", "x${a}"), ("c", "$c")];
        assert_eq!(
            with("$a", &set),
            Err(Error::Recursion {
                name: "a".to_owned(),
                path: "a -> b -> a".to_owned()
            })
        );
        assert!(matches!(with("$c", &set), Err(Error::Recursion { .. })));
        assert!(matches!(with("${a", &set), Err(Error::Unclosed('}', _))));
        assert!(matches!(with("5$ ", &set), Err(Error::NoName(_))));
        assert!(matches!(
            with("${{1} =< {2}?{a}:{b}}", &set),
            Err(Error::Expression(..))
        ));
        let deep = format!("{}x{}", "${a?{".repeat(200), "}}".repeat(200));
        assert_eq!(with(&deep, &[("a", "1")]), Err(Error::TooLarge("deeply nested")));
    }
}
