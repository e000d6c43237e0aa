//! `doveadm mailbox status`.

use imap::outside::Finder;
use mailbox::{MailboxName, Result};

use super::{Cell, Column, Command, Formatter, Rows, Shape, Task, UserMail, Words, Wrong};
use crate::doveadm::USAGE;
use crate::doveadm::mail::{fits, guid_of, saved_secs};

pub(super) const COMMAND: Command = Command {
    name: "mailbox status",
    usage: "[-t] <fields> <mailbox> [...]",
    options: ("t", "", &[]),
    formatter: Formatter::Flow,
    reads_input: false,
    make,
};

/// In the order in which they are shown.
const FIELDS: [&str; 9] = [
    "messages",
    "recent",
    "uidnext",
    "uidvalidity",
    "unseen",
    "highestmodseq",
    "vsize",
    "guid",
    "firstsaved",
];
/// Those that can be added up.
const SUMS: [&str; 4] = ["messages", "recent", "unseen", "vsize"];

struct Status {
    fields: Vec<&'static str>,
    masks: Vec<String>,
    /// The sums over all mailboxes, if those are wanted instead.
    totals: Option<[u64; 4]>,
}

fn make(words: &Words) -> std::result::Result<Box<dyn Task>, Wrong> {
    let ([wanted], masks) = words.split()?;
    if masks.is_empty() {
        return Err(Wrong::Usage);
    }
    let is_total = words.has('t');
    let mut fields = Vec::new();
    for word in wanted.split(' ').filter(|word| !word.is_empty()) {
        let possible: &[&str] = if is_total { &SUMS } else { &FIELDS };
        if word == "all" {
            fields = possible.to_vec();
            break;
        }
        match FIELDS.iter().find(|field| **field == word) {
            None => return Err(Wrong::Fatal(USAGE, format!("Unknown status field: {word}"))),
            Some(_) if !possible.contains(&word) => {
                return Err(Wrong::Fatal(
                    USAGE,
                    format!("Status field {word} can't be used with -t"),
                ));
            }
            Some(field) => fields.push(*field),
        }
    }
    let order = |field: &&str| FIELDS.iter().position(|known| known == field);
    fields.sort_by_key(order);
    fields.dedup();
    Ok(Box::new(Status {
        fields,
        masks: masks.to_vec(),
        totals: is_total.then_some([0; 4]),
    }))
}

impl Task for Status {
    fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        if self.totals.is_none() {
            columns.push(Column::new("mailbox", Shape::Untitled));
        }
        columns.extend(self.fields.iter().map(|name| Column::new(name, Shape::Usual)));
        columns
    }

    fn run(&mut self, mail: &mut UserMail, rows: &mut Rows<'_>) {
        let mut totals = self.totals.map(|_| [0; 4]);
        for name in self.names(mail) {
            match self.status(mail, &name, &mut totals) {
                Ok(_) if totals.is_some() => {}
                Ok(cells) => rows.add(cells),
                Err(error) => {
                    mail.failed(
                        &format!("Mailbox {name}: Failed to lookup mailbox status"),
                        &error,
                    );
                }
            }
        }
        if let Some(totals) = totals {
            let of = |field: &&str| SUMS.iter().position(|known| known == field);
            let sums = self.fields.iter().filter_map(of).map(|at| totals[at]);
            rows.add(sums.map(|sum| Cell::from(sum.to_string())).collect());
        }
    }
}

impl Status {
    fn names(&self, mail: &mut UserMail) -> Vec<MailboxName> {
        let entries = match mail.store.list() {
            Ok(entries) => entries,
            Err(error) => {
                mail.failed("Failed to iterate mailboxes", &error);
                return Vec::new();
            }
        };
        let selectable = entries.into_iter().filter(|entry| entry.selectable);
        let mut names: Vec<MailboxName> = selectable
            .map(|entry| entry.name)
            .filter(|name| self.masks.iter().any(|mask| fits(mask, name, mail)))
            .collect();
        for mask in self.masks.iter().filter(|mask| !mask.contains(['*', '%', '?'])) {
            let name = mail.name(mask);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn status(
        &self,
        mail: &UserMail,
        name: &MailboxName,
        totals: &mut Option<[u64; 4]>,
    ) -> Result<Vec<Cell>> {
        let opened = mail.store.open(name)?;
        let status = mail.store.status(&opened.id)?;
        if let Some(totals) = totals {
            let here = [
                status.messages.into(),
                status.recent.into(),
                status.unseen.into(),
                status.size_bytes,
            ];
            totals
                .iter_mut()
                .zip(here)
                .for_each(|(total, more): (&mut u64, u64)| *total += more);
            return Ok(Vec::new());
        }
        let mut cells = vec![Cell::from(name.as_str())];
        let needs_more = |field: &&str| matches!(*field, "guid" | "firstsaved");
        let finder = match self.fields.iter().any(needs_more) {
            true => Some(Finder::open(&mail.store, name)?),
            false => None,
        };
        for field in &self.fields {
            let number: u64 = match (*field, &finder) {
                ("guid", Some(finder)) => {
                    cells.push(guid_of(mail, finder).into());
                    continue;
                }
                ("firstsaved", Some(finder)) => {
                    let first = finder.messages().next().map(|(state, _)| saved_secs(state));
                    cells.push(
                        first
                            .map_or_else(|| "never".to_owned(), |secs| secs.to_string())
                            .into(),
                    );
                    continue;
                }
                ("messages", _) => status.messages.into(),
                ("recent", _) => status.recent.into(),
                ("uidnext", _) => status.uid_next.into(),
                ("uidvalidity", _) => status.uid_validity.into(),
                ("unseen", _) => status.unseen.into(),
                ("highestmodseq", _) => status.highest_modseq,
                _ => status.size_bytes,
            };
            cells.push(number.to_string().into());
        }
        Ok(cells)
    }
}
