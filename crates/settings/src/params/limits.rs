//! What a text of the right shape must keep to besides: Postfix's smallest and largest values, and lists of words.

use std::sync::OnceLock;

use crate::kinds::{self, Shape};
use crate::{Error, params};

/// Parameters that are numbers or times with their smallest and largest values in bare units (seconds for times), as
/// Postfix 3.7 has them; `u64::MAX`: no largest.
const RANGES: &[(&[&str], u64, u64)] = &[
    (
        &[
            "address_verify_negative_expire_time",
            "address_verify_negative_refresh_time",
            "address_verify_pending_request_limit",
            "address_verify_poll_count",
            "address_verify_poll_delay",
            "address_verify_positive_expire_time",
            "address_verify_positive_refresh_time",
            "anvil_rate_time_unit",
            "anvil_status_update_time",
            "bounce_size_limit",
            "command_time_limit",
            "daemon_timeout",
            "debug_peer_level",
            "default_process_limit",
            "default_recipient_refill_limit",
            "deliver_lock_attempts",
            "deliver_lock_delay",
            "fork_attempts",
            "fork_delay",
            "header_address_token_limit",
            "header_size_limit",
            "hopcount_limit",
            "initial_destination_concurrency",
            "ipc_timeout",
            "lmtp_data_done_timeout",
            "lmtp_data_init_timeout",
            "lmtp_data_xfer_timeout",
            "lmtp_lhlo_timeout",
            "lmtp_mail_timeout",
            "lmtp_quit_timeout",
            "lmtp_rcpt_timeout",
            "max_idle",
            "max_use",
            "maximal_backoff_time",
            "mime_boundary_length_limit",
            "mime_nesting_limit",
            "minimal_backoff_time",
            "qmgr_message_active_limit",
            "qmgr_message_recipient_limit",
            "qmgr_message_recipient_minimum",
            "queue_run_delay",
            "service_throttle_time",
            "smtp_data_done_timeout",
            "smtp_data_init_timeout",
            "smtp_data_xfer_timeout",
            "smtp_helo_timeout",
            "smtp_mail_timeout",
            "smtp_quit_timeout",
            "smtp_rcpt_timeout",
            "smtp_rset_timeout",
            "smtp_starttls_timeout",
            "smtpd_hard_error_limit",
            "smtpd_history_flush_threshold",
            "smtpd_junk_command_limit",
            "smtpd_min_data_rate",
            "smtpd_recipient_limit",
            "smtpd_recipient_overshoot_limit",
            "smtpd_soft_error_limit",
            "smtpd_starttls_timeout",
            "smtpd_timeout",
            "stale_lock_time",
            "transport_retry_time",
            "trigger_timeout",
            "virtual_alias_address_length_limit",
            "virtual_alias_expansion_limit",
            "virtual_alias_recursion_limit",
            "virtual_minimum_uid",
        ],
        1,
        u64::MAX,
    ),
    (&["line_length_limit"], 512, u64::MAX),
    (&["smtpd_sasl_response_limit"], 12_288, u64::MAX),
    (
        &["bounce_queue_lifetime", "maximal_queue_lifetime"],
        0,
        100 * 86_400,
    ),
    (&["delay_logging_resolution_limit"], 0, 6),
    (&["in_flow_delay"], 0, 10),
    (&["smtpd_forbid_bare_newline_reject_code"], 500, 599),
    (
        &["unverified_recipient_defer_code", "unverified_sender_defer_code"],
        200,
        499,
    ),
    (
        &[
            "unverified_recipient_reject_code",
            "unverified_sender_reject_code",
        ],
        200,
        599,
    ),
];

/// Parameters whose text must not be empty.
const NOT_EMPTY: &[&str] = &[
    "bounce_notice_recipient",
    "canonical_classes",
    "command_expansion_filter",
    "config_directory",
    "data_directory",
    "default_database_type",
    "default_privs",
    "default_transport",
    "delay_notice_recipient",
    "double_bounce_sender",
    "empty_address_recipient",
    "error_notice_recipient",
    "forward_expansion_filter",
    "header_from_format",
    "lmtp_lhlo_name",
    "local_transport",
    "mail_name",
    "mail_owner",
    "mail_version",
    "maillog_file_compressor",
    "maillog_file_prefixes",
    "maillog_file_rotate_suffix",
    "mydomain",
    "myhostname",
    "myorigin",
    "queue_directory",
    "recipient_canonical_classes",
    "relay_transport",
    "sender_canonical_classes",
    "setgid_group",
    "smtp_helo_name",
    "smtp_host_lookup",
    "smtpd_banner",
    "smtpd_expansion_filter",
    "smtpd_sasl_path",
    "smtpd_sasl_service",
    "smtpd_sasl_type",
    "smtputf8_autodetect_classes",
    "syslog_facility",
    "syslog_name",
    "virtual_transport",
];

