//! Listeners: bound early (perhaps as root), served later.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{Semaphore, watch};

use crate::Link;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket and how many conversations it may have at once.
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// More connections than these wait in the backlog.
    pub connections_max: usize,
}

/// Binds a TCP listener.
///
/// # Errors
/// The system's reason; the caller names the service and the address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Serves each connection in a task of its own until `stop` says so. Conversations that are under way go on.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn serve<F, C>(listener: Listener, mut stop: watch::Receiver<bool>, converse: C) -> io::Result<()>
where
    C: Fn(Link) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let socket = tokio::net::TcpListener::from_std(listener.socket)?;
    let places = Arc::new(Semaphore::new(listener.connections_max));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        match accepted.and_then(|(stream, _)| Link::new(stream)) {
            Ok(link) => {
                let conversation = converse(link);
                tokio::spawn(async move {
                    conversation.await;
                    drop(place);
                });
            }
            Err(error) if is_exhausted(&error) => tokio::time::sleep(ACCEPT_PAUSE).await,
            // The peer was gone before it was greeted.
            Err(_) => {}
        }
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) || error.kind() == io::ErrorKind::OutOfMemory
}
