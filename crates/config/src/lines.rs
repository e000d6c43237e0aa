//! Logical lines of main.cf and master.cf: comments out, continuation lines joined, line numbers kept.

use crate::{Problem, Severity};

/// A line with its continuation lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogicalLine {
    /// The text, the line ends taken out; white space at the end is gone.
    pub(crate) text: String,
    /// Where in `text` each line of the file starts: offset, line number.
    starts: Vec<(usize, usize)>,
}

impl LogicalLine {
    /// The line of the file where it starts.
    pub(crate) fn line(&self) -> usize {
        self.line_at(0)
    }

    /// The line of the file that the offset of `text` came from.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        let after = self.starts.partition_point(|(start, _)| *start <= offset);
        self.starts[after.saturating_sub(1)].1
    }
}

/// A line that starts with white space goes on with the one before; comment and empty lines in between are skipped.
/// When there is none before, the line says nothing, as for Postfix; that is told.
pub(crate) fn logical_lines(text: &str, file: &str, problems: &mut Vec<Problem>) -> Vec<LogicalLine> {
    let mut lines: Vec<LogicalLine> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let line = line.trim_end_matches('\r');
        match lines.last_mut() {
            Some(open) if line.starts_with([' ', '\t']) => {
                open.starts.push((open.text.len(), number + 1));
                open.text.push_str(line);
            }
            None if line.starts_with([' ', '\t']) => {
                let what = "the line starts with white space and continues nothing, so it says nothing";
                problems.push(Problem::new(Severity::Warning, (file, number + 1), "", what));
            }
            _ => lines.push(LogicalLine {
                text: line.to_owned(),
                starts: vec![(0, number + 1)],
            }),
        }
    }
    for line in &mut lines {
        line.text.truncate(line.text.trim_end().len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_and_keep_their_numbers() {
        let lines = logical_lines(
            "# c\na = b,\n  # not part\n\n\tc \nd\n",
            "main.cf",
            &mut Vec::new(),
        );
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].text, "a = b,\tc");
        assert_eq!(
            (lines[0].line(), lines[0].line_at(5), lines[0].line_at(7)),
            (2, 2, 5)
        );
        assert_eq!((lines[1].text.as_str(), lines[1].line()), ("d", 6));
    }

    #[test]
    fn a_first_line_that_continues_nothing_is_told() {
        let mut problems = Vec::new();
        let lines = logical_lines("# c\n  a = 1\n  b\nc = 2\n d\n", "main.cf", &mut problems);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text, "c = 2 d");
        assert_eq!(
            problems.iter().map(|problem| problem.line).collect::<Vec<_>>(),
            [2, 3]
        );
    }
}
