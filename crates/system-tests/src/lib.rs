//! What the tests of the real binary share: a sandbox directory in which it runs, on ports of its own.
//!
//! In charge of starting, stopping and killing the built program ([`Sandbox`]), of running other programs with a
//! bound on their time ([`program`]), of waiting for events ([`wait_for`]) and of a line client for dialogues
//! ([`lines`]), of Debian's Postfix to compare with ([`incumbent`]), and of the cases that both go through ([`side_by_side`]), and of a host with system users ([`users`]). The tests themselves lie in `tests/`, few binaries with a module a subject.
//!
//! The program under test is `YUBIN_BINARY`, else `yubin` beside the test executables (`target/debug/yubin`):
//! `cargo build -p yubin` makes it. Nothing here sleeps to let time pass: every wait ends with its event, or fails
//! at its bound.

pub mod incumbent;
pub mod lines;
pub mod mailbox_cases;
mod ports;
pub mod program;
pub mod rules;
mod sandbox;
pub mod side_by_side;
pub mod users;
mod wait;

pub use ports::Ports;
pub use program::Finished;
pub use sandbox::{Sandbox, binary};
pub use testkit::skip::{has_program, skip};
pub use wait::{PATIENCE, wait_for, wait_for_value};
