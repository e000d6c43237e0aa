//! What Sendmail's files say of where mail goes (`yubin_sendmail_directory`): `domaintable`, `virtusertable`, `mailertable`,
//! and of `access` and `relay-domains` for whom mail is passed on.

use std::borrow::Cow;
use std::net::IpAddr;

use address::{Address, Domain};
use sendmail_files::access::{self, Found, Tag};
use sendmail_files::{Failure, class_file, domaintable, mailertable, virtusertable};
use settings::{Postfix, TableRef};
use tables::{Tables, Tell};

use crate::{Class, ERROR, Error, RETRY, Route, Router, Undeliverable};

/// How long a chain of addresses that stand for each other may be.
const CHAIN_MAX: usize = 50;

/// The files that are there.
#[derive(Default)]
pub(crate) struct Files {
    access: Option<Tables>,
    mailertable: Option<Tables>,
    virtusertable: Option<Tables>,
    domaintable: Option<Tables>,
    relay_domains: Vec<String>,
    virtuser_domains: Vec<String>,
}

fn looking(tables: &Tables) -> impl FnMut(&str) -> Result<Option<String>, tables::Error> {
    |key| tables.lookup(key)
}

impl Files {
    pub(crate) fn open(settings: &Postfix, problems: &mut Vec<tables::Error>) -> Files {
        let mut open = |reference: &Option<TableRef>| {
            let reference = reference.as_ref()?;
            let (tables, found) = Tables::open(std::slice::from_ref(reference));
            problems.extend(found);
            Some(tables)
        };
        let files = &settings.sendmail;
        Files {
            access: open(&files.access),
            mailertable: open(&files.mailertable),
            virtusertable: open(&files.virtusertable),
            domaintable: open(&files.domaintable),
            relay_domains: files.relay_domains.clone(),
            virtuser_domains: files.virtuser_domains.clone(),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &Tell) {
        let all = [
            &mut self.access,
            &mut self.mailertable,
            &mut self.virtusertable,
            &mut self.domaintable,
        ];
        all.into_iter()
            .flatten()
            .for_each(|table| table.tell_warnings(tell));
    }

    /// The address in the domain that `domaintable` has for its domain.
    pub(crate) fn renamed<'a>(&self, address: &'a Address) -> Result<Cow<'a, Address>, Error> {
        let Some(table) = &self.domaintable else {
            return Ok(Cow::Borrowed(address));
        };
        let found = domaintable::find(address, &mut looking(table))?;
        Ok(found.map_or(Cow::Borrowed(address), Cow::Owned))
    }

    /// Whether `access` has mail for a domain passed on.
    pub(crate) fn relays_to(&self, domain: &Domain) -> Result<bool, Error> {
        match &self.access {
            Some(table) => Ok(access::relays_to(domain.as_str(), &mut looking(table))?),
            None => Ok(false),
        }
    }

    /// The route with what `mailertable` says of a domain that is not this host's.
    pub(crate) fn mailer(&self, route: Route, domain: &str) -> Result<Route, Error> {
        let Some(table) = self
            .mailertable
            .as_ref()
            .filter(|_| matches!(route.class, Class::Relay | Class::Default))
        else {
            return Ok(route);
        };
        let found = mailertable::find(domain, &mut looking(table))?;
        Ok(match found.map(|(_, entry)| entry) {
            Some(mailertable::Entry::Mailer { transport, next_hop }) => Route {
                transport,
                next_hop: match next_hop.as_str() {
                    "" => domain.to_owned(),
                    _ => next_hop,
                },
                ..route
            },
            Some(mailertable::Entry::Error(failure)) => refused(route, &failure, (1, 2)),
            // Those are other addresses before they are routed.
            Some(mailertable::Entry::User(_)) | None => route,
        })
    }
}

/// The route of an address that is refused; `usual` is the subject and detail of the enhanced code where the table names none.
pub(crate) fn refused(route: Route, failure: &Failure, usual: (u16, u16)) -> Route {
    let transport = if failure.is_temporary() { RETRY } else { ERROR };
    Route {
        transport: transport.to_owned(),
        next_hop: failure.coded_text(usual),
        ..route
    }
}

