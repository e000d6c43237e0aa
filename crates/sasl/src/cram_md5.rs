//! CRAM-MD5 (RFC 2195): the client shows that it knows the password by a code over our challenge. Who listens can try
//! passwords at home; it is there for old clients.

use crate::mechanism::{Context, Identity, Mechanism, Step, Stored, text, too_long};
use crate::scheme::{self, equal, stored};

/// The server's side.
#[derive(Debug)]
pub(crate) struct CramMd5 {
    challenge: String,
    /// The client's answer, while its stored password is looked up.
    answer: Option<(Identity, Vec<u8>)>,
}

impl CramMd5 {
    pub(crate) fn new(context: &Context) -> CramMd5 {
        let random: [u8; 8] = std::array::from_fn(|at| context.random[at]);
        let number = u64::from_be_bytes(random);
        CramMd5 {
            challenge: format!("<{number}.{}@{}>", context.now_secs, context.hostname),
            answer: None,
        }
    }
}

impl Mechanism for CramMd5 {
    fn name(&self) -> &'static str {
        "CRAM-MD5"
    }

    /// There is no initial response in CRAM-MD5; one that is empty does no harm.
    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        match initial {
            None | Some([]) => Step::Challenge(self.challenge.clone().into_bytes()),
            Some(_) => Step::Malformed("an initial response is not allowed"),
        }
    }

    fn step(&mut self, response: &[u8]) -> Step {
        if let Some(complaint) = too_long(response) {
            return complaint;
        }
        let Some(response) = text(response) else {
            return Step::Malformed("response is not UTF-8");
        };
        match response.rsplit_once(' ') {
            Some(("", _)) | None => Step::Malformed("a name and a code wanted"),
            Some((user, code)) => {
                let identity = Identity {
                    authzid: String::new(),
                    user: user.to_owned(),
                };
                self.answer = Some((identity.clone(), code.to_ascii_lowercase().into_bytes()));
                Step::Lookup(identity)
            }
        }
    }

    fn give(&mut self, stored: Stored<'_>) -> Step {
        let Some((identity, code)) = self.answer.take() else {
            return Step::Malformed("nothing was asked for");
        };
        let (text, is_known) = match stored {
            Stored::Known(text) => (text, true),
            Stored::Unknown(text) => (text.unwrap_or("{PLAIN}"), false),
        };
        let Ok(contexts) = stored::hmac_md5(text) else {
            return Step::Refused(identity);
        };
        let wanted = scheme::hex(&contexts.code(self.challenge.as_bytes()));
        if equal(wanted.as_bytes(), &code) && is_known {
            Step::Proved(identity)
        } else {
            Step::Refused(identity)
        }
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["CRAM-MD5", "HMAC-MD5"]
    }
}

/// The client's answer to a challenge.
pub(crate) fn answer(user: &str, password: &[u8], challenge: &[u8]) -> Vec<u8> {
    let code = crate::hmac_md5::Contexts::of_password(password).code(challenge);
    format!("{user} {}", scheme::hex(&code)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::server;

    #[test]
    fn the_example_of_the_rfc() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        let wanted = b"tim b913a602c7eda7a495b4e6e7334d3890";
        assert_eq!(answer("tim", b"tanstaaftanstaaf", challenge), wanted);
    }

    fn ask(stored: Stored<'_>, password: &str) -> Step {
        let context = Context {
            hostname: "mail.example".to_owned(),
            now_secs: 17,
            random: [1; 24],
            ..Context::default()
        };
        let mut server = server("cram-md5", context).unwrap();
        let Step::Challenge(challenge) = server.start(None) else {
            panic!("a challenge comes first");
        };
        assert_eq!(challenge, b"<72340172838076673.17@mail.example>");
        let Step::Lookup(identity) = server.step(&answer("al ice", password.as_bytes(), &challenge)) else {
            panic!("a lookup follows");
        };
        assert_eq!(identity.user, "al ice");
        server.give(stored)
    }

    #[test]
    fn stored_passwords_serve_in_every_form_that_keeps_enough() {
        // The second is what Debian's doveadm makes of "pencil".
        let contexts = "{CRAM-MD5}7f47ace0e2af8f6cdeb72c03243a8c87834e19104164d6a42de72d243adb4080";
        for stored in ["{PLAIN}pencil", contexts, "{PLAIN.b64}cGVuY2ls"] {
            assert!(
                matches!(ask(Stored::Known(stored), "pencil"), Step::Proved(_)),
                "{stored}"
            );
            assert!(
                matches!(ask(Stored::Known(stored), "pen"), Step::Refused(_)),
                "{stored}"
            );
            let unknown = Stored::Unknown(Some(stored));
            assert!(matches!(ask(unknown, "pencil"), Step::Refused(_)), "{stored}");
        }
        assert!(matches!(ask(Stored::Unknown(None), ""), Step::Refused(_)));
        assert!(matches!(
            ask(Stored::Known("{SHA512-CRYPT}$6$x"), ""),
            Step::Refused(_)
        ));
    }
}
