//! One mbox file and its index, held together: looking for changes, appending, rewriting.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailbox::{Flags, SystemFlags, Uid, UidSet, UidValidity};
use mailbox_index::{CacheFile, Change, Durability, Index, Lock, NewMessage, Record};
use os::locks::Mode;

use crate::body::MboxBody;
use crate::headers::{self, Filter};
use crate::keeper::Kept;
use crate::locking::{Fingerprint, Handle, Held, Locks, is_forbidden};
use crate::rewrite::Target;
use crate::scan::{self, Place, Scan};
use crate::spool::Spool;
use crate::store::now_secs;
use crate::{Error, Result, deliver};

/// How often a file is looked at anew when it changes before it is locked.
const TRIES_MAX: usize = 10;
const PIECE_BYTES: usize = 64 * 1024;

/// Where a mailbox lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) file: PathBuf,
    pub(crate) index: PathBuf,
    /// INBOX may be missing; it is empty then.
    pub(crate) may_be_missing: bool,
}

/// In the index directory: from now on the index alone knows the UIDs, and what the file notes is out of date.
const IMPORTED: &str = "yubin.imported";

/// An mbox file with its index.
pub(crate) struct MailboxFile {
    pub(crate) paths: Paths,
    locks: Locks,
    /// Who makes files where this process may not.
    kept: Option<Kept>,
    pub(crate) index: Index,
    pub(crate) cache: Arc<CacheFile>,
    file: Option<Arc<Handle>>,
    /// As the file was when `places` was right.
    fingerprint: Option<Fingerprint>,
    places: HashMap<Uid, Place>,
    /// The file may be read, not written.
    read_only: bool,
    /// What of an index that was here is gone, so that the mailbox got a new UIDVALIDITY.
    damage: Option<String>,
}

impl MailboxFile {
    /// Opens a mailbox that exists. A new index takes the UIDVALIDITY that another program noted in the file, but not
    /// when there was an index before: UIDs were given on since then that the file does not know of.
    pub(crate) fn open(
        paths: Paths,
        (locks, kept): (Locks, Option<Kept>),
        new_validity: impl Fn() -> UidValidity,
    ) -> mailbox::Result<MailboxFile> {
        let had_index = [IMPORTED, "yubin.index", "yubin.index.log"]
            .iter()
            .any(|file| std::fs::metadata(paths.index.join(file)).is_ok_and(|meta| meta.len() > 0));
        let index = Index::open(&paths.index, || match noted_validity(&paths.file) {
            Some(noted) if !had_index => noted,
            stale => match new_validity() {
                new if Some(new) == stale => new_validity(),
                new => new,
            },
        })?;
        let damage = match index.damage() {
            None if index.is_new() && had_index => {
                Some(format!("the index in {} is missing", paths.index.display()))
            }
            damage => damage.map(str::to_owned),
        };
        let cache = Arc::new(CacheFile::new(&paths.index, index.uid_validity()));
        Ok(MailboxFile {
            paths,
            locks,
            kept,
            index,
            cache,
            file: None,
            fingerprint: None,
            places: HashMap::new(),
            read_only: false,
            damage,
        })
    }

    /// What was found damaged or missing when the mailbox was opened, and what became of it.
    pub(crate) fn damage(&self) -> Option<String> {
        let damage = self.damage.as_ref()?;
        let uid_validity = self.index.uid_validity();
        Some(format!(
            "Corrupted index: {damage}: it is made anew, and messages get new UIDs under UIDVALIDITY {uid_validity}"
        ))
    }

    /// Whether changes are refused; known since the last look at the file.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Takes the index's lock and learns what other programs did to the file.
    pub(crate) fn lock(&mut self) -> mailbox::Result<Lock> {
        let lock = self.index.lock()?;
        self.refresh(&lock)?;
        Ok(lock)
    }

