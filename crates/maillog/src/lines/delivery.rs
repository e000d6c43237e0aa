//! The line that says what became of one recipient: the one that log analysers count.

use envelope::{DeliveryResult, Outcome, QueueId, StatusCode};

use super::say;
use crate::delays::Seconds;
use crate::{Delays, Line, Tag};

/// `QUEUEID: replace: header Subject: x: Subject: y`: what a client changed of a message on its way out.
#[derive(Debug)]
pub struct ContentDecided<'a> {
    /// Which client.
    pub agent: &'a str,
    /// The message.
    pub queue_id: &'a QueueId,
    /// `warning`, `info`, `prepend`, `replace`, `strip`.
    pub decision: &'a str,
    /// `header` or `body`, then the line that matched.
    pub matched: &'a str,
    /// The rule's text; may be empty.
    pub text: &'a str,
}

impl Line for ContentDecided<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(out, "{}: {}: {}", self.queue_id, self.decision, self.matched);
        if !self.text.is_empty() {
            say!(out, ": {}", self.text);
        }
    }
}

/// What an attempt was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To deliver.
    Delivery,
    /// To see what a delivery would come to (`sendmail -bv`, address verification).
    Verification,
    /// The same where only good news is kept (`address_verify_negative_cache = no`).
    UncachedVerification,
}

/// `QUEUEID: to=<a@b>, orig_to=<c>, relay=local, delay=0.02, delays=0/0.01/0/0, dsn=2.0.0, status=sent (delivered to mailbox)`
#[derive(Debug)]
pub struct Delivery<'a> {
    /// Who delivered: `local`, `virtual`, `smtp`, `lmtp`, `pipe`, `error`, `discard`, `bounce`.
    pub agent: &'a str,
    /// The message.
    pub queue_id: &'a QueueId,
    /// The recipient without brackets.
    pub to: &'a str,
    /// The recipient as it arrived, shown when it differs.
    pub original_to: Option<&'a str>,
    /// How many messages went over the connection, shown from the second on.
    pub connection_uses: u32,
    /// How long it took.
    pub delays: Delays,
    /// What became of it.
    pub outcome: &'a Outcome,
    /// What the attempt was for.
    pub purpose: Purpose,
    /// `soft_bounce`: what was given up stays in the queue.
    pub is_soft: bool,
}

impl Line for Delivery<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(out, "{}: to=<{}>, ", self.queue_id, self.to);
        if let Some(original) = self.original_to.filter(|original| *original != self.to) {
            say!(out, "orig_to=<{original}>, ");
        }
        let relay = if self.outcome.relay.is_empty() {
            "none"
        } else {
            &self.outcome.relay
        };
        say!(out, "relay={relay}, ");
        if self.connection_uses > 1 {
            say!(out, "conn_use={}, ", self.connection_uses);
        }
        let status = match self.outcome.result {
            DeliveryResult::Sent | DeliveryResult::Relayed | DeliveryResult::Expanded
                if self.purpose != Purpose::Delivery =>
            {
                "deliverable"
            }
            _ if self.purpose == Purpose::Verification => "undeliverable",
            _ if self.purpose == Purpose::UncachedVerification => "undeliverable-but-not-cached",
            DeliveryResult::Sent | DeliveryResult::Relayed | DeliveryResult::Expanded => "sent",
            DeliveryResult::Deferred => "deferred",
            DeliveryResult::Bounced | DeliveryResult::Returned if self.is_soft => "SOFTBOUNCE",
            DeliveryResult::Bounced | DeliveryResult::Returned => "bounced",
        };
        let code = match status {
            "SOFTBOUNCE" => StatusCode::temporary(self.outcome.status.subject, self.outcome.status.detail),
            _ => self.outcome.status,
        };
        let (delay, delays) = (Seconds(self.delays.total_micros()), self.delays);
        say!(
            out,
            "delay={delay}, delays={delays}, dsn={code}, status={status} ({})",
            self.outcome.text
        );
    }
}

/// `ID: passing <user@example.com> to transport=local` (`best_mx_transport`)
#[derive(Debug)]
pub struct PassedOn<'a> {
    /// `smtp`
    pub agent: &'a str,
    /// Which message.
    pub queue_id: &'a QueueId,
    /// Whom it is for.
    pub to: &'a str,
    /// The other transport.
    pub transport: &'a str,
}

impl Line for PassedOn<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "{}: passing <{}> to transport={}",
            self.queue_id,
            self.to,
            self.transport
        );
    }
}

/// `connect to 192.0.2.1[192.0.2.1]:25: Connection refused`: said once for each host that could not be reached.
#[derive(Debug)]
pub struct ConnectFailed<'a> {
    /// `smtp` or `lmtp`.
    pub agent: &'a str,
    /// `name[address]:port`
    pub relay: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl Line for ConnectFailed<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(out, "connect to {}: {}", self.relay, self.reason);
    }
}

/// `QUEUEID: enabling PIX workarounds: disable_esmtp delay_dotcrlf for mx.example.com[192.0.2.1]:25`
#[derive(Debug)]
pub struct PixWorkarounds<'a> {
    /// `smtp` or `lmtp`.
    pub agent: &'a str,
    /// The message that the connection was made for.
    pub queue_id: &'a str,
    /// The workarounds as main.cf names them.
    pub words: &'a str,
    /// `name[address]:port`
    pub relay: &'a str,
}

impl Line for PixWorkarounds<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        let (queue_id, words, relay) = (self.queue_id, self.words, self.relay);
        say!(out, "{queue_id}: enabling PIX workarounds: {words} for {relay}");
    }
}

/// `Untrusted TLS connection established to host[192.0.2.1]:25: TLSv1.3 with cipher …` (`smtp_tls_loglevel` ≥ 1)
#[derive(Debug)]
pub struct TlsEstablished<'a> {
    /// `smtp` or `lmtp`.
    pub agent: &'a str,
    /// `name[address]:port`
    pub relay: &'a str,
    /// What the certificate is worth: `Untrusted`, `Trusted`, `Verified`.
    pub trust: &'a str,
    /// The session, as crate `tls` describes it.
    pub session: &'a str,
}

impl Line for TlsEstablished<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(
            out,
            "{} TLS connection established to {}: {}",
            self.trust,
            self.relay,
            self.session
        );
    }
}

/// `SSL_connect error to host[192.0.2.1]:25: Connection reset by peer` (`smtp_tls_loglevel` ≥ 1)
#[derive(Debug)]
pub struct HandshakeFailed<'a> {
    /// `smtp` or `lmtp`.
    pub agent: &'a str,
    /// `name[address]:port`
    pub relay: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl Line for HandshakeFailed<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(out, "SSL_connect error to {}: {}", self.relay, self.reason);
    }
}

/// `Host offered STARTTLS: [mx.example.com]` (`smtp_tls_note_starttls_offer`)
#[derive(Debug)]
pub struct OfferNoted<'a> {
    /// `smtp` or `lmtp`.
    pub agent: &'a str,
    /// Its name.
    pub host: &'a str,
}

impl Line for OfferNoted<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta(self.agent)
    }
    fn text(&self, out: &mut String) {
        say!(out, "Host offered STARTTLS: [{}]", self.host);
    }
}
