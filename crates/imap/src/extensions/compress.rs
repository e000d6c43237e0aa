//! COMPRESS=DEFLATE (RFC 4978): from the answer to the command on, both ways are one DEFLATE stream each.
//!
//! What is sent ends on an octet's boundary whenever nothing more is to be said; the compressor is dropped then and a new one
//! goes on in the same stream: an idle session keeps only what it needs to read on, at most [`WINDOW_BYTES`] and the decoder.

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::{Command, Extension};
use crate::session::Session;
use crate::wire::Result;
use crate::wire::cursor::Cursor;

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["COMPRESS=DEFLATE"],
    commands: &[Command {
        name: "COMPRESS",
        needs_mailbox: false,
        run: Session::compress,
    }],
};

/// How far back a DEFLATE stream can refer, in octets (RFC 1951 §2).
const WINDOW_BYTES: usize = 32 * 1024;
/// The window of a client that has said little.
const WINDOW_BYTES_FIRST: usize = 1024;
/// How well is compressed: much of what can be had, at a third of the time of the best.
const LEVEL: u8 = 4;

/// Whether the connection is compressed.
#[derive(Default)]
pub(crate) enum Compression {
    #[default]
    Off,
    /// It begins when what waits to be sent is sent.
    Starting,
    On(Box<Streams>),
}

/// The two streams.
pub(crate) struct Streams {
    decoder: DecompressorOxide,
    /// The last octets that were decoded; grows up to [`WINDOW_BYTES`].
    window: Vec<u8>,
    /// Where in the window the next octet goes.
    at: usize,
    /// What was received and not decoded yet; the first `taken` octets of it are done with.
    received: Vec<u8>,
    taken: usize,
    /// Within a stretch of output.
    encoder: Option<Box<CompressorOxide>>,
}

/// The stream of the peer makes no sense, or has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corrupted;

impl Streams {
    pub(crate) fn new() -> Streams {
        Streams {
            decoder: DecompressorOxide::new(),
            window: vec![0; WINDOW_BYTES_FIRST],
            at: 0,
            received: Vec::new(),
            taken: 0,
            encoder: None,
        }
    }

    /// Takes octets of the peer's stream.
    pub(crate) fn feed(&mut self, input: &[u8]) {
        self.received.extend_from_slice(input);
    }

    /// Whether octets wait to be decoded.
    pub(crate) fn has_received(&self) -> bool {
        !self.received.is_empty()
    }

    /// Appends what can be decoded next, at most [`WINDOW_BYTES`]; nothing when more must be received first.
    pub(crate) fn decode(&mut self, into: &mut Vec<u8>) -> std::result::Result<(), Corrupted> {
        loop {
            if self.at == self.window.len() {
                // What was said so far is all there is to refer to, as long as the window has not gone round.
                match self.window.len() {
                    WINDOW_BYTES => self.at = 0,
                    small => self.window.resize(small * 2, 0),
                }
            }
            let input = &self.received[self.taken..];
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let (status, read, made) = decompress(&mut self.decoder, input, &mut self.window, self.at, flags);
            into.extend_from_slice(&self.window[self.at..self.at + made]);
            self.at += made;
            self.taken += read;
            if self.taken == self.received.len() {
                (self.received, self.taken) = (Vec::new(), 0);
            }
            match status {
                TINFLStatus::HasMoreOutput if made > 0 => return Ok(()),
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return Ok(()),
                _ => return Err(Corrupted),
            }
        }
    }

    /// Appends `plain`, compressed.
    pub(crate) fn encode(&mut self, plain: &[u8], into: &mut Vec<u8>) {
        self.drive(plain, TDEFLFlush::None, into);
    }

    /// Nothing more is to be said for now: what was said can be read by the peer, and the compressor goes.
    pub(crate) fn flush(&mut self, into: &mut Vec<u8>) {
        if self.encoder.is_some() {
            self.drive(&[], TDEFLFlush::Sync, into);
            self.encoder = None;
        }
    }

    fn drive(&mut self, mut plain: &[u8], flush: TDEFLFlush, into: &mut Vec<u8>) {
        /// More than a flush needs.
        const ROOM: usize = 1024;
        let encoder = self.encoder.get_or_insert_with(|| {
            let mut encoder = Box::<CompressorOxide>::default();
            encoder.set_format_and_level(DataFormat::Raw, LEVEL);
            encoder
        });
        loop {
            let start = into.len();
            into.resize(start + ROOM + plain.len(), 0);
            let (status, read, made) = compress(encoder, plain, &mut into[start..], flush);
            into.truncate(start + made);
            plain = &plain[read..];
            let is_room_left = made < ROOM + plain.len() + read;
            if status != TDEFLStatus::Okay || (plain.is_empty() && is_room_left) {
                return;
            }
        }
    }
}