    fn refresh(&mut self, lock: &Lock) -> mailbox::Result<()> {
        for _ in 0..TRIES_MAX {
            let Some(now) = Fingerprint::of_path(&self.paths.file)? else {
                return self.missing(lock);
            };
            let interrupted = crate::rewrite::is_interrupted(&self.paths.index);
            if Some(now) == self.fingerprint && !interrupted {
                return Ok(());
            }
            let (handle, read_only) = open_file(&self.paths.file)?;
            let handle = Arc::new(handle);
            self.read_only = read_only;
            if interrupted {
                let with = (&self.locks, self.kept.as_ref().map(Kept::spool));
                let held = Held::take_with(&handle, &self.paths.file, Mode::Exclusive, with)?;
                self.target(&handle).recover()?;
                drop(held);
            }
            let held = Held::take(&handle, &self.paths.file, Mode::Shared, &self.locks)?;
            let seen = Fingerprint::of_file(&handle, &self.paths.file)?;
            if Fingerprint::of_path(&self.paths.file)?.map(|f| f.inode) != Some(seen.inode) {
                continue;
            }
            let scan = self.scan(&handle, seen)?;
            drop(held);
            return self.take_in(lock, handle, (scan, seen));
        }
        Err(Error::Replaced(self.paths.file.clone()).into())
    }

    /// What is in the file. Under a lock on it.
    fn scan(&self, handle: &Handle, seen: Fingerprint) -> mailbox::Result<Scan> {
        let scan = scan::scan(handle, &self.paths.file, seen.size)?;
        if scan.garbage_bytes > 0 && scan.messages.is_empty() {
            let what = "it does not begin with a From line";
            return Err(Error::NotAMailbox(self.paths.file.clone(), what).into());
        }
        Ok(scan)
    }

    fn take_in(
        &mut self,
        lock: &Lock,
        handle: Arc<Handle>,
        (scan, seen): (Scan, Fingerprint),
    ) -> mailbox::Result<()> {
        self.reconcile(lock, scan)?;
        self.file = Some(handle);
        self.fingerprint = Some(seen);
        Ok(())
    }

    fn missing(&mut self, lock: &Lock) -> mailbox::Result<()> {
        if !self.paths.may_be_missing {
            return Err(mailbox::Error::NoSuchMailbox(
                self.paths.file.display().to_string(),
            ));
        }
        self.file = None;
        self.fingerprint = None;
        self.reconcile(lock, Scan::default())
    }

    fn target<'a>(&'a self, file: &'a File) -> Target<'a> {
        Target {
            file,
            path: &self.paths.file,
            journal_directory: &self.paths.index,
        }
    }

    /// Makes the index agree with what the file holds.
    fn reconcile(&mut self, lock: &Lock, scan: Scan) -> mailbox::Result<()> {
        let is_new = self.index.uid_next() == 1;
        let mut known: HashMap<u64, VecDeque<Record>> = HashMap::new();
        for record in self.index.records() {
            known
                .entry(Key::of(self.index.key(record)).hash)
                .or_default()
                .push_back(*record);
        }
        let mut change = self.index.change(lock);
        let mut places = HashMap::with_capacity(scan.messages.len());
        let highest = scan.base.map_or(0, |(_, highest)| highest);
        for found in scan.messages {
            let key = Key {
                hash: found.place.hash,
                system: found.notes.flags.system,
            };
            let same = known.get_mut(&key.hash);
            let uid = match same.and_then(|records| take_same(records, found.notes.uid)) {
                Some(record) => {
                    if record.size_bytes != found.size_bytes {
                        change.set_size(record.uid, found.size_bytes);
                    }
                    if Key::of(self.index.key(&record)).system != key.system {
                        // Another program has changed its flags in the file.
                        let flags = Flags {
                            system: key.system,
                            ..self.index.flags(&record)
                        };
                        change.set_flags(record.uid, &flags)?;
                        change.set_key(record.uid, &key.encode())?;
                    }
                    record.uid
                }
                None => {
                    if let Some(uid) = found.notes.uid.filter(|uid| is_new && *uid <= highest) {
                        change.skip_to_uid(uid);
                    }
                    add_found(&mut change, &found, key)?
                }
            };
            places.insert(uid, found.place);
        }
        if is_new && highest < Uid::MAX {
            change.skip_to_uid(highest + 1);
        }
        known
            .into_values()
            .flatten()
            .for_each(|record| change.expunge(record.uid));
        self.index.commit(lock, change, Durability::Synced)?;
        self.places = places;
        if is_new && self.index.uid_next() > 1 {
            note_imported(&self.paths.index)?;
        }
        Ok(())
    }

