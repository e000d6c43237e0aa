//! A connection to a peer: TCP or a socket of this machine, plain or under TLS.

use crate::options::Source;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tls::client::{Demand, Judgement};
use tls::session::Description;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// One address of a next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    address: Address,
    /// `mx.example.com`, or the address where there is no name.
    pub(crate) host: String,
    /// `mx.example.com[192.0.2.1]`
    pub(crate) peer: String,
    /// `mx.example.com[192.0.2.1]:25`
    pub(crate) relay: String,
    /// What DNSSEC says of how it was found.
    pub(crate) dnssec: Verified,
}

/// What DNSSEC says of how a host was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// The name that has its addresses, where it says so of them.
    pub(crate) name: Option<String>,
    /// It says so of the mail exchangers of the domain, or nobody had to be asked for them.
    pub(crate) is_exchanger: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

impl Target {
    /// An address of `host`.
    pub(crate) fn tcp(host: &str, address: SocketAddr) -> Target {
        let peer = format!("{host}[{}]", address.ip());
        Target {
            host: host.to_owned(),
            relay: format!("{peer}:{}", address.port()),
            address: Address::Tcp(address),
            peer,
            dnssec: Verified::default(),
        }
    }

    /// Its address, if it has one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match &self.address {
            Address::Tcp(address) => Some(address.ip()),
            Address::Socket(_) => None,
        }
    }

    /// The same, found as DNSSEC says.
    pub(crate) fn found(self, dnssec: Verified) -> Target {
        Target { dnssec, ..self }
    }

    /// Its port, if it has one.
    pub(crate) fn port(&self) -> Option<u16> {
        match &self.address {
            Address::Tcp(address) => Some(address.port()),
            Address::Socket(_) => None,
        }
    }

    /// A socket of this machine, which has the name `hostname`.
    pub(crate) fn socket(path: PathBuf, hostname: &str) -> Target {
        let peer = format!("{hostname}[{}]", path.display());
        Target {
            host: "localhost".to_owned(),
            relay: peer.clone(),
            address: Address::Socket(path),
            peer,
            dnssec: Verified::default(),
        }
    }
}

/// A TCP connection, from `source` if there is one.
async fn connect(address: SocketAddr, source: Source) -> io::Result<(TcpStream, Option<String>)> {
    let is_enforced = source.is_enforced;
    let Some(source) = source.toward(address) else {
        return Ok((TcpStream::connect(address).await?, None));
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let warning = match socket.bind(SocketAddr::new(source, 0)) {
        Err(error) if is_enforced => return Err(error),
        Err(error) => Some(format!("bind {source}: {}", in_words(&error))),
        Ok(()) => None,
    };
    Ok((socket.connect(address).await?, warning))
}

/// For servers whose name is none that TLS could tell.
const NO_NAME: &str = "unnamed.invalid";

/// An encrypted session.
pub(crate) struct Established {
    /// What the server's certificate is worth.
    pub(crate) judgement: Judgement,
    /// It was judged by TLSA records.
    pub(crate) is_by_dnssec: bool,
    /// As logs describe it.
    pub(crate) session: String,
}

/// An open connection.
pub(crate) struct Connection(Stream, Option<String>);

enum Stream {
    Tcp(TcpStream),
    Socket(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While a handshake runs, and after one failed.
    Gone,
}

impl Connection {
    /// Connects, or says why not, as people know it. A timeout of zero is none but the system's.
    pub(crate) async fn open(
        target: &Target,
        patience: Duration,
        source: Source,
    ) -> Result<Connection, String> {
        let connecting = async {
            match &target.address {
                Address::Tcp(address) => {
                    let (stream, warning) = connect(*address, source).await?;
                    stream.set_nodelay(true)?;
                    Ok(Connection(Stream::Tcp(stream), warning))
                }
                Address::Socket(path) => {
                    Ok(Connection(Stream::Socket(UnixStream::connect(path).await?), None))
                }
            }
        };
        let connected = match patience.is_zero() {
            true => connecting.await,
            false => timeout(patience, connecting)
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        };
        connected.map_err(|error| in_words(&error))
    }

    /// What is to be told of how it was made.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.1.as_deref()
    }

    /// Does the client's side of a TLS handshake. On failure the connection is gone.
    pub(crate) async fn start_tls(
        &mut self,
        config: Arc<ClientConfig>,
        name: &str,
        demand: &Demand,
    ) -> io::Result<Established> {
        let Stream::Tcp(plain) = std::mem::replace(&mut self.0, Stream::Gone) else {
            return Err(io::Error::other("TLS needs a plain TCP connection"));
        };
        // Without SNI it is only what sessions are remembered by.
        let name = ServerName::try_from(name.to_owned()).or_else(|_| ServerName::try_from(NO_NAME));
        let name = name.map_err(io::Error::other)?;
        let stream = TlsConnector::from(config).connect(name, plain).await?;
        let (_, connection) = stream.get_ref();
        let established = Established {
            is_by_dnssec: !demand.tlsa.is_empty(),
            judgement: demand.judge(connection.peer_certificates().unwrap_or_default()),
            session: Description::of(connection).map_or_else(String::new, |session| session.to_string()),
        };
        self.0 = Stream::Tls(Box::new(stream));
        Ok(established)
    }

    /// What a login may be bound to (RFC 9266): TLS 1.3 alone has it for sure.
    pub(crate) fn binding(&self) -> Option<Vec<u8>> {
        let Stream::Tls(stream) = &self.0 else { return None };
        let (_, connection) = stream.get_ref();
        let is_13 = connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        let label = b"EXPORTER-Channel-Binding";
        let exported = is_13.then(|| connection.export_keying_material([0; 32], label, Some(&[])));
        exported?.ok().map(|octets: [u8; 32]| octets.to_vec())
    }

    /// Writes all of it.
    pub(crate) async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Stream::Tcp(stream) => stream.write_all(octets).await,
            Stream::Socket(stream) => stream.write_all(octets).await,
            Stream::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what is there, waits for it if need be; 0 is the end.
    pub(crate) async fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Tcp(stream) => stream.read(into).await,
            Stream::Socket(stream) => stream.read(into).await,
            Stream::Tls(stream) => stream.read(into).await,
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Whether the peer has said nothing, and not hung up. Under TLS nobody knows before reading: what lies there may be a
    /// ticket of the session.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut octet = [0];
        let nothing =
            |read: io::Result<usize>| matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        match &self.0 {
            Stream::Tcp(stream) => nothing(stream.try_read(&mut octet)),
            Stream::Socket(stream) => nothing(stream.try_read(&mut octet)),
            Stream::Tls(_) => true,
            Stream::Gone => false,
        }
    }

    /// Says good-bye; whether the peer hears it does not matter any more.
    pub(crate) async fn close(&mut self) {
        let closed = match &mut self.0 {
            Stream::Tcp(stream) => stream.shutdown().await,
            Stream::Socket(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Gone => Ok(()),
        };
        drop(closed);
    }
}

/// An error as Postfix's users know it: `Connection refused`.
pub(crate) fn in_words(error: &io::Error) -> String {
    os::words(error)
}
