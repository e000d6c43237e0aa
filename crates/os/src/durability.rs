//! What reaches the disk, and in which order: whether the sync of a directory covers the content of the files that were put
//! into it before.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{fstatfs, major, minor};

/// `EXT4_SUPER_MAGIC` of statfs(2), that of ext2 and ext3 too.
const EXT4: i64 = 0xef53;
/// `XFS_SUPER_MAGIC`.
const XFS: i64 = 0x5846_5342;

/// In which order changes reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In that in which they were made: what was [handed to the disk](hand_over) before a file got a name is there for good as
    /// soon as the directory with that name is synced, and no crash leaves the name without it.
    Kept,
    /// In any: each file and each directory must be synced by itself, the file first.
    Unknown,
}

/// What is known of the file system that holds `file`. It is [`Order::Kept`] for XFS, and for ext4 with a journal: their syncs
/// commit everything that happened before, in order, and flush the device first.
pub fn order_of(file: &File) -> Order {
    static KNOWN: Mutex<Option<HashMap<u64, Order>>> = Mutex::new(None);
    // The type of the magic number is another one on other machines.
    #[allow(clippy::useless_conversion)]
    let magic = fstatfs(file)
        .ok()
        .and_then(|found| i64::try_from(found.f_type).ok());
    let device = match magic {
        Some(XFS) => return Order::Kept,
        Some(EXT4) => file.metadata().map(|meta| meta.dev()),
        _ => return Order::Unknown,
    };
    let Ok(device) = device else {
        return Order::Unknown;
    };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    *known.entry(device).or_insert_with(|| match has_journal(device) {
        true => Order::Kept,
        false => Order::Unknown,
    })
}

/// Whether the ext4 on this device has a journal, as sysfs has it; `false` where nobody can tell.
fn has_journal(device: u64) -> bool {
    let link = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    let Ok(target) = std::fs::read_link(link) else {
        return false;
    };
    let Some(name) = target.file_name() else {
        return false;
    };
    let task = Path::new("/sys/fs/ext4").join(name).join("journal_task");
    // Without a journal it is no number.
    std::fs::read_to_string(task).is_ok_and(|text| text.trim().parse::<u32>().is_ok())
}

/// Has everything that was written to `file` written to the device, and waits for that; it may still be in the device's own
/// memory (sync_file_range(2)).
///
/// # Errors
/// What the system says; then nobody knows what of it is there.
pub fn hand_over(file: &File) -> io::Result<()> {
    let flags =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: takes numbers only; the descriptor is open as long as `file` is borrowed.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn memory_keeps_no_order_and_takes_what_is_handed_over() {
        let mut file = File::from(rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
        file.write_all(b"text").unwrap();
        assert_eq!(order_of(&file), Order::Unknown);
        hand_over(&file).unwrap();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert!(hand_over(&File::from(reader)).is_err(), "a pipe has no range");
    }

    #[test]
    fn a_device_that_is_not_there_has_no_journal() {
        assert!(!has_journal(rustix::fs::makedev(4095, 1_048_575)));
    }
}
