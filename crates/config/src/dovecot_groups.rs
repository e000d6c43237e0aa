//! Blocks of the 2.4 dialect that only group settings: `ssl_server { cert_file = x }` is `ssl_server_cert_file = x`.

use settings::params;

use crate::dovecot_conf::{Block, Entry, Setting};
use crate::{Problem, Severity};

/// Blocks that are more than a group, and lists of words.
const NO_GROUPS: &[&str] = &[
    "auth_mechanisms",
    "dict",
    "inet_listener",
    "fifo_listener",
    "mail_plugins",
    "mailbox",
    "namespace",
    "passdb",
    "plugin",
    "protocols",
    "service",
    "unix_listener",
    "userdb",
];

/// The entries with groups replaced by their settings, in order; inside filters too.
pub(crate) fn flattened(entries: Vec<Entry>, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut flat = Vec::new();
    for entry in entries {
        match entry {
            Entry::Block(block) if is_group(&block) => open(&block, &block.kind, &mut flat, problems),
            Entry::Block(mut block) if is_filter(&block.kind) => {
                block.entries = flattened(block.entries, problems);
                flat.push(Entry::Block(block));
            }
            other => flat.push(other),
        }
    }
    flat
}

/// Whether a block is one of those whose settings hold under a condition.
pub(crate) fn is_filter(kind: &str) -> bool {
    matches!(kind, "protocol" | "local" | "local_name" | "remote")
}

fn is_group(block: &Block) -> bool {
    let prefix = format!("{}_", block.kind);
    block.name.is_empty()
        && !is_filter(&block.kind)
        && !NO_GROUPS.contains(&block.kind.as_str())
        && params::dovecot_all()
            .iter()
            .any(|parameter| parameter.name.starts_with(&prefix))
}

fn open(block: &Block, group: &str, flat: &mut Vec<Entry>, problems: &mut Vec<Problem>) {
    for entry in &block.entries {
        match entry {
            Entry::Setting(setting) => {
                let name = format!("{group}_{}", setting.name);
                // The whole name may stand in the group as well.
                let is_whole = setting.name.starts_with(&format!("{group}_"));
                if params::dovecot(&name).is_none() && !is_whole && params::dovecot(&setting.name).is_some() {
                    let place = (setting.place.0.as_str(), setting.place.1);
                    let what = format!("it is not honoured inside {group} {{ }}");
                    problems.push(Problem::new(Severity::Note, place, &setting.name, what));
                    continue;
                }
                flat.push(Entry::Setting(Setting {
                    name: if is_whole { setting.name.clone() } else { name },
                    ..setting.clone()
                }));
            }
            Entry::Block(inner) => {
                let inner = Block {
                    kind: format!("{group}_{}", inner.kind),
                    ..inner.clone()
                };
                if is_group(&inner) {
                    open(&inner, &inner.kind, flat, problems);
                } else {
                    flat.push(Entry::Block(inner));
                }
            }
        }
    }
}
