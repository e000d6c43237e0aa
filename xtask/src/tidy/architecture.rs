//! Every crate stands in ARCHITECTURE.md's table, and the table names no crate that is not there; the crates
//! that `rfc/index.tsv` names exist.

use anyhow::{Context, Result};

use super::workspace::Crate;
use crate::root;

/// Compares the crates with the documents.
pub fn check(crates: &[Crate]) -> Result<Vec<String>> {
    let read = |name: &str| {
        std::fs::read_to_string(root().join(name)).with_context(|| format!("cannot read {name}"))
    };
    let mut complaints = rooms(crates, &read("ARCHITECTURE.md")?);
    complaints.extend(rfcs(crates, &read("rfc/index.tsv")?));
    Ok(complaints)
}

/// Rows of the table of rooms look like ``| 3 | `settings` | … |``.
fn rooms(crates: &[Crate], text: &str) -> Vec<String> {
    let named: Vec<&str> = text.lines().filter_map(room).collect();
    let mut complaints = Vec::new();
    for krate in crates {
        if !named.contains(&krate.name.as_str()) {
            complaints.push(format!(
                "ARCHITECTURE.md: the table of rooms lacks {}",
                krate.name
            ));
        }
    }
    for name in named {
        if !crates.iter().any(|krate| krate.name == name) {
            complaints.push(format!(
                "ARCHITECTURE.md: the table of rooms names {name}, which is not there"
            ));
        }
    }
    complaints
}

fn room(line: &str) -> Option<&str> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let layer = cells.next()?;
    let is_layer = layer.parse::<u64>().is_ok() || layer == "–";
    let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    is_layer.then_some(name)
}

/// Columns: number, title, status (yes, partial, no), crates separated by spaces, remark.
fn rfcs(crates: &[Crate], text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [number, _, status, users, ..] = columns.as_slice() else {
            complaints.push(format!("rfc/index.tsv:{}: fewer than four columns", index + 1));
            continue;
        };
        if number.parse::<u32>().is_err() || !["yes", "partial", "no"].contains(status) {
            complaints.push(format!(
                "rfc/index.tsv:{}: not a number, or a status other than yes, partial, no",
                index + 1
            ));
        }
        for name in users
            .split_whitespace()
            .filter(|name| !crates.iter().any(|krate| krate.name == **name))
        {
            complaints.push(format!("rfc/index.tsv:{}: there is no crate {name}", index + 1));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_table_is_found() {
        assert_eq!(room("| 3 | `settings` | the table |"), Some("settings"));
        assert_eq!(room("| – | `xtask` | automation |"), Some("xtask"));
        assert_eq!(room("| question | `crates/x` |"), None);
        assert_eq!(
            rfcs(&[], "number\ttitle\tstatus\tcrates\nx\tt\tyes\tnobody\n").len(),
            2
        );
    }
}
