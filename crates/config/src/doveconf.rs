//! What doveconf(1) prints: settings sorted by name, blocks nested, texts in Dovecot's form.

use std::collections::BTreeMap;

use settings::kinds::{Kind, Shape, YesNo, interval, size};
use settings::params;
use settings::params::dovecot_services::{DEFAULT_SERVICES, DefaultBlock};

use crate::dovecot_conf::{Block, Entry, Setting, Tree};
use crate::dovecot_names::{Renamed, rename};

/// Settings whose text is not shown without `-P`.
const HIDDEN: &[&str] = &[
    "ssl_key",
    "ssl_alt_key",
    "ssl_dh",
    "ssl_client_key",
    "ssl_key_password",
    "doveadm_password",
];

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Everything, defaults included (`-a`).
    All,
    /// What differs from the defaults (`-n`).
    Changed,
}

/// A block's settings and the blocks in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    kind: String,
    name: String,
    settings: BTreeMap<String, String>,
    blocks: Vec<Node>,
}

/// A dovecot.conf over the defaults, ready to be printed.
#[derive(Debug)]
pub struct Printout {
    effective: Node,
    defaults: Node,
    filters: Vec<Node>,
    show_hidden: bool,
}

impl Printout {
    /// What a file says over the defaults; without a file, the defaults. `show_hidden` is `-P`.
    pub fn new(tree: Option<&Tree>, show_hidden: bool) -> Printout {
        let defaults = default_node();
        let mut printout = Printout {
            effective: defaults.clone(),
            defaults,
            filters: Vec::new(),
            show_hidden,
        };
        for entry in tree.map(|tree| tree.entries.as_slice()).unwrap_or_default() {
            match entry {
                Entry::Setting(setting) => put(&mut printout.effective, setting),
                Entry::Block(block) if is_filter(&block.kind) => {
                    add_filter(&mut printout.filters, as_written(block))
                }
                Entry::Block(block) => merge(&mut printout.effective, block),
            }
        }
        printout
    }

    /// Everything or everything changed, line by line.
    pub fn lines(&self, which: Which) -> Vec<String> {
        let mut lines = Vec::new();
        self.node(&self.effective, Some(&self.defaults), which, &mut lines);
        for filter in &self.filters {
            self.block(filter, None, which, &mut lines);
        }
        lines
    }

    /// One setting (`ssl`, `plugin/sieve`), all blocks of a kind (`passdb`) or one block (`service/imap-login`).
    /// With `value_only` a setting's text alone. Nothing when there is no such name.
    pub fn named(&self, name: &str, value_only: bool) -> Vec<String> {
        if let Some(text) = self.effective.settings.get(name) {
            let text = self.shown(name, text);
            return vec![if value_only {
                text
            } else {
                format!("{name} = {text}")
            }];
        }
        let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
        let mut lines = Vec::new();
        for node in sorted(&self.effective.blocks)
            .into_iter()
            .filter(|node| node.kind == kind)
        {
            // A block's name wins over a setting's (`namespace/inbox`).
            let of_setting = if node.name == rest {
                None
            } else {
                node.settings.get(rest)
            };
            match of_setting {
                Some(text) if value_only => lines.push(self.shown(rest, text)),
                Some(text) => lines.push(format!("{name} = {}", self.shown(rest, text))),
                None if rest.is_empty() || node.name == rest => {
                    self.block(node, None, Which::All, &mut lines)
                }
                None => {}
            }
        }
        lines
    }

    fn shown(&self, name: &str, text: &str) -> String {
        if HIDDEN.contains(&name) && !text.is_empty() && !self.show_hidden {
            "# hidden, use -P to show it".to_owned()
        } else {
            quoted(text)
        }
    }

