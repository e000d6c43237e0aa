//! What a server machine is told about the service it speaks for.

use std::sync::Arc;

use machine::{SECOND, Stamp};

/// One service as its machines see it. Shared by all its sessions; everything here comes from parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which greeting verbs and reply rules apply.
    pub protocol: Protocol,
    /// In whose words it answers.
    pub words: Words,
    /// `myhostname`: in the EHLO reply and in errors.
    pub hostname: String,
    /// `smtpd_banner`, expanded: what follows `220 `.
    pub banner: String,
    /// Sizes, counts and times.
    pub limits: Limits,
    /// `smtpd_forbid_bare_newline` as it applies to this client (the caller has looked at the exclusions).
    pub bare_newline: BareNewline,
    /// `smtpd_forbid_bare_newline_reject_code`
    pub bare_newline_reject_code: u16,
    /// `cleanup_replace_stray_cr_lf`: a CR inside a line becomes a space.
    pub replace_stray_cr: bool,
    /// The caller hears of commands that nobody knows ([`Event::Unknown`](super::Event::Unknown)).
    pub tells_unknown: bool,
    /// `smtpd_helo_required`
    pub helo_required: bool,
    /// `smtpd_tls_security_level`, `smtpd_tls_wrappermode`
    pub tls: Tls,
    /// `smtpd_sasl_*`
    pub auth: Auth,
    /// `disable_vrfy_command` is its opposite.
    pub vrfy: bool,
    /// `soft_bounce`: what is refused for good is refused for now, in all replies.
    pub soft_bounce: bool,
    /// `strict_rfc821_envelopes`: addresses need their brackets.
    pub strict_envelopes: bool,
    /// `allow_min_user`: addresses may begin with a minus sign.
    pub allow_leading_minus: bool,
    /// `smtpd_discard_ehlo_keywords`, in capitals.
    pub discard_ehlo_keywords: Vec<String>,
    /// `smtpd_forbidden_commands` by plain name, in capitals. What cannot be a verb at all is always forbidden.
    pub forbidden_commands: Vec<String>,
    /// `smtpd_noop_commands`, in capitals.
    pub noop_commands: Vec<String>,
    /// `smtpd_command_filter`
    pub command_filter: Option<CommandFilter>,
    /// This client may use XFORWARD (`smtpd_authorized_xforward_hosts`).
    pub xforward: bool,
    /// This client may use XCLIENT (`smtpd_authorized_xclient_hosts`).
    pub xclient: bool,
    /// `smtpd_forbid_unauth_pipelining`: a client that does not wait where it must is sent away.
    pub forbids_pipelining: bool,
    /// Whether a [`Transcript`](crate::Transcript) of each session is kept, and `smtpd_history_flush_threshold`: of how many
    /// lines more than EHLO, RSET or the end of a message begins a new one.
    pub transcript_lines: Option<usize>,
}

/// What a command is replaced by before it is read (`smtpd_command_filter`).
#[derive(Clone)]
pub struct CommandFilter(pub Arc<Filtering>);

/// The line that stands in the place of this one; `None`: it stays; an error: nobody can tell now.
pub type Filtering = dyn Fn(&str) -> Result<Option<String>, ()> + Send + Sync;

impl std::fmt::Debug for CommandFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommandFilter")
    }
}

impl PartialEq for CommandFilter {
    fn eq(&self, other: &CommandFilter) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CommandFilter {}

/// SMTP or LMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 5321 and submission: HELO, EHLO; one reply to a message.
    Smtp,
    /// RFC 2033: LHLO; one reply for each accepted recipient.
    Lmtp,
}

/// In whose words replies are, where both say the same; and which rules both do not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Postfix's smtpd.
    Postfix,
    /// Dovecot's lmtp: a greeting is not asked for, and neither DSN nor SMTPUTF8 is announced.
    Dovecot,
}

/// STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not offered.
    None,
    /// `may`: offered.
    Offered,
    /// `encrypt`: most commands wait for it.
    Required,
    /// The connection is encrypted from its start (`smtpd_tls_wrappermode`).
    Active,
}

/// AUTH.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// Mechanisms on an encrypted connection, in capitals, in the order in which they are announced.
    pub mechanisms_with_tls: Vec<String>,
    /// Mechanisms without encryption. Empty while the other list is not: `smtpd_tls_auth_only`.
    pub mechanisms_without_tls: Vec<String>,
    /// `broken_sasl_auth_clients`: `AUTH=` is announced too.
    pub broken_clients: bool,
}

/// `smtpd_forbid_bare_newline` (postconf(5) of Postfix 3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareNewline {
    /// LF ends a line, and `.` between such lines ends a message.
    Allow,
    /// `yes` and `normalize`: LF ends a line, only CRLF.CRLF ends a message.
    Normalize,
    /// The same, and an [`Event::Note`](super::Event::Note) says so.
    Note,
    /// A message with one is refused; a command with one ends the session.
    Reject,
}

/// The limits of one session. A zero in a count of errors, commands or recipients is a limit of zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `line_length_limit`: the longest command, in octets.
    pub line_octets_max: usize,
    /// `message_size_limit`: the longest message, in octets; 0 is none.
    pub message_octets_max: u64,
    /// `smtpd_recipient_limit`: accepted recipients of one message.
    pub recipients_max: usize,
    /// `smtpd_recipient_overshoot_limit`: recipients over the limit before each counts as an error.
    pub recipients_overshoot_max: usize,
    /// `smtpd_soft_error_limit`: errors after which replies are delayed.
    pub soft_errors_max: usize,
    /// `smtpd_hard_error_limit`: errors after which the session ends.
    pub hard_errors_max: usize,
    /// `smtpd_junk_command_limit`: NOOP, RSET … after which each counts as an error.
    pub junk_commands_max: usize,
    /// `smtpd_error_sleep_time`, in microseconds.
    pub error_delay: Stamp,
    /// `smtpd_timeout`, in microseconds: for the next bytes of the client.
    pub timeout: Stamp,
}

impl Default for Limits {
    /// Postfix's defaults.
    fn default() -> Limits {
        Limits {
            line_octets_max: 2048,
            message_octets_max: 10_240_000,
            recipients_max: 1000,
            recipients_overshoot_max: 1000,
            soft_errors_max: 10,
            hard_errors_max: 20,
            junk_commands_max: 100,
            error_delay: SECOND,
            timeout: 300 * SECOND,
        }
    }
}

impl Config {
    /// Postfix's defaults for a host of this name.
    pub fn new(hostname: &str) -> Config {
        Config {
            protocol: Protocol::Smtp,
            words: Words::Postfix,
            hostname: hostname.to_owned(),
            banner: format!("{hostname} ESMTP Postfix"),
            limits: Limits::default(),
            bare_newline: BareNewline::Normalize,
            bare_newline_reject_code: 550,
            replace_stray_cr: true,
            tells_unknown: false,
            helo_required: false,
            tls: Tls::None,
            auth: Auth::default(),
            vrfy: true,
            soft_bounce: false,
            strict_envelopes: false,
            allow_leading_minus: false,
            discard_ehlo_keywords: Vec::new(),
            forbidden_commands: ["CONNECT", "GET", "POST"].map(str::to_owned).to_vec(),
            noop_commands: Vec::new(),
            xforward: false,
            xclient: false,
            command_filter: None,
            forbids_pipelining: false,
            transcript_lines: None,
        }
    }
}
