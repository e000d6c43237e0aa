//! Automation of this workspace: `cargo xtask test|tidy|bench|dev`.

mod bench;
mod dev;
mod packages;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--no-install]  every check and every test; installs the Debian packages that tests use when run by root
  tidy [--shrink]      the structural checks alone; --shrink lowers the recorded sizes to today's
  bench handover [--program PROGRAM]
                       what it costs that a session goes on in another process (root; about 2 minutes)
  bench imap|pop3 [--program PROGRAM]
                       Yubin beside Debian's Dovecot on the same Maildirs (root; about 20 and 2 minutes)
  bench smtp|delivery|lmtp|relay [--program PROGRAM]
                       Yubin (as built now, or PROGRAM) beside Debian's Postfix: rates, CPU, disk flushes; start and
                       memory (about 4 minutes)
  bench tables [--program PROGRAM]
                       tables of a million entries: building, lookups, memory, beside Debian's postmap (about 3 minutes)
  dev [ARGS]           build and start the embedded mail system below target/dev
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(packages::Install::WhenAllowed),
        ["test", "--no-install"] => test::run(packages::Install::Never),
        ["tidy"] => tidy::run(tidy::Ratchet::Hold),
        ["tidy", "--shrink"] => tidy::run(tidy::Ratchet::Shrink),
        ["bench", "delivery"] => bench::delivery(None),
        ["bench", "delivery", "--program", program] => bench::delivery(Some(Path::new(program))),
        ["bench", "handover"] => bench::handover(None),
        ["bench", "handover", "--program", program] => bench::handover(Some(Path::new(program))),
        ["bench", "imap"] => bench::imap(None),
        ["bench", "imap", "--program", program] => bench::imap(Some(Path::new(program))),
        ["bench", "lmtp"] => bench::lmtp(None),
        ["bench", "lmtp", "--program", program] => bench::lmtp(Some(Path::new(program))),
        ["bench", "pop3"] => bench::pop3(None),
        ["bench", "pop3", "--program", program] => bench::pop3(Some(Path::new(program))),
        ["bench", "relay"] => bench::relay(None),
        ["bench", "relay", "--program", program] => bench::relay(Some(Path::new(program))),
        ["bench", "smtp"] => bench::smtp(None),
        ["bench", "smtp", "--program", program] => bench::smtp(Some(Path::new(program))),
        ["bench", "tables"] => bench::tables(None),
        ["bench", "tables", "--program", program] => bench::tables(Some(Path::new(program))),
        ["dev", rest @ ..] => dev::run(rest),
        ["--help" | "help"] | [] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// Where cargo puts what it builds.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A cargo call in the workspace.
fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs a command that must succeed.
fn must(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}
