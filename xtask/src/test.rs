//! `cargo xtask test`: formatting, lints, structure, licences, and every test.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::packages::{self, Install};
use crate::{cargo, must, target_dir, tidy};

/// Where tests that could not run say so, a line each (`testkit::skip`).
fn skip_notes() -> PathBuf {
    target_dir().join("skipped-tests.txt")
}

/// Runs everything; stops at the first step that fails.
pub fn run(install: Install) -> Result<()> {
    let missing = packages::prepare(install);
    let _ = std::fs::remove_file(skip_notes());
    step("formatting");
    must(&mut cargo(&["fmt", "--all", "--check"]))?;
    step("structure");
    tidy::run(tidy::Ratchet::Hold)?;
    step("lints");
    must(&mut cargo(&[
        "clippy",
        "--locked",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    step("program");
    must(&mut cargo(&[
        "build", "--locked", "--quiet", "-p", "yubin", "-p", "postdrop",
    ]))?;
    step("tests");
    let tests = must(
        cargo(&[
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ])
        .env("YUBIN_SKIP_NOTES", skip_notes())
        .env("SENDMAIL_ROOT", packages::unpacked()),
    );
    report_skips(&missing);
    if let Err(error) = tests {
        bail!("tests failed: {error}");
    }
    println!("All checks and tests passed.");
    Ok(())
}

fn step(name: &str) {
    println!("== {name}");
}

fn report_skips(missing: &[&str]) {
    if !missing.is_empty() {
        println!("Missing Debian packages (apt-get install {})", missing.join(" "));
    }
    let Ok(notes) = std::fs::read_to_string(skip_notes()) else {
        return;
    };
    println!("Tests that did not run:");
    notes.lines().for_each(|line| println!("  {line}"));
}