/// The same as an answer to RCPT.
pub(crate) fn undeliverable(failure: &Failure) -> Undeliverable {
    let text = failure.coded_text((1, 1));
    match failure.is_temporary() {
        true => Undeliverable::NotNow(text),
        false => Undeliverable::Never(text),
    }
}

impl Router {
    /// What `virtusertable` says of an address. It is asked for addresses of this host and of `virtuser-domains`.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn virtual_user(&self, address: &Address) -> Result<Option<virtusertable::Entry>, Error> {
        let Some(table) = &self.sendmail.virtusertable else {
            return Ok(None);
        };
        let address = self.sendmail.renamed(address)?;
        let domain = address.domain().map(Domain::as_str).unwrap_or_default();
        let mut listed = self.sendmail.virtuser_domains.iter();
        let is_asked =
            listed.any(|word| word.eq_ignore_ascii_case(domain)) || self.class(&address)? == Class::Local;
        if !is_asked {
            return Ok(None);
        }
        let found = virtusertable::find(&address, &mut looking(table))?;
        Ok(found.map(|(_, entry)| entry))
    }

    /// The address that gets the mail for one, as `virtusertable` has it: the last of a chain, or itself, also where the chain has
    /// no end.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn virtually(&self, address: &Address) -> Result<Address, Error> {
        let mut last = address.clone();
        for _ in 0..CHAIN_MAX {
            let Some(virtusertable::Entry::Address(text)) = self.virtual_user(&last)? else {
                return Ok(last);
            };
            let entries = address::list::parse(text.as_bytes());
            let mut named = address::list::mailboxes(&entries);
            let Some(next) = named.find_map(|mailbox| mailbox.address()) else {
                return Ok(last);
            };
            let next = match next.domain() {
                Some(_) => next,
                None => next.at(Domain::parse(&self.settings.myorigin).ok()),
            };
            if next == last {
                return Ok(last);
            }
            last = next;
        }
        Ok(address.clone())
    }

    /// What `access` says of a client; `None`: nothing.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn access_of_client(&self, name: Option<&str>, ip: IpAddr) -> Result<Option<Found>, Error> {
        match &self.sendmail.access {
            Some(table) => Ok(access::client(name, ip, &mut looking(table))?),
            None => Ok(None),
        }
    }

    /// What `access` says of a sender or recipient; `None`: nothing.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn access_of_mail(&self, tag: Tag, address: &Address) -> Result<Option<Found>, Error> {
        match &self.sendmail.access {
            Some(table) => Ok(access::mail(tag, address, &mut looking(table))?),
            None => Ok(None),
        }
    }

    /// Whether mail of a client is passed on: `RELAY` in `access`, or its name or network in `relay-domains`.
    ///
    /// # Errors
    /// When a lookup fails.
    pub fn relays_for_client(&self, name: Option<&str>, ip: IpAddr) -> Result<bool, Error> {
        let words = &self.sendmail.relay_domains;
        if name.is_some_and(|name| class_file::has_domain(words, name))
            || words.iter().any(|word| is_in_network(ip.to_canonical(), word))
        {
            return Ok(true);
        }
        match &self.sendmail.access {
            Some(table) => Ok(access::relays_for_client(name, ip, &mut looking(table))?),
            None => Ok(false),
        }
    }
}

