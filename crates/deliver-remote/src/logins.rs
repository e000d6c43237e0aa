//! Who to log in as at other servers: `smtp_sasl_password_maps`, the mechanisms that may be used, and the dialogue.

use crate::parameters::Parameters;
use address::Address;
use sasl::Password;
use sasl::client::{Client, Surroundings};
use settings::TableRef;
use smtp::client::{Answer, Protocol};
use tables::Tables;
use tables::name_list::NameList;
use world::Random;

/// The mechanisms that there are.
const MECHANISMS: [&str; 8] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "CRAM-MD5",
    "PLAIN",
    "LOGIN",
    "XOAUTH2",
];

/// The logins of one client.
pub(crate) struct Logins {
    /// `None`: it never logs in.
    passwords: Option<Tables>,
    /// `smtp_sasl_password_maps`
    name: &'static str,
    /// `smtp_sender_dependent_authentication`
    by_sender: bool,
    /// The mechanisms without TLS, with it, and where it is known who the server is.
    plain: Vec<String>,
    encrypted: Vec<String>,
    verified: Vec<String>,
}

/// A name and its password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// That a login cannot be looked up: what is to be said in the log, beside what the table says itself.
#[derive(Debug)]
pub(crate) struct NoLogin(pub(crate) String);

/// How private the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    Plain,
    Encrypted,
    /// With whom it must be.
    Verified,
}

impl Logins {
    /// What main.cf says of one client.
    pub(crate) fn of(chosen: &Parameters<'_>) -> Logins {
        let maps: &[TableRef] = chosen.sasl_password_maps;
        let name = match chosen.protocol {
            Protocol::Smtp => "smtp_sasl_password_maps",
            Protocol::Lmtp => "lmtp_sasl_password_maps",
        };
        // A table that cannot be opened fails at every lookup: mail waits, and its log line says why.
        let passwords = (*chosen.sasl_auth_enable).then(|| Tables::open(maps).0.titled(name));
        let filter = chosen.sasl_mechanism_filter;
        Logins {
            passwords,
            name,
            by_sender: *chosen.sender_dependent_authentication,
            plain: mechanisms(chosen.sasl_security_options, filter),
            encrypted: mechanisms(chosen.sasl_tls_security_options, filter),
            verified: mechanisms(chosen.sasl_tls_verified_security_options, filter),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &tables::Tell) {
        self.passwords
            .iter_mut()
            .for_each(|tables| tables.tell_warnings(tell));
    }

    /// The login for a host of a next hop: by the sender where that is wanted, by the host's name, by the next hop's, and as the
    /// next hop is written (`[host]:port`).
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub(crate) fn login(
        &self,
        sender: Option<&Address>,
        host: &str,
        next_hop: &str,
    ) -> Result<Option<Login>, NoLogin> {
        let Some(passwords) = &self.passwords else {
            return Ok(None);
        };
        let mut keys = Vec::new();
        if let Some(sender) = sender.filter(|_| self.by_sender) {
            keys.push(sender.to_string());
            keys.extend(sender.domain().map(|domain| format!("@{}", domain.as_str())));
        }
        let bare = next_hop.strip_prefix('[').and_then(|rest| rest.split(']').next());
        keys.extend(
            [host]
                .into_iter()
                .chain(bare)
                .chain([next_hop])
                .map(str::to_owned),
        );
        for key in keys {
            let found = passwords.lookup(&key.to_ascii_lowercase());
            let failed = |_| NoLogin(format!("{} lookup error", self.name));
            if let Some(found) = found.map_err(failed)? {
                let (user, password) = found.split_once(':').unwrap_or((&found, ""));
                return Ok(Some(Login {
                    user: user.to_owned(),
                    password: password.to_owned(),
                }));
            }
        }
        Ok(None)
    }

    /// The mechanisms that may be used.
    pub(crate) fn allowed(&self, privacy: Privacy) -> &[String] {
        match privacy {
            Privacy::Plain => &self.plain,
            Privacy::Encrypted => &self.encrypted,
            Privacy::Verified => &self.verified,
        }
    }
}

/// One log-in.
pub(crate) struct Dialogue {
    client: Client,
    peer: String,
}

impl Dialogue {
    /// Begins it by the best mechanism that is offered and allowed; `binding` is that of the connection (RFC 9266).
    pub(crate) fn begin(
        login: &Login,
        peer: &str,
        (offered, allowed): (&[String], &[String]),
        binding: Option<Vec<u8>>,
    ) -> (Option<Dialogue>, Answer) {
        let usable: Vec<&str> = offered
            .iter()
            .map(String::as_str)
            .filter(|offered| allowed.iter().any(|allowed| allowed == offered))
            .collect();
        let mut random = [0; 18];
        world::RealRandom.fill(&mut random);
        // That there is a binding is said only where one would have been used: the server may have offered it (RFC 5802 §6).
        let may_bind = allowed.iter().any(|name| name.ends_with("-PLUS"));
        let binding = binding.filter(|_| may_bind);
        let surroundings = Surroundings {
            random,
            bindings: binding
                .map(|data| ("tls-exporter".to_owned(), data))
                .into_iter()
                .collect(),
            allows_plaintext: true,
        };
        let credentials = sasl::Credentials {
            authzid: String::new(),
            user: login.user.clone(),
            password: Password::new(login.password.as_bytes()),
        };
        let Some(mut client) = Client::choose(usable, credentials, &surroundings) else {
            let text = format!(
                "SASL authentication failed: server {peer} offered no compatible authentication mechanisms for this type \
                 of connection security"
            );
            return (None, Answer::NoLogin(text));
        };
        let answer = Answer::Login(client.name(), client.initial());
        let dialogue = Dialogue {
            client,
            peer: peer.to_owned(),
        };
        (Some(dialogue), answer)
    }

