//! What a mailbox command shows: rows of fields, printed as they come in one of the forms of `doveadm -f`.

use std::io::Read;

use super::formatter::Formatter;
use crate::{print_bytes, print_line};

/// So many rows decide how wide the columns of a table are.
const TABLE_ROWS: usize = 500;
/// How wide a table is where nobody says.
const WIDTH: usize = 80;
/// The largest field that a helper may send, in octets.
const FIELD_BYTES_MAX: u32 = 1 << 30;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// What programs call it.
    pub(super) key: String,
    /// What people call it.
    pub(super) title: String,
    pub(super) shape: Shape,
}

/// How a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Usual,
    /// Its name is not shown where it would be before each field, nor above a table in which all are such.
    Untitled,
}

impl Column {
    pub(super) fn new(name: &str, shape: Shape) -> Column {
        Column::called(name, name, shape)
    }

    pub(super) fn called(key: &str, title: &str, shape: Shape) -> Column {
        Column {
            key: key.to_owned(),
            title: title.to_owned(),
            shape,
        }
    }
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Text of one line.
    Text(Vec<u8>),
    /// Text that may have many.
    Lines(Vec<u8>),
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text.into_bytes())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.as_bytes().to_vec())
    }
}

impl Cell {
    fn octets(&self) -> &[u8] {
        match self {
            Cell::Text(octets) | Cell::Lines(octets) => octets,
        }
    }
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Shown(Formatter),
    /// For the process that started this one: see [`rows_of`].
    Sent,
}

/// Where rows go.
pub(super) struct Screen {
    form: Form,
    columns: Vec<Column>,
    /// Rows of a table that wait until the widths are known.
    waiting: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
    is_first: bool,
}

/// A table was to show text of several lines.
#[derive(Debug)]
pub(super) struct NotInTable;

impl Screen {
    pub(super) fn new(form: Form, columns: Vec<Column>) -> Screen {
        Screen {
            form,
            columns,
            waiting: Vec::new(),
            widths: None,
            is_first: true,
        }
    }

    /// Prints a row; it has a field for each column.
    pub(super) fn row(&mut self, row: Vec<Cell>) -> Result<(), NotInTable> {
        match self.form {
            Form::Sent => print_bytes(&sent(&row)),
            Form::Shown(Formatter::Table) => return self.table_row(row),
            Form::Shown(formatter) => {
                let text = self.text_of(formatter, &row);
                print_bytes(&text);
            }
        }
        self.is_first = false;
        Ok(())
    }

    fn text_of(&self, formatter: Formatter, row: &[Cell]) -> Vec<u8> {
        let mut out = Vec::new();
        match formatter {
            Formatter::Tab => {
                if self.is_first {
                    out.extend_from_slice(self.titles().as_bytes());
                }
                for (at, cell) in row.iter().enumerate() {
                    let is_last = at + 1 == row.len();
                    out.extend_from_slice(cell.octets());
                    if !is_last || matches!(cell, Cell::Lines(_)) {
                        out.push(b'\t');
                    }
                }
                out.push(b'\n');
            }
            Formatter::Flow => {
                for (at, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                    if at > 0 {
                        out.push(b' ');
                    }
                    if column.shape != Shape::Untitled {
                        out.extend_from_slice(format!("{}=", column.key).as_bytes());
                    }
                    out.extend_from_slice(cell.octets());
                }
                out.push(b'\n');
            }
            Formatter::Pager => {
                // As with Dovecot, none where a row begins with lines.
                if !self.is_first && matches!(row.first(), Some(Cell::Text(_))) {
                    out.extend_from_slice(b"\x0c\n");
                }
                for (cell, column) in row.iter().zip(&self.columns) {
                    let is_titled = column.shape != Shape::Untitled;
                    match cell {
                        Cell::Text(octets) => {
                            if is_titled {
                                out.extend_from_slice(format!("{}: ", column.key).as_bytes());
                            }
                            out.extend_from_slice(octets);
                            out.push(b'\n');
                        }
                        Cell::Lines(octets) => {
                            if is_titled {
                                out.extend_from_slice(format!("{}:\n", column.key).as_bytes());
                            }
                            out.extend_from_slice(octets);
                        }
                    }
                }
            }
            Formatter::Json => {
                out.extend_from_slice(if self.is_first { b"[{" } else { b",{" });
                for (at, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    let key = serde_json::Value::from(column.key.as_str());
                    let value = serde_json::Value::from(String::from_utf8_lossy(cell.octets()));
                    out.extend_from_slice(format!("{key}:{value}").as_bytes());
                }
                out.push(b'}');
            }
            // Its rows wait.
            Formatter::Table => {}
        }
        out
    }

    fn titles(&self) -> String {
        let titles: Vec<&str> = self.columns.iter().map(|column| column.title.as_str()).collect();
        format!("{}\n", titles.join("\t"))
    }

    fn table_row(&mut self, row: Vec<Cell>) -> Result<(), NotInTable> {
        if row.iter().any(|cell| matches!(cell, Cell::Lines(_))) {
            // Nothing is left to be printed.
            self.waiting.clear();
            self.widths = Some(Vec::new());
            return Err(NotInTable);
        }
        match &self.widths {
            Some(widths) => print_line(&self.line(&row, widths)),
            None => {
                self.waiting.push(row);
                if self.waiting.len() >= TABLE_ROWS {
                    self.show_waiting();
                }
            }
        }
        Ok(())
    }

