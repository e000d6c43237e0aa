//! A runner of commands that starts them in this process's identity.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::task::{Command, End, Exit, Runner};

/// How much is handed to a command at once, in octets.
const PIECE_BYTES: usize = 64 * 1024;

/// Starts each command in a session of its own, with umask 077 and nothing open but its input and its outputs, and kills the group
/// when the time is up.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpawnRunner;

impl Runner for SpawnRunner {
    fn run(&self, command: &Command, input: &mut dyn Read) -> Result<Exit, String> {
        let (name, arguments) = command
            .argv
            .split_first()
            .ok_or("cannot run a command: it is empty")?;
        let program = &command.program;
        let failed = |error: std::io::Error| format!("cannot run {program}: {}", os::words(&error));
        let (output, into) = std::io::pipe().map_err(failed)?;
        let also = into.try_clone().map_err(failed)?;
        let began = Instant::now();
        let mut prepared = std::process::Command::new(program);
        prepared
            .arg0(name)
            .args(arguments)
            .env_clear()
            .envs(command.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(into)
            .stderr(also);
        os::process::set_apart(&mut prepared);
        if let Some(directory) = &command.directory {
            prepared.current_dir(directory);
        }
        let mut child = prepared.spawn().map_err(failed)?;
        // Its ends of the pipe: ours must not keep it open.
        drop(prepared);
        let group = child.id();
        let collected = Collected::begin(output, command.output_bytes_max);
        let (done, is_done) = channel::<()>();
        let limit = command.time_limit;
        let watchdog = std::thread::spawn(move || kill_when_late(group, limit, &is_done));
        let fed = child.stdin.take().map_or(Ok(()), |stdin| feed(stdin, input));
        if fed.is_err() {
            // Half a message must not be taken for a whole one.
            os::process::kill_group(group);
        }
        let status = child.wait().map_err(failed);
        let remaining = limit.saturating_sub(began.elapsed());
        // Somebody whom the command left behind may still hold its outputs.
        let is_held = status.is_ok() && fed.is_ok() && !collected.wait_for_end(remaining);
        if is_held {
            os::process::kill_group(group);
        }
        drop(done);
        let was_late = watchdog.join().unwrap_or(false) || is_held;
        let (status, ()) = (status?, fed?);
        let end = match (was_late, status.code()) {
            (true, _) => End::TimedOut,
            (false, Some(code)) => End::Status(code),
            (false, None) => End::Signal(status.signal().unwrap_or_default()),
        };
        Ok(Exit {
            end,
            output: collected.take(),
        })
    }
}

/// Kills a process group unless `is_done` hears of its end in time; whether it did.
fn kill_when_late(group: u32, limit: Duration, is_done: &Receiver<()>) -> bool {
    let is_late = is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
    if is_late {
        os::process::kill_group(group);
    }
    is_late
}

/// Writes all of `input`; a command that has read enough may stop.
fn feed(mut stdin: impl Write, input: &mut dyn Read) -> Result<(), String> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = match input.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("cannot read queued message: {}", os::words(&error))),
        };
        match stdin.write_all(&piece[..count]) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(format!("cannot write to the command: {}", os::words(&error))),
        }
    }
}

/// What a command prints.
struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Collected {
    fn begin(mut from: impl Read + Send + 'static, bytes_max: usize) -> Collected {
        let text = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = channel();
        let into = Arc::clone(&text);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // What is over the limit is read as well, or the command would wait for ever.
            while let Ok(count @ 1..) = from.read(&mut piece) {
                let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
                let room = bytes_max.saturating_sub(text.len()).min(count);
                text.extend_from_slice(&piece[..room]);
            }
            // Nobody may be waiting any more.
            let _ = end.send(());
        });
        Collected { text, ended }
    }

    fn wait_for_end(&self, at_most: Duration) -> bool {
        self.ended.recv_timeout(at_most).is_ok()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, limit: Duration) -> Result<Exit, String> {
        let command = Command {
            program: "/bin/sh".to_owned(),
            argv: vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()],
            environment: vec![("A".to_owned(), "b c".to_owned())],
            directory: Some("/".into()),
            time_limit: limit,
            output_bytes_max: 100,
        };
        SpawnRunner.run(&command, &mut b"line one\nline two\n".as_slice())
    }

    const LONG: Duration = Duration::from_secs(100);

    #[test]
    fn a_command_reads_prints_and_ends() {
        let exit = run("cat; echo $A >&2; pwd; exit 3", LONG).unwrap();
        assert_eq!(exit.end, End::Status(3));
        let output = String::from_utf8(exit.output).unwrap();
        assert_eq!(output, "line one\nline two\nb c\n/\n");
        assert_eq!(run("umask", LONG).unwrap().output, b"0077\n");
        assert_eq!(run("kill -9 $$", LONG).unwrap().end, End::Signal(9));
        assert_eq!(run("exec <&-; exit 0", LONG).unwrap().end, End::Status(0));
        assert_eq!(run("yes | head -c 1000000", LONG).unwrap().output.len(), 100);
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed_with_its_children() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("sleep 1000 & echo $! > {}; wait", file.path().display());
        let exit = run(&text, Duration::from_millis(300)).unwrap();
        assert_eq!(exit.end, End::TimedOut);
        let child = std::fs::read_to_string(file.path()).unwrap();
        let child: u32 = child
            .trim()
            .parse()
            .expect("the shell wrote it before the time was up");
        // Its new parent may be slow to reap it.
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let is_gone = || !os::process::exists(child) || state().contains(") Z ");
        assert!((0..1_000_000).any(|_| is_gone()), "{}", state());
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let command = Command {
            program: "/no/such/program".to_owned(),
            argv: vec!["program".to_owned()],
            environment: Vec::new(),
            directory: None,
            time_limit: LONG,
            output_bytes_max: 100,
        };
        let error = SpawnRunner.run(&command, &mut b"".as_slice()).unwrap_err();
        assert!(error.starts_with("cannot run /no/such/program: "), "{error}");
    }
}
