//! master.cf as postconf(1) shows it: `-M` rows, `-F` fields, `-P` settings of rows.

use settings::Values;

use crate::master_cf::{Row, in_braces};

/// The names of a row's fields.
pub const FIELDS: [&str; 8] = [
    "service",
    "type",
    "private",
    "unprivileged",
    "chroot",
    "wakeup",
    "process_limit",
    "command",
];

/// Where the fields begin when those before them are short.
const COLUMNS: [usize; 8] = [0, 11, 17, 25, 33, 41, 49, 57];
/// How long a folded line may be.
const FOLDED_BYTES_MAX: usize = 79;
/// What a folded line begins with.
const INDENT: &str = "    ";
/// How long a folded line of main.cf may be.
const FOLDED_SETTING_BYTES_MAX: usize = 80;

/// What `service`, `service/type` or `service/type/name` asks for; `*` and what is left out stand for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    /// A pattern of at most `parts_max` parts; `None` when it has more, or an empty one.
    pub fn of(text: &str, parts_max: usize) -> Option<Pattern> {
        let parts: Vec<String> = text.splitn(parts_max, '/').map(str::to_owned).collect();
        let is_sound = parts.iter().all(|part| !part.is_empty())
            && (parts_max > 2 || parts.last().is_some_and(|part| !part.contains('/')));
        is_sound.then_some(Pattern { parts })
    }

    /// Whether a row is meant.
    pub fn fits_row(&self, row: &Row) -> bool {
        self.fits(0, &row.name) && self.fits(1, row.service_type.as_str())
    }

    /// Whether a field or setting of a row is meant.
    pub fn fits_name(&self, name: &str) -> bool {
        self.fits(2, name)
    }

    /// The third part, when there is one that is no `*`.
    pub fn name(&self) -> Option<&str> {
        self.parts.get(2).map(String::as_str).filter(|name| *name != "*")
    }

    fn fits(&self, at: usize, text: &str) -> bool {
        self.parts.get(at).is_none_or(|part| part == "*" || part == text)
    }
}

/// A row with `$name` in its `-o` settings replaced.
///
/// # Errors
/// [`settings::Error::Expand`].
pub fn expanded(row: &Row, values: &Values) -> Result<Row, settings::Error> {
    let mut row = row.clone();
    let mut own = values.clone();
    for (name, text, _) in &row.overrides {
        own.set(name, text);
    }
    let mut follows_option = false;
    for word in &mut row.words {
        let bare = word
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(word);
        if let Some((name, text)) = bare.split_once('=').filter(|_| follows_option) {
            *word = in_braces(&format!("{name}={}", own.expand(text)?));
        }
        follows_option = word == "-o";
    }
    for (_, text, _) in &mut row.overrides {
        *text = own.expand(text)?;
    }
    Ok(row)
}

/// The texts of a row's fields, in the order of [`FIELDS`].
pub fn fields(row: &Row) -> [String; 8] {
    let [private, unprivileged, chroot, wakeup, limit] = row.fields.clone();
    let words: Vec<&str> = std::iter::once(row.command.as_str())
        .chain(row.words.iter().map(String::as_str))
        .collect();
    let service_type = row.service_type.as_str().to_owned();
    let name = row.name.clone();
    [
        name,
        service_type,
        private,
        unprivileged,
        chroot,
        wakeup,
        limit,
        words.join(" "),
    ]
}

/// A row as `-M` shows it, its fields in columns.
pub fn line(row: &Row) -> String {
    let mut line = head(row);
    for word in &row.words {
        line.push(' ');
        line.push_str(word);
    }
    line
}

/// The same in lines of readable length: each `-o` of a command's options in a line of its own.
pub fn folded(row: &Row) -> Vec<String> {
    folded_behind(head(row), row)
}

/// The command with its words in lines of readable length, `label` and an equals sign before it.
pub fn folded_command(label: &str, row: &Row) -> Vec<String> {
    folded_behind(format!("{label} = {}", row.command), row)
}

fn folded_behind(head: String, row: &Row) -> Vec<String> {
    let mut lines = vec![head];
    let mut in_options = true;
    let mut must_break = false;
    let mut words = row.words.iter().peekable();
    while let Some(word) = words.next() {
        in_options &= word.starts_with('-');
        let value = words.next_if(|_| in_options && word == "-o");
        let text = value.map_or_else(|| word.clone(), |value| format!("{word} {value}"));
        let last = lines.last_mut().expect("the list begins with one line");
        if must_break || value.is_some() || last.len() + 1 + text.len() > FOLDED_BYTES_MAX {
            lines.push(format!("{INDENT}{text}"));
        } else {
            last.push(' ');
            last.push_str(&text);
        }
        must_break = value.is_some();
    }
    lines
}

/// The fields in columns; of the last one only the command.
fn head(row: &Row) -> String {
    let mut all = fields(row);
    all[7].clone_from(&row.command);
    let mut line = String::new();
    for (text, column) in all.iter().zip(COLUMNS) {
        let blanks = match line.len() {
            0 => 0,
            length => column.saturating_sub(length).max(1),
        };
        line.extend(std::iter::repeat_n(' ', blanks));
        line.push_str(text);
    }
    line
}

/// `name = text` in lines of readable length.
pub fn folded_setting(line: &str) -> Vec<String> {
    let mut words = line.split_ascii_whitespace();
    // The name, the sign and the first word stay together.
    let first: Vec<&str> = words.by_ref().take(3).collect();
    let mut lines = vec![first.join(" ")];
    for word in words {
        let last = lines.last_mut().expect("the list begins with one line");
        if last.len() + 1 + word.len() > FOLDED_SETTING_BYTES_MAX {
            lines.push(format!("{INDENT}{word}"));
        } else {
            last.push(' ');
            last.push_str(word);
        }
    }
    lines
}