    /// A message's content.
    pub(crate) fn body(&self, uid: Uid) -> mailbox::Result<Arc<dyn mailbox::Body>> {
        let gone = || mailbox::Error::NoSuchMessage(uid);
        let record = self.index.record(uid).ok_or_else(gone)?;
        let place = self.places.get(&uid).ok_or_else(gone)?;
        let file = self.file.clone().ok_or_else(gone)?;
        let fingerprint = self.fingerprint.unwrap_or_default();
        let place = (*place, record.size_bytes);
        Ok(Arc::new(MboxBody::new(
            (file, self.paths.file.clone()),
            uid,
            place,
            fingerprint,
        )))
    }

    /// Makes the file, or has it made where this process may not.
    fn create(&self) -> Result<()> {
        let path = &self.paths.file;
        match (create_empty(path), &self.kept) {
            (Err(error), Some(kept)) if is_forbidden(error.io_kind()) => kept
                .keeper
                .create(&kept.user)
                .map_err(Error::io("create", path))
                .and_then(|()| deliver::sync_parent(path)),
            (made, _) => made,
        }
    }

    /// Runs `work` with the file locked against everybody, as `places` knows it.
    fn exclusively<R>(
        &mut self,
        lock: &Lock,
        work: impl FnOnce(&mut MailboxFile, &Held<'_>) -> mailbox::Result<R>,
    ) -> mailbox::Result<R> {
        for _ in 0..TRIES_MAX {
            if self.file.is_none() {
                match self.create() {
                    Err(error) if error.io_kind() != Some(ErrorKind::AlreadyExists) => {
                        return Err(error.into());
                    }
                    _ => self.refresh(lock)?,
                }
            }
            let Some(handle) = self.file.clone() else { continue };
            if self.read_only {
                return Err(mailbox::Error::ReadOnly(self.paths.file.display().to_string()));
            }
            let path = self.paths.file.clone();
            let (locks, kept) = (self.locks.clone(), self.kept.clone());
            let with = (&locks, kept.as_ref().map(Kept::spool));
            let held = Held::take_with(&handle, &path, Mode::Exclusive, with)?;
            let seen = Fingerprint::of_file(&handle, &path)?;
            let is_there = Fingerprint::of_path(&path)?.map(|found| found.inode) == Some(seen.inode);
            if is_there && !crate::rewrite::is_interrupted(&self.paths.index) {
                // Whatever came since the last look is taken in under this lock: who waits for it elsewhere may be quicker
                // every time.
                if Some(seen) != self.fingerprint {
                    let scan = self.scan(&handle, seen)?;
                    self.take_in(lock, Arc::clone(&handle), (scan, seen))?;
                }
                let result = work(self, &held);
                drop(held);
                return result;
            }
            drop(held);
            self.refresh(lock)?;
        }
        Err(Error::Replaced(self.paths.file.clone()).into())
    }

    /// Appends what is in the spool; all or nothing.
    pub(crate) fn append(&mut self, lock: &Lock, spool: &Spool) -> mailbox::Result<Vec<Uid>> {
        if spool.messages.is_empty() {
            return Ok(Vec::new());
        }
        self.exclusively(lock, |mailbox, held| {
            let handle = held.file();
            let size = Fingerprint::of_file(handle, &mailbox.paths.file)?.size;
            held.begin_append(size)?;
            let appended = mailbox.append_at(lock, handle, size, spool);
            if appended.is_err() {
                let _ = handle.set_len(size).and_then(|()| handle.sync_all());
            }
            mailbox.fingerprint = Some(Fingerprint::of_file(handle, &mailbox.paths.file)?);
            appended
        })
    }

    fn append_at(&mut self, lock: &Lock, file: &File, size: u64, spool: &Spool) -> mailbox::Result<Vec<Uid>> {
        let path = self.paths.file.clone();
        let mut change = self.index.change(lock);
        let mut output = At { file, at: size };
        let said = || Error::io("write", &path);
        output
            .write_all(deliver::separator(file, &path, size)?)
            .map_err(said())?;
        let mut added = Vec::with_capacity(spool.messages.len());
        for message in &spool.messages {
            let key = Key {
                hash: message.hash,
                system: message.flags.system,
            };
            let uid = change.add(NewMessage {
                flags: &message.flags,
                size_bytes: message.size_bytes,
                internal_date_secs: message.internal_date_secs,
                save_date_secs: now_secs(),
                email_id: message.email_id,
                key: &key.encode(),
            })?;
            let body_bytes = message.end - message.start - message.header_bytes;
            let from_at = output.at;
            let mut notes = Vec::new();
            if from_at == 0 {
                self.write_base(uid, &mut notes);
            }
            headers::write(&message.flags, uid, body_bytes, &mut notes);
            let begins_folded = spool.first_octet(message)?.is_some_and(headers::begins_folded);
            let notes_at = match begins_folded {
                true => spool.header_end(message)?,
                false => message.start,
            };
            output.write_all(&message.from_line).map_err(said())?;
            let header_at = output.at;
            spool.copy(message.start, notes_at, &mut output)?;
            output.write_all(&notes).map_err(said())?;
            spool.copy(notes_at, message.end, &mut output)?;
            let end = output.at;
            output.write_all(b"\n").map_err(said())?;
            let body_at = end - body_bytes;
            added.push((
                uid,
                Place {
                    from_at,
                    header_at,
                    body_at,
                    begins_folded,
                    end,
                    hash: message.hash,
                },
            ));
        }
        file.sync_all().map_err(Error::io("sync", &path))?;
        self.index.commit(lock, change, Durability::Synced)?;
        self.places.extend(added.iter().copied());
        Ok(added.into_iter().map(|(uid, _)| uid).collect())
    }

    /// The line by which other programs go on with our UIDs.
    fn write_base(&self, highest: Uid, output: &mut Vec<u8>) {
        let mut line = format!("X-IMAPbase: {} {highest:010}", self.index.uid_validity());
        for keyword in self.index.keywords() {
            line.push(' ');
            line.push_str(keyword.as_str());
        }
        line.push('\n');
        output.extend_from_slice(line.as_bytes());
    }

    /// Removes messages from file and index.
    pub(crate) fn expunge(&mut self, lock: &Lock, gone: &UidSet) -> mailbox::Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        self.exclusively(lock, |mailbox, held| mailbox.rewrite(lock, held.file(), gone))
    }

