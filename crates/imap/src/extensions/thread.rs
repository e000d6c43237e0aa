//! THREAD (RFC 5256): messages as conversations, by what they refer to or by their subjects. THREAD=REFS is REFERENCES
//! without subjects, ordered by when each thread was last added to.

use std::collections::{HashMap, HashSet};

use message::subject::Base;

use super::{Command, Extension};
use crate::extensions::sort;
use crate::session::Session;
use crate::session::search::Purpose;
use crate::session::search::facts::Facts;
use crate::session::view::Row;
use crate::wire::cursor::Cursor;
use crate::wire::sort::{Algorithm, decode_thread};
use crate::wire::{Result, encode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["THREAD=REFERENCES", "THREAD=REFS", "THREAD=ORDEREDSUBJECT"],
    commands: &[
        Command {
            name: "THREAD",
            needs_mailbox: true,
            run: |session, tag, arguments| session.thread(tag, false, arguments),
        },
        Command {
            name: "UID THREAD",
            needs_mailbox: true,
            run: |session, tag, arguments| session.thread(tag, true, arguments),
        },
    ],
};

impl Session {
    fn thread(&mut self, tag: &str, by_uid: bool, arguments: &mut Cursor<'_>) -> Result<()> {
        let thread = decode_thread(arguments, by_uid)?;
        self.search(tag, thread.search, Purpose::Thread(thread.algorithm));
        Ok(())
    }
}

/// What threads are made of, of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Seconds since the Unix epoch.
    date: i64,
    id: Option<Box<[u8]>>,
    /// The messages that it refers to, the nearest last.
    references: Vec<Box<[u8]>>,
    subject: Base,
}

/// What threads are made of, of a message with this row and this header.
pub(crate) fn fields(row: &Row, facts: Facts) -> Fields {
    Fields {
        date: sort::sent_or_arrived(row, &facts),
        id: facts.id,
        references: facts.references,
        subject: facts.subject,
    }
}

/// The untagged answer, without its line end; `numbers` are the UIDs or sequence numbers of the messages.
pub(crate) fn answer(algorithm: Algorithm, messages: &[Fields], numbers: &[u32]) -> String {
    let forest = match algorithm {
        Algorithm::OrderedSubject => Forest::by_subject(messages),
        Algorithm::References => Forest::by_references(messages),
        Algorithm::Refs => Forest::by_last_date(messages),
    };
    let mut line = b"* THREAD".to_vec();
    forest.write(&mut line, numbers);
    String::from_utf8(line).unwrap_or_default()
}

/// Messages and what they refer to, while the links between them are made (RFC 5256, THREAD=REFERENCES, step 1).
struct Links<'a> {
    /// By id: the node of the message, or of a message that is only referred to.
    nodes: HashMap<&'a [u8], usize>,
    /// The message of each node.
    messages: Vec<Option<usize>>,
    parents: Vec<Option<usize>>,
    /// Whether something is below a node, or was.
    has_below: Vec<bool>,
}

impl<'a> Links<'a> {
    fn of(messages: &'a [Fields]) -> Links<'a> {
        let mut links = Links {
            nodes: HashMap::with_capacity(messages.len()),
            messages: Vec::with_capacity(messages.len()),
            parents: Vec::with_capacity(messages.len()),
            has_below: Vec::with_capacity(messages.len()),
        };
        for (message, fields) in messages.iter().enumerate() {
            links.add(message, fields);
        }
        links
    }

    fn add(&mut self, message: usize, fields: &'a Fields) {
        let node = match &fields.id {
            Some(id) => self.node_of(id),
            None => self.new_node(),
        };
        // Of several messages with one id, the first has it.
        let node = match self.messages[node] {
            Some(_) => self.new_node(),
            None => node,
        };
        self.messages[node] = Some(message);
        let mut before = None;
        for id in &fields.references {
            let referred = self.node_of(id);
            if let Some(before) = before
                && self.parents[referred].is_none()
            {
                self.link(referred, before);
            }
            before = Some(referred);
        }
        // What the message itself says counts more than what others say of it.
        self.parents[node] = None;
        if let Some(parent) = before {
            self.link(node, parent);
        }
    }

    fn node_of(&mut self, id: &'a [u8]) -> usize {
        if let Some(&node) = self.nodes.get(id) {
            return node;
        }
        let node = self.new_node();
        self.nodes.insert(id, node);
        node
    }

    fn new_node(&mut self) -> usize {
        self.messages.push(None);
        self.parents.push(None);
        self.has_below.push(false);
        self.messages.len() - 1
    }

    /// Puts `node` below `parent`, unless it is above it.
    fn link(&mut self, node: usize, parent: usize) {
        if node == parent {
            return;
        }
        if self.has_below[node] {
            let mut above = self.parents[parent];
            while let Some(ancestor) = above {
                if ancestor == node {
                    return;
                }
                above = self.parents[ancestor];
            }
        }
        self.parents[node] = Some(parent);
        self.has_below[parent] = true;
    }
}

/// Threads.
struct Forest<'a> {
    fields: &'a [Fields],
    roots: Vec<usize>,
    /// The message of each node; none where it is only known from what refers to it.
    messages: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    /// Roots that are alone below a message that is not there.
    lifted: HashSet<usize>,
}

