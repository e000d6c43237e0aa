//! One message as the index knows it, and its fixed form on disk.

use mailbox::{ModSeq, SystemFlags, Uid};

/// Length of a record on disk, in bytes.
pub(crate) const RECORD_BYTES: usize = 64;

/// What the index knows about one message. Its key: [`crate::Index::key`]; its keywords by name: [`crate::Index::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its UID.
    pub uid: Uid,
    /// Its system flags.
    pub system: SystemFlags,
    /// Bit n: the index's keyword n.
    pub keyword_bits: u64,
    /// When it last changed.
    pub modseq: ModSeq,
    /// RFC822.SIZE.
    pub size_bytes: u64,
    /// INTERNALDATE, seconds since the Unix epoch.
    pub internal_date_secs: i64,
    /// When it came into the mailbox, seconds since the Unix epoch; 0: nobody noted it.
    pub save_date_secs: i64,
    /// What its content is called for good; 0: see [`crate::Index::email_id`].
    pub email_id: u64,
    pub(crate) key_at: u32,
    pub(crate) key_bytes: u32,
}

impl Record {
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.uid.to_le_bytes());
        into.extend_from_slice(&[self.system.0, 0, 0, 0]);
        into.extend_from_slice(&self.keyword_bits.to_le_bytes());
        into.extend_from_slice(&self.modseq.to_le_bytes());
        into.extend_from_slice(&self.size_bytes.to_le_bytes());
        into.extend_from_slice(&self.internal_date_secs.to_le_bytes());
        into.extend_from_slice(&self.key_at.to_le_bytes());
        into.extend_from_slice(&self.key_bytes.to_le_bytes());
        into.extend_from_slice(&self.save_date_secs.to_le_bytes());
        into.extend_from_slice(&self.email_id.to_le_bytes());
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Option<Record> {
        let mut fields = Reader(from.bytes(RECORD_BYTES)?);
        let uid = fields.u32()?;
        let system = SystemFlags(fields.u32()? as u8);
        Some(Record {
            uid,
            system,
            keyword_bits: fields.u64()?,
            modseq: fields.u64()?,
            size_bytes: fields.u64()?,
            internal_date_secs: fields.u64()? as i64,
            key_at: fields.u32()?,
            key_bytes: fields.u32()?,
            save_date_secs: fields.u64()? as i64,
            email_id: fields.u64()?,
        })
    }
}

/// Reads little-endian fields off the front of bytes; `None` when there are too few.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|b| b[0])
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// Bytes with their count (u32) before them.
    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()? as usize;
        self.bytes(count)
    }
}
