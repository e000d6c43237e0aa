//! Starting the mail system in the background: what it says until it serves stands on the terminal. Also finding
//! out whether a process has ended.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::eprint_line;

/// How long a start may take: the queue is read.
const START_TIME_MAX: Duration = Duration::from_secs(120);
/// How often it is looked whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the last words of a system that serves by now are waited for.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What became of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Started {
    /// It serves.
    Serving,
    /// It ended before it served; it has said why.
    Ended,
    /// It neither serves nor ended in time.
    Silent,
}

/// Runs `yubin serve ARGS --detached` and waits until `serves` says of its process id that it serves.
///
/// # Errors
/// When the program cannot be run, in words.
pub(crate) fn start(args: &[&OsStr], serves: impl Fn(u32) -> bool) -> Result<Started, String> {
    let program = std::env::current_exe()
        .map_err(|error| format!("cannot find this program: {}", os::words(&error)))?;
    let mut command = Command::new(&program);
    // Not the program's own file name, which may be that of another command.
    command.arg0("yubin").arg("serve").args(args).arg("--detached");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run {}: {}", program.display(), os::words(&error)))?;
    let words = words_of(&mut child);
    let since = Instant::now();
    while since.elapsed() < START_TIME_MAX {
        show(&words, LOOK_EVERY);
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            show_rest(&words);
            return Ok(Started::Ended);
        }
        if serves(child.id()) {
            show_rest(&words);
            return Ok(Started::Serving);
        }
    }
    Ok(Started::Silent)
}

/// The lines of its standard error.
fn words_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            for line in lines {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Shows what comes within `time`, or waits that long.
fn show(words: &Receiver<String>, time: Duration) {
    match words.recv_timeout(time) {
        Ok(line) => eprint_line(&line),
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => std::thread::sleep(time),
    }
}

fn show_rest(words: &Receiver<String>) {
    while let Ok(line) = words.recv_timeout(LAST_WORDS) {
        eprint_line(&line);
    }
}

/// Waits until the process has ended; `false` when it has not in `time_max`.
pub(crate) fn has_ended(process: u32, time_max: Duration) -> bool {
    let since = Instant::now();
    while is_running(process) {
        if since.elapsed() > time_max {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

/// Whether it runs; one that waits for its parent to take notice (proc(5): state Z) does not.
pub(crate) fn is_running(process: u32) -> bool {
    if !os::process::exists(process) {
        return false;
    }
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    !state.is_some_and(|rest| rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_only_waits_for_its_parent_has_ended() {
        assert!(is_running(std::process::id()));
        let mut child = Command::new("true").spawn().expect("there is a true(1)");
        assert!(has_ended(child.id(), Duration::from_secs(10)));
        child.wait().expect("our own child");
    }
}