impl Session {
    fn compress(&mut self, tag: &str, arguments: &mut Cursor<'_>) -> Result<()> {
        arguments.space()?;
        let mechanism = arguments.atom("a mechanism")?.to_ascii_uppercase();
        arguments.end()?;
        if mechanism != "DEFLATE" {
            self.tagged(tag, "NO Unknown compression mechanism");
        } else if !matches!(self.compression, Compression::Off) {
            self.tagged(tag, "NO [COMPRESSIONACTIVE] COMPRESSION=DEFLATE already enabled");
        } else {
            self.tagged(tag, "OK Begin compression");
            self.compression = Compression::Starting;
        }
        Ok(())
    }

    /// What was sent is sent: the peer's stream begins, and perhaps has begun.
    pub(crate) fn start_compression(&mut self) {
        let mut streams = Box::new(Streams::new());
        streams.feed(self.framing.unread());
        self.framing.clear();
        self.compression = Compression::On(streams);
    }

    /// Decodes what was received, as far as the session can go on; whether anything was.
    pub(crate) fn take_compressed(&mut self) -> bool {
        let Compression::On(streams) = &mut self.compression else {
            return false;
        };
        let mut plain = Vec::new();
        let decoded = streams.decode(&mut plain);
        if !plain.is_empty() {
            self.framing.feed(&plain);
        }
        if decoded == Err(Corrupted) {
            self.finish("Connection closed: corrupted compressed data");
        }
        !plain.is_empty()
    }

    /// Whether octets of the peer wait to be decoded.
    pub(crate) fn has_compressed(&self) -> bool {
        matches!(&self.compression, Compression::On(streams) if streams.has_received())
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod session_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both ends: what one encodes, the other decodes.
    fn passed(pieces: &[Vec<u8>], cut: usize) -> Vec<u8> {
        let (mut sender, mut receiver) = (Streams::new(), Streams::new());
        let mut plain = Vec::new();
        for piece in pieces {
            let mut wire = Vec::new();
            for part in piece.chunks(1000) {
                sender.encode(part, &mut wire);
            }
            sender.flush(&mut wire);
            assert!(sender.encoder.is_none());
            for received in wire.chunks(cut) {
                receiver.feed(received);
                loop {
                    let before = plain.len();
                    receiver
                        .decode(&mut plain)
                        .expect("a peer of our own makes sense");
                    if plain.len() == before {
                        break;
                    }
                }
            }
        }
        assert!(receiver.window.len() <= WINDOW_BYTES && !receiver.has_received());
        plain
    }

    #[test]
    fn long_streams_pass() {
        let pieces: Vec<Vec<u8>> = (0..50u32)
            .map(|number| (0..3000u32).map(|at| (at * at / 7 + number * 31) as u8).collect())
            .collect();
        assert_eq!(passed(&pieces, 7), pieces.concat());
        assert_eq!(passed(&pieces, 100_000), pieces.concat());
    }

    #[test]
    fn a_little_takes_a_little_window() {
        let (mut sender, mut receiver) = (Streams::new(), Streams::new());
        let (mut wire, mut plain) = (Vec::new(), Vec::new());
        sender.encode(b"a NOOP\r\n", &mut wire);
        sender.flush(&mut wire);
        receiver.feed(&wire);
        receiver.decode(&mut plain).unwrap();
        assert_eq!(plain, b"a NOOP\r\n");
        assert_eq!(receiver.window.len(), WINDOW_BYTES_FIRST);
    }

    #[test]
    fn rubbish_is_found() {
        let mut receiver = Streams::new();
        receiver.feed(b"\xff\xff\xff\xff\xff\xff");
        assert_eq!(receiver.decode(&mut Vec::new()), Err(Corrupted));
    }

    proptest! {
        #[test]
        fn round_trip(pieces in proptest::collection::vec("[ab\r\n]{1,300}", 1..9), cut in 1usize..99) {
            let pieces: Vec<Vec<u8>> = pieces.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(passed(&pieces, cut), pieces.concat());
        }

        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut receiver = Streams::new();
            receiver.feed(&input);
            for _ in 0..100 {
                let mut plain = Vec::new();
                if receiver.decode(&mut plain).is_err() || plain.is_empty() {
                    break;
                }
            }
        }
    }
}
