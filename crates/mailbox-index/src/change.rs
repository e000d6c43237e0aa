//! A change of a mailbox being put together: operations that reach disk and memory together, or not at all.

use mailbox::flags::KEYWORDS_MAX;
use mailbox::{Flags, Keyword, ModSeq, SystemFlags, Uid};

use crate::base::Facts;
use crate::record::{Reader, Record};
use crate::{Error, Result};

/// The longest key of a message, in bytes.
pub const KEY_BYTES_MAX: usize = 4096;

/// The longest state a store may keep of a mailbox, in bytes.
pub const STATE_BYTES_MAX: usize = 4096;

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk when the commit returns: UIDs handed out, modseqs, flags, keywords.
    Synced,
    /// May be lost in a crash of the machine, but not out of order: what the store can find out again.
    Cached,
    /// As `Cached`, for new messages: their UIDs are on disk after [`crate::Index::settle`], before which nobody may hear of
    /// them.
    Unshown,
}

/// A message that the store found or makes.
#[derive(Debug, Clone, Copy)]
pub struct NewMessage<'a> {
    /// Its flags and keywords.
    pub flags: &'a Flags,
    /// RFC822.SIZE.
    pub size_bytes: u64,
    /// INTERNALDATE, seconds since the Unix epoch.
    pub internal_date_secs: i64,
    /// When it came into the mailbox, seconds since the Unix epoch.
    pub save_date_secs: i64,
    /// What its content is called for good ([`mailbox::MessageState::email_id`]); 0: the index makes a name of mailbox and UID.
    pub email_id: u64,
    /// Where the store finds it; opaque here.
    pub key: &'a [u8],
}

/// Operations for one commit. Made by [`crate::Index::change`] under the lock, carried out by [`crate::Index::commit`].
#[derive(Debug)]
pub struct Change {
    pub(crate) payload: Vec<u8>,
    pub(crate) operations: usize,
    modseq: ModSeq,
    uid_next: Uid,
    keywords: Vec<Keyword>,
}

/// As older versions wrote it: without save date and email id.
const ADD_UNDATED: u8 = 1;
const FLAGS: u8 = 2;
const KEY: u8 = 3;
const SIZE: u8 = 4;
const EXPUNGE: u8 = 5;
const KEYWORD: u8 = 6;
const FIRST_RECENT: u8 = 7;
const STATE: u8 = 8;
const UID_NEXT: u8 = 9;
const ADD: u8 = 10;

