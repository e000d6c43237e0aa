//! What a client of SMTP is called: /etc/hosts and DNS decide, before the client is greeted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns::{ClientName, Failure};

use super::Smtpd;

impl Smtpd {
    /// The name of a client (`smtpd_peername_lookup`), in bounded time.
    pub(super) async fn client_name(&self, client: IpAddr) -> ClientName {
        if !self.settings.smtpd_peername_lookup {
            return ClientName::unknown(None);
        }
        let client = client.to_canonical();
        if let Some(name) = self.front.hosts.name(client) {
            return ClientName::verified(name);
        }
        // RFC 6761 §6.3: nobody else needs to be asked.
        if client == Ipv4Addr::LOCALHOST || client == Ipv6Addr::LOCALHOST {
            return ClientName::verified("localhost");
        }
        let found = dns::client_name(&*self.front.dns, client).await;
        if found.is_unverified() {
            let name = &found.reverse_name;
            let why = found.failure.as_ref().map_or("", |failure| match failure {
                Failure::TryAgain => ": Temporary failure in name resolution",
                Failure::NoData => ": No address associated with hostname",
                _ => ": Name or service not known",
            });
            let text = format!("hostname {name} does not resolve to address {client}{why}");
            self.log.warning("smtpd", &text);
        }
        found
    }
}
