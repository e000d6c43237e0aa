//! What a mail server tells a filter.

use crate::Error;
use crate::options::{Options, Stage, steps};
use crate::packet::{Packet, Parts, string, write};

/// Who has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Nobody knows.
    Unknown,
    /// By a local socket of this path.
    Unix(String),
    /// From an IPv4 address and port.
    V4(String, u16),
    /// From an IPv6 address and port; the address as it is, without a word before it.
    V6(String, u16),
}

/// A command (`SMFIC_…`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What the mail server offers.
    Negotiate(Options),
    /// Macros for the command of this letter: names, then values.
    Macros(u8, Vec<(String, String)>),
    /// A client is there.
    Connect {
        /// What it is called.
        host: String,
        /// Where it is.
        peer: Peer,
    },
    /// HELO or EHLO.
    Helo(String),
    /// MAIL: the sender in brackets, then ESMTP parameters.
    Mail(Vec<String>),
    /// RCPT: the recipient in brackets, then ESMTP parameters.
    Rcpt(Vec<String>),
    /// DATA.
    Data,
    /// A command that nobody knows.
    Unknown(Vec<u8>),
    /// A header; lines that it is folded into are parted by LF.
    Header {
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The header is over.
    EndOfHeader,
    /// A piece of the body; lines end in CRLF.
    Body(Vec<u8>),
    /// The message is over.
    EndOfMessage,
    /// The message goes nowhere.
    Abort,
    /// Good-bye.
    Quit,
    /// Good-bye; another session follows over the same connection.
    QuitNewConnection,
}

impl Command {
    /// Its letter on the wire.
    pub fn letter(&self) -> u8 {
        match self {
            Command::Negotiate(_) => b'O',
            Command::Macros(..) => b'D',
            Command::Connect { .. } => b'C',
            Command::Helo(_) => b'H',
            Command::Mail(_) => b'M',
            Command::Rcpt(_) => b'R',
            Command::Data => b'T',
            Command::Unknown(_) => b'U',
            Command::Header { .. } => b'L',
            Command::EndOfHeader => b'N',
            Command::Body(_) => b'B',
            Command::EndOfMessage => b'E',
            Command::Abort => b'A',
            Command::Quit => b'Q',
            Command::QuitNewConnection => b'K',
        }
    }

