//! The client side of the mechanisms.

use crate::mechanism::{self, Context, Stored};
use crate::scram::{Hash, ScramClient};
use crate::{Credentials, Step, cram_md5};

/// A mechanism as its client.
#[derive(Debug, Clone)]
pub struct Client {
    kind: Kind,
    credentials: Credentials,
    step: u8,
}

#[derive(Debug, Clone)]
enum Kind {
    Scram(ScramClient),
    Plain,
    Login,
    CramMd5,
    /// The password is a token of OAuth 2.0; Google's and Microsoft's way, before RFC 7628.
    XOAuth2,
}

/// What a client knows about where it speaks.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Fresh random bytes.
    pub random: [u8; 18],
    /// Channel binding data of the connection, by type, best first; none outside TLS.
    pub bindings: Vec<(String, Vec<u8>)>,
    /// Whether the password may be sent as it is (PLAIN, LOGIN): not with `noplaintext`.
    pub allows_plaintext: bool,
}

/// The mechanisms that a client uses, best first. CRAM-MD5 is the worst of those that hide the password, and better than
/// none where the connection is not private.
const CLIENT: [&str; 8] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "CRAM-MD5",
    "PLAIN",
    "LOGIN",
    "XOAUTH2",
];

impl Client {
    /// The best mechanism that both sides have. `offered` are the words of the server's AUTH capability;
    /// `None` when there is none in common.
    pub fn choose<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        credentials: Credentials,
        surroundings: &Surroundings,
    ) -> Option<Client> {
        let offered: Vec<&str> = offered.into_iter().collect();
        let offers = |name: &str| offered.iter().any(|word| word.eq_ignore_ascii_case(name));
        let is_possible = |name: &str| {
            (surroundings.allows_plaintext || !matches!(name, "PLAIN" | "LOGIN"))
                && (!name.ends_with("-PLUS") || !surroundings.bindings.is_empty())
        };
        let name = CLIENT
            .into_iter()
            .find(|name| offers(name) && is_possible(name))?;
        let scram = |hash, name: &str| {
            let (bindings, random) = (&surroundings.bindings, &surroundings.random);
            Kind::Scram(ScramClient::new(hash, name.ends_with("-PLUS"), bindings, random))
        };
        let kind = match name {
            "PLAIN" => Kind::Plain,
            "LOGIN" => Kind::Login,
            "CRAM-MD5" => Kind::CramMd5,
            "XOAUTH2" => Kind::XOAuth2,
            name if name.starts_with("SCRAM-SHA-256") => scram(Hash::Sha256, name),
            name => scram(Hash::Sha1, name),
        };
        Some(Client {
            kind,
            credentials,
            step: 0,
        })
    }

    /// The mechanism's name.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Plain => "PLAIN",
            Kind::Login => "LOGIN",
            Kind::CramMd5 => "CRAM-MD5",
            Kind::XOAuth2 => "XOAUTH2",
            Kind::Scram(scram) => match (scram.hash, scram.is_plus()) {
                (Hash::Sha256, true) => "SCRAM-SHA-256-PLUS",
                (Hash::Sha256, false) => "SCRAM-SHA-256",
                (Hash::Sha1, true) => "SCRAM-SHA-1-PLUS",
                (Hash::Sha1, false) => "SCRAM-SHA-1",
            },
        }
    }

    /// The response to send along with AUTH, before base64.
    pub fn initial(&mut self) -> Option<Vec<u8>> {
        match &mut self.kind {
            Kind::Plain => {
                self.step = 1;
                Some(self.plain())
            }
            Kind::Scram(scram) => Some(scram.hello(&self.credentials)),
            Kind::XOAuth2 => {
                self.step = 1;
                Some(self.bearer())
            }
            Kind::Login | Kind::CramMd5 => None,
        }
    }

    /// The response to a challenge, before base64; `None` when there is nothing left to say: cancel with `*`.
    pub fn answer(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        let step = self.step;
        self.step += 1;
        let Credentials { user, password, .. } = &self.credentials;
        match (&mut self.kind, step) {
            (Kind::Scram(scram), _) => {
                self.step = 0;
                scram.answer(&self.credentials, challenge)
            }
            (Kind::Plain, 0) => Some(self.plain()),
            (Kind::XOAuth2, 0) => Some(self.bearer()),
            // The server says why not, and hears an empty answer before it refuses.
            (Kind::XOAuth2, 1) => Some(Vec::new()),
            (Kind::Login, 0) => Some(user.clone().into_bytes()),
            (Kind::Login, 1) => Some(password.bytes().to_vec()),
            (Kind::CramMd5, 0) => Some(cram_md5::answer(user, password.bytes(), challenge)),
            _ => {
                self.step = u8::MAX - 1;
                None
            }
        }
    }

    /// Whether the server's success may be believed: with SCRAM the server must have shown that it knows the password.
    /// `last` is what came along with the success, where the protocol has room for it.
    pub fn is_satisfied(&mut self, last: Option<&[u8]>) -> bool {
        match &mut self.kind {
            Kind::Scram(scram) => {
                if let Some(last) = last {
                    scram.answer(&self.credentials, last);
                }
                scram.is_satisfied()
            }
            _ => true,
        }
    }

    fn bearer(&self) -> Vec<u8> {
        let Credentials { user, password, .. } = &self.credentials;
        let (user, token) = (user.as_bytes(), password.bytes());
        [b"user=", user, b"\x01auth=Bearer ", token, b"\x01\x01"].concat()
    }

    fn plain(&self) -> Vec<u8> {
        let Credentials {
            authzid,
            user,
            password,
        } = &self.credentials;
        [authzid.as_bytes(), user.as_bytes(), password.bytes()].join(&0)
    }
}

