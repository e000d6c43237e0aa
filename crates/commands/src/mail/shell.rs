//! Programs that `mail` starts: commands of the user's shell, the editor, the pager.

use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::variables::Variables;
use crate::submission::{MESSAGE_BYTES_MAX, words_of};

/// Which editor is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Editor {
    /// `EDITOR`: `edit`, `~e`.
    Line,
    /// `VISUAL`: `visual`, `~v`.
    Screen,
}

/// A variable of `mail` or, when that has none, of the environment; not an empty one.
fn variable(variables: &Variables, name: &str) -> Option<String> {
    let own = variables.text(name).map(str::to_owned);
    own.or_else(|| std::env::var(name).ok())
        .filter(|text| !text.trim().is_empty())
}

/// The user's shell with a command; without one it takes commands from the terminal.
fn shell(variables: &Variables, command: &str) -> Command {
    let mut shell = Command::new(variable(variables, "SHELL").unwrap_or_else(|| "/bin/sh".to_owned()));
    if !command.is_empty() {
        shell.arg("-c").arg(command);
    }
    shell
}

fn said(command: &str) -> impl Fn(io::Error) -> String {
    move |error| format!("cannot run \"{command}\": {}", words_of(&error))
}

fn judged(command: &str, status: ExitStatus) -> Result<(), String> {
    match status.success() {
        true => Ok(()),
        false => Err(format!("\"{command}\": {status}")),
    }
}

/// Runs a command at the terminal, or with `input` on its standard input. Its status is the user's matter in the first
/// case, in the second it says whether the input was taken.
///
/// # Errors
/// What the user reads.
pub(super) fn run(variables: &Variables, command: &str, input: Option<&[u8]>) -> Result<(), String> {
    let mut shell = shell(variables, command);
    let said = said(command);
    let Some(input) = input else {
        return shell.status().map(drop).map_err(said);
    };
    let mut child = shell.stdin(Stdio::piped()).spawn().map_err(&said)?;
    feed(&mut child, input);
    judged(command, child.wait().map_err(said)?)
}

fn feed(child: &mut Child, input: &[u8]) {
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read to the end says by its status what it thinks of that.
        let _ = pipe.write_all(input);
    }
}

/// What a command writes when it reads `input`.
///
/// # Errors
/// What the user reads; also when the command says by its status that it failed.
pub(super) fn output_of(variables: &Variables, command: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let said = said(command);
    let mut shell = shell(variables, command);
    let mut child = shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(&said)?;
    let (pipe, output) = (child.stdin.take(), child.stdout.take());
    let read = std::thread::scope(|scope| {
        // Beside the reading: a filter writes before it has read everything.
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
        let mut text = Vec::new();
        match output {
            Some(output) => output
                .take(MESSAGE_BYTES_MAX)
                .read_to_end(&mut text)
                .map(|_| text),
            None => Ok(text),
        }
    });
    let status = child.wait().map_err(&said)?;
    let text = read.map_err(said)?;
    judged(command, status).map(|()| text)
}

/// Shows a text in the user's pager; `false` when there is none.
pub(super) fn page(variables: &Variables, text: &str) -> bool {
    let pager = variable(variables, "PAGER").unwrap_or_else(|| "more".to_owned());
    let child = Command::new("/bin/sh")
        .arg("-c")
        .arg(&pager)
        .stdin(Stdio::piped())
        .spawn();
    match child {
        Ok(mut child) => {
            // The user may leave the pager before the end.
            feed(&mut child, text.as_bytes());
            child.wait().is_ok()
        }
        Err(_) => false,
    }
}

/// Lets the user edit a text: what it is afterwards.
///
/// # Errors
/// What the user reads; also when the editor says by its status that it failed.
pub(super) fn edit(variables: &Variables, text: &[u8], editor: Editor) -> Result<Vec<u8>, String> {
    let number = world::World::real().random.next_u64();
    let file = Removed(std::env::temp_dir().join(format!("mail.{number:016x}")));
    let path = &file.0;
    let said = |error: io::Error| format!("{}: {}", path.display(), words_of(&error));
    let mut made = std::fs::OpenOptions::new();
    let mut made = made
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(said)?;
    made.write_all(text).map_err(said)?;
    let program = program_of(variables, editor);
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{program} \"$0\""))
        .arg(path)
        .status()
        .map_err(said)?;
    judged(&program, status)?;
    let mut content = Vec::new();
    // The editor may have put another file in its place.
    let edited = std::fs::File::open(path).map_err(said)?;
    edited
        .take(MESSAGE_BYTES_MAX)
        .read_to_end(&mut content)
        .map_err(said)?;
    Ok(content)
}

fn program_of(variables: &Variables, editor: Editor) -> String {
    let names = match editor {
        Editor::Line => ["EDITOR", "VISUAL"],
        Editor::Screen => ["VISUAL", "EDITOR"],
    };
    let named = names.iter().find_map(|name| variable(variables, name));
    named.unwrap_or_else(|| "vi".to_owned())
}

/// A file that goes when this does.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(settings: &[&str]) -> Variables {
        let mut variables = Variables::default();
        variables.assign("SHELL=/bin/sh");
        settings.iter().for_each(|word| variables.assign(word));
        variables
    }

    #[test]
    fn commands_take_input_and_say_how_it_went() {
        let variables = variables(&[]);
        let large = vec![b'x'; 1 << 20];
        assert_eq!(output_of(&variables, "cat", &large).unwrap(), large);
        assert!(output_of(&variables, "exit 3", b"").unwrap_err().contains("3"));
        assert!(run(&variables, "cat >/dev/null", Some(b"x")).is_ok());
        assert!(run(&variables, "cat >/dev/null; false", Some(b"x")).is_err());
    }

    #[test]
    fn an_editor_that_fails_changes_nothing() {
        let changed = variables(&["VISUAL=sed -i s/one/two/"]);
        assert_eq!(edit(&changed, b"one\n", Editor::Screen).unwrap(), b"two\n");
        assert!(edit(&variables(&["EDITOR=false"]), b"one\n", Editor::Line).is_err());
    }
}
