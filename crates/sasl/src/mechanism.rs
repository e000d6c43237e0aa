//! The server side of the mechanisms: responses in, challenges and at last credentials out. Which mechanisms there are,
//! and what each of them gives away.

use crate::cram_md5::CramMd5;
use crate::external::{Anonymous, External};
use crate::plain::{Login, Plain};
use crate::scram::{Hash, ScramServer};
use crate::{Password, RESPONSE_BYTES_MAX};

/// What a client wants to be known as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it wants to act as; empty for the same as `user`.
    pub authzid: String,
    /// Whose password it is.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// Who a client has shown to be, without that its password was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it wants to act as; empty for the same as `user`.
    pub authzid: String,
    /// Whose credentials it has.
    pub user: String,
}

/// What follows a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this (before base64) and wait for the next response.
    Challenge(Vec<u8>),
    /// The dialogue is over: verify these.
    Verify(Credentials),
    /// Look up the stored password of this user and go on with [`Mechanism::give`]. Forms that serve are
    /// [`Mechanism::schemes`].
    Lookup(Identity),
    /// The dialogue is over: the client has shown that it knows the password.
    Proved(Identity),
    /// The dialogue is over: the client does not know the password, or there is no such user. Which of the two, who
    /// called [`Mechanism::give`] knows.
    Refused(Identity),
    /// The dialogue is over: somebody who does not say who it is; what it says instead, for the log.
    Anonymous(String),
    /// The response makes no sense; the text is for the log.
    Malformed(&'static str),
}

/// What a user database has for a mechanism that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored<'a> {
    /// The user's stored password with its `{SCHEME}`, one of those that were asked for.
    Known(&'a str),
    /// There is no such user, or nothing that serves. The dialogue goes on to its end as if there were, and fails. With
    /// another user's stored password it costs and looks the same as for a known user.
    Unknown(Option<&'a str>),
}

/// A mechanism in the middle of its dialogue.
pub trait Mechanism: Send {
    /// Its name in capitals.
    fn name(&self) -> &'static str;

    /// Begins, with the initial response if the client sent one.
    fn start(&mut self, initial: Option<&[u8]>) -> Step;

    /// Takes the next response.
    fn step(&mut self, response: &[u8]) -> Step;

    /// Takes what [`Step::Lookup`] asked for. It may hash for some milliseconds.
    fn give(&mut self, stored: Stored<'_>) -> Step {
        let _ = stored;
        Step::Malformed("nothing was asked for")
    }

    /// The schemes of stored passwords that serve, best first; none where nothing is looked up. Every scheme that keeps
    /// the password itself serves too.
    fn schemes(&self) -> &'static [&'static str] {
        &[]
    }
}

/// What a mechanism needs to know about where it runs.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The name of this host (CRAM-MD5 shows it).
    pub hostname: String,
    /// Seconds since 1970 (CRAM-MD5 shows them).
    pub now_secs: i64,
    /// Fresh random bytes, for nonces.
    pub random: [u8; 24],
    /// A secret of this installation or process, the same in every dialogue: from it come the salts of users who are not
    /// there.
    pub secret: [u8; 32],
    /// Channel binding data of the connection by type (`tls-exporter`, RFC 9266), where -PLUS is offered.
    pub bindings: Vec<(String, Vec<u8>)>,
    /// The user name in the client's verified certificate.
    pub certificate_user: Option<String>,
}

/// What a mechanism gives away or gives, in the words of `smtpd_sasl_security_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trait {
    /// `plaintext`: the password travels as it is.
    Plaintext,
    /// `dictionary`: who listens can try passwords.
    Dictionary,
    /// `active`: who sits between can use what passes.
    Active,
    /// `anonymous`: nobody says who they are.
    Anonymous,
    /// `mutual-auth`: the server shows that it knows the password, too.
    Mutual,
    /// `forward-secrecy`
    ForwardSecrecy,
    /// `private`: it is not told to clients.
    Private,
}

impl Trait {
    /// All of them.
    pub const ALL: [Trait; 7] = [
        Trait::Plaintext,
        Trait::Dictionary,
        Trait::Active,
        Trait::Anonymous,
        Trait::Mutual,
        Trait::ForwardSecrecy,
        Trait::Private,
    ];

    /// Its word in Dovecot's auth protocol.
    pub fn word(self) -> &'static str {
        match self {
            Trait::Plaintext => "plaintext",
            Trait::Dictionary => "dictionary",
            Trait::Active => "active",
            Trait::Anonymous => "anonymous",
            Trait::Mutual => "mutual-auth",
            Trait::ForwardSecrecy => "forward-secrecy",
            Trait::Private => "private",
        }
    }
}

