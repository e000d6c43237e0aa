//! A host with system users: where mail lands under Debian's Postfix and under Yubin, scenario by scenario, and who may do
//! what.
//!
//! One scenario: `YUBIN_SCENARIOS=NAME cargo test -p system-tests --test system_users -- --nocapture delivery` (several with
//! commas; a part of a name is enough). All that both sides told is shown then.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod agents;
mod broken_tables;
mod crowd;
mod delivery;
mod exchangers;
mod inetd;
mod neighbours;
mod queueing;
mod rights;
mod roles;
mod tables;
mod verification;
