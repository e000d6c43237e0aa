//! A client that says lines and reads lines: for dialogues a test writes out itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use tls::rustls::pki_types::ServerName;
use tls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::wait::PATIENCE;

/// What a connection goes over.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A connection to a service of the sandbox.
pub struct LineClient {
    stream: BufReader<Box<dyn Wire>>,
    socket: TcpStream,
}

impl LineClient {
    /// Connects to a port on 127.0.0.1.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn connect(port: u16) -> LineClient {
        match LineClient::try_connect(port) {
            Ok(client) => client,
            Err(error) => panic!("cannot connect to port {port}: {error}"),
        }
    }

    /// Connects to a port on 127.0.0.1 from another address of this host.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn connect_from(source: [u8; 4], port: u16) -> LineClient {
        let connect = || -> io::Result<LineClient> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((source, 0)).into())?;
            socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
            LineClient::over(socket.into())
        };
        match connect() {
            Ok(client) => client,
            Err(error) => panic!("cannot connect to port {port} from {source:?}: {error}"),
        }
    }

    /// Connects to a port on 127.0.0.1.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_connect(port: u16) -> io::Result<LineClient> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        LineClient::over(TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    fn over(stream: TcpStream) -> io::Result<LineClient> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(LineClient {
            socket: stream.try_clone()?,
            stream: BufReader::new(Box::new(stream)),
        })
    }

    /// Goes on under TLS, after the server was asked to. Any certificate of the server's is good.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn start_tls(&mut self, config: &Arc<ClientConfig>) -> io::Result<()> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, self.socket.try_clone()?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.stream = BufReader::new(Box::new(stream));
        Ok(())
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn try_send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(octets)
    }

    /// The next line without its line end; `None` at the end of the connection.
    ///
    /// # Errors
    /// When the connection is broken or nothing comes in time.
    pub fn try_line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(
            String::from_utf8_lossy(&line)
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
        ))
    }

    /// Sends a line.
    ///
    /// # Panics
    /// When the connection is gone.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        if let Err(error) = self.try_send(format!("{line}\r\n").as_bytes()) {
            panic!("cannot say {line:?}: {error}");
        }
    }

    /// The next line.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn line(&mut self) -> String {
        match self.try_line() {
            Ok(Some(line)) => line,
            Ok(None) => panic!("the server closed the connection"),
            Err(error) => panic!("no line came: {error}"),
        }
    }

    /// Exactly `count` octets (an IMAP literal).
    ///
    /// # Panics
    /// When they do not come.
    #[track_caller]
    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        if let Err(error) = self.stream.read_exact(&mut octets) {
            panic!("no {count} octets came: {error}");
        }
        octets
    }

    /// Says a line and reads lines up to and with the first that `is_last` accepts.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn ask(&mut self, line: &str, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        self.say(line);
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            if lines.last().is_some_and(|line| is_last(line)) {
                return lines;
            }
        }
    }

    /// SMTP: the next reply with all its lines; empty when the connection is over.
    pub fn try_reply(&mut self) -> String {
        let mut lines = Vec::new();
        while let Ok(Some(line)) = self.try_line() {
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if is_last {
                break;
            }
        }
        lines.join("\n")
    }

    /// SMTP: says a command (nothing for the greeting) and returns the last line of the reply.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn smtp(&mut self, command: &str) -> String {
        if !command.is_empty() {
            self.say(command);
        }
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    /// IMAP: says a command under a tag and returns all lines up to its tagged response.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn imap(&mut self, tag: &str, command: &str) -> Vec<String> {
        self.ask(&format!("{tag} {command}"), |line| {
            line.strip_prefix(tag).is_some_and(|rest| rest.starts_with(' '))
        })
    }
}
