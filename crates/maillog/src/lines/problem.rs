//! Warnings, errors and fatal errors of any service, in free words.

use crate::{Line, Severity, Tag};

/// `warning: …`, `error: …`, `fatal: …` after the service's tag.
#[derive(Debug)]
pub struct Problem<'a> {
    /// Who says it.
    pub tag: Tag<'a>,
    /// How grave it is.
    pub severity: Severity,
    /// What could not be done: to what: why.
    pub text: &'a str,
}

impl Line for Problem<'_> {
    fn tag(&self) -> Tag<'_> {
        self.tag
    }
    fn severity(&self) -> Severity {
        self.severity
    }
    fn text(&self, out: &mut String) {
        out.push_str(self.text);
    }
}
