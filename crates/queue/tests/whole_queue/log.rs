//! The log of the whole queue as text: it is read as people and log analysers read it, who do not know what really happened.

use std::collections::{BTreeMap, BTreeSet};

use maillog::Line;

/// What the lines say.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// By queue id and address.
    addresses: BTreeMap<(String, String), Finals>,
    /// Messages of which a line says that they are returned as expired. That is done when they are removed.
    expired: BTreeSet<String>,
    /// Those that were removed then.
    returned: BTreeSet<String>,
    starts: usize,
    /// All lines, for a failure to show.
    text: String,
}

/// Lines that say `sent` or `bounced`.
#[derive(Debug, Default)]
struct Finals {
    count: usize,
    /// After which start the last one was written.
    last_start: Option<usize>,
}

impl Log {
    /// The system starts: what was not on disk may be done, and told, once more.
    pub(crate) fn started(&mut self) {
        self.starts += 1;
        self.text.push_str("-- start\n");
        self.expired.clear();
    }

    /// Writes a line.
    pub(crate) fn write(&mut self, line: &(impl Line + ?Sized)) {
        let text = line.to_text();
        self.text.push_str(&text);
        self.text.push('\n');
        let (id, rest) = text.split_once(": ").expect("a line begins with a queue id");
        if let Some(rest) = rest.strip_prefix("to=<") {
            let (address, rest) = rest.split_once(">, ").expect("an address ends");
            let (_, status) = rest.split_once(", status=").expect("there is a status");
            match status.split(' ').next() {
                Some("sent" | "bounced") => self.end(id, address),
                Some("deferred") => {}
                other => panic!("what is {other:?}? {text}"),
            }
        } else if rest.ends_with("expired, returned to sender") {
            self.expired.insert(id.to_owned());
        } else if rest == "removed" && self.expired.remove(id) {
            self.returned.insert(id.to_owned());
        }
    }

    /// Between two starts nothing is forgotten, so nobody has a second final line there.
    fn end(&mut self, id: &str, address: &str) {
        let finals = self
            .addresses
            .entry((id.to_owned(), address.to_owned()))
            .or_default();
        finals.count += 1;
        let before = finals.last_start.replace(self.starts);
        assert!(
            before != Some(self.starts),
            "a second final line of {address}:\n{}",
            self.about(id)
        );
    }

    /// How often an address was told to be done: by lines of its own, else by the return of the whole message.
    pub(crate) fn finals(&self, id: &str, address: &str) -> usize {
        let own = self.addresses.get(&(id.to_owned(), address.to_owned()));
        let own = own.map_or(0, |finals| finals.count);
        own.max(usize::from(self.returned.contains(id)))
    }

    /// The lines about a message.
    pub(crate) fn about(&self, id: &str) -> String {
        let is_about = |line: &&str| line.starts_with(id) || line.starts_with("--");
        let lines: Vec<&str> = self.text.lines().filter(is_about).collect();
        lines.join("\n")
    }
}