const FACILITIES: &[&str] = &[
    "auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "security", "syslog", "user",
    "uucp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
const TLS_PROTOCOLS: &[&str] = &["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const TLS_CIPHERS: &[&str] = &["export", "low", "medium", "high", "null"];
const SASL_OPTIONS: &[&str] = &[
    "noplaintext",
    "noactive",
    "nodictionary",
    "noanonymous",
    "forward_secrecy",
    "mutual_auth",
];
const ORIGINS: &[&str] = &[
    "sendmail", "smtpd", "qmqpd", "forward", "bounce", "notify", "verify", "all",
];
const DEFERRALS: &[&str] = &["defer", "defer_if_permit"];

/// Parameters whose text is one word of a list, or several.
const WORDS: &[(&str, &[&str])] = &[
    ("allow_mail_to_commands", &["alias", "forward", "include"]),
    ("allow_mail_to_files", &["alias", "forward", "include"]),
    ("internal_mail_filter_classes", &["bounce", "notify"]),
    ("lmtp_address_verify_target", &["rcpt", "data"]),
    ("smtp_address_verify_target", &["rcpt", "data"]),
    ("smtp_sasl_security_options", SASL_OPTIONS),
    ("smtp_sasl_tls_security_options", SASL_OPTIONS),
    ("smtp_sasl_type", &["cyrus", "dovecot"]),
    ("smtp_tls_ciphers", TLS_CIPHERS),
    ("smtp_tls_mandatory_ciphers", TLS_CIPHERS),
    ("smtpd_sasl_security_options", SASL_OPTIONS),
    ("smtpd_sasl_tls_security_options", SASL_OPTIONS),
    ("smtpd_sasl_type", &["cyrus", "dovecot"]),
    ("smtpd_tls_ciphers", TLS_CIPHERS),
    ("smtpd_tls_mandatory_ciphers", TLS_CIPHERS),
    ("smtputf8_autodetect_classes", ORIGINS),
    ("syslog_facility", FACILITIES),
    ("unverified_recipient_tempfail_action", DEFERRALS),
    ("unverified_sender_tempfail_action", DEFERRALS),
];

/// What is wrong with a text that has its parameter's shape already. `raw` is the text before `$name` was replaced:
/// what is only empty because `$service_name` is not known yet is no mistake.
pub(crate) fn faults(name: &str, raw: &str, text: &str) -> Vec<Error> {
    if raw.trim().is_empty() && NOT_EMPTY.contains(&name) {
        return vec![Error::Shape("it must not be empty".to_owned())];
    }
    let Some(parameter) = params::postfix(name) else {
        return Vec::new();
    };
    if let Some((_, allowed)) = WORDS.iter().find(|(known, _)| *known == name) {
        let wrong = kinds::words(text)
            .into_iter()
            .filter(|word| !allowed.iter().any(|known| known.eq_ignore_ascii_case(word)));
        return wrong.map(|word| not_one_of(&word, allowed)).collect();
    }
    if name.ends_with("_tls_protocols") || name.ends_with("_tls_mandatory_protocols") {
        return text
            .split(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | ':'))
            .filter(|word| !word.is_empty() && !is_tls_protocol(word))
            .map(|word| not_one_of(word, TLS_PROTOCOLS))
            .collect();
    }
    let in_range = |number: Option<u64>| {
        let outside = number.and_then(|number| out_of_range(name, text, number));
        outside.into_iter().collect()
    };
    match parameter.shape {
        Shape::Time(unit) => in_range(kinds::time(text, unit).ok().map(|time| time.as_secs())),
        Shape::Bytes | Shape::Count => in_range(text.trim().parse().ok()),
        // These may let in what cannot be verified: ADDRESS_VERIFICATION_README.
        Shape::ReplyCode
            if name == "smtpd_forbid_bare_newline_reject_code" || name.starts_with("unverified_") =>
        {
            in_range(text.trim().parse().ok())
        }
        Shape::ReplyCode if text.trim().starts_with(['2', '3']) => {
            vec![Error::Shape(format!(
                "\"{text}\" is not the code of a refusal: write one from 400 to 599"
            ))]
        }
        _ => Vec::new(),
    }
}

fn not_one_of(word: &str, allowed: &[&str]) -> Error {
    Error::Shape(format!("\"{word}\" is not one of {}", allowed.join(", ")))
}

/// `TLSv1.2`, `!SSLv3`, `>=TLSv1.2`, `<=TLSv1.3`; Postfix takes hexadecimal version numbers too.
fn is_tls_protocol(word: &str) -> bool {
    let bound = word.strip_prefix(">=").or_else(|| word.strip_prefix("<="));
    let bare = bound.unwrap_or_else(|| word.trim_start_matches('!'));
    let known = TLS_PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(bare));
    let number = bare.strip_prefix("0x").or_else(|| bare.strip_prefix("0X"));
    known || bound.is_some() && number.is_some_and(|digits| u16::from_str_radix(digits, 16).is_ok())
}

