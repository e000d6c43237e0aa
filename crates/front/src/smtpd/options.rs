//! What the parameters of a service mean for its machines.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use machine::SECOND;
use settings::{BareNewline, Postfix, TlsLevel};
use smtp::server::{Auth, BareNewline as Strictness, Config, Limits, Protocol, Tls};

use tables::name_list::NameList;

/// The machine's configuration by parameters.
pub(super) fn config(settings: &Postfix, has_certificate: bool, filter: &NameList) -> Config {
    let upper = |list: &[String]| {
        list.iter()
            .map(|word| word.to_ascii_uppercase())
            .collect::<Vec<_>>()
    };
    let mut discarded = upper(&settings.smtpd_discard_ehlo_keywords);
    if !settings.smtputf8_enable {
        discarded.push("SMTPUTF8".to_owned());
    }
    Config {
        protocol: Protocol::Smtp,
        hostname: settings.myhostname.clone(),
        banner: settings.smtpd_banner.clone(),
        limits: limits(settings),
        bare_newline: match settings.smtpd_forbid_bare_newline {
            BareNewline::No => Strictness::Allow,
            BareNewline::Yes | BareNewline::Normalize => Strictness::Normalize,
            BareNewline::Note => Strictness::Note,
            BareNewline::Reject => Strictness::Reject,
        },
        bare_newline_reject_code: settings.smtpd_forbid_bare_newline_reject_code,
        replace_stray_cr: settings.cleanup_replace_stray_cr_lf,
        helo_required: settings.smtpd_helo_required,
        tls: match tls_level(settings) {
            _ if !has_certificate => Tls::None,
            _ if settings.smtpd_tls_wrappermode => Tls::Active,
            TlsLevel::Unset | TlsLevel::None => Tls::None,
            TlsLevel::May => Tls::Offered,
            _ => Tls::Required,
        },
        auth: auth(settings, filter),
        vrfy: !settings.disable_vrfy_command,
        strict_envelopes: settings.strict_rfc821_envelopes,
        allow_leading_minus: settings.allow_min_user,
        discard_ehlo_keywords: discarded,
        forbidden_commands: upper(&settings.smtpd_forbidden_commands),
        noop_commands: upper(&settings.smtpd_noop_commands),
    }
}

/// The configuration for one client: `smtpd_forbid_bare_newline_exclusions` and `smtpd_sasl_exceptions_networks`.
///
/// An excluded client is neither refused nor noted, but LF.LF never ends its message either.
pub(super) fn for_client(config: &Arc<Config>, settings: &Postfix, client: IpAddr) -> Arc<Config> {
    let is_lenient = settings.smtpd_forbid_bare_newline_exclusions.contains(client)
        && matches!(config.bare_newline, Strictness::Note | Strictness::Reject);
    let is_without_auth = settings.smtpd_sasl_exceptions_networks.contains(client);
    if !is_lenient && !is_without_auth {
        return Arc::clone(config);
    }
    let mut own = Config::clone(config);
    if is_lenient {
        own.bare_newline = Strictness::Normalize;
    }
    if is_without_auth {
        own.auth = Auth::default();
    }
    Arc::new(own)
}

fn limits(settings: &Postfix) -> Limits {
    Limits {
        line_octets_max: settings.line_length_limit,
        message_octets_max: settings.message_size_limit,
        recipients_max: settings.smtpd_recipient_limit,
        recipients_overshoot_max: settings.smtpd_recipient_overshoot_limit,
        soft_errors_max: settings.smtpd_soft_error_limit,
        hard_errors_max: settings.smtpd_hard_error_limit,
        junk_commands_max: settings.smtpd_junk_command_limit,
        error_delay: stamp(settings.smtpd_error_sleep_time),
        timeout: stamp(settings.smtpd_timeout),
    }
}

/// How much TLS the service asks for: `smtpd_tls_security_level`, or what the older settings say.
pub fn tls_level(settings: &Postfix) -> TlsLevel {
    match settings.smtpd_tls_security_level {
        _ if settings.smtpd_tls_wrappermode => TlsLevel::Encrypt,
        TlsLevel::Unset if settings.smtpd_enforce_tls => TlsLevel::Encrypt,
        TlsLevel::Unset if settings.smtpd_use_tls => TlsLevel::May,
        TlsLevel::Unset => TlsLevel::None,
        level => level,
    }
}

