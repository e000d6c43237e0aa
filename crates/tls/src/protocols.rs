//! Which protocol versions a setting allows: Postfix's `smtpd_tls_protocols` lists and Dovecot's `ssl_min_protocol`.

use crate::Error;

/// The versions that may be spoken, of the two that Yubin has. At least one is `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Protocols {
    tls12: bool,
    tls13: bool,
}

/// Oldest first; the position is the order.
const NAMES: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const TLS12: usize = 4;
const TLS13: usize = 5;

static ONLY_12: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
static ONLY_13: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
static BOTH: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

impl Default for Protocols {
    fn default() -> Protocols {
        Protocols {
            tls12: true,
            tls13: true,
        }
    }
}

impl Protocols {
    /// A list as in `smtpd_tls_protocols`: `>=TLSv1.2`, `<=TLSv1.3`, `!SSLv2`, or the wanted names, parted by
    /// white space, commas or colons (postconf(5)). An empty list allows all.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`], [`Error::NoProtocolLeft`].
    pub fn of_postfix(text: &str) -> Result<Protocols, Error> {
        let (mut floor, mut ceiling) = (0, TLS13);
        let (mut excluded, mut wanted) = ([false; NAMES.len()], [false; NAMES.len()]);
        for word in text
            .split([' ', '\t', '\n', '\r', ',', ':'])
            .filter(|word| !word.is_empty())
        {
            if let Some(name) = word.strip_prefix(">=") {
                floor = number(name)?;
            } else if let Some(name) = word.strip_prefix("<=") {
                ceiling = number(name)?;
            } else if let Some(name) = word.strip_prefix('!') {
                excluded[number(name)?] = true;
            } else {
                wanted[number(word)?] = true;
            }
        }
        let only_wanted = wanted.contains(&true);
        let allowed = |version: usize| {
            (floor..=ceiling).contains(&version) && !excluded[version] && (!only_wanted || wanted[version])
        };
        Protocols {
            tls12: allowed(TLS12),
            tls13: allowed(TLS13),
        }
        .if_any(text)
    }

    /// A lowest version as in Dovecot's `ssl_min_protocol`: a name, `ANY` or `LATEST`.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`].
    pub fn of_dovecot_minimum(text: &str) -> Result<Protocols, Error> {
        let floor = match text.trim() {
            "" | "ANY" => 0,
            "LATEST" => TLS13,
            name => number(name)?,
        };
        Ok(Protocols {
            tls12: floor <= TLS12,
            tls13: true,
        })
    }

    /// The versions for rustls.
    pub(crate) fn versions(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        match (self.tls12, self.tls13) {
            (true, false) => &ONLY_12,
            (false, true) => &ONLY_13,
            _ => &BOTH,
        }
    }

    fn if_any(self, text: &str) -> Result<Protocols, Error> {
        if self.tls12 || self.tls13 {
            Ok(self)
        } else {
            Err(Error::NoProtocolLeft {
                text: text.to_owned(),
            })
        }
    }
}

fn number(name: &str) -> Result<usize, Error> {
    let known = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
    let by_number = || match name {
        "0301" | "0x0301" => Some(2),
        "0302" | "0x0302" => Some(3),
        "0303" | "0x0303" => Some(TLS12),
        "0304" | "0x0304" => Some(TLS13),
        _ => None,
    };
    known.or_else(by_number).ok_or_else(|| Error::UnknownProtocol {
        word: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postfix_lists() {
        let both = Protocols {
            tls12: true,
            tls13: true,
        };
        let only12 = Protocols {
            tls12: true,
            tls13: false,
        };
        let only13 = Protocols {
            tls12: false,
            tls13: true,
        };
        for (text, expected) in [
            ("", both),
            (">=TLSv1", both),
            ("!SSLv2, !SSLv3", both),
            (">=TLSv1.3", only13),
            ("!TLSv1.2 !TLSv1.1", only13),
            ("TLSv1.2", only12),
            ("<=TLSv1.2", only12),
            ("tlsv1.2:tlsv1.3", both),
        ] {
            assert_eq!(Protocols::of_postfix(text).unwrap(), expected, "{text}");
        }
        assert!(matches!(
            Protocols::of_postfix("TLSv1"),
            Err(Error::NoProtocolLeft { .. })
        ));
        assert!(matches!(
            Protocols::of_postfix(">=TLSv9"),
            Err(Error::UnknownProtocol { .. })
        ));
    }

    #[test]
    fn dovecot_minimum() {
        assert_eq!(
            Protocols::of_dovecot_minimum("TLSv1.2").unwrap(),
            Protocols::default()
        );
        assert_eq!(
            Protocols::of_dovecot_minimum("TLSv1.3").unwrap(),
            Protocols {
                tls12: false,
                tls13: true
            }
        );
        assert_eq!(
            Protocols::of_dovecot_minimum("LATEST").unwrap(),
            Protocols {
                tls12: false,
                tls13: true
            }
        );
        assert!(Protocols::of_dovecot_minimum("SSL").is_err());
    }
}
