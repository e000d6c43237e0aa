//! A crate depends only on lower layers; the exceptions are listed here and explained in ARCHITECTURE.md.

use super::workspace::{Crate, Layer};
use crate::root;

/// Same-layer edges, each with its reason.
const SAME_LAYER: &[(&str, &str, &str)] = &[
    ("world", "os", "the real disk and clock are system calls"),
    (
        "journal",
        "world",
        "the log stands on the disk trait, so that crashes can be simulated",
    ),
    ("envelope", "address", "an envelope is made of addresses"),
    ("message", "address", "header fields hold addresses"),
    (
        "mailbox",
        "message",
        "the in-memory store ends lines as every store does",
    ),
    (
        "config",
        "settings",
        "the dialects are lowered into the table's types",
    ),
    ("tables", "settings", "a table is named by a setting"),
    ("auth", "settings", "a passdb is a setting"),
    ("ipc", "auth", "log-ins are asked for and answered in frames"),
    ("ipc", "settings", "which log-ins there are is a setting"),
    ("tls", "settings", "certificates are named by settings"),
    ("maillog", "settings", "where the log goes is a setting"),
    (
        "store-maildir",
        "mailbox-index",
        "the index is shared by the stores",
    ),
    ("store-mbox", "mailbox-index", "the index is shared by the stores"),
    (
        "access",
        "route",
        "a restriction asks whether a recipient is ours and whether it exists",
    ),
    (
        "deliver-remote",
        "intake",
        "headers and bodies are looked at and rewritten on the way out as on the way in",
    ),
    (
        "deliver-remote",
        "route",
        "a table of addresses asks whether a domain is this host's",
    ),
    ("bounce", "queue", "a bounce reads the message it returns"),
    ("front", "serve", "the pump under every listener"),
    ("agent", "serve", "the pump under every session"),
    ("master", "serve", "master binds what the pump accepts on"),
    (
        "master",
        "front",
        "in the single profile master starts the roles in its own process",
    ),
    (
        "master",
        "agent",
        "in the single profile master starts the roles in its own process",
    ),
    ("yubin", "commands", "the program is the commands"),
    ("commands", "master", "`yubin serve` starts the supervisor"),
];

/// Crates that may name tokio.
const ASYNC: &[&str] = &["serve", "front", "agent", "master", "deliver-remote", "dns"];

/// Crates of layers 1 to 2 must not reach the ground, and nobody reaches up.
pub fn check(crates: &[Crate]) -> Vec<String> {
    let layer_of = |name: &str| {
        crates
            .iter()
            .find(|krate| krate.name == name)
            .and_then(|krate| krate.layer)
    };
    let mut complaints = Vec::new();
    for krate in crates {
        let Some(layer) = krate.layer else {
            complaints.push(format!(
                "{}: no [package.metadata.house] layer in its manifest",
                krate.name
            ));
            continue;
        };
        let Layer::Level(own) = layer else { continue };
        for dependency in &krate.dependencies {
            complaints.extend(edge(krate, own, dependency, layer_of(dependency)));
        }
        if (1..=2).contains(&own) && !root().join(&krate.folder).join("clippy.toml").exists() {
            complaints.push(format!(
                "{}: a crate of layer {own} needs the clippy.toml that forbids I/O",
                krate.name
            ));
        }
    }
    complaints
}

fn edge(krate: &Crate, own: u64, dependency: &str, theirs: Option<Layer>) -> Option<String> {
    if dependency == "tokio" && !ASYNC.contains(&krate.name.as_str()) {
        return Some(format!(
            "{}: tokio may be named only in {}",
            krate.name,
            ASYNC.join(", ")
        ));
    }
    let theirs = match theirs? {
        Layer::Level(theirs) => theirs,
        Layer::Test => return Some(format!("{}: depends on the test crate {dependency}", krate.name)),
    };
    let listed = SAME_LAYER
        .iter()
        .any(|(from, to, _)| *from == krate.name && *to == dependency);
    let ground_forbidden = theirs == 0 && (1..=2).contains(&own);
    if ground_forbidden || theirs > own || (theirs == own && !listed) {
        return Some(format!(
            "{}: layer {own} may not depend on {dependency} of layer {theirs}; move the code, or list the edge with its reason",
            krate.name
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, layer: u64, dependencies: &[&str]) -> Crate {
        Crate {
            name: name.to_owned(),
            folder: "crates/machine".into(),
            layer: Some(Layer::Level(layer)),
            dependencies: dependencies.iter().map(|d| (*d).to_owned()).collect(),
        }
    }

    #[test]
    fn edges_go_down() {
        let down = [krate("queue", 5, &["journal"]), krate("journal", 0, &[])];
        assert!(check(&down).is_empty());
        let up = [krate("journal", 0, &["queue"]), krate("queue", 5, &[])];
        assert_eq!(check(&up).len(), 1);
        let sideways = [krate("queue", 5, &["route"]), krate("route", 5, &[])];
        assert_eq!(check(&sideways).len(), 1);
        let ground = [krate("imap", 2, &["world"]), krate("world", 0, &[])];
        assert_eq!(check(&ground).len(), 1);
        assert_eq!(check(&[krate("imap", 2, &["tokio"])]).len(), 1);
    }
}
