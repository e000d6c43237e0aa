//! Logical lines of main.cf and master.cf: comments out, continuation lines joined, line numbers kept.

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
pub(crate) fn logical_lines(text: &str) -> Vec<LogicalLine> {
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
        let lines = logical_lines("# c\na = b,\n  # not part\n\n\tc \nd\n");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].text, "a = b,\tc");
        assert_eq!(
            (lines[0].line(), lines[0].line_at(5), lines[0].line_at(7)),
            (2, 2, 5)
        );
        assert_eq!((lines[1].text.as_str(), lines[1].line()), ("d", 6));
    }
}
