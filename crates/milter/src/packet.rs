//! Packets: four bytes of length in network order, a letter, and what belongs to it.

use crate::Error;

/// The longest packet that is read, in bytes with its letter: the largest piece of a body, with room for what stands before it.
pub const PACKET_BYTES_MAX: u32 = 1024 * 1024 + 64 * 1024;
/// How many bytes a length takes.
const LENGTH_BYTES: usize = 4;

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub letter: u8,
    /// What belongs to it.
    pub data: Vec<u8>,
}

/// Appends a packet to `out`.
pub fn write(letter: u8, data: &[u8], out: &mut Vec<u8>) {
    // What is said is cut into pieces far below the limit of 32 bits.
    let length = u32::try_from(data.len() + 1).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(letter);
    out.extend_from_slice(data);
}

/// Finds the packets in a stream of bytes.
#[derive(Debug, Default)]
pub struct Packets {
    input: Vec<u8>,
}

impl Packets {
    /// Takes bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next packet, if it is there in full.
    ///
    /// # Errors
    /// [`Error::PacketLength`]; nothing can be understood after it.
    pub fn take(&mut self) -> Result<Option<Packet>, Error> {
        let Some(length) = self.announced() else {
            return Ok(None);
        };
        if length == 0 || length > PACKET_BYTES_MAX {
            return Err(Error::PacketLength(length));
        }
        let end = LENGTH_BYTES + length as usize;
        if self.input.len() < end {
            return Ok(None);
        }
        let rest = self.input.split_off(end);
        let whole = std::mem::replace(&mut self.input, rest);
        Ok(Some(Packet {
            letter: whole[LENGTH_BYTES],
            data: whole[LENGTH_BYTES + 1..].to_vec(),
        }))
    }

    /// The length that the next packet announces, in bytes with its letter.
    fn announced(&self) -> Option<u32> {
        let bytes = self.input.first_chunk::<LENGTH_BYTES>()?;
        Some(u32::from_be_bytes(*bytes))
    }

    /// Whether the length of a packet is there, and the packet is not.
    pub fn is_inside(&self) -> bool {
        self.input.len() >= LENGTH_BYTES
    }

    /// Whether nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }
}

/// Reads the parts of a packet's data.
#[derive(Debug)]
pub(crate) struct Parts<'a>(pub(crate) &'a [u8]);

impl<'a> Parts<'a> {
    pub(crate) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    pub(crate) fn short(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    pub(crate) fn octet(&mut self) -> Option<u8> {
        let (octet, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*octet)
    }

    /// The bytes up to a NUL, which is taken too.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(text)
    }

    /// The same as text; what is no UTF-8 is replaced.
    pub(crate) fn text(&mut self) -> Option<String> {
        self.string()
            .map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// All strings that are left.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.text()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends a string and its NUL. A NUL inside would end it: it is left out.
pub(crate) fn string(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().filter(|&&byte| byte != 0));
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packets_are_found_however_they_are_cut(
            packets in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..50)), 0..6),
            cut in 1usize..20,
        ) {
            let mut stream = Vec::new();
            packets.iter().for_each(|(letter, data)| write(*letter, data, &mut stream));
            let (mut reader, mut found) = (Packets::default(), Vec::new());
            for piece in stream.chunks(cut) {
                reader.feed(piece);
                while let Some(packet) = reader.take().unwrap() {
                    found.push((packet.letter, packet.data));
                }
            }
            prop_assert_eq!(found, packets);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Packets::default();
            reader.feed(&bytes);
            while let Ok(Some(_)) = reader.take() {}
        }
    }

    #[test]
    fn lengths_have_a_limit() {
        for length in [0, PACKET_BYTES_MAX + 1, u32::MAX] {
            let mut reader = Packets::default();
            reader.feed(&length.to_be_bytes());
            assert_eq!(reader.take(), Err(Error::PacketLength(length)));
        }
    }
}
