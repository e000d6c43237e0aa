//! The server's side of SCRAM.

use super::{Binding, Hash, Keys, ROUNDS, base64, unbase64, unquote, xor};
use crate::mechanism::{Context, Identity, Mechanism, Step, Stored, text, too_long};
use crate::saslprep::prepared_name;
use crate::scheme::{equal, stored};

/// How much of the salts that are made here comes from the secret, in bytes.
const SALT_BYTES: usize = 16;

/// The server's side.
pub(crate) struct ScramServer {
    name: &'static str,
    hash: Hash,
    context: Context,
    state: State,
}

enum State {
    /// Nothing was heard.
    First,
    /// The stored password is being looked up.
    Asked(Hello),
    /// The challenge is out.
    Challenged(Box<Challenged>),
    /// Our own proof is out; whatever comes ends it.
    Proved(Identity),
    Over,
}

/// The client's first message.
struct Hello {
    identity: Identity,
    binding: Binding,
    /// `n,,`: what comes before the bare message.
    header: String,
    bare: String,
    nonce: String,
}

struct Challenged {
    hello: Hello,
    /// Both nonces.
    nonce: String,
    challenge: String,
    keys: Keys,
    is_known: bool,
}

impl ScramServer {
    pub(crate) fn new(name: &'static str, hash: Hash, context: Context) -> ScramServer {
        ScramServer {
            name,
            hash,
            context,
            state: State::First,
        }
    }

    /// What may come of the client's first message.
    fn hello(&mut self, response: &[u8]) -> Result<Hello, &'static str> {
        let message = text(response).ok_or("message is not UTF-8")?;
        let hello = parse_hello(message)?;
        let is_plus = self.name.ends_with("-PLUS");
        match &hello.binding {
            Binding::Used(_) if !is_plus => return Err("channel binding is not offered"),
            Binding::Used(kind) if !self.context.bindings.iter().any(|(known, _)| known == kind) => {
                return Err("channel binding type is not supported");
            }
            Binding::Used(_) => {}
            _ if is_plus => return Err("channel binding is missing"),
            // Somebody took -PLUS out of our list (RFC 5802 §6).
            Binding::Unoffered if !self.context.bindings.is_empty() => {
                return Err("client says that channel binding is not offered, but it is");
            }
            Binding::Unoffered | Binding::Unsupported => {}
        }
        Ok(hello)
    }

    /// The proof in the client's last message.
    fn proof(&self, challenged: &Challenged, response: &[u8]) -> Result<Step, &'static str> {
        let message = text(response).ok_or("message is not UTF-8")?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or("proof is missing")?;
        let proof = unbase64(proof).ok_or("proof is not base64")?;
        let mut fields = without_proof.split(',');
        let bound = fields.next().and_then(|field| field.strip_prefix("c="));
        let bound = bound.and_then(unbase64).ok_or("channel binding is missing")?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        if nonce != Some(challenged.nonce.as_str()) {
            return Err("wrong nonce");
        }
        let mut expected = challenged.hello.header.clone().into_bytes();
        if let Binding::Used(kind) = &challenged.hello.binding {
            let data = self.context.bindings.iter().find(|(known, _)| known == kind);
            expected.extend_from_slice(&data.ok_or("channel binding type is not supported")?.1);
        }
        if !equal(&expected, &bound) {
            return Err("channel binding does not fit");
        }
        if proof.len() != self.hash.size() {
            return Err("proof has the wrong length");
        }
        let parts = [
            challenged.hello.bare.as_bytes(),
            b",",
            challenged.challenge.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ];
        let keys = &challenged.keys;
        let client_key = xor(&proof, &self.hash.hmac(&keys.stored_key, &parts));
        let fits = equal(&self.hash.digest(&client_key), &keys.stored_key);
        if !(fits && challenged.is_known) {
            return Ok(Step::Refused(challenged.hello.identity.clone()));
        }
        let signature = self.hash.hmac(&keys.server_key, &parts);
        Ok(Step::Challenge(format!("v={}", base64(&signature)).into_bytes()))
    }

    /// The keys to go on with, and whether they are somebody's.
    fn keys(&self, user: &str, stored: Stored<'_>) -> (Keys, bool) {
        let (text, is_known) = match stored {
            Stored::Known(text) => (text, true),
            Stored::Unknown(text) => (text.unwrap_or("{PLAIN}"), false),
        };
        let parts: [&[u8]; 3] = [self.hash.scheme().as_bytes(), b"\0", user.as_bytes()];
        let mut salt = Hash::Sha256.hmac(&self.context.secret, &parts);
        salt.truncate(SALT_BYTES);
        match stored::scram(self.hash, text, &salt, ROUNDS) {
            Ok(keys) if is_known => (keys, true),
            // The same rounds, a salt as long as another user's, always the same for the same name.
            Ok(keys) => {
                let salt = Hash::Sha256.hmac(&self.context.secret, &[b"salt\0", user.as_bytes()]);
                let salt = salt.iter().cycle().take(keys.salt.len()).copied().collect();
                (Keys { salt, ..keys }, false)
            }
            Err(_) => (Keys::of_password(self.hash, b"", &salt, ROUNDS), false),
        }
    }
}

