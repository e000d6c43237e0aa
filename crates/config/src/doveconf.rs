//! What doveconf(1) prints: settings sorted by name, blocks nested, texts in Dovecot's form.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use settings::kinds::{Kind, Shape, YesNo, interval, size};
use settings::params;
use settings::params::dovecot_services::{DEFAULT_SERVICES, DefaultBlock};

use crate::dovecot_conf::{Block, Entry, Setting, Tree};
use crate::dovecot_groups::is_filter;
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
    /// Those that the file says: in a block they are shown even when they are as the default.
    written: BTreeSet<String>,
    blocks: Vec<Node>,
}

/// A dovecot.conf over the defaults, ready to be printed.
#[derive(Debug)]
pub struct Printout {
    effective: Node,
    defaults: Node,
    filters: Vec<Node>,
    form: Form,
}

/// How texts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// Keys and passwords too (`-P`).
    pub hidden: bool,
    /// What is in the files behind `<file` (`-x`).
    pub contents: bool,
}

/// The connection for which settings are shown (`-f`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct For {
    /// `protocol=` and `service=`.
    pub protocol: Option<String>,
    /// `local=`.
    pub local: Option<IpAddr>,
    /// `lname=`.
    pub local_name: Option<String>,
    /// `remote=`.
    pub remote: Option<IpAddr>,
}