    /// Writes flags that only the index knows into the file, for other programs.
    pub(crate) fn write_back(&mut self) -> mailbox::Result<()> {
        let lock = self.lock()?;
        if self.read_only {
            return Ok(());
        }
        if self.index.records().iter().any(|r| self.is_dirty(r)) {
            self.exclusively(&lock, |mailbox, held| {
                mailbox.rewrite(&lock, held.file(), &UidSet::new())
            })?;
        }
        Ok(())
    }

    fn is_dirty(&self, record: &Record) -> bool {
        Key::of(self.index.key(record)).system != record.system
    }

    /// Writes the file anew from the first message on that is gone or has other flags than the file says.
    fn rewrite(&mut self, lock: &Lock, handle: &Handle, gone: &UidSet) -> mailbox::Result<()> {
        let mut kept: Vec<(Record, Place)> = Vec::new();
        let mut from = u64::MAX;
        let mut change = self.index.change(lock);
        for record in self.index.records() {
            let Some(place) = self.places.get(&record.uid) else {
                continue;
            };
            if gone.contains(record.uid) {
                from = from.min(place.from_at);
                change.expunge(record.uid);
            } else {
                kept.push((*record, *place));
                if self.is_dirty(record) {
                    from = from.min(place.from_at);
                }
            }
        }
        if from == u64::MAX {
            return Ok(());
        }
        kept.retain(|(_, place)| place.from_at >= from);
        kept.sort_by_key(|(_, place)| place.from_at);
        for (record, place) in &kept {
            if self.is_dirty(record) {
                let key = Key {
                    hash: place.hash,
                    system: record.system,
                };
                change.set_key(record.uid, &key.encode())?;
            }
        }
        self.target(handle).rewrite(from, |output| {
            let mut is_first = from == 0;
            for (record, place) in &kept {
                self.write_message(handle, (record, place), is_first, output)?;
                is_first = false;
            }
            Ok(())
        })?;
        self.index.commit(lock, change, Durability::Synced)?;
        self.fingerprint = None;
        self.rescan(lock, handle)
    }

