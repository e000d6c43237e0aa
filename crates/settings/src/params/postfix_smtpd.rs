//! Parameters of main.cf about the SMTP server and its rules.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            smtpd_banner: Text = "$myhostname ESMTP $mail_name", Reload, "The text after 220 in the greeting.";
            smtpd_helo_required: YesNo = "no", Reload, "Whether HELO or EHLO must come first.";
            smtpd_timeout: Seconds = "${stress?{10}:{300}}s", Reload, "How long the server waits for a command.";
            smtpd_per_request_deadline: YesNo = "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}", Reload, "Whether smtpd_timeout counts for a whole command and not for each read.";
            smtpd_min_data_rate: Count = "500", Reload, "Bytes a second that a client must send when deadlines are per request.";
            smtpd_starttls_timeout: Seconds = "${stress?{10}:{300}}s", Reload, "How long a TLS handshake may take.";
            smtpd_soft_error_limit: Count = "10", Reload, "After how many errors the server answers more slowly.";
            smtpd_hard_error_limit: Count = "${stress?{1}:{20}}", Reload, "After how many errors the server hangs up.";
            smtpd_error_sleep_time: Seconds = "1s", Reload, "How long an answer waits after errors.";
            smtpd_junk_command_limit: Count = "${stress?{1}:{100}}", Reload, "How many NOOP, VRFY, ETRN and RSET commands a session may give.";
            smtpd_recipient_limit: Count = "1000", Reload, "How many recipients a message may have.";
            smtpd_recipient_overshoot_limit: Count = "1000", Reload, "How many recipients over the limit count as no error.";
            smtpd_history_flush_threshold: Count = "100", Reload, "How many lines of a session are kept for a report.";
            smtpd_client_connection_count_limit: Count = "50", Reload, "Connections at once from one client.";
            smtpd_client_connection_rate_limit: Count = "0", Reload, "Connections from one client in anvil_rate_time_unit.";
            smtpd_client_message_rate_limit: Count = "0", Reload, "Messages from one client in anvil_rate_time_unit.";
            smtpd_client_recipient_rate_limit: Count = "0", Reload, "Recipients from one client in anvil_rate_time_unit.";
            smtpd_client_auth_rate_limit: Count = "0", Reload, "AUTH commands from one client in anvil_rate_time_unit.";
            smtpd_client_new_tls_session_rate_limit: Count = "0", Reload, "New TLS sessions from one client in anvil_rate_time_unit.";
            smtpd_client_event_limit_exceptions: NetworkList = "${smtpd_client_connection_limit_exceptions:$mynetworks}", Reload, "Clients without those limits.";
            anvil_rate_time_unit: Seconds = "60s", Reload, "The time over which rates are counted.";
            anvil_status_update_time: Seconds = "600s", Reload, "How often the highest rates are logged.";
            yubin_log_rules: YesNo = "yes", Reload, "Whether the log's lines about refused, discarded and held mail end with the rule that decided (rule=<...>); no: exactly Postfix's lines.";
            smtpd_client_restrictions: List = "", Reload, "Rules for the client.";
            smtpd_helo_restrictions: List = "", Reload, "Rules for the HELO name.";
            smtpd_sender_restrictions: List = "", Reload, "Rules for the sender.";
            smtpd_relay_restrictions: List = "permit_mynetworks, permit_sasl_authenticated, ${{$compatibility_level} <level {1} ? {reject_unauth_destination} : {defer_unauth_destination}}", Reload, "Rules about relaying, seen before those for the recipient.";
            smtpd_recipient_restrictions: List = "", Reload, "Rules for the recipient.";
            smtpd_data_restrictions: List = "", Reload, "Rules at DATA.";
            smtpd_end_of_data_restrictions: List = "", Reload, "Rules when the message has arrived.";
            smtpd_etrn_restrictions: List = "", Reload, "Rules for ETRN.";
            smtpd_relay_before_recipient_restrictions: YesNo = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}", Reload, "Whether relay rules come before recipient rules.";
            smtpd_restriction_classes: List = "", Reload, "Names of the user's own lists of rules.";
            smtpd_delay_reject: YesNo = "yes", Reload, "Whether refusals wait until RCPT.";
            smtpd_delay_open_until_valid_rcpt: YesNo = "yes", Reload, "Whether a queue id is taken only at the first good recipient.";
            smtpd_reject_unlisted_recipient: YesNo = "yes", Reload, "Whether unknown recipients are refused at RCPT.";
            smtpd_reject_unlisted_sender: YesNo = "no", Reload, "Whether unknown local senders are refused.";
            smtpd_reject_footer: Text = "", Reload, "A text added to every refusal.";
            smtpd_reject_footer_maps: Tables = "", Reload, "Texts added to refusals, by refusal.";
            smtpd_expansion_filter: Text = "\\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~", Reload, "Characters of what a client says that may come into replies.";
            smtpd_peername_lookup: YesNo = "yes", Reload, "Whether a client's name is looked up.";
            smtpd_client_port_logging: YesNo = "no", Reload, "Whether a client's port is logged.";
            smtpd_noop_commands: List = "", Reload, "Commands answered by 250 without effect.";
            smtpd_forbidden_commands: List = "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}", Reload, "Words that end the session at once.";
            smtpd_discard_ehlo_keywords: List = "", Reload, "EHLO keywords that are not announced.";
            smtpd_discard_ehlo_keyword_address_maps: Tables = "", Reload, "Tables of EHLO keywords not announced, by client.";
            smtpd_forbid_bare_newline: BareNewline = "normalize", Reload, "What happens to message lines that end in LF alone.";
            smtpd_forbid_bare_newline_exclusions: NetworkList = "$mynetworks", Reload, "Clients to which smtpd_forbid_bare_newline does not apply.";
            smtpd_forbid_bare_newline_reject_code: ReplyCode = "550", Reload, "The code of that refusal.";
            smtpd_forbid_unauth_pipelining: YesNo = "no", Reload, "Whether pipelining without leave ends the session.";
            smtpd_authorized_xclient_hosts: NetworkList = "", Reload, "Clients that may use XCLIENT.";
            smtpd_authorized_xforward_hosts: NetworkList = "", Reload, "Clients that may use XFORWARD.";
            smtpd_sasl_auth_enable: YesNo = "no", Reload, "Whether AUTH is offered.";
            smtpd_sasl_authenticated_header: YesNo = "no", Reload, "Whether Received: names the login.";
            smtpd_sasl_exceptions_networks: NetworkList = "", Reload, "Clients to whom AUTH is not offered.";
            smtpd_sasl_local_domain: Text = "", Reload, "The realm of logins without one.";
            smtpd_sasl_path: Text = "smtpd", Reload, "Where the password server listens.";
            smtpd_sasl_response_limit: Count = "12288", Reload, "The longest answer of a client in AUTH.";
            smtpd_sasl_security_options: List = "noanonymous", Reload, "Which kinds of mechanism are not offered.";
            smtpd_sasl_tls_security_options: List = "$smtpd_sasl_security_options", Reload, "The same inside TLS.";
            smtpd_sasl_type: Text = "cyrus", Reload, "The kind of password server.";
            smtpd_sasl_service: Text = "smtp", Reload, "The service name given to the password server.";
            smtpd_sasl_mechanism_filter: List = "!external, static:rest", Reload, "Mechanisms that are offered.";
            broken_sasl_auth_clients: YesNo = "no", Reload, "Whether AUTH= is announced too.";
            smtpd_sender_login_maps: Tables = "", Reload, "Which logins own a sender address.";
            smtpd_tls_auth_only: YesNo = "no", Reload, "Whether AUTH is offered only inside TLS.";
            smtpd_tls_security_level: TlsLevel = "", Reload, "How much TLS the server asks for.";
            smtpd_tls_wrappermode: YesNo = "no", Reload, "Whether TLS begins with the connection.";
            smtpd_tls_cert_file: Text = "", Reload, "The certificate file.";
            smtpd_tls_key_file: Text = "$smtpd_tls_cert_file", Reload, "The key file.";
            smtpd_tls_chain_files: List = "", Reload, "Files with key and certificates together.";
            smtpd_tls_eccert_file: Text = "", Reload, "The certificate file for ECDSA.";
            smtpd_tls_eckey_file: Text = "$smtpd_tls_eccert_file", Reload, "The key file for ECDSA.";
            smtpd_tls_CAfile: Text = "", Reload, "Certificates of authorities for client certificates.";
            smtpd_tls_protocols: List = ">=TLSv1", Reload, "The TLS versions for opportunistic TLS.";
            smtpd_tls_mandatory_protocols: List = ">=TLSv1", Reload, "The TLS versions where TLS is required.";
            smtpd_tls_loglevel: Count = "0", Reload, "How much of TLS is logged.";
            smtpd_tls_received_header: YesNo = "no", Reload, "Whether Received: tells about TLS.";
            smtpd_tls_ask_ccert: YesNo = "no", Reload, "Whether a client certificate is asked for.";
            smtpd_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", Reload, "How fingerprints of client certificates are made.";
            relay_clientcerts: Tables = "", Reload, "Fingerprints of clients for whom permit_tls_clientcerts relays.";
            smtpd_tls_req_ccert: YesNo = "no", Reload, "Whether a client certificate is required.";
            smtpd_use_tls: YesNo = "no", Reload, "The older form of smtpd_tls_security_level = may.";
            smtpd_enforce_tls: YesNo = "no", Reload, "The older form of smtpd_tls_security_level = encrypt.";
            disable_vrfy_command: YesNo = "no", Reload, "Whether VRFY is refused.";
            allow_untrusted_routing: YesNo = "no", Reload, "Whether sender-given routes (user@a@b) are relayed for strangers.";
            strict_rfc821_envelopes: YesNo = "no", Reload, "Whether addresses must stand in <> and be correct.";
            resolve_null_domain: YesNo = "no", Reload, "Whether \"user@\" is taken for a local address.";
            resolve_numeric_domain: YesNo = "no", Reload, "Whether user@1.2.3.4 is taken for user@[1.2.3.4].";
            line_length_limit: Count = "2048", Reload, "The longest line kept in one piece.";
            message_size_limit: Bytes = "10240000", Reload, "The largest message, headers included; 0: no limit.";
            queue_minfree: Bytes = "0", Reload, "Free space that the queue's file system must have; 0: none.";
            access_map_reject_code: ReplyCode = "554", Reload, "The code of REJECT in access tables.";
            access_map_defer_code: ReplyCode = "450", Reload, "The code of DEFER in access tables.";
            reject_code: ReplyCode = "554", Reload, "The code of the reject rule.";
            defer_code: ReplyCode = "450", Reload, "The code of the defer rule.";
            relay_domains_reject_code: ReplyCode = "554", Reload, "The code of refused relaying.";
            invalid_hostname_reject_code: ReplyCode = "501", Reload, "The code for HELO names of wrong syntax.";
            non_fqdn_reject_code: ReplyCode = "504", Reload, "The code for names that are not complete.";
            unknown_address_reject_code: ReplyCode = "450", Reload, "The code for domains that do not exist.";
            unknown_client_reject_code: ReplyCode = "450", Reload, "The code for clients without a name.";
            unknown_hostname_reject_code: ReplyCode = "450", Reload, "The code for HELO names that do not exist.";
            unknown_local_recipient_reject_code: ReplyCode = "550", Reload, "The code for unknown local users.";
            unknown_relay_recipient_reject_code: ReplyCode = "550", Reload, "The code for unknown users of relay_domains.";
            unknown_virtual_alias_reject_code: ReplyCode = "550", Reload, "The code for unknown addresses of virtual alias domains.";
            unknown_virtual_mailbox_reject_code: ReplyCode = "550", Reload, "The code for unknown addresses of virtual mailbox domains.";
            unverified_recipient_reject_code: ReplyCode = "450", Reload, "The code for recipients that verification refused.";
            unverified_sender_reject_code: ReplyCode = "450", Reload, "The code for senders that verification refused.";
            address_verify_cache_cleanup_interval: Hours = "12h", Reload, "How often the cache is cleaned.";
            address_verify_default_transport: Text = "$default_transport", Reload, "default_transport for probes.";
            address_verify_local_transport: Text = "$local_transport", Reload, "local_transport for probes.";
            address_verify_map: Text = "btree:$data_directory/verify_cache", Reload, "The cache of results.";
            address_verify_negative_cache: YesNo = "yes", Reload, "Whether failures are kept.";
            address_verify_negative_expire_time: Days = "3d", Reload, "How long a failure is kept.";
            address_verify_negative_refresh_time: Hours = "3h", Reload, "After how long a failure is probed again.";
            address_verify_pending_request_limit: Count = "5000", Reload, "How many probes may be waiting.";
            address_verify_poll_count: Count = "${stress?{1}:{3}}", Reload, "How often a result is asked for.";
            address_verify_poll_delay: Seconds = "3s", Reload, "The pause between those questions.";
            address_verify_positive_expire_time: Days = "31d", Reload, "How long a success is kept.";
            address_verify_positive_refresh_time: Days = "7d", Reload, "After how long a success is probed again.";
            address_verify_relay_transport: Text = "$relay_transport", Reload, "relay_transport for probes.";
            address_verify_relayhost: Text = "$relayhost", Reload, "relayhost for probes.";
            address_verify_sender: Text = "$double_bounce_sender", Reload, "The sender of probes.";
            address_verify_sender_dependent_default_transport_maps: Tables = "$sender_dependent_default_transport_maps", Reload, "sender_dependent_default_transport_maps for probes.";
            address_verify_sender_dependent_relayhost_maps: Tables = "$sender_dependent_relayhost_maps", Reload, "sender_dependent_relayhost_maps for probes.";
            address_verify_sender_ttl: Seconds = "0s", Reload, "How often the sender of probes changes.";
            address_verify_transport_maps: Tables = "$transport_maps", Reload, "transport_maps for probes.";
            address_verify_virtual_transport: Text = "$virtual_transport", Reload, "virtual_transport for probes.";
            unverified_recipient_defer_code: ReplyCode = "450", Reload, "The code while a probe has no result.";
            unverified_recipient_reject_reason: Text = "", Reload, "The text of a refusal after a probe.";
            unverified_recipient_tempfail_action: Text = "$reject_tempfail_action", Reload, "What to do when a probe fails for now.";
            unverified_sender_defer_code: ReplyCode = "450", Reload, "The code while a probe has no result.";
            unverified_sender_reject_reason: Text = "", Reload, "The text of a refusal after a probe.";
            unverified_sender_tempfail_action: Text = "$reject_tempfail_action", Reload, "What to do when a probe fails for now.";
            multi_recipient_bounce_reject_code: ReplyCode = "550", Reload, "The code for bounces to many recipients.";
            plaintext_reject_code: ReplyCode = "450", Reload, "The code for plaintext where TLS is required.";
            maps_rbl_reject_code: ReplyCode = "554", Reload, "The code for clients on a block list.";
            default_rbl_reply: Text = "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; $rbl_reason}", Reload, "The text of refusals because of a block list.";
            maps_rbl_domains: List = "", Reload, "Block lists of an obsolete rule.";
            smtpd_command_filter: Tables = "", Reload, "A table that replaces commands before they are read.";
            permit_mx_backup_networks: NetworkList = "", Reload, "Networks of hosts this one may be a backup for.";
            rbl_reply_maps: Tables = "", Reload, "Such texts by list.";
            reject_tempfail_action: Text = "defer_if_permit", Reload, "What to do when a refusal meets a temporary error.";
            smtpd_null_access_lookup_key: Text = "<>", Reload, "What access tables are asked for the null sender.";
            smtpd_policy_service_default_action: Text = "451 4.3.5 Server configuration problem", Reload, "The answer when a policy server fails.";
            smtpd_policy_service_max_idle: Seconds = "300s", Reload, "How long an idle connection to a policy server stays.";
            smtpd_policy_service_max_ttl: Seconds = "1000s", Reload, "How long any such connection stays.";
            smtpd_policy_service_policy_context: Text = "", Reload, "A text sent to policy servers.";
            smtpd_policy_service_request_limit: Count = "0", Reload, "Requests over one such connection.";
            smtpd_policy_service_retry_delay: Seconds = "1s", Reload, "The pause before asking again.";
            smtpd_policy_service_timeout: Seconds = "100s", Reload, "How long to wait for a policy server.";
            smtpd_policy_service_try_limit: Count = "2", Reload, "How often a policy server is asked.";
            unknown_address_tempfail_action: Text = "$reject_tempfail_action", Reload, "The same for domains of addresses.";
            unknown_helo_hostname_tempfail_action: Text = "$reject_tempfail_action", Reload, "The same for HELO names.";
            smtpd_log_access_permit_actions: List = "", Reload, "Permitting rules that are logged.";
            show_user_unknown_table_name: YesNo = "yes", Reload, "Whether \"User unknown\" names the table.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "cyrus_sasl_config_path" Text "" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "Where Cyrus SASL's files lie.";
    "empty_address_local_login_sender_maps_lookup_key" Text "<>" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "What is looked up there for the null sender.";
    "local_login_sender_maps" Tables "static:*" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "Which local logins own a sender address.";
    "send_cyrus_sasl_authzid" YesNo "no" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "Whether the authorisation name is sent to Cyrus SASL.";
    "smtpd_client_connection_limit_exceptions" Text "" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "An older name of smtpd_client_event_limit_exceptions.";
    "smtpd_dns_reply_filter" Text "" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "A table that changes DNS answers.";
    "smtpd_per_record_deadline" Text "" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "An older name of smtpd_per_request_deadline.";
    "smtpd_upstream_proxy_protocol" Text "" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "The proxy protocol that clients' connections begin with.";
    "smtpd_upstream_proxy_timeout" Seconds "5s" NotSupported "not yet: this rule or table of the SMTP server comes with a later release"
        "How long to wait for it.";
}
