//! Settings of dovecot.conf about IMAP, POP3, LMTP and delivery.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            imap_capability: Text = "", Reload, "The CAPABILITY answer; a + adds to the usual one.";
            imap_client_workarounds: List = "", Reload, "Old clients' mistakes that are put up with.";
            imap_idle_notify_interval: Interval = "2 mins", Reload, "How often an IDLE client hears \"Still here\".";
            imap_id_send: Text = "name *", Reload, "What ID tells.";
            imap_id_log: Text = "", Reload, "What of the client's ID is logged.";
            imap_id_retain: YesNo = "no", Reload, "Whether the client's ID is passed on.";
            imap_logout_format: Text = "in=%i out=%o deleted=%{deleted} expunged=%{expunged} trashed=%{trashed} hdr_count=%{fetch_hdr_count} hdr_bytes=%{fetch_hdr_bytes} body_count=%{fetch_body_count} body_bytes=%{fetch_body_bytes}", Reload, "What a session's last log line says.";
            imap_max_line_length: Size = "64 k", Reload, "The longest command line.";
            imap_metadata: YesNo = "no", Reload, "Whether METADATA is offered.";
            imap_literal_minus: YesNo = "no", Reload, "Whether LITERAL- is announced.";
            imap_fetch_failure: Text = "disconnect-immediately", Reload, "What happens when a message cannot be read.";
            imap_hibernate_timeout: Interval = "0", Reload, "After how long an idle session is put to sleep.";
            imap_urlauth_host: Text = "", Reload, "The host in URLAUTH addresses.";
            imap_urlauth_port: Count = "143", Reload, "The port in URLAUTH addresses.";
            pop3_no_flag_updates: YesNo = "no", Reload, "Whether RETR leaves flags alone.";
            pop3_enable_last: YesNo = "no", Reload, "Whether LAST is offered.";
            pop3_reuse_xuidl: YesNo = "no", Reload, "Whether X-UIDL: is used.";
            pop3_save_uidl: YesNo = "no", Reload, "Whether a UIDL is kept once given.";
            pop3_lock_session: YesNo = "no", Reload, "Whether a session locks the mailbox.";
            pop3_fast_size_lookups: YesNo = "no", Reload, "Whether sizes may be those of the files.";
            pop3_client_workarounds: List = "", Reload, "Old clients' mistakes that are put up with.";
            pop3_logout_format: Text = "top=%t/%p, retr=%r/%b, del=%d/%m, size=%s", Reload, "What a session's last log line says.";
            pop3_uidl_format: Text = "%08Xu%08Xv", Reload, "How a UIDL is made.";
            pop3_uidl_duplicates: UidlDuplicates = "allow", Reload, "What happens to equal UIDLs.";
            pop3_delete_type: Pop3DeleteType = "default", Reload, "What QUIT does with deleted mail.";
            pop3_deleted_flag: Text = "", Reload, "The flag that hides mail from POP3.";
            lda_mailbox_autocreate: YesNo = "no", Reload, "Whether delivery makes a missing mailbox.";
            lda_mailbox_autosubscribe: YesNo = "no", Reload, "Whether it subscribes to it.";
            lda_original_recipient_header: Text = "", Reload, "The header with the original recipient.";
            deliver_log_format: Text = "msgid=%m: %$", Reload, "How a delivery is logged.";
            quota_full_tempfail: YesNo = "no", Reload, "Whether mail over quota is deferred.";
            rejection_subject: Text = "Rejected: %s", Reload, "The subject of refusals.";
            rejection_reason: Text = "Your message to <%t> was automatically rejected:%n%r", Reload, "The text of refusals.";
            lmtp_client_workarounds: List = "", Reload, "Old clients' mistakes that are put up with.";
            lmtp_save_to_detail_mailbox: YesNo = "no", Reload, "Whether user+box goes to box.";
            lmtp_rcpt_check_quota: YesNo = "no", Reload, "Whether RCPT checks the quota.";
            lmtp_add_received_header: YesNo = "yes", Reload, "Whether Received: is written.";
            lmtp_hdr_delivery_address: Text = "final", Reload, "Which address Delivered-To: names.";
            lmtp_user_concurrency_limit: Count = "0", Reload, "Deliveries at once to one user.";
            lmtp_verbose_replies: YesNo = "no", Reload, "Whether answers tell more.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "imap_urlauth_logout_format" Text "in=%i out=%o" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "What an URLAUTH session's last log line says.";
    "lmtp_proxy" YesNo "no" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Whether LMTP passes mail on.";
    "lmtp_proxy_rawlog_dir" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Where that traffic is logged.";
    "lmtp_rawlog_dir" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Where LMTP traffic is logged.";
    "managesieve_client_workarounds" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Old clients' mistakes that are put up with.";
    "managesieve_implementation_string" Text "Dovecot (Debian) Pigeonhole" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "What the server calls itself.";
    "managesieve_logout_format" Text "bytes=%i/%o" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "What a session's last log line says.";
    "managesieve_max_compile_errors" Count "5" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How many errors of a script are told.";
    "managesieve_max_line_length" Size "64 k" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The longest line.";
    "managesieve_notify_capability" Text "mailto" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The NOTIFY capability.";
    "managesieve_sieve_capability" Text "fileinto reject envelope encoded-character vacation subaddress comparator-i;ascii-numeric relational regex imap4flags copy include variables body enotify environment mailbox date index ihave duplicate mime foreverypart extracttext" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The SIEVE capability.";
    "submission_client_workarounds" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Old clients' mistakes that are put up with.";
    "submission_logout_format" Text "in=%i out=%o" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "What a session's last log line says.";
    "submission_max_mail_size" Count "0" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The largest message.";
    "submission_max_recipients" Count "0" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How many recipients.";
    "submission_relay_command_timeout" Interval "5 mins" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How long to wait for the relay.";
    "submission_relay_connect_timeout" Interval "30 secs" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How long connecting to it may take.";
    "submission_relay_host" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The relay.";
    "submission_relay_master_user" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The master user there.";
    "submission_relay_max_idle_time" Interval "29 mins" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How long an idle connection to it stays.";
    "submission_relay_password" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The password there.";
    "submission_relay_port" Count "25" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The port there.";
    "submission_relay_rawlog_dir" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Where that traffic is logged.";
    "submission_relay_ssl" YesNo "no" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How TLS is used there.";
    "submission_relay_ssl_verify" YesNo "yes" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Whether its certificate is checked.";
    "submission_relay_trusted" YesNo "no" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "Whether it takes XCLIENT.";
    "submission_relay_user" Text "" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "The user name there.";
    "submission_ssl" YesNo "no" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How TLS is used for sending (older).";
    "submission_timeout" Interval "30 secs" NotSupported "not yet: LMTP's rarer choices, submission and ManageSieve"
        "How long sending may take.";
}
