//! IMAP beside Debian's Dovecot: `scenarios/imap/`, whose README says how cases are written. Some of them:
//! `YUBIN_CASES=NAME cargo test -p system-tests --test imap -- --nocapture`.

use system_tests::mailbox_cases::{Protocol, compare};

#[test]
fn clients_are_told_what_dovecot_tells_them() {
    compare(Protocol::Imap);
}
