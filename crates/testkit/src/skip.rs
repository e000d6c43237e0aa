//! Tests that cannot run here say so, on standard output and in the notes that `cargo xtask test` shows at its end.

use std::io::Write;
use std::path::Path;

/// The environment variable that names the file of notes.
pub const NOTES: &str = "YUBIN_SKIP_NOTES";

/// Notes that the calling test does not run, for want of `what` (`Debian package swaks`, `root`).
#[allow(
    clippy::print_stdout,
    reason = "what a test prints is shown with its failure, or with --nocapture"
)]
pub fn skip(what: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    println!("skipped: needs {what}");
    let Some(notes) = std::env::var_os(NOTES) else {
        return;
    };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(notes);
    // Without the note the line above still tells.
    let _ = file.and_then(|mut file| file.write_all(format!("{test}: needs {what}\n").as_bytes()));
}

/// Whether a file that `package` brings is there; notes the skipped test when it is not.
pub fn has_program(path: impl AsRef<Path>, package: &str) -> bool {
    let is_there = path.as_ref().exists();
    if !is_there {
        skip(&format!("Debian package {package}"));
    }
    is_there
}