    /// After a rewrite, while the file is still locked.
    fn rescan(&mut self, lock: &Lock, handle: &Handle) -> mailbox::Result<()> {
        let seen = Fingerprint::of_file(handle, &self.paths.file)?;
        let scan = scan::scan(handle, &self.paths.file, seen.size)?;
        self.reconcile(lock, scan)?;
        self.fingerprint = Some(seen);
        Ok(())
    }

    fn write_message(
        &self,
        file: &File,
        (record, place): (&Record, &Place),
        is_first: bool,
        output: &mut dyn Write,
    ) -> std::io::Result<()> {
        crate::rewrite::copy_range(file, place.from_at, place.header_at, output)?;
        let mut last = [b'\n'];
        if place.end > place.header_at {
            file.read_exact_at(&mut last, place.end - 1)?;
        }
        let lacks_end = last != *b"\n";
        let mut notes = Vec::new();
        if is_first {
            self.write_base(self.index.uid_next() - 1, &mut notes);
        }
        let body_bytes = place.end - place.body_at + u64::from(lacks_end && place.body_at < place.end);
        headers::write(&self.index.flags(record), record.uid, body_bytes, &mut notes);
        let mut content = Filtered {
            file,
            filter: Filter::new(),
            output,
        };
        let notes_at = match place.begins_folded {
            true => header_end(file, place)?,
            false => place.header_at,
        };
        content.copy(place.header_at, notes_at)?;
        if notes_at == place.end && lacks_end {
            content.finish()?;
            content.output.write_all(b"\n")?;
        }
        content.output.write_all(&notes)?;
        content.copy(notes_at, place.end)?;
        content.finish()?;
        let ends = if lacks_end && notes_at < place.end {
            "\n\n"
        } else {
            "\n"
        };
        output.write_all(ends.as_bytes())
    }
}

/// A message's content on its way from the file to another place, without the notes in it.
struct Filtered<'a> {
    file: &'a File,
    filter: Filter,
    output: &'a mut dyn Write,
}

impl Filtered<'_> {
    fn copy(&mut self, from: u64, to: u64) -> std::io::Result<()> {
        let (mut piece, mut kept) = (vec![0; PIECE_BYTES], Vec::new());
        let mut at = from;
        while at < to {
            let count = usize::try_from(to - at).unwrap_or(usize::MAX).min(piece.len());
            self.file.read_exact_at(&mut piece[..count], at)?;
            at += count as u64;
            kept.clear();
            self.filter.feed(&piece[..count], &mut kept);
            self.output.write_all(&kept)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        let mut kept = Vec::new();
        self.filter.finish(&mut kept);
        self.output.write_all(&kept)
    }
}

