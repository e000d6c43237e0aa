//! One mailbox: its directory, its index, and the agreement between the two, whatever other programs do.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailbox::{Body, Error, Flags, Result, Uid, UidValidity};
use mailbox_index::{CacheFile, Change, Durability, Index, Lock, NewMessage, Record, email_id};

use crate::keywords::Letters;
use crate::scan::{self, Seen};
use crate::{body, file_name, paths, uidlist};

/// How often a message is looked for that others keep renaming.
const FIND_TRIES_MAX: usize = 5;

/// An open mailbox. Every method but [`Folder::index`] is called under the lock of [`Folder::lock`].
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) index: Index,
    pub(crate) letters: Letters,
    pub(crate) cache: Arc<CacheFile>,
    /// What of an index that was here is gone, so that the mailbox got a new UIDVALIDITY.
    damage: Option<String>,
    /// Whether `tmp` was looked at for leftovers.
    tidied: bool,
}

/// A change of `cur` by ourselves that has begun: whether the directory was as we knew it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnChange {
    clean: bool,
}

impl Folder {
    /// Opens the maildir at `path`, making what is missing of it and of its index.
    pub(crate) fn open(path: PathBuf, mut new_uid_validity: impl FnMut() -> UidValidity) -> Result<Folder> {
        paths::create_maildir(&path)?;
        let dovecots = uidlist::read(&path).map(|list| list.uid_validity);
        // Once there was an index of ours Dovecot's list is out of date: its UIDs were given on from here.
        let had_index = uidlist::was_imported(&path)
            || ["yubin.index", "yubin.index.log"]
                .iter()
                .any(|file| std::fs::metadata(path.join(file)).is_ok_and(|meta| meta.len() > 0));
        let index = Index::open(&path, || match dovecots {
            Some(uid_validity) if !had_index => uid_validity,
            stale => match new_uid_validity() {
                new if Some(new) == stale => new_uid_validity(),
                new => new,
            },
        })?;
        let lost = || format!("the index in {} is missing", path.display());
        let damage = match index.damage() {
            None if index.is_new() && had_index => Some(lost()),
            damage => damage.map(str::to_owned),
        };
        if dovecots.is_some() && !index.is_new() {
            uidlist::note_imported(&path)?;
        }
        let letters = Letters::of(&path);
        let cache = Arc::new(CacheFile::new(&path, index.uid_validity()));
        Ok(Folder {
            path,
            index,
            letters,
            cache,
            damage,
            tidied: false,
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

    pub(crate) fn cur(&self) -> PathBuf {
        self.path.join("cur")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// The file of a message.
    pub(crate) fn file(&self, record: &Record) -> PathBuf {
        self.cur().join(OsStr::from_bytes(self.index.key(record)))
    }

    /// Takes the mailbox's lock and learns what others have committed.
    pub(crate) fn lock(&mut self) -> Result<Lock> {
        Ok(self.index.lock()?)
    }

    /// Brings the index up to date with the files, so that it can be shown. Cheap when nobody changed the directories.
    pub(crate) fn sync(&mut self, lock: &Lock) -> Result<()> {
        self.look(lock)?;
        Ok(self.index.settle(lock)?)
    }

    /// As [`Folder::sync`], for those who show nobody a UID.
    pub(crate) fn look(&mut self, lock: &Lock) -> Result<()> {
        self.sync_reading(lock, false)?;
        if !self.tidied {
            self.tidied = true;
            let in_index = |base: &[u8]| self.bases().any(|known| known == base);
            scan::tidy_tmp(&self.path, paths::now_ns(), in_index)?;
        }
        Ok(())
    }

    /// As [`Folder::sync`]; `surely` reads the directories even if nothing hints at a change.
    pub(crate) fn sync_reading(&mut self, lock: &Lock, surely: bool) -> Result<()> {
        let (new, cur) = (self.path.join("new"), self.cur());
        let first = self.index.state().is_empty();
        let seen = Seen::decode(self.index.state());
        let now = paths::now_ns();
        let (new_ns, cur_ns) = (paths::changed_at(&new)?, paths::changed_at(&cur)?);
        let read_new = surely || seen.new_ns == 0 || seen.new_ns != new_ns;
        let read_cur = surely || seen.must_read_cur(cur_ns, now);
        if !read_new && !read_cur {
            return Ok(());
        }
        let mut change = self.index.change(lock);
        let mut next = seen;
        let mut moved = Vec::new();
        if read_new {
            moved = scan::move_new_to_cur(&self.path)?;
            next.new_ns = scan::trusted(paths::changed_at(&new)?, now);
        }
        self.letters.refresh()?;
        if read_cur {
            let cur_ns_now = paths::changed_at(&cur)?;
            let entries = scan::read_cur(&self.path)?;
            self.compare(&mut change, entries, &moved, first)?;
            next.cur_ns = scan::trusted(cur_ns_now, now);
            next.own_change_ns = 0;
            if next.cur_ns == 0 && seen.cur_ns == cur_ns {
                // Only our own change makes the time doubtful: look again later, not at once.
                (next.cur_ns, next.own_change_ns) = (cur_ns_now, now);
            }
        } else if !moved.is_empty() {
            let known: HashSet<&[u8]> = self.bases().collect();
            let arrived = moved.iter().filter(|name| !known.contains(file_name::base(name)));
            let arrived: Vec<Vec<u8>> = arrived.cloned().collect();
            self.add_found(&mut change, arrived)?;
            next.cur_ns = paths::changed_at(&cur)?;
            next.own_change_ns = if seen.own_change_ns == 0 {
                now
            } else {
                seen.own_change_ns
            };
        }
        let durability = if change.is_empty() {
            Durability::Cached
        } else {
            Durability::Synced
        };
        if next != seen || first {
            change.set_state(&next.encode())?;
        }
        self.index.commit(lock, change, durability)?;
        if first && uidlist::exists(&self.path) {
            uidlist::note_imported(&self.path)?;
        }
        Ok(())
    }

    /// Lets the cache forget messages that are gone.
    pub(crate) fn clean_cache(&self) {
        let living = || self.index.records().iter().map(|record| record.uid).collect();
        self.cache.clean(living);
    }

    fn bases(&self) -> impl Iterator<Item = &[u8]> {
        self.index
            .records()
            .iter()
            .map(|record| file_name::base(self.index.key(record)))
    }

    /// Compares what the index knows with what is in `cur`.
    fn compare(
        &self,
        change: &mut Change,
        mut entries: HashMap<Vec<u8>, Vec<u8>>,
        moved: &[Vec<u8>],
        first: bool,
    ) -> Result<()> {
        let mut missing = Vec::new();
        for record in self.index.records() {
            let key = self.index.key(record);
            match entries.remove(file_name::base(key)) {
                Some(name) if name == key => {}
                Some(name) => self.renamed(change, record, &name)?,
                None => missing.push(record),
            }
        }
        if !missing.is_empty() {
            // A file that is renamed while the directory is read may not show up in it.
            let again = scan::read_cur(&self.path)?;
            for record in missing {
                let key = self.index.key(record);
                match again.get(file_name::base(key)) {
                    Some(name) if name == key => {}
                    Some(name) => self.renamed(change, record, name)?,
                    None if self.mend(record)? => {}
                    None => change.expunge(record.uid),
                }
            }
        }
        let arrived: HashSet<&[u8]> = moved.iter().map(Vec::as_slice).collect();
        let (late, early): (Vec<Vec<u8>>, Vec<Vec<u8>>) = entries
            .into_values()
            .partition(|name| arrived.contains(name.as_slice()));
        if first {
            self.import(change, early)?;
            change.set_first_recent(change.uid_next());
        } else {
            self.add_found(change, early)?;
        }
        self.add_found(change, late)
    }

    /// Finishes an append that a crash interrupted: the index has the message, the file is still in `tmp`.
    fn mend(&self, record: &Record) -> Result<bool> {
        let waiting = self
            .tmp()
            .join(OsStr::from_bytes(file_name::base(self.index.key(record))));
        match std::fs::rename(&waiting, self.file(record)) {
            Ok(()) => paths::sync_directory(&self.cur()).map(|()| true),
            Err(error) if paths::is_missing(&error) => Ok(false),
            Err(error) => Err(paths::failed("move to cur", &waiting)(error)),
        }
    }

    /// Another program renamed a message: takes over its flags.
    fn renamed(&self, change: &mut Change, record: &Record, name: &[u8]) -> Result<()> {
        let known = self.index.flags(record);
        let mut flags = self.flags_of(name);
        let without_letter = known
            .keywords
            .iter()
            .filter(|keyword| !self.letters.has(keyword))
            .cloned();
        flags.keywords.extend(without_letter);
        let same = flags.system == known.system
            && flags.keywords.len() == known.keywords.len()
            && flags.keywords.iter().all(|keyword| known.has_keyword(keyword));
        if !same {
            change.set_flags(record.uid, &flags)?;
        }
        Ok(change.set_key(record.uid, name)?)
    }

    fn flags_of(&self, name: &[u8]) -> Flags {
        let (system, letters) = file_name::flags(name);
        Flags {
            system,
            keywords: self.letters.keywords(letters),
        }
    }

    /// Takes in what was there before us, with the UIDs that Dovecot gave where it did.
    fn import(&self, change: &mut Change, names: Vec<Vec<u8>>) -> Result<()> {
        let list = uidlist::read(&self.path).filter(|list| list.uid_validity == self.index.uid_validity());
        let Some(list) = list else {
            return self.add_found(change, names);
        };
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            match list.uids.get(file_name::base(&name)) {
                Some(uid) => known.push((*uid, name)),
                None => unknown.push(name),
            }
        }
        known.sort_unstable();
        let cur = self.open_cur()?;
        for (uid, name) in known {
            change.skip_to_uid(uid);
            self.add_one(change, &cur, &name)?;
        }
        change.skip_to_uid(list.uid_next);
        self.add_found(change, unknown)
    }

    fn add_found(&self, change: &mut Change, names: Vec<Vec<u8>>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let mut ordered: Vec<((u64, u64), Vec<u8>)> = names
            .into_iter()
            .map(|name| (file_name::time(&name), name))
            .collect();
        ordered.sort_unstable();
        let cur = self.open_cur()?;
        ordered
            .iter()
            .try_for_each(|(_, name)| self.add_one(change, &cur, name))
    }

    /// The directory itself, through which many files are looked at cheaply.
    fn open_cur(&self) -> Result<File> {
        let cur = self.cur();
        File::open(&cur).map_err(paths::failed("open", &cur))
    }

    fn add_one(&self, change: &mut Change, cur: &File, name: &[u8]) -> Result<()> {
        let path = || self.cur().join(OsStr::from_bytes(name));
        let look = match os::files::look_at(cur, OsStr::from_bytes(name)) {
            Ok(found) => found,
            // Gone or renamed meanwhile: the next look at the directory tells.
            Err(error) if paths::is_missing(&error) => return Ok(()),
            Err(error) => return Err(paths::failed("look at", &path())(error)),
        };
        let size_bytes = match size_in_name(name, look.bytes) {
            Some(size) => size,
            None => match paths::open(&path()) {
                Ok(file) => body::count_octets(&file, look.bytes, &path())?,
                Err(error) if paths::is_missing(&error) => return Ok(()),
                // Somebody made it unreadable; it is a message all the same.
                Err(_) => look.bytes,
            },
        };
        let flags = self.flags_of(name);
        let message = NewMessage {
            flags: &flags,
            size_bytes,
            internal_date_secs: look.modified_secs,
            // The last thing that happened to a file that nobody knew is that it was put there.
            save_date_secs: look.changed_secs,
            email_id: email_id(file_name::base(name)),
            key: name,
        };
        change.add(message)?;
        Ok(())
    }

    /// Does `act` with the file of a message, finding it again when others rename it.
    pub(crate) fn with_file<T>(
        &mut self,
        lock: &Lock,
        uid: Uid,
        mut act: impl FnMut(&Path, &Record) -> std::io::Result<T>,
    ) -> Result<T> {
        for _ in 0..FIND_TRIES_MAX {
            let record = *self.index.record(uid).ok_or(Error::NoSuchMessage(uid))?;
            let path = self.file(&record);
            match act(&path, &record) {
                Err(error) if paths::is_missing(&error) => self.sync_reading(lock, true)?,
                Err(error) => return Err(paths::failed("use", &path)(error)),
                Ok(result) => return Ok(result),
            }
        }
        Err(Error::NoSuchMessage(uid))
    }

    /// The content of a message, if its file lies where it lay when it was last seen. Needs no lock: what has its name is the
    /// message.
    pub(crate) fn body_as_seen(&self, uid: Uid) -> Option<Arc<dyn Body>> {
        let record = self.index.record(uid)?;
        let path = self.file(record);
        let file = paths::open(&path).ok()?;
        let file_bytes = file_name::number(self.index.key(record), b'S');
        let body = body::open(file, path, record.size_bytes, file_bytes).ok()?;
        (body.size_bytes() == record.size_bytes).then_some(body)
    }

    /// The content of a message.
    pub(crate) fn body(&mut self, lock: &Lock, uid: Uid) -> Result<Arc<dyn Body>> {
        if self.index.record(uid).is_none() {
            self.sync(lock)?;
        }
        let (file, path, record) = self.with_file(lock, uid, |path, record| {
            Ok((paths::open(path)?, path.to_owned(), *record))
        })?;
        let file_bytes = file_name::number(self.index.key(&record), b'S');
        let body = body::open(file, path, record.size_bytes, file_bytes)?;
        if body.size_bytes() != record.size_bytes {
            let mut change = self.index.change(lock);
            change.set_size(uid, body.size_bytes());
            self.index.commit(lock, change, Durability::Cached)?;
        }
        Ok(body)
    }

    /// To be called before we change names in `cur`.
    pub(crate) fn begin_own_change(&self) -> Result<OwnChange> {
        let seen = Seen::decode(self.index.state());
        Ok(OwnChange {
            clean: seen.cur_ns != 0 && seen.cur_ns == paths::changed_at(&self.cur())?,
        })
    }

    /// To be called after we changed names in `cur`: notes that the new time of the directory is our doing.
    pub(crate) fn end_own_change(&self, change: &mut Change, own: OwnChange) -> Result<()> {
        let mut seen = Seen::decode(self.index.state());
        if own.clean {
            seen.cur_ns = paths::changed_at(&self.cur())?;
            if seen.own_change_ns == 0 {
                seen.own_change_ns = paths::now_ns();
            }
        } else {
            seen.cur_ns = 0;
        }
        // Before the first look the state stays empty: the files that were here before have to be imported.
        if !self.index.state().is_empty() {
            change.set_state(&seen.encode())?;
        }
        Ok(())
    }
}

/// The size with CRLF lines as a name tells it, if the name fits a file of this length.
fn size_in_name(name: &[u8], file_bytes: u64) -> Option<u64> {
    let size = file_name::number(name, b'W')?;
    let fits =
        file_name::number(name, b'S') == Some(file_bytes) && (file_bytes..=2 * file_bytes).contains(&size);
    fits.then_some(size)
}
