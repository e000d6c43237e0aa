//! What the interleaved runs of two servers gave, beside each other: rate, CPU and disk flushes.

use std::time::Duration;

use super::disk::Disk;
use super::figures::Figures;
use super::processes::cpu_time;
use super::servers::Server;

/// What the runs of one side gave.
#[derive(Default)]
pub struct Side {
    rate: Figures,
    cpu_micros: Figures,
    flushes: Figures,
}

/// What a server had used before a run.
pub struct Before {
    cpu: Duration,
    flushes: Option<u64>,
}

impl Before {
    /// As it is now.
    pub fn of(server: &Server, disk: &Disk) -> Before {
        Before {
            cpu: cpu_time(server.pid),
            flushes: disk.flushes(),
        }
    }
}

impl Side {
    /// Adds a run: how long so many `units` (messages, deliveries) took, and what they cost since `before`.
    pub fn add(&mut self, (units, took): (usize, Duration), before: &Before, server: &Server, disk: &Disk) {
        let units = units as f64;
        self.rate.add(units / took.as_secs_f64());
        let cpu = cpu_time(server.pid).saturating_sub(before.cpu);
        self.cpu_micros.add(cpu.as_secs_f64() * 1e6 / units);
        if let (Some(before), Some(after)) = (before.flushes, disk.flushes()) {
            self.flushes.add((after - before) as f64 / units);
        }
    }
}

/// The line above the rows; `unit` is what is counted (`messages`).
pub fn show_head(unit: &str) {
    println!(
        "{:<40} {:<8} {:>28} {:>22} {:>21}",
        "load",
        "server",
        format!("{unit}/s"),
        "CPU us",
        "flushes"
    );
}

/// A row for each server, and the ratio of the first to the second.
pub fn show(load: &str, servers: &[Server], sides: &[Side]) {
    let names: Vec<&str> = servers.iter().map(|server| server.name).collect();
    show_named(load, &names, sides);
}

/// As [`show`], of servers by name.
pub fn show_named(load: &str, names: &[&str], sides: &[Side]) {
    for (name, side) in names.iter().zip(sides) {
        println!(
            "{load:<40} {name:<8} {:>28.1} {:>22.2} {:>21.3}",
            side.rate, side.cpu_micros, side.flushes
        );
    }
    if let [ours, theirs] = sides {
        let ratio = |ours: &Figures, theirs: &Figures| match ours.median() / theirs.median() {
            ratio if ratio.is_finite() => format!("{ratio:.2} x"),
            _ => "-".to_owned(),
        };
        println!(
            "{load:<40} {:<8} {:>28} {:>22} {:>21}",
            "ratio",
            ratio(&ours.rate, &theirs.rate),
            ratio(&ours.cpu_micros, &theirs.cpu_micros),
            ratio(&ours.flushes, &theirs.flushes),
        );
    }
}

/// `1 session`, `10 sessions`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
