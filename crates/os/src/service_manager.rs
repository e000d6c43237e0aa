//! What the service manager that started this process hands over and wants to hear (sd_listen_fds(3), sd_notify(3)): sockets
//! that it has bound, and news of start, reload and stop. Without one nothing happens.

#![allow(unsafe_code)]

use std::net::TcpListener;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::Once;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, sockopt};
use sd_notify::NotifyState;

/// What became of a service, for its manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It serves; also the end of a reload.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It begins to stop.
    Stopping,
    /// It is alive, which a watchdog wants to hear.
    Alive,
}

/// Tells the service manager. That there is none, or that it does not listen, is nobody's loss.
pub fn tell(news: News) {
    let _ = match news {
        News::Ready => sd_notify::notify(&[NotifyState::Ready]),
        News::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        News::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
        News::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => sd_notify::notify(&[NotifyState::Reloading, now]),
            Err(_) => sd_notify::notify(&[NotifyState::Reloading]),
        },
    };
}

/// How often the watchdog wants to hear that this process is alive, at least: half of `WatchdogSec=`.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|longest| longest / 2)
}

/// The listening TCP sockets that were handed to this process, closed on exec. Only the first call gives them.
pub fn inherited_listeners() -> Vec<TcpListener> {
    static TAKEN: Once = Once::new();
    let mut listeners = Vec::new();
    TAKEN.call_once(|| {
        // Without LISTEN_FDS, or with another process's LISTEN_PID, there are none.
        let Ok(descriptors) = sd_notify::listen_fds() else {
            return;
        };
        for descriptor in descriptors {
            // SAFETY: the manager opened these descriptors for this process (LISTEN_PID is its id), nothing else here owns
            // them, and `TAKEN` lets them be wrapped once only. One that is closed is only asked, with an error, below.
            let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
            if is_tcp_listener(&descriptor) {
                listeners.push(TcpListener::from(descriptor));
            }
        }
    });
    listeners
}

fn is_tcp_listener(descriptor: impl AsFd) -> bool {
    let family = sockopt::socket_domain(&descriptor);
    family.is_ok_and(|family| family == AddressFamily::INET || family == AddressFamily::INET6)
        && sockopt::socket_type(&descriptor).is_ok_and(|kind| kind == SocketType::STREAM)
        && sockopt::socket_acceptconn(&descriptor).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn only_sockets_that_listen_are_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        assert!(is_tcp_listener(&listener));
        let address = listener.local_addr().expect("its address");
        let stream = TcpStream::connect(address).expect("connected");
        assert!(!is_tcp_listener(&stream));
        assert!(!is_tcp_listener(tempfile::tempfile().expect("a file")));
        let unix = std::os::unix::net::UnixStream::pair().expect("a pair");
        assert!(!is_tcp_listener(&unix.0));
    }
}
