//! How a client stands: what `yubin status limits` shows.

use std::net::IpAddr;

use super::{Counts, Happening, LIMITS, Limit};

/// A client of a service, and how near it is to its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The service, as master.cf calls it.
    pub service: String,
    /// The client.
    pub client: IpAddr,
    /// Its counts, each with its limit. Where there is no limit, only connections are counted.
    pub figures: Vec<Figure>,
    /// The span of time of its rates, in microseconds.
    pub span_micros: i64,
    /// It has none of these limits (`smtpd_client_event_limit_exceptions`).
    pub is_exempt: bool,
    /// What was refused to it in the last hour.
    pub refused: Vec<Refusals>,
    /// Its sessions that are slowed down.
    pub slowed: Vec<Slowed>,
}

/// A count and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Of what.
    pub kind: Limit,
    /// How many there are now, or in this span of time.
    pub count: usize,
    /// How many there may be; 0 is no limit.
    pub limit: usize,
}

impl Figure {
    /// Whether one more would be refused.
    pub fn is_at_limit(self) -> bool {
        self.limit > 0 && self.count >= self.limit
    }
}

/// What was refused to a client for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// The limit that it was over.
    pub kind: Limit,
    /// How often.
    pub count: usize,
    /// The first time, in microseconds since the epoch.
    pub since_micros: i64,
    /// The last time.
    pub last_micros: i64,
}

impl Refusals {
    pub(super) fn first(kind: Limit, now_micros: i64) -> Refusals {
        Refusals {
            kind,
            count: 1,
            since_micros: now_micros,
            last_micros: now_micros,
        }
    }
}

/// A session whose replies wait, because it made more mistakes than `smtpd_soft_error_limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slowed {
    /// Its number.
    pub session: u64,
    /// How many mistakes it made since it delivered a message.
    pub errors: usize,
    /// `smtpd_soft_error_limit`
    pub soft_limit: usize,
    /// `smtpd_hard_error_limit`: with so many it is ended.
    pub hard_limit: usize,
    /// Until when its last reply waits, or waited, in microseconds since the epoch.
    pub until_micros: i64,
}

impl Standing {
    pub(super) fn of((service, client): (&str, IpAddr), counts: &Counts, now_micros: i64) -> Standing {
        let is_past = counts.is_past(now_micros);
        let figure = |kind: Limit| {
            let count = match kind {
                Limit::Connections => counts.connections,
                Limit::Rate(_) if is_past => 0,
                Limit::Rate(happening) => counts.happenings[happening as usize],
                Limit::Errors => return None,
            };
            let limit = counts.limits[kind.index()];
            // Without a limit only connections are counted.
            let is_counted =
                limit > 0 || matches!(kind, Limit::Connections | Limit::Rate(Happening::Connection));
            is_counted.then_some(Figure { kind, count, limit })
        };
        Standing {
            service: service.to_owned(),
            client,
            figures: LIMITS.into_iter().filter_map(figure).collect(),
            span_micros: counts.span_micros,
            is_exempt: counts.is_exempt,
            refused: counts.lately_refused(now_micros).cloned().collect(),
            slowed: counts.slowed.clone(),
        }
    }

    /// Whether something is refused to it now, was refused in the last hour, or is slowed down.
    pub fn is_limited(&self) -> bool {
        let is_at_limit = !self.is_exempt && self.figures.iter().any(|figure| figure.is_at_limit());
        is_at_limit || !self.refused.is_empty() || !self.slowed.is_empty()
    }
}
