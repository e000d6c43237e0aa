//! The client's side of SCRAM.

use super::{Binding, Hash, ROUNDS_MAX, base64, quote, unbase64, xor};
use crate::Credentials;
use crate::saslprep::{prepared, prepared_name};
use crate::scheme::equal;

/// The client's side.
#[derive(Debug, Clone)]
pub(crate) struct ScramClient {
    pub(crate) hash: Hash,
    binding: Binding,
    /// The data of the binding's type.
    data: Vec<u8>,
    nonce: String,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    First,
    /// The first message is out.
    Greeted,
    /// The proof is out: what the server's must be.
    Shown(Vec<u8>),
    /// The server has shown that it knows the password.
    Satisfied,
    Over,
}

impl ScramClient {
    /// `bindings` are the channel binding data that there are, by type; they are used when the server offers -PLUS.
    pub(crate) fn new(
        hash: Hash,
        is_plus: bool,
        bindings: &[(String, Vec<u8>)],
        random: &[u8],
    ) -> ScramClient {
        let (binding, data) = match (bindings.first(), is_plus) {
            (Some((kind, data)), true) => (Binding::Used(kind.clone()), data.clone()),
            (Some(_), false) => (Binding::Unoffered, Vec::new()),
            (None, _) => (Binding::Unsupported, Vec::new()),
        };
        ScramClient {
            hash,
            binding,
            data,
            nonce: base64(random),
            state: State::First,
        }
    }

    pub(crate) fn is_plus(&self) -> bool {
        matches!(self.binding, Binding::Used(_))
    }

    fn header(&self, credentials: &Credentials) -> String {
        match credentials.authzid.as_str() {
            "" => format!("{},,", self.binding.text()),
            authzid => format!("{},a={},", self.binding.text(), quote(&prepared_name(authzid))),
        }
    }

    fn bare(&self, credentials: &Credentials) -> String {
        format!("n={},r={}", quote(&prepared_name(&credentials.user)), self.nonce)
    }

    /// The first message.
    pub(crate) fn hello(&mut self, credentials: &Credentials) -> Vec<u8> {
        self.state = State::Greeted;
        format!("{}{}", self.header(credentials), self.bare(credentials)).into_bytes()
    }

