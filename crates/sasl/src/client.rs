//! The client side of the mechanisms.

use crate::{Credentials, Step, mechanism};

/// A mechanism as its client.
#[derive(Debug, Clone)]
pub struct Client {
    kind: Kind,
    credentials: Credentials,
    step: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Login,
}

impl Client {
    /// The best mechanism that both sides have. `offered` are the words of the server's AUTH capability;
    /// `None` when there is none in common.
    pub fn choose<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        credentials: Credentials,
    ) -> Option<Client> {
        let offered: Vec<&str> = offered.into_iter().collect();
        let offers = |name: &str| offered.iter().any(|word| word.eq_ignore_ascii_case(name));
        let kind = match mechanism::NAMES.iter().find(|name| offers(name)) {
            Some(&"PLAIN") => Kind::Plain,
            Some(_) => Kind::Login,
            None => return None,
        };
        Some(Client {
            kind,
            credentials,
            step: 0,
        })
    }

    /// The mechanism's name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "PLAIN",
            Kind::Login => "LOGIN",
        }
    }

    /// The response to send along with AUTH, before base64.
    pub fn initial(&mut self) -> Option<Vec<u8>> {
        match self.kind {
            Kind::Plain => {
                self.step = 1;
                Some(self.plain())
            }
            Kind::Login => None,
        }
    }

    /// The response to a challenge, before base64; `None` when there is nothing left to say: cancel with `*`.
    pub fn answer(&mut self, _challenge: &[u8]) -> Option<Vec<u8>> {
        let step = self.step;
        self.step += 1;
        match (self.kind, step) {
            (Kind::Plain, 0) => Some(self.plain()),
            (Kind::Login, 0) => Some(self.credentials.user.clone().into_bytes()),
            (Kind::Login, 1) => Some(self.credentials.password.bytes().to_vec()),
            _ => {
                self.step = u8::MAX - 1;
                None
            }
        }
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

/// Runs a dialogue between the two sides, for tests of other crates too: what the server is left to verify.
pub fn converse(client: &mut Client, with_initial: bool) -> Option<Credentials> {
    let mut server = mechanism::server(client.name())?;
    let initial = if with_initial { client.initial() } else { None };
    let mut step = server.start(initial.as_deref());
    loop {
        match step {
            Step::Challenge(challenge) => step = server.step(&client.answer(&challenge)?),
            Step::Verify(credentials) => return Some(credentials),
            Step::Malformed(_) => return None,
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

    #[test]
    fn both_sides_understand_each_other() {
        for (offered, name) in [
            (vec!["CRAM-MD5", "LOGIN", "PLAIN"], "PLAIN"),
            (vec!["login"], "LOGIN"),
        ] {
            for with_initial in [true, false] {
                let mut client = Client::choose(offered.iter().copied(), credentials()).unwrap();
                assert_eq!(client.name(), name);
                assert_eq!(converse(&mut client, with_initial), Some(credentials()));
                assert_eq!(client.answer(b"more?"), None);
            }
        }
        assert!(Client::choose(["GSSAPI"], credentials()).is_none());
    }
}
