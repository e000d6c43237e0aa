//! Who to log in as at other servers: `smtp_sasl_password_maps`, and the mechanisms that may be used.

use crate::parameters::Parameters;
use settings::TableRef;
use smtp::client::Credentials;
use tables::Tables;

/// The mechanisms that the client machine has. Both send the password as it is.
const MECHANISMS: [&str; 2] = ["PLAIN", "LOGIN"];

/// The logins of the SMTP client.
pub(crate) struct Logins {
    /// `None`: it never logs in.
    passwords: Option<Tables>,
    /// The mechanisms without and with TLS.
    without_tls: Vec<String>,
    with_tls: Vec<String>,
}

impl Logins {
    /// What main.cf says of one client.
    pub(crate) fn of(chosen: &Parameters<'_>) -> Logins {
        let maps: &[TableRef] = chosen.sasl_password_maps;
        // A table that cannot be opened fails at every lookup: mail waits, and its log line says why.
        let passwords = (*chosen.sasl_auth_enable).then(|| Tables::open(maps).0);
        let filter = chosen.sasl_mechanism_filter;
        Logins {
            passwords,
            without_tls: mechanisms(chosen.sasl_security_options, filter),
            with_tls: mechanisms(chosen.sasl_tls_security_options, filter),
        }
    }

    /// As [`Tables::tell_warnings`].
    pub(crate) fn tell_warnings(&mut self, tell: &tables::Tell) {
        self.passwords
            .iter_mut()
            .for_each(|tables| tables.tell_warnings(tell));
    }

    /// The login for a host of a next hop: by the host's name, by the next hop's, and as the next hop is written
    /// (`[host]:port`).
    ///
    /// # Errors
    /// When a table cannot be asked.
    pub(crate) fn login(&self, host: &str, next_hop: &str) -> Result<Option<Credentials>, tables::Error> {
        let Some(passwords) = &self.passwords else {
            return Ok(None);
        };
        let bare = next_hop.strip_prefix('[').and_then(|rest| rest.split(']').next());
        for key in [host].into_iter().chain(bare).chain([next_hop]) {
            if let Some(found) = passwords.lookup(&key.to_ascii_lowercase())? {
                let (user, password) = found.split_once(':').unwrap_or((&found, ""));
                return Ok(Some(Credentials {
                    user: user.to_owned(),
                    password: password.to_owned(),
                    mechanisms_without_tls: self.without_tls.clone(),
                    mechanisms_with_tls: self.with_tls.clone(),
                }));
            }
        }
        Ok(None)
    }
}

/// What `smtp_sasl_security_options` and `smtp_sasl_mechanism_filter` leave.
fn mechanisms(options: &[String], filter: &[String]) -> Vec<String> {
    if options.iter().any(|option| option == "noplaintext") {
        return Vec::new();
    }
    let allowed = |name: &&str| {
        let matching = filter.iter().find_map(|word| {
            let bare = word.trim_start_matches('!');
            let matches = bare.starts_with("static:") || bare.eq_ignore_ascii_case(name);
            matches.then_some((word.len() - bare.len()).is_multiple_of(2))
        });
        filter.is_empty() || matching.unwrap_or(false)
    };
    let names = MECHANISMS.iter().filter(|name| allowed(name));
    names.map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{Postfix, Surroundings};
    use smtp::client::Protocol;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.smtp_sasl_auth_enable = true;
        let table = TableRef::new("inline", "{ [mx.example]:587=me:a:b, other.example=you:c }");
        settings.smtp_sasl_password_maps = vec![table];
        settings
    }

    #[test]
    fn logins_are_found_by_next_hop_and_by_host() {
        let logins = Logins::of(&Parameters::of(Protocol::Smtp, &settings()));
        let of = |next_hop| logins.login("a.example", next_hop).expect("no broken table");
        let found = of("[mx.example]:587").expect("a login");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("me", "a:b"));
        assert_eq!(of("[other.example]:25").expect("a login").user, "you");
        assert!(of("[mx.example]:25").is_none());
        let by_host = logins
            .login("other.example", "x.example")
            .expect("no broken table");
        assert_eq!(by_host.expect("a login").user, "you");
        let mut never = settings();
        never.smtp_sasl_auth_enable = false;
        assert!(
            Logins::of(&Parameters::of(Protocol::Smtp, &never))
                .login("other.example", "x.example")
                .expect("no table")
                .is_none()
        );
    }

    #[test]
    fn options_and_filter_choose_mechanisms() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let left = |options, filter| mechanisms(&words(options), &words(filter)).join(" ");
        assert_eq!(left("noanonymous", ""), "PLAIN LOGIN");
        assert_eq!(left("noplaintext noanonymous", ""), "");
        assert_eq!(left("", "!plain static:rest"), "LOGIN");
        assert_eq!(left("", "plain"), "PLAIN");
    }
}
