//! Which lookup tables a text or a value of a parameter names, also those that stand among other words: in lists of domains,
//! of networks, of restrictions.

use std::any::Any;

use crate::kinds::words;
use crate::{NetworkPattern, Networks, Postfix, TableRef};

/// How deep braces may stand within braces.
const DEPTH_MAX: usize = 8;

impl Postfix {
    /// Every lookup table that a parameter names: as such, within a list (`mydestination`, restrictions, networks), or in a text
    /// under a name of the user's own (a restriction class); and those of `yubin_sendmail_directory`. What only looks like a table may be among them.
    pub fn every_table(&self) -> Vec<TableRef> {
        let mut found = Vec::new();
        for value in self.values() {
            of_value(value, &mut found);
        }
        for text in self.others.values() {
            of_words(&words(text), DEPTH_MAX, &mut found);
        }
        found.extend(self.sendmail.tables().cloned());
        found
    }
}

fn of_value(value: &dyn Any, found: &mut Vec<TableRef>) {
    if let Some(tables) = value.downcast_ref::<Vec<TableRef>>() {
        found.extend(tables.iter().cloned());
    } else if let Some(words) = value.downcast_ref::<Vec<String>>() {
        of_words(words, DEPTH_MAX, found);
    } else if let Some(networks) = value.downcast_ref::<Networks>() {
        let tables = networks.patterns.iter().filter_map(|(_, pattern)| match pattern {
            NetworkPattern::Table(table) => Some(table.clone()),
            _ => None,
        });
        found.extend(tables);
    }
}

fn of_words(list: &[String], depth_left: usize, found: &mut Vec<TableRef>) {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return;
    };
    for word in list {
        // `{ check_client_access hash:/x, search_order = … }`
        match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(inner) => of_words(&words(inner), depth_left, found),
            None => found.extend(word.trim_start_matches('!').parse::<TableRef>().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Surroundings, Values};

    #[test]
    fn tables_are_found_wherever_they_stand() {
        let mut values = Values::new(&Surroundings::default());
        for (name, text) in [
            ("transport_maps", "hash:/t, proxy:texthash:/p"),
            ("mydestination", "a.test !hash:/d"),
            ("mynetworks", "127.0.0.0/8, cidr:/n"),
            (
                "smtpd_recipient_restrictions",
                "permit_mynetworks, check_recipient_access hash:/r, { check_sender_access hash:/s, x = y }",
            ),
            ("my_class", "check_client_access unionmap:{hash:/u,hash:/v}"),
        ] {
            values.set(name, text);
        }
        let (mut postfix, wrong) = Postfix::from_values(&values);
        assert!(wrong.is_empty(), "{wrong:?}");
        postfix.sendmail.access = Some(TableRef::new(crate::SendmailFiles::KIND, "/m/access"));
        let found: Vec<String> = postfix.every_table().iter().map(ToString::to_string).collect();
        for table in [
            "hash:/t",
            "proxy:texthash:/p",
            "hash:/d",
            "cidr:/n",
            "hash:/r",
            "hash:/s",
            "unionmap:{hash:/u,hash:/v}",
            "sendmail:/m/access",
        ] {
            assert!(found.iter().any(|one| one == table), "{table}: {found:?}");
        }
    }
}
