//! The files that name the running process: `pid/master.pid` below the queue, as Postfix has it, and `master.pid` in
//! Dovecot's `base_dir`. They inform; the queue's lock is what keeps a second daemon away.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The files, from their opening to the end of the process.
#[derive(Debug, Default)]
pub(crate) struct PidFiles {
    opened: Vec<(PathBuf, File)>,
    is_written: bool,
}

impl PidFiles {
    /// Opens those that only root may make: to be called before root is given up. A directory that is not root's own
    /// is not touched as root: its owner could have put a link there.
    pub(crate) fn open_as_root(base_dir: Option<&Path>) -> PidFiles {
        let mut files = PidFiles::default();
        if let Some(base_dir) = base_dir.filter(|_| os::is_root())
            && std::fs::create_dir_all(base_dir).is_ok()
            && std::fs::symlink_metadata(base_dir).is_ok_and(|found| found.is_dir() && found.uid() == 0)
        {
            files.open(&base_dir.join("master.pid"));
        }
        files
    }

    /// Opens the others and writes this process's id into all. Where mail is moved by the same process, the one in
    /// `base_dir` has a second line with the `config_directory`: who would stop the mailbox services should know.
    pub(crate) fn write(
        &mut self,
        queue_directory: Option<&Path>,
        base_dir: Option<&Path>,
        config_directory: Option<&Path>,
    ) {
        if let Some(directory) = queue_directory {
            self.open(&directory.join("pid/master.pid"));
        }
        if let Some(directory) = base_dir {
            self.open(&directory.join("master.pid"));
        }
        self.is_written = true;
        let own = format!("{}\n", std::process::id());
        let with_directory = config_directory.map(|directory| format!("{own}{}\n", directory.display()));
        for (path, file) in &mut self.opened {
            let of_mailboxes = base_dir.is_some_and(|directory| path.parent() == Some(directory));
            let text = with_directory.as_ref().filter(|_| of_mailboxes).unwrap_or(&own);
            // Whoever looks for the process does not find it then; nothing else depends on it.
            let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        }
    }

    fn open(&mut self, path: &Path) {
        if self.opened.iter().any(|(opened, _)| opened == path) {
            return;
        }
        let made = path
            .parent()
            .is_some_and(|directory| std::fs::create_dir_all(directory).is_ok());
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(flags)
            .open(path);
        if let (true, Ok(file)) = (made, file) {
            self.opened.push((path.to_owned(), file));
        }
    }
}

impl Drop for PidFiles {
    fn drop(&mut self) {
        // Before they are written, another process's id may stand in them.
        for (path, file) in self.opened.iter().filter(|_| self.is_written) {
            if std::fs::remove_file(path).is_err() {
                let _ = file.set_len(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_name_this_process_until_it_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let (queue, base) = (dir.path().join("spool"), dir.path().join("run"));
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let (first, second) = (queue.join("pid/master.pid"), base.join("master.pid"));
        std::fs::create_dir_all(&base).expect("made");
        std::fs::write(&second, "12345678\n").expect("written");
        let mut files = PidFiles::open_as_root(Some(&base));
        assert_eq!(read(&second).as_deref(), Some("12345678\n"));
        files.write(Some(&queue), Some(&base), Some(Path::new("/etc/yubin")));
        let own = format!("{}\n", std::process::id());
        let with_directory = format!("{own}/etc/yubin\n");
        assert_eq!([read(&first), read(&second)], [Some(own), Some(with_directory)]);
        drop(files);
        assert_eq!([read(&first), read(&second)], [None, None]);
    }

    #[test]
    fn a_start_that_fails_leaves_the_other_process_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("master.pid");
        std::fs::write(&file, "1\n").expect("written");
        drop(PidFiles::open_as_root(Some(dir.path())));
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "1\n");
    }
}