/// Where the fields of a message's header end: before the empty line, if there is one.
fn header_end(file: &File, place: &Place) -> std::io::Result<u64> {
    let count = (place.body_at - place.header_at).min(3) as usize;
    let mut last = [0; 3];
    file.read_exact_at(&mut last[..count], place.body_at - count as u64)?;
    Ok(place.body_at - empty_line_bytes(&last[..count]))
}

/// The length of the empty line that a header ends in; 0 when it ends without one.
pub(crate) fn empty_line_bytes(header: &[u8]) -> u64 {
    match header {
        [.., b'\n', b'\r', b'\n'] => 2,
        [.., b'\n', b'\n'] => 1,
        _ => 0,
    }
}

/// What the index remembers of a message for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    /// [`Place::hash`].
    hash: u64,
    /// The flags that the file says it has.
    system: SystemFlags,
}

impl Key {
    fn encode(self) -> [u8; 9] {
        let mut bytes = [self.system.0; 9];
        bytes[..8].copy_from_slice(&self.hash.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8]) -> Key {
        let hash = bytes.first_chunk().map_or(0, |hash| u64::from_le_bytes(*hash));
        Key {
            hash,
            system: SystemFlags(bytes.get(8).copied().unwrap_or(0)),
        }
    }
}

/// Of records of the same content the one with the noted UID, or else the first.
fn take_same(records: &mut VecDeque<Record>, noted: Option<Uid>) -> Option<Record> {
    let noted = records.iter().position(|record| Some(record.uid) == noted);
    records.remove(noted.unwrap_or(0))
}

fn add_found(change: &mut Change, found: &scan::Found, key: Key) -> mailbox::Result<Uid> {
    let mut add = |flags: &Flags| {
        change.add(NewMessage {
            flags,
            size_bytes: found.size_bytes,
            internal_date_secs: found.date_secs,
            save_date_secs: now_secs(),
            email_id: 0,
            key: &key.encode(),
        })
    };
    // Keywords beyond the limit are the other program's; the message counts more.
    let added = add(&found.notes.flags).or_else(|_| add(&Flags::system(found.notes.flags.system)));
    Ok(added?)
}

/// The open file, and whether it may be read only.
fn open_file(path: &Path) -> Result<(Handle, bool)> {
    let open = match os::files::open_regular(path, File::options().read(true).write(true)) {
        Err(error) if is_closed(error.kind()) => {
            os::files::open_regular(path, File::options().read(true)).map(|file| (file, true))
        }
        other => other.map(|file| (file, false)),
    };
    open.map(|(file, read_only)| (Handle::new(file), read_only))
        .map_err(Error::io("open", path))
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Notes, on disk, that the UIDs have been taken over from the file.
fn note_imported(index: &Path) -> Result<()> {
    let path = index.join(IMPORTED);
    if path.exists() {
        return Ok(());
    }
    os::files::create_like_directory(&path)
        .and_then(|mut file| {
            file.write_all(b"UIDs were taken over from X-UID and X-IMAPbase.\n")?;
            file.sync_all()
        })
        .map_err(Error::io("write", &path))?;
    deliver::sync_parent(&path)
}

/// The UIDVALIDITY that another program has noted in the file.
fn noted_validity(path: &Path) -> Option<UidValidity> {
    let file = Handle::new(os::files::open_regular(path, File::options().read(true)).ok()?);
    let size = file.metadata().ok()?.len();
    scan::noted_base(&file, path, size)
        .ok()?
        .map(|(validity, _)| validity)
}

/// Writes onwards from a place in a file.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Write for At<'_> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write_at(octets, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes an empty mailbox file.
pub(crate) fn create_empty(path: &Path) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("create", path))?;
    deliver::sync_parent(path)
}
