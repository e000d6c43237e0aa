//! The line in front of a destination: who waits, how many go at once, and what the destination's answers change in that.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{Destination, TransportLimits};

/// A message's place in the order in which messages became active.
pub(super) type Order = u64;

/// How many attempts a message was reckoned to need when it joined its transport.
pub(super) type Size = usize;

/// What a destination's last answer did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It takes attempts.
    Alive,
    /// It is to rest.
    Dead,
}

/// How a destination is: for the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// The largest concurrency.
    pub limit: usize,
    /// The concurrency of now.
    pub window: usize,
    /// Progress towards a larger one, below 1.
    pub success: f64,
    /// Progress towards a smaller one, below 1.
    pub failure: f64,
    /// Failures since the last success, in windows.
    pub failed_cohorts: f64,
    /// Messages that wait for it, and attempts under way.
    pub entries: usize,
}

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) destination: Destination,
    pub(super) window: usize,
    pub(super) in_flight: usize,
    /// Of these, those that wait for a host that says nothing.
    pub(super) seeking: usize,
    /// Progress towards a larger window, below 1.
    success: f64,
    /// Progress towards a smaller window, below 1.
    failure: f64,
    /// Failures since the last success, each counted as its part of the window of then.
    failed_cohorts: f64,
    /// Found dead: nothing is tried before.
    pub(super) dead_until_micros: Option<i64>,
    /// Between two attempts at a destination that has a rate delay.
    pub(super) rests_until_micros: Option<i64>,
    /// The messages that wait, in their order.
    waiting: BTreeMap<Order, Size>,
    /// The same, the smallest first.
    smallest: BTreeSet<(Size, Order)>,
    /// Under which keys its transport lists it as able to take an attempt.
    pub(super) listed: Option<Listed>,
}

/// The keys of a line among its transport's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) oldest: Order,
    pub(super) smallest: (Size, Order),
    /// Lines of the same message take turns.
    pub(super) turn: u64,
}

impl Line {
    pub(super) fn new(destination: Destination, limits: &TransportLimits) -> Line {
        Line {
            destination,
            window: limits.initial.clamp(1, limits.window_max()),
            in_flight: 0,
            seeking: 0,
            success: 0.0,
            failure: 0.0,
            failed_cohorts: 0.0,
            dead_until_micros: None,
            rests_until_micros: None,
            waiting: BTreeMap::new(),
            smallest: BTreeSet::new(),
            listed: None,
        }
    }

    /// Takes other limits; where there was no failure the window is at least the initial one.
    pub(super) fn limit(&mut self, before: &TransportLimits, limits: &TransportLimits) {
        if self.window >= before.initial.min(before.window_max()) {
            self.window = self.window.max(limits.initial);
        }
        self.window = self.window.clamp(1, limits.window_max());
    }

    pub(super) fn condition(&self, limits: &TransportLimits) -> Condition {
        Condition {
            limit: limits.window_max(),
            window: self.window,
            success: self.success,
            failure: self.failure,
            failed_cohorts: self.failed_cohorts,
            entries: self.waiting.len() + self.in_flight,
        }
    }

    pub(super) fn is_dead(&self, now_micros: i64) -> bool {
        self.dead_until_micros.is_some_and(|until| until > now_micros)
    }

    /// Whether there is something to be remembered of it.
    pub(super) fn is_in_use(&self) -> bool {
        !self.waiting.is_empty()
            || self.in_flight > 0
            || self.dead_until_micros.is_some()
            || self.rests_until_micros.is_some()
    }

    /// Its keys, when it can take an attempt.
    pub(super) fn keys(&self, turn: u64) -> Option<Listed> {
        let rests = self.dead_until_micros.is_some() || self.rests_until_micros.is_some();
        if rests || self.seeking > 0 || self.in_flight >= self.window {
            return None;
        }
        Some(Listed {
            oldest: *self.waiting.first_key_value()?.0,
            smallest: *self.smallest.first()?,
            turn,
        })
    }

    pub(super) fn join(&mut self, order: Order, size: Size) {
        if let Some(before) = self.waiting.insert(order, size) {
            self.smallest.remove(&(before, order));
        }
        self.smallest.insert((size, order));
    }

    pub(super) fn leave(&mut self, order: Order) {
        if let Some(size) = self.waiting.remove(&order) {
            self.smallest.remove(&(size, order));
        }
    }

    /// All who wait, who do so no longer.
    pub(super) fn dismiss(&mut self) -> impl Iterator<Item = Order> + use<> {
        self.smallest.clear();
        std::mem::take(&mut self.waiting).into_keys()
    }