/// The mechanisms that Yubin has, best first.
pub const NAMES: [&str; 9] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "EXTERNAL",
    "ANONYMOUS",
];

/// Mechanisms that Dovecot has, or had, and Yubin has not.
pub const NOT_THERE: [&str; 11] = [
    "DIGEST-MD5",
    "GSSAPI",
    "GSS-SPNEGO",
    "NTLM",
    "OAUTHBEARER",
    "XOAUTH2",
    "OTP",
    "SKEY",
    "RPA",
    "APOP",
    "DOVECOT-TOKEN",
];

/// The name in capitals, if Yubin has the mechanism.
pub fn known(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// What the mechanism of that name gives away or gives; nothing for one that Yubin does not have.
pub fn traits(name: &str) -> &'static [Trait] {
    match known(name) {
        Some("PLAIN" | "LOGIN") => &[Trait::Plaintext],
        Some("CRAM-MD5") => &[Trait::Dictionary, Trait::Active],
        Some("ANONYMOUS") => &[Trait::Anonymous],
        Some("EXTERNAL") | None => &[],
        Some(_) => &[Trait::Mutual],
    }
}

/// Whether the connection has what the mechanism needs: channel binding data for -PLUS, a certificate for EXTERNAL.
pub fn is_possible(name: &str, context: &Context) -> bool {
    match known(name) {
        Some("EXTERNAL") => context.certificate_user.is_some(),
        Some(name) => !name.ends_with("-PLUS") || !context.bindings.is_empty(),
        None => false,
    }
}

/// The mechanism of that name, in any case; `None` for one that Yubin does not have, and where it is not possible (see
/// [`is_possible`]).
pub fn server(name: &str, context: Context) -> Option<Box<dyn Mechanism>> {
    if !is_possible(name, &context) {
        return None;
    }
    Some(match known(name)? {
        "PLAIN" => Box::new(Plain),
        "LOGIN" => Box::new(Login::default()),
        "CRAM-MD5" => Box::new(CramMd5::new(&context)),
        "EXTERNAL" => Box::new(External::new(context.certificate_user?)),
        "ANONYMOUS" => Box::new(Anonymous),
        "SCRAM-SHA-1" | "SCRAM-SHA-1-PLUS" => Box::new(ScramServer::new(known(name)?, Hash::Sha1, context)),
        _ => Box::new(ScramServer::new(known(name)?, Hash::Sha256, context)),
    })
}

/// The text of a response or a part of it: UTF-8 without NUL.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

/// The complaint about a response that is too long.
pub(crate) fn too_long(response: &[u8]) -> Option<Step> {
    (response.len() > RESPONSE_BYTES_MAX).then_some(Step::Malformed("response too long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context() -> Context {
        Context {
            bindings: vec![("tls-exporter".to_owned(), b"abc".to_vec())],
            certificate_user: Some("alice".to_owned()),
            ..Context::default()
        }
    }

    #[test]
    fn what_the_connection_lacks_is_not_offered() {
        let bare = Context::default();
        for (name, with, without) in [
            ("plain", true, true),
            ("Scram-Sha-256", true, true),
            ("SCRAM-SHA-256-PLUS", true, false),
            ("EXTERNAL", true, false),
            ("GSSAPI", false, false),
        ] {
            assert_eq!(server(name, context()).is_some(), with, "{name}");
            assert_eq!(server(name, bare.clone()).is_some(), without, "{name}");
        }
        for name in NOT_THERE {
            assert!(known(name).is_none(), "{name}");
        }
    }

    #[test]
    fn every_mechanism_knows_its_name_and_what_it_gives_away() {
        for name in NAMES {
            assert_eq!(server(name, context()).unwrap().name(), name);
        }
        assert_eq!(traits("login"), [Trait::Plaintext]);
        assert_eq!(traits("SCRAM-SHA-1-PLUS"), [Trait::Mutual]);
        assert_eq!(traits("EXTERNAL"), []);
    }

    proptest! {
        #[test]
        fn never_panics(responses in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "(n|y|p=tls-exporter),(a=[a-z]{1,2})?,n=[a-z]{1,2},r=[a-z]{0,3}(,x=y)?".prop_map(String::into_bytes),
                "c=[a-zA-Z=]{0,6},r=[a-zA-Z+/=]{0,40},p=[a-zA-Z=]{0,30}".prop_map(String::into_bytes),
            ], 0..5)) {
            for name in NAMES {
                let mut mechanism = server(name, context()).unwrap();
                mechanism.start(None);
                for response in &responses {
                    if let Step::Lookup(_) = mechanism.step(response) {
                        mechanism.give(Stored::Unknown(None));
                    }
                }
            }
        }
    }
}