impl Change {
    pub(crate) fn new(facts: &Facts) -> Change {
        let modseq = facts.highest_modseq + 1;
        Change {
            payload: modseq.to_le_bytes().to_vec(),
            operations: 0,
            modseq,
            uid_next: facts.uid_next,
            keywords: facts.keywords.clone(),
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// The modseq that everything visible in this change gets.
    pub fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// The UID that the next [`Change::add`] gives.
    pub fn uid_next(&self) -> Uid {
        self.uid_next
    }

    /// A new message; it gets the next UID.
    ///
    /// # Errors
    /// [`Error::OverLimit`]: no UID is left, too many keywords, a key over [`KEY_BYTES_MAX`].
    pub fn add(&mut self, message: NewMessage<'_>) -> Result<Uid> {
        let uid = self.uid_next;
        self.uid_next = uid
            .checked_add(1)
            .ok_or_else(|| Error::OverLimit("the mailbox has no UIDs left".to_owned()))?;
        check_length(message.key, KEY_BYTES_MAX, "the key of a message")?;
        let bits = self.keyword_bits(&message.flags.keywords)?;
        self.operation(ADD, uid);
        self.payload.push(message.flags.system.0);
        self.payload.extend_from_slice(&bits.to_le_bytes());
        self.payload.extend_from_slice(&message.size_bytes.to_le_bytes());
        self.payload
            .extend_from_slice(&message.internal_date_secs.to_le_bytes());
        self.payload
            .extend_from_slice(&message.save_date_secs.to_le_bytes());
        self.payload.extend_from_slice(&message.email_id.to_le_bytes());
        self.counted(message.key);
        Ok(uid)
    }

    /// Moves the next UID up to `uid_next`, for UIDs that another program has handed out.
    pub fn skip_to_uid(&mut self, uid_next: Uid) {
        if uid_next > self.uid_next {
            self.uid_next = uid_next;
            self.operation(UID_NEXT, uid_next);
        }
    }

    /// The message's flags from now on; raises its modseq.
    ///
    /// # Errors
    /// [`Error::OverLimit`] for too many keywords.
    pub fn set_flags(&mut self, uid: Uid, flags: &Flags) -> Result<()> {
        let bits = self.keyword_bits(&flags.keywords)?;
        self.operation(FLAGS, uid);
        self.payload.push(flags.system.0);
        self.payload.extend_from_slice(&bits.to_le_bytes());
        Ok(())
    }

    /// The message is found under another key from now on.
    ///
    /// # Errors
    /// [`Error::OverLimit`] for a key over [`KEY_BYTES_MAX`].
    pub fn set_key(&mut self, uid: Uid, key: &[u8]) -> Result<()> {
        check_length(key, KEY_BYTES_MAX, "the key of a message")?;
        self.operation(KEY, uid);
        self.counted(key);
        Ok(())
    }

    /// The message's size turned out to be another.
    pub fn set_size(&mut self, uid: Uid, size_bytes: u64) {
        self.operation(SIZE, uid);
        self.payload.extend_from_slice(&size_bytes.to_le_bytes());
    }

    /// The message is gone; remembered in the expunge history.
    pub fn expunge(&mut self, uid: Uid) {
        self.operation(EXPUNGE, uid);
    }

    /// Messages from this UID on are recent to the next session that asks.
    pub fn set_first_recent(&mut self, uid: Uid) {
        self.operation(FIRST_RECENT, uid);
    }

    /// What the store wants to remember of the mailbox (times of directories, length of a file); opaque here.
    ///
    /// # Errors
    /// [`Error::OverLimit`] for a state over [`STATE_BYTES_MAX`].
    pub fn set_state(&mut self, state: &[u8]) -> Result<()> {
        check_length(state, STATE_BYTES_MAX, "the state of a store")?;
        self.operation(STATE, 0);
        self.counted(state);
        Ok(())
    }

    fn keyword_bits(&mut self, keywords: &[Keyword]) -> Result<u64> {
        let mut bits = 0;
        for keyword in keywords {
            let number = match self.keywords.iter().position(|known| known == keyword) {
                Some(number) => number,
                None if self.keywords.len() >= KEYWORDS_MAX => {
                    return Err(Error::OverLimit(format!(
                        "A mailbox knows at most {KEYWORDS_MAX} keywords"
                    )));
                }
                None => {
                    self.keywords.push(keyword.clone());
                    self.operation(KEYWORD, 0);
                    self.counted(keyword.as_str().as_bytes());
                    self.keywords.len() - 1
                }
            };
            bits |= 1 << number;
        }
        Ok(bits)
    }

    fn operation(&mut self, code: u8, uid: Uid) {
        self.operations += 1;
        self.payload.push(code);
        self.payload.extend_from_slice(&uid.to_le_bytes());
    }

    fn counted(&mut self, bytes: &[u8]) {
        self.payload
            .extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.payload.extend_from_slice(bytes);
    }
}

fn check_length(bytes: &[u8], max: usize, what: &str) -> Result<()> {
    match bytes.len() <= max {
        true => Ok(()),
        false => Err(Error::OverLimit(format!("{what} is longer than {max} bytes"))),
    }
}

impl Facts {
    /// Carries out the operations of a payload, of which there are so many; `None` when it is not well-formed.
    pub(crate) fn apply(&mut self, payload: &[u8]) -> Option<usize> {
        let mut reader = Reader(payload);
        let modseq = reader.u64()?;
        let mut operations = 0;
        let mut expunged = Vec::new();
        while let Some(code) = reader.u8() {
            let uid = reader.u32()?;
            operations += 1;
            if matches!(code, ADD | ADD_UNDATED | FLAGS | EXPUNGE) {
                self.highest_modseq = self.highest_modseq.max(modseq);
            }
            match code {
                ADD | ADD_UNDATED => self.apply_add(uid, modseq, code == ADD, &mut reader)?,
                FLAGS => {
                    let (system, bits) = (SystemFlags(reader.u8()?), reader.u64()?);
                    if let Some(record) = self.record_mut(uid) {
                        (record.system, record.keyword_bits, record.modseq) = (system, bits, modseq);
                    }
                }
                KEY => self.apply_key(uid, reader.counted()?)?,
                SIZE => {
                    let size = reader.u64()?;
                    if let Some(record) = self.record_mut(uid) {
                        record.size_bytes = size;
                    }
                }
                EXPUNGE => expunged.push(uid),
                KEYWORD => self
                    .keywords
                    .push(Keyword::new(std::str::from_utf8(reader.counted()?).ok()?)),
                FIRST_RECENT => self.first_recent = uid,
                STATE => self.state = reader.counted()?.to_vec(),
                UID_NEXT => self.uid_next = self.uid_next.max(uid),
                _ => return None,
            }
        }
        self.remove(modseq, expunged);
        Some(operations)
    }

    fn apply_add(&mut self, uid: Uid, modseq: ModSeq, is_dated: bool, reader: &mut Reader<'_>) -> Option<()> {
        let system = SystemFlags(reader.u8()?);
        let keyword_bits = reader.u64()?;
        let size_bytes = reader.u64()?;
        let internal_date_secs = reader.u64()? as i64;
        let (save_date_secs, email_id) = match is_dated {
            true => (reader.u64()? as i64, reader.u64()?),
            false => (0, 0),
        };
        let key = reader.counted()?;
        if self.records.last().is_some_and(|last| last.uid >= uid) {
            return None;
        }
        let key_at = u32::try_from(self.keys.len()).ok()?;
        let key_bytes = key.len() as u32;
        self.keys.extend_from_slice(key);
        self.records.push(Record {
            uid,
            system,
            keyword_bits,
            modseq,
            size_bytes,
            internal_date_secs,
            save_date_secs,
            email_id,
            key_at,
            key_bytes,
        });
        self.uid_next = uid + 1;
        Some(())
    }

    fn apply_key(&mut self, uid: Uid, key: &[u8]) -> Option<()> {
        let key_at = u32::try_from(self.keys.len()).ok()?;
        if let Some(record) = self.record_mut(uid) {
            (record.key_at, record.key_bytes) = (key_at, key.len() as u32);
            self.keys.extend_from_slice(key);
        }
        Some(())
    }

    fn remove(&mut self, modseq: ModSeq, mut uids: Vec<Uid>) {
        if uids.is_empty() {
            return;
        }
        uids.sort_unstable();
        uids.dedup();
        let mut next = uids.iter().copied().peekable();
        let history = &mut self.history;
        self.records.retain(|record| {
            while next.next_if(|uid| *uid < record.uid).is_some() {}
            let gone = next.next_if_eq(&record.uid).is_some();
            if gone {
                history.add(modseq, record.uid);
            }
            !gone
        });
    }

    fn record_mut(&mut self, uid: Uid) -> Option<&mut Record> {
        let at = self
            .records
            .binary_search_by_key(&uid, |record| record.uid)
            .ok()?;
        Some(&mut self.records[at])
    }
}