    fn show_waiting(&mut self) {
        let widths = widths(&self.columns, &self.waiting, screen_width());
        if self.columns.iter().any(|column| column.shape != Shape::Untitled) {
            let titles = self.columns.iter().map(|column| column.title.as_str());
            let titles: Vec<Cell> = titles.map(Cell::from).collect();
            print_line(&self.line(&titles, &widths));
        }
        for row in std::mem::take(&mut self.waiting) {
            print_line(&self.line(&row, &widths));
        }
        self.widths = Some(widths);
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let cells = row.iter().zip(widths);
        let shown = cells.map(|(cell, width)| {
            let text = String::from_utf8_lossy(cell.octets());
            format!("{text:width$}")
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Prints what is left to print.
    pub(super) fn finish(mut self) {
        match self.form {
            Form::Shown(Formatter::Table) if self.widths.is_none() => self.show_waiting(),
            Form::Shown(Formatter::Tab) if self.is_first => print_bytes(self.titles().as_bytes()),
            Form::Shown(Formatter::Json) if self.is_first => print_bytes(b"[]"),
            Form::Shown(Formatter::Json) => print_bytes(b"]"),
            _ => {}
        }
    }
}

/// Each column is as wide as what is in it; the last one gets half of what is left of the line, or shrinks to it.
fn widths(columns: &[Column], rows: &[Vec<Cell>], screen: usize) -> Vec<usize> {
    let width = |(at, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let widest = cells.map(|cell| String::from_utf8_lossy(cell.octets()).chars().count());
        widest.max().unwrap_or(0).max(column.title.chars().count())
    };
    let mut widths: Vec<usize> = columns.iter().enumerate().map(width).collect();
    let total = widths.iter().sum::<usize>() + widths.len().saturating_sub(1);
    if let Some(last) = widths.last_mut() {
        *last = match screen.checked_sub(total) {
            Some(left) => *last + left / 2,
            None => last.saturating_sub(total - screen).max(1),
        };
    }
    widths
}

fn screen_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col))
        .filter(|width| *width > 0)
        .unwrap_or(WIDTH)
}

/// A row for [`rows_of`].
fn sent(row: &[Cell]) -> Vec<u8> {
    let count = u32::try_from(row.len()).unwrap_or(u32::MAX);
    let mut out = count.to_le_bytes().to_vec();
    for cell in row {
        let length = u32::try_from(cell.octets().len()).unwrap_or(u32::MAX);
        out.push(u8::from(matches!(cell, Cell::Lines(_))));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(cell.octets());
    }
    out
}

/// Reads rows that another process printed in the form [`Form::Sent`].
pub(super) fn rows_of(mut source: impl Read, mut each: impl FnMut(Vec<Cell>)) {
    while let Some(row) = one_row(&mut source) {
        each(row);
    }
}

fn one_row(source: &mut impl Read) -> Option<Vec<Cell>> {
    let mut number = [0; 4];
    source.read_exact(&mut number).ok()?;
    let mut row = Vec::new();
    for _ in 0..u32::from_le_bytes(number) {
        let mut kind = [0; 1];
        source.read_exact(&mut kind).ok()?;
        source.read_exact(&mut number).ok()?;
        let length = u32::from_le_bytes(number);
        if length > FIELD_BYTES_MAX {
            return None;
        }
        let mut octets = Vec::new();
        source.take(length.into()).read_to_end(&mut octets).ok()?;
        row.push(if kind == [1] {
            Cell::Lines(octets)
        } else {
            Cell::Text(octets)
        });
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::new("mailbox", Shape::Untitled),
            Column::new("uid", Shape::Usual),
            Column::new("text", Shape::Usual),
        ]
    }

    fn shown(formatter: Formatter) -> String {
        let mut screen = Screen::new(Form::Shown(formatter), columns());
        let mut out = Vec::new();
        for text in ["a\n", "b\n"] {
            let row = [Cell::from("INBOX"), Cell::from("1"), Cell::Lines(text.into())];
            out.extend(screen.text_of(formatter, &row));
            screen.is_first = false;
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn rows_are_shown_in_each_form() {
        assert_eq!(
            shown(Formatter::Tab),
            "mailbox\tuid\ttext\nINBOX\t1\ta\n\t\nINBOX\t1\tb\n\t\n"
        );
        assert_eq!(
            shown(Formatter::Flow),
            "INBOX uid=1 text=a\n\nINBOX uid=1 text=b\n\n"
        );
        assert_eq!(
            shown(Formatter::Pager),
            "INBOX\nuid: 1\ntext:\na\n\x0c\nINBOX\nuid: 1\ntext:\nb\n"
        );
        let object = |text| format!("{{\"mailbox\":\"INBOX\",\"uid\":\"1\",\"text\":\"{text}\\n\"}}");
        assert_eq!(
            shown(Formatter::Json),
            format!("[{},{}", object("a"), object("b"))
        );
    }

    #[test]
    fn a_table_fills_the_line_or_fits_into_it() {
        let row = |uid: &str, text: &str| vec![Cell::from("x"), Cell::from(uid), Cell::from(text)];
        let rows = [row("1", "a"), row("12345", "b")];
        assert_eq!(widths(&columns(), &rows, 80), [7, 5, 4 + (80 - 18) / 2]);
        let rows = [row("1", &"x".repeat(100))];
        assert_eq!(widths(&columns(), &rows, 80), [7, 3, 68]);
    }

    #[test]
    fn rows_come_through_a_pipe() {
        let row = vec![Cell::from("a"), Cell::Lines(b"b\nc".to_vec())];
        let octets = [sent(&row), sent(&[])].concat();
        let mut rows = Vec::new();
        rows_of(&octets[..], |row| rows.push(row));
        assert_eq!(rows, [row, Vec::new()]);
        rows_of(&octets[..octets.len() - 7], |_| ());
    }
}
