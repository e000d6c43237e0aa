//! What a process and all its descendants cost, from proc(5).

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use super::output;

/// A process of `/proc`: its parent, and the clock ticks used by it and by its children that have ended.
struct Stat {
    parent: u32,
    ticks: u64,
}

/// CPU time of a process tree so far. Children that ended count by what their parents inherited.
pub fn cpu_time(root: u32) -> Duration {
    let all = all();
    let ticks: u64 = tree(root, &all).iter().map(|pid| all[pid].ticks).sum();
    Duration::from_secs_f64(ticks as f64 / ticks_per_second())
}

/// Proportional set size of a process tree, in KiB: shared pages are counted once.
pub fn memory_kib(root: u32) -> u64 {
    let pss = |pid: &u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    tree(root, &all()).iter().filter_map(pss).sum()
}

fn ticks_per_second() -> f64 {
    output("getconf", &["CLK_TCK"])
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100.0)
}

fn all() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        })
        .collect()
}

/// proc_pid_stat(5): the name in parentheses may hold anything; ppid is field 4, utime to cstime are 14 to 17.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields
        .get(11..15)?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok());
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks.sum(),
    })
}

fn tree(root: u32, all: &HashMap<u32, Stat>) -> Vec<u32> {
    let mut found: Vec<u32> = all.contains_key(&root).then_some(root).into_iter().collect();
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(
            all.iter()
                .filter(|(_, stat)| stat.parent == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_with_a_parenthesis_does_not_shift_the_fields() {
        let stat =
            super::stat("7 (a) b) S 3 7 7 0 -1 4194560 1 0 0 0 10 20 30 40 20 0 1").expect("a stat line");
        assert_eq!((stat.parent, stat.ticks), (3, 100));
    }
}
