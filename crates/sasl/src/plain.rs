//! PLAIN (RFC 4616) and LOGIN: the password itself is sent.

use crate::mechanism::{Mechanism, Step, text, too_long};
use crate::{Credentials, Password};

/// RFC 4616: `authzid NUL user NUL password`.
#[derive(Debug)]
pub(crate) struct Plain;

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        initial.map_or(Step::Challenge(Vec::new()), |response| self.step(response))
    }

    fn step(&mut self, response: &[u8]) -> Step {
        if let Some(complaint) = too_long(response) {
            return complaint;
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
#[derive(Debug, Default)]
pub(crate) struct Login {
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
        if let Some(complaint) = too_long(response) {
            return complaint;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RESPONSE_BYTES_MAX;
    use crate::mechanism::{Context, server};

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
        let mut plain = server("plain", Context::default()).unwrap();
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
        let mut login = server("LOGIN", Context::default()).unwrap();
        assert_eq!(login.start(None), Step::Challenge(b"Username:".to_vec()));
        assert_eq!(login.step(b"alice"), Step::Challenge(b"Password:".to_vec()));
        assert_eq!(login.step(b"secret"), verify("", "alice", "secret"));
        assert_eq!(
            login.start(Some(b"alice")),
            Step::Challenge(b"Password:".to_vec())
        );
        assert_eq!(login.step(b""), verify("", "alice", ""));
    }

    #[test]
    fn credentials_do_not_show_the_password() {
        assert!(!format!("{:?}", verify("", "alice", "hunter2")).contains("hunter2"));
    }
}
