//! POP3 beside Debian's Dovecot: `scenarios/pop3/`, whose README says how cases are written. Some of them:
//! `YUBIN_CASES=NAME cargo test -p system-tests --test pop3 -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod takeover;

use system_tests::mailbox_cases::{Protocol, compare};

#[test]
fn clients_are_told_what_dovecot_tells_them() {
    compare(Protocol::Pop3);
}
