//! `cidr:`: the first network that holds the address decides (cidr_table(5)).

use std::net::IpAddr;

use settings::Network;

use super::regexp::{RULES_MAX, rule_lines};
use crate::{Error, Table};

/// A table of networks.
#[derive(Debug)]
pub struct Networks {
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Rule {
    Match(Network, bool, String),
    /// `if`: when it does not hold, go on behind the rule of that number.
    If(Network, bool, usize),
    EndIf,
}

pub(crate) fn open(name: &str) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let (mut rules, mut open) = (Vec::new(), Vec::new());
    for (place, line) in rule_lines(name, "cidr")? {
        let wrong = |cause: String| Error::Syntax {
            place: place.clone(),
            cause,
        };
        if rules.len() >= RULES_MAX {
            return Err(wrong("too many rules".to_owned()));
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        if word.eq_ignore_ascii_case("endif") {
            let start: usize = open.pop().ok_or_else(|| wrong("endif without if".to_owned()))?;
            let end = rules.len();
            if let Some(Rule::If(_, _, skip_to)) = rules.get_mut(start) {
                *skip_to = end;
            }
            rules.push(Rule::EndIf);
        } else if word.eq_ignore_ascii_case("if") {
            let (network, is_negated) = pattern(rest.trim()).map_err(wrong)?;
            open.push(rules.len());
            rules.push(Rule::If(network, is_negated, 0));
        } else {
            let (network, is_negated) = pattern(word).map_err(wrong)?;
            rules.push(Rule::Match(network, is_negated, rest.trim().to_owned()));
        }
    }
    if !open.is_empty() {
        return Err(Error::Syntax {
            place: format!("cidr:{name}"),
            cause: "if without endif".to_owned(),
        });
    }
    Ok((Box::new(Networks { rules }), None))
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
                Rule::If(network, is_negated, skip_to) if network.contains(address) == *is_negated => {
                    at = *skip_to
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
}
