//! Licences and origins of what the lock file names, by the lists in `deny.toml` (the file that cargo-deny reads too).

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use spdx::{Expression, ParseMode};

use crate::{cargo, root};

/// What `deny.toml` allows and forbids.
struct Rules {
    allowed: Vec<String>,
    forbidden: Vec<String>,
}

/// A complaint for every package that may not be linked, or does not come from the registry or this repository. Packages
/// that stand in the lock file but that no feature asks for are not looked at.
pub fn check() -> Result<Vec<String>> {
    let rules = Rules::read()?;
    let shape = ["--prefix", "none", "--format", "{p}|{l}"];
    let wanted = [
        "tree",
        "--locked",
        "--workspace",
        "--edges",
        "normal,build,dev",
        "--target",
        "all",
    ];
    let output = cargo(&[&wanted[..], &shape[..]].concat()).output()?;
    let lines = String::from_utf8(output.stdout).context("cargo tree does not write UTF-8")?;
    let packages: BTreeSet<&str> = lines.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    if packages.is_empty() {
        bail!("cargo tree names no packages");
    }
    Ok(packages
        .into_iter()
        .filter_map(|package| rules.complaint(package))
        .collect())
}

impl Rules {
    fn read() -> Result<Rules> {
        let file = root().join("deny.toml");
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let table: toml::Table = text.parse().context("deny.toml")?;
        let names = |section: &str, list: &str, key: Option<&str>| -> Vec<String> {
            let entries = table
                .get(section)
                .and_then(|section| section.get(list)?.as_array());
            let entries = entries.into_iter().flatten();
            entries
                .filter_map(|entry| key.map_or(Some(entry), |key| entry.get(key))?.as_str())
                .map(str::to_owned)
                .collect()
        };
        Ok(Rules {
            allowed: names("licenses", "allow", None),
            forbidden: names("bans", "deny", Some("crate")),
        })
    }

    /// `package` is `name v1.2.3 (where it comes from)|licence`.
    fn complaint(&self, package: &str) -> Option<String> {
        let (origin, licence) = package.rsplit_once('|')?;
        let name = origin.split(' ').next().unwrap_or_default();
        if self.forbidden.iter().any(|forbidden| forbidden == name) {
            return Some(format!("{name}: deny.toml forbids this package"));
        }
        if origin.contains("://") {
            return Some(format!("{name}: it does not come from the registry"));
        }
        match Expression::parse_mode(licence, ParseMode::LAX) {
            Err(_) => Some(format!("{name}: its licence cannot be read: \"{licence}\"")),
            Ok(expression) => {
                let allows = |wanted: &spdx::LicenseReq| {
                    self.allowed.iter().any(|allowed| *allowed == wanted.to_string())
                };
                (!expression.evaluate(allows))
                    .then(|| format!("{name}: deny.toml does not allow its licence {licence}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_and_origins_are_judged() {
        let rules = Rules {
            allowed: ["MIT", "Apache-2.0 WITH LLVM-exception"]
                .map(str::to_owned)
                .to_vec(),
            forbidden: vec!["openssl".to_owned()],
        };
        let judged = |origin: &str, licence: &str| rules.complaint(&format!("{origin}|{licence}")).is_none();
        for fine in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "MIT AND Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(judged("a v1.0.0", fine), "{fine}");
        }
        for wrong in ["GPL-3.0", "MIT AND GPL-3.0-only", "no licence", ""] {
            assert!(!judged("a v1.0.0", wrong), "{wrong}");
        }
        assert!(!judged("openssl v1.0.0", "MIT"));
        assert!(!judged("a v1.0.0 (https://example.org/a#1234)", "MIT"));
    }

    #[test]
    fn the_rules_are_found() {
        let rules = Rules::read().unwrap();
        assert!(rules.allowed.contains(&"MIT".to_owned()) && rules.forbidden.contains(&"ring".to_owned()));
    }
}