impl Mechanism for ScramServer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn start(&mut self, initial: Option<&[u8]>) -> Step {
        match initial {
            None => Step::Challenge(Vec::new()),
            Some(response) => self.step(response),
        }
    }

    fn step(&mut self, response: &[u8]) -> Step {
        if let Some(complaint) = too_long(response) {
            return complaint;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => match self.hello(response) {
                Ok(hello) => {
                    let identity = hello.identity.clone();
                    self.state = State::Asked(hello);
                    Step::Lookup(identity)
                }
                Err(why) => Step::Malformed(why),
            },
            State::Challenged(challenged) => {
                let step = self.proof(&challenged, response).unwrap_or_else(Step::Malformed);
                if let Step::Challenge(_) = step {
                    self.state = State::Proved(challenged.hello.identity);
                }
                step
            }
            State::Proved(identity) if response.is_empty() => Step::Proved(identity),
            State::Proved(_) => Step::Malformed("an empty response wanted"),
            State::Asked(_) | State::Over => Step::Malformed("out of turn"),
        }
    }

    fn give(&mut self, stored: Stored<'_>) -> Step {
        let State::Asked(hello) = std::mem::replace(&mut self.state, State::Over) else {
            return Step::Malformed("nothing was asked for");
        };
        let (keys, is_known) = self.keys(&hello.identity.user, stored);
        let nonce = format!("{}{}", hello.nonce, base64(&self.context.random));
        let challenge = format!("r={nonce},s={},i={}", base64(&keys.salt), keys.rounds);
        self.state = State::Challenged(Box::new(Challenged {
            hello,
            nonce,
            challenge: challenge.clone(),
            keys,
            is_known,
        }));
        Step::Challenge(challenge.into_bytes())
    }

    fn schemes(&self) -> &'static [&'static str] {
        match self.hash {
            Hash::Sha1 => &["SCRAM-SHA-1"],
            Hash::Sha256 => &["SCRAM-SHA-256"],
        }
    }
}

/// `gs2-cbind-flag,[a=authzid],n=user,r=nonce[,extensions]`
fn parse_hello(message: &str) -> Result<Hello, &'static str> {
    let (flag, rest) = message.split_once(',').ok_or("header is missing")?;
    let (authzid, bare) = rest.split_once(',').ok_or("header is missing")?;
    let binding = match flag {
        "n" => Binding::Unsupported,
        "y" => Binding::Unoffered,
        flag => Binding::Used(
            flag.strip_prefix("p=")
                .ok_or("channel binding flag is wrong")?
                .to_owned(),
        ),
    };
    let authzid = match authzid {
        "" => String::new(),
        field => field
            .strip_prefix("a=")
            .and_then(unquote)
            .map(|name| prepared_name(&name).into_owned())
            .ok_or("authorization identity is wrong")?,
    };
    let mut fields = bare.split(',');
    let user = fields.next().unwrap_or_default();
    if user.starts_with("m=") {
        return Err("mandatory extension is not supported");
    }
    let user = user
        .strip_prefix("n=")
        .and_then(unquote)
        .map(|name| prepared_name(&name).into_owned())
        .filter(|user| !user.is_empty())
        .ok_or("username is wrong")?;
    let nonce = fields
        .next()
        .and_then(|field| field.strip_prefix("r="))
        .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or("nonce is wrong")?;
    Ok(Hello {
        identity: Identity { authzid, user },
        binding,
        header: message[..message.len() - bare.len()].to_owned(),
        bare: bare.to_owned(),
        nonce: nonce.to_owned(),
    })
}
