//! How the files of tables are opened and looked at: by this process, and where it may not, by somebody who may and lends what is
//! open. Postfix opens its tables before it gives up root; a process that was never root borrows them instead.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use settings::TableRef;

use crate::types;

/// Opens the regular file at a path for reading, for those who may not. `PermissionDenied`: it may not either, or does not want to.
pub type Lender = Box<dyn Fn(&Path) -> Result<File> + Send + Sync>;

/// After so long it is asked again whether a file that may not be looked at is still the one behind its name. Before, its own state
/// tells: when it was written to, removed or replaced.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

static LENDER: OnceLock<Lender> = OnceLock::new();

/// From now on, what this process may not open or look at is asked of `lender`. The first lender of a process stays.
pub fn borrow_from(lender: Lender) {
    // A second one would be the same: there is one for each process.
    let _ = LENDER.set(lender);
}

/// Opens a text or database of a table, or another file that the lender knows.
///
/// # Errors
/// What the system says, or the lender.
pub fn open(path: &Path) -> Result<File> {
    or_lent(os::files::open_text(path), path, LENDER.get())
}

/// What was not refused, or else what is lent.
fn or_lent(own: Result<File>, path: &Path, lender: Option<&Lender>) -> Result<File> {
    match (own, lender) {
        (Err(error), Some(lender)) if error.kind() == ErrorKind::PermissionDenied => lender(path),
        (own, _) => own,
    }
}

/// The state of a file of a table.
///
/// # Errors
/// As [`open`].
pub fn metadata(path: &Path) -> Result<Metadata> {
    match (std::fs::metadata(path), LENDER.get()) {
        (Err(error), Some(lender)) if error.kind() == ErrorKind::PermissionDenied => lender(path)?.metadata(),
        (found, _) => found,
    }
}

/// A file whose state is asked for again and again.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    /// What was lent, and when.
    lent: Mutex<Option<(File, Instant)>>,
}

