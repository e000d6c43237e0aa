//! A record on disk: a 32 octet header, the payload, padding to 8 octets.
//!
//! Header, little endian: magic 4, payload length 4, kind 2, zero 2, generation 4, epoch 4, CRC32C 4 (over the header
//! with zero in its place, and the payload), sequence 8.

/// The size of a record's header.
pub const HEADER_BYTES: usize = 32;
/// The largest kind that callers may use; those above are the journal's own.
pub const KIND_MAX: u16 = 0xfeff;

pub(crate) const KIND_SEAL: u16 = 0xff00;
pub(crate) const KIND_RESUME: u16 = 0xff01;
pub(crate) const KIND_LOW_WATER: u16 = 0xff02;

const MAGIC: u32 = 0x4e42_5559;
const CRC_AT: usize = 20;

/// What is appended: a kind chosen by the caller and octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// At most [`KIND_MAX`].
    pub kind: u16,
    /// Anything, also nothing.
    pub payload: Vec<u8>,
}

/// What distinguishes a record from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) generation: u32,
    pub(crate) epoch: u32,
    pub(crate) sequence: u64,
}

/// A parsed header; its checksum is not verified yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) kind: u16,
    pub(crate) payload_bytes: usize,
    pub(crate) stamp: Stamp,
    crc: u32,
}

/// The size on disk of a record with that payload.
pub(crate) fn encoded_bytes(payload_bytes: usize) -> u64 {
    (HEADER_BYTES + payload_bytes).next_multiple_of(8) as u64
}

/// Appends the record to `out`.
pub(crate) fn encode(kind: u16, payload: &[u8], stamp: Stamp, out: &mut Vec<u8>) {
    let start = out.len();
    let length =
        u32::try_from(payload.len()).expect("a segment holds the payload, so it is shorter than 4 GiB");
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&stamp.generation.to_le_bytes());
    out.extend_from_slice(&stamp.epoch.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&stamp.sequence.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = crc32c::crc32c(&out[start..]);
    out[start + CRC_AT..start + CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + (HEADER_BYTES + payload.len()).next_multiple_of(8), 0);
}

/// The header at the start of `bytes`, if there can be one.
pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.get(..HEADER_BYTES)?;
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if u32_at(0) != MAGIC || bytes[10..12] != [0; 2] {
        return None;
    }
    Some(Header {
        payload_bytes: usize::try_from(u32_at(4)).ok()?,
        kind: u16::from_le_bytes([bytes[8], bytes[9]]),
        stamp: Stamp {
            generation: u32_at(12),
            epoch: u32_at(16),
            sequence: u64::from(u32_at(24)) | u64::from(u32_at(28)) << 32,
        },
        crc: u32_at(CRC_AT),
    })
}

/// Whether `record` (header and payload, without padding) has the checksum that its header names.
pub(crate) fn is_intact(header: &Header, record: &[u8]) -> bool {
    if record.len() != HEADER_BYTES + header.payload_bytes {
        return false;
    }
    let crc = crc32c::crc32c(&record[..CRC_AT]);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    crc32c::crc32c_append(crc, &record[CRC_AT + 4..]) == header.crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(kind: u16, payload: Vec<u8>, generation: u32, epoch: u32, sequence: u64) {
            let stamp = Stamp { generation, epoch, sequence };
            let mut out = vec![1, 2, 3];
            encode(kind, &payload, stamp, &mut out);
            let out = &out[3..];
            prop_assert_eq!(out.len() as u64, encoded_bytes(payload.len()));
            let head = header(out).unwrap();
            prop_assert_eq!((head.kind, head.stamp, head.payload_bytes), (kind, stamp, payload.len()));
            prop_assert!(is_intact(&head, &out[..HEADER_BYTES + payload.len()]));
        }

        #[test]
        fn a_changed_bit_is_noticed(payload: Vec<u8>, bit in 0usize..4096) {
            let mut out = Vec::new();
            encode(7, &payload, Stamp { generation: 1, epoch: 2, sequence: 3 }, &mut out);
            let used = HEADER_BYTES + payload.len();
            let bit = bit % (used * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            let intact = header(&out).is_some_and(|h| {
                out.get(..HEADER_BYTES + h.payload_bytes).is_some_and(|record| is_intact(&h, record))
            });
            prop_assert!(!intact);
        }
    }
}
