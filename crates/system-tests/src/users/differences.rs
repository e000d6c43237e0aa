//! `conformance/delivery-differences.tsv`: where Yubin delivers otherwise than Postfix on purpose.

use std::path::Path;

/// The rows of the file: scenario (`*` for all), a part of the differing line, reason.
pub struct Differences {
    rows: Vec<(String, String)>,
    used: Vec<bool>,
}

impl Differences {
    /// Reads the file of the workspace.
    ///
    /// # Panics
    /// When it is not well formed.
    #[track_caller]
    pub fn read() -> Differences {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/delivery-differences.tsv");
        Differences::parse(&std::fs::read_to_string(file).expect("the file is there"))
    }

    #[track_caller]
    fn parse(text: &str) -> Differences {
        let rows: Vec<(String, String)> = text
            .lines()
            .skip(1)
            .map(|row| match row.split('\t').collect::<Vec<_>>().as_slice() {
                [scenario, what, reason] if !what.is_empty() && !reason.is_empty() => {
                    ((*scenario).to_owned(), (*what).to_owned())
                }
                _ => panic!(
                    "delivery-differences.tsv: {row:?} is not a scenario, a part of a line, and a reason"
                ),
            })
            .collect();
        let used = vec![false; rows.len()];
        Differences { rows, used }
    }

    /// Of a scenario's differing lines, those that no row explains.
    pub fn unexplained(&mut self, scenario: &str, lines: Vec<String>) -> Vec<String> {
        let mut left = Vec::new();
        for line in lines {
            let mut is_explained = false;
            for ((of, what), used) in self.rows.iter().zip(&mut self.used) {
                if (of == "*" || of == scenario) && line.contains(what.as_str()) {
                    *used = true;
                    is_explained = true;
                }
            }
            if !is_explained {
                left.push(line);
            }
        }
        left
    }

    /// The rows that explained nothing, of scenarios that were run.
    pub fn unused(&self, was_run: impl Fn(&str) -> bool) -> Vec<String> {
        let rows = self.rows.iter().zip(&self.used);
        rows.filter(|((of, _), used)| !**used && was_run(of))
            .map(|((of, what), _)| format!("{of}: {what}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_explains_lines_of_its_scenario_only() {
        let mut rows = Differences::parse("scenario\twhat\treason\none\tmode\tbetter\ntwo\tx\ty\n");
        let lines = |text: &str| vec![text.to_owned()];
        assert!(rows.unexplained("one", lines("- mode 1")).is_empty());
        assert_eq!(rows.unexplained("two", lines("- mode 1")), ["- mode 1"]);
        assert_eq!(rows.unused(|_| true), ["two: x"]);
    }
}
