//! `cargo xtask tidy`: what the house asks of its rooms, checked. Each check gives complaints; one run gives all.

mod architecture;
mod headers;
mod layers;
mod licences;
mod names;
mod parameters;
mod sizes;
mod workspace;

use anyhow::{Result, bail};

/// What to do with the recorded sizes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ratchet {
    /// Nothing may be larger than recorded.
    Hold,
    /// Record today's sizes where they are smaller.
    Shrink,
}

/// Runs every check and prints every complaint.
pub fn run(ratchet: Ratchet) -> Result<()> {
    let crates = workspace::crates()?;
    let sources = workspace::sources()?;
    let mut complaints = Vec::new();
    complaints.extend(layers::check(&crates));
    complaints.extend(architecture::check(&crates)?);
    complaints.extend(licences::check()?);
    complaints.extend(names::check(&crates, &sources));
    complaints.extend(headers::check(&sources));
    complaints.extend(parameters::check(&sources));
    complaints.extend(sizes::check(&sources, ratchet)?);
    for complaint in &complaints {
        println!("{complaint}");
    }
    if !complaints.is_empty() {
        bail!("tidy: {} complaint(s)", complaints.len());
    }
    println!(
        "tidy: {} crates, {} source files, no complaint",
        crates.len(),
        sources.len()
    );
    Ok(())
}