    /// What is said to a challenge.
    pub(crate) fn answer(&mut self, challenge: &[u8]) -> Answer {
        Answer::Response(self.client.answer(challenge))
    }

    /// Whether the server's success is believed: with SCRAM it must know the password itself.
    pub(crate) fn end(&mut self) -> Answer {
        match self.client.is_satisfied(None) {
            true => Answer::Believed,
            false => Answer::NoLogin(format!(
                "SASL authentication failed; server {} has not shown that it knows the password",
                self.peer
            )),
        }
    }
}

/// What `smtp_sasl_security_options` and `smtp_sasl_mechanism_filter` leave.
fn mechanisms(options: &[String], filter: &[String]) -> Vec<String> {
    let has = |name: &str| options.iter().any(|option| option.eq_ignore_ascii_case(name));
    let filter_list = NameList::open(filter, &mut Vec::new());
    let allowed = |name: &&&str| {
        let is_scram = name.starts_with("SCRAM");
        let is_plain = matches!(**name, "PLAIN" | "LOGIN");
        let is_safe_enough =
            !(is_plain && has("noplaintext")) && (is_scram || !(has("noactive") || has("mutual_auth")));
        is_safe_enough && (filter.is_empty() || filter_list.contains(name).unwrap_or(false))
    };
    MECHANISMS
        .iter()
        .filter(allowed)
        .map(|name| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{Postfix, Surroundings};
    use smtp::client::Protocol;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.smtp_sasl_auth_enable = true;
        let rows = "{ [mx.example]:587=me:a:b, other.example=you:c, me@s.example=me:s, @t.example=all:t }";
        settings.smtp_sasl_password_maps = vec![TableRef::new("inline", rows)];
        settings
    }

    fn logins(settings: &Postfix) -> Logins {
        Logins::of(&Parameters::of(Protocol::Smtp, settings))
    }

    #[test]
    fn logins_are_found_by_sender_next_hop_and_host() {
        let mut settings = settings();
        let found = |settings: &Postfix, sender: &str, host: &str, next_hop: &str| {
            let sender = Address::parse(sender).expect("an address");
            let login = logins(settings).login(Some(&sender), host, next_hop);
            login
                .expect("no broken table")
                .map(|login| format!("{}:{}", login.user, login.password))
        };
        let of = |settings: &Postfix, next_hop| found(settings, "me@s.example", "a.example", next_hop);
        assert_eq!(of(&settings, "[mx.example]:587").as_deref(), Some("me:a:b"));
        assert_eq!(of(&settings, "[other.example]:25").as_deref(), Some("you:c"));
        assert_eq!(of(&settings, "[mx.example]:25"), None);
        let by_host = found(&settings, "me@s.example", "other.example", "x.example");
        assert_eq!(by_host.as_deref(), Some("you:c"));
        settings.smtp_sender_dependent_authentication = true;
        assert_eq!(of(&settings, "[mx.example]:587").as_deref(), Some("me:s"));
        let by_domain = found(&settings, "x@t.example", "a.example", "[mx.example]:587");
        assert_eq!(by_domain.as_deref(), Some("all:t"));
        let other = found(&settings, "x@s.example", "a.example", "[mx.example]:587");
        assert_eq!(other.as_deref(), Some("me:a:b"));
        settings.smtp_sasl_auth_enable = false;
        assert_eq!(of(&settings, "[mx.example]:587"), None);
    }

    #[test]
    fn options_and_filter_choose_mechanisms() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let left = |options, filter| mechanisms(&words(options), &words(filter)).join(" ");
        assert_eq!(left("noanonymous", ""), MECHANISMS.join(" "));
        assert_eq!(
            left("noplaintext noanonymous", "!/^SCRAM/ cram-md5 plain"),
            "CRAM-MD5"
        );
        assert!(!left("mutual_auth", "").contains("CRAM-MD5"));
        assert_eq!(left("", "!plain login"), "LOGIN");
        assert_eq!(left("", "plain"), "PLAIN");
        assert_eq!(
            left("", "!plain static:rest"),
            MECHANISMS.join(" ").replace("PLAIN ", "")
        );
    }
}