impl Printout {
    /// What a file says over the defaults; without a file, the defaults.
    pub fn new(tree: Option<&Tree>, form: Form) -> Printout {
        let defaults = default_node();
        let mut printout = Printout {
            effective: defaults.clone(),
            defaults,
            filters: Vec::new(),
            form,
        };
        let mut entries = tree.map(|tree| tree.entries.clone()).unwrap_or_default();
        if form.contents {
            with_whole_paths(&mut entries);
        }
        for entry in &entries {
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

    /// Has the settings of the filters that hold for a connection count.
    pub fn apply(&mut self, connection: &For) {
        for filter in std::mem::take(&mut self.filters) {
            self.apply_filter(&filter, connection);
            self.filters.push(filter);
        }
    }

    fn apply_filter(&mut self, filter: &Node, connection: &For) {
        if !connection.is_within(filter) {
            return;
        }
        let settings = filter.settings.iter();
        self.effective
            .settings
            .extend(settings.map(|(name, text)| (name.clone(), text.clone())));
        for block in &filter.blocks {
            if is_filter(&block.kind) {
                self.apply_filter(block, connection);
            } else if let Some(known) = self
                .effective
                .blocks
                .iter_mut()
                .find(|node| node.kind == block.kind && node.name == block.name)
            {
                known.settings.extend(block.settings.clone());
            }
        }
    }

    /// Every setting in a line of its own, blocks before a slash (`-S`): `namespace/inbox/prefix=`.
    pub fn flat(&self, which: Which) -> Vec<String> {
        let mut lines = Vec::new();
        self.flat_node(&self.effective, Some(&self.defaults), "", which, &mut lines);
        lines
    }

    fn flat_node(
        &self,
        node: &Node,
        default: Option<&Node>,
        path: &str,
        which: Which,
        lines: &mut Vec<String>,
    ) {
        for (name, text) in &node.settings {
            // A name is told with the block; an empty alias_for is not told at all.
            let is_name = name == "name" && !node.kind.is_empty();
            if is_name || node.kind == "namespace" && name == "alias_for" && text.is_empty() {
                continue;
            }
            let is_default = default.is_some_and(|default| default.settings.get(name) == Some(text));
            if which == Which::All || !is_default || node.written.contains(name) {
                lines.push(format!("{path}{name}={}", self.bare(name, text)));
            }
        }
        // The names of the blocks of each kind come first, for programs to know what follows.
        let mut kinds: BTreeMap<&str, Vec<(String, &Node)>> = BTreeMap::new();
        for block in sorted(&node.blocks) {
            let of_kind = kinds.entry(&block.kind).or_default();
            of_kind.push((flat_name(block, of_kind.len()), block));
        }
        for (kind, blocks) in kinds {
            let is_default = |block: &Node| default_of(block, default).as_ref() == Some(block);
            if which == Which::Changed && blocks.iter().all(|(_, block)| is_default(block)) {
                continue;
            }
            let names: Vec<&str> = blocks.iter().map(|(name, _)| name.as_str()).collect();
            lines.push(format!("{path}{kind}={}", names.join(" ")));
            for (name, block) in &blocks {
                let inner = match name.as_str() {
                    "" => format!("{path}{kind}/"),
                    name => format!("{path}{kind}/{name}/"),
                };
                match kind {
                    "unix_listener" | "fifo_listener" => lines.push(format!("{inner}path={}", block.name)),
                    "plugin" => {}
                    _ => lines.push(format!("{inner}name={}", block.name)),
                }
                self.flat_node(block, default_of(block, default).as_ref(), &inner, which, lines);
            }
        }
    }

    /// One setting (`ssl`, `plugin/sieve`), all blocks of a kind (`passdb`) or one block (`service/imap-login`).
    /// With `value_only` a setting's text alone. Nothing when there is no such name.
    pub fn named(&self, name: &str, value_only: bool) -> Vec<String> {
        if let Some(text) = self.effective.settings.get(name) {
            let text = self.bare(name, text);
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
                Some(text) if value_only => lines.push(self.bare(rest, text)),
                Some(text) => lines.push(format!("{name} = {}", self.bare(rest, text))),
                None if rest.is_empty() || node.name == rest => {
                    self.block(node, None, Which::All, &mut lines)
                }
                None => {}
            }
        }
        lines
    }

    /// A text as it stands in a file.
    fn shown(&self, name: &str, text: &str) -> String {
        if self.is_kept_back(name, text) {
            return KEPT_BACK.to_owned();
        }
        quoted(&self.content(text))
    }

    /// A text alone.
    fn bare(&self, name: &str, text: &str) -> String {
        match self.is_kept_back(name, text) {
            true => KEPT_BACK.to_owned(),
            false => self.content(text),
        }
    }

    fn is_kept_back(&self, name: &str, text: &str) -> bool {
        HIDDEN.contains(&name) && !text.is_empty() && !self.form.hidden
    }

    fn content(&self, text: &str) -> String {
        let file = text.strip_prefix('<').filter(|_| self.form.contents);
        let content = file.and_then(|file| crate::bytes_of(file.as_ref()).ok());
        content.map_or_else(
            || text.to_owned(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
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
                self.block(block, default_of(block, default).as_ref(), which, lines);
            }
            // Dovecot shows these two of every namespace.
            let always = node.kind == "namespace" && matches!(name.as_str(), "location" | "prefix");
            // And never an empty one of these.
            let never = node.kind == "namespace" && name == "alias_for" && text.is_empty();
            let written = node.written.contains(name);
            if !never && (which == Which::All || always || written || is_changed(name, text)) {
                lines.push(format!("{name} = {}", self.shown(name, text)));
            }
        }
        for block in blocks {
            self.block(block, default_of(block, default).as_ref(), which, lines);
        }
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

/// What a block would be if nothing were said about it.
fn default_of(block: &Node, outer: Option<&Node>) -> Option<Node> {
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

/// A block's name where a slash would be taken for the next level; without a name its number.
fn flat_name(block: &Node, number: usize) -> String {
    match (block.kind.as_str(), block.name.as_str()) {
        ("plugin", _) => String::new(),
        (_, "") => number.to_string(),
        (_, name) => name.replace('\\', "\\\\").replace(' ', "\\_").replace('/', "\\s"),
    }
}

impl For {
    fn is_within(&self, filter: &Node) -> bool {
        let networks = |address: Option<IpAddr>| {
            let list = settings::kinds::words(&filter.name);
            let mut list = list
                .iter()
                .filter_map(|word| word.parse::<settings::Network>().ok());
            address.is_some_and(|address| list.any(|network| network.contains(address)))
        };
        match filter.kind.as_str() {
            "protocol" => match filter.name.strip_prefix('!') {
                Some(other) => self.protocol.as_deref().is_some_and(|protocol| protocol != other),
                None => self.protocol.as_deref() == Some(&filter.name),
            },
            "local_name" => self
                .local_name
                .as_deref()
                .is_some_and(|name| settings::name_matches(&filter.name, name)),
            "local" => networks(self.local),
            _ => networks(self.remote),
        }
    }
}

/// The files behind `<file` are looked for where they are, not where we stand.
fn with_whole_paths(entries: &mut [Entry]) {
    for entry in entries {
        match entry {
            Entry::Setting(setting) => setting.shown.clone_from(&setting.text),
            Entry::Block(block) => with_whole_paths(&mut block.entries),
        }
    }
}

/// What stands in place of a key or password.
const KEPT_BACK: &str = "# hidden, use -P to show it";

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
        ..Node::default()
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
        Renamed::Not => (setting.name.clone(), setting.shown.clone()),
        Renamed::Dropped(_) | Renamed::Wrong(_) => return,
    };
    if !node.kind.is_empty() || params::dovecot(&name).is_some() {
        let text = if node.kind.is_empty() || is_filter(&node.kind) {
            in_form(&name, &text)
        } else {
            in_block(&node.kind, &name, &text)
        };
        if !node.kind.is_empty() {
            node.written.insert(name.clone());
        }
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
            known.written.extend(new.written);
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
