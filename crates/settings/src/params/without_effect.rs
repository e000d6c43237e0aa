//! Parameters that make a typed field but cannot mean anything for Yubin: they may stand in a file and change nothing.

/// Name and why nothing changes.
pub(crate) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("auth_realms", "no mechanism that is there asks for a realm"),
    ("biff", "comsat is gone from today's systems: nobody is told"),
    ("daemon_timeout", ONE_PROCESS),
    ("data_directory", "nothing is kept there"),
    ("default_client_limit", ONE_PROCESS),
    ("default_internal_group", ONE_PROCESS),
    ("default_login_user", ONE_PROCESS),
    ("default_vsz_limit", ONE_PROCESS),
    ("dotlock_use_excl", "lock files are always made with O_EXCL"),
    ("fork_attempts", ONE_PROCESS),
    ("fork_delay", ONE_PROCESS),
    (
        "header_address_token_limit",
        "a header is bounded as a whole and completed in place",
    ),
    (
        "import_environment",
        "nothing is read from the environment but MAIL_CONFIG and TZ",
    ),
    (
        "in_flow_delay",
        "a client is answered when its message is on disk, never later",
    ),
    ("ipc_timeout", ONE_PROCESS),
    ("lock_method", "the index has its own file and lock"),
    ("mail_fsync", "mail is always on disk before it is acknowledged"),
    (
        "mail_nfs_index",
        "the index is never mapped from a file that another host writes",
    ),
    ("mail_nfs_storage", "mail files are looked at anew each time"),
    (
        "mail_temp_dir",
        "no temporary file is written outside the mailbox",
    ),
    (
        "mailbox_idle_check_interval",
        "a waiting session is woken by the system when its mailbox changes",
    ),
    (
        "mailbox_list_index",
        "the list is read from the directories, which is fast enough",
    ),
    (
        "maildir_copy_with_hardlinks",
        "copies are links where the file system allows it",
    ),
    ("maildir_stat_dirs", "entries of a Maildir are always looked at"),
    (
        "maildir_very_dirty_syncs",
        "changes by other programs are always looked for",
    ),
    ("maillog_file_prefixes", "the log file may lie anywhere"),
    ("max_idle", ONE_PROCESS),
    ("max_use", ONE_PROCESS),
    (
        "mbox_dirty_syncs",
        "changes by other programs are always looked for",
    ),
    (
        "mbox_lazy_writes",
        "flags are kept in the index and written when the mailbox is",
    ),
    ("mbox_min_index_size", "every mbox has an index"),
    (
        "mbox_very_dirty_syncs",
        "changes by other programs are always looked for",
    ),
    ("mmap_disable", "mail files are not mapped"),
    (
        "multi_instance_directories",
        "every instance is started by its own command",
    ),
    (
        "multi_instance_enable",
        "every instance is started by its own command",
    ),
    (
        "detect_8bit_encoding_header",
        "the queue does not look into parts",
    ),
    ("pop3_fast_size_lookups", "sizes are kept in the index"),
    ("sendmail_path", "reports go into the queue directly"),
    ("service_throttle_time", ONE_PROCESS),
    (
        "smtpd_delay_open_until_valid_rcpt",
        "nothing is on disk before the first recipient in any case",
    ),
    (
        "smtpd_sasl_local_domain",
        "names without a domain get auth_default_realm of dovecot.conf",
    ),
    ("smtpd_sasl_path", OWN_ACCOUNTS),
    ("smtpd_sasl_service", OWN_ACCOUNTS),
    ("smtpd_sasl_type", OWN_ACCOUNTS),
    ("ssl_cipher_list", SAFE_TLS),
    ("ssl_cipher_suites", SAFE_TLS),
    ("ssl_prefer_server_ciphers", SAFE_TLS),
    ("state_dir", "nothing is kept there"),
    ("submission_host", "reports go into the queue directly"),
    ("tls_preempt_cipherlist", SAFE_TLS),
    (
        "transport_retry_time",
        "no transport rests as a whole: what the end of a process interrupted is tried again after a second, then after twice \
         as long each time, up to minimal_backoff_time",
    ),
    ("trigger_timeout", ONE_PROCESS),
    ("verbose_proctitle", ONE_PROCESS),
];

const ONE_PROCESS: &str = "services are not processes of their own";
const OWN_ACCOUNTS: &str = "logins are checked by the passdb blocks of dovecot.conf, in this process";
const SAFE_TLS: &str = "the TLS library chooses safe ciphers itself";
