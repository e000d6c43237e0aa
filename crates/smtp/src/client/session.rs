//! From the greeting to a session that takes messages: EHLO or HELO, STARTTLS, AUTH.

use super::{Client, Command, Failure, Offers, Protocol, Stage, TlsPolicy};
use crate::Reply;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::StatusCode;

impl Client {
    /// A reply on the way to being ready.
    pub(super) fn opening_reply(&mut self, command: Command, reply: &Reply) {
        match command {
            Command::Greeting if reply.code / 100 == 2 => self.greet(),
            Command::Ehlo if reply.code / 100 == 2 => {
                self.offers = Offers::read(reply);
                self.after_helo();
            }
            // RFC 5321 §3.2: an old server knows HELO only. In LMTP there is nothing older.
            Command::Ehlo if self.config.protocol == Protocol::Smtp && reply.code != 421 => {
                let line = format!("HELO {}", self.config.helo_name);
                self.send(Command::Helo, &line);
            }
            Command::Helo if reply.code / 100 == 2 => {
                self.offers = Offers::default();
                self.after_helo();
            }
            Command::StartTls if reply.code == 220 => self.prepare_handshake(),
            Command::StartTls if self.config.tls == TlsPolicy::May && reply.code != 421 => {
                self.gave_up_tls = true;
                self.after_helo();
            }
            Command::Auth => self.auth_reply(reply),
            Command::StartTls => {
                let text = format!(
                    "TLS is required, but host {} refused to start TLS: {}",
                    self.config.peer, reply
                );
                self.fail(Failure::deferred(StatusCode::temporary(7, 4), text));
            }
            // A refused greeting says nothing about a recipient: another host or another day may help.
            command => {
                let text = format!(
                    "host {} refused to talk to me: {}",
                    self.config.peer,
                    reply.in_one_line()
                );
                if command == Command::Greeting && !self.config.skip_5xx_greeting {
                    return self.fail(Failure::by_reply(reply, text));
                }
                let status = reply.status();
                self.fail(Failure::deferred(
                    StatusCode::temporary(status.subject, status.detail),
                    text,
                ));
            }
        }
    }

    fn greet(&mut self) {
        let verb = if self.config.protocol == Protocol::Lmtp {
            "LHLO"
        } else {
            "EHLO"
        };
        let line = format!("{verb} {}", self.config.helo_name);
        self.send(Command::Ehlo, &line);
    }

    /// The peer's abilities are known: encrypt, log in, be ready.
    fn after_helo(&mut self) {
        let may_encrypt = self.config.tls != TlsPolicy::None && !self.tls && !self.gave_up_tls;
        if may_encrypt && self.offers.starttls {
            return self.send(Command::StartTls, "STARTTLS");
        }
        if self.config.tls == TlsPolicy::Encrypt && !self.tls {
            let text = format!(
                "TLS is required, but was not offered by host {}",
                self.config.peer
            );
            return self.fail(Failure::deferred(StatusCode::temporary(7, 4), text));
        }
        match &self.config.credentials {
            Some(_) if !self.authenticated => self.log_in(),
            _ => self.stage = Stage::Ready,
        }
    }

    fn prepare_handshake(&mut self) {
        if self.replies.has_unread() {
            // Somebody in between tries to be heard after the handshake (CVE-2011-0411 and its kin).
            let text = format!("host {} sent text behind its STARTTLS reply", self.config.peer);
            return self.fail(Failure::deferred(StatusCode::temporary(7, 0), text));
        }
        self.stage = Stage::Handshake;
    }

    /// RFC 3207 §4.2: what was announced before the handshake is forgotten.
    pub(super) fn tls_started(&mut self) {
        self.tls = true;
        self.offers = Offers::default();
        self.stage = Stage::Opening;
        self.greet();
    }

    pub(super) fn tls_failed(&mut self, text: String) {
        self.fail(Failure::deferred(StatusCode::temporary(7, 5), text));
    }

    /// PLAIN before LOGIN, both in one connection only.
    fn log_in(&mut self) {
        let Some(credentials) = self.config.credentials.clone() else {
            return;
        };
        let allowed = if self.tls {
            &credentials.mechanisms_with_tls
        } else {
            &credentials.mechanisms_without_tls
        };
        let may = |name: &str| allowed.iter().any(|allowed| allowed == name);
        if self.offers.plain && may("PLAIN") {
            let response = STANDARD.encode(format!("\0{}\0{}", credentials.user, credentials.password));
            self.send(Command::Auth, &format!("AUTH PLAIN {response}"));
        } else if self.offers.login && may("LOGIN") {
            self.login_step = 1;
            self.send(Command::Auth, "AUTH LOGIN");
        } else {
            let text = format!(
                "SASL authentication failed; server {} offers no mechanism that may be used",
                self.config.peer
            );
            self.fail(Failure::deferred(StatusCode::temporary(7, 0), text));
        }
    }

    fn auth_reply(&mut self, reply: &Reply) {
        let Some(credentials) = self.config.credentials.clone() else {
            return;
        };
        match (reply.code, self.login_step) {
            (235, _) => {
                self.authenticated = true;
                self.stage = Stage::Ready;
            }
            (334, 1) => {
                self.login_step = 2;
                self.send(Command::Auth, &STANDARD.encode(&credentials.user));
            }
            (334, 2) => {
                self.login_step = 3;
                self.send(Command::Auth, &STANDARD.encode(&credentials.password));
            }
            _ => {
                let text = format!(
                    "SASL authentication failed; server {} said: {}",
                    self.config.peer,
                    reply.in_one_line()
                );
                let status = reply.status();
                // `smtp_sasl_auth_soft_bounce`: wrong credentials are our own fault, not the sender's.
                self.fail(Failure::deferred(
                    StatusCode::temporary(status.subject, status.detail),
                    text,
                ));
            }
        }
    }
}

impl Offers {
    /// Reads an EHLO reply.
    fn read(reply: &Reply) -> Offers {
        let mut offers = Offers::default();
        for line in reply.lines.iter().skip(1) {
            // `AUTH=` is how servers for old clients say it.
            let line = line.to_ascii_uppercase().replace('=', " ");
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default() {
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit_mime = true,
                "SMTPUTF8" => offers.smtputf8 = true,
                "DSN" => offers.dsn = true,
                "STARTTLS" => offers.starttls = true,
                "SIZE" => {
                    offers.size = true;
                    offers.size_octets_max = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                }
                "AUTH" => {
                    for mechanism in words {
                        offers.plain |= mechanism == "PLAIN";
                        offers.login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}
