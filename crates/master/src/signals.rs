//! The signals that the system heeds, in both profiles.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From the moment this is made they end nothing by themselves.
pub(crate) struct Signals {
    pub(crate) hangup: Signal,
    pub(crate) terminate: Signal,
    pub(crate) interrupt: Signal,
    /// doveadm-log(1): log files are opened again.
    pub(crate) reopen: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Signals> {
        let listen = |kind, name| signal(kind).with_context(|| format!("cannot listen for {name}"));
        Ok(Signals {
            hangup: listen(SignalKind::hangup(), "SIGHUP")?,
            terminate: listen(SignalKind::terminate(), "SIGTERM")?,
            interrupt: listen(SignalKind::interrupt(), "SIGINT")?,
            reopen: listen(SignalKind::user_defined1(), "SIGUSR1")?,
        })
    }
}
