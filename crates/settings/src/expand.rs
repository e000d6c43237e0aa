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
        // What follows `${` may be a comparison, whose operands are texts and no names.
        let inner = rest.strip_prefix(['{', '(']).map_or(rest, str::trim_start);
        let name = leading_name(inner);
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
        if trimmed.is_empty() {
            return Err(Error::Expression(
                inner.to_owned(),
                "a name or {value} must come first",
            ));
        }
        let is_comparison = trimmed.starts_with('{');
        let (value, rest) = if is_comparison {
            let (truth, rest) = self.comparison(trimmed, inner)?;
            (if truth { "true" } else { "" }.to_owned(), rest)
        } else {
            // `${?x}` and `${:x}` name nothing, and nothing is not set.
            let name = leading_name(trimmed);
            (self.name(name)?, &trimmed[name.len()..])
        };
        let is_true = !value.is_empty();
        match rest.trim_start().split_at_checked(1) {
            None => Ok(value),
            Some(("?", then)) => {
                let (then, otherwise) = branches(then, inner)?;
                match (is_true, otherwise) {
                    (true, _) => self.text(then),
                    (false, Some(otherwise)) => self.text(otherwise),
                    (false, None) => Ok(String::new()),
                }
            }
            // The name's own value is not what a true condition gives: `${name?{$name}:no}` says that.
            Some((":", otherwise)) => match branches(otherwise, inner)? {
                _ if is_true => Ok(String::new()),
                (otherwise, None) => self.text(otherwise),
                (_, Some(_)) => Err(Error::Expression(
                    inner.to_owned(),
                    "only one {value} may follow :",
                )),
            },
            Some(_) if is_comparison => Err(Error::Expression(
                inner.to_owned(),
                "? or : must follow the comparison",
            )),
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
        let left = self.text(left)?;
        let right = self.text(right)?;
        let level = |text: &str| {
            level(text).ok_or_else(|| {
                Error::Expression(
                    text.to_owned(),
                    "a compatibility level is a number, or up to three joined by dots",
                )
            })
        };
        let (operator, ordering) = match operator.strip_suffix("level") {
            Some(bare) => (bare, level(&left)?.cmp(&level(&right)?)),
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

/// As numbers when both are nothing but digits, otherwise as text.
fn compare(left: &str, right: &str) -> Ordering {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.trim_start_matches('0').to_owned())
    };
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.len().cmp(&right.len()).then(left.cmp(&right)),
        _ => left.cmp(right),
    }
}

/// `3.6` → [3, 6, 0]; `None` when it is no compatibility level.
fn level(text: &str) -> Option<[u64; 3]> {
    let mut level = [0; 3];
    for (at, part) in text.split('.').enumerate() {
        *level.get_mut(at)? = part.parse().ok()?;
    }
    Some(level)
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
            ("${a:no}|${e:no}|${none:$a}", "|no|1"),
            ("${a?10}${a:300}s", "10s"),
            ("${?x}|${:x}|${e?a:b}|${a?a:b}", "|x||a:b"),
            (
                "[${a? x }] [${e:{x}}] $(a?{x}:{y}) ${ a ?{x}:y z}",
                "[ x ] [x] x x",
            ),
            ("${a?{x}:{y}}${e?{x}:{y}}", "xy"),
            ("${{$a}=={1}?{t}:{f}} ${{$a} != {1} ? {t} : {f}}", "t f"),
            (
                "${{a}=={a}}|${{a}=={b}}|${{a}=={a}:{n}}|${{a}=={b}:{n}}",
                "true|||n",
            ),
            (
                "${{+1}=={1}?{t}:{f}}${{ 1 }=={1}?{t}:{f}}${{010}=={10}?{t}:{f}}",
                "fft",
            ),
            ("${{18446744073709551617}>{18446744073709551616}?{t}:{f}}", "t"),
            ("${{1}==level{1.0.0}?{y}:{n}}${{+3}<level{3.6}?{y}:{n}}", "yy"),
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
    fn names_are_told_from_operands() {
        assert_eq!(
            names_in("$a ${b?{$c}:{d}} $(e) $$f ${{x}=={$g}?{h}}"),
            ["a", "b", "c", "e", "g"]
        );
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
        for text in [
            "${}",
            "${ }",
            "${e:{no}?{yes}}",
            "${e:{no}:{yes}}",
            "${{1}=={1}x}",
            "${{1}<level{x}?{y}:{n}}",
            "${{1}<level{1.2.3.4}?{y}:{n}}",
            "${{3.}<level{3.6}?{y}:{n}}",
            "${{ 3 }<level{3.6}?{y}:{n}}",
            "${{}<level{3.6}?{y}:{n}}",
        ] {
            assert!(matches!(with(text, &set), Err(Error::Expression(..))), "{text}");
        }
        let deep = format!("{}x{}", "${a?{".repeat(200), "}}".repeat(200));
        assert_eq!(with(&deep, &[("a", "1")]), Err(Error::TooLarge("deeply nested")));
    }
}