fn auth(settings: &Postfix, filter: &NameList) -> Auth {
    if !settings.smtpd_sasl_auth_enable {
        return Auth::default();
    }
    // Every mechanism that is there sends the password as it is, and knows who logs in.
    let allowed = |options: &[String]| -> Vec<String> {
        if options.iter().any(|option| option == "noplaintext") {
            return Vec::new();
        }
        let names = sasl::mechanism::NAMES.iter();
        names
            .filter(|name| matches!(filter.contains(name), Ok(true)))
            .map(|name| (*name).to_owned())
            .collect()
    };
    Auth {
        mechanisms_without_tls: if settings.smtpd_tls_auth_only {
            Vec::new()
        } else {
            allowed(&settings.smtpd_sasl_security_options)
        },
        mechanisms_with_tls: allowed(&settings.smtpd_sasl_tls_security_options),
        broken_clients: settings.broken_sasl_auth_clients,
    }
}

fn stamp(duration: Duration) -> machine::Stamp {
    machine::Stamp::try_from(duration.as_micros()).unwrap_or(i64::MAX / SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.smtpd_sasl_auth_enable = true;
        settings
    }

    fn offered(settings: &Postfix) -> (Vec<String>, Vec<String>) {
        let filter = NameList::open(&settings.smtpd_sasl_mechanism_filter, &mut Vec::new());
        let auth = config(settings, true, &filter).auth;
        (auth.mechanisms_without_tls, auth.mechanisms_with_tls)
    }

    #[test]
    fn mechanisms_are_offered_as_the_options_allow() {
        let both = || vec!["PLAIN".to_owned(), "LOGIN".to_owned()];
        let mut settings = settings();
        assert_eq!(offered(&settings), (both(), both()));
        settings.smtpd_sasl_mechanism_filter = vec!["!login".to_owned(), "static:rest".to_owned()];
        assert_eq!(offered(&settings).0, ["PLAIN"]);
        settings.smtpd_sasl_security_options = vec!["noplaintext".to_owned()];
        assert_eq!(offered(&settings), (vec![], vec!["PLAIN".to_owned()]));
        settings.smtpd_sasl_tls_security_options = vec!["noplaintext".to_owned()];
        assert_eq!(offered(&settings), (vec![], vec![]));
    }

    #[test]
    fn the_older_settings_of_tls_count_when_no_level_is_set() {
        let mut settings = settings();
        assert_eq!(tls_level(&settings), TlsLevel::None);
        settings.smtpd_use_tls = true;
        assert_eq!(tls_level(&settings), TlsLevel::May);
        settings.smtpd_enforce_tls = true;
        assert_eq!(tls_level(&settings), TlsLevel::Encrypt);
        settings.smtpd_tls_security_level = TlsLevel::None;
        assert_eq!(tls_level(&settings), TlsLevel::None);
        settings.smtpd_tls_wrappermode = true;
        assert_eq!(tls_level(&settings), TlsLevel::Encrypt);
    }

    #[test]
    fn a_client_that_is_excluded_never_gets_two_messages_out_of_one() {
        use smtp::server::BareNewline;
        let mut settings = settings();
        let filter = NameList::default();
        settings.smtpd_forbid_bare_newline_exclusions = "127.0.0.0/8".parse().expect("a network");
        let (friend, stranger) = (
            "127.0.0.1".parse().expect("an address"),
            "192.0.2.1".parse().expect("an address"),
        );
        for (word, for_stranger, for_friend) in [
            (
                settings::BareNewline::Reject,
                BareNewline::Reject,
                BareNewline::Normalize,
            ),
            (
                settings::BareNewline::Note,
                BareNewline::Note,
                BareNewline::Normalize,
            ),
            (
                settings::BareNewline::Yes,
                BareNewline::Normalize,
                BareNewline::Normalize,
            ),
            (settings::BareNewline::No, BareNewline::Allow, BareNewline::Allow),
        ] {
            settings.smtpd_forbid_bare_newline = word;
            let config = Arc::new(config(&settings, false, &filter));
            assert_eq!(
                for_client(&config, &settings, stranger).bare_newline,
                for_stranger
            );
            assert_eq!(for_client(&config, &settings, friend).bare_newline, for_friend);
        }
    }
}
