//! A connection to a peer: TCP, plain or under TLS.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::relay::Relay;

/// A connection and who is at its ends.
pub struct Link {
    stream: Stream,
    /// The peer.
    pub remote: SocketAddr,
    /// Our side.
    pub local: SocketAddr,
}

/// The address of whoever has none.
pub const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// One that another process handed on: it keeps the TLS layer and passes on what is inside.
    Inner(UnixStream),
    /// Between the two while a handshake runs, and after one failed.
    Gone,
}

impl Link {
    /// A plain connection.
    ///
    /// # Errors
    /// When the peer is gone already.
    pub fn new(stream: TcpStream) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        let (remote, local) = (canonical(stream.peer_addr()?), canonical(stream.local_addr()?));
        Ok(Link {
            stream: Stream::Plain(stream),
            remote,
            local,
        })
    }

    /// A connection of a process of this host over a socket in the file system: it has no address.
    pub fn of_this_host(stream: UnixStream) -> Link {
        Link {
            stream: Stream::Inner(stream),
            remote: NOWHERE,
            local: NOWHERE,
        }
    }

    /// A connection that another process handed on, with who it said is at its ends.
    ///
    /// # Errors
    /// When the socket is none, or broken.
    pub fn handed(socket: OwnedFd, remote: SocketAddr, local: SocketAddr) -> io::Result<Link> {
        let stream = if rustix::net::sockopt::socket_domain(&socket)? == rustix::net::AddressFamily::UNIX {
            let stream = std::os::unix::net::UnixStream::from(socket);
            stream.set_nonblocking(true)?;
            Stream::Inner(UnixStream::from_std(stream)?)
        } else {
            let stream = std::net::TcpStream::from(socket);
            stream.set_nonblocking(true)?;
            Stream::Plain(TcpStream::from_std(stream)?)
        };
        Ok(Link {
            stream,
            remote,
            local,
        })
    }

    /// The connection for another process: itself where it is plain, else one end of a socket pair whose other end must be
    /// [relayed](Relay).
    ///
    /// # Errors
    /// When descriptors are short, or the connection is gone.
    pub fn hand_on(self) -> io::Result<(OwnedFd, Option<Relay>)> {
        match self.stream {
            Stream::Plain(stream) => Ok((stream.into_std()?.into(), None)),
            Stream::Inner(stream) => Ok((stream.into_std()?.into(), None)),
            Stream::Tls(stream) => {
                let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
                ours.set_nonblocking(true)?;
                let relay = Relay {
                    peer: stream,
                    owner: UnixStream::from_std(ours)?,
                };
                Ok((theirs.into(), Some(relay)))
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Does the server's side of a TLS handshake. On failure the connection is gone.
    ///
    /// # Errors
    /// What rustls or the socket say.
    pub async fn start_tls(&mut self, config: Arc<rustls::ServerConfig>) -> io::Result<()> {
        let Stream::Plain(plain) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::Error::other("TLS is already there"));
        };
        self.stream = Stream::Tls(Box::new(TlsAcceptor::from(config).accept(plain).await?));
        Ok(())
    }

    /// The TLS session, if there is one.
    pub fn tls(&self) -> Option<&rustls::ServerConnection> {
        match &self.stream {
            Stream::Tls(stream) => Some(stream.get_ref().1),
            Stream::Plain(_) | Stream::Inner(_) | Stream::Gone => None,
        }
    }

    /// Whether nobody between the peer and us can read along.
    pub fn is_secured(&self) -> bool {
        matches!(self.stream, Stream::Tls(_) | Stream::Inner(_))
    }

    /// Whether the peer has said something that was not read yet.
    pub fn has_unread(&self) -> bool {
        let waits = |count: rustix::io::Result<u64>| count.is_ok_and(|count| count > 0);
        match &self.stream {
            Stream::Plain(stream) => waits(rustix::io::ioctl_fionread(stream)),
            Stream::Tls(stream) => waits(rustix::io::ioctl_fionread(stream.get_ref().0)),
            Stream::Inner(stream) => waits(rustix::io::ioctl_fionread(stream)),
            Stream::Gone => false,
        }
    }

    /// Writes all of `bytes` and flushes.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Inner(stream) => stream.write_all(bytes).await,
            Stream::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Closes politely (TLS close_notify, FIN); errors do not matter any more.
    pub async fn close(&mut self) {
        let _ = match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Inner(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Gone => Ok(()),
        };
    }

    /// Reads into `into`; nothing read means that the peer closed its side.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Inner(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Tls(stream) => match Pin::new(stream).poll_read(context, into) {
                // A peer that closes without close_notify is common and not worth an error.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                polled => polled,
            },
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// An IPv4 peer of a dual-stack listener is shown as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
