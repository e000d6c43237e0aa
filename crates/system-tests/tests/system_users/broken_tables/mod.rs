//! Every use of a table, with every way in which a table can be broken, beside Debian's Postfix: what a client is told and what
//! becomes of the mail must be the same. A lookup that fails never becomes "not found".
//!
//! `YUBIN_CASES=NAME cargo test -p system-tests --test system_users -- --nocapture broken_tables` shows some of the cases.

mod deliveries;
mod faults;
mod peer;
mod smtpd;

/// Names cases to run, with commas between; all without it.
const CHOICE: &str = "YUBIN_CASES";

fn is_chosen(name: &str) -> bool {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    choice.split(',').any(|part| name.contains(part))
}

#[allow(clippy::print_stdout, reason = "it was asked for")]
fn show(text: &str) {
    println!("{text}");
}