    /// Its name in the protocol, as logs show it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Negotiate(_) => "SMFIC_OPTNEG",
            Command::Macros(..) => "SMFIC_MACRO",
            Command::Connect { .. } => "SMFIC_CONNECT",
            Command::Helo(_) => "SMFIC_HELO",
            Command::Mail(_) => "SMFIC_MAIL",
            Command::Rcpt(_) => "SMFIC_RCPT",
            Command::Data => "SMFIC_DATA",
            Command::Unknown(_) => "SMFIC_UNKNOWN",
            Command::Header { .. } => "SMFIC_HEADER",
            Command::EndOfHeader => "SMFIC_EOH",
            Command::Body(_) => "SMFIC_BODY",
            Command::EndOfMessage => "SMFIC_BODYEOB",
            Command::Abort => "SMFIC_ABORT",
            Command::Quit => "SMFIC_QUIT",
            Command::QuitNewConnection => "SMFIC_QUIT_NC",
        }
    }

    /// The stage whose macros go before it.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Command::Connect { .. } => Some(Stage::Connect),
            Command::Helo(_) => Some(Stage::Helo),
            Command::Mail(_) => Some(Stage::Mail),
            Command::Rcpt(_) => Some(Stage::Rcpt),
            Command::Data => Some(Stage::Data),
            Command::Unknown(_) => Some(Stage::Unknown),
            Command::EndOfHeader => Some(Stage::EndOfHeader),
            Command::EndOfMessage => Some(Stage::EndOfMessage),
            _ => None,
        }
    }

    /// The bits of [`steps`] by which a filter says that it does not want this, and that it does not answer it.
    pub(crate) fn bits(&self) -> (u32, u32) {
        match self {
            Command::Connect { .. } => (steps::NO_CONNECT, steps::SILENT_CONNECT),
            Command::Helo(_) => (steps::NO_HELO, steps::SILENT_HELO),
            Command::Mail(_) => (steps::NO_MAIL, steps::SILENT_MAIL),
            Command::Rcpt(_) => (steps::NO_RCPT, steps::SILENT_RCPT),
            Command::Data => (steps::NO_DATA, steps::SILENT_DATA),
            Command::Unknown(_) => (steps::NO_UNKNOWN, steps::SILENT_UNKNOWN),
            Command::Header { .. } => (steps::NO_HEADERS, steps::SILENT_HEADERS),
            Command::EndOfHeader => (steps::NO_END_OF_HEADER, steps::SILENT_END_OF_HEADER),
            Command::Body(_) => (steps::NO_BODY, steps::SILENT_BODY),
            _ => (0, 0),
        }
    }

    /// Whether the filter is to say something to it, unless agreed otherwise.
    pub(crate) fn is_answered(&self) -> bool {
        !matches!(
            self,
            Command::Macros(..) | Command::Abort | Command::Quit | Command::QuitNewConnection
        )
    }

    /// Appends its packet to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut data = Vec::new();
        match self {
            Command::Negotiate(options) => options.write(&mut data),
            Command::Macros(letter, macros) => {
                data.push(*letter);
                for (name, value) in macros {
                    string(name.as_bytes(), &mut data);
                    string(value.as_bytes(), &mut data);
                }
            }
            Command::Connect { host, peer } => {
                string(host.as_bytes(), &mut data);
                peer.write(&mut data);
            }
            Command::Helo(name) => string(name.as_bytes(), &mut data),
            Command::Mail(words) | Command::Rcpt(words) => {
                words.iter().for_each(|word| string(word.as_bytes(), &mut data));
            }
            Command::Unknown(line) => string(line, &mut data),
            Command::Header { name, value } => {
                string(name, &mut data);
                string(value, &mut data);
            }
            Command::Body(piece) => data.extend_from_slice(piece),
            Command::Data
            | Command::EndOfHeader
            | Command::EndOfMessage
            | Command::Abort
            | Command::Quit
            | Command::QuitNewConnection => {}
        }
        write(self.letter(), &data, out);
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unknown`].
    pub fn read(packet: &Packet) -> Result<Command, Error> {
        let mut parts = Parts(&packet.data);
        let command = match packet.letter {
            b'O' => Some(Command::Negotiate(
                crate::options::Agreement::read(&packet.data)?.options,
            )),
            b'D' => macros(&mut parts),
            b'C' => connect(&mut parts),
            b'H' => parts.text().map(Command::Helo),
            b'M' => Some(Command::Mail(parts.texts())),
            b'R' => Some(Command::Rcpt(parts.texts())),
            b'T' => Some(Command::Data),
            b'U' => parts.string().map(|line| Command::Unknown(line.to_vec())),
            b'L' => header(&mut parts),
            b'N' => Some(Command::EndOfHeader),
            b'B' => Some(Command::Body(packet.data.clone())),
            b'E' => Some(Command::EndOfMessage),
            b'A' => Some(Command::Abort),
            b'Q' => Some(Command::Quit),
            b'K' => Some(Command::QuitNewConnection),
            other => return Err(Error::Unknown(other)),
        };
        command.ok_or(Error::Malformed("command"))
    }
}

impl Peer {
    fn write(&self, out: &mut Vec<u8>) {
        let (family, port, address) = match self {
            Peer::Unknown => return out.push(b'U'),
            Peer::Unix(path) => (b'L', 0, path),
            Peer::V4(address, port) => (b'4', *port, address),
            Peer::V6(address, port) => (b'6', *port, address),
        };
        out.push(family);
        out.extend_from_slice(&port.to_be_bytes());
        string(address.as_bytes(), out);
    }
}

fn macros(parts: &mut Parts<'_>) -> Option<Command> {
    let letter = parts.octet()?;
    let mut texts = parts.texts().into_iter();
    let pairs = std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect();
    Some(Command::Macros(letter, pairs))
}

fn connect(parts: &mut Parts<'_>) -> Option<Command> {
    let host = parts.text()?;
    let peer = match parts.octet()? {
        b'U' => Peer::Unknown,
        b'L' => {
            parts.short()?;
            Peer::Unix(parts.text()?)
        }
        family => {
            let port = parts.short()?;
            let address = parts.text()?;
            match family {
                b'4' => Peer::V4(address, port),
                b'6' => Peer::V6(address, port),
                _ => return None,
            }
        }
    };
    Some(Command::Connect { host, peer })
}

fn header(parts: &mut Parts<'_>) -> Option<Command> {
    let name = parts.string()?.to_vec();
    let value = parts.string()?.to_vec();
    Some(Command::Header { name, value })
}
