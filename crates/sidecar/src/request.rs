//! The parameters of a request: who asks, from where, how safely.

use std::net::IpAddr;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `smtp`, `imap` …
    pub service: String,
    /// The client's address (`rip`).
    pub remote: Option<IpAddr>,
    /// The server's address (`lip`).
    pub local: Option<IpAddr>,
    /// The client's port (`rport`).
    pub remote_port: Option<u16>,
    /// The server's port (`lport`).
    pub local_port: Option<u16>,
    /// The session's name in logs.
    pub session: String,
    /// Whether nobody can listen to the client.
    pub secured: bool,
    /// Whether the client has shown a certificate that was verified.
    pub has_certificate: bool,
    /// The user name in the certificate.
    pub certificate_user: Option<String>,
}

impl Request {
    /// Takes one field; those that are not known mean nothing to us.
    pub(crate) fn take(&mut self, field: &str) {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        match name {
            "service" => self.service = value.to_owned(),
            "rip" => self.remote = value.parse().ok(),
            "lip" => self.local = value.parse().ok(),
            "rport" => self.remote_port = value.parse().ok(),
            "lport" => self.local_port = value.parse().ok(),
            "session" => self.session = value.to_owned(),
            "secured" => self.secured = true,
            "valid-client-cert" => self.has_certificate = true,
            "cert_username" => self.certificate_user = Some(value.to_owned()),
            _ => {}
        }
    }

    /// The fields in their usual order.
    pub(crate) fn fields(&self) -> Vec<String> {
        let mut fields = vec![format!("service={}", self.service)];
        if self.secured {
            fields.push("secured".to_owned());
        }
        if self.has_certificate {
            fields.push("valid-client-cert".to_owned());
        }
        let mut push = |name: &str, value: Option<String>| {
            fields.extend(value.map(|value| format!("{name}={value}")));
        };
        push(
            "session",
            Some(self.session.clone()).filter(|session| !session.is_empty()),
        );
        push("cert_username", self.certificate_user.clone());
        push("lip", self.local.map(|address| address.to_string()));
        push("rip", self.remote.map(|address| address.to_string()));
        push("lport", self.local_port.map(|port| port.to_string()));
        push("rport", self.remote_port.map(|port| port.to_string()));
        fields
    }
}
