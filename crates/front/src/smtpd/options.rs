//! What the parameters of a service mean for its machines.

use std::sync::Arc;
use std::time::Duration;

use machine::SECOND;
use sasl::mechanism::Trait;
use settings::{BareNewline, NotifyClass, Postfix, TlsLevel};
use smtp::server::{Auth, BareNewline as Strictness, Config, Limits, Protocol, Tls, Words};

use tables::name_list::NameList;

use super::clients::Group;

/// The machine's configuration by parameters.
/// Which log-ins there are: `mechanisms` are those of the authority, in capitals.
pub(super) fn config(
    settings: &Postfix,
    has_certificate: bool,
    filter: &NameList,
    mechanisms: &[String],
) -> Config {
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
        words: Words::Postfix,
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
        tells_unknown: !(settings.smtpd_milters.is_empty() && settings.smtpd_milter_maps.is_empty()),
        helo_required: settings.smtpd_helo_required,
        tls: match tls_level(settings) {
            _ if !has_certificate => Tls::None,
            _ if settings.smtpd_tls_wrappermode => Tls::Active,
            TlsLevel::Unset | TlsLevel::None => Tls::None,
            TlsLevel::May => Tls::Offered,
            _ => Tls::Required,
        },
        auth: auth(settings, filter, mechanisms),
        soft_bounce: settings.soft_bounce,
        vrfy: !settings.disable_vrfy_command,
        strict_envelopes: settings.strict_rfc821_envelopes,
        allow_leading_minus: settings.allow_min_user,
        discard_ehlo_keywords: discarded,
        forbidden_commands: upper(&settings.smtpd_forbidden_commands),
        noop_commands: upper(&settings.smtpd_noop_commands),
        command_filter: None,
        xforward: false,
        xclient: false,
        forbids_pipelining: settings.smtpd_forbid_unauth_pipelining,
        transcript_lines: wants_transcripts(settings).then_some(settings.smtpd_history_flush_threshold),
    }
}

/// Whether a session may become a notice to the postmaster.
fn wants_transcripts(settings: &Postfix) -> bool {
    let of_sessions = |class: &NotifyClass| !matches!(class, NotifyClass::TwoBounce | NotifyClass::Delay);
    settings.notify_classes.iter().any(of_sessions)
}

/// The configuration for one client: `smtpd_forbid_bare_newline_exclusions` and `smtpd_sasl_exceptions_networks`.
///
/// An excluded client is neither refused nor noted, but LF.LF never ends its message either.
pub(super) fn for_client(config: &Arc<Config>, is_in: impl Fn(Group) -> bool) -> Arc<Config> {
    let is_lenient =
        matches!(config.bare_newline, Strictness::Note | Strictness::Reject) && is_in(Group::BareNewlines);
    let is_without_auth = is_in(Group::WithoutAuth);
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

/// `smtpd_sasl_security_options` and its like over the mechanisms of the authority.
pub(super) fn auth(settings: &Postfix, filter: &NameList, mechanisms: &[String]) -> Auth {
    if !settings.smtpd_sasl_auth_enable {
        return Auth::default();
    }
    let allowed = |options: &[String]| -> Vec<String> {
        let names = mechanisms.iter();
        names
            .filter(|name| options.iter().all(|option| fits(name, option)))
            .filter(|name| matches!(filter.contains(name), Ok(true)))
            .cloned()
            .collect()
    };
    // Bound to TLS, which must be 1.3: here nobody knows beforehand which version it will be.
    let unbound = |list: Vec<String>| -> Vec<String> {
        let can_bind = settings
            .smtpd_tls_mandatory_protocols
            .iter()
            .any(|word| word == ">=TLSv1.3");
        list.into_iter()
            .filter(|name| can_bind || !name.ends_with("-PLUS"))
            .collect()
    };
    let plain = |list: Vec<String>| -> Vec<String> {
        let needs_tls = |name: &String| name.ends_with("-PLUS") || name == "EXTERNAL";
        list.into_iter().filter(|name| !needs_tls(name)).collect()
    };
    Auth {
        mechanisms_without_tls: if settings.smtpd_tls_auth_only {
            Vec::new()
        } else {
            plain(allowed(&settings.smtpd_sasl_security_options))
        },
        mechanisms_with_tls: unbound(allowed(&settings.smtpd_sasl_tls_security_options)),
        broken_clients: settings.broken_sasl_auth_clients,
    }
}

/// Whether a mechanism may be offered under one of the security options.
fn fits(name: &str, option: &str) -> bool {
    let traits = sasl::mechanism::traits(name);
    match option {
        "noplaintext" => !traits.contains(&Trait::Plaintext),
        "noactive" => !traits.contains(&Trait::Active) && !traits.contains(&Trait::Plaintext),
        "nodictionary" => !traits.contains(&Trait::Dictionary) && !traits.contains(&Trait::Plaintext),
        "noanonymous" => !traits.contains(&Trait::Anonymous),
        "forward_secrecy" => traits.contains(&Trait::ForwardSecrecy),
        "mutual_auth" => traits.contains(&Trait::Mutual),
        _ => true,
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
        let known = [
            "PLAIN",
            "LOGIN",
            "CRAM-MD5",
            "SCRAM-SHA-256",
            "SCRAM-SHA-256-PLUS",
            "ANONYMOUS",
            "EXTERNAL",
        ];
        let auth = config(settings, true, &filter, &known.map(str::to_owned)).auth;
        (auth.mechanisms_without_tls, auth.mechanisms_with_tls)
    }

    #[test]
    fn mechanisms_are_offered_as_the_options_allow() {
        let list = |names: &str| -> Vec<String> { names.split_whitespace().map(str::to_owned).collect() };
        let all = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256";
        let mut settings = settings();
        assert_eq!(offered(&settings), (list(all), list(all)));
        settings.smtpd_sasl_mechanism_filter = vec![
            "!login".to_owned(),
            "!external".to_owned(),
            "static:rest".to_owned(),
        ];
        settings.smtpd_sasl_security_options = vec!["noplaintext".to_owned()];
        let without = list("CRAM-MD5 SCRAM-SHA-256 ANONYMOUS");
        assert_eq!(
            offered(&settings),
            (without, list("PLAIN CRAM-MD5 SCRAM-SHA-256"))
        );
        for (option, wanted) in [
            ("nodictionary", "SCRAM-SHA-256 ANONYMOUS"),
            ("noactive", "SCRAM-SHA-256 ANONYMOUS"),
            ("mutual_auth", "SCRAM-SHA-256"),
            ("forward_secrecy", ""),
        ] {
            settings.smtpd_sasl_security_options = vec![option.to_owned()];
            assert_eq!(offered(&settings).0, list(wanted), "{option}");
        }
        settings.smtpd_sasl_mechanism_filter = vec!["external".to_owned(), "scram-sha-256".to_owned()];
        assert_eq!(offered(&settings), (list(""), list("SCRAM-SHA-256 EXTERNAL")));
        settings.smtpd_sasl_mechanism_filter = vec![
            "!login".to_owned(),
            "!external".to_owned(),
            "static:rest".to_owned(),
        ];
        settings.smtpd_tls_auth_only = true;
        settings.smtpd_tls_mandatory_protocols = vec![">=TLSv1.3".to_owned()];
        let bound = list("PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS");
        assert_eq!(offered(&settings), (vec![], bound));
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
            let config = Arc::new(config(&settings, false, &filter, &[]));
            assert_eq!(for_client(&config, |_| false).bare_newline, for_stranger);
            let friend = for_client(&config, |group| group == Group::BareNewlines);
            assert_eq!(friend.bare_newline, for_friend);
        }
    }
}
