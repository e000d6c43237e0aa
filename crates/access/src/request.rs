//! What is asked, by whom, and what a refusal says.

use std::net::{IpAddr, SocketAddr};

use address::{Address, Domain};
use envelope::{Class, StatusCode};
use settings::NotifyClass;

/// What a client, or a name, is called when there is no name.
pub const UNKNOWN: &str = "unknown";

/// The peer, as the restrictions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its verified name, or `unknown`.
    pub name: String,
    /// The name that its address has, whether that name has the address or not; or `unknown`.
    pub reverse_name: String,
    /// Whether the names may be found another time.
    pub name_is_pending: bool,
    /// Its address.
    pub address: IpAddr,
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.name, self.address)
    }
}

/// The encryption of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls<'a> {
    /// `TLSv1.3`
    pub protocol: &'a str,
    /// Its name.
    pub cipher: &'a str,
    /// The length of its key, in bits.
    pub bits: u16,
    /// The certificate that the client has shown.
    pub certificate: Option<Certificate<'a>>,
}

/// The certificate of a client; its key is the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The subject's common name.
    pub subject: &'a str,
    /// The issuer's.
    pub issuer: &'a str,
    /// The digest of the certificate: `AB:CD:…` (`smtpd_tls_fingerprint_digest`).
    pub fingerprint: &'a str,
    /// The digest of its public key.
    pub public_key_fingerprint: &'a str,
    /// Somebody whose signature counts has signed it.
    pub is_trusted: bool,
}

/// What has been said so far in a session.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The peer.
    pub client: &'a Client,
    /// The peer's port, where it is known.
    pub client_port: Option<&'a str>,
    /// Which of our addresses it came to.
    pub server: SocketAddr,
    /// The command: `CONNECT`, `EHLO`, `RCPT`, `END-OF-MESSAGE` …
    pub command: &'a str,
    /// `SMTP`, `ESMTP`.
    pub protocol: &'a str,
    /// What HELO or EHLO said.
    pub helo: Option<&'a str>,
    /// What MAIL said, completed: `None` before MAIL, `Some(None)` the null sender.
    pub sender: Option<Option<&'a Address>>,
    /// The sender as the client wrote it, without brackets; empty for the null sender and before MAIL.
    pub sender_written: &'a str,
    /// The recipient in question, completed; `None` before RCPT, and later when there are several.
    pub recipient: Option<&'a Address>,
    /// The recipient as the client wrote it.
    pub recipient_written: &'a str,
    /// How many recipients were accepted.
    pub recipients: usize,
    /// How large the message is, or MAIL said that it would be, in octets.
    pub size_bytes: u64,
    /// The message's name in the queue, if it has one.
    pub queue_id: &'a str,
    /// The same for all recipients of a message, and for no other message.
    pub instance: &'a str,
    /// What ETRN asks for.
    pub etrn_domain: &'a str,
    /// Who logged in.
    pub sasl_user: Option<&'a str>,
    /// By which mechanism.
    pub sasl_method: Option<&'a str>,
    /// What MAIL said in AUTH=.
    pub sasl_sender: Option<&'a str>,
    /// The encryption, if there is one.
    pub tls: Option<Tls<'a>>,
    /// The client has said more, in this session, than it may before it hears an answer.
    pub spoke_ahead: bool,
}

impl<'a> Request<'a> {
    /// Of a client that has said nothing yet, to this address of ours.
    pub fn new(client: &'a Client, server: SocketAddr) -> Request<'a> {
        Request {
            client,
            client_port: None,
            server,
            command: "CONNECT",
            protocol: "SMTP",
            helo: None,
            sender: None,
            sender_written: "",
            recipient: None,
            recipient_written: "",
            recipients: 0,
            size_bytes: 0,
            queue_id: "",
            instance: "",
            etrn_domain: "",
            sasl_user: None,
            sasl_method: None,
            sasl_sender: None,
            tls: None,
            spoke_ahead: false,
        }
    }
}

impl Request<'_> {
    /// The domain of the sender, where there is one.
    pub fn sender_domain(&self) -> Option<&Domain> {
        self.sender.flatten().and_then(|sender| sender.domain())
    }

    /// The sender as it was written, where there is one that is not null.
    pub fn sender_shown(&self) -> Option<&str> {
        self.sender.flatten().map(|_| self.sender_written)
    }
}

/// A reply that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The SMTP code.
    pub code: u16,
    /// The enhanced code.
    pub status: StatusCode,
    /// What follows: `<a@b>: Relay access denied`.
    pub text: String,
}

impl Refusal {
    /// A refusal whose enhanced code says what its code says, for good or for now.
    pub fn new(code: u16, status: StatusCode, text: String) -> Refusal {
        let class = match code {
            500.. => Class::Permanent,
            _ => Class::Temporary,
        };
        Refusal {
            code,
            status: StatusCode { class, ..status },
            text,
        }
    }

    /// `soft_bounce`: the same for now.
    pub fn softened(&self) -> Refusal {
        let code = if self.code >= 500 {
            self.code - 100
        } else {
            self.code
        };
        Refusal::new(code, self.status, self.text.clone())
    }

    /// Which class of `notify_classes` it is of.
    pub fn class(&self) -> NotifyClass {
        match (self.status.subject, self.status.detail) {
            // There is nobody of that name: mail for or from there could not be delivered.
            (1, 0 | 1) => NotifyClass::Bounce,
            (3, 0) if self.code < 500 => NotifyClass::Data,
            // Our configuration makes no sense.
            (3, 5) => NotifyClass::Software,
            _ => NotifyClass::Policy,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.code, self.status, self.text)
    }
}