    /// The destination answered: more at once, unless what goes does not fill what may by far.
    pub(super) fn succeeded(&mut self, limits: &TransportLimits) {
        self.failed_cohorts = 0.0;
        self.dead_until_micros = None;
        if self.window >= limits.window_max() {
            self.success = 0.0;
            return;
        }
        // The attempt that ended counts too.
        if self.window > self.in_flight + limits.initial {
            return;
        }
        let part = limits.positive.at(self.window);
        self.success += part;
        // Half a part is close enough to a whole, so that nothing hangs on how parts are rounded.
        while part > 0.0 && self.success + part / 2.0 >= 1.0 && self.window < limits.window_max() {
            self.success -= 1.0;
            self.failure = 0.0;
            self.window += 1;
        }
    }

    /// It could not be reached: fewer at once.
    pub(super) fn failed(&mut self, limits: &TransportLimits) -> Health {
        self.failed_cohorts += 1.0 / self.window.max(1) as f64;
        let part = limits.negative.at(self.window);
        self.failure -= part;
        // The first part of a failure counts at once, so that the window is never larger than the failures allow.
        while part > 0.0 && self.failure - part / 2.0 < 0.0 {
            self.success = 0.0;
            self.failure += 1.0;
            self.window = self.window.saturating_sub(1);
        }
        self.window = self.window.max(1);
        if limits.failed_cohorts > 0 && self.failed_cohorts >= limits.failed_cohorts as f64 - 1e-9 {
            self.failed_cohorts = 0.0;
            self.failure = 0.0;
            self.window = 1;
            return Health::Dead;
        }
        Health::Alive
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Gain;
    use super::*;

    fn line(limits: &TransportLimits) -> Line {
        Line::new(Destination::new("smtp", "host"), limits)
    }

    #[test]
    fn answers_open_the_window_up_to_the_limit() {
        let mut limits = TransportLimits {
            limit: 8,
            ..TransportLimits::default()
        };
        let mut by_one = line(&limits);
        (0..9).for_each(|_| by_one.succeeded(&limits));
        assert_eq!(by_one.window, 6, "one at a time needs no more");
        by_one.in_flight = 8;
        (0..9).for_each(|_| by_one.succeeded(&limits));
        assert_eq!(by_one.window, 8);
        limits.positive = Gain::PerConcurrency(1.0);
        let mut by_part = line(&limits);
        by_part.in_flight = 8;
        (0..4).for_each(|_| by_part.succeeded(&limits));
        assert_eq!(by_part.window, 5);
        by_part.succeeded(&limits);
        assert_eq!(by_part.window, 6, "one for a whole window");
        limits.positive = Gain::Fixed(0.0);
        let mut never = line(&limits);
        (0..50).for_each(|_| never.succeeded(&limits));
        assert_eq!(never.window, 5);
    }

    #[test]
    fn failures_close_it_and_end_in_death() {
        let mut limits = TransportLimits::default();
        let mut dies = line(&limits);
        let healths: Vec<Health> = (0..3).map(|_| dies.failed(&limits)).collect();
        // 1/5 + 1/3 + 1/2 is more than a cohort: the first failure takes two, the others one.
        assert_eq!(healths, [Health::Alive, Health::Alive, Health::Dead]);
        let mut once = line(&limits);
        once.failed(&limits);
        let condition = once.condition(&limits);
        assert_eq!(
            (condition.window, condition.failure),
            (3, 1.0),
            "as Postfix 3.7 logs it"
        );
        limits.failed_cohorts = 0;
        let mut lives = line(&limits);
        assert!((0..100).all(|_| lives.failed(&limits) == Health::Alive));
        assert_eq!(lives.window, 1);
        limits.failed_cohorts = 10;
        limits.negative = Gain::Fixed(0.2);
        let mut slowly = line(&limits);
        let _: Vec<Health> = (0..4).map(|_| slowly.failed(&limits)).collect();
        assert_eq!(slowly.window, 4);
        slowly.failed(&limits);
        assert_eq!(slowly.window, 3, "after four more");
    }

    #[test]
    fn a_rate_delay_lets_one_go_at_a_time() {
        let limits = TransportLimits {
            rate_delay_micros: 1,
            ..TransportLimits::default()
        };
        let mut slow = line(&limits);
        assert_eq!(slow.window, 1);
        slow.succeeded(&limits);
        assert_eq!(slow.window, 1);
    }
}
