//! `cargo xtask bench`: Yubin beside the incumbent on this machine, in interleaved runs. Never part of the tests:
//! absolute figures belong to the machine and its load, only the ratios tell something.

mod delivery;
mod disk;
mod figures;
mod handover;
mod idle;
mod lmtp;
mod mailboxes;
mod processes;
mod relay;
mod servers;
mod sides;
mod smtp;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{cargo, must, target_dir};

/// Measures accepting mail, starting and idling of `program`, or of the release build of this tree.
pub fn smtp(program: Option<&Path>) -> Result<()> {
    beside_postfix(program, |program, disk| {
        smtp::run(program, disk)?;
        idle::run(program, disk)
    })
}

/// Measures what the hand-over of sessions between processes costs.
pub fn handover(program: Option<&Path>) -> Result<()> {
    let program = program.map_or_else(release_program, |program| Ok(program.canonicalize()?))?;
    println!("{}", machine());
    let disk = disk::Disk::make()?;
    println!("{}", disk.describe());
    handover::run(&program, &disk.directory().join("handover"))
}

/// Measures mail by SMTP into mailboxes of `program`, or of the release build of this tree.
pub fn delivery(program: Option<&Path>) -> Result<()> {
    beside_postfix(program, delivery::run)
}

/// Measures delivery over LMTP by `program`, or by the release build of this tree.
pub fn lmtp(program: Option<&Path>) -> Result<()> {
    beside_postfix(program, lmtp::run)
}

/// Measures IMAP of `program`, or of the release build of this tree, beside Dovecot.
pub fn imap(program: Option<&Path>) -> Result<()> {
    on_a_disk(program, mailboxes::imap)
}

/// Measures POP3 of `program`, or of the release build of this tree, beside Dovecot.
pub fn pop3(program: Option<&Path>) -> Result<()> {
    on_a_disk(program, mailboxes::pop3)
}

fn on_a_disk(program: Option<&Path>, run: impl FnOnce(&Path, &disk::Disk) -> Result<()>) -> Result<()> {
    let program = program.map_or_else(release_program, |program| Ok(program.canonicalize()?))?;
    println!("{}", machine());
    let disk = disk::Disk::make()?;
    println!("{}", disk.describe());
    run(&program, &disk)
}

/// Measures with `smtp-source`, which is in Debian's postfix.
fn beside_postfix(program: Option<&Path>, run: impl FnOnce(&Path, &disk::Disk) -> Result<()>) -> Result<()> {
    if !Path::new(servers::SMTP_SOURCE).exists() {
        bail!("{} is missing: install Debian's postfix", servers::SMTP_SOURCE);
    }
    on_a_disk(program, run)
}

/// Measures passing mail on by `program`, or by the release build of this tree.
pub fn relay(program: Option<&Path>) -> Result<()> {
    beside_postfix(program, relay::run)
}

/// Measures building and asking tables by `program`, or by the release build of this tree.
pub fn tables(program: Option<&Path>) -> Result<()> {
    let program = program.map_or_else(release_program, |program| Ok(program.canonicalize()?))?;
    println!("{}", machine());
    let directory = target_dir().join("bench-tables");
    let done = tables::run(&program, &directory);
    let _ = fs::remove_dir_all(&directory);
    done
}

fn release_program() -> Result<PathBuf> {
    must(&mut cargo(&["build", "--release", "--locked", "-p", "yubin"]))?;
    Ok(target_dir().join("release/yubin"))
}

/// What every figure has to be read with: the date, processor, kernel and how busy it was.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |line| {
            line.trim_start_matches([' ', '\t', ':'])
        });
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    format!(
        "machine: {count} x {model}, Linux {}, load before the first run {load}; {}",
        kernel.trim(),
        output("date", &["-u", "+%F %H:%M UTC"]).unwrap_or_default()
    )
}

/// What a program prints on its standard output, without the last line end.
fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = std::process::Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