    /// The inside of a block, settings and blocks in one order by name.
    fn node(&self, node: &Node, default: Option<&Node>, which: Which, lines: &mut Vec<String>) {
        let blocks = sorted(&node.blocks);
        let mut blocks = blocks.into_iter().peekable();
        let is_changed = |name: &str, text: &str| match default {
            Some(default) => default.settings.get(name).is_none_or(|default| default != text),
            None => true,
        };
        for (name, text) in &node.settings {
            while let Some(block) = blocks.next_if(|block| block.kind.as_str() < name.as_str()) {
                self.block(block, self.default_of(block, default).as_ref(), which, lines);
            }
            // Dovecot shows these two of every namespace.
            let always = node.kind == "namespace" && matches!(name.as_str(), "location" | "prefix");
            if which == Which::All && !(node.kind == "namespace" && name == "alias_for" && text.is_empty())
                || always
                || is_changed(name, text)
            {
                lines.push(format!("{name} = {}", self.shown(name, text)));
            }
        }
        for block in blocks {
            self.block(block, self.default_of(block, default).as_ref(), which, lines);
        }
    }

    /// What a block would be if nothing were said about it.
    fn default_of(&self, block: &Node, outer: Option<&Node>) -> Option<Node> {
        let there = outer.and_then(|outer| {
            outer
                .blocks
                .iter()
                .find(|node| node.kind == block.kind && node.name == block.name && !node.name.is_empty())
        });
        there
            .cloned()
            .or_else(|| outer.is_some().then(|| empty(&block.kind, &block.name)))
    }

    fn block(&self, block: &Node, default: Option<&Node>, which: Which, lines: &mut Vec<String>) {
        if which == Which::Changed
            && default == Some(block)
            && !matches!(block.kind.as_str(), "mailbox" | "namespace")
        {
            return;
        }
        let mut inner = Vec::new();
        self.node(block, default, which, &mut inner);
        if inner.is_empty() && block.kind != "mailbox" {
            return;
        }
        let name = if block.name.contains(' ') {
            format!("\"{}\"", block.name)
        } else {
            block.name.clone()
        };
        lines.push(if name.is_empty() {
            format!("{} {{", block.kind)
        } else {
            format!("{} {name} {{", block.kind)
        });
        lines.extend(inner.into_iter().map(|line| format!("  {line}")));
        lines.push("}".to_owned());
    }
}

fn is_filter(kind: &str) -> bool {
    matches!(kind, "protocol" | "local" | "local_name" | "remote")
}

/// By kind, then by name; blocks without a name first and in the file's order.
fn sorted(blocks: &[Node]) -> Vec<&Node> {
    let mut list: Vec<&Node> = blocks.iter().collect();
    // Dovecot sorts paths: the slash after the name counts, and a space in a name is an escape.
    list.sort_by_cached_key(|node| (node.kind.clone(), format!("{}/", node.name.replace(' ', "\\s"))));
    list
}

/// A block of which nothing is said.
fn empty(kind: &str, name: &str) -> Node {
    let settings = params::dovecot_block_defaults(kind);
    Node {
        kind: kind.to_owned(),
        name: name.to_owned(),
        settings: settings
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        blocks: Vec::new(),
    }
}

fn default_node() -> Node {
    let of_row = |(kind, name, settings): &DefaultBlock| {
        let mut node = empty(kind, name);
        node.settings.extend(
            settings
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        );
        node
    };
    let settings = params::dovecot_all()
        .iter()
        .filter(|parameter| params::is_dovecot_2_3(parameter.name))
        .map(|parameter| {
            (
                parameter.name.to_owned(),
                in_form(parameter.name, parameter.default),
            )
        })
        .collect();
    let blocks = DEFAULT_SERVICES
        .iter()
        .map(|(service, listeners)| Node {
            blocks: listeners.iter().map(of_row).collect(),
            ..of_row(service)
        })
        .collect();
    Node {
        settings,
        blocks,
        ..Node::default()
    }
}

/// Sets a setting under its 2.3 name; names that are no settings are left out.
fn put(node: &mut Node, setting: &Setting) {
    let (name, text) = match rename(&setting.name, &setting.text) {
        Renamed::To(name, text) => (name.to_owned(), text),
        Renamed::Not => (setting.name.clone(), setting.text.clone()),
        Renamed::Dropped(_) | Renamed::Wrong(_) => return,
    };
    if !node.kind.is_empty() || params::dovecot(&name).is_some() {
        let text = if node.kind.is_empty() || is_filter(&node.kind) {
            in_form(&name, &text)
        } else {
            in_block(&node.kind, &name, &text)
        };
        node.settings.insert(name, text);
    }
}