/// Whether the address begins with the octets of `prefix` (`192.168.1`), or its groups (`IPv6:2001:db8`).
fn is_in_network(ip: IpAddr, prefix: &str) -> bool {
    let (text, prefix, separator) = match ip {
        IpAddr::V4(ip) => (ip.to_string(), prefix, '.'),
        IpAddr::V6(ip) => {
            let Some(prefix) = prefix.strip_prefix("IPv6:") else {
                return false;
            };
            let groups = ip.segments().map(|group| format!("{group:x}"));
            (groups.join(":"), prefix, ':')
        }
    };
    text.strip_prefix(prefix)
        .is_some_and(|rest| !prefix.is_empty() && (rest.is_empty() || rest.starts_with(separator)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Existence;
    use crate::recipients::Nobody;
    use settings::Surroundings;
    use std::sync::Arc;

    fn router(directory: &std::path::Path) -> Router {
        let table = |name: &str, text: &str| {
            let file = directory.join(name);
            std::fs::write(&file, text).expect("written");
            Some(TableRef::new("texthash", &file.to_string_lossy()))
        };
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.myorigin = "here.test".to_owned();
        settings.mydestination = vec!["here.test".to_owned(), "v.test".to_owned(), "new.test".to_owned()];
        settings.local_recipient_maps = vec![TableRef::new("inline", "{ { jun = x } }")];
        settings.sendmail.access = table("access", "192.168.0 RELAY\nout.test RELAY\nspam.test REJECT\n");
        settings.sendmail.mailertable = table(
            "mailertable",
            "mt.test relay:[gw.test]\nerr.test error:5.7.0:550 forbidden\nhere.test esmtp:[never.test]\n",
        );
        settings.sendmail.virtusertable = table(
            "virtusertable",
            "info@v.test jun\nbad@v.test error:nouser Nobody here\nlater@v.test error:450 later\nx@far.test jun\n\
             gone@v.test nobody\nchain@v.test info@v.test\nloop@v.test loop@v.test\na@v.test b@v.test\nb@v.test c@v.test\nc@v.test a@v.test\nfar@v.test x@far.test\nout@v.test bad@v.test\n",
        );
        settings.sendmail.domaintable = table("domaintable", "old.test new.test\n");
        settings.sendmail.relay_domains = vec!["friend.test".to_owned(), "10.1".to_owned()];
        let (router, problems) = Router::new(Arc::new(settings), Vec::new(), Arc::new(Nobody));
        assert_eq!(problems, []);
        router
    }

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    #[test]
    fn the_files_say_where_mail_goes() {
        let directory = tempfile::tempdir().expect("a directory");
        let router = router(directory.path());
        let route = |text: &str| {
            let Route {
                transport, next_hop, ..
            } = router.resolve(&address(text), None).expect("an answer");
            format!("{transport}:{next_hop}")
        };
        assert_eq!(route("a@mt.test"), "relay:[gw.test]");
        assert_eq!(route("a@err.test"), "error:5.7.0 forbidden");
        assert_eq!(
            route("jun@here.test"),
            "local:localhost.localdomain",
            "no domain of ours is asked for"
        );
        assert_eq!(route("jun@old.test"), "local:localhost.localdomain");
        assert_eq!(route("bad@v.test"), "error:5.1.1 Nobody here");
        assert_eq!(route("x@far.test"), "smtp:far.test");
        let class = |text: &str| router.class(&address(text)).expect("an answer");
        assert_eq!(class("a@sub.out.test"), Class::Relay);
        assert_eq!(class("a@far.test"), Class::Default);
        let is_known = |text: &str| router.existence(&address(text)).expect("an answer") == Existence::Exists;
        assert!(is_known("info@v.test") && is_known("jun@old.test") && !is_known("eve@v.test"));
        let why = |text: &str| router.undeliverable(&address(text), None).expect("an answer");
        assert_eq!(
            why("later@v.test"),
            Some(Undeliverable::NotNow("4.1.1 later".to_owned()))
        );
        assert_eq!(why("info@v.test"), None);
        assert!(
            !is_known("gone@v.test") && !is_known("loop@v.test"),
            "nor is whom they mean"
        );
        assert!(is_known("chain@v.test") && is_known("far@v.test"));
        assert!(!is_known("a@v.test") && why("a@v.test").is_none(), "no end");
        assert_eq!(
            why("out@v.test"),
            Some(Undeliverable::Never("5.1.1 Nobody here".to_owned()))
        );
    }

    #[test]
    fn clients_of_the_lists_may_relay() {
        let directory = tempfile::tempdir().expect("a directory");
        let router = router(directory.path());
        let may = |name: Option<&str>, ip: &str| {
            let ip = ip.parse().expect("an address");
            router.relays_for_client(name, ip).expect("an answer")
        };
        assert!(may(None, "192.168.0.9") && may(None, "::ffff:192.168.0.9") && may(None, "10.1.2.3"));
        assert!(may(Some("a.friend.test"), "192.0.2.1") && may(Some("a.out.test"), "192.0.2.1"));
        assert!(!may(Some("a.far.test"), "10.10.2.3") && !may(None, "192.168.1.9"));
    }
}
