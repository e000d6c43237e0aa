//! Names and variables of the 2.4 dialect and old names of 2.3, brought to the 2.3 names that `settings` has.

use settings::{Error, kinds::Kind, kinds::YesNo};

/// What an old or new name became.
pub(crate) enum Renamed {
    /// A name and a text.
    To(&'static str, String),
    /// Nothing: the setting has no counterpart; the reason is for the administrator.
    Dropped(&'static str),
    /// The text does not fit.
    Wrong(Error),
    /// The name is not one of these.
    Not,
}

/// Names that only changed: 2.4 or obsolete, and the 2.3 name.
const SAME: &[(&str, &str)] = &[
    (
        "auth_cache_verify_password",
        "auth_cache_verify_password_with_worker",
    ),
    ("imap_max_line_len", "imap_max_line_length"),
    ("mail_extra_groups", "mail_access_groups"),
    ("master_user_separator", "auth_master_user_separator"),
    ("managesieve_max_line_len", "managesieve_max_line_length"),
    ("max_mail_processes", "default_process_limit"),
    ("ssl_cert_file", "ssl_cert"),
    ("ssl_key_file", "ssl_key"),
    ("ssl_server_alt_cert_file", "ssl_alt_cert"),
    ("ssl_server_alt_key_file", "ssl_alt_key"),
    ("ssl_server_ca_file", "ssl_ca"),
    ("ssl_server_cert_file", "ssl_cert"),
    ("ssl_server_key_file", "ssl_key"),
    ("ssl_server_key_password", "ssl_key_password"),
    ("ssl_server_cert_username_field", "ssl_cert_username_field"),
    ("ssl_server_require_crl", "ssl_require_crl"),
];

/// Names whose value is a file where 2.3 has the file's content.
fn is_file_name(name: &str) -> bool {
    name.starts_with("ssl_") && name.ends_with("_file")
}

/// Brings one setting of the top level or of a filter to its 2.3 form.
pub(crate) fn rename(name: &str, text: &str) -> Renamed {
    let inverted = |name| match YesNo::read(text) {
        Ok(yes) => Renamed::To(name, if yes { "no" } else { "yes" }.to_owned()),
        Err(error) => Renamed::Wrong(error),
    };
    match name {
        "auth_allow_cleartext" => inverted("disable_plaintext_auth"),
        "ssl_disable" => inverted("ssl"),
        "ssl_server_request_client_cert" => Renamed::To("ssl_verify_client_cert", text.to_owned()),
        "ssl_server_prefer_ciphers" => Renamed::To(
            "ssl_prefer_server_ciphers",
            if text == "server" { "yes" } else { "no" }.to_owned(),
        ),
        "ssl_protocols" => Renamed::To("ssl_min_protocol", lowest_protocol(text).to_owned()),
        "ssl_cert_file" | "ssl_key_file" => file_content(name, text),
        "ssl_server_dh_file" | "ssl_dh_file" | "ssl_dh_parameters_length" | "ssl_parameters_regenerate" => {
            Renamed::Dropped("TLS here needs no parameters of its own for this")
        }
        "dovecot_config_version" | "dovecot_storage_version" => Renamed::Dropped(""),
        "fsync_disable" => Renamed::To(
            "mail_fsync",
            if text == "yes" { "never" } else { "optimized" }.to_owned(),
        ),
        "mail_drop_priv_before_exec" | "login_dir" | "login_chroot" | "login_user" | "login_executable" => {
            Renamed::Dropped("Yubin's roles are separated in another way")
        }
        "auth_worker_max_request_count" => Renamed::Dropped("there are no such processes"),
        _ if is_file_name(name) => file_content(name, text),
        _ => match SAME.iter().find(|(known, _)| *known == name) {
            Some((_, new)) => Renamed::To(new, text.to_owned()),
            None => Renamed::Not,
        },
    }
}

/// `ssl_server_cert_file = /x` is `ssl_cert = </x`.
fn file_content(name: &str, text: &str) -> Renamed {
    let text = if text.is_empty() || text.starts_with('<') {
        text.to_owned()
    } else {
        format!("<{text}")
    };
    match SAME.iter().find(|(known, _)| *known == name) {
        Some((_, new)) => Renamed::To(new, text),
        None => Renamed::Not,
    }
}

/// The lowest version that `ssl_protocols = !SSLv3 !TLSv1` leaves.
fn lowest_protocol(text: &str) -> &'static str {
    let names = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    let listed = |name: &str| text.split_ascii_whitespace().any(|word| word == name);
    let excluded = |name: &str| {
        text.split_ascii_whitespace()
            .any(|word| word.strip_prefix('!') == Some(name))
    };
    let any_listed = names.iter().any(|name| listed(name));
    names
        .into_iter()
        .find(|name| !excluded(name) && (!any_listed || listed(name)))
        .unwrap_or("TLSv1.2")
}

/// Names of variables in the 2.4 dialect and their letters in 2.3.
const VARIABLES: &[(&str, &str)] = &[
    ("user", "u"),
    ("user|username", "n"),
    ("user|domain", "d"),
    ("user|lower", "Lu"),
    ("user|username|lower", "Ln"),
    ("user|lower|username", "Ln"),
    ("user|domain|lower", "Ld"),
    ("home", "h"),
    ("protocol", "s"),
    ("service", "s"),
    ("remote_ip", "r"),
    ("local_ip", "l"),
    ("pid", "p"),
    ("message", "$"),
    ("password", "w"),
];

/// `%{user | username}` → `%n`; what 2.3 writes in the same way stays.
pub(crate) fn variables(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("%{") {
        let Some(end) = rest[at..].find('}') else { break };
        out.push_str(&rest[..at]);
        let inner: String = rest[at + 2..at + end].split_whitespace().collect();
        match VARIABLES.iter().find(|(long, _)| *long == inner) {
            Some((_, letter)) => out.extend(["%", letter]),
            None => out.push_str(&rest[at..=at + end]),
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_newer_dialect() {
        assert_eq!(variables("~/%{user | username}/%{user|domain}"), "~/%n/%d");
        assert_eq!(variables("%{session} %u %{user"), "%{session} %u %{user");
    }

    #[test]
    fn the_lowest_version_left() {
        assert_eq!(lowest_protocol("!SSLv2 !SSLv3"), "TLSv1");
        assert_eq!(lowest_protocol("TLSv1.2 TLSv1.3"), "TLSv1.2");
        assert_eq!(lowest_protocol("!SSLv3 !TLSv1 !TLSv1.1"), "TLSv1.2");
    }
}