impl Watched {
    pub(crate) fn new(path: PathBuf) -> Watched {
        Watched {
            path,
            lent: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file is like now.
    ///
    /// # Errors
    /// As [`open`].
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        self.metadata_by(LENDER.get(), std::fs::metadata(&self.path))
    }

    fn metadata_by(&self, lender: Option<&Lender>, own: Result<Metadata>) -> Result<Metadata> {
        let lender = match (&own, lender) {
            (Err(error), Some(lender)) if error.kind() == ErrorKind::PermissionDenied => lender,
            _ => return own,
        };
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((file, when)) = lent.as_ref()
            && when.elapsed() < TRUSTED_FOR
            && let Ok(found) = file.metadata()
            && found.nlink() > 0
        {
            return Ok(found);
        }
        *lent = None;
        let file = lender(&self.path)?;
        let found = file.metadata()?;
        *lent = Some((file, Instant::now()));
        Ok(found)
    }
}

/// The files that a table is read from, as far as its name tells: for `hash:/x` the database `/x.db` and the text `/x`, which
/// stands in for a database that another program wrote. None for tables that are no files.
pub fn of_table(table: &TableRef) -> Vec<PathBuf> {
    let mut found = Vec::new();
    gather(table, 0, &mut found);
    found.retain(|path| path.is_absolute());
    found
}

fn gather(table: &TableRef, depth: usize, found: &mut Vec<PathBuf>) {
    if depth > types::DEPTH_MAX {
        return;
    }
    match table.kind.as_str() {
        "proxy" => gather(&table.behind_proxy(), depth + 1, found),
        "unionmap" | "pipemap" => {
            let items = types::braced_items(&table.name).unwrap_or_default();
            let inner = items.iter().filter_map(|item| item.parse::<TableRef>().ok());
            inner.for_each(|table| gather(&table, depth + 1, found));
        }
        kind if types::database::suffix(kind).is_some() => {
            found.extend(crate::build::database_name(table).map(PathBuf::from));
            found.push(PathBuf::from(&table.name));
        }
        settings::SendmailFiles::KIND => {
            found.push(PathBuf::from(format!("{}.db", table.name)));
            found.push(PathBuf::from(&table.name));
        }
        "texthash" | "regexp" | "pcre" | "cidr" | "sqlite" => found.push(PathBuf::from(&table.name)),
        _ => {}
    }
}

/// The user id of the owner of a table's file; `None` where there is none, or none that can be looked at, or where there may be several.
pub fn owner_of(table: &TableRef) -> Option<u32> {
    if ["unionmap", "pipemap"].contains(&table.behind_proxy().kind.as_str()) {
        return None;
    }
    let file = of_table(table).into_iter().next()?;
    metadata(&file).ok().map(|found| found.uid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, Read};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn denied<T>() -> Result<T> {
        Err(ErrorKind::PermissionDenied.into())
    }

    /// A lender of everything, and how often it was asked.
    fn lender() -> (Lender, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let lender = move |path: &Path| {
            counted.fetch_add(1, Ordering::SeqCst);
            File::open(path)
        };
        (Box::new(lender), asked)
    }

    #[test]
    fn only_what_is_refused_is_borrowed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table");
        std::fs::write(&path, "a b\n").unwrap();
        let (lender, asked) = lender();
        or_lent(File::open(&path), &path, Some(&lender)).unwrap();
        let missing = or_lent(Err(ErrorKind::NotFound.into()), &path, Some(&lender));
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        let mut text = String::new();
        let mut lent = or_lent(denied(), &path, Some(&lender)).unwrap();
        lent.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), asked.load(Ordering::SeqCst)), ("a b\n", 1));
        let refused = or_lent(denied(), &path, None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        let why = |_: &Path| Err(Error::new(ErrorKind::PermissionDenied, "because"));
        let why: Lender = Box::new(why);
        assert_eq!(
            or_lent(denied(), &path, Some(&why)).unwrap_err().to_string(),
            "because"
        );
    }

    #[test]
    fn what_may_not_be_looked_at_is_seen_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table");
        std::fs::write(&path, "a b\n").unwrap();
        let (lender, asked) = lender();
        let watched = Watched::new(path.clone());
        let state = || {
            let found = watched.metadata_by(Some(&lender), denied()).unwrap();
            (found.ino(), found.len())
        };
        let first = state();
        std::fs::write(&path, "longer than before\n").unwrap();
        assert_ne!(state(), first, "what is written into it");
        std::fs::write(dir.path().join("new"), "new\n").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        assert_eq!(state().1, 4, "what is put in its place");
        assert!(asked.load(Ordering::SeqCst) >= 2);
        std::fs::remove_file(&path).unwrap();
        let gone = watched.metadata_by(Some(&lender), denied()).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn types_make_files_of_names() {
        let files = |table: &str| {
            let table: TableRef = table.parse().unwrap();
            let files = of_table(&table);
            files
                .iter()
                .map(|file| file.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(files("hash:/t/x"), ["/t/x.db", "/t/x"]);
        assert_eq!(files("proxy:btree:/t/x"), ["/t/x.db", "/t/x"]);
        assert_eq!(files("cdb:/t/x"), ["/t/x.cdb", "/t/x"]);
        assert_eq!(files("lmdb:/t/x"), ["/t/x.lmdb", "/t/x"]);
        for kind in ["texthash", "regexp", "pcre", "cidr", "sqlite"] {
            assert_eq!(files(&format!("{kind}:/t/x")), ["/t/x"]);
        }
        assert_eq!(
            files("unionmap:{static:/s,proxy:texthash:/a,pipemap:{cidr:/b,hash:/c}}"),
            ["/a", "/b", "/c.db", "/c"]
        );
        for none in [
            "regexp:{{/x/ y}}",
            "static:/x",
            "inline:{a=/x}",
            "unix:passwd.byname",
            "socketmap:unix:/x:y",
            "hash:relative",
            "strange:/x",
        ] {
            assert_eq!(files(none), [""; 0], "{none}");
        }
    }
}
