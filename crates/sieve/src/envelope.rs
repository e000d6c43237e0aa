//! The envelope that a message came in, as tests and actions see it.

/// Sender, recipient and what else the mail server told. Addresses are `local@domain`, without brackets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// MAIL FROM; empty is the null sender.
    pub sender: String,
    /// The recipient that the message is delivered for.
    pub recipient: String,
    /// The recipient before aliases and rewriting.
    pub original_recipient: String,
    /// Who logged in to send it (`envelope "auth"`).
    pub auth: Option<String>,
    /// `NOTIFY=`, `RET=`, `ENVID=`, `ORCPT=` of DSN (RFC 6009 §4).
    pub dsn: Dsn,
    /// `BY=` of DELIVERBY (RFC 6009 §6).
    pub deliver_by: Option<DeliverBy>,
}

/// What the sender wants to be told of (RFC 3461).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dsn {
    /// `NEVER`, or some of `SUCCESS`, `FAILURE`, `DELAY`.
    pub notify: Vec<String>,
    /// `FULL` or `HDRS`.
    pub ret: Option<String>,
    /// The sender's name for the transaction.
    pub envid: Option<String>,
    /// The recipient that the sender wrote, `rfc822;local@domain`.
    pub orcpt: Option<String>,
}

/// When the message should have been delivered (RFC 2852).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverBy {
    /// Seconds since the epoch.
    pub at_secs: i64,
    /// `notify` or `return`.
    pub mode: String,
    /// Whether relays are to be told of.
    pub trace: bool,
}

impl Envelope {
    /// The envelope that the tools take where none is given: the recipient of Envelope-To or To, the sender of
    /// Return-Path, Sender or From.
    pub fn of_message(mail: &crate::mail::Mail) -> Envelope {
        let first = |names: &[&str]| {
            names.iter().find_map(|name| {
                let body = mail.bodies(name).next()?;
                let entries = address::list::parse(body);
                let mailbox = address::list::mailboxes(&entries).next()?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let domain = mailbox.domain.as_ref().map(|domain| text(domain));
                crate::parts::AddressPart::All.of(&text(&mailbox.local), domain.as_deref(), "")
            })
        };
        let null = mail
            .bodies("return-path")
            .next()
            .is_some_and(|body| body.trim_ascii() == b"<>");
        let recipient = first(&["envelope-to", "to"]).unwrap_or_else(|| "recipient@example.com".to_owned());
        let sender = first(&["return-path", "sender", "from"]);
        Envelope {
            sender: match null {
                true => String::new(),
                false => sender.unwrap_or_else(|| "sender@example.com".to_owned()),
            },
            original_recipient: recipient.clone(),
            recipient,
            ..Envelope::default()
        }
    }

    /// What `text` names: brackets off.
    pub(crate) fn bare(text: &str) -> String {
        let text = text.trim();
        text.strip_prefix('<')
            .and_then(|inner| inner.strip_suffix('>'))
            .unwrap_or(text)
            .to_owned()
    }
}

/// Local part and domain of an envelope address; no domain where there is none.
pub(crate) fn split(address: &str) -> (String, Option<&str>) {
    let (local, domain) = match address.rsplit_once('@') {
        Some((local, domain)) => (local, Some(domain)),
        None => (address, None),
    };
    let inner = local.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    let Some(inner) = inner else {
        return (local.to_owned(), domain);
    };
    let mut unquoted = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        unquoted.push(if character == '\\' {
            characters.next().unwrap_or('\\')
        } else {
            character
        });
    }
    (unquoted, domain)
}
