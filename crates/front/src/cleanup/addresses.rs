//! The addresses of an envelope on their way into the queue: completed, changed by tables, expanded, copied.

use std::collections::BTreeSet;
use std::sync::Arc;

use address::Address;
use envelope::{Envelope, Notify, Recipient};
use intake::checks::Checks;
use intake::mapping::{Error, Maps, Role};
use maillog::Log;
use route::Router;
use settings::Postfix;
use tables::addresses::Host;
use tables::watch::{self, Hit};

use super::{Entry, leaves_out};
use crate::milters::Milters;

/// The tables that are asked about mail on its way into the queue.
pub(super) struct Cleanup {
    pub(super) checks: Checks,
    /// `milter_header_checks`
    pub(super) of_filters: Checks,
    /// `non_smtpd_milters`
    pub(super) milters: Milters,
    pub(super) maps: Maps,
    pub(super) host: ThisHost,
}

/// What tables of addresses know of this host.
pub struct ThisHost {
    router: Arc<Router>,
    settings: Arc<Postfix>,
}

impl Cleanup {
    /// Opens them. What is wrong with one is told to the log now, unless it was `told`; every question to it fails.
    pub(super) fn open(
        settings: &Arc<Postfix>,
        router: &Arc<Router>,
        (log, told): (&Log, &mut BTreeSet<String>),
    ) -> Cleanup {
        let (mut checks, mut problems) = Checks::incoming(settings);
        let (mut of_filters, more) = Checks::of_filters(settings);
        problems.extend(more);
        let mut maps = Maps::open(settings, &mut problems);
        for problem in problems {
            let text = problem.to_string();
            if told.insert(text.clone()) {
                log.error("cleanup", &text);
            }
        }
        let own = log.clone();
        let tell: tables::Tell = Arc::new(move |text| own.warning("cleanup", text));
        checks.tell_warnings(&tell);
        of_filters.tell_warnings(&tell);
        maps.tell_warnings(&tell);
        Cleanup {
            checks,
            of_filters,
            milters: Milters::of_others(settings, log),
            maps,
            host: ThisHost::new(router, settings),
        }
    }

    /// Its own settings.
    pub(super) fn settings(&self) -> &Arc<Postfix> {
        &self.host.settings
    }
}

impl ThisHost {
    /// What `router` and `settings` say.
    pub fn new(router: &Arc<Router>, settings: &Arc<Postfix>) -> ThisHost {
        ThisHost {
            router: Arc::clone(router),
            settings: Arc::clone(settings),
        }
    }
}

impl Host for ThisHost {
    fn is_local(&self, address: &Address) -> Result<bool, tables::Error> {
        let origin = &self.settings.myorigin;
        let is_origin = address
            .domain()
            .is_some_and(|domain| domain.as_str().eq_ignore_ascii_case(origin));
        Ok(is_origin || self.router.class(address).map_err(route::Error::into_table)? == route::Class::Local)
    }

    fn completed(&self, address: Address) -> Address {
        intake::qualify(address, &self.settings)
    }
}

/// A recipient completed, and without what of a route leads through this host; `None` when the route names no host.
///
/// # Errors
/// When a lookup fails.
pub fn rewritten(
    recipient: &Address,
    router: &Router,
    settings: &Postfix,
) -> Result<Option<Address>, route::Error> {
    // A route without a domain is undone before a domain is appended.
    match router.unrouted(recipient.clone())? {
        Some(address) => router.unrouted(intake::qualify(address, settings)),
        None => Ok(None),
    }
}

/// A step that changed an address.
#[derive(Debug, Clone)]
pub struct Rewriting {
    /// By which settings.
    pub what: &'static str,
    /// What it was.
    pub from: Vec<Address>,
    /// What it is.
    pub to: Vec<Address>,
    /// Which tables knew something.
    pub hits: Vec<Hit>,
}

