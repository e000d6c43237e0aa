//! What decided, as the log and `yubin explain` name it: the list, the restrictions that led there, the table and its key.

use std::fmt::{self, Display, Write as _};

use crate::outcome::Step;
use crate::restrictions::POLICY_QUERY;

/// The longest name of a rule, in octets; the rest is cut.
pub const RULE_BYTES_MAX: usize = 400;

/// The steps that led to a decision: the restriction of the list itself first, then those that classes and tables named, the one
/// that decided last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    steps: Vec<Step>,
}

impl Rule {
    /// The rule by which the last step of a trace came about; `None` where nothing was looked at.
    pub fn of(trace: &[Step]) -> Option<Rule> {
        let (last, earlier) = trace.split_last()?;
        let mut steps = vec![last.clone()];
        let mut depth = last.depth;
        for step in earlier.iter().rev() {
            if step.stage != last.stage {
                break;
            }
            if step.depth < depth {
                depth = step.depth;
                steps.push(step.clone());
            }
        }
        steps.reverse();
        Some(Rule { steps })
    }

    /// The steps: that of the list itself first, the one that decided last.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step that decided.
    pub fn step(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// The parameter that holds the list, or asks for what stands in no list.
    pub fn parameter(&self) -> &'static str {
        self.steps.first().map_or("", Step::parameter)
    }
}

/// `smtpd_recipient_restrictions: check_client_access hash:/etc/postfix/access: 192.0.2`; a table of patterns has its line
/// behind its name: `pcre:/etc/postfix/helo:12`.
impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.parameter().to_owned();
        for step in &self.steps {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {step}");
            let key = step.found.as_ref().map(|(key, _)| key.as_str());
            if let Some(key) = key.filter(|key| *key != POLICY_QUERY) {
                let _ = write!(text, ": {key}");
            }
        }
        let end = text.floor_char_boundary(RULE_BYTES_MAX.min(text.len()));
        f.write_str(&text[..end])
    }
}

/// The restriction and its argument: `check_client_access hash:/etc/postfix/access`.
impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.restriction)?;
        if !self.argument.is_empty() {
            write!(f, " {}", self.argument)?;
        }
        match self.line {
            Some(line) if self.argument.contains('{') => write!(f, ", item {line}"),
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

impl Step {
    /// The parameter that holds the list; of what stands in no list, the one that asks for it.
    pub fn parameter(&self) -> &'static str {
        match (self.depth, self.restriction.as_str()) {
            (0, "reject_unlisted_sender") => "smtpd_reject_unlisted_sender",
            (0, "reject_unlisted_recipient") => "smtpd_reject_unlisted_recipient",
            (0, "check_sendmail_access") => "yubin_sendmail_directory",
            _ => self.stage.parameter(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lists::Stage;
    use crate::outcome::Decided;

    fn step(depth: usize, restriction: &str, argument: &str, key: Option<&str>) -> Step {
        Step {
            stage: Stage::Recipient,
            depth,
            restriction: restriction.to_owned(),
            argument: argument.to_owned(),
            found: key.map(|key| (key.to_owned(), "x".to_owned())),
            line: None,
            decided: Decided::Dunno,
        }
    }

    fn named(trace: &[Step]) -> String {
        Rule::of(trace).map(|rule| rule.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_rule_is_named_by_the_way_to_it() {
        let trace = [
            step(1, "permit_mynetworks", "", None),
            step(1, "check_client_access", "hash:/a", Some("192.0.2")),
            step(2, "strict", "", None),
            step(3, "permit_inet_interfaces", "", None),
            step(3, "check_policy_service", "inet:h:1", Some(POLICY_QUERY)),
        ];
        assert_eq!(
            named(&trace),
            "smtpd_recipient_restrictions: check_client_access hash:/a: 192.0.2: strict: check_policy_service inet:h:1"
        );
        assert_eq!(
            named(&trace[..1]),
            "smtpd_recipient_restrictions: permit_mynetworks"
        );
        assert_eq!(named(&[]), "");
    }

    #[test]
    fn what_stands_in_no_list_has_the_name_of_its_setting() {
        assert_eq!(
            named(&[step(0, "reject_unlisted_recipient", "", None)]),
            "smtpd_reject_unlisted_recipient: reject_unlisted_recipient"
        );
        let mut pattern = step(1, "check_helo_access", "pcre:/p", Some("x.test"));
        pattern.line = Some(3);
        assert_eq!(
            named(std::slice::from_ref(&pattern)),
            "smtpd_recipient_restrictions: check_helo_access pcre:/p:3: x.test"
        );
        pattern.found = Some(("y".repeat(1000), String::new()));
        assert_eq!(named(&[pattern]).len(), RULE_BYTES_MAX);
    }
}
