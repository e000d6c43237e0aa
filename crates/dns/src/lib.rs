//! What the Domain Name System says: records, whether they are authenticated, and how long they hold.
//!
//! In charge of asking servers (those of resolv.conf(5), or named ones), of time-outs, of aliases, and of a memory of
//! answers with limits of its own. Not in charge of what mail makes of the answers: mail exchangers are chosen in
//! `deliver-remote`. Searching domains for short names happens only when a question asks for it.
//!
//! Entry: the trait [`Dns`]; [`Resolver`] is the real one. RFC 1034, 1035, 2181, 6840 §5.7 (the AD bit).
//!
//! Limits: [`CNAMES_MAX`] aliases in a row, [`RECORDS_MAX`] records of an answer, [`SERVERS_MAX`] servers,
//! [`QUESTIONS_MAX`] questions at once, and those of [`cache`].

mod answer;
pub mod cache;
mod client_name;
mod configuration;
mod hosts_file;
mod resolver;

pub use answer::{Answer, Failure, Kind, Looking, Question, Record, Search};
pub use client_name::{ClientName, PATIENCE, client_name, reverse};
pub use configuration::{Configuration, Error, SERVERS_MAX};
pub use hosts_file::HostsFile;
pub use resolver::{CNAMES_MAX, QUESTIONS_MAX, RECORDS_MAX, Resolver};

/// Answers questions.
pub trait Dns: Send + Sync {
    /// Asks one question, and waits for its answer in bounded time.
    ///
    /// # Errors
    /// When there are no such records, or when nobody can tell.
    fn look_up<'a>(&'a self, question: &'a Question) -> Looking<'a>;
}
