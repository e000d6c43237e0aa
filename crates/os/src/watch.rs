//! Being told that something in a directory, or a file, changed (inotify(7)): one thread and one descriptor a process.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use rustix::fs::inotify;

use crate::{Error, Result};

/// Called on the watching thread; must be quick and must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Keeps a watch alive; dropping it ends the watch.
pub struct Watching {
    descriptor: i32,
    number: u64,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watching({})", self.number)
    }
}

struct Watcher {
    inotify: OwnedFd,
    wakes: Mutex<Wakes>,
}

#[derive(Default)]
struct Wakes {
    next_number: u64,
    by_descriptor: HashMap<i32, Vec<(u64, Wake)>>,
}

/// Calls `wake` after entries of the directory `path` were made, removed or renamed, or files in it (or the file
/// `path` itself) were written. May call more often than that.
///
/// # Errors
/// [`Error::Call`] when the path is missing or the system's limit of watches (`max_user_watches`) is reached.
pub fn watch(path: &Path, wake: Wake) -> Result<Watching> {
    use inotify::WatchFlags;
    let watcher = watcher()?;
    // Held while the watch is added, so that its first event finds its wake.
    let mut wakes = watcher
        .wakes
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let flags = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::MODIFY
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF;
    let descriptor = inotify::add_watch(&watcher.inotify, path, flags)
        .map_err(|error| Error::call(format!("watch {}", path.display()), error))?;
    let number = wakes.next_number;
    wakes.next_number += 1;
    wakes
        .by_descriptor
        .entry(descriptor)
        .or_default()
        .push((number, wake));
    Ok(Watching { descriptor, number })
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Ok(watcher) = watcher() else { return };
        let mut wakes = watcher
            .wakes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(list) = wakes.by_descriptor.get_mut(&self.descriptor) else {
            return;
        };
        list.retain(|(number, _)| *number != self.number);
        if list.is_empty() {
            wakes.by_descriptor.remove(&self.descriptor);
            let _ = inotify::remove_watch(&watcher.inotify, self.descriptor);
        }
    }
}

fn watcher() -> Result<Arc<Watcher>> {
    static WATCHER: OnceLock<std::result::Result<Arc<Watcher>, i32>> = OnceLock::new();
    WATCHER
        .get_or_init(|| start().map_err(|error| error.raw_os_error().unwrap_or(0)))
        .clone()
        .map_err(|code| Error::call("watch directories", std::io::Error::from_raw_os_error(code)))
}

fn start() -> std::io::Result<Arc<Watcher>> {
    let inotify = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    let watcher = Arc::new(Watcher {
        inotify,
        wakes: Mutex::default(),
    });
    let for_thread = Arc::clone(&watcher);
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || run(&for_thread))?;
    Ok(watcher)
}

fn run(watcher: &Watcher) {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut reader = inotify::Reader::new(&watcher.inotify, &mut buffer);
    loop {
        let (descriptor, overflow, gone) = match reader.next() {
            Ok(event) => (
                event.wd(),
                event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW),
                event.events().contains(inotify::ReadFlags::IGNORED),
            ),
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        };
        let mut wakes = watcher
            .wakes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let to_call: Vec<Wake> = if overflow {
            wakes
                .by_descriptor
                .values()
                .flatten()
                .map(|(_, wake)| Arc::clone(wake))
                .collect()
        } else if gone {
            // The system ended this watch; its number may be given to another path.
            wakes
                .by_descriptor
                .remove(&descriptor)
                .into_iter()
                .flatten()
                .map(|(_, wake)| wake)
                .collect()
        } else {
            let list = wakes.by_descriptor.get(&descriptor);
            list.into_iter()
                .flatten()
                .map(|(_, wake)| Arc::clone(wake))
                .collect()
        };
        drop(wakes);
        to_call.iter().for_each(|wake| wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_new_file_wakes_and_a_dropped_watch_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let wake = Arc::new(move || {
            let _ = sender.send(());
        });
        let watching = watch(dir.path(), wake).unwrap();
        std::fs::write(dir.path().join("message"), "x").unwrap();
        receiver.recv_timeout(Duration::from_secs(5)).expect("woken");
        drop(watching);
        while receiver.try_recv().is_ok() {}
        assert!(
            receiver
                .recv_timeout(Duration::from_secs(5))
                .is_err_and(|e| { e == std::sync::mpsc::RecvTimeoutError::Disconnected }),
            "the wake is forgotten with the watch"
        );
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        assert!(watch(Path::new("/no-such-directory"), Arc::new(|| {})).is_err());
    }
}
