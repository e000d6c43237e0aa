//! Parameters of main.cf about identity, networks, processes and logging.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            compatibility_level: Text = "0", Reload, "Which version's changed defaults are taken; 3.6 has those of today.";
            mail_name: Text = "Postfix", Reload, "The name of the mail system in greetings and headers.";
            mail_version: Text = "0.0.0", Reload, "This program's version.";
            mail_owner: Text = "yubin", Restart, "The user that the front runs as.";
            setgid_group: Text = "postdrop", Reload, "The group that may drop messages into the queue.";
            default_privs: Text = "nobody", Reload, "The user for aliases' commands and files that nobody owns.";
            queue_directory: Path = "/var/spool/yubin", Restart, "Where the queue lies.";
            data_directory: Path = "/var/lib/yubin", Restart, "Where caches and other rebuildable data lie.";
            config_directory: Path = "", Reload, "Where main.cf and master.cf lie.";
            myhostname: Text = "", Reload, "The full name of this host.";
            yubin_sendmail_directory: Path = "", Reload, "Where files of Sendmail lie that are used in place: access, mailertable, virtusertable and others; empty: nowhere.";
            mydomain: Text = "", Reload, "The domain of this host.";
            myorigin: Text = "$myhostname", Reload, "The domain that local senders' addresses get.";
            mynetworks: NetworkList = "", Reload, "Clients that may relay through this host.";
            mynetworks_style: NetworksStyle = "${{$compatibility_level} <level {2} ? {subnet} : {host}}", Reload, "How mynetworks is made of the interfaces when it is not set.";
            inet_interfaces: List = "all", Restart, "The addresses on which mail is accepted.";
            inet_protocols: InetProtocols = "all", Restart, "The IP versions in use.";
            proxy_interfaces: List = "", Reload, "Addresses of this host that a translating router shows to the outside.";
            default_process_limit: Count = "100", Reload, "How many sessions a service serves at once when master.cf does not say.";
            max_idle: Seconds = "100s", Reload, "How long an unused worker waits before it ends.";
            max_use: Count = "100", Reload, "How many requests a worker serves before it ends.";
            ipc_timeout: Seconds = "3600s", Reload, "How long one part of the system waits for another.";
            daemon_timeout: Seconds = "18000s", Reload, "How long a worker may take for one request.";
            trigger_timeout: Seconds = "10s", Reload, "How long waking another service may take.";
            fork_attempts: Count = "5", Reload, "How often starting a child is tried.";
            fork_delay: Seconds = "1s", Reload, "How long to wait between those tries.";
            service_throttle_time: Seconds = "60s", Reload, "How long master waits before it restarts a service that failed.";
            master_service_disable: List = "", Reload, "Services of master.cf that are left out.";
            import_environment: List = "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME", Reload, "Environment variables that are taken over at the start.";
            export_environment: List = "TZ MAIL_CONFIG LANG", Reload, "Environment variables that commands get.";
            maillog_file: Path = "", Reload, "The log file, or /dev/stdout; empty: syslog.";
            maillog_file_prefixes: List = "/var, /dev/stdout", Reload, "Where maillog_file may lie.";
            maillog_file_rotate_suffix: Text = "%Y%m%d-%H%M%S", Reload, "The suffix of a rotated log file, as strftime writes it.";
            maillog_file_compressor: Text = "gzip", Reload, "The program that compresses a rotated log file.";
            syslog_facility: Text = "mail", Reload, "The syslog facility.";
            syslog_name: Text = "${multi_instance_name?{$multi_instance_name}:{postfix}}", Reload, "What stands before the slash in log tags.";
            debug_peer_level: Count = "2", Reload, "How much more is logged for the peers in debug_peer_list.";
            debug_peer_list: List = "", Reload, "Peers whose sessions are logged in detail.";
            delay_logging_resolution_limit: Count = "2", Reload, "Digits after the point in logged delays.";
            smtputf8_enable: YesNo = "${{$compatibility_level} <level {1} ? {no} : {yes}}", Reload, "Whether addresses and headers may be in UTF-8.";
            smtputf8_autodetect_classes: List = "sendmail, verify", Reload, "Which mail is looked through to see whether it needs SMTPUTF8: that of sendmail, smtpd, or all of both.";
            strict_smtputf8: YesNo = "no", Reload, "Whether UTF-8 is refused where the client did not ask for SMTPUTF8.";
            known_tcp_ports: List = "lmtp=24, smtp=25, smtps=submissions=465, submission=587", Reload, "Names of TCP ports that need no /etc/services.";
            recipient_delimiter: Text = "", Reload, "The characters between user name and address extension.";
            parent_domain_matches_subdomains: List = "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps", Reload, "Lists in which a domain stands for its subdomains too.";
            default_database_type: Text = "hash", Reload, "The table type where none is named.";
            multi_instance_name: Text = "", Reload, "The name of this instance among several.";
            multi_instance_enable: YesNo = "no", Reload, "Whether postmulti starts this instance.";
            multi_instance_directories: List = "", Reload, "Configuration directories of other instances.";
            process_id: Text = "", Reload, "The running process; for $process_id.";
            process_name: Text = "", Reload, "The running part; for $process_name.";
            service_name: Text = "", Reload, "The service's name in master.cf; for $service_name.";
            stress: Text = "", Reload, "Not empty while a service is overloaded.";
            allow_min_user: YesNo = "no", Reload, "Whether recipients may begin with a minus sign.";
            soft_bounce: YesNo = "no", Reload, "Whether mail that would be returned is kept in the queue instead.";
            alternate_config_directories: List = "", Reload, "Other configuration directories that users may name to postdrop.";
            command_directory: Path = "/usr/sbin", Reload, "Where postdrop lies, unless it lies beside the program.";
            authorized_flush_users: List = "static:anyone", Reload, "Who may run postqueue -f.";
            authorized_mailq_users: List = "static:anyone", Reload, "Who may see the queue.";
            authorized_submit_users: List = "static:anyone", Reload, "Who may submit by sendmail(1).";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "address_verify_service_name" Text "verify" NoEffect "services find each other without names in the file system"
        "The name of the verification service.";
    "application_event_drain_time" Seconds "100s" NoEffect "services find each other without names in the file system"
        "How long pending work may take at the end.";
    "berkeley_db_create_buffer_size" Count "16777216" NoEffect "Yubin has its own programs and manual pages"
        "Memory for building Berkeley DB tables.";
    "berkeley_db_read_buffer_size" Count "131072" NoEffect "Yubin has its own programs and manual pages"
        "Memory for reading Berkeley DB tables.";
    "bounce_service_name" Text "bounce" NoEffect "services find each other without names in the file system"
        "The name of the bounce service.";
    "connection_cache_service_name" Text "scache" NoEffect "services find each other without names in the file system"
        "The name of the connection cache.";
    "daemon_directory" Text "/usr/lib/postfix/sbin" NoEffect "Yubin has its own programs and manual pages"
        "Where the incumbent's daemons lie.";
    "daemon_table_open_error_is_fatal" YesNo "no" NoEffect "services find each other without names in the file system"
        "Whether a table that cannot be opened ends the program.";
    "debugger_command" Text "" NoEffect "Yubin has its own programs and manual pages"
        "The command that attaches a debugger.";
    "defer_service_name" Text "defer" NoEffect "services find each other without names in the file system"
        "The name of the defer service.";
    "dnsblog_service_name" Text "dnsblog" NoEffect "services find each other without names in the file system"
        "The name of the DNS log service.";
    "error_service_name" Text "error" NoEffect "services find each other without names in the file system"
        "The name of the error service.";
    "fault_injection_code" Count "0" NoEffect "Yubin has its own programs and manual pages"
        "A code for the incumbent's own tests.";
    "flush_service_name" Text "flush" NoEffect "services find each other without names in the file system"
        "The name of the flush service.";
    "helpful_warnings" YesNo "yes" NoEffect "Yubin has its own programs and manual pages"
        "Whether warnings about likely mistakes are logged.";
    "html_directory" Text "/usr/share/doc/postfix/html" NoEffect "Yubin has its own programs and manual pages"
        "Where the incumbent's manual lies.";
    "info_log_address_format" Text "external" NoEffect "Yubin has its own programs and manual pages"
        "Whether addresses in the log are quoted.";
    "ipc_idle" Seconds "5s" NoEffect "services find each other without names in the file system"
        "How long an idle connection between parts stays open.";
    "ipc_ttl" Seconds "1000s" NoEffect "services find each other without names in the file system"
        "How long any such connection stays open.";
    "lmdb_map_size" Count "16777216" NoEffect "Yubin has its own programs and manual pages"
        "The first size of an LMDB table.";
    "mail_release_date" Text "" NoEffect "Yubin has its own programs and manual pages"
        "The date of the incumbent's release.";
    "mailq_path" Text "/usr/bin/mailq" NoEffect "Yubin has its own programs and manual pages"
        "Where mailq(1) lies.";
    "manpage_directory" Text "/usr/share/man" NoEffect "Yubin has its own programs and manual pages"
        "Where the incumbent's manual pages lie.";
    "meta_directory" Text "/etc/postfix" NoEffect "Yubin has its own programs and manual pages"
        "Where the incumbent's lists of files lie.";
    "multi_instance_group" Text "" NotSupported "not yet: several instances on one host"
        "The group of instances this one belongs to.";
    "multi_instance_wrapper" Text "" NotSupported "not yet: several instances on one host"
        "The command that handles all instances.";
    "newaliases_path" Text "/usr/bin/newaliases" NoEffect "Yubin has its own programs and manual pages"
        "Where newaliases(1) lies.";
    "openssl_path" Text "openssl" NoEffect "Yubin has its own programs and manual pages"
        "Where openssl(1) lies.";
    "pickup_service_name" Text "pickup" NoEffect "services find each other without names in the file system"
        "The name of the pickup service.";
    "postlog_service_name" Text "postlog" NoEffect "services find each other without names in the file system"
        "The name of the log service.";
    "postlogd_watchdog_timeout" Seconds "10s" NoEffect "services find each other without names in the file system"
        "How long the log service may take for one request.";
    "postmulti_control_commands" Text "reload flush" NotSupported "not yet: several instances on one host"
        "Commands that reach every instance.";
    "postmulti_start_commands" Text "start" NotSupported "not yet: several instances on one host"
        "Commands that reach enabled instances.";
    "postmulti_stop_commands" Text "stop abort drain quick-stop" NotSupported "not yet: several instances on one host"
        "Commands that reach running instances in reverse order.";
    "process_id_directory" Text "pid" NoEffect "services find each other without names in the file system"
        "Where files with process numbers lie.";
    "proxy_read_maps" Text "$local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains $virtual_mailbox_maps $virtual_mailbox_domains $relay_recipient_maps $relay_domains $canonical_maps $sender_canonical_maps $recipient_canonical_maps $relocated_maps $transport_maps $mynetworks $smtpd_sender_login_maps $sender_bcc_maps $recipient_bcc_maps $smtp_generic_maps $lmtp_generic_maps $alias_maps $smtpd_client_restrictions $smtpd_helo_restrictions $smtpd_sender_restrictions $smtpd_relay_restrictions $smtpd_recipient_restrictions $address_verify_sender_dependent_default_transport_maps $address_verify_sender_dependent_relayhost_maps $address_verify_transport_maps $fallback_transport_maps $lmtp_discard_lhlo_keyword_address_maps $lmtp_pix_workaround_maps $lmtp_sasl_password_maps $lmtp_tls_policy_maps $mailbox_command_maps $mailbox_transport_maps $postscreen_discard_ehlo_keyword_address_maps $rbl_reply_maps $sender_dependent_default_transport_maps $sender_dependent_relayhost_maps $smtp_discard_ehlo_keyword_address_maps $smtp_pix_workaround_maps $smtp_sasl_password_maps $smtp_tls_policy_maps $smtpd_discard_ehlo_keyword_address_maps $smtpd_milter_maps $virtual_gid_maps $virtual_uid_maps $local_login_sender_maps $postscreen_reject_footer_maps $smtpd_reject_footer_maps $tls_server_sni_maps $tlsproxy_client_policy_maps $default_delivery_status_filter $lmtp_delivery_status_filter $lmtp_dns_reply_filter $lmtp_reply_filter $local_delivery_status_filter $pipe_delivery_status_filter $postscreen_command_filter $smtp_delivery_status_filter $smtp_dns_reply_filter $smtp_reply_filter $smtpd_command_filter $smtpd_dns_reply_filter $virtual_delivery_status_filter $body_checks $header_checks $lmtp_body_checks $lmtp_header_checks $lmtp_mime_header_checks $lmtp_nested_header_checks $milter_header_checks $mime_header_checks $nested_header_checks $smtp_body_checks $smtp_header_checks $smtp_mime_header_checks $smtp_nested_header_checks" NoEffect "Yubin has its own programs and manual pages"
        "Tables that the table service may read.";
    "proxy_write_maps" Text "$smtp_sasl_auth_cache_name $lmtp_sasl_auth_cache_name $address_verify_map $postscreen_cache_map" NoEffect "Yubin has its own programs and manual pages"
        "Tables that the table service may write.";
    "proxymap_service_name" Text "proxymap" NoEffect "services find each other without names in the file system"
        "The name of the table service.";
    "proxywrite_service_name" Text "proxywrite" NoEffect "services find each other without names in the file system"
        "The name of the table service that writes.";
    "qmqpd_authorized_clients" Text "" NotSupported "not yet: several instances on one host"
        "Clients that may use QMQP.";
    "qmqpd_client_port_logging" YesNo "no" NotSupported "not yet: several instances on one host"
        "Whether a QMQP client's port is logged.";
    "qmqpd_error_delay" Seconds "1s" NotSupported "not yet: several instances on one host"
        "The pause before an error answer.";
    "qmqpd_timeout" Seconds "300s" NotSupported "not yet: several instances on one host"
        "How long the QMQP server waits.";
    "queue_service_name" Text "qmgr" NoEffect "services find each other without names in the file system"
        "The name of the queue manager.";
    "readme_directory" Text "/usr/share/doc/postfix" NoEffect "Yubin has its own programs and manual pages"
        "Where the incumbent's README files lie.";
    "respectful_logging" Text "${{$compatibility_level} <level {3.6} ? {no} : {yes}}" NoEffect "Yubin has its own programs and manual pages"
        "Whether log lines use the newer words.";
    "rewrite_service_name" Text "rewrite" NoEffect "services find each other without names in the file system"
        "The name of the rewriting service.";
    "sample_directory" Text "/etc/postfix" NoEffect "Yubin has its own programs and manual pages"
        "Where sample files lie.";
    "sendmail_path" Text "/usr/sbin/sendmail" NoEffect "Yubin has its own programs and manual pages"
        "Where sendmail(1) lies.";
    "shlib_directory" Text "/usr/lib/postfix" NoEffect "Yubin has its own programs and manual pages"
        "Where the incumbent's libraries lie.";
    "showq_service_name" Text "showq" NoEffect "services find each other without names in the file system"
        "The name of the queue listing service.";
    "smtpd_service_name" Text "smtpd" NoEffect "services find each other without names in the file system"
        "The name of the service behind postscreen.";
    "sun_mailtool_compatibility" YesNo "no" NoEffect "Yubin has its own programs and manual pages"
        "Whether newlines in mailboxes follow an old mail program.";
    "tcp_windowsize" Count "0" NoEffect "Yubin has its own programs and manual pages"
        "The TCP window.";
    "tlsmgr_service_name" Text "tlsmgr" NoEffect "services find each other without names in the file system"
        "The name of the TLS service.";
    "tlsproxy_service_name" Text "tlsproxy" NoEffect "services find each other without names in the file system"
        "The name of the TLS proxy.";
    "trace_service_name" Text "trace" NoEffect "services find each other without names in the file system"
        "The name of the trace service.";
}
