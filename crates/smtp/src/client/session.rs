//! From the greeting to a session that takes messages: EHLO or HELO, STARTTLS, AUTH.

use super::replies::{Meaning, Said};
use super::{Answer, Client, Command, Event, Failure, Hello, Login, Offers, Protocol, Stage, TlsPolicy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::StatusCode;

/// How many mechanisms of one line of EHLO's reply are looked at.
const MECHANISMS_MAX: usize = 50;

/// How many attributes of XFORWARD are looked at.
const ATTRIBUTES_MAX: usize = 20;

impl Client {
    /// A reply on the way to being ready.
    pub(super) fn opening_reply(&mut self, command: Command, reply: &Said) {
        match command {
            Command::Greeting if reply.is_done() => {
                self.behind_pix = self.config.protocol == Protocol::Smtp && is_masked(reply);
                let is_extended = reply.texts().any(|line| {
                    line.split_ascii_whitespace()
                        .any(|word| word.eq_ignore_ascii_case("ESMTP"))
                });
                self.greet(is_extended);
            }
            Command::Ehlo if reply.is_done() => {
                self.offers = Offers::read(reply, &self.config.discarded_keywords);
                self.after_helo();
            }
            // RFC 5321 §3.2: an old server knows HELO only. In LMTP there is nothing older.
            Command::Ehlo if self.config.protocol == Protocol::Smtp && reply.code != 421 => {
                let line = format!("HELO {}", self.config.helo_name);
                self.send(Command::Helo, &line);
            }
            Command::Helo if reply.is_done() => {
                self.offers = Offers::default();
                self.after_helo();
            }
            Command::StartTls if reply.is_done() => self.prepare_handshake(),
            Command::StartTls if self.config.tls == TlsPolicy::May && reply.code != 421 => {
                self.gave_up_tls = true;
                self.after_helo();
            }
            Command::Auth => self.auth_reply(reply),
            Command::StartTls => {
                let text = format!(
                    "TLS is required, but host {} refused to start TLS: {}",
                    self.config.peer,
                    reply.in_one_line()
                );
                self.fail(Failure::by_reply(reply, text));
            }
            command => {
                self.note_fault(reply);
                let text = format!(
                    "host {} refused to talk to me: {}",
                    self.config.peer,
                    reply.in_one_line()
                );
                let is_skipped = command == Command::Greeting && self.config.skip_5xx_greeting;
                if !is_skipped || reply.meaning() != Meaning::Never {
                    return self.fail(Failure::by_reply(reply, text));
                }
                // It says nothing about a recipient: another host or another day may help.
                let status = reply.status();
                self.fail(Failure::deferred(
                    StatusCode::temporary(status.subject, status.detail),
                    text,
                ));
            }
        }
    }

    fn greet(&mut self, is_extended: bool) {
        let extended = match self.config.hello {
            _ if self.behind_pix && self.config.pix.disables_esmtp => false,
            Hello::Ehlo => true,
            Hello::AsGreeted => is_extended,
            Hello::Helo => false,
        };
        if !extended && self.config.protocol == Protocol::Smtp {
            let line = format!("HELO {}", self.config.helo_name);
            return self.send(Command::Helo, &line);
        }
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
        match self.config.logs_in && !self.authenticated {
            true => self.log_in(),
            false => self.stage = Stage::Ready,
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
        // Who has STARTTLS has EHLO.
        self.greet(true);
    }

    pub(super) fn tls_failed(&mut self, text: String) {
        self.fail(Failure::deferred(StatusCode::temporary(7, 5), text));
    }

    /// Postfix, too, goes on without a login where the peer offers none.
    fn log_in(&mut self) {
        if self.offers.mechanisms.is_empty() {
            self.stage = Stage::Ready;
            return;
        }
        self.ask(Login::Mechanism);
    }

    fn ask(&mut self, question: Login) {
        self.login = Some(question);
        self.stage = Stage::LoggingIn;
    }

    pub(super) fn login_event(&mut self) -> Option<Event> {
        Some(match self.login.take()? {
            Login::Mechanism => Event::LogIn(self.offers.mechanisms.clone()),
            Login::Challenge(challenge) => Event::Challenge(challenge),
            Login::Success => Event::LoggedIn,
        })
    }

    /// What the caller says about the login.
    pub(super) fn login_answer(&mut self, answer: Answer) {
        self.stage = Stage::Opening;
        match answer {
            Answer::Login(mechanism, None) => self.send(Command::Auth, &format!("AUTH {mechanism}")),
            Answer::Login(mechanism, Some(first)) => {
                // RFC 4954 §4: an empty first response is `=`.
                let first = match first.is_empty() {
                    true => "=".to_owned(),
                    false => STANDARD.encode(first),
                };
                self.send(Command::Auth, &format!("AUTH {mechanism} {first}"));
            }
            Answer::Response(Some(response)) => self.send_secret(&STANDARD.encode(response)),
            Answer::Response(None) => self.send_secret("*"),
            Answer::Believed => {
                self.authenticated = true;
                self.stage = Stage::Ready;
            }
            Answer::NoLogin(text) => self.fail(Failure::deferred(StatusCode::temporary(7, 0), text)),
            _ => {
                let text = format!(
                    "SASL authentication with server {} was broken off",
                    self.config.peer
                );
                self.fail(Failure::deferred(StatusCode::temporary(7, 0), text));
            }
        }
    }

    fn auth_reply(&mut self, reply: &Said) {
        if reply.code == 235 {
            return self.ask(Login::Success);
        }
        if reply.code == 334 {
            let text = reply.texts().last().map_or("", str::trim);
            if let Ok(challenge) = STANDARD.decode(text) {
                return self.ask(Login::Challenge(challenge));
            }
        }
        let text = format!(
            "SASL authentication failed; server {} said: {}",
            self.config.peer,
            reply.in_one_line()
        );
        if reply.meaning() == Meaning::Never && !self.config.login_soft_bounce {
            return self.fail(Failure::by_reply(reply, text));
        }
        let status = reply.status();
        self.fail(Failure::deferred(
            StatusCode::temporary(status.subject, status.detail),
            text,
        ));
    }
}

/// Whether nothing but stars, zeros and twos is left of a greeting: the mark of a PIX firewall's "fixup".
fn is_masked(reply: &Said) -> bool {
    let mut all = reply.texts().flat_map(str::chars);
    all.all(|c| "20 *\t".contains(c))
}

impl Offers {
    /// Reads an EHLO reply.
    fn read(reply: &Said, discarded: &[String]) -> Offers {
        let mut offers = Offers::default();
        for line in reply.texts().skip(1) {
            // `AUTH=` is how servers for old clients say it.
            let line = line.to_ascii_uppercase().replace('=', " ");
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default();
            match keyword {
                _ if discarded.iter().any(|discarded| discarded == keyword) => {}
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit_mime = true,
                "SMTPUTF8" => offers.smtputf8 = true,
                "DSN" => offers.dsn = true,
                "STARTTLS" => offers.starttls = true,
                "SIZE" => {
                    offers.size = true;
                    offers.size_octets_max = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                }
                "XFORWARD" => {
                    offers.xforward = words.take(ATTRIBUTES_MAX).map(str::to_owned).collect();
                }
                "AUTH" => {
                    for mechanism in words.take(MECHANISMS_MAX) {
                        if !offers.mechanisms.iter().any(|known| known == mechanism) {
                            offers.mechanisms.push(mechanism.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        offers
    }
}
