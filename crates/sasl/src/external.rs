//! EXTERNAL (RFC 4422 appendix A): the client's certificate has said who it is. ANONYMOUS (RFC 4505): nobody says.

use crate::mechanism::{Mechanism, Step, text, too_long};
use crate::{Credentials, Password};

/// The longest trace of an anonymous client, in characters (RFC 4505 §2).
const TRACE_CHARS_MAX: usize = 255;

/// Verified with an empty password, as Dovecot does: a passdb decides whether one is enough (`nopassword`).
#[derive(Debug)]
pub(crate) struct External {
    certificate_user: String,
}

impl External {
    pub(crate) fn new(certificate_user: String) -> External {
        External { certificate_user }
    }
}

impl Mechanism for External {
    fn name(&self) -> &'static str {
        "EXTERNAL"
    }

    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        initial.map_or(Step::Challenge(Vec::new()), |response| self.step(response))
    }

    fn step(&mut self, response: &[u8]) -> Step {
        if let Some(complaint) = too_long(response) {
            return complaint;
        }
        match text(response) {
            Some(authzid) => Step::Verify(Credentials {
                authzid: authzid.to_owned(),
                user: self.certificate_user.clone(),
                password: Password::new(""),
            }),
            None => Step::Malformed("authorization identity is not UTF-8"),
        }
    }
}

/// Everybody is welcome; who it is, is the caller's to say.
#[derive(Debug)]
pub(crate) struct Anonymous;

impl Mechanism for Anonymous {
    fn name(&self) -> &'static str {
        "ANONYMOUS"
    }

    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        initial.map_or(Step::Challenge(Vec::new()), |response| self.step(response))
    }

    fn step(&mut self, response: &[u8]) -> Step {
        match text(response) {
            Some(trace) if trace.chars().count() <= TRACE_CHARS_MAX => Step::Anonymous(trace.to_owned()),
            Some(_) => Step::Malformed("trace too long"),
            None => Step::Malformed("trace is not UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mechanism::{Context, Step, server};
    use crate::{Credentials, Password};

    #[test]
    fn external_is_who_the_certificate_says() {
        let context = Context {
            certificate_user: Some("alice".to_owned()),
            ..Context::default()
        };
        let mut external = server("EXTERNAL", context).unwrap();
        assert_eq!(external.start(None), Step::Challenge(Vec::new()));
        for (response, authzid) in [(&b""[..], ""), (b"bob", "bob")] {
            let wanted = Credentials {
                authzid: authzid.to_owned(),
                user: "alice".to_owned(),
                password: Password::new(""),
            };
            assert_eq!(external.start(Some(response)), Step::Verify(wanted));
        }
        assert!(matches!(external.step(b"a\0b"), Step::Malformed(_)));
    }

    #[test]
    fn anonymous_leaves_a_trace() {
        let mut anonymous = server("ANONYMOUS", Context::default()).unwrap();
        assert_eq!(anonymous.start(None), Step::Challenge(Vec::new()));
        assert_eq!(anonymous.step(b"sirhc"), Step::Anonymous("sirhc".to_owned()));
        assert!(matches!(anonymous.step(&[b'x'; 300]), Step::Malformed(_)));
    }
}
