//! One attempt: the places of a next hop, their hosts, one after the other, until every recipient is settled.

use envelope::{DeliveryResult, Outcome, StatusCode};
use smtp::client::{Credentials, Protocol};

use crate::connection::{Connection, Target};
use crate::hosts::{Chosen, NoHost};
use crate::progress::Progress;
use crate::{Content, Delivery, NextHop, Remote, Request, Site, converse};

/// How trying one host ended.
enum Tried {
    /// There was no connection.
    Unreachable,
    /// There was a session.
    Session,
}

/// Whose place it is, which decides what its faults mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    NextHop,
    Fallback,
}

impl Remote {
    /// Hands one message to one next hop, and what that does not take to `smtp_fallback_relay`. Never fails: what goes wrong
    /// is in the outcomes.
    pub async fn deliver(&self, request: Request, content: &Content<'_>) -> Delivery {
        let Request { next_hop, message } = request;
        let protocol = next_hop.protocol;
        let sites = self.sites(&next_hop);
        let mut progress = Progress::new(message);
        // The last place for which no host was found, while nothing was heard from another.
        let (mut missed, mut is_own) = (None, false);
        for (site, origin) in sites {
            if progress.is_settled() || (is_own && origin == Origin::Fallback) {
                break;
            }
            match self.chooser.choose(site, &self.helo_name).await {
                Ok(Chosen { targets, is_own: own }) => {
                    missed = None;
                    is_own |= own;
                    self.try_hosts((protocol, site), &targets, content, &mut progress)
                        .await;
                }
                Err(no_host) => {
                    if let Some(warning) = &no_host.warning {
                        self.warn(protocol, warning);
                    }
                    is_own |= no_host.loops;
                    progress.missed(&no_host.outcome());
                    missed = Some((no_host, origin));
                }
            }
        }
        let missed = missed.filter(|_| !progress.is_settled());
        let Some((no_host, origin)) = missed else {
            return progress.finish(false);
        };
        match self.configuration_fault(&no_host, (&next_hop, origin)) {
            Some(outcome) => {
                progress.missed(&outcome);
                progress.finish(false)
            }
            None => progress.finish(no_host.loops),
        }
    }

    /// All places to try: those of the next hop, and for SMTP those of the fallback relay.
    fn sites<'a>(&'a self, next_hop: &'a NextHop) -> Vec<(&'a Site, Origin)> {
        let mut sites: Vec<(&Site, Origin)> = Vec::new();
        sites.extend(next_hop.sites.iter().map(|site| (site, Origin::NextHop)));
        if let (Some(fallback), Protocol::Smtp) = (&self.fallback, next_hop.protocol) {
            sites.extend(fallback.sites.iter().map(|site| (site, Origin::Fallback)));
        }
        sites
    }

    /// A host of one's own configuration that is not to be found for good is a mistake, and mail waits until it is mended.
    fn configuration_fault(&self, no_host: &NoHost, whose: (&NextHop, Origin)) -> Option<Outcome> {
        let (next_hop, origin) = whose;
        let name = match origin {
            Origin::Fallback => "smtp_fallback_relay",
            Origin::NextHop if next_hop.protocol == Protocol::Smtp && next_hop.text == self.relayhost => {
                "relayhost"
            }
            Origin::NextHop => return None,
        };
        if no_host.missed.is_temporary() {
            return None;
        }
        self.warn(next_hop.protocol, &format!("{name} configuration problem"));
        Some(Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(3, 5),
            ..no_host.outcome()
        })
    }

    /// Tries the hosts of one place, until nobody is left or there were enough sessions.
    async fn try_hosts(
        &self,
        site: (Protocol, &Site),
        targets: &[Target],
        content: &Content<'_>,
        progress: &mut Progress,
    ) {
        let mut sessions = 0;
        for target in targets {
            if let Tried::Session = self.try_host(site, target, content, progress).await {
                sessions += 1;
            }
            if progress.is_settled() || (self.sessions_max > 0 && sessions >= self.sessions_max) {
                return;
            }
        }
    }

    /// Tries one address.
    async fn try_host(
        &self,
        (protocol, site): (Protocol, &Site),
        target: &Target,
        content: &Content<'_>,
        progress: &mut Progress,
    ) -> Tried {
        let options = self.options(protocol);
        let credentials = match self.login(protocol, target, site) {
            Ok(credentials) => credentials,
            Err(error) => {
                let text = format!("cannot look up the login: {error}");
                progress.failed(&deferral(StatusCode::temporary(3, 0), text));
                return Tried::Unreachable;
            }
        };
        let message = progress.message();
        let mut with_tls = true;
        loop {
            let opened = Connection::open(target, options.connect_timeout, self.source).await;
            let connection = match opened {
                Ok(connection) => connection,
                Err(reason) => {
                    self.tell_unreachable(protocol, target, &reason);
                    let text = format!("connect to {}: {reason}", target.relay);
                    progress.failed(&deferral(StatusCode::temporary(4, 1), text));
                    return Tried::Unreachable;
                }
            };
            let mut session = converse::Session {
                connection,
                config: options.client_config(target, credentials.as_ref(), with_tls),
                tls: options.tls_for(with_tls),
                server_name: options.name_for(target, site),
                content: content(),
            };
            match session.run(&message).await {
                converse::End::Done(report) => progress.heard(report),
                converse::End::NeverBegun(outcome) => progress.failed(&outcome),
                // `smtp_tls_security_level = may`: better in the clear than not at all.
                converse::End::HandshakeFailed(_) if !options.is_mandatory() && with_tls => {
                    with_tls = false;
                    continue;
                }
                converse::End::HandshakeFailed(outcome) => progress.failed(&outcome),
            }
            return Tried::Session;
        }
    }

    /// Who to log in as there.
    fn login(
        &self,
        protocol: Protocol,
        target: &Target,
        site: &Site,
    ) -> Result<Option<Credentials>, tables::Error> {
        match protocol {
            Protocol::Smtp => self.logins.of(&target.host, &site.text),
            Protocol::Lmtp => Ok(None),
        }
    }
}

/// A deferral before anybody was reached.
fn deferral(status: StatusCode, text: String) -> Outcome {
    Outcome {
        result: DeliveryResult::Deferred,
        status,
        text,
        relay: "none".to_owned(),
        detail: Default::default(),
    }
}
