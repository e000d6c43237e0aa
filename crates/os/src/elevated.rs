//! Programs that run with more rights than their caller has (set-user-ID, set-group-ID): nothing of what the caller
//! arranged may matter to them (execve(2), signal(7), credentials(7)).

#![allow(unsafe_code)]

use crate::{Error, Result, signals};

/// The real user and group, and whether the program has more rights than they give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who started the program: the real user id, which the kernel keeps.
    pub uid: u32,
    /// Whether effective ids differ from real ones. Root is never elevated: it has all rights anyway.
    pub is_elevated: bool,
}

impl Caller {
    /// Who started this process.
    pub fn of_process() -> Caller {
        let real = (rustix::process::getuid(), rustix::process::getgid());
        let effective = (rustix::process::geteuid(), rustix::process::getegid());
        Caller {
            uid: real.0.as_raw(),
            is_elevated: real != effective && !(real.0.is_root() && effective.0.is_root()),
        }
    }
}

/// Drops what the caller of this process arranged: the environment, open descriptors above 2, the file creation mask, the
/// working directory, signals that are blocked or ignored in a way that would hurt, timers. Descriptors 0 to 2 are
/// opened by the language's start before this can be called. Call it first of all, while there is one thread.
///
/// # Errors
/// [`Error::Call`]; the program must not go on then.
pub fn drop_inheritance() -> Result<()> {
    // Without /proc nobody can tell; there is one thread where a main function begins.
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        let busy = rustix::io::Errno::BUSY;
        return Err(Error::call("drop the environment in several threads", busy));
    }
    // SAFETY: this is the only thread, as was just checked: nobody reads the environment meanwhile.
    if unsafe { libc::clearenv() } != 0 {
        return Err(Error::last("drop the environment"));
    }
    close_descriptors()?;
    rustix::process::chdir("/").map_err(|error| Error::call("change to the root directory", error))?;
    crate::process::set_umask(0o077);
    signals::reset_for_elevated()
}

/// Closes what was left open above standard error.
fn close_descriptors() -> Result<()> {
    // SAFETY: plain numbers. Nothing of ours is open yet: the caller's descriptors are all there are.
    if unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) } == 0 {
        return Ok(());
    }
    // Kernels before 5.9.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = limit.maximum.unwrap_or(65_536).min(1_048_576);
    for descriptor in 3..i32::try_from(limit).unwrap_or(i32::MAX) {
        // SAFETY: as above; a number that is not open is an error without consequence.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_not_elevated() {
        let caller = Caller::of_process();
        assert_eq!(caller.uid, rustix::process::getuid().as_raw());
        assert!(!caller.is_elevated);
    }

    #[test]
    fn several_threads_keep_their_environment() {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        let told = drop_inheritance().unwrap_err().to_string();
        assert!(told.contains("several threads"), "{told}");
        assert!(std::env::vars_os().count() > 0);
        drop(done);
        assert!(other.join().unwrap().is_err());
    }
}
