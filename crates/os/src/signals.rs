//! What happens on SIGPIPE (signal(7)). Stopping and reloading are the runtime's matter.

#![allow(unsafe_code)]

/// A write to a closed connection fails with an error, it does not end the process. For servers.
pub fn ignore_sigpipe() {
    // SAFETY: installs no handler of ours, only a disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// A write to a closed pipe ends the process quietly. For commands (`mailq | head`).
pub fn default_sigpipe() {
    // SAFETY: installs no handler of ours, only a disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
