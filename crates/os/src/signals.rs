//! Signals (signal(7)): what happens on SIGPIPE, and interrupts and hangups as events beside input. Stopping and
//! reloading servers are the runtime's matter.

#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{Error, Result};

/// A write to a closed connection fails with an error, it does not end the process. For servers.
pub fn ignore_sigpipe() {
    // SAFETY: installs no handler of ours, only a disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// A write to a closed pipe ends the process quietly. For commands (`mailq | head`).
pub fn default_sigpipe() {
    // SAFETY: installs no handler of ours, only a disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// What a person does at a terminal besides typing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// SIGINT: the interrupt key.
    Interrupt,
    /// SIGHUP: the terminal went away.
    Hangup,
}

/// The pipe through which the handler tells of signals: their numbers, an octet each.
#[derive(Debug)]
struct Channel {
    reader: OwnedFd,
    /// Never closed: the handler writes to its number as long as the process lives.
    _writer: OwnedFd,
}

static CHANNEL: OnceLock<Channel> = OnceLock::new();
/// The writing end's descriptor, for the handler; -1 before there is one.
static WRITER: AtomicI32 = AtomicI32::new(-1);

/// From now on SIGINT and SIGHUP do not end the process: [`wait_for`] and [`caught`] tell of them. A signal that was
/// ignored when the process started (nohup(1)) stays so. Programs that are started get them as always.
///
/// # Errors
/// [`Error::Call`] when there are no descriptors left.
pub fn catch_gestures() -> Result<()> {
    if CHANNEL.get().is_some() {
        return Ok(());
    }
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(|error| Error::call("make a pipe for signals", error))?;
    WRITER.store(writer.as_raw_fd(), Ordering::SeqCst);
    let channel = Channel {
        reader,
        _writer: writer,
    };
    if CHANNEL.set(channel).is_err() {
        return Ok(());
    }
    install(libc::SIGINT)?;
    install(libc::SIGHUP)
}

fn install(signal: libc::c_int) -> Result<()> {
    // SAFETY: both structures are plain data for which zero is a value; sigaction(2) only reads and writes them. The
    // handler calls nothing but write(2) and touches nothing but an atomic and errno.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut before) != 0 {
            return Err(Error::last("ask about a signal"));
        }
        if before.sa_sigaction == libc::SIG_IGN {
            return Ok(());
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
        // Locks and writes go on; poll(2) is interrupted all the same.
        action.sa_flags = libc::SA_RESTART;
        if libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0 {
            return Err(Error::last("catch a signal"));
        }
    }
    Ok(())
}

extern "C" fn on_signal(signal: libc::c_int) {
    let octet = signal.to_le_bytes()[0];
    let writer = WRITER.load(Ordering::SeqCst);
    // SAFETY: write(2) is async-signal-safe and gets one octet of this frame; errno is put back for the code that was
    // interrupted. A full pipe means that enough is known already.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(writer, (&raw const octet).cast(), 1);
        *libc::__errno_location() = errno;
    }
}

/// Waits until `input` can be read (its end counts) or a signal comes; the signal is told first. Without
/// [`catch_gestures`] it returns `None` at once.
///
/// # Errors
/// [`Error::Call`] when `input` cannot be waited for.
pub fn wait_for(input: BorrowedFd<'_>) -> Result<Option<Gesture>> {
    let Some(channel) = CHANNEL.get() else {
        return Ok(None);
    };
    loop {
        let mut waited = [
            PollFd::new(&channel.reader, PollFlags::IN),
            PollFd::from_borrowed_fd(input, PollFlags::IN),
        ];
        match poll(&mut waited, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(Error::call("wait for input", error)),
        }
        let has_input = !waited[1].revents().is_empty();
        let gesture = caught();
        if gesture.is_some() || has_input {
            return Ok(gesture);
        }
    }
}

/// What came since the last question: a hangup, else an interrupt; several count as one.
pub fn caught() -> Option<Gesture> {
    let channel = CHANNEL.get()?;
    let mut gesture = None;
    let mut numbers = [0u8; 64];
    // The pipe does not block.
    while let Ok(count @ 1..) = rustix::io::read(channel.reader.as_fd(), &mut numbers) {
        for number in &numbers[..count] {
            gesture = match i32::from(*number) {
                libc::SIGHUP => Some(Gesture::Hangup),
                _ => gesture.or(Some(Gesture::Interrupt)),
            };
        }
    }
    gesture
}

/// Signals that ask a program to end, or that end it when nobody cares.
const ENDING: [libc::c_int; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// A file that is removed when a signal ends this process; null: none. A C string that is never freed.
static UNFINISHED: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// No signal is blocked, running into a file size limit or a closed pipe is an error and not the end, and timers that were
/// set before the program started are off.
pub(crate) fn reset_for_elevated() -> Result<()> {
    // SAFETY: a set of signals is plain data that sigemptyset(3) fills; the other calls take plain numbers.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) != 0 {
            return Err(Error::last("unblock signals"));
        }
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::alarm(0);
        for timer in [libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
            let off: libc::itimerval = std::mem::zeroed();
            libc::setitimer(timer, &raw const off, std::ptr::null_mut());
        }
    }
    Ok(())
}

/// From now on a signal that ends this process removes the file `path` first, until [`keep_file`]. Signals that are
/// ignored stay so (nohup(1)). The path must not depend on a working directory that changes.
///
/// # Errors
/// [`Error::Call`] when the system refuses.
pub fn remove_file_when_ended(path: &std::ffi::CStr) -> Result<()> {
    UNFINISHED.store(path.to_owned().into_raw(), Ordering::SeqCst);
    for signal in ENDING {
        // SAFETY: both structures are plain data for which zero is a value. The handler makes system calls only, and
        // touches nothing but an atomic.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut before) != 0 {
                return Err(Error::last("ask about a signal"));
            }
            if before.sa_sigaction == libc::SIG_IGN {
                continue;
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_end as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESETHAND;
            if libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0 {
                return Err(Error::last("catch a signal"));
            }
        }
    }
    Ok(())
}

/// The file of [`remove_file_when_ended`] stays from now on, whatever comes.
pub fn keep_file() {
    UNFINISHED.store(std::ptr::null_mut(), Ordering::SeqCst);
}

extern "C" fn on_end(signal: libc::c_int) {
    let path = UNFINISHED.swap(std::ptr::null_mut(), Ordering::SeqCst);
    // SAFETY: unlink(2) and raise(3) may be called here; the path is a C string that is never freed. The signal's
    // default came back with this call, so that it ends the process as soon as the handler returns.
    unsafe {
        if !path.is_null() {
            libc::unlink(path);
        }
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test for all: signals are the process's.
    #[test]
    fn interrupts_come_as_events_and_input_as_input() {
        for signal in [libc::SIGINT, libc::SIGHUP] {
            // SAFETY: a disposition, no handler. Who started the test may have had them ignored.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        catch_gestures().unwrap();
        let raise = |signal| {
            // SAFETY: the handler of these signals is ours.
            assert_eq!(unsafe { libc::raise(signal) }, 0);
        };
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        raise(libc::SIGINT);
        assert_eq!(wait_for(reader.as_fd()).unwrap(), Some(Gesture::Interrupt));
        assert_eq!(caught(), None);
        raise(libc::SIGINT);
        raise(libc::SIGHUP);
        assert_eq!(caught(), Some(Gesture::Hangup));
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(wait_for(reader.as_fd()).unwrap(), None);
        drop(writer);
        assert_eq!(wait_for(reader.as_fd()).unwrap(), None, "the end is input too");
    }
}
