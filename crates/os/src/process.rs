//! Questions about processes, the file creation mask, and programs that are started apart (kill(2), umask(2), setsid(2)).

#![allow(unsafe_code)]

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};

/// Whether a process with this id exists, be it ours or another user's.
pub fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    match test_kill_process(pid) {
        Ok(()) => true,
        Err(error) => error == rustix::io::Errno::PERM,
    }
}

/// Sets the file creation mask of this process; returns the one before.
pub fn set_umask(mask: u32) -> u32 {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask)).bits()
}

/// Starts a session of its own for this process: it no longer hears of its terminal (setsid(2)).
///
/// # Errors
/// When this process leads a process group already.
pub fn leave_terminal() -> crate::Result<()> {
    rustix::process::setsid()
        .map(drop)
        .map_err(|error| crate::Error::call("leave the terminal", error))
}

/// Other processes of the same user may neither look into this one nor take it over, and no image of it is left when it
/// ends badly (prctl(2), PR_SET_DUMPABLE).
///
/// # Errors
/// When the system refuses.
pub fn close_to_others() -> crate::Result<()> {
    let behavior = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(behavior)
        .map_err(|error| crate::Error::call("close this process to others", error))
}

/// Has every descriptor above standard error closed in programs that are started from here: what the caller of this process
/// left open is nobody else's business. Sockets of a service manager stay usable in this process.
pub fn keep_descriptors_here() {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.filter(|number| *number > 2).collect::<Vec<_>>() {
        // SAFETY: a flag of a descriptor is set; one that is not open any more is refused by the system.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Kills a process group (SIGKILL). That it is gone already is no error.
pub fn kill_group(group: u32) {
    // Group 1 would be every process.
    let group = i32::try_from(group).ok().filter(|group| *group > 1);
    if let Some(group) = group.and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Has `command` lead a session and process group of its own, and make files that nobody else may read (umask 077).
pub fn set_apart(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let begin = || {
        rustix::process::setsid()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes two system calls, and neither allocates nor locks.
    unsafe {
        command.pre_exec(begin);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_left_open_reaches_no_program() {
        use std::os::fd::AsRawFd;
        let file = std::fs::File::open("/dev/null").expect("it is there");
        let open = rustix::io::dup(&file).expect("a descriptor");
        let is_there = || {
            let script = format!("test -e /proc/self/fd/{}", open.as_raw_fd());
            let tried = std::process::Command::new("sh").args(["-c", &script]).status();
            tried.is_ok_and(|status| status.success())
        };
        assert!(is_there(), "a plain descriptor is passed on");
        super::keep_descriptors_here();
        assert!(!is_there());
    }

    #[test]
    fn we_exist_and_nobody_has_the_largest_id() {
        assert!(super::exists(std::process::id()));
        assert!(!super::exists(0));
        assert!(!super::exists(i32::MAX as u32));
    }
}
