//! An explanation for people.

use envelope::Outcome;
use front::explain::{Journey, Rewriting, Station};
use front::smtpd::Exchange;
use master::explaining::Explanation;
use route::Class;
use tables::watch::Hit;

use super::places::{Places, hit_of};
use super::{deciding, words};

/// The lines.
pub(super) fn of(explanation: &Explanation) -> Vec<String> {
    let mut lines = vec![format!(
        "client {}, service {}",
        explanation.client, explanation.service
    )];
    let places = Places {
        written: &explanation.written,
        service: &explanation.service,
    };
    for exchange in &explanation.exchanges {
        lines.extend(of_exchange(exchange, places));
    }
    match &explanation.journey {
        None => {}
        Some(Ok(journey)) => lines.extend(of_journey(journey, places)),
        Some(Err(why)) => lines.push(format!("where it goes cannot be told: {why}")),
    }
    if !explanation.log.is_empty() {
        lines.push("the log would say".to_owned());
        lines.extend(explanation.log.iter().map(|line| format!("  {line}")));
    }
    lines
}

fn of_exchange(exchange: &Exchange, places: Places<'_>) -> Vec<String> {
    let mut lines = vec![match exchange.command.as_str() {
        "" => "the connection".to_owned(),
        command => command.to_owned(),
    }];
    let mut list = None;
    for step in &exchange.steps {
        let parameter = step.parameter();
        if list != Some(parameter) {
            lines.push(format!("  {parameter}"));
            list = Some(parameter);
        }
        let indent = "  ".repeat(step.depth.max(1));
        let name = format!("{} {}", step.restriction, step.argument);
        let found = step.found.as_ref().map(|(key, value)| {
            let place = hit_of(exchange, step).map(|hit| format!(" ({})", places.shown(hit)));
            format!("{key} has \"{value}\"{}: ", place.unwrap_or_default())
        });
        let found = found.unwrap_or_default();
        lines.push(format!(
            "  {indent}{}: {found}{}",
            name.trim_end(),
            words(&step.decided)
        ));
    }
    let told: Vec<&Hit> = exchange
        .steps
        .iter()
        .filter_map(|step| hit_of(exchange, step))
        .collect();
    let others: Vec<&Hit> = exchange.hits.iter().filter(|hit| !told.contains(hit)).collect();
    lines.extend(hits(others, places));
    // What EHLO offers decides nothing.
    let shown = match exchange.is_accepted() {
        true => 1,
        false => exchange.reply.len(),
    };
    lines.extend(exchange.reply.iter().take(shown).map(|line| format!("  {line}")));
    if let Some(rule) = deciding(exchange) {
        let place = places.of_rule(exchange, rule);
        let place = place.unwrap_or_else(|| format!("the default of {}", rule.parameter()));
        lines.push(format!("  decided by {rule} ({place})"));
    } else if let Some(rule) = exchange.rule.as_ref().filter(|_| !exchange.is_accepted()) {
        lines.push(format!("  decided by {rule}"));
    }
    lines
}

/// What tables knew, each once.
fn hits<'a>(hits: impl IntoIterator<Item = &'a Hit>, places: Places<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for hit in hits {
        let line = format!("  {}: {} has \"{}\"", places.shown(hit), hit.key, hit.value);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn of_journey(journey: &Journey, places: Places<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (who, steps) in [("sender", &journey.sender), ("recipient", &journey.recipient)] {
        for step in steps {
            lines.push(format!("{who} {}", rewriting(step)));
            lines.extend(hits(&step.hits, places));
        }
    }
    journey
        .stations
        .iter()
        .for_each(|station| lines.extend(of_station(station, places)));
    lines
}

/// `a@b becomes c@d by …`
pub(super) fn rewriting(step: &Rewriting) -> String {
    let shown = |all: &[address::Address]| {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        all.join(", ")
    };
    format!(
        "{} becomes {} by {}",
        shown(&step.from),
        shown(&step.to),
        step.what
    )
}

/// What the class of a domain is called.
pub(super) fn class(class: Class) -> &'static str {
    match class {
        Class::Local => "local (mydestination)",
        Class::VirtualAlias => "virtual alias (virtual_alias_domains)",
        Class::VirtualMailbox => "virtual mailbox (virtual_mailbox_domains)",
        Class::Relay => "relay (relay_domains)",
        Class::Default => "default (every other domain)",
    }
}

fn of_station(station: &Station, places: Places<'_>) -> Vec<String> {
    let route = &station.route;
    let program = match station.agent {
        Some(agent) => agent.program(),
        None => "which master.cf does not have: mail waits",
    };
    let mut lines = vec![
        format!("mail for {}", station.recipient),
        format!("  class {}", class(route.class)),
        format!(
            "  transport {} ({program}), next hop {}",
            route.transport, route.next_hop
        ),
    ];
    lines.extend(hits(&station.hits, places));
    match &station.endings {
        Ok(endings) => lines.extend(endings.iter().map(|ending| {
            let place = ending.place.as_ref().map(|place| format!(" {place}"));
            let outcome = told(&ending.outcome);
            format!("  {}: {outcome}{}", ending.target, place.unwrap_or_default())
        })),
        Err(outcome) => lines.push(format!("  {}", told(outcome))),
    }
    lines.extend(hits(&station.ending_hits, places));
    lines
}

/// What a delivery would come to.
pub(super) fn told(outcome: &Outcome) -> String {
    match outcome.result {
        envelope::DeliveryResult::Sent => outcome.text.clone(),
        _ => format!("{} {}", outcome.status, outcome.text),
    }
}
