//! What is known of verified addresses: what a probe's result means, how long it counts, when the address is probed again; and
//! who sends the probes (ADDRESS_VERIFICATION_README, verify(8)). No clock: `now` is an argument, in microseconds.

use std::time::Duration;

use address::{Address, Domain};
use envelope::{DeliveryResult, Outcome};
use settings::Postfix;

/// What is said of an address that is waited for.
pub const IN_PROGRESS: &str = "Address verification in progress";

/// What a probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Mail would arrive.
    Deliverable,
    /// It would be returned.
    Undeliverable,
    /// It would wait.
    Deferred,
}

/// A probe's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it came to.
    pub status: Status,
    /// In the words of whoever would have delivered.
    pub text: String,
}

/// What is kept of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The result that counts.
    pub finding: Finding,
    /// When it came: microseconds since the Unix epoch.
    pub updated_micros: i64,
    /// When the address was probed the last time.
    pub probed_micros: i64,
}

/// An answer about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was probed, lately enough.
    Found(Finding),
    /// A probe is on its way.
    InProgress,
    /// Nothing is known, and nobody may be asked: it is a rehearsal.
    NotAsked,
}

impl Finding {
    /// What the outcomes of a probe say, one for each address that the probed one stands for: who has one good address can be
    /// written to. `None` where there are none.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Option<Finding> {
        let findings = outcomes.into_iter().map(|outcome| Finding {
            status: match outcome.result {
                DeliveryResult::Sent | DeliveryResult::Relayed | DeliveryResult::Expanded => {
                    Status::Deliverable
                }
                DeliveryResult::Bounced | DeliveryResult::Returned => Status::Undeliverable,
                DeliveryResult::Deferred => Status::Deferred,
            },
            text: outcome.text.clone(),
        });
        let rank = |finding: &Finding| match finding.status {
            Status::Deliverable => 0,
            Status::Deferred => 1,
            Status::Undeliverable => 2,
        };
        findings.min_by_key(rank)
    }

    fn is_good(&self) -> bool {
        self.status == Status::Deliverable
    }
}

/// A probe from which nothing was heard for so long is forgotten, and another one may be sent.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(1000);

/// For how long results count (`address_verify_positive_expire_time` …).
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When a good one, and when another one is gone, in microseconds after it came.
    expire_micros: [i64; 2],
    /// When they are looked for again.
    refresh_micros: [i64; 2],
    /// Whether others than good ones are kept at all.
    keeps_failures: bool,
}

impl Times {
    /// Those of main.cf.
    pub fn of(settings: &Postfix) -> Times {
        Times {
            expire_micros: [
                micros(settings.address_verify_positive_expire_time),
                micros(settings.address_verify_negative_expire_time),
            ],
            refresh_micros: [
                micros(settings.address_verify_positive_refresh_time),
                micros(settings.address_verify_negative_refresh_time),
            ],
            keeps_failures: settings.address_verify_negative_cache,
        }
    }

    /// What is known still counts.
    pub fn counts(&self, known: &Known, now_micros: i64) -> bool {
        let age = now_micros - known.updated_micros;
        let is_kept = known.finding.is_good() || self.keeps_failures;
        is_kept && age <= self.expire_micros[usize::from(!known.finding.is_good())]
    }

    /// What counts is old enough to be looked for again; not while an earlier probe may still tell.
    pub fn is_refresh_due(&self, known: &Known, now_micros: i64) -> bool {
        let age = now_micros - known.updated_micros;
        age > self.refresh_micros[usize::from(!known.finding.is_good())]
            && now_micros - known.probed_micros > micros(PROBE_PATIENCE)
    }

    /// Whether a new result is kept in place of what is known: one that is not good waits until a good one no longer counts.
    pub fn replaces(&self, known: Option<&Known>, new: &Finding, now_micros: i64) -> bool {
        if new.is_good() {
            return true;
        }
        let is_optimistic =
            known.is_some_and(|known| known.finding.is_good() && self.counts(known, now_micros));
        self.keeps_failures && !is_optimistic
    }

