//! Where what decides is written: the line of a table's file, else the line of main.cf or master.cf.

use access::{Rule, Step};
use config::written::{Part, Written};
use front::smtpd::Exchange;
use tables::watch::Hit;

/// Finds places for one explanation.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) written: &'a Written,
    /// The row of master.cf.
    pub(super) service: &'a str,
}

impl Places<'_> {
    /// Where the last of these steps stands; `None` where the default of a setting says so.
    pub(super) fn of_steps(self, exchange: &Exchange, steps: &[Step]) -> Option<String> {
        let rule = Rule::of(steps)?;
        self.of_chain(exchange, rule.steps())
    }

    /// The same of a rule.
    pub(super) fn of_rule(self, exchange: &Exchange, rule: &Rule) -> Option<String> {
        self.of_chain(exchange, rule.steps())
    }

    fn of_chain(self, exchange: &Exchange, chain: &[Step]) -> Option<String> {
        let (last, before) = chain.split_last()?;
        if let Some(hit) = hit_of(exchange, last) {
            return self.of_hit(hit);
        }
        let list = match before.last() {
            None => last.parameter(),
            // What a table says stands where the table has it.
            Some(parent) if parent.found.is_some() => return self.of_chain(exchange, before),
            Some(class) => &class.restriction,
        };
        let words = [last.restriction.as_str(), last.argument.as_str()];
        let count = if last.argument.is_empty() { 1 } else { 2 };
        self.written.place_of_words(self.service, list, &words[..count])
    }

    /// Where a key stands that a table knew.
    pub(super) fn of_hit(self, hit: &Hit) -> Option<String> {
        let part = match hit.line {
            Some(number) => Part::Item(number),
            None => Part::Key(&hit.key),
        };
        let table = hit.table.to_string();
        hit.file_line()
            .or_else(|| self.written.place_of_table(self.service, &table, part))
    }

    /// The same; the table as configured where nothing more can be told.
    pub(super) fn shown(self, hit: &Hit) -> String {
        self.of_hit(hit).unwrap_or_else(|| hit.place())
    }
}

/// What the table of a step knew.
pub(super) fn hit_of<'a>(exchange: &'a Exchange, step: &Step) -> Option<&'a Hit> {
    let (key, value) = step.found.as_ref()?;
    exchange.hits.iter().find(|hit| {
        hit.value.trim() == value.trim()
            && hit.key.eq_ignore_ascii_case(key)
            && hit.table.to_string().ends_with(&step.argument)
            && step.line.is_none_or(|line| hit.line == Some(line))
    })
}
