//! What both cost while nothing happens: memory with no connection and per idle session, and the time until they greet.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::bench::disk::Disk;
use crate::bench::figures::Figures;
use crate::bench::idle;

use super::{Corpus, RUNS, hosts};

/// (Sessions, with TLS)
const KINDS: [(usize, bool); 2] = [(500, false), (300, true)];

pub(super) fn run(program: &Path, disk: &Disk) -> Result<()> {
    let corpus = Corpus::of_nothing();
    let names = ["Yubin", "Dovecot"];
    let mut alone = names.map(|_| Figures::default());
    let mut each = KINDS.map(|_| names.map(|_| Figures::default()));
    let began = Instant::now();
    for _ in 0..RUNS {
        for at in 0..names.len() {
            let hosts = hosts(program, disk, &corpus)?;
            let host = &hosts[at];
            alone[at].add(idle::settled_memory(&host.server) / 1024.0);
            for (kind, (count, tls)) in KINDS.into_iter().enumerate() {
                host.new_user("idle", 0)?;
                let port = if tls { host.imaps } else { host.imap };
                let kib = idle::idle_sessions(&host.server, count, (port, tls), ("idle", super::PASSWORD))?;
                each[kind][at].add(kib);
            }
        }
    }
    println!(
        "\nmemory (sum of PSS), {RUNS} runs, {:.0} s",
        began.elapsed().as_secs_f64()
    );
    for (at, name) in names.into_iter().enumerate() {
        println!("with no connection             {name:<8} {:.1} MiB", alone[at]);
    }
    for (kind, (count, tls)) in KINDS.into_iter().enumerate() {
        let how = if tls { "TLS" } else { "plain" };
        for (at, name) in names.into_iter().enumerate() {
            println!(
                "each of {count} idle, {how:<5}         {name:<8} {:.1} KiB",
                each[kind][at]
            );
        }
    }
    Ok(())
}
