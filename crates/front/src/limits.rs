//! Who is limited, for `yubin status limits`; and anvil(8)'s figures in the log.

use access::limits::{Limit, Standing};
use ipc::status::{CLIENTS_A_PART, Client, Figure, Limits, Refused, Slowed};
use machine::SECOND;
use maillog::lines::anvil::{CacheSize, Maximum};
use serve::clock::now;

use crate::Front;

/// Who is limited now, and why, in parts. Asks the auth service; blocks.
pub fn shown(front: &Front) -> Vec<Limits> {
    let at_micros = now();
    let clients = front.anvil.standings(at_micros);
    let clients: Vec<Client> = clients
        .iter()
        .map(|standing| client(standing, at_micros))
        .collect();
    let part = |clients: &[Client]| Limits {
        at_micros,
        clients: clients.to_vec(),
        penalties: Vec::new(),
    };
    let mut parts: Vec<Limits> = clients.chunks(CLIENTS_A_PART).map(part).collect();
    parts.push(Limits {
        penalties: front.auth.penalties(),
        ..part(&[])
    });
    parts
}

fn client(standing: &Standing, now_micros: i64) -> Client {
    let span_secs = |limit| {
        let secs = u64::try_from(standing.span_micros / SECOND).unwrap_or(0);
        matches!(limit, Limit::Rate(_)).then_some(secs)
    };
    let figures = standing.figures.iter().map(|figure| Figure {
        parameter: figure.kind.parameter().to_owned(),
        count: figure.count,
        limit: figure.limit,
        span_secs: span_secs(figure.kind),
    });
    let refused = standing.refused.iter().map(|refused| Refused {
        parameter: refused.kind.parameter().to_owned(),
        count: refused.count,
        since_micros: refused.since_micros,
        last_micros: refused.last_micros,
    });
    let slowed = standing.slowed.iter().map(|slowed| Slowed {
        errors: slowed.errors,
        soft_limit: slowed.soft_limit,
        hard_limit: slowed.hard_limit,
        is_sleeping: slowed.until_micros > now_micros,
    });
    Client {
        service: standing.service.clone(),
        address: standing.client,
        is_limited: standing.is_limited(),
        is_exempt: standing.is_exempt,
        figures: figures.collect(),
        refused: refused.collect(),
        slowed: slowed.collect(),
    }
}

/// Tells the log the highest figures since the last time (`anvil_status_update_time`).
pub fn log_peaks(front: &Front) {
    let peaks = front.anvil.take_peaks(now());
    let span_secs = front.settings.anvil_rate_time_unit.as_secs();
    for peak in &peaks.peaks {
        front.log.write(&Maximum {
            what: match peak.limit {
                Limit::Rate(happening) => happening.word(),
                Limit::Connections | Limit::Errors => "connection",
            },
            count: peak.count,
            span_secs: matches!(peak.limit, Limit::Rate(_)).then_some(span_secs),
            service: &peak.service,
            client: peak.client,
            at_secs: peak.at_micros / SECOND,
        });
    }
    let (count, at_micros) = peaks.clients;
    if count > 0 {
        front.log.write(&CacheSize {
            count,
            at_secs: at_micros / SECOND,
        });
    }
}
