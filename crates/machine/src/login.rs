//! What the login phases of IMAP, POP3 and ManageSieve ask their caller, and what it answers: one vocabulary, so
//! that one host serves them all.

/// What a login phase is told when a connection arrives.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The text of the greeting (`login_greeting`): `Dovecot ready.`
    pub greeting: String,
    /// Where TLS stands.
    pub tls: Tls,
    /// Whether the connection is private already: TLS on connect, or a trusted network.
    pub secured: bool,
    /// Whether plain log-ins and plaintext mechanisms are refused while the connection is not private
    /// (`disable_plaintext_auth`).
    pub plaintext_needs_tls: bool,
    /// The SASL mechanisms offered, in capitals. `PLAIN` and `LOGIN` are those that send the password as it is; those that
    /// end in `-PLUS` need TLS; others are offered with or without it.
    pub mechanisms: Vec<String>,
}

/// What the caller must decide or do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Drain the output, make the TLS handshake, then answer [`Answer::TlsStarted`]. If the handshake fails,
    /// close.
    StartTls,
    /// A name and a password in clear: verify, then answer [`Answer::LoggedIn`] or a failure.
    PlainLogin {
        /// The name as the client wrote it.
        user: Vec<u8>,
        /// The password.
        password: Vec<u8>,
    },
    /// An offered SASL mechanism: answer [`Answer::Challenge`], [`Answer::LoggedIn`] or a failure.
    SaslStart {
        /// In capitals.
        mechanism: String,
        /// The initial response, when the client sent one (it may be empty).
        initial: Option<Vec<u8>>,
    },
    /// The client's response to the last challenge. Answered like [`Event::SaslStart`].
    SaslResponse(Vec<u8>),
    /// The client said who it is (IMAP's ID). Needs no answer.
    ClientId(Vec<(String, Option<String>)>),
    /// The conversation is over without a login. Needs no answer.
    Disconnected(Disconnect),
}

/// Where TLS stands on a connection in the login phase. A connection may be trusted without it (a client on the same
/// host), and TLS is offered to such a client all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// It is not to be had.
    Unavailable,
    /// STARTTLS or STLS begins it.
    Offered,
    /// It is on.
    On,
}

/// Why the login phase ended without a login, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    /// LOGOUT or QUIT.
    LoggedOut,
    /// The client closed the connection.
    ConnectionClosed,
    /// The client was silent too long.
    Inactivity,
    /// Too many commands that make no sense.
    TooManyBadCommands,
    /// The caller said so ([`Answer::Bye`]).
    Refused,
}

/// What the caller answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The TLS handshake is done; bytes fed from now on were encrypted.
    TlsStarted,
    /// The next SASL challenge, not yet in base64.
    Challenge(Vec<u8>),
    /// The client is who it says: the machine says so and is finished.
    LoggedIn,
    /// Wrong name or password.
    Failed,
    /// The account may not log in, and the client may read why.
    Refused(String),
    /// The password is right, or nobody looked; the account is closed to log-ins, for this reason.
    Closed(String),
    /// The account has as many sessions as it may have; the client may read this.
    TooMany(String),
    /// The password could not be verified now.
    TemporaryFailure,
    /// Send the client away with this text (shutdown, too many connections).
    Bye(String),
}
