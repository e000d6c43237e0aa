//! What a client machine is told: the peer, the policy, the times, the message.

use address::Address;
use envelope::{BodyKind, Notify, Ret};
use machine::{SECOND, Stamp};

/// One connection as its machine sees it.
#[derive(Debug, Clone)]
pub struct Config {
    /// SMTP or LMTP.
    pub protocol: super::Protocol,
    /// `smtp_helo_name`
    pub helo_name: String,
    /// The peer as texts name it: `mx.example.com[192.0.2.1]`.
    pub peer: String,
    /// The peer as the log's `relay=` names it: `mx.example.com[192.0.2.1]:25`.
    pub relay: String,
    /// `smtp_tls_security_level`
    pub tls: TlsPolicy,
    /// The connection is encrypted from its start (`smtp_tls_wrappermode`).
    pub tls_active: bool,
    /// The caller has a login for this host, and gives it where the peer offers AUTH.
    pub logs_in: bool,
    /// `smtp_sasl_auth_soft_bounce`: a refused login is our own fault, not the sender's.
    pub login_soft_bounce: bool,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// `smtp_line_length_limit`: longer lines of the content are folded; 0 is never.
    pub line_octets_max: usize,
    /// `disable_mime_output_conversion` is its opposite: parts labelled 8bit are encoded for a peer without 8BITMIME.
    pub downgrade: bool,
    /// `smtp_skip_5xx_greeting`: a greeting that refuses for good says nothing about the mail, only about this host.
    pub skip_5xx_greeting: bool,
    /// `smtp_skip_quit_response`: nobody waits for the reply to QUIT.
    pub skip_quit_response: bool,
    /// `smtp_always_send_ehlo`, `smtp_never_send_ehlo`
    pub hello: Hello,
    /// `smtp_discard_ehlo_keywords`: what the peer announces of these is not heard. In capitals.
    pub discarded_keywords: Vec<String>,
    /// `smtp_send_dummy_mail_auth`: `AUTH=<>` is added to MAIL where AUTH is offered.
    pub dummy_mail_auth: bool,
    /// `smtp_min_data_rate` where `smtp_per_request_deadline` is set: the content as a whole may take
    /// [`Timeouts::data_xfer`], and a second more for each so many octets.
    pub data_octets_per_second_min: Option<u64>,
    /// Whether a [`Transcript`](crate::Transcript) of the session is kept.
    pub keeps_transcript: bool,
    /// `smtp_send_xforward_command`: a peer that offers XFORWARD is told of the client behind us.
    pub xforward: bool,
    /// `smtp_address_verify_target = data`: what the peer answers to DATA counts for a probe.
    pub probes_to_data: bool,
    /// What is done where the greeting looks like one that a Cisco PIX firewall has changed.
    pub pix: Pix,
}

/// `smtp_pix_workarounds`: what helps against firewalls of old that take SMTP apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pix {
    /// `disable_esmtp`: the peer is greeted with HELO.
    pub disables_esmtp: bool,
    /// `delay_dotcrlf`: the end mark goes in a packet of its own, so much later. Only of messages that are old enough.
    pub delay: Option<Stamp>,
}

impl Pix {
    /// The workarounds as main.cf names them.
    pub fn words(&self) -> String {
        let words = [
            self.disables_esmtp.then_some("disable_esmtp"),
            self.delay.and(Some("delay_dotcrlf")),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// How a peer is greeted over SMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hello {
    /// With EHLO; with HELO where that is refused.
    Ehlo,
    /// With EHLO where its greeting speaks of ESMTP, else with HELO.
    AsGreeted,
    /// With HELO.
    Helo,
}

/// `smtp_tls_security_level`, as far as the conversation knows it. Who the peer is, is checked by the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Never.
    None,
    /// When it is offered.
    May,
    /// Or not at all.
    Encrypt,
}

/// Times in microseconds, under Postfix's names.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Timeouts {
    /// `smtp_helo_timeout`, for the greeting, HELO, EHLO and AUTH.
    pub helo: Stamp,
    pub starttls: Stamp,
    pub xforward: Stamp,
    pub mail: Stamp,
    pub rcpt: Stamp,
    pub data_init: Stamp,
    pub data_xfer: Stamp,
    pub data_done: Stamp,
    pub rset: Stamp,
    pub quit: Stamp,
}

impl Default for Timeouts {
    /// Postfix's defaults.
    fn default() -> Timeouts {
        Timeouts {
            helo: 300 * SECOND,
            starttls: 300 * SECOND,
            xforward: 300 * SECOND,
            mail: 300 * SECOND,
            rcpt: 300 * SECOND,
            data_init: 120 * SECOND,
            data_xfer: 180 * SECOND,
            data_done: 600 * SECOND,
            rset: 20 * SECOND,
            quit: 300 * SECOND,
        }
    }
}

impl Config {
    /// Postfix's defaults, for a peer named like this in texts and in the log.
    pub fn new(helo_name: &str, peer: &str, relay: &str) -> Config {
        Config {
            protocol: super::Protocol::Smtp,
            helo_name: helo_name.to_owned(),
            peer: peer.to_owned(),
            relay: relay.to_owned(),
            tls: TlsPolicy::None,
            tls_active: false,
            logs_in: false,
            login_soft_bounce: true,
            timeouts: Timeouts::default(),
            line_octets_max: 998,
            downgrade: true,
            skip_5xx_greeting: true,
            skip_quit_response: true,
            hello: Hello::Ehlo,
            discarded_keywords: Vec::new(),
            dummy_mail_auth: false,
            data_octets_per_second_min: None,
            xforward: false,
            probes_to_data: false,
            pix: Pix::default(),
            keeps_transcript: false,
        }
    }
}

/// What is to be delivered, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `None` is `<>`.
    pub sender: Option<Address>,
    /// In the order of the outcomes.
    pub recipients: Vec<Recipient>,
    /// How long the content is with CRLF line ends, in octets, if that is known (RFC 1870 §5).
    pub octets: Option<u64>,
    /// BODY=
    pub body: BodyKind,
    /// SMTPUTF8 was asked for.
    pub smtputf8: bool,
    /// Its headers have octets that are not ASCII.
    pub has_eight_bit_header: bool,
    /// RET=
    pub ret: Option<Ret>,
    /// ENVID=
    pub envid: Option<String>,
    /// Nothing is sent: the peer's answers to RCPT, or to DATA ([`Config::probes_to_data`]), are the outcomes.
    pub is_probe: bool,
    /// Whom the message came from, for XFORWARD.
    pub client: Option<Box<ForwardedClient>>,
}

/// The client that gave us a message, as XFORWARD tells of it; what is empty is not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardedClient {
    /// Its verified name, if it has one.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its port.
    pub port: String,
    /// `SMTP`, `ESMTP` …
    pub protocol: String,
    /// What it called itself.
    pub helo: String,
    /// The queue id.
    pub ident: String,
    /// Whether its mail is completed as that of this host's own users.
    pub is_local: bool,
}

/// One recipient of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where it goes.
    pub address: Address,
    /// NOTIFY=
    pub notify: Option<Notify>,
    /// ORCPT= as `type;address`.
    pub orcpt: Option<String>,
}
