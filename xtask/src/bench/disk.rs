//! Where the queues of both sides lie: one journalled ext4 on a loop device, because the machine's own file system
//! may sync unrealistically cheaply; without root, a plain directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::output;

/// The size of the file system; the file below it is sparse.
const SIZE_BYTES: u64 = 6 * 1024 * 1024 * 1024;

/// A scratch directory that is gone when dropped.
pub struct Disk {
    scratch: PathBuf,
    /// `loop0`.
    device: Option<String>,
    why_not: String,
}

impl Disk {
    pub fn make() -> Result<Disk> {
        let scratch = std::env::temp_dir().join(format!("yubin-bench-{}", std::process::id()));
        fs::create_dir_all(scratch.join("disk"))
            .with_context(|| format!("cannot create {}", scratch.display()))?;
        let mut disk = Disk {
            scratch,
            device: None,
            why_not: String::new(),
        };
        match disk.mount() {
            Ok(device) => disk.device = Some(device),
            Err(error) => disk.why_not = format!("{error:#}"),
        }
        Ok(disk)
    }

    fn mount(&self) -> Result<String> {
        let (image, directory) = (self.scratch.join("image"), self.directory());
        fs::File::create(&image)?.set_len(SIZE_BYTES)?;
        let (image, directory) = (image.to_string_lossy(), directory.to_string_lossy());
        output(
            "mkfs.ext4",
            &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", &image],
        )?;
        output("mount", &["-o", "loop", &image, &directory])?;
        let device = output("findmnt", &["-no", "SOURCE", &directory])?;
        Ok(device.trim_start_matches("/dev/").to_owned())
    }

    /// Where to put things.
    pub fn directory(&self) -> PathBuf {
        self.scratch.join("disk")
    }

    /// What the figures were measured on.
    pub fn describe(&self) -> String {
        match &self.device {
            Some(device) => format!("disk: journalled ext4 on /dev/{device}, the same for both sides"),
            None => format!(
                "disk: {}, NOT a journalled ext4 of our own ({}): syncs cost what they cost there and are not counted",
                self.directory().display(),
                self.why_not
            ),
        }
    }

    /// How many flushes the device has done: field 16 of its statistics (Documentation/block/stat.rst).
    pub fn flushes(&self) -> Option<u64> {
        let statistics = Path::new("/sys/block").join(self.device.as_ref()?).join("stat");
        fs::read_to_string(statistics)
            .ok()?
            .split_whitespace()
            .nth(15)?
            .parse()
            .ok()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.device.is_some()
            && let Err(error) = unmount(&self.directory())
        {
            println!("{error:#}: {} stays", self.scratch.display());
            return;
        }
        // What stays is in the system's directory for temporary files.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// Unmounts; a server that was told to stop may hold its files a little longer.
fn unmount(directory: &Path) -> Result<()> {
    const TRIES: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(200);
    let mut last = Ok(());
    for _ in 0..TRIES {
        last = output("umount", &[&directory.to_string_lossy()]).map(drop);
        if last.is_ok() {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    last
}
