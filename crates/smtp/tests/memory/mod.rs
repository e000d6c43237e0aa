//! A mail system in memory behind the server machine: who exists, who may log in, what was queued.

use envelope::QueueId;
use machine::Stamp;
use smtp::server::{Answer, Attribute, BareNewline, Config, Event, Protocol, Server, Tls, Told, Words};
use smtp::{Reply, server};
use std::sync::Arc;
use testkit::{Given, Policy};

pub(crate) struct Memory {
    pub config: Config,
    domain: String,
    users: Vec<String>,
    login: Option<(String, String)>,
    pub queue: Vec<Queued>,
    current: Queued,
    pub log: Vec<String>,
    asked: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Queued {
    pub from: String,
    pub to: Vec<String>,
    pub content: Vec<u8>,
}

impl Memory {
    pub(crate) fn new() -> Memory {
        let mut config = Config::new("mail.example.test");
        config.limits.error_delay = 0;
        Memory {
            config,
            domain: "example.test".to_owned(),
            users: vec!["alice".to_owned(), "bob".to_owned()],
            login: None,
            queue: Vec::new(),
            current: Queued::default(),
            log: Vec::new(),
            asked: false,
        }
    }

    /// The recipient as Dovecot looks it up, without its detail.
    fn mailbox_user(&self, address: &address::Address) -> Answer {
        let known = address
            .strip_extension("+")
            .map_or(address.clone(), |(plain, _)| plain);
        match self.recipient(&known) {
            Answer::Accept => Answer::Accept,
            _ => {
                let text = format!("550 5.1.1 <{address}> User doesn't exist: {known}");
                Answer::Reply(Reply::parse(&text).unwrap())
            }
        }
    }

    fn recipient(&self, address: &address::Address) -> Answer {
        let refuse = |text: &str| Answer::Reply(Reply::parse(text).unwrap());
        let domain = address.domain().map(|d| d.as_str().to_ascii_lowercase());
        match domain {
            Some(domain) if domain != self.domain => {
                refuse(&format!("554 5.7.1 <{address}>: Relay access denied"))
            }
            None if address.local().eq_ignore_ascii_case("postmaster") => Answer::Accept,
            _ if self.users.iter().any(|user| user == address.local()) => Answer::Accept,
            _ => refuse(&format!(
                "550 5.1.1 <{address}>: Recipient address rejected: User unknown in local recipient table"
            )),
        }
    }

    fn password(&mut self, name: &[u8], password: &[u8]) -> Answer {
        match &self.login {
            Some((user, known)) if user.as_bytes() == name && known.as_bytes() == password => {
                Answer::AuthSuccess { user: user.clone() }
            }
            _ => Answer::AuthFailure(String::new()),
        }
    }

