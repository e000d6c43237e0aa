//! Programs that `pipe`, `filter` and `execute` run, out of the directories that the administrator set.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sieve::{Envelope, ProgramCall, ProgramEnd, Settings};

/// How long a program runs when nothing is set, in seconds. `sieve_pipe_exec_timeout` …
const TIMEOUT_SECS: u64 = 10;
/// The most that is read of what a program writes, in octets.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often it is looked whether a program ended.
const LOOK: Duration = Duration::from_millis(5);

/// Runs a program of `sieve_COMMAND_bin_dir`.
pub(super) fn run(settings: &Settings, envelope: &Envelope, call: &ProgramCall) -> ProgramEnd {
    let (command, program) = (call.command, &call.program);
    let Some(directory) = settings.first(&[&format!("sieve_{command}_bin_dir")]) else {
        return ProgramEnd::Trouble(format!("program `{program}' not found"));
    };
    let path = Path::new(directory).join(program);
    if !path.is_file() {
        return ProgramEnd::Trouble(format!("program `{program}' not found"));
    }
    let timeout = settings.first(&[&format!("sieve_{command}_exec_timeout")]);
    let secs = timeout
        .and_then(|text| sieve::seconds(text).ok())
        .unwrap_or(TIMEOUT_SECS);
    let input = match settings.first(&[&format!("sieve_{command}_input_eol")]) {
        Some("lf") => message::lines::to_lf(&call.input),
        _ => message::lines::to_crlf(&call.input),
    };
    let spawned = Command::new(&path)
        .args(&call.arguments)
        .env("SENDER", &envelope.sender)
        .env("RECIPIENT", &envelope.recipient)
        .env("ORIG_RECIPIENT", &envelope.original_recipient)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    match spawned {
        Ok(child) => wait(child, input, secs, program),
        Err(error) => ProgramEnd::Trouble(format!(
            "failed to execute program `{program}': {}",
            os::words(&error)
        )),
    }
}

fn wait(mut child: Child, input: Vec<u8>, secs: u64, program: &str) -> ProgramEnd {
    let writer = child.stdin.take().map(|mut pipe| {
        // A program need not read all of it.
        std::thread::spawn(move || drop(pipe.write_all(&input)))
    });
    let reader = child.stdout.take().map(|pipe| {
        std::thread::spawn(move || {
            let mut output = Vec::new();
            let read = pipe.take(OUTPUT_BYTES_MAX).read_to_end(&mut output);
            read.map(|_| output)
        })
    });
    let deadline = (secs > 0).then(|| Instant::now() + Duration::from_secs(secs));
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                let _ = child.kill();
                let _ = child.wait();
                return ProgramEnd::Trouble(format!(
                    "execution of program `{program}' timed out (> {secs} secs)"
                ));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => {
                return ProgramEnd::Trouble(format!(
                    "failed to wait for program `{program}': {}",
                    os::words(&error)
                ));
            }
        }
    };
    if let Some(writer) = writer {
        let _ = writer.join();
    }
    match reader.map(std::thread::JoinHandle::join) {
        Some(Ok(Ok(output))) if status.success() => ProgramEnd::Success(output),
        _ => ProgramEnd::Failure,
    }
}
