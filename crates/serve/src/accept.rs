//! Listeners: bound early (perhaps as root), served later.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::sync::{Semaphore, watch};

use crate::Link;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens.
#[derive(Debug)]
pub enum Socket {
    /// On a port.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

impl Socket {
    /// The socket that another process has bound.
    ///
    /// # Errors
    /// When it is none.
    pub fn handed(socket: OwnedFd) -> io::Result<Socket> {
        let domain = rustix::net::sockopt::socket_domain(&socket)?;
        Ok(if domain == rustix::net::AddressFamily::UNIX {
            Socket::Unix(socket.into())
        } else {
            Socket::Tcp(socket.into())
        })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

/// A bound socket and how many conversations it may have at once.
pub struct Listener {
    /// The socket.
    pub socket: Socket,
    /// More connections than these wait in the backlog.
    pub connections_max: usize,
}

/// Binds a TCP listener.
///
/// # Errors
/// The system's reason; the caller names the service and the address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds a socket in the file system; `prepare` gives it its mode and owner before anybody can connect. What a process that
/// is gone left there is replaced.
///
/// # Errors
/// The system's reason; [`io::ErrorKind::AddrInUse`] when somebody listens there or it is no socket.
pub fn bind_unix(path: &Path, prepare: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            std::fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    prepare(path)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A listener that tokio waits for.
enum Waiting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Waiting {
    async fn accept(&self) -> io::Result<Link> {
        match self {
            Waiting::Tcp(socket) => socket.accept().await.and_then(|(stream, _)| Link::new(stream)),
            Waiting::Unix(socket) => socket
                .accept()
                .await
                .map(|(stream, _)| Link::of_this_host(stream)),
        }
    }
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
    let socket = match listener.socket {
        Socket::Tcp(socket) => Waiting::Tcp(tokio::net::TcpListener::from_std(socket)?),
        Socket::Unix(socket) => Waiting::Unix(tokio::net::UnixListener::from_std(socket)?),
    };
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
        match accepted {
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
