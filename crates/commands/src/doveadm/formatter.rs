//! The forms in which `doveadm -f` shows rows of fields.

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formatter {
    /// A line of names, then a line a row, parted by tabs.
    Tab,
    /// `name=value name=value`
    Flow,
    /// `name: value` lines, a form feed between rows.
    Pager,
    /// Columns.
    Table,
    /// An array of objects.
    Json,
}

impl Formatter {
    /// The form that a word of the command line names.
    pub(super) fn of_word(word: &str) -> Option<Formatter> {
        match word {
            "tab" => Some(Formatter::Tab),
            "flow" => Some(Formatter::Flow),
            "pager" => Some(Formatter::Pager),
            "table" => Some(Formatter::Table),
            "json" => Some(Formatter::Json),
            _ => None,
        }
    }

    /// Rows of two columns as text.
    pub(super) fn pairs(self, names: [&str; 2], rows: &[(String, String)]) -> String {
        let [first, second] = names;
        match self {
            Formatter::Tab => {
                let lines = rows.iter().map(|(name, value)| format!("{name}\t{value}\n"));
                format!("{first}\t{second}\n{}", lines.collect::<String>())
            }
            Formatter::Flow => rows
                .iter()
                .map(|(name, value)| format!("{first}={name} {second}={value}\n"))
                .collect(),
            Formatter::Pager => {
                let pages = rows
                    .iter()
                    .map(|(name, value)| format!("{first}: {name}\n{second}: {value}\n"));
                pages.collect::<Vec<_>>().join("\x0c\n")
            }
            Formatter::Table => {
                let names = rows.iter().map(|(name, _)| name.chars().count());
                let width = names.max().unwrap_or(0).max(first.len());
                let lines = rows
                    .iter()
                    .map(|(name, value)| format!("{name:width$} {value}\n"));
                format!("{first:width$} {second}\n{}", lines.collect::<String>())
            }
            Formatter::Json => {
                let quoted = |text: &str| serde_json::Value::from(text).to_string();
                let objects = rows.iter().map(|(name, value)| {
                    let (name, value) = (quoted(name), quoted(value));
                    format!("{{\"{first}\":{name},\"{second}\":{value}}}")
                });
                format!("[{}]\n", objects.collect::<Vec<_>>().join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let rows = [("uid", "1000"), ("home", "/h")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let shown = |word| {
            let formatter = Formatter::of_word(word).expect("known");
            formatter.pairs(["field", "value"], &rows)
        };
        assert_eq!(shown("tab"), "field\tvalue\nuid\t1000\nhome\t/h\n");
        assert_eq!(shown("flow"), "field=uid value=1000\nfield=home value=/h\n");
        assert_eq!(
            shown("pager"),
            "field: uid\nvalue: 1000\n\x0c\nfield: home\nvalue: /h\n"
        );
        assert_eq!(shown("table"), "field value\nuid   1000\nhome  /h\n");
        let json = "[{\"field\":\"uid\",\"value\":\"1000\"},{\"field\":\"home\",\"value\":\"/h\"}]\n";
        assert_eq!(shown("json"), json);
        assert_eq!(Formatter::of_word("foo"), None);
    }
}
