//! Addresses that Sendmail's files change on the way in (`yubin_sendmail_directory`): `domaintable` all of them,
//! `genericstable` those of senders in headers, `virtusertable` and `mailertable` (`local:user`) recipients.

use address::{Address, list};
use sendmail_files::{domaintable, genericstable, mailertable, virtusertable};
use settings::{Postfix, TableRef};
use tables::addresses::Host;
use tables::{Tables, Tell};

/// The tables that are there.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    domaintable: Option<Tables>,
    genericstable: Option<Tables>,
    virtusertable: Option<Tables>,
    mailertable: Option<Tables>,
    generics_domains: Vec<String>,
    virtuser_domains: Vec<String>,
}

fn looking(tables: &Tables) -> impl FnMut(&str) -> Result<Option<String>, tables::Error> {
    |key| tables.lookup(key)
}

/// The address that a table names, with the domain that it lacks.
fn named(text: &str, host: &dyn Host) -> Option<Address> {
    let entries = list::parse(text.as_bytes());
    let address = list::mailboxes(&entries).find_map(|mailbox| mailbox.address());
    address.map(|address| host.completed(address))
}

impl Renames {
    pub(crate) fn open(settings: &Postfix, problems: &mut Vec<tables::Error>) -> Renames {
        let mut open = |reference: &Option<TableRef>| {
            let (tables, found) = Tables::open(std::slice::from_ref(reference.as_ref()?));
            problems.extend(found);
            Some(tables)
        };
        let files = &settings.sendmail;
        Renames {
            domaintable: open(&files.domaintable),
            genericstable: open(&files.genericstable),
            virtusertable: open(&files.virtusertable),
            mailertable: open(&files.mailertable),
            generics_domains: files.generics_domains.clone(),
            virtuser_domains: files.virtuser_domains.clone(),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        let all = [
            &mut self.domaintable,
            &mut self.genericstable,
            &mut self.virtusertable,
            &mut self.mailertable,
        ];
        all.into_iter()
            .flatten()
            .for_each(|table| table.tell_warnings(tell));
    }

    /// Whether no header is changed by them.
    pub(crate) fn leave_headers(&self) -> bool {
        self.domaintable.is_none() && self.genericstable.is_none()
    }

    /// Whether no recipient stands for another.
    pub(crate) fn leave_recipients(&self) -> bool {
        self.virtusertable.is_none() && self.mailertable.is_none()
    }

    /// The address in the domain that `domaintable` has for its domain.
    pub(crate) fn renamed(&self, address: &Address) -> Result<Option<Address>, tables::Error> {
        match &self.domaintable {
            Some(table) => domaintable::find(address, &mut looking(table)),
            None => Ok(None),
        }
    }

    /// What a sender is called outside: `genericstable` holds for addresses without a domain, for those of this host that got
    /// theirs from us, and for those in `generics-domains`.
    pub(crate) fn generic(
        &self,
        address: &Address,
        host: &dyn Host,
    ) -> Result<Option<Address>, tables::Error> {
        let Some(table) = &self.genericstable else {
            return Ok(None);
        };
        let domain = address.domain().map(|domain| domain.as_str()).unwrap_or_default();
        let own = host.completed(address.at(None));
        let is_own = own.domain() == address.domain();
        let mut listed = self.generics_domains.iter();
        if !is_own && !domain.is_empty() && !listed.any(|word| word.eq_ignore_ascii_case(domain)) {
            return Ok(None);
        }
        let found = genericstable::find(address, &mut looking(table))?;
        Ok(found.and_then(|text| named(&text, host)))
    }

    /// The address for which a recipient stands; `None`: itself.
    pub(crate) fn virtual_user(
        &self,
        address: &Address,
        host: &dyn Host,
    ) -> Result<Option<Address>, tables::Error> {
        let domain = address.domain().map(|domain| domain.as_str()).unwrap_or_default();
        let mut listed = self.virtuser_domains.iter();
        let is_ours = listed.any(|word| word.eq_ignore_ascii_case(domain)) || host.is_local(address)?;
        let text = match (is_ours, &self.virtusertable, &self.mailertable) {
            (true, Some(table), _) => match virtusertable::find(address, &mut looking(table))? {
                Some((_, virtusertable::Entry::Address(text))) => text,
                // The router tells about what is refused.
                _ => return Ok(None),
            },
            (false, _, Some(table)) if !domain.is_empty() => {
                match mailertable::find(domain, &mut looking(table))? {
                    Some((_, mailertable::Entry::User(user))) => user,
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(named(&text, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Maps, Role};
    use settings::Surroundings;

    struct Here;

    impl Host for Here {
        fn is_local(&self, address: &Address) -> Result<bool, tables::Error> {
            let domain = address.domain().map(|domain| domain.as_str());
            Ok(domain.is_none_or(|domain| ["here.test", "v.test", "new.test"].contains(&domain)))
        }

        fn completed(&self, address: Address) -> Address {
            match address.domain() {
                Some(_) => address,
                None => address.at(address::Domain::parse("here.test").ok()),
            }
        }
    }

    fn maps(directory: &std::path::Path) -> Maps {
        let table = |name: &str, text: &str| {
            let file = directory.join(name);
            std::fs::write(&file, text).expect("written");
            Some(TableRef::new("sendmail", &file.to_string_lossy()))
        };
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.sendmail.domaintable = table("domaintable", "old.test new.test\n");
        settings.sendmail.genericstable = table(
            "genericstable",
            "jun jun.tanaka@gen.test\ntom@here.test thomas@gen.test\n@g.test %1@g2.test\n",
        );
        settings.sendmail.generics_domains = vec!["g.test".to_owned()];
        settings.sendmail.virtusertable = table(
            "virtusertable",
            "info@v.test jun\n@v.test jun+%1\nlist@v.test info@v.test\nout@far.test jun\n",
        );
        settings.sendmail.mailertable = table("mailertable", "loc.test local:jun\nmt.test relay:[gw.test]\n");
        let mut problems = Vec::new();
        let maps = Maps::open(&settings, &mut problems);
        assert_eq!(problems, []);
        maps
    }

    #[test]
    fn recipients_and_senders_are_renamed() {
        let directory = tempfile::tempdir().expect("a directory");
        let maps = maps(directory.path());
        let address = |text: &str| Address::parse(text).expect("an address");
        let becomes = |text: &str| {
            let found = maps.aliases(&address(text), &Here).expect("an answer");
            found.iter().map(Address::to_string).collect::<Vec<_>>().join(" ")
        };
        for (written, meant) in [
            ("info@v.test", "jun@here.test"),
            ("list@v.test", "jun@here.test"),
            ("zed@v.test", "jun+zed@here.test"),
            ("x@loc.test", "jun@here.test"),
            ("x@mt.test", "x@mt.test"),
            ("out@far.test", "out@far.test"),
        ] {
            assert_eq!(becomes(written), meant, "{written}");
        }
        let called = |text: &str, role| {
            maps.canonical(&address(text), role, &Here)
                .expect("an answer")
                .to_string()
        };
        assert_eq!(called("a@old.test", Role::EnvelopeRecipient), "a@new.test");
        assert_eq!(called("a@old.test", Role::HeaderRecipient), "a@new.test");
        assert_eq!(called("jun@here.test", Role::HeaderSender), "jun.tanaka@gen.test");
        assert_eq!(called("tom@here.test", Role::HeaderSender), "thomas@gen.test");
        assert_eq!(called("x@g.test", Role::HeaderSender), "x@g2.test");
        assert_eq!(called("jun@here.test", Role::EnvelopeSender), "jun@here.test");
        assert_eq!(called("jun@far.test", Role::HeaderSender), "jun@far.test");
    }
}
