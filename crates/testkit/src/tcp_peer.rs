//! A server over TCP as the peer of a dialogue.

use crate::{Given, Peer};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long one line may take to arrive.
pub const LINE_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest line that is taken, in octets.
pub const LINE_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// What a [`TcpPeer`] asks about `given` lines: whether the server behind the address is like that.
pub type Holds<'a> = Box<dyn FnMut(&str, &str) -> bool + 'a>;

/// A connection to a server.
pub struct TcpPeer<'a> {
    stream: TcpStream,
    holds: Holds<'a>,
    unread: Vec<u8>,
}

impl<'a> TcpPeer<'a> {
    /// Connects. `holds` says which `given` lines are true there.
    ///
    /// # Errors
    /// When the connection is refused or takes longer than [`LINE_TIMEOUT`].
    pub fn connect(address: SocketAddr, holds: Holds<'a>) -> io::Result<TcpPeer<'a>> {
        let stream = TcpStream::connect_timeout(&address, LINE_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LINE_TIMEOUT))?;
        stream.set_write_timeout(Some(LINE_TIMEOUT))?;
        Ok(TcpPeer {
            stream,
            holds,
            unread: Vec::new(),
        })
    }
}

impl Peer for TcpPeer<'_> {
    fn given(&mut self, key: &str, value: &str) -> Given {
        if (self.holds)(key, value) {
            Given::Set
        } else {
            Given::NotHere
        }
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)
    }

    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut scanned = 0;
        loop {
            if let Some(end) = self.unread[scanned..].iter().position(|&octet| octet == b'\n') {
                let end = scanned + end;
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.truncate(line.strip_suffix(b"\r\n").map_or(end, <[u8]>::len));
                return Ok(Some(line));
            }
            scanned = self.unread.len();
            if scanned > LINE_OCTETS_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line without an end",
                ));
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) if self.unread.is_empty() => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.unread.extend_from_slice(&piece[..count]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came in time"));
                }
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset && self.unread.is_empty() => {
                    return Ok(None);
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn pass(&mut self, _: Duration) -> bool {
        false
    }

    fn start_tls(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn facts(&mut self, _: &str) -> Option<Vec<String>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialogue, Ran, Run};
    use std::net::TcpListener;

    #[test]
    fn a_dialogue_runs_over_tcp_and_differences_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut got = [0; 6];
                stream.read_exact(&mut got).unwrap();
                stream.write_all(b"250 one\r\n250 two\r\n").unwrap();
            }
        });
        let text = "# A reason\nC: NOOP\nS: 250 one\nS: 250 {word}\nclosed\n";
        let dialogue = Dialogue::parse("x.smtp", text).unwrap();
        let mut peer = TcpPeer::connect(address, Box::new(|_, _| true)).unwrap();
        assert_eq!(
            Run { cuts: Some(3) }.run(&dialogue, &mut peer).unwrap(),
            Ran::Whole
        );
        let other = Dialogue::parse("y.smtp", &text.replace("one", "three")).unwrap();
        let mut peer = TcpPeer::connect(address, Box::new(|_, _| true)).unwrap();
        let failure = Run::default().run(&other, &mut peer).unwrap_err().to_string();
        assert!(
            failure.starts_with("y.smtp:3: another line came: 250 one"),
            "{failure}"
        );
        server.join().unwrap();
    }
}