    /// PLAIN, and LOGIN with a fixed user name prompt.
    fn auth(&mut self, mechanism: &str, response: Option<Vec<u8>>) -> Answer {
        match (mechanism, response) {
            ("PLAIN", Some(response)) => {
                let parts: Vec<&[u8]> = response.split(|b| *b == 0).collect();
                match parts[..] {
                    [_, name, password] => self.password(name, password),
                    _ => Answer::AuthFailure(String::new()),
                }
            }
            _ => Answer::Challenge(Vec::new()),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> bool {
        let number = value.parse::<usize>();
        let limits = &mut self.config.limits;
        match (name, number) {
            ("message_size_limit", Ok(n)) => limits.message_octets_max = n as u64,
            ("smtpd_recipient_limit", Ok(n)) => limits.recipients_max = n,
            ("smtpd_recipient_overshoot_limit", Ok(n)) => limits.recipients_overshoot_max = n,
            ("smtpd_soft_error_limit", Ok(n)) => limits.soft_errors_max = n,
            ("smtpd_hard_error_limit", Ok(n)) => limits.hard_errors_max = n,
            ("smtpd_junk_command_limit", Ok(n)) => limits.junk_commands_max = n,
            ("smtpd_error_sleep_time", Ok(n)) => limits.error_delay = n as Stamp * machine::SECOND,
            ("smtpd_timeout", Ok(n)) => limits.timeout = n as Stamp * machine::SECOND,
            ("smtpd_authorized_xforward_hosts", _) => self.config.xforward = true,
            ("smtpd_authorized_xclient_hosts", _) => self.config.xclient = true,
            ("smtpd_helo_required", _) => self.config.helo_required = value == "yes",
            ("strict_rfc821_envelopes", _) => self.config.strict_envelopes = value == "yes",
            ("smtpd_tls_auth_only", _) => self.config.auth.mechanisms_without_tls.clear(),
            ("disable_vrfy_command", _) => self.config.vrfy = value == "no",
            ("smtpd_tls_security_level", _) => {
                self.config.tls = match value {
                    "may" => Tls::Offered,
                    "encrypt" => Tls::Required,
                    _ => Tls::None,
                };
            }
            ("smtpd_forbid_bare_newline", _) => {
                self.config.bare_newline = match value {
                    "no" => BareNewline::Allow,
                    "note" => BareNewline::Note,
                    "reject" => BareNewline::Reject,
                    _ => BareNewline::Normalize,
                };
            }
            _ => return false,
        }
        true
    }
}

impl Policy for Memory {
    type Machine = Server;

    fn given(&mut self, key: &str, value: &str) -> Given {
        let words: Vec<&str> = value.split(' ').collect();
        let done = match (key, &words[..]) {
            ("domain", [domain]) => {
                self.domain = (*domain).to_owned();
                true
            }
            ("relays", [_]) => true,
            ("users", users) => {
                self.users = users.iter().map(|u| (*u).to_owned()).collect();
                true
            }
            ("login", [user, password]) => {
                self.login = Some(((*user).to_owned(), (*password).to_owned()));
                let mechanisms = vec!["PLAIN".to_owned(), "LOGIN".to_owned()];
                self.config.auth = server::Auth {
                    mechanisms_with_tls: mechanisms.clone(),
                    mechanisms_without_tls: mechanisms,
                    broken_clients: false,
                };
                true
            }
            ("protocol", ["lmtp"]) => {
                self.config.protocol = Protocol::Lmtp;
                true
            }
            ("setting", [name, value]) => self.set(name, value),
            _ => false,
        };
        if done { Given::Set } else { Given::NotHere }
    }

    fn machine(&mut self, now: Stamp) -> Server {
        Server::new(Arc::new(self.config.clone()), now)
    }

    fn decide(&mut self, event: Event, _: Stamp) -> Option<Answer> {
        assert!(
            !self.asked || !event.needs_answer(),
            "an event while another is open: {event:?}"
        );
        let answer = match event {
            Event::Mail { sender, .. } => {
                let from = sender.map(|s| s.to_string()).unwrap_or_default();
                self.current = Queued {
                    from,
                    ..Queued::default()
                };
                Answer::Accept
            }
            Event::Rcpt { recipient, .. } => {
                let answer = match self.config.words {
                    Words::Postfix => self.recipient(&recipient),
                    Words::Dovecot => self.mailbox_user(&recipient),
                };
                if answer == Answer::Accept {
                    self.current.to.push(recipient.to_string());
                }
                answer
            }
            Event::Content(content) => {
                self.current.content.extend(content);
                return None;
            }
            Event::ContentEnd { octets } => {
                assert_eq!(octets, self.current.content.len() as u64);
                let queued = std::mem::take(&mut self.current);
                let saved =
                    |to: &String| Reply::parse(&format!("250 2.0.0 <{to}> ooh/P1xhAAB/AAAB Saved")).unwrap();
                let saved = queued.to.iter().map(saved).collect();
                self.queue.push(queued);
                if self.config.words == Words::Dovecot {
                    return Some(Answer::PerRecipient(saved));
                }
                Answer::Queued(QueueId::parse(&format!("4CB18EA{:03}", self.queue.len())).unwrap())
            }
            Event::Vrfy { .. } if self.config.words == Words::Dovecot => {
                Answer::Reply(Reply::parse("252 2.3.3 Try RCPT instead").unwrap())
            }
            Event::Auth { mechanism, initial } => self.auth(&mechanism, initial),
            Event::AuthResponse(response) => self.auth("PLAIN", Some(response)),
            Event::StartTls | Event::Secured => Answer::Accept,
            Event::Handshake => Answer::TlsStarted,
            Event::Reset => {
                self.current = Queued::default();
                return None;
            }
            Event::Note(note) => {
                self.log.push(format!("{note:?}"));
                return None;
            }
            Event::Ended(ended) => {
                self.log.push(format!("{:?} after {}", ended.how, ended.after));
                return None;
            }
            Event::Introduced(attributes) => {
                // Who is on this host is trusted.
                let is_own = |(attribute, told): &(Attribute, Told)| {
                    *attribute != Attribute::Address
                        || matches!(told, Told::Known(address) if address.starts_with("127."))
                };
                Answer::Introduced(Arc::new(Config {
                    xclient: attributes.iter().all(is_own),
                    ..self.config.clone()
                }))
            }
            Event::Forwarded(_) | Event::AuthCancelled => return None,
            _ => Answer::Accept,
        };
        Some(answer)
    }

    fn facts(&mut self, kind: &str) -> Option<Vec<String>> {
        match kind {
            "queue" => {
                let show = |q: &Queued| {
                    format!(
                        "from=<{}> to={} {}",
                        q.from,
                        q.to.join(","),
                        String::from_utf8_lossy(&q.content)
                    )
                };
                Some(self.queue.iter().map(show).collect())
            }
            "log" => Some(self.log.clone()),
            _ => None,
        }
    }
}
