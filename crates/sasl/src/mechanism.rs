//! The server side of the mechanisms: responses in, challenges and at last credentials out.

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

/// What follows a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this (before base64) and wait for the next response.
    Challenge(Vec<u8>),
    /// The dialogue is over: verify these.
    Verify(Credentials),
    /// The response makes no sense; the text is for the log.
    Malformed(&'static str),
}

/// A mechanism in the middle of its dialogue.
pub trait Mechanism: Send {
    /// Its name in capitals.
    fn name(&self) -> &'static str;

    /// Begins, with the initial response if the client sent one.
    fn start(&mut self, initial: Option<&[u8]>) -> Step;

    /// Takes the next response.
    fn step(&mut self, response: &[u8]) -> Step;
}

/// The mechanisms that Yubin has, best first.
pub const NAMES: [&str; 2] = ["PLAIN", "LOGIN"];

/// The mechanism of that name, in any case; `None` for one that Yubin does not have.
pub fn server(name: &str) -> Option<Box<dyn Mechanism>> {
    if name.eq_ignore_ascii_case("PLAIN") {
        Some(Box::new(Plain))
    } else if name.eq_ignore_ascii_case("LOGIN") {
        Some(Box::new(Login { user: None }))
    } else {
        None
    }
}

/// RFC 4616: `authzid NUL user NUL password`.
#[derive(Debug)]
struct Plain;

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        initial.map_or(Step::Challenge(Vec::new()), |response| self.step(response))
    }

    fn step(&mut self, response: &[u8]) -> Step {
        if response.len() > RESPONSE_BYTES_MAX {
            return Step::Malformed("response too long");
        }
        let parts: Vec<&[u8]> = response.split(|byte| *byte == 0).collect();
        let [authzid, user, password] = parts[..] else {
            return Step::Malformed("invalid input: three parts wanted");
        };
        match (text(authzid), text(user)) {
            (Some(_), Some("")) => Step::Malformed("empty username"),
            (Some(authzid), Some(user)) => Step::Verify(Credentials {
                authzid: authzid.to_owned(),
                user: user.to_owned(),
                password: Password::new(password),
            }),
            _ => Step::Malformed("username is not UTF-8"),
        }
    }
}

/// The old LOGIN: asks for the name, then for the password.
#[derive(Debug)]
struct Login {
    user: Option<String>,
}

impl Mechanism for Login {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        // Some clients send the user name as the initial response.
        match initial {
            None | Some([]) => Step::Challenge(b"Username:".to_vec()),
            Some(name) => self.step(name),
        }
    }

    fn step(&mut self, response: &[u8]) -> Step {
        if response.len() > RESPONSE_BYTES_MAX {
            return Step::Malformed("response too long");
        }
        match self.user.take() {
            None => match text(response) {
                Some("") => Step::Malformed("empty username"),
                Some(user) => {
                    self.user = Some(user.to_owned());
                    Step::Challenge(b"Password:".to_vec())
                }
                None => Step::Malformed("username is not UTF-8"),
            },
            Some(user) => Step::Verify(Credentials {
                authzid: String::new(),
                user,
                password: Password::new(response),
            }),
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verify(authzid: &str, user: &str, password: &str) -> Step {
        let password = Password::new(password);
        Step::Verify(Credentials {
            authzid: authzid.to_owned(),
            user: user.to_owned(),
            password,
        })
    }

    #[test]
    fn plain() {
        let mut plain = server("plain").unwrap();
        assert_eq!(plain.start(None), Step::Challenge(Vec::new()));
        assert_eq!(plain.step(b"\0alice\0secret"), verify("", "alice", "secret"));
        assert_eq!(plain.start(Some(b"bob\0master\0")), verify("bob", "master", ""));
        for wrong in [
            &b""[..],
            b"alice",
            b"\0alice",
            b"\0\0secret",
            b"\0a\0b\0c",
            b"\0\xff\0x",
        ] {
            assert!(matches!(plain.step(wrong), Step::Malformed(_)), "{wrong:?}");
        }
        assert!(matches!(
            plain.step(&[b'x'; RESPONSE_BYTES_MAX + 1]),
            Step::Malformed(_)
        ));
    }

    #[test]
    fn login() {
        let mut login = server("LOGIN").unwrap();
        assert_eq!(login.start(None), Step::Challenge(b"Username:".to_vec()));
        assert_eq!(login.step(b"alice"), Step::Challenge(b"Password:".to_vec()));
        assert_eq!(login.step(b"secret"), verify("", "alice", "secret"));
        assert_eq!(
            login.start(Some(b"alice")),
            Step::Challenge(b"Password:".to_vec())
        );
        assert_eq!(login.step(b""), verify("", "alice", ""));
        assert!(server("CRAM-MD5").is_none());
    }

    #[test]
    fn credentials_do_not_show_the_password() {
        assert!(!format!("{:?}", verify("", "alice", "hunter2")).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn never_panics(responses in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5)) {
            for name in NAMES {
                let mut mechanism = server(name).unwrap();
                mechanism.start(None);
                for response in &responses {
                    mechanism.step(response);
                }
            }
        }
    }
}