impl Entry {
    /// What becomes of the sender of a message, each step that changes it by itself. The thread watches tables.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub(crate) fn steps_of_sender(&self, sender: &Address) -> Result<Vec<Rewriting>, Error> {
        Addresses::of(&self.cleanup, &self.settings).steps(sender, Role::EnvelopeSender)
    }

    /// What becomes of a recipient, each step that changes it by itself. The thread watches tables.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub(crate) fn steps_of_recipient(&self, recipient: &Address) -> Result<Vec<Rewriting>, Error> {
        Addresses::of(&self.cleanup, &self.settings).steps(recipient, Role::EnvelopeRecipient)
    }
}

/// What is done to the addresses of one message.
pub(super) struct Addresses<'a> {
    pub(super) cleanup: &'a Cleanup,
    pub(super) settings: &'a Postfix,
    /// Tables are asked.
    is_mapped: bool,
}

impl Addresses<'_> {
    /// As the settings of the service say that took the message.
    pub(super) fn of<'a>(cleanup: &'a Cleanup, settings: &'a Postfix) -> Addresses<'a> {
        Addresses {
            cleanup,
            settings,
            is_mapped: !leaves_out(settings, "no_address_mappings"),
        }
    }

    /// The sender as the queue keeps it.
    ///
    /// # Errors
    /// When that cannot be told.
    pub(super) fn sender(&self, sender: Option<&Address>) -> Result<Option<Address>, Error> {
        let Cleanup { maps, host, .. } = self.cleanup;
        match sender {
            Some(sender) if self.is_mapped => maps.canonical(sender, Role::EnvelopeSender, host).map(Some),
            sender => Ok(sender.cloned()),
        }
    }

    /// Puts the recipients in place of those that the client named, and with `is_copied` adds `recipient_bcc_maps`,
    /// `sender_bcc_maps` and `always_bcc`. Gives back the aliases whose sender is to hear that they stand for others.
    ///
    /// # Errors
    /// When it cannot be told who they are.
    pub(super) fn map(&self, envelope: &mut Envelope, is_copied: bool) -> Result<Vec<Recipient>, Error> {
        let Cleanup { maps, host, .. } = self.cleanup;
        let mut all = Vec::with_capacity(envelope.recipients.len());
        let mut expanded = Vec::new();
        for recipient in std::mem::take(&mut envelope.recipients) {
            let canonical = self.canonical(&recipient.address)?;
            let copy = match is_copied {
                true => maps.copies(&canonical, Role::EnvelopeRecipient, host)?,
                false => None,
            };
            expanded.extend(self.expand(canonical, recipient, &mut all)?);
            if let Some(copy) = copy {
                all.extend(self.copy(copy)?);
            }
        }
        if is_copied {
            let of_sender = match &envelope.sender {
                Some(sender) => maps.copies(sender, Role::EnvelopeSender, host)?,
                None => None,
            };
            let always = Address::parse(self.settings.always_bcc.trim()).ok();
            for copy in of_sender.into_iter().chain(always) {
                all.extend(self.copy(copy)?);
            }
        }
        envelope.recipients = all;
        Ok(expanded)
    }

    /// What an address becomes, each step that changes it by itself: its name and what comes of it.
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub(super) fn steps(&self, address: &Address, role: Role) -> Result<Vec<Rewriting>, Error> {
        let Cleanup { maps, host, .. } = self.cleanup;
        let mut steps = Vec::new();
        let mut at = vec![address.clone()];
        let mut add = |what, to: Vec<Address>| {
            let hits = watch::take();
            if to != at {
                let from = std::mem::replace(&mut at, to.clone());
                let to = to.clone();
                steps.push(Rewriting { what, from, to, hits });
            }
            to
        };
        let completed = match rewritten(address, &host.router, self.settings) {
            Ok(Some(completed)) => completed,
            _ => address.clone(),
        };
        add("completed", vec![completed.clone()]);
        if !self.is_mapped {
            return Ok(steps);
        }
        let canonical = maps.canonical(&completed, role, host)?;
        add("canonical_maps, masquerade_domains", vec![canonical.clone()]);
        if role == Role::EnvelopeRecipient {
            add("virtual_alias_maps", maps.aliases(&canonical, host)?);
        }
        Ok(steps)
    }

    /// The recipients of a copy, about whom nobody is told.
    ///
    /// # Errors
    /// When it cannot be told who they are.
    pub(super) fn copy(&self, original: Address) -> Result<Vec<Recipient>, Error> {
        self.added(original, Some(Notify::NEVER), None)
    }

    /// The recipients that an address stands for which the client did not name.
    ///
    /// # Errors
    /// When it cannot be told who they are.
    pub(super) fn added(
        &self,
        original: Address,
        notify: Option<Notify>,
        orcpt: Option<String>,
    ) -> Result<Vec<Recipient>, Error> {
        let mut all = Vec::new();
        // A copy is meant for what its address becomes.
        let address = self.canonical(&original)?;
        let recipient = Recipient {
            address: address.clone(),
            original: address.clone(),
            orcpt,
            notify,
        };
        self.expand(address, recipient, &mut all)?;
        Ok(all)
    }

    /// An address completed; what cannot be completed now stays as it is.
    pub(super) fn rewritten(&self, address: &Address) -> Address {
        match rewritten(address, &self.cleanup.host.router, self.settings) {
            Ok(Some(address)) => address,
            _ => address.clone(),
        }
    }

    fn canonical(&self, address: &Address) -> Result<Address, Error> {
        let Cleanup { maps, host, .. } = self.cleanup;
        // What cannot be resolved now is left for the delivery to complain about.
        let address = match rewritten(address, &host.router, self.settings) {
            Ok(Some(address)) => address,
            _ => address.clone(),
        };
        match self.is_mapped {
            true => maps.canonical(&address, Role::EnvelopeRecipient, host),
            false => Ok(address),
        }
    }

    /// Adds those for whom `address` stands, who is the `recipient`. Where it stands for others and its sender wants to hear of
    /// success, the sender hears that it does (RFC 3461 §5.2.7.3), and no more of them: it is given back.
    fn expand(
        &self,
        address: Address,
        recipient: Recipient,
        all: &mut Vec<Recipient>,
    ) -> Result<Option<Recipient>, Error> {
        let Cleanup { maps, host, .. } = self.cleanup;
        let addresses = match self.is_mapped {
            true => maps.aliases(&address, host)?,
            false => vec![address.clone()],
        };
        let is_told = recipient.wants_success_report() && addresses != [address.clone()];
        let notify = match is_told {
            true => recipient.notify.map(Notify::without_success),
            false => recipient.notify,
        };
        all.extend(addresses.into_iter().map(|address| Recipient {
            address,
            notify,
            ..recipient.clone()
        }));
        Ok(is_told.then_some(Recipient { address, ..recipient }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{Surroundings, TableRef};

    struct Nobody;

    impl route::Directory for Nobody {
        fn has_user(&self, _: &str) -> Result<bool, String> {
            Ok(false)
        }
    }

    fn cleanup(change: impl FnOnce(&mut Postfix)) -> (Cleanup, Arc<Postfix>) {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.myorigin = "here.test".to_owned();
        settings.mydestination = vec!["here.test".to_owned()];
        settings.recipient_delimiter = "+".to_owned();
        change(&mut settings);
        let settings = Arc::new(settings);
        let (router, _) = Router::new(Arc::clone(&settings), Vec::new(), Arc::new(Nobody));
        let mut problems = Vec::new();
        let cleanup = Cleanup {
            checks: Checks::incoming(&settings).0,
            of_filters: Checks::of_filters(&settings).0,
            milters: Milters::of_others(&settings, &Log::to_memory().0),
            maps: Maps::open(&settings, &mut problems),
            host: ThisHost {
                router: Arc::new(router),
                settings: Arc::clone(&settings),
            },
        };
        assert_eq!(problems, []);
        (cleanup, settings)
    }

    fn table(entries: &str) -> Vec<TableRef> {
        vec![TableRef::new("inline", &format!("{{ {entries} }}"))]
    }

    fn recipient(text: &str) -> Recipient {
        let address = Address::parse(text).expect("an address");
        Recipient {
            address: address.clone(),
            original: address,
            orcpt: None,
            notify: None,
        }
    }

    fn envelope(recipients: &[&str]) -> Envelope {
        Envelope {
            sender: Address::parse("s@here.test").ok(),
            recipients: recipients.iter().map(|text| recipient(text)).collect(),
            ret: None,
            envid: None,
            body: envelope::BodyKind::default(),
            smtputf8: false,
        }
    }

    fn shown(envelope: &Envelope) -> Vec<String> {
        let one = |recipient: &Recipient| {
            let silent = if recipient.notify == Some(Notify::NEVER) {
                "!"
            } else {
                ""
            };
            format!("{silent}{} ({})", recipient.address, recipient.original)
        };
        envelope.recipients.iter().map(one).collect()
    }

    #[test]
    fn recipients_are_changed_expanded_and_copied() {
        let (cleanup, settings) = cleanup(|settings| {
            settings.canonical_maps = table("{ old@v.test = new@v.test }");
            settings.virtual_alias_maps =
                table("{ new@v.test = a, b+x@w.test }, { copy@here.test = c@w.test }");
            settings.recipient_bcc_maps = table("{ new@v.test = copy }");
            settings.sender_bcc_maps = table("{ s@here.test = sent@w.test }");
            settings.always_bcc = "all@w.test".to_owned();
        });
        let addresses = Addresses::of(&cleanup, &settings);
        let mut mapped = envelope(&["old@v.test", "x"]);
        addresses.map(&mut mapped, true).expect("an answer");
        assert_eq!(
            shown(&mapped),
            [
                "a@here.test (old@v.test)",
                "b+x@w.test (old@v.test)",
                "!c@w.test (copy@here.test)",
                "x@here.test (x)",
                "!sent@w.test (sent@w.test)",
                "!all@w.test (all@w.test)",
            ]
        );
        let mut mapped = envelope(&["x"]);
        addresses.map(&mut mapped, false).expect("an answer");
        assert_eq!(shown(&mapped), ["x@here.test (x)"]);
    }

    #[test]
    fn mail_is_mapped_once() {
        let (cleanup, settings) = cleanup(|settings| {
            settings.virtual_alias_maps = table("{ a@v.test = b@v.test }");
            settings.canonical_maps = table("{ s@here.test = t@here.test }");
            settings.receive_override_options = vec!["no_address_mappings".to_owned()];
        });
        let addresses = Addresses::of(&cleanup, &settings);
        let mut mapped = envelope(&["a@v.test"]);
        addresses.map(&mut mapped, false).expect("an answer");
        assert_eq!(shown(&mapped), ["a@v.test (a@v.test)"]);
        let sender = addresses.sender(mapped.sender.as_ref()).expect("an answer");
        assert_eq!(sender, mapped.sender);
    }

    #[test]
    fn mail_goes_elsewhere_once_and_copies_are_not_told_of() {
        let (cleanup, settings) = cleanup(|_| {});
        let addresses = Addresses::of(&cleanup, &settings);
        let address = |text: &str| Address::parse(text).expect("an address");
        let mut kept = envelope(&["a@b.test", "c@d.test"]);
        let effects = intake::checks::Effects {
            copies: vec![address("e@f.test")],
            ..Default::default()
        };
        super::super::content::redirect(&mut kept, effects, &addresses).expect("an answer");
        assert_eq!(
            shown(&kept),
            [
                "a@b.test (a@b.test)",
                "c@d.test (c@d.test)",
                "!e@f.test (e@f.test)"
            ]
        );
        let effects = intake::checks::Effects {
            redirect: Some(address("x@y.test")),
            ..Default::default()
        };
        super::super::content::redirect(&mut kept, effects, &addresses).expect("an answer");
        assert_eq!(shown(&kept), ["x@y.test (a@b.test)"]);
    }
}
