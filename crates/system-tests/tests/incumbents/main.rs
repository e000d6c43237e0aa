//! The dialogue files against the incumbents themselves, as Debian has them: what differs is a defect, or has its row in
//! `conformance/differences.tsv` and is listed here.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod accounts;
mod auth_sockets;
mod content_filter;
mod dovecot;
mod hosts;
mod lmtp;
mod makemap;
mod notices;
mod odd_peers;
mod postfix;
mod queue;
mod reports;
mod sinks;
mod table_scripts;
mod table_tools;
