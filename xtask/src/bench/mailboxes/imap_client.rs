//! An IMAP client that costs little: it reads until the tagged answer and looks only at the ends of what it reads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

const READ_BYTES: usize = 256 * 1024;
/// A tagged answer is not longer.
const LINE_BYTES_MAX: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(120);

/// A session.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    commands: usize,
}

impl Client {
    pub(super) fn connect(port: u16) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut client = Client {
            stream,
            buffer: vec![0; READ_BYTES],
            commands: 0,
        };
        client.until("* ")?;
        Ok(client)
    }

    /// Gives a command and waits for its OK; how many octets came.
    pub(super) fn command(&mut self, text: &str) -> Result<usize> {
        let tag = self.send(text)?;
        self.until(&format!("{tag} "))
            .with_context(|| text.chars().take(60).collect::<String>())
    }

    /// Appends a message with a synchronising literal, as most clients do.
    pub(super) fn append(&mut self, message: &str) -> Result<()> {
        let tag = self.send(&format!("APPEND INBOX {{{}}}", message.len()))?;
        self.until("+ ")?;
        self.stream.write_all(message.as_bytes())?;
        self.stream.write_all(b"\r\n")?;
        self.until(&format!("{tag} "))?;
        Ok(())
    }

    /// Whether the server names this capability.
    pub(super) fn offers(&mut self, capability: &str) -> Result<bool> {
        let tag = self.send("CAPABILITY")?;
        let line = self.text_until(&format!("{tag} "))?;
        Ok(line.split_whitespace().any(|word| word == capability))
    }

    /// How many numbers the untagged answer to a SEARCH has.
    pub(super) fn found(&mut self, search: &str) -> Result<usize> {
        let tag = self.send(search)?;
        let answer = self.text_until(&format!("{tag} "))?;
        let line = answer.lines().find(|line| line.starts_with("* SEARCH"));
        Ok(line
            .unwrap_or_default()
            .split_whitespace()
            .count()
            .saturating_sub(2))
    }

    fn send(&mut self, text: &str) -> Result<String> {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        self.stream.write_all(format!("{tag} {text}\r\n").as_bytes())?;
        Ok(tag)
    }

    fn text_until(&mut self, start: &str) -> Result<String> {
        let mut all = Vec::new();
        self.read_until(start, |octets| all.extend_from_slice(octets))?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    fn until(&mut self, start: &str) -> Result<usize> {
        self.read_until(start, |_| {})
    }

    /// Reads until what came ends with a line that begins so, and is no refusal.
    fn read_until(&mut self, start: &str, mut take: impl FnMut(&[u8])) -> Result<usize> {
        let (mut count, mut end) = (0, Vec::new());
        loop {
            let read = self.stream.read(&mut self.buffer)?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            count += read;
            let new = &self.buffer[..read];
            take(new);
            end.extend_from_slice(&new[read.saturating_sub(LINE_BYTES_MAX)..]);
            let surplus = end.len().saturating_sub(LINE_BYTES_MAX);
            end.drain(..surplus);
            let Some(lines) = end.strip_suffix(b"\r\n") else {
                continue;
            };
            let from = lines
                .iter()
                .rposition(|octet| *octet == b'\n')
                .map_or(0, |at| at + 1);
            let line = String::from_utf8_lossy(&lines[from..]);
            let Some(said) = line.strip_prefix(start) else {
                continue;
            };
            if said.starts_with("NO") || said.starts_with("BAD") {
                bail!("{line}");
            }
            return Ok(count);
        }
    }
}
