//! Blocks of dovecot.conf: the services and listeners that are there without being written.

use std::collections::BTreeMap;

use crate::{InetListener, ListenerService};

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

/// The names that may stand in a block of dovecot.conf (2.3).
pub(crate) fn names(kind: &str) -> &'static [&'static str] {
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

const PASSDB: &[&str] = &[
    "args",
    "auth_verbose",
    "default_fields",
    "deny",
    "driver",
    "master",
    "mechanisms",
    "name",
    "override_fields",
    "pass",
    "result_failure",
    "result_internalfail",
    "result_success",
    "skip",
    "username_filter",
];
const USERDB: &[&str] = &[
    "args",
    "auth_verbose",
    "default_fields",
    "driver",
    "name",
    "override_fields",
    "result_failure",
    "result_internalfail",
    "result_success",
    "skip",
];
const NAMESPACE: &[&str] = &[
    "alias_for",
    "disabled",
    "hidden",
    "ignore_on_failure",
    "inbox",
    "list",
    "location",
    "order",
    "prefix",
    "separator",
    "subscriptions",
    "type",
];
const MAILBOX: &[&str] = &[
    "auto",
    "autoexpunge",
    "autoexpunge_max_mails",
    "comment",
    "driver",
    "special_use",
];
const SERVICE: &[&str] = &[
    "chroot",
    "client_limit",
    "drop_priv_before_exec",
    "executable",
    "extra_groups",
    "group",
    "idle_kill",
    "privileged_group",
    "process_limit",
    "process_min_avail",
    "protocol",
    "service_count",
    "type",
    "user",
    "vsz_limit",
];
const INET_LISTENER: &[&str] = &["address", "haproxy", "port", "reuse_port", "ssl"];
const UNIX_LISTENER: &[&str] = &["group", "mode", "user"];

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
        .collect()
}
