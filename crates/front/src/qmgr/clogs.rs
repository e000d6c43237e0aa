//! Warnings about destinations that take more than a fifth of the active queue (`qmgr_clog_warn_time`).

use std::collections::HashMap;

use maillog::Log;
use queue::scheduler::{Condition, Destination};

/// When each destination was warned about; one is forgotten when its time is over.
#[derive(Debug, Default)]
pub(super) struct Clogs(HashMap<Destination, i64>);

impl Clogs {
    /// Whether there was no warning about the destination within the last `every_micros`; notes that there is one now.
    pub(super) fn is_news(&mut self, destination: &Destination, now_micros: i64, every_micros: i64) -> bool {
        // At most five can have more than a fifth at a time, so few are ever remembered.
        self.0
            .retain(|_, warned| now_micros.saturating_sub(*warned) < every_micros);
        if self.0.contains_key(destination) {
            return false;
        }
        self.0.insert(destination.clone(), now_micros);
        true
    }
}

/// Warns, and says what can be done.
pub(super) fn warn(log: &Log, destination: &Destination, condition: Condition, active: usize) {
    let entries = condition.entries.min(active);
    let name = destination.name();
    let transport = &destination.transport;
    let text = format!("mail for {name} is using up {entries} of {active} active queue entries");
    log.warning("qmgr", &text);
    if entries.saturating_mul(10) < active.saturating_mul(9) {
        log.warning("qmgr", "this may slow down other mail deliveries");
    }
    let help = format!(
        "if {name} can take more, raise {transport}_destination_concurrency_limit in main.cf ({} now) and the process limit of \
         {transport} in master.cf; if it is slow to answer, shorten the time-outs of {transport}; qmgr_clog_warn_time = 0 \
         ends these warnings",
        condition.limit
    );
    log.warning("qmgr", &help);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_for_each_destination_and_time() {
        let mut clogs = Clogs::default();
        let [one, other] = ["a.test", "b.test"].map(|host| Destination::new("smtp", host));
        assert!(clogs.is_news(&one, 0, 10));
        assert!(!clogs.is_news(&one, 9, 10));
        assert!(clogs.is_news(&other, 9, 10));
        assert!(clogs.is_news(&one, 10, 10));
        assert_eq!(clogs.0.len(), 2);
        assert!(clogs.is_news(&one, 30, 10));
        assert_eq!(clogs.0.len(), 1, "the other is forgotten");
    }
}
