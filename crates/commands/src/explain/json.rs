//! An explanation for programs.

use front::explain::{Journey, Rewriting, Station};
use front::smtpd::Exchange;
use master::explaining::Explanation;
use route::Class;
use serde_json::{Value, json};
use tables::watch::Hit;

use super::places::Places;
use super::{deciding, text, words};

/// One object.
pub(super) fn of(explanation: &Explanation) -> Value {
    let places = Places {
        written: &explanation.written,
        service: &explanation.service,
    };
    let (journey, error) = match &explanation.journey {
        None => (Value::Null, Value::Null),
        Some(Ok(journey)) => (of_journey(journey, places), Value::Null),
        Some(Err(why)) => (Value::Null, json!(why)),
    };
    let refused = explanation.exchanges.last().filter(|last| !last.is_accepted());
    let dialogue = explanation.exchanges.iter();
    let dialogue = dialogue.map(|exchange| of_exchange(exchange, places));
    json!({
        "service": explanation.service,
        "client": explanation.client,
        "accepted": refused.is_none(),
        "decided_by": refused.and_then(|last| decided_by(last, places)),
        "rule": refused.and_then(|last| last.rule.as_deref()),
        "dialogue": dialogue.collect::<Vec<_>>(),
        "journey": journey,
        "journey_error": error,
        "log": explanation.log,
    })
}

fn decided_by(exchange: &Exchange, places: Places<'_>) -> Option<Value> {
    let rule = deciding(exchange)?;
    let step = rule.step()?;
    Some(json!({
        "parameter": rule.parameter(),
        "restriction": step.restriction,
        "argument": step.argument,
        "place": places.of_rule(exchange, rule),
    }))
}

fn of_exchange(exchange: &Exchange, places: Places<'_>) -> Value {
    let steps = exchange.steps.iter().enumerate().map(|(at, step)| {
        json!({
            "parameter": step.parameter(),
            "depth": step.depth,
            "restriction": step.restriction,
            "argument": step.argument,
            "key": step.found.as_ref().map(|(key, _)| key),
            "value": step.found.as_ref().map(|(_, value)| value),
            "place": places.of_steps(exchange, &exchange.steps[..=at]),
            "result": words(&step.decided),
        })
    });
    json!({
        "command": exchange.command,
        "steps": steps.collect::<Vec<_>>(),
        "tables": hits(&exchange.hits, places),
        "reply": exchange.reply,
    })
}

fn hits(hits: &[Hit], places: Places<'_>) -> Vec<Value> {
    let hits = hits.iter();
    hits.map(|hit| json!({ "place": places.shown(hit), "key": hit.key, "value": hit.value }))
        .collect()
}

fn of_journey(journey: &Journey, places: Places<'_>) -> Value {
    let steps = |steps: &[Rewriting]| {
        let shown = |all: &[address::Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let steps = steps.iter().map(|step| {
            json!({
                "by": step.what,
                "from": shown(&step.from),
                "to": shown(&step.to),
                "tables": hits(&step.hits, places),
            })
        });
        steps.collect::<Vec<_>>()
    };
    json!({
        "sender": steps(&journey.sender),
        "recipient": steps(&journey.recipient),
        "mail": journey.stations.iter().map(|station| of_station(station, places)).collect::<Vec<_>>(),
    })
}

fn of_station(station: &Station, places: Places<'_>) -> Value {
    let class = match station.route.class {
        Class::Local => "local",
        Class::VirtualAlias => "virtual_alias",
        Class::VirtualMailbox => "virtual_mailbox",
        Class::Relay => "relay",
        Class::Default => "default",
    };
    let (endings, failure) = match &station.endings {
        Ok(endings) => (endings.as_slice(), None),
        Err(outcome) => (&[][..], Some(text::told(outcome))),
    };
    let endings = endings.iter().map(|ending| {
        json!({
            "target": ending.target,
            "outcome": text::told(&ending.outcome),
            "mailbox": ending.place,
        })
    });
    json!({
        "recipient": station.recipient.to_string(),
        "class": class,
        "transport": station.route.transport,
        "next_hop": station.route.next_hop,
        "program": station.agent.map(|agent| agent.program()),
        "tables": hits(&station.hits, places),
        "endings": endings.collect::<Vec<_>>(),
        "failure": failure,
        "ending_tables": hits(&station.ending_hits, places),
    })
}
