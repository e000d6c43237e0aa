//! Parameters that make a typed field already but are not honoured yet: a row goes away with the work that honours it.

/// Name and what is not there.
pub(crate) const NOT_YET: &[(&str, &str)] = &[
    (
        "auth_debug_passwords",
        "not yet: passwords in what is logged of lookups",
    ),
    ("debug_log_path", "not yet: a log file for debugging alone"),
    ("debug_peer_level", "not yet: logging some peers in detail"),
    ("debug_peer_list", "not yet: logging some peers in detail"),
    (
        "default_delivery_status_filter",
        "not yet: changing what other agents than smtp and lmtp come to",
    ),
    (
        "delay_logging_resolution_limit",
        "not yet: other digits of logged delays",
    ),
    ("deliver_log_format", "not yet: a log line's own shape"),
    (
        "empty_address_recipient",
        "not yet: a choice of who gets mail for the null address",
    ),
    ("enable_threaded_bounces", "not yet: References: in reports"),
    ("haproxy_timeout", "not yet: the PROXY protocol"),
    ("haproxy_trusted_networks", "not yet: the PROXY protocol"),
    (
        "imap_client_workarounds",
        "not yet: putting up with old clients' mistakes",
    ),
    (
        "imap_fetch_failure",
        "not yet: going on after a message that cannot be read",
    ),
    (
        "imap_hibernate_timeout",
        "not yet: putting idle sessions to sleep",
    ),
    ("imap_id_log", "not yet: logging clients' IDs"),
    ("imap_id_retain", "not yet: passing on clients' IDs"),
    ("imap_logout_format", "not yet: a log line's own shape"),
    ("imap_metadata", "not yet: METADATA"),
    ("imap_urlauth_host", "not yet: URLAUTH"),
    ("imap_urlauth_port", "not yet: URLAUTH"),
    ("known_tcp_ports", "not yet: names of ports of one's own"),
    (
        "lda_original_recipient_header",
        "not yet: filters that ask for the original recipient",
    ),
    (
        "lmtp_user_concurrency_limit",
        "not yet: limits of one user's deliveries",
    ),
    (
        "lmtp_verbose_replies",
        "not yet: answers that tell more than others'",
    ),
    ("log_debug", "not yet: a choice of events that are logged"),
    ("log_timestamp", "not yet: a log line's own shape"),
    (
        "login_access_sockets",
        "not yet: asking other services about clients",
    ),
    ("login_log_format", "not yet: a log line's own shape"),
    ("login_log_format_elements", "not yet: a log line's own shape"),
    ("mail_access_groups", "not yet: groups of sessions"),
    ("mail_attribute_dict", "not yet: METADATA"),
    ("mail_chroot", "not yet: a root directory for each user"),
    (
        "mail_full_filesystem_access",
        "not yet: mailbox names that are paths",
    ),
    ("mail_log_prefix", "not yet: a log line's own shape"),
    (
        "mail_max_keyword_length",
        "not yet: a limit of keywords of one's own",
    ),
    ("mail_save_crlf", "not yet: mail files with CRLF"),
    (
        "maildir_broken_filename_sizes",
        "not yet: distrust of sizes in file names",
    ),
    ("maildir_empty_new", "not yet: emptying new/ without a session"),
    ("master_service_disable", "not yet: leaving out services by name"),
    (
        "owner_request_special",
        "not yet: extensions of owner- and -request names",
    ),
    (
        "postmaster_address",
        "not yet: refusals that delivery sends itself",
    ),
    ("rejection_reason", "not yet: refusals that delivery sends itself"),
    (
        "rejection_subject",
        "not yet: refusals that delivery sends itself",
    ),
    (
        "resolve_null_domain",
        "not yet: addresses without a domain after the @",
    ),
    (
        "resolve_numeric_domain",
        "not yet: addresses at a bare IP address",
    ),
    ("sendmail_fix_line_endings", "not yet: a choice of line ends"),
    ("shutdown_clients", "not yet: sessions that outlive the system"),
    ("smtpd_client_port_logging", "not yet: clients' ports in the log"),
    (
        "smtpd_discard_ehlo_keyword_address_maps",
        "not yet: EHLO by client",
    ),
    ("smtpd_min_data_rate", "not yet: deadlines of whole commands"),
    (
        "smtpd_log_access_permit_actions",
        "not yet: logging of rules that permit",
    ),
    (
        "smtpd_per_request_deadline",
        "not yet: deadlines of whole commands",
    ),
    (
        "smtpd_sasl_response_limit",
        "not yet: a limit of AUTH answers of one's own",
    ),
    ("ssl_alt_cert", "not yet: a second certificate"),
    ("ssl_alt_key", "not yet: a second certificate"),
    (
        "ssl_client_ca_dir",
        "not yet: connections made by the mailbox services",
    ),
    (
        "ssl_client_ca_file",
        "not yet: connections made by the mailbox services",
    ),
    ("ssl_key_password", "not yet: keys under a password"),
    ("strict_smtputf8", "not yet: refusing UTF-8 outside SMTPUTF8"),
    ("tls_server_sni_maps", "not yet: certificates by name"),
    ("verbose_ssl", "not yet: choosing how much of TLS is logged"),
];
