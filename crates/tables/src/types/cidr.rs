//! `cidr:`: the first network that holds the address decides (cidr_table(5)).

use std::net::IpAddr;

use settings::Network;

use super::patterns::{self, Warnings, rule_lines};
use crate::{Error, Table, watch};

/// A table of networks.
#[derive(Debug)]
pub struct Networks {
    rules: Vec<Rule>,
    /// On which line each stands.
    lines: Vec<usize>,
    warnings: Warnings,
}

#[derive(Debug)]
enum Rule {
    Match(Network, bool, String),
    /// `if`: when it does not hold, go on behind the rule of that number. Without a network it never holds.
    If(Option<Network>, bool, usize),
    EndIf,
}

pub(crate) fn open(name: &str) -> Result<(Box<dyn Table>, Option<Error>), Error> {
    let (mut rules, mut open, mut warnings) = (Vec::new(), Vec::new(), Warnings::default());
    let mut lines = Vec::new();
    for (number, line) in rule_lines(name, "cidr", &mut warnings)? {
        let place = patterns::place(name, number);
        let conditions = open.len();
        if let Err(cause) = add(&mut rules, &mut open, line.trim()) {
            warnings.add("cidr", &place, &format!("{cause}: skipping this rule"));
        }
        if let Some((_, opened)) = open.get_mut(conditions) {
            *opened = place;
        }
        lines.resize(rules.len(), number);
    }
    let end = rules.len();
    for (start, place) in open {
        if let Some(Rule::If(network, _, skip_to)) = rules.get_mut(start) {
            *skip_to = end;
            if network.is_some() {
                warnings.add("cidr", &place, "IF has no matching ENDIF");
            }
        }
    }
    let problem = warnings.problem();
    let table = Networks {
        rules,
        lines,
        warnings,
    };
    Ok((Box::new(table), problem))
}

/// Adds the rule of a line; `open` has the `if`s that wait for their `endif`: number of the rule, place (filled in by the caller).
fn add(rules: &mut Vec<Rule>, open: &mut Vec<(usize, String)>, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if word.eq_ignore_ascii_case("endif") {
        let (start, _) = open.pop().ok_or("ENDIF without IF")?;
        let end = rules.len();
        if let Some(Rule::If(_, _, skip_to)) = rules.get_mut(start) {
            *skip_to = end;
        }
        rules.push(Rule::EndIf);
        return Ok(());
    }
    if word.eq_ignore_ascii_case("if") {
        let condition = pattern(rest.trim());
        open.push((rules.len(), String::new()));
        match condition {
            Ok((network, is_negated)) => rules.push(Rule::If(Some(network), is_negated, 0)),
            Err(cause) => {
                // What stands below a condition that cannot be read must not hold for everybody.
                rules.push(Rule::If(None, false, 0));
                return Err(cause);
            }
        }
        return Ok(());
    }
    // `!` may stand apart from its network.
    let bare = line.trim_start_matches('!').trim_start();
    let length = bare.find(char::is_whitespace).unwrap_or(bare.len());
    let (head, result) = line.split_at(line.len() - bare.len() + length);
    let result = result.trim();
    if result.is_empty() {
        return Err("no lookup result".to_owned());
    }
    let (network, is_negated) = pattern(head)?;
    rules.push(Rule::Match(network, is_negated, result.to_owned()));
    Ok(())
}

fn pattern(text: &str) -> Result<(Network, bool), String> {
    let bare = text.trim_start_matches('!');
    let is_negated = (text.len() - bare.len()) % 2 == 1;
    let bare = bare.trim();
    if bare.is_empty() {
        return Err("no address pattern".to_owned());
    }
    let plain = bare.trim_start_matches('[').replace(']', "");
    match plain.parse::<Network>() {
        Ok(network) => Ok((network, is_negated)),
        Err(_) => Err(bad_pattern(&plain, bare)),
    }
}

/// Postfix's words for what is wrong with a network.
fn bad_pattern(plain: &str, bare: &str) -> String {
    let parts = plain.split_once('/').and_then(|(address, length)| {
        let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse::<u32>().ok()?);
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (length <= bits).then_some((address, length))
    });
    let Some((address, length)) = parts else {
        return match plain.split_once('/') {
            Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                format!("bad mask length in \"{bare}\"")
            }
            Some(_) => format!("bad net/mask pattern: \"{bare}\""),
            None => format!("bad address pattern: \"{bare}\""),
        };
    };
    let masked = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            IpAddr::from((u32::from(v4) & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            IpAddr::from((u128::from(v6) & mask).to_be_bytes())
        }
    };
    format!("non-null host address bits in \"{bare}\", perhaps you should use \"{masked}/{length}\" instead")
}

/// Whether the pattern holds. One of the other family of addresses never does, not even with a `!` before it.
fn holds(network: &Network, is_negated: bool, address: IpAddr) -> bool {
    let is_of_its_family = network.address().is_ipv4() == address.is_ipv4();
    let is_inside = Network::new(address, network.prefix()).is_ok_and(|around| around == *network);
    is_of_its_family && is_inside != is_negated
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
                    if !network
                        .as_ref()
                        .is_some_and(|network| holds(network, *is_negated, address)) =>
                {
                    at = *skip_to;
                }
                Rule::Match(network, is_negated, result) if holds(network, *is_negated, address) => {
                    self.lines.get(at).copied().into_iter().for_each(watch::at);
                    return Ok(Some(result.clone()));
                }
                _ => {}
            }
            at += 1;
        }
        Ok(None)
    }

    fn take_warning(&self) -> Option<String> {
        self.warnings.take()
    }
}