    /// Whether such a result is kept where nothing is known.
    pub fn keeps(&self, new: &Finding) -> bool {
        self.replaces(None, new, 0)
    }

    /// The ages in microseconds after which good ones and others are gone.
    pub fn expiries_micros(&self) -> [i64; 2] {
        self.expire_micros
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The letters of the part that changes with time: no vowels, so that no words come of it, and no small letters, since not every
/// host tells them apart.
const LETTERS: &[u8; 31] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";

/// Who sends probes (`address_verify_sender`).
#[derive(Debug, Clone)]
pub struct ProbeSender {
    /// `None` is the null sender.
    address: Option<Address>,
    /// How long it stays the same, in seconds; 0: for ever.
    lifetime_secs: u64,
}

impl ProbeSender {
    /// That of main.cf.
    pub fn of(settings: &Postfix) -> ProbeSender {
        let written = settings.address_verify_sender.trim();
        let address = match written {
            "" | "<>" => None,
            written => Address::parse(written).ok(),
        };
        let complete = |address: Address| match address.domain() {
            Some(_) => address,
            None => address.at(Domain::parse(&settings.myorigin).ok()),
        };
        ProbeSender {
            address: address.map(complete),
            lifetime_secs: settings.address_verify_sender_ttl.as_secs(),
        }
    }

    /// The sender at a moment.
    pub fn at(&self, now_micros: i64) -> Option<Address> {
        let address = self.address.as_ref()?;
        match self.period(now_micros) {
            None => Some(address.clone()),
            Some(period) => Some(marked(address, period)),
        }
    }

    /// Whether a recipient, as a client wrote it, is the sender of probes that are under way: of this period or the last one.
    pub fn is(&self, recipient: &str, now_micros: i64) -> bool {
        let Some(address) = &self.address else {
            return false;
        };
        let same = |address: &Address| address.to_string().eq_ignore_ascii_case(recipient);
        match self.period(now_micros) {
            None => same(address),
            Some(period) => {
                same(&marked(address, period)) || same(&marked(address, period.saturating_sub(1)))
            }
        }
    }

    fn period(&self, now_micros: i64) -> Option<u64> {
        let secs = u64::try_from(now_micros / 1_000_000).unwrap_or(0);
        secs.checked_div(self.lifetime_secs)
    }
}

/// The address with the number of a period behind its local part.
fn marked(address: &Address, mut period: u64) -> Address {
    let base = LETTERS.len() as u64;
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(LETTERS[usize::try_from(period % base).unwrap_or(0)]));
        period /= base;
        if period == 0 {
            break;
        }
    }
    let suffix: String = digits.into_iter().rev().collect();
    Address::new(&format!("{}{suffix}", address.local()), address.domain().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::StatusCode;
    use settings::Surroundings;

    const DAY: i64 = 86_400_000_000;
    const HOUR: i64 = 3_600_000_000;
    const NOW: i64 = 1_795_953_285_000_000;

    fn settings() -> Postfix {
        Postfix {
            myorigin: "example.test".to_owned(),
            ..Postfix::defaults(&Surroundings::default())
        }
    }

    fn finding(status: Status) -> Finding {
        Finding {
            status,
            text: "so it is".to_owned(),
        }
    }

    /// Found so long ago.
    fn known(status: Status, age_micros: i64) -> Known {
        Known {
            finding: finding(status),
            updated_micros: NOW - age_micros,
            probed_micros: NOW - age_micros,
        }
    }

    #[test]
    fn good_results_count_for_a_month_and_are_looked_for_after_a_week() {
        let times = Times::of(&settings());
        let at = |age| {
            let known = known(Status::Deliverable, age);
            (times.counts(&known, NOW), times.is_refresh_due(&known, NOW))
        };
        assert_eq!(at(0), (true, false));
        assert_eq!(at(7 * DAY), (true, false));
        assert_eq!(at(7 * DAY + 1), (true, true));
        assert_eq!(at(31 * DAY), (true, true));
        assert!(!at(31 * DAY + 1).0);
    }

    #[test]
    fn other_results_count_for_three_days_and_are_looked_for_after_three_hours() {
        let times = Times::of(&settings());
        for status in [Status::Undeliverable, Status::Deferred] {
            let at = |age| {
                let known = known(status, age);
                (times.counts(&known, NOW), times.is_refresh_due(&known, NOW))
            };
            assert_eq!(at(3 * HOUR), (true, false));
            assert_eq!(at(3 * HOUR + 1), (true, true));
            assert!(at(3 * DAY).0);
            assert!(!at(3 * DAY + 1).0);
        }
    }

    #[test]
    fn what_was_probed_lately_is_not_probed_again() {
        let times = Times::of(&settings());
        let mut known = known(Status::Deliverable, 8 * DAY);
        known.probed_micros = NOW - 1_000_000_000;
        assert!(!times.is_refresh_due(&known, NOW));
        assert!(times.is_refresh_due(&known, NOW + 1));
    }

    #[test]
    fn a_failure_does_not_replace_a_good_result_that_counts() {
        let times = Times::of(&settings());
        let bad = finding(Status::Undeliverable);
        let good = known(Status::Deliverable, 8 * DAY);
        assert!(!times.replaces(Some(&good), &bad, NOW));
        assert!(times.replaces(Some(&known(Status::Deliverable, 32 * DAY)), &bad, NOW));
        assert!(times.replaces(Some(&known(Status::Deferred, 0)), &bad, NOW));
        assert!(times.replaces(Some(&good), &finding(Status::Deliverable), NOW));
    }

    #[test]
    fn without_a_negative_cache_only_good_results_are_kept() {
        let mut settings = settings();
        settings.address_verify_negative_cache = false;
        let times = Times::of(&settings);
        assert!(!times.keeps(&finding(Status::Deferred)) && !times.keeps(&finding(Status::Undeliverable)));
        assert!(times.keeps(&finding(Status::Deliverable)));
        assert!(!times.counts(&known(Status::Deferred, 0), NOW));
    }

    #[test]
    fn one_good_address_of_an_alias_is_enough() {
        let outcome = |result, text: &str| Outcome {
            result,
            status: StatusCode::success(0, 0),
            text: text.to_owned(),
            relay: String::new(),
            detail: Default::default(),
        };
        let of = |results: &[DeliveryResult]| {
            let outcomes: Vec<_> = results.iter().map(|result| outcome(*result, "x")).collect();
            Finding::of(&outcomes).map(|finding| finding.status)
        };
        use DeliveryResult::{Bounced, Deferred, Sent};
        assert_eq!(of(&[Bounced, Deferred, Sent]), Some(Status::Deliverable));
        assert_eq!(of(&[Bounced, Deferred]), Some(Status::Deferred));
        assert_eq!(of(&[Bounced]), Some(Status::Undeliverable));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn the_sender_of_probes_changes_with_time_and_the_last_one_is_known_too() {
        let mut settings = settings();
        let shown = |settings: &Postfix| ProbeSender::of(settings).at(NOW).map(|sender| sender.to_string());
        assert_eq!(shown(&settings).as_deref(), Some("double-bounce@example.test"));
        assert!(ProbeSender::of(&settings).is("Double-Bounce@example.test", NOW));
        assert!(!ProbeSender::of(&settings).is("double-bounce", NOW));
        settings.address_verify_sender = "prober@mx.example.test".to_owned();
        settings.address_verify_sender_ttl = Duration::from_secs(3600);
        // What Postfix says at that moment.
        assert_eq!(shown(&settings).as_deref(), Some("proberJR3R@mx.example.test"));
        let sender = ProbeSender::of(&settings);
        let is = |name: &str, now| sender.is(&format!("{name}@mx.example.test"), now);
        assert!(is("proberJR3R", NOW) && is("proberJR3R", NOW + HOUR) && !is("proberJR3R", NOW + 2 * HOUR));
        assert!(is("proberJR3Q", NOW) && !is("prober", NOW));
        settings.address_verify_sender = "<>".to_owned();
        assert_eq!(shown(&settings), None);
        assert!(!ProbeSender::of(&settings).is("", NOW));
    }
}