impl<'a> Forest<'a> {
    fn of(fields: &'a [Fields]) -> Forest<'a> {
        let Links {
            messages, parents, ..
        } = Links::of(fields);
        let mut forest = Forest {
            fields,
            roots: Vec::new(),
            children: vec![Vec::new(); messages.len()],
            messages,
            lifted: HashSet::new(),
        };
        for (node, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => forest.children[*parent].push(node),
                None => forest.roots.push(node),
            }
        }
        forest.prune();
        forest
    }

    fn by_references(fields: &'a [Fields]) -> Forest<'a> {
        let mut forest = Forest::of(fields);
        forest.sort_below();
        forest.sort_roots();
        forest.gather_subjects();
        forest.sort_below();
        forest.sort_roots();
        forest
    }

    fn by_last_date(fields: &'a [Fields]) -> Forest<'a> {
        let mut forest = Forest::of(fields);
        forest.sort_below();
        let mut keyed: Vec<(i64, Option<usize>, usize)> = Vec::with_capacity(forest.roots.len());
        for &root in &forest.roots {
            let dates = forest
                .below(root)
                .into_iter()
                .filter_map(|node| forest.messages[node]);
            let last = dates.map(|message| fields[message].date).max();
            // Of threads last added to at the same time, those come first whose first message is not there.
            let top = forest.messages[root].filter(|_| !forest.lifted.contains(&root));
            keyed.push((last.unwrap_or_default(), top, root));
        }
        keyed.sort_unstable();
        forest.roots = keyed.into_iter().map(|(.., root)| root).collect();
        forest
    }

    /// THREAD=ORDEREDSUBJECT: the first message of a base subject, and below it all others.
    fn by_subject(fields: &'a [Fields]) -> Forest<'a> {
        let mut order: Vec<usize> = (0..fields.len()).collect();
        let key = |message: usize| (&fields[message].subject.text, fields[message].date, message);
        order.sort_unstable_by(|&left, &right| key(left).cmp(&key(right)));
        let mut forest = Forest {
            fields,
            roots: Vec::new(),
            messages: (0..fields.len()).map(Some).collect(),
            children: vec![Vec::new(); fields.len()],
            lifted: HashSet::new(),
        };
        let same = |left: &usize, right: &usize| fields[*left].subject.text == fields[*right].subject.text;
        for thread in order.chunk_by(same) {
            forest.roots.push(thread[0]);
            forest.children[thread[0]] = thread[1..].to_vec();
        }
        forest.sort_roots();
        forest
    }

    /// A node and all below it, each before what is below it.
    fn below(&self, node: usize) -> Vec<usize> {
        let mut nodes = vec![node];
        let mut at = 0;
        while at < nodes.len() {
            nodes.extend_from_slice(&self.children[nodes[at]]);
            at += 1;
        }
        nodes
    }

    /// Step 3: nodes without a message go, and what is below them moves up; at the top one stays that holds several
    /// messages together.
    fn prune(&mut self) {
        let roots = std::mem::take(&mut self.roots);
        for root in roots {
            for node in self.below(root).into_iter().rev() {
                let mut kept = Vec::with_capacity(self.children[node].len());
                for child in std::mem::take(&mut self.children[node]) {
                    match self.messages[child] {
                        Some(_) => kept.push(child),
                        None => kept.append(&mut self.children[child]),
                    }
                }
                self.children[node] = kept;
            }
            match (self.messages[root], self.children[root].as_slice()) {
                (Some(_), _) | (None, [_, _, ..]) => self.roots.push(root),
                (None, [only]) => {
                    self.lifted.insert(*only);
                    self.roots.push(*only);
                }
                (None, []) => {}
            }
        }
    }

    /// When a node was sent, and where it is in the mailbox; of one without a message, its first child's.
    fn key(&self, node: usize) -> (i64, usize) {
        let message = match self.messages[node] {
            Some(message) => Some(message),
            None => self.children[node]
                .first()
                .and_then(|&first| self.messages[first]),
        };
        message.map_or((i64::MIN, 0), |message| (self.fields[message].date, message))
    }

    fn sort_below(&mut self) {
        for node in 0..self.children.len() {
            if self.children[node].len() > 1 {
                let mut children = std::mem::take(&mut self.children[node]);
                children.sort_by_key(|&child| self.key(child));
                self.children[node] = children;
            }
        }
    }

    fn sort_roots(&mut self) {
        let mut roots = std::mem::take(&mut self.roots);
        roots.sort_by_key(|&root| self.key(root));
        self.roots = roots;
    }

    /// The base subject of a thread.
    fn subject(&self, root: usize) -> Option<&'a Base> {
        let message = match self.messages[root] {
            Some(message) => Some(message),
            None => self.children[root]
                .first()
                .and_then(|&first| self.messages[first]),
        };
        Some(&self.fields[message?].subject).filter(|base| !base.text.is_empty())
    }

    fn is_reply(&self, root: usize) -> bool {
        self.messages[root].is_some_and(|message| self.fields[message].subject.is_reply)
    }

    /// Step 5: threads of one subject become one.
    fn gather_subjects(&mut self) {
        let mut table: HashMap<&'a str, usize> = HashMap::new();
        for &root in &self.roots {
            let Some(base) = self.subject(root) else { continue };
            let known = table.entry(&base.text).or_insert(root);
            let is_better = self.messages[root].is_none() && self.messages[*known].is_some()
                || self.is_reply(*known) && !self.is_reply(root);
            if is_better {
                *known = root;
            }
        }
        let mut gone = vec![false; self.messages.len()];
        for root in self.roots.clone() {
            let Some(base) = self.subject(root) else { continue };
            let known = table.get(base.text.as_str()).copied().unwrap_or(root);
            if known == root {
                continue;
            }
            gone[root] = true;
            match (self.messages[known], self.messages[root]) {
                (None, None) => {
                    let mut children = std::mem::take(&mut self.children[root]);
                    self.children[known].append(&mut children);
                }
                (None, Some(_)) => self.children[known].push(root),
                (Some(_), _) if self.is_reply(root) && !self.is_reply(known) => {
                    self.children[known].push(root);
                }
                (Some(_), _) => {
                    gone[known] = true;
                    gone.push(false);
                    self.messages.push(None);
                    self.children.push(vec![known, root]);
                    let both = self.messages.len() - 1;
                    self.roots.push(both);
                    table.insert(&base.text, both);
                }
            }
        }
        self.roots.retain(|&root| !gone[root]);
    }

    /// ` (2)(3 6 (4 23)(44 7 96))`. Nodes nest as deep as mail does: no recursion.
    fn write(&self, line: &mut Vec<u8>, numbers: &[u32]) {
        enum Step {
            Open(usize),
            Node(usize),
            Close,
        }
        if !self.roots.is_empty() {
            line.push(b' ');
        }
        let mut steps: Vec<Step> = self.roots.iter().rev().map(|&root| Step::Open(root)).collect();
        while let Some(step) = steps.pop() {
            match step {
                Step::Close => line.push(b')'),
                Step::Open(node) => {
                    line.push(b'(');
                    steps.extend([Step::Close, Step::Node(node)]);
                }
                Step::Node(node) => {
                    let children = &self.children[node];
                    if let Some(message) = self.messages[node] {
                        encode::number(line, u64::from(numbers[message]));
                        if !children.is_empty() {
                            line.push(b' ');
                        }
                    }
                    match children.as_slice() {
                        [only] => steps.push(Step::Node(*only)),
                        several => steps.extend(several.iter().rev().map(|&child| Step::Open(child))),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
