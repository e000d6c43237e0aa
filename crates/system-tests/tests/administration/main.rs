//! What administrators do to the real binary: look at the queue and change it, start and stop the system, run it from
//! the incumbents' configuration, count what the log says.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod lifecycle;
mod logs;
mod mail;
mod other_users;
mod pair;
mod queue;
mod sendmail_files;
mod service_manager;
mod sessions_on_stdin;
mod status;
mod tracing;
mod while_down;

use system_tests::{Sandbox, wait_for};

/// A directory with the embedded configuration, whose relay host refuses every connection. Nothing runs.
fn stopped_system() -> Sandbox {
    let mut sandbox = Sandbox::start();
    // From then on it stops cleanly.
    wait_for("the start", || sandbox.log().contains("daemon started"));
    sandbox.stop();
    sandbox.edit_main_cf("relayhost", "[127.0.0.1]:1");
    sandbox
}
