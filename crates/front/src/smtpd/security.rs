//! What TLS makes of a session: its line in the log and in Received fields, and the certificate that the client has shown.

use access::Refusal;
use access::rewrite_clients::{self, Known, Questions};
use intake::{ClientCertificate, Encryption};
use maillog::lines::smtpd as lines;
use serve::Link;
use tls::clients::Shown;
use tls::session::Description;

use super::clients::Group;
use super::session::Session;

/// The TLS session of a connection, if there is one.
pub(super) fn described(link: &Link) -> Option<Description> {
    link.tls().and_then(|connection| Description::of(connection))
}

impl Session {
    /// The certificate that the client has shown, good or not. It is looked at once.
    pub(super) fn shown(&self, link: &Link) -> Option<&Shown> {
        let connection = link.tls()?;
        let look = || self.service.tls.as_ref()?.shown(connection);
        self.shown.get_or_init(look).as_ref()
    }

    /// `smtpd_tls_loglevel`: the line about a handshake that is done.
    pub(super) fn log_tls(&self, link: &Link) {
        if self.service.settings.smtpd_tls_loglevel == 0 {
            return;
        }
        if let Some(session) = described(link) {
            self.service.log.write(&lines::TlsEstablished {
                peer: self.peer(),
                session: &session.to_string(),
                is_trusted: self.shown(link).map(|shown| shown.is_trusted),
            });
        }
    }

    /// What the Received field says of it.
    pub(super) fn encryption(&self, link: &Link) -> Option<Encryption> {
        let session = described(link)?.to_string();
        let tls = self.service.tls.as_ref();
        let certificate = match self.shown(link) {
            Some(shown) => ClientCertificate::Shown {
                subject: shown.subject.clone(),
                issuer: shown.issuer.clone(),
                is_trusted: shown.is_trusted,
            },
            None if tls.is_some_and(|tls| tls.clients.is_some()) => ClientCertificate::None,
            None => ClientCertificate::NotAsked,
        };
        Some(Encryption { session, certificate })
    }

    /// `local_header_rewrite_clients`
    pub(super) fn is_rewritten(&self, link: &Link) -> Result<bool, Refusal> {
        let (service, address) = (&self.service, self.client.address);
        let client = Known {
            address,
            is_own: service.front.own_addresses.contains(&address),
            is_logged_in: self.login.is_some(),
            has_trusted_certificate: self.shown(link).is_some_and(|shown| shown.is_trusted),
        };
        let is_listed = || match self.certificate(link) {
            Some(certificate) => service.access.lists_certificate(&certificate).map_err(|warning| {
                service.log.warning("smtpd", &warning);
                rewrite_clients::not_now()
            }),
            None => Ok(false),
        };
        let questions = Questions {
            is_in_networks: &|| service.clients.has(Group::Networks, &self.client),
            is_listed: &is_listed,
        };
        service.rewrite_clients.has(&client, &questions)
    }

    fn certificate(&self, link: &Link) -> Option<access::Certificate<'_>> {
        self.shown(link).map(|shown| access::Certificate {
            subject: &shown.subject,
            issuer: &shown.issuer,
            fingerprint: &shown.fingerprint,
            public_key_fingerprint: &shown.public_key_fingerprint,
            is_trusted: shown.is_trusted,
        })
    }

    /// What restrictions and policy services see of it.
    pub(super) fn tls_asked<'a>(
        &'a self,
        described: Option<&'a Description>,
        link: &Link,
    ) -> Option<access::Tls<'a>> {
        let certificate = self.certificate(link);
        described.map(|tls| access::Tls {
            protocol: tls.protocol,
            cipher: tls.cipher,
            bits: tls.bits,
            certificate,
        })
    }
}
