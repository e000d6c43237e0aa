//! `sleep SECONDS`: the answer waits.

use std::time::Duration;

use super::Context;
use crate::{Verdict, misconfigured};

/// The longest pause.
const SECONDS_MAX: u64 = 3600;

pub(super) async fn sleep(context: &Context<'_>, seconds: &str) -> Verdict {
    if seconds.is_empty() || !seconds.bytes().all(|b| b.is_ascii_digit()) {
        context.warn("restriction sleep must be followed by number".to_owned());
        return Verdict::Fail(misconfigured());
    }
    let seconds = seconds.parse().unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
    context.outside.sleep(Duration::from_secs(seconds)).await;
    Verdict::Dunno
}
