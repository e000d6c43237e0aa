//! What can be wrong with values that have their shape: names that nobody set, hosts that are none.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use settings::{Postfix, Values, expand, kinds, params};

use crate::{Problem, Severity};

/// What is wrong beyond single words, each with the parameter to blame.
pub(crate) fn faults(postfix: &Postfix) -> Vec<(&'static str, String)> {
    let mut faults: Vec<(&'static str, String)> = Vec::new();
    for name in ["inet_interfaces", "proxy_interfaces"] {
        let list = match name {
            "inet_interfaces" => &postfix.inet_interfaces,
            _ => &postfix.proxy_interfaces,
        };
        let keywords: &[&str] = match name {
            "inet_interfaces" => &["all", "loopback-only"],
            _ => &[],
        };
        let strange = list
            .iter()
            .filter(|word| !keywords.contains(&word.as_str()) && !is_host(word));
        faults
            .extend(strange.map(|word| (name, format!("\"{word}\" is neither an address nor a host name"))));
    }
    if let Some(what) = next_hop_fault(&postfix.relayhost) {
        faults.push(("relayhost", what));
    }
    for (name, relays) in [
        ("fallback_relay", &postfix.fallback_relay),
        ("smtp_fallback_relay", &postfix.smtp_fallback_relay),
    ] {
        let wrong = relays.iter().filter_map(|relay| next_hop_fault(relay));
        faults.extend(wrong.map(|what| (name, what)));
    }
    if postfix.inet_interfaces.is_empty() {
        faults.push(("inet_interfaces", "it must not be empty".to_owned()));
    }
    faults.extend(log_file(postfix).map(|what| ("maillog_file", what)));
    faults
}

/// A literal address, or a name that could be one's.
pub(crate) fn is_host(word: &str) -> bool {
    let bare = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(word);
    let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    // A last label of digits is a mistyped address (RFC 1123 §2.1).
    let last = bare.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    bare == word
        && bare.trim_end_matches('.').split('.').all(label)
        && !last.bytes().all(|b| b.is_ascii_digit())
}

/// `host`, `[host]`, `host:port` or `[host]:port`.
fn next_hop_fault(text: &str) -> Option<String> {
    let fault = |why: &str| Some(format!("\"{text}\" is not a host: {why}"));
    if text.is_empty() {
        return None;
    }
    // Transports take a list of hosts here; each is looked at alone.
    if text.contains([',', ' ']) {
        return kinds::words(text).iter().find_map(|word| next_hop_fault(word));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            None => return fault("the closing ] is missing"),
            Some((host, "")) => (host, None),
            Some((host, after)) => match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return fault("only :port may follow the ]"),
            },
        },
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if !is_host(host) && host.strip_prefix("unix").is_none_or(|rest| !rest.is_empty()) {
        return fault("write host, [host], host:port or [host]:port");
    }
    match port {
        Some(port) if host != "unix" && !crate::ports::is_port(port, &[]) => fault("the port is not one"),
        _ => None,
    }
}

/// A log below none of the directories that are meant for logs: a mistyped path could overwrite anything.
fn log_file(postfix: &Postfix) -> Option<String> {
    let file = &postfix.maillog_file;
    let prefixes = &postfix.maillog_file_prefixes;
    let name = file.to_string_lossy();
    let allowed = prefixes
        .iter()
        .any(|prefix| Path::new(prefix) == file || name.starts_with(prefix.as_str()));
    (!name.is_empty() && !allowed).then(|| {
        let list = prefixes.join(", ");
        format!("{name} begins with none of maillog_file_prefixes ({list}): add its directory there")
    })
}

/// Names that `text` mentions and nobody sets, each once.
pub(crate) fn undefined(name: &str, text: &str, values: &Values) -> Vec<String> {
    if params::is_raw(name) {
        return Vec::new();
    }
    let mut told = BTreeSet::new();
    expand::names_in(text)
        .into_iter()
        .filter(|used| values.raw(used).is_none() && told.insert(used.clone()))
        .collect()
}

/// The warning about a name that nobody sets.
pub(crate) fn undefined_problem(place: (&str, usize), name: &str, used: &str, values: &Values) -> Problem {
    let own = values.explicit().keys().map(String::as_str);
    let known = params::postfix_all()
        .iter()
        .map(|parameter| parameter.name)
        .chain(own);
    let problem = Problem::new(
        Severity::Warning,
        place,
        name,
        format!("${used} is not set anywhere, so it is empty"),
    );
    match params::nearest(used, known.filter(|known| *known != used)) {
        Some(near) => problem.with_hint(format!("Did you mean ${near}?")),
        None => problem,
    }
}

/// The settings whose older defaults hold because of a low `compatibility_level` and because nothing is said about
/// them, with these defaults.
pub(crate) fn older_defaults(values: &Values) -> Vec<String> {
    const MADE_OF_IT: &[&str] = &[
        "append_dot_mydomain",
        "mynetworks_style",
        "relay_domains",
        "smtpd_relay_before_recipient_restrictions",
        "smtputf8_enable",
    ];
    let mut newest = values.clone();
    newest.set("compatibility_level", "3.6");
    let style_matters = !values.is_set("mynetworks");
    let unset = MADE_OF_IT
        .iter()
        .filter(|name| !values.is_set(name) && (**name != "mynetworks_style" || style_matters));
    unset
        .filter_map(|name| {
            let (today, newer) = (values.expanded(name).ok()?, newest.expanded(name).ok()?);
            (today != newer).then(|| match *name {
                "relay_domains" => "relay_domains = $mydestination".to_owned(),
                name => format!("{name} = {today}"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_what_only_looks_like_them() {
        for host in [
            "127.0.0.1",
            "[::1]",
            "::1",
            "[IPv6:::1]",
            "mail.example.org",
            "xn--p1ai.",
            "host_1",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "999.1.1.1",
            "[host]",
            "a..b",
            "",
            "-a.b",
            "10.0.0.0/8",
            "[127.0.0.1",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn next_hops() {
        for text in [
            "",
            "a.example",
            "[a.example]",
            "[a.example]:587",
            "a.example:smtp",
            "[::1]:25",
            "a, [b]:26",
        ] {
            assert_eq!(next_hop_fault(text), None, "{text}");
        }
        for text in ["[host", "[host]x", "host:99999", "[10.0.0.300]", "a b:nosuchport"] {
            assert!(next_hop_fault(text).is_some(), "{text}");
        }
    }
}