fn out_of_range(name: &str, text: &str, number: u64) -> Option<Error> {
    static BY_NAME: OnceLock<std::collections::BTreeMap<&str, (u64, u64)>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let rows = RANGES.iter();
        rows.flat_map(|(names, least, most)| names.iter().map(move |name| (*name, (*least, *most))))
            .collect()
    });
    let (least, most) = *by_name.get(name)?;
    let is_time = params::postfix(name).is_some_and(|parameter| matches!(parameter.shape, Shape::Time(_)));
    let shown = |number: u64| match is_time {
        true if number > 0 && number.is_multiple_of(86_400) => format!("{}d", number / 86_400),
        true => format!("{number}s"),
        false => number.to_string(),
    };
    if number < least {
        return Some(Error::Shape(format!(
            "\"{text}\" is too small: it must be {} or more",
            shown(least)
        )));
    }
    (number > most).then(|| {
        Error::Shape(format!(
            "\"{text}\" is too large: it must be {} or less",
            shown(most)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, text: &str) -> Vec<String> {
        faults(name, text, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_name_is_one_of_the_table() {
        let ranges = RANGES.iter().flat_map(|(names, ..)| *names);
        let words = WORDS.iter().map(|(name, _)| name);
        for name in ranges.chain(NOT_EMPTY).chain(words) {
            let parameter = params::postfix(name).unwrap_or_else(|| panic!("{name} is not there"));
            let default = parameter.default;
            if !default.is_empty() && !default.contains('$') {
                assert_eq!(told(name, default), [""; 0], "{name}");
            }
        }
    }

    #[test]
    fn values_out_of_range() {
        assert_eq!(
            told("hopcount_limit", "0"),
            ["\"0\" is too small: it must be 1 or more"]
        );
        assert_eq!(
            told("maximal_queue_lifetime", "200d"),
            ["\"200d\" is too large: it must be 100d or less"]
        );
        assert_eq!(
            told("queue_run_delay", "0"),
            ["\"0\" is too small: it must be 1s or more"]
        );
        assert_eq!(told("myhostname", ""), ["it must not be empty"]);
        assert_eq!(faults("syslog_name", "$service_name", ""), []);
        assert!(told("reject_code", "250")[0].starts_with("\"250\" is not the code of a refusal"));
        assert_eq!(told("unverified_recipient_reject_code", "250"), [""; 0]);
        assert_eq!(
            told("unverified_sender_defer_code", "550"),
            ["\"550\" is too large: it must be 499 or less"]
        );
        assert_eq!(
            told("unverified_recipient_tempfail_action", "permit"),
            ["\"permit\" is not one of defer, defer_if_permit"]
        );
        assert_eq!(told("bounce_queue_lifetime", "0"), [""; 0]);
    }

    #[test]
    fn every_unknown_word_is_told() {
        let protocols = told(
            "smtpd_tls_protocols",
            "!SSLv2, TLSv9:>=TLSv1.2 <=0x0304 tlsv1.3 !!x",
        );
        assert_eq!(protocols.len(), 2);
        assert!(
            protocols[0].starts_with("\"TLSv9\" is not one of SSLv2, ")
                && protocols[1].starts_with("\"!!x\"")
        );
        assert!(told("syslog_facility", "nope")[0].starts_with("\"nope\" is not one of auth, "));
        assert_eq!(
            told("smtpd_sasl_type", "kerberos"),
            ["\"kerberos\" is not one of cyrus, dovecot"]
        );
        assert_eq!(
            told("smtpd_sasl_security_options", "noanonymous, noplaintext"),
            [""; 0]
        );
    }
}
