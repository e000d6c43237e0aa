//! `cidr:`: the first network that holds the address decides (cidr_table(5)).

use std::net::IpAddr;

use settings::Network;

use super::regexp::{RULES_MAX, Skipped, rule_lines};
use crate::{Error, Table};

/// A table of networks.
#[derive(Debug)]
pub struct Networks {
    rules: Vec<Rule>,
    skipped: Skipped,
}

#[derive(Debug)]
enum Rule {
    Match(Network, bool, String),
    /// `if`: when it does not hold, go on behind the rule of that number. Without a network it never holds.
    If(Option<Network>, bool, usize),
    EndIf,
}

pub(crate) fn open(name: &str) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let (mut rules, mut open, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for (place, line) in rule_lines(name, "cidr")? {
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
            place: format!("cidr:{name}"),
            cause: "if without endif".to_owned(),
        });
    }
    let (skipped, problem) = Skipped::of("cidr", wrong);
    Ok((Box::new(Networks { rules, skipped }), problem))
}

/// Adds the rule of a line; `open` has the places of the `if`s that wait for their `endif`.
fn add(rules: &mut Vec<Rule>, open: &mut Vec<usize>, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if word.eq_ignore_ascii_case("endif") {
        let start = open.pop().ok_or("endif without if")?;
        let end = rules.len();
        if let Some(Rule::If(_, _, skip_to)) = rules.get_mut(start) {
            *skip_to = end;
        }
        rules.push(Rule::EndIf);
    } else if word.eq_ignore_ascii_case("if") {
        let condition = pattern(rest.trim());
        open.push(rules.len());
        match condition {
            Ok((network, is_negated)) => rules.push(Rule::If(Some(network), is_negated, 0)),
            Err(cause) => {
                // What stands below a condition that cannot be read must not hold for everybody.
                rules.push(Rule::If(None, false, 0));
                return Err(cause);
            }
        }
    } else {
        let (network, is_negated) = pattern(word)?;
        rules.push(Rule::Match(network, is_negated, rest.trim().to_owned()));
    }
    Ok(())
}

fn pattern(text: &str) -> Result<(Network, bool), String> {
    let (is_negated, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let text = text.trim_start_matches('[').replace(']', "");
    text.parse()
        .map(|network| (network, is_negated))
        .map_err(|error: settings::Error| error.to_string())
}

impl Table for Networks {
    fn lookup(&self, key: &str) -> Result<Option<String>, Error> {
        let Ok(address) = key.parse::<IpAddr>() else {
            return Ok(None);
        };
        let mut at = 0;
        while let Some(rule) = self.rules.get(at) {
            match rule {
                Rule::If(network, is_negated, skip_to)
                    if network
                        .as_ref()
                        .is_none_or(|network| network.contains(address) == *is_negated) =>
                {
                    at = *skip_to;
                }
                Rule::Match(network, is_negated, result) if network.contains(address) != *is_negated => {
                    return Ok(Some(result.clone()));
                }
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
