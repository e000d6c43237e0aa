//! What tables knew, for whoever explains a decision: a thread that watches is told each key that was found on it, and on which
//! line. Nothing is decided by this, and it costs nothing where nobody watches.

use std::cell::{Cell, RefCell};
use std::path::Path;

use settings::TableRef;

use crate::source::{self, Syntax};

/// A key that a table had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The table.
    pub table: TableRef,
    /// The key.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// The line of the table's text, from 1, where it has one.
    pub line: Option<usize>,
}

impl Hit {
    /// `FILE:LINE` of a table that has a file of its own, with a line for the key.
    pub fn file_line(&self) -> Option<String> {
        let table = self.table.behind_proxy();
        let is_joined = matches!(table.kind.as_str(), "unionmap" | "pipemap" | "randmap");
        let line = self.line.filter(|_| !is_joined && !table.name.contains('{'))?;
        Some(format!("{}:{line}", table.name))
    }

    /// `FILE:LINE`, or the table as configured where there is no line.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) if !self.table.name.contains('{') => {
                format!("{}:{line}", self.table.behind_proxy().name)
            }
            Some(line) => format!("{}, item {line}", self.table),
            None => self.table.to_string(),
        }
    }
}

#[derive(Default)]
struct Watched {
    hits: Vec<Hit>,
    /// Of the rule that fits the key at hand.
    line: Option<usize>,
}

thread_local! {
    static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
    /// The line that decided last in a table of patterns; kept for those who do not watch, too.
    static LINE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// This thread watches from now on.
pub fn begin() {
    WATCHED.with(|watched| *watched.borrow_mut() = Some(Watched::default()));
}

/// What was found since the last time it was asked.
pub fn take() -> Vec<Hit> {
    WATCHED.with(|watched| {
        let mut watched = watched.borrow_mut();
        watched
            .as_mut()
            .map(|watched| std::mem::take(&mut watched.hits))
            .unwrap_or_default()
    })
}

/// The line of the rule, from 1, by which a table of patterns answered last on this thread, since [`forget_line`]. Whoever asks
/// a table forgets before and looks behind, without waiting for anything in between.
pub fn line() -> Option<usize> {
    LINE.get()
}

/// [`line()`] is about the lookups behind this.
pub fn forget_line() {
    LINE.set(None);
}

/// The rule on this line decides.
pub(crate) fn at(line: usize) {
    LINE.set(Some(line));
    WATCHED.with(|watched| {
        if let Some(watched) = watched.borrow_mut().as_mut() {
            watched.line = Some(line);
        }
    });
}

/// A table had the key.
pub(crate) fn found(table: &TableRef, key: &str, value: &str) {
    WATCHED.with(|watched| {
        if let Some(watched) = watched.borrow_mut().as_mut() {
            let line = watched.line.take().or_else(|| line_of(table, key));
            watched.hits.push(Hit {
                table: table.clone(),
                key: key.to_owned(),
                value: value.to_owned(),
                line,
            });
        }
    });
}

/// Where a key stands in the text that a table is, or was made of.
fn line_of(table: &TableRef, key: &str) -> Option<usize> {
    let table = table.behind_proxy();
    if !matches!(
        table.kind.as_str(),
        "texthash" | "hash" | "btree" | "dbm" | "cdb" | "lmdb" | settings::SendmailFiles::KIND
    ) {
        return None;
    }
    let text = source::read(Path::new(&table.name)).ok()?;
    let key = key.to_lowercase();
    // Which of the two a database was made of cannot be seen.
    [Syntax::Map, Syntax::Aliases].into_iter().find_map(|syntax| {
        let found = source::parse(&text, syntax, true);
        let mut entries = found.entries.into_iter();
        entries.find(|entry| entry.key == key).map(|entry| entry.line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tables;

    fn places(table: &TableRef, keys: &[&str]) -> Vec<String> {
        let (tables, problems) = Tables::open(std::slice::from_ref(table));
        assert!(problems.is_empty(), "{problems:?}");
        begin();
        for key in keys {
            tables.lookup(key).unwrap();
        }
        take().iter().map(Hit::place).collect()
    }

    #[test]
    fn lines_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let map = file("map", "# one\nA@b.test x\n\nc y\n  z\nd y\n");
        let table = TableRef::new("texthash", &map);
        assert_eq!(
            places(&table, &["a@b.test", "none", "d"]),
            [format!("{map}:2"), format!("{map}:6")]
        );
        let rules = file("rules", "# one\nif /x/\n/xy/ A\nendif\n/y/ B\n");
        let table = TableRef::new("regexp", &rules);
        assert_eq!(
            places(&table, &["xy", "zy", "z"]),
            [format!("{rules}:3"), format!("{rules}:5")]
        );
        let networks = file("networks", "# one\n192.0.2.0/24 A\n0.0.0.0/0 B\n");
        let table = TableRef::new("cidr", &networks);
        assert_eq!(places(&table, &["198.51.100.1"]), [format!("{networks}:3")]);
        let table = TableRef::new("proxy", &format!("texthash:{map}"));
        assert_eq!(places(&table, &["d"]), [format!("{map}:6")]);
        let table = TableRef::new("inline", "{ {a = b}, {c = d} }");
        assert_eq!(places(&table, &["c"]), ["inline:{ {a = b}, {c = d} }"]);
        let table = TableRef::new("pcre", "{ {/a/ b}, {/c/ d} }");
        assert_eq!(places(&table, &["c"]), ["pcre:{ {/a/ b}, {/c/ d} }, item 2"]);
        assert!(take().is_empty());
    }
}
