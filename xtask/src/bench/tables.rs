//! Tables of a million entries: how long building takes, how many lookups there are in a second, and what memory they
//! need, beside Debian's `postmap`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::figures::Figures;
use super::output;

const ENTRIES: u64 = 1_000_000;
const RUNS: usize = 5;
/// Has no divisor in common with [`ENTRIES`]: a walk by it meets every entry once, in no order that a file has.
const STRIDE: u64 = 611_953;
const KINDS: [(&str, &str); 3] = [("hash", ".db"), ("cdb", ".cdb"), ("lmdb", ".lmdb")];
const POSTMAP: &str = "/usr/sbin/postmap";

/// A program, a type of table, and what was measured.
struct Side {
    name: &'static str,
    kind: &'static str,
    source: PathBuf,
    database: PathBuf,
    build_secs: Figures,
    /// User and system time, which other work on the machine disturbs least.
    build_cpu_secs: Figures,
    lookups_per_sec: Figures,
    lookup_cpu_micros: Figures,
    private_mib: Figures,
    peak_mib: Figures,
}

/// Measures and prints the table.
pub fn run(program: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("main.cf"), "compatibility_level = 3.6\n")?;
    let keys = write_keys(directory)?;
    let types = match Path::new(POSTMAP).exists() {
        true => output("/usr/sbin/postconf", &["-m"])?,
        false => String::new(),
    };
    let mut sides = Vec::new();
    for (kind, suffix) in KINDS {
        sides.push(side("Yubin", (kind, suffix), directory)?);
        match types.lines().any(|known| known == kind) {
            true => sides.push(side("Postfix", (kind, suffix), directory)?),
            false => println!("Debian's Postfix has no {kind}: here: install postfix-{kind}"),
        }
    }
    for _ in 0..RUNS {
        for side in &mut sides {
            side.measure(program, &keys)?;
        }
    }
    println!("\n{ENTRIES} entries, {RUNS} interleaved runs: median (smallest-largest)\n");
    println!(
        "{:<14} {:>20} {:>18} {:>28} {:>18} {:>14} {:>14} {:>10}",
        "", "build, s", "CPU, s", "lookups/s", "CPU each, us", "private, MiB", "peak, MiB", "file, MiB"
    );
    for side in &sides {
        println!(
            "{:<14} {:>20.2} {:>18.2} {:>28.0} {:>18.2} {:>14.1} {:>14.1} {:>10.1}",
            format!("{} {}:", side.name, side.kind),
            side.build_secs,
            side.build_cpu_secs,
            side.lookups_per_sec,
            side.lookup_cpu_micros,
            side.private_mib.median(),
            side.peak_mib.median(),
            fs::metadata(&side.database)?.len() as f64 / 1_048_576.0
        );
    }
    Ok(())
}

fn entry(number: u64) -> String {
    format!("user{number:07}@domain{:03}.example", number % 1000)
}

fn side(name: &'static str, (kind, suffix): (&'static str, &str), directory: &Path) -> Result<Side> {
    let source = directory.join(format!("{name}-{kind}"));
    let mut out = BufWriter::new(File::create(&source)?);
    for number in 0..ENTRIES {
        writeln!(out, "{}\tmailbox{number:07}@store.example", entry(number))?;
    }
    out.flush()?;
    let mut database = source.clone().into_os_string();
    database.push(suffix);
    Ok(Side {
        name,
        kind,
        source,
        database: database.into(),
        build_secs: Figures::default(),
        build_cpu_secs: Figures::default(),
        lookups_per_sec: Figures::default(),
        lookup_cpu_micros: Figures::default(),
        private_mib: Figures::default(),
        peak_mib: Figures::default(),
    })
}

/// Every key once, and one that is in no table for every ten.
fn write_keys(directory: &Path) -> Result<PathBuf> {
    let path = directory.join("keys");
    let mut out = BufWriter::new(File::create(&path)?);
    for number in 0..ENTRIES {
        let at = number * STRIDE % ENTRIES;
        writeln!(out, "{}", entry(at))?;
        if number % 10 == 0 {
            writeln!(out, "nobody{at}@nowhere.example")?;
        }
    }
    out.flush()?;
    Ok(path)
}

impl Side {
    fn command(&self, program: &Path) -> Command {
        let mut command = match self.name {
            "Yubin" => {
                let mut command = Command::new(program);
                command.arg("postmap");
                command
            }
            _ => Command::new(POSTMAP),
        };
        command.env("MAIL_CONFIG", self.source.parent().unwrap_or(Path::new("/")));
        command
    }

    fn table(&self) -> String {
        format!("{}:{}", self.kind, self.source.display())
    }

    fn measure(&mut self, program: &Path, keys: &Path) -> Result<()> {
        let _ = fs::remove_file(&self.database);
        let (before, cpu_before) = (Instant::now(), children_cpu_secs()?);
        let built = self.command(program).arg(self.table()).status()?;
        self.build_secs.add(before.elapsed().as_secs_f64());
        self.build_cpu_secs.add(children_cpu_secs()? - cpu_before);
        if !built.success() {
            bail!("{} cannot build {}", self.name, self.table());
        }
        let keys = fs::read(keys)?;
        let asked = keys.iter().filter(|octet| **octet == b'\n').count();
        let mut asking = self.command(program);
        asking.args(["-q", "-", &self.table()]);
        let (before, cpu_before) = (Instant::now(), children_cpu_secs()?);
        let mut child = asking.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut input = child.stdin.take().context("no pipe")?;
        input.write_all(&keys)?;
        // All but what fits into the pipe has been asked.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        drop(input);
        let done = child.wait()?;
        let took = before.elapsed().as_secs_f64();
        if !done.success() {
            bail!("{} cannot ask {}", self.name, self.table());
        }
        self.lookups_per_sec.add(asked as f64 / took);
        let cpu_secs = children_cpu_secs()? - cpu_before;
        self.lookup_cpu_micros.add(cpu_secs * 1e6 / asked as f64);
        self.private_mib.add(mib(&status, "RssAnon:"));
        self.peak_mib.add(mib(&status, "VmHWM:"));
        Ok(())
    }
}

/// The user and system time of all children that have ended (proc(5): fields 16 and 17 of `stat`, in ticks of 10 ms).
fn children_cpu_secs() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("no stat")?;
    let ticks = fields.split(' ').skip(13).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? as f64 / 100.0)
}

/// A line of `/proc/PID/status`, which has KiB.
fn mib(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
