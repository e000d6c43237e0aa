//! Blocks of dovecot.conf: the services and listeners that are there without being written.

use std::collections::BTreeMap;

use crate::{InetListener, ListenerService, UnixListener};

/// A listener's name, port and whether TLS comes first.
type Listener = (&'static str, u16, bool);

/// The TCP listeners of an empty dovecot.conf: service, protocol, listeners.
const LISTENERS: &[(&str, &str, &[Listener])] = &[
    (
        "imap-login",
        "imap",
        &[("imap", 143, false), ("imaps", 993, true)],
    ),
    (
        "pop3-login",
        "pop3",
        &[("pop3", 110, false), ("pop3s", 995, true)],
    ),
    ("managesieve-login", "sieve", &[("sieve", 4190, false)]),
    ("submission-login", "submission", &[("submission", 587, false)]),
    ("lmtp", "lmtp", &[]),
    ("auth", "", &[]),
];

/// The settings that may stand in a block of dovecot.conf (2.3), with their defaults.
pub(crate) fn defaults(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "passdb" => PASSDB,
        "userdb" => USERDB,
        "namespace" => NAMESPACE,
        "mailbox" => MAILBOX,
        "service" => SERVICE,
        "inet_listener" => INET_LISTENER,
        "unix_listener" | "fifo_listener" => UNIX_LISTENER,
        _ => &[],
    }
}

const PASSDB: &[(&str, &str)] = &[
    ("args", ""),
    ("auth_verbose", "default"),
    ("default_fields", ""),
    ("deny", "no"),
    ("driver", ""),
    ("master", "no"),
    ("mechanisms", ""),
    ("name", ""),
    ("override_fields", ""),
    ("pass", "no"),
    ("result_failure", "continue"),
    ("result_internalfail", "continue"),
    ("result_success", "return-ok"),
    ("skip", "never"),
    ("username_filter", ""),
];
const USERDB: &[(&str, &str)] = &[
    ("args", ""),
    ("auth_verbose", "default"),
    ("default_fields", ""),
    ("driver", ""),
    ("name", ""),
    ("override_fields", ""),
    ("result_failure", "continue"),
    ("result_internalfail", "continue"),
    ("result_success", "return-ok"),
    ("skip", "never"),
];
const NAMESPACE: &[(&str, &str)] = &[
    ("alias_for", ""),
    ("disabled", "no"),
    ("hidden", "no"),
    ("ignore_on_failure", "no"),
    ("inbox", "no"),
    ("list", "yes"),
    ("location", ""),
    ("order", "0"),
    ("prefix", ""),
    ("separator", ""),
    ("subscriptions", "yes"),
    ("type", "private"),
];
const MAILBOX: &[(&str, &str)] = &[
    ("auto", "no"),
    ("autoexpunge", "0"),
    ("autoexpunge_max_mails", "0"),
    ("comment", ""),
    ("driver", ""),
    ("special_use", ""),
];
const SERVICE: &[(&str, &str)] = &[
    ("chroot", ""),
    ("client_limit", "0"),
    ("drop_priv_before_exec", "no"),
    ("executable", ""),
    ("extra_groups", ""),
    ("group", ""),
    ("idle_kill", "0"),
    ("privileged_group", ""),
    ("process_limit", "0"),
    ("process_min_avail", "0"),
    ("protocol", ""),
    ("service_count", "0"),
    ("type", ""),
    ("user", ""),
    ("vsz_limit", "18446744073709551615 B"),
];
const INET_LISTENER: &[(&str, &str)] = &[
    ("address", ""),
    ("haproxy", "no"),
    ("port", "0"),
    ("reuse_port", "no"),
    ("ssl", "no"),
];
const UNIX_LISTENER: &[(&str, &str)] = &[("group", ""), ("mode", "0600"), ("user", "")];

pub(crate) fn default_services() -> BTreeMap<String, ListenerService> {
    LISTENERS
        .iter()
        .map(|(name, protocol, listeners)| {
            let inet_listeners = listeners
                .iter()
                .map(|(name, port, ssl)| {
                    let listener = InetListener {
                        port: *port,
                        ssl: *ssl,
                        ..InetListener::default()
                    };
                    ((*name).to_owned(), listener)
                })
                .collect();
            let service = ListenerService {
                inet_listeners,
                protocol: (*protocol).to_owned(),
                ..ListenerService::default()
            };
            ((*name).to_owned(), service)
        })
        .chain(std::iter::once(("lmtp".to_owned(), lmtp())))
        .collect()
}

/// LMTP has no port by itself, but a socket in `base_dir` that everybody may write to.
fn lmtp() -> ListenerService {
    let listener = UnixListener {
        mode: 0o666,
        ..UnixListener::default()
    };
    ListenerService {
        unix_listeners: BTreeMap::from([("lmtp".to_owned(), listener)]),
        protocol: "lmtp".to_owned(),
        ..ListenerService::default()
    }
}
