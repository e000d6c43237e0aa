//! Leaving mail through the set-group-ID program `postdrop`: for users to whom the maildrop does not belong, while
//! the mail system is down.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use envelope::maildrop::{END, Head, Slip};
use envelope::{Envelope, QueueId};
use settings::Postfix;

const PROGRAM: &str = "postdrop";
/// How much of what the program says is read, in octets.
const SAID_BYTES_MAX: u64 = 64 * 1024;
/// The set-group-ID bit.
const SET_GID: u32 = 0o2000;

/// Leaves a message; it is on disk when this returns.
///
/// # Errors
/// Why it is not there, in words.
pub(crate) fn leave(
    settings: &Postfix,
    slip: Slip,
    envelope: &Envelope,
    content: &[u8],
) -> Result<QueueId, String> {
    let program = program(settings)?;
    let head = Head {
        slip,
        arrival_micros: 0,
        envelope: envelope.clone(),
        size_bytes: content.len() as u64,
    };
    let head = head.encode().map_err(|error| error.to_string())?;
    let mut command = Command::new(&program);
    command.args(["-r", "-c"]).arg(&settings.config_directory);
    let told = |error: io::Error| format!("unable to execute {}: {}", program.display(), os::words(&error));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(told)?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // It says nothing before it has read everything or given up, and then no more than a pipe holds.
    if let Some(mut input) = input {
        let pieces = [head.as_bytes(), content, END];
        // What it does not read it has refused, and says why.
        let _ = pieces.iter().try_for_each(|piece| input.write_all(piece));
    }
    let (output, errors) = (text_of(output), text_of(errors));
    let status = child.wait().map_err(told)?;
    if let Some(queue_id) = QueueId::parse(output.trim()).filter(|_| status.success()) {
        return Ok(queue_id);
    }
    let said = errors.trim();
    let said = said.strip_prefix("postdrop: fatal: ").unwrap_or(said);
    Err(match said {
        "" => format!("{} ended without a word ({status})", program.display()),
        said => said.to_owned(),
    })
}

fn text_of(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What cannot be read was not said.
        let _ = pipe.take(SAID_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The program, beside this one or in `command_directory`: another mail system may have one of that name there.
fn program(settings: &Postfix) -> Result<PathBuf, String> {
    let beside = std::env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent);
    let directories = beside.into_iter().chain([settings.command_directory.as_path()]);
    let mut places = directories.map(|directory| directory.join(PROGRAM));
    let is_set_gid = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.permissions().mode() & SET_GID != 0)
    };
    places.find(is_set_gid).ok_or_else(|| {
        format!(
            "there is no set-group-ID {}. Run `yubin install`",
            settings.command_directory.join(PROGRAM).display()
        )
    })
}
