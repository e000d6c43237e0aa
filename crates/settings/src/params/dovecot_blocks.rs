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
