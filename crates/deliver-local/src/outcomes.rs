//! Outcomes of local(8), and the one rule by which the outcomes of several targets become one.

use envelope::{DeliveryResult, Detail, Outcome, StatusCode};

fn outcome(result: DeliveryResult, status: StatusCode, text: impl Into<String>) -> Outcome {
    Outcome {
        result,
        status,
        text: text.into(),
        relay: "local".to_owned(),
        detail: Detail::default(),
    }
}

/// Delivered.
pub(crate) fn sent(text: impl Into<String>) -> Outcome {
    outcome(DeliveryResult::Sent, StatusCode::success(0, 0), text)
}

/// To be tried again.
pub(crate) fn deferred(status: StatusCode, text: impl Into<String>) -> Outcome {
    outcome(DeliveryResult::Deferred, status, text)
}

/// To be tried again: a table could not be asked, which has told the log why.
pub(crate) fn lookup_failed() -> Outcome {
    deferred(StatusCode::temporary(3, 0), "table lookup failure")
}

/// To be tried again soon: a process of this system was not there, or ended before it answered.
pub fn interrupted(text: impl Into<String>) -> Outcome {
    let outcome = deferred(StatusCode::temporary(3, 0), text);
    Outcome {
        detail: Detail {
            is_interrupted: true,
            ..outcome.detail
        },
        ..outcome
    }
}

/// Given up.
pub(crate) fn bounced(status: StatusCode, text: impl Into<String>) -> Outcome {
    outcome(DeliveryResult::Bounced, status, text)
}

/// What Postfix says where an administrator has to mend something; the log tells what.
pub(crate) fn misconfigured() -> Outcome {
    bounced(StatusCode::permanent(3, 5), "mail system configuration error")
}

/// A message that has been at `address` before.
pub(crate) fn looped(address: &str) -> Outcome {
    let text = format!("mail forwarding loop for {address}");
    bounced(StatusCode::permanent(4, 6), text)
}

/// With what a report says of it in the words of the system (`Diagnostic-Code: x-unix; …`).
pub(crate) fn diagnosed(outcome: Outcome, words: &str) -> Outcome {
    Outcome {
        detail: Detail {
            diagnostic: Some(format!("x-unix; {words}").into()),
            ..outcome.detail
        },
        ..outcome
    }
}

/// Whether it is done with, for better or worse.
pub(crate) fn is_final(outcome: &Outcome) -> bool {
    outcome.result != DeliveryResult::Deferred
}

/// One outcome for all targets, and the names of those that must be tried again by themselves because others are done.
/// `is_begun`: something besides these was done already and must not be repeated.
///
/// Nothing is delivered twice: as soon as one target is done with, the deferred ones are tried again alone. Nothing is lost in
/// silence: a target that was given up makes the whole so, and the sender is told.
pub(crate) fn sum<N>(parts: Vec<(N, Outcome)>, is_begun: bool) -> (Outcome, Vec<N>) {
    let is_begun = is_begun || parts.iter().any(|(_, part)| is_final(part));
    if !is_begun {
        let is_interrupted = parts.iter().any(|(_, part)| part.detail.is_interrupted);
        let first = parts.into_iter().next().map(|(_, outcome)| outcome);
        let mut outcome = first.unwrap_or_else(|| sent("expanded to nobody"));
        outcome.detail.is_interrupted = is_interrupted;
        return (outcome, Vec::new());
    }
    let (mut again, mut bounce, mut last) = (Vec::new(), None, None);
    for (name, outcome) in parts {
        match outcome.result {
            DeliveryResult::Deferred => again.push(name),
            DeliveryResult::Bounced => bounce = bounce.or(Some(outcome)),
            _ => last = Some(outcome),
        }
    }
    (bounce.or(last).unwrap_or_else(|| sent("forwarded")), again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, outcome: Outcome) -> (String, Outcome) {
        (name.to_owned(), outcome)
    }

    #[test]
    fn what_is_done_is_never_done_again() {
        let wait = || deferred(StatusCode::temporary(3, 0), "later");
        let gone = || bounced(StatusCode::permanent(1, 1), "no");
        let result = |parts, is_begun| {
            let (outcome, again) = sum(parts, is_begun);
            (outcome.result, again)
        };
        use DeliveryResult::{Bounced, Deferred, Sent};
        assert_eq!(result(vec![part("a", sent("ok"))], false), (Sent, vec![]));
        assert_eq!(
            result(vec![part("a", wait()), part("b", wait())], false),
            (Deferred, vec![])
        );
        assert_eq!(
            result(vec![part("a", wait())], true),
            (Sent, vec!["a".to_owned()])
        );
        let mixed = vec![part("a", wait()), part("b", sent("ok")), part("c", gone())];
        assert_eq!(result(mixed, false), (Bounced, vec!["a".to_owned()]));
        assert_eq!(result(Vec::new(), false), (Sent, vec![]));
        let none_is_done = vec![part("a", wait()), part("b", interrupted("gone"))];
        assert!(sum(none_is_done, false).0.detail.is_interrupted);
    }
}