/// What the server of [`converse`] was left with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These are to be verified.
    Verify(Credentials),
    /// This user knows its password, or does not.
    Shown(String, bool),
}

/// Runs a dialogue between the two sides, for tests of other crates too. `stored` is what the server's database has.
pub fn converse(
    client: &mut Client,
    with_initial: bool,
    context: Context,
    stored: Stored<'_>,
) -> Option<Outcome> {
    let mut server = mechanism::server(client.name(), context)?;
    let initial = if with_initial { client.initial() } else { None };
    let mut step = server.start(initial.as_deref());
    loop {
        match step {
            Step::Challenge(challenge) => step = server.step(&client.answer(&challenge)?),
            Step::Lookup(_) => step = server.give(stored),
            Step::Verify(credentials) => return Some(Outcome::Verify(credentials)),
            Step::Proved(identity) => return Some(Outcome::Shown(identity.user, client.is_satisfied(None))),
            Step::Refused(identity) => return Some(Outcome::Shown(identity.user, false)),
            Step::Malformed(_) | Step::Anonymous(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Password;

    fn credentials() -> Credentials {
        Credentials {
            authzid: String::new(),
            user: "alice".to_owned(),
            password: Password::new("secret"),
        }
    }

    fn surroundings() -> Surroundings {
        Surroundings {
            allows_plaintext: true,
            ..Surroundings::default()
        }
    }

    #[test]
    fn both_sides_understand_each_other() {
        let bound = Surroundings {
            bindings: vec![("tls-exporter".to_owned(), b"x".to_vec())],
            ..surroundings()
        };
        let verify = Outcome::Verify(credentials());
        let shown = Outcome::Shown("alice".to_owned(), true);
        for (offered, surroundings, name, wanted) in [
            (vec!["LOGIN", "PLAIN"], surroundings(), "PLAIN", &verify),
            (vec!["login"], surroundings(), "LOGIN", &verify),
            (vec!["CRAM-MD5", "PLAIN"], surroundings(), "CRAM-MD5", &shown),
            (
                vec!["SCRAM-SHA-1", "CRAM-MD5"],
                Surroundings::default(),
                "SCRAM-SHA-1",
                &shown,
            ),
            (
                vec!["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256"],
                surroundings(),
                "SCRAM-SHA-256",
                &shown,
            ),
            (
                vec!["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256"],
                bound,
                "SCRAM-SHA-1-PLUS",
                &shown,
            ),
        ] {
            for with_initial in [true, false] {
                let mut client =
                    Client::choose(offered.iter().copied(), credentials(), &surroundings).unwrap();
                assert_eq!(client.name(), name);
                let context = Context {
                    bindings: if name.ends_with("-PLUS") {
                        surroundings.bindings.clone()
                    } else {
                        Vec::new()
                    },
                    ..Context::default()
                };
                let stored = Stored::Known("{PLAIN}secret");
                assert_eq!(
                    converse(&mut client, with_initial, context, stored).as_ref(),
                    Some(wanted),
                    "{name}"
                );
                assert_eq!(client.answer(b"more?"), None);
            }
        }
        assert!(Client::choose(["GSSAPI"], credentials(), &surroundings()).is_none());
        assert!(Client::choose(["PLAIN"], credentials(), &Surroundings::default()).is_none());
    }

    #[test]
    fn tokens_are_sent_as_google_and_microsoft_want_them() {
        let mut client = Client::choose(["XOAUTH2"], credentials(), &Surroundings::default()).unwrap();
        assert_eq!(
            client.initial().unwrap(),
            b"user=alice\x01auth=Bearer secret\x01\x01"
        );
        assert_eq!(client.answer(b"{\"status\":\"400\"}"), Some(Vec::new()));
        assert_eq!(client.answer(b"again"), None);
        let both = Client::choose(["XOAUTH2", "PLAIN"], credentials(), &surroundings()).unwrap();
        assert_eq!(both.name(), "PLAIN");
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_not_believed() {
        let mut client = Client::choose(["SCRAM-SHA-256"], credentials(), &surroundings()).unwrap();
        client.initial();
        assert!(!client.is_satisfied(None));
        assert!(!client.is_satisfied(Some(b"v=AAAA")));
    }
}
