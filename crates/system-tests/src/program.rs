//! Running a program to its end, with input, with a bound on its time, and with all it says.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::wait::wait_for_value;

/// A program that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output; octets that are no UTF-8 are replaced.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Itself, when the program ended with 0.
    ///
    /// # Panics
    /// When it did not, with everything it said.
    #[track_caller]
    pub fn success(self) -> Finished {
        assert!(self.code == Some(0), "the program failed: {self}");
        self
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finished { code, stdout, stderr } = self;
        write!(
            f,
            "exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Runs `command` with `input` on its standard input.
///
/// # Panics
/// When it cannot be started, or takes longer than [`crate::PATIENCE`]; it is killed then.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Finished {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot start {command:?}: {error}"),
    };
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let (mut stdin, input) = (child.stdin.take(), input.to_vec());
    // A program that does not read to the end breaks the pipe; that is its right.
    let writer = std::thread::spawn(move || stdin.take().map(|mut pipe| pipe.write_all(&input)));
    let what = format!("the end of {command:?}");
    let mut guard = KillOnDrop(child);
    let status = wait_for_value(&what, || guard.0.try_wait().expect("it is our own child"));
    let _ = writer.join();
    Finished {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn collect<R: Read + Send + 'static>(pipe: Option<R>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is.
            let _ = pipe.read_to_end(&mut all);
        }
        all
    })
}

fn text(reader: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let script = "cat; echo oops >&2; exit 3";
        let done = run(Command::new("sh").args(["-c", script]), b"hello");
        let wanted = Finished {
            code: Some(3),
            stdout: "hello".to_owned(),
            stderr: "oops\n".to_owned(),
        };
        assert_eq!(done, wanted);
    }
}
