//! `sleep SECONDS`: the answer waits.

use std::time::Duration;

use super::Context;
use crate::Verdict;

/// The longest pause.
const SECONDS_MAX: u64 = 3600;

pub(super) async fn sleep(context: &Context<'_>, seconds: &str) -> Verdict {
    let seconds = seconds.parse().unwrap_or(0).min(SECONDS_MAX);
    context.outside.sleep(Duration::from_secs(seconds)).await;
    Verdict::Dunno
}