fn merge(outer: &mut Node, block: &Block) {
    let separate = matches!(block.kind.as_str(), "passdb" | "userdb")
        || block.kind == "namespace" && block.name.is_empty();
    let known = outer
        .blocks
        .iter()
        .position(|node| node.kind == block.kind && node.name == block.name && !separate);
    let mut node = match known {
        Some(at) => outer.blocks.remove(at),
        None => empty(&block.kind, &block.name),
    };
    for entry in &block.entries {
        match entry {
            Entry::Setting(setting) => put(&mut node, setting),
            Entry::Block(inner) => merge(&mut node, inner),
        }
    }
    outer.blocks.insert(known.unwrap_or(outer.blocks.len()), node);
}

/// Filters of one kind and name are one.
fn add_filter(filters: &mut Vec<Node>, new: Node) {
    match filters
        .iter_mut()
        .find(|filter| filter.kind == new.kind && filter.name == new.name)
    {
        Some(known) => {
            known.settings.extend(new.settings);
            new.blocks
                .into_iter()
                .for_each(|block| add_filter(&mut known.blocks, block));
        }
        None => filters.push(new),
    }
}

/// A filter holds only what is written in it.
fn as_written(block: &Block) -> Node {
    let mut node = Node {
        kind: block.kind.clone(),
        name: block.name.clone(),
        ..Node::default()
    };
    for entry in &block.entries {
        match entry {
            Entry::Setting(setting) => put(&mut node, setting),
            Entry::Block(inner) => node.blocks.push(as_written(inner)),
        }
    }
    node
}

/// A text of the top level in Dovecot's form: `90s` → `90 secs`.
fn in_form(name: &str, text: &str) -> String {
    if text.starts_with('<') {
        return text.to_owned();
    }
    let formed = match params::dovecot(name).map(|parameter| parameter.shape) {
        Some(Shape::YesNo) => YesNo::read(text)
            .ok()
            .map(|yes| if yes { "yes" } else { "no" }.to_owned()),
        Some(Shape::Interval) => interval(text, "secs")
            .ok()
            .map(|time| interval_text(time.as_secs())),
        Some(Shape::Size) => size(text).ok().map(size_text),
        _ => None,
    };
    formed.unwrap_or_else(|| text.to_owned())
}

/// The same for the settings of blocks.
fn in_block(kind: &str, name: &str, text: &str) -> String {
    match (kind, name) {
        ("mailbox", "autoexpunge") | ("service", "idle_kill") => {
            interval(text, "secs").map_or_else(|_| text.to_owned(), |time| interval_text(time.as_secs()))
        }
        ("service", "vsz_limit") => size(text).map_or_else(|_| text.to_owned(), size_text),
        _ => text.to_owned(),
    }
}

fn interval_text(secs: u64) -> String {
    const UNITS: &[(u64, &str)] = &[
        (604_800, "weeks"),
        (86_400, "days"),
        (3_600, "hours"),
        (60, "mins"),
    ];
    if secs == 0 {
        return "0".to_owned();
    }
    match UNITS.iter().find(|(unit, _)| secs.is_multiple_of(*unit)) {
        Some((unit, word)) => format!("{} {word}", secs / unit),
        None => format!("{secs} secs"),
    }
}

fn size_text(bytes: u64) -> String {
    const UNITS: &[(u32, &str)] = &[(40, "T"), (30, "G"), (20, "M"), (10, "k")];
    if bytes == 0 {
        return "0".to_owned();
    }
    match UNITS.iter().find(|(shift, _)| bytes.trailing_zeros() >= *shift) {
        Some((shift, word)) => format!("{} {word}", bytes >> shift),
        None => format!("{bytes} B"),
    }
}

/// In quotes when white space at an end would be lost.
fn quoted(text: &str) -> String {
    if text.trim() == text && !text.starts_with(['"', '\'']) && !text.contains(" #") {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
