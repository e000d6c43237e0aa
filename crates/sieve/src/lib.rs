//! Sieve (RFC 5228): the language that filters mail, as Pigeonhole's users know it.
//!
//! In charge of scripts: reading, checking, running them over a message. Not in charge of anything outside: files, mailboxes,
//! the clock and other scripts are asked for through [`Host`] and [`Library`], and what is to be done with the message
//! is *returned* ([`Outcome`]); nothing here acts.
//!
//! Entries: [`compile`] makes a [`Program`] or tells every mistake of the script; [`Program::run`] runs it. The way:
//! `lexer` → `parser` (tree with places) → `checker` and `arguments` (words against `words` tables) → commands and tests as
//! values, carried out by `run`. A file per extension lies in `extensions/`, with the table of them all; `require` knows exactly
//! these. [`compose`] makes the mails that actions ask for.
//!
//! RFCs: 5228 with 3894, 4790, 5051, 5173, 5183, 5229–5235, 5260, 5293, 5429, 5435, 5436, 5463, 5490, 5703, 5965, 6009, 6131,
//! 6134, 6609, 7352, 8579, 8580, 9042; draft-ietf-sieve-regex. Limits: [`Settings`], `parser`, `lexer`; a run has a budget of
//! steps, so that it ends. Tests: `.svtest` files in `tests/`, compared with Debian's Pigeonhole by `system-tests`.

mod actions;
mod arguments;
mod base;
mod capabilities;
mod checker;
mod comparator;
pub mod compose;
mod control;
mod diagnostics;
mod envelope;
mod extensions;
mod glob;
mod headers;
mod host;
mod lexer;
mod mail;
mod mailto;
mod matching;
mod parser;
mod parts;
mod program;
mod regular;
mod result;
mod run;
mod settings;
mod store;
pub mod testing;
mod text;
mod trace;
mod words;

pub use actions::{
    Action, DeliverBy, Entry, Notify, Outcome, Pipe, Place, Redirect, Report, Store, Vacation, Verdict,
};
pub use capabilities::Capabilities;
pub use checker::{Compiled, Failure, compile};
pub use diagnostics::{Diagnostic, Position, Severity, Stage};
pub use envelope::{DeliverBy as EnvelopeDeliverBy, Dsn, Envelope};
pub use extensions::testsuite::FIRST_MESSAGE;
pub use host::{DuplicateKey, Found, Host, Library, Location, NoHost, NoLibrary, ProgramCall, ProgramEnd};
pub use lexer::{IDENTIFIER_BYTES_MAX, STRING_BYTES_MAX};
pub use mail::{Mail, PARTS_MAX};
pub use parser::{ARGUMENTS_MAX, BLOCK_NESTING_MAX, TEST_NESTING_MAX};
pub use program::{FileError, Program};
pub use run::Delivery;
pub use settings::{STEPS_PER_SECOND, Settings, seconds, size};
pub use text::MATCH_VALUES_MAX;
pub use trace::Level;