    /// The answer to a challenge; `None` when the server says nonsense or does not know the password.
    pub(crate) fn answer(&mut self, credentials: &Credentials, challenge: &[u8]) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => challenge.is_empty().then(|| self.hello(credentials)),
            State::Greeted => self.proof(credentials, challenge),
            State::Shown(signature) => {
                let shown = std::str::from_utf8(challenge).ok()?.strip_prefix("v=")?;
                equal(&unbase64(shown)?, &signature).then(|| {
                    self.state = State::Satisfied;
                    Vec::new()
                })
            }
            State::Satisfied | State::Over => None,
        }
    }

    /// Whether the server has shown that it knows the password. Where it has not, its success is not to be believed.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.state == State::Satisfied
    }

    fn proof(&mut self, credentials: &Credentials, challenge: &[u8]) -> Option<Vec<u8>> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        let mut fields = challenge.split(',');
        let nonce = fields.next()?.strip_prefix("r=")?;
        let salt = unbase64(fields.next()?.strip_prefix("s=")?)?;
        let rounds: u32 = fields.next()?.strip_prefix("i=")?.parse().ok()?;
        let is_ours = nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len();
        if !is_ours || !(1..=ROUNDS_MAX).contains(&rounds) {
            return None;
        }
        let mut bound = self.header(credentials).into_bytes();
        bound.extend_from_slice(&self.data);
        let without_proof = format!("c={},r={nonce}", base64(&bound));
        let bare = self.bare(credentials);
        let parts = [
            bare.as_bytes(),
            b",",
            challenge.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ];
        let hash = self.hash;
        let salted = hash.pbkdf2(&prepared(credentials.password.bytes()), &salt, rounds);
        let client_key = hash.hmac(&salted, &[b"Client Key"]);
        let signature = hash.hmac(&hash.digest(&client_key), &parts);
        let server_key = hash.hmac(&salted, &[b"Server Key"]);
        self.state = State::Shown(hash.hmac(&server_key, &parts));
        let proof = base64(&xor(&client_key, &signature));
        Some(format!("{without_proof},p={proof}").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Password;
    use crate::mechanism::{Context, Mechanism, Step, Stored};
    use crate::scram::ScramServer;

    fn credentials() -> Credentials {
        Credentials {
            authzid: String::new(),
            user: "user".to_owned(),
            password: Password::new("pencil"),
        }
    }

    /// RFC 5802 §5 and RFC 7677 §3, their messages word by word.
    #[test]
    fn the_examples_of_the_rfcs() {
        let cases = [
            (
                Hash::Sha1,
                "fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, nonce, challenge, proof, signature) in cases {
            let mut client = ScramClient::new(hash, false, &[], &[]);
            client.nonce = nonce.to_owned();
            let credentials = credentials();
            assert_eq!(
                client.hello(&credentials),
                format!("n,,n=user,r={nonce}").into_bytes()
            );
            let shown = client.answer(&credentials, challenge.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(shown).unwrap(), proof);
            let mut deceived = client.clone();
            assert_eq!(deceived.answer(&credentials, b"v=AAAA"), None);
            assert!(!deceived.is_satisfied() && !client.is_satisfied());
            assert_eq!(
                client.answer(&credentials, signature.as_bytes()),
                Some(Vec::new())
            );
            assert!(client.is_satisfied());
        }
    }

    fn context() -> Context {
        Context {
            random: [7; 24],
            secret: [3; 32],
            bindings: vec![("tls-exporter".to_owned(), b"bound".to_vec())],
            ..Context::default()
        }
    }

    /// What the server says of a login by `client`, and its challenge.
    fn login(client: &mut ScramClient, server: &mut ScramServer, stored: Stored<'_>) -> (Step, String) {
        let credentials = credentials();
        let hello = client.hello(&credentials);
        let step = server.start(Some(&hello));
        let Step::Lookup(_) = step else {
            return (step, String::new());
        };
        let Step::Challenge(challenge) = server.give(stored) else {
            panic!("a challenge follows");
        };
        let proof = client.answer(&credentials, &challenge).unwrap();
        let shown = String::from_utf8(challenge).unwrap();
        match server.step(&proof) {
            Step::Challenge(signature) => {
                assert_eq!(client.answer(&credentials, &signature), Some(Vec::new()));
                assert!(client.is_satisfied());
                (server.step(b""), shown)
            }
            step => (step, shown),
        }
    }

    const STORED: &str = "{SCRAM-SHA-256}4096,5aj4mlDSK1oSTq6EwJCIaQ==,pYS3L3my1yvJlrTVAuncGwNIJnmXM7SS+Fw3kep7tm4=,JcYrmVcelpZEPsrTFizjRgA3vO7lF9nyaHasfF5xiuk=";

    #[test]
    fn both_sides_understand_each_other() {
        for (is_plus, name) in [(true, "SCRAM-SHA-256-PLUS"), (false, "SCRAM-SHA-256")] {
            for stored in [STORED, "{PLAIN}pencil"] {
                let bindings = if is_plus { context().bindings } else { Vec::new() };
                let mut client = ScramClient::new(Hash::Sha256, is_plus, &bindings, b"random");
                let mut server = ScramServer::new(name, Hash::Sha256, context());
                let (step, _) = login(&mut client, &mut server, Stored::Known(stored));
                assert!(matches!(step, Step::Proved(_)), "{name} {stored} {step:?}");
            }
        }
    }

    #[test]
    fn names_and_passwords_that_look_alike_are_the_same() {
        let typed = Credentials {
            user: "I\u{ad}X".to_owned(),
            password: Password::new("\u{2168}\u{aa}"),
            ..credentials()
        };
        let mut client = ScramClient::new(Hash::Sha1, false, &[], b"random");
        let hello = client.hello(&typed);
        assert!(hello.starts_with(b"n,,n=IX,r="));
        // One that does not prepare the name.
        let unprepared = String::from_utf8(hello.clone())
            .unwrap()
            .replace("IX", "I\u{ad}X");
        for hello in [hello, unprepared.into_bytes()] {
            let mut server = ScramServer::new("SCRAM-SHA-1", Hash::Sha1, Context::default());
            let Step::Lookup(identity) = server.start(Some(&hello)) else {
                panic!("a name is asked for");
            };
            assert_eq!(identity.user, "IX");
        }
        let mut server = ScramServer::new("SCRAM-SHA-1", Hash::Sha1, Context::default());
        server.start(Some(&client.hello(&typed)));
        let Step::Challenge(challenge) = server.give(Stored::Known("{PLAIN}IXa")) else {
            panic!("a challenge follows");
        };
        let proof = client.answer(&typed, &challenge).unwrap();
        assert!(
            matches!(server.step(&proof), Step::Challenge(_)),
            "it is the same password"
        );
        let mut server = ScramServer::new("SCRAM-SHA-1", Hash::Sha1, Context::default());
        assert!(matches!(
            server.start(Some("n,,n=\u{ad},r=x".as_bytes())),
            Step::Malformed(_)
        ));
    }

    #[test]
    fn somebody_between_is_noticed() {
        // -PLUS was taken out of our list.
        let mut client = ScramClient::new(Hash::Sha256, false, &context().bindings, b"random");
        let mut server = ScramServer::new("SCRAM-SHA-256", Hash::Sha256, context());
        let (step, _) = login(&mut client, &mut server, Stored::Known(STORED));
        assert!(matches!(step, Step::Malformed(_)), "{step:?}");
        // Another connection.
        let other = [("tls-exporter".to_owned(), b"other".to_vec())];
        let mut client = ScramClient::new(Hash::Sha256, true, &other, b"random");
        let mut server = ScramServer::new("SCRAM-SHA-256-PLUS", Hash::Sha256, context());
        let (step, _) = login(&mut client, &mut server, Stored::Known(STORED));
        assert_eq!(step, Step::Malformed("channel binding does not fit"));
        // Another type.
        let other = [("tls-unique".to_owned(), b"bound".to_vec())];
        let mut client = ScramClient::new(Hash::Sha256, true, &other, b"random");
        let mut server = ScramServer::new("SCRAM-SHA-256-PLUS", Hash::Sha256, context());
        let (step, _) = login(&mut client, &mut server, Stored::Known(STORED));
        assert_eq!(step, Step::Malformed("channel binding type is not supported"));
    }

    #[test]
    fn unknown_users_look_like_known_ones() {
        let ask = |stored, random: u8| {
            let mut client = ScramClient::new(Hash::Sha256, false, &[], &[random]);
            let mut server = ScramServer::new("SCRAM-SHA-256", Hash::Sha256, context());
            let (step, challenge) = login(&mut client, &mut server, stored);
            assert!(matches!(step, Step::Refused(_)), "{step:?}");
            challenge.split_once(",s=").unwrap().1.to_owned()
        };
        // Even with the right password of the other user; the same salt each time, not the other user's.
        let salt = ask(Stored::Unknown(Some(STORED)), 1);
        assert_eq!(salt, ask(Stored::Unknown(Some(STORED)), 2));
        assert_eq!(salt.len(), "5aj4mlDSK1oSTq6EwJCIaQ==,i=4096".len());
        assert!(!salt.contains("5aj4mlDSK1oSTq6EwJCIaQ=="));
        ask(Stored::Unknown(None), 1);
        ask(Stored::Known("{SHA256}unfit"), 1);
    }

    #[test]
    fn nonsense_is_told() {
        for message in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=,r=x",
            "n,,n=a",
            "n,,n=a,r=",
            "z,,n=a,r=x",
            "n,b=c,n=a,r=x",
            "n,,m=x,n=a,r=x",
            "n,,n=a=,r=x",
            "p=tls-exporter,,n=a,r=x",
            "n,,n=a,r=a b",
        ] {
            let mut server = ScramServer::new("SCRAM-SHA-1", Hash::Sha1, context());
            let step = server.start(Some(message.as_bytes()));
            assert!(matches!(step, Step::Malformed(_)), "{message} {step:?}");
        }
        let mut server = ScramServer::new("SCRAM-SHA-1", Hash::Sha1, context());
        assert!(matches!(server.give(Stored::Unknown(None)), Step::Malformed(_)));
        let mut server = ScramServer::new("SCRAM-SHA-1", Hash::Sha1, context());
        assert!(matches!(server.start(Some(b"n,,n=a,r=x,ext=1")), Step::Lookup(_)));
        assert!(matches!(server.step(b"early"), Step::Malformed(_)));
    }
}
