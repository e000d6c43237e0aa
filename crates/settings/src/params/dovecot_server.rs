//! Settings of dovecot.conf about the server: listening, logging, TLS.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            protocols: List = "", Restart, "The protocols that are served.";
            listen: List = "*, ::", Restart, "The addresses on which the services listen.";
            base_dir: Path = "/run/yubin", Restart, "Where sockets lie at run time.";
            state_dir: Path = "/var/lib/yubin", Restart, "Where lasting state lies.";
            instance_name: Text = "dovecot", Reload, "The name of this instance.";
            log_path: Path = "syslog", Reload, "The log file; syslog, or /dev/stderr.";
            info_log_path: Path = "", Reload, "The log file for information; empty: log_path.";
            debug_log_path: Path = "", Reload, "The log file for debugging; empty: info_log_path.";
            log_timestamp: Verbatim = "%b %d %H:%M:%S ", Reload, "How a time looks in a log file.";
            log_debug: Text = "", Reload, "Which events are logged for debugging.";
            syslog_facility: Text = "mail", Reload, "The syslog facility.";
            login_greeting: Text = "Yubin ready.", Reload, "The text of the greeting.";
            login_log_format: Text = "%$: %s", Reload, "How a login's log line is put together.";
            login_log_format_elements: List = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>", Reload, "The parts of that line.";
            login_trusted_networks: List = "", Reload, "Clients that count as secured, and whose word about addresses is taken.";
            login_access_sockets: List = "", Reload, "Services that are asked whether a client may log in.";
            haproxy_trusted_networks: List = "", Reload, "Proxies whose PROXY header is taken.";
            haproxy_timeout: Interval = "3 secs", Reload, "How long to wait for a PROXY header.";
            mail_max_userip_connections: Count = "10", Reload, "Connections at once of one user from one address.";
            default_internal_user: Text = "dovecot", Reload, "The user of internal parts.";
            default_internal_group: Text = "dovecot", Reload, "The group of internal parts.";
            default_login_user: Text = "dovenull", Reload, "The user of the login phase.";
            default_client_limit: Count = "1000", Reload, "Clients of one process when the service does not say.";
            default_process_limit: Count = "100", Reload, "Processes of a service when it does not say.";
            default_idle_kill: Interval = "1 mins", Reload, "How long an unused process waits before it ends.";
            default_vsz_limit: Size = "256 M", Reload, "How much memory a process may have.";
            hostname: Text = "", Reload, "This host's name in mail that is made here; empty: the system's.";
            postmaster_address: Text = "postmaster@%{if;%d;ne;;%d;%{hostname}}", Reload, "The sender of refusals.";
            recipient_delimiter: Text = "+", Reload, "The characters between user name and detail.";
            sendmail_path: Path = "/usr/sbin/sendmail", Reload, "The program that sends mail.";
            submission_host: Text = "", Reload, "The SMTP server that sends mail, host:port; empty: sendmail_path.";
            shutdown_clients: YesNo = "yes", Reload, "Whether sessions end when the system stops.";
            import_environment: List = "TZ CORE_OUTOFMEM CORE_ERROR LISTEN_PID LISTEN_FDS NOTIFY_SOCKET", Reload, "Environment variables that are taken over.";
            verbose_proctitle: YesNo = "no", Reload, "Whether process titles name the user.";
            verbose_ssl: YesNo = "no", Reload, "Whether TLS errors are logged in detail.";
            ssl: SslUse = "yes", Reload, "Whether TLS is used.";
            ssl_cert: Text = "", Reload, "The certificate: its text, or <file.";
            ssl_key: Text = "", Reload, "The key: its text, or <file.";
            ssl_alt_cert: Text = "", Reload, "A second certificate.";
            ssl_alt_key: Text = "", Reload, "Its key.";
            ssl_key_password: Text = "", Reload, "The key's password.";
            ssl_ca: Text = "", Reload, "Authorities for client certificates.";
            ssl_require_crl: YesNo = "yes", Reload, "Whether lists of revoked certificates must be in ssl_ca.";
            ssl_cert_username_field: Text = "commonName", Reload, "Where a certificate names the user.";
            ssl_min_protocol: Text = "TLSv1.2", Reload, "The lowest TLS version.";
            ssl_cipher_list: Text = "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH", Reload, "The ciphers up to TLS 1.2.";
            ssl_cipher_suites: Text = "", Reload, "The ciphers of TLS 1.3.";
            ssl_prefer_server_ciphers: YesNo = "no", Reload, "Whether the server's order of ciphers counts.";
            ssl_verify_client_cert: YesNo = "no", Reload, "Whether a client certificate is asked for.";
            ssl_client_ca_file: Path = "", Reload, "Authorities for connections made from here.";
            ssl_client_ca_dir: Path = "", Reload, "A directory of them.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "auth_socket_path" Text "auth-userdb" NoEffect "parts of the server find each other without this"
        "The socket of user lookups.";
    "auth_stats" YesNo "no" NoEffect "parts of the server find each other without this"
        "Whether logins are counted apart.";
    "auth_worker_max_count" Count "30" NoEffect "parts of the server find each other without this"
        "How many processes check passwords.";
    "config_cache_size" Size "1 M" NoEffect "parts of the server find each other without this"
        "How much memory the configuration may take.";
    "director_flush_socket" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "A script for users that move between hosts.";
    "director_mail_servers" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The mail hosts.";
    "director_max_parallel_kicks" Count "100" NotSupported "not yet: clusters, proxies and remote administration"
        "How many users are disconnected at once.";
    "director_max_parallel_moves" Count "100" NotSupported "not yet: clusters, proxies and remote administration"
        "How many users move at once.";
    "director_output_buffer_size" Size "10 M" NotSupported "not yet: clusters, proxies and remote administration"
        "The buffer between directors.";
    "director_ping_idle_timeout" Interval "30 secs" NotSupported "not yet: clusters, proxies and remote administration"
        "How long an idle connection between directors may be silent.";
    "director_ping_max_timeout" Interval "1 mins" NotSupported "not yet: clusters, proxies and remote administration"
        "How long such a connection may be silent at all.";
    "director_servers" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The directors.";
    "director_user_expire" Interval "15 mins" NotSupported "not yet: clusters, proxies and remote administration"
        "How long a user stays on a host.";
    "director_user_kick_delay" Interval "2 secs" NotSupported "not yet: clusters, proxies and remote administration"
        "The pause after disconnecting a user.";
    "director_username_hash" Text "%Lu" NotSupported "not yet: clusters, proxies and remote administration"
        "What of a name decides about the host.";
    "doveadm_allowed_commands" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Commands that a remote doveadm may use.";
    "doveadm_api_key" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The key of the web interface.";
    "doveadm_http_rawlog_dir" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Where its traffic is logged.";
    "doveadm_password" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The password between servers.";
    "doveadm_port" Count "0" NotSupported "not yet: clusters, proxies and remote administration"
        "The port of other servers' doveadm.";
    "doveadm_socket_path" Text "doveadm-server" NoEffect "parts of the server find each other without this"
        "The socket of doveadm.";
    "doveadm_ssl" YesNo "no" NotSupported "not yet: clusters, proxies and remote administration"
        "How TLS is used between servers.";
    "doveadm_username" Text "doveadm" NotSupported "not yet: clusters, proxies and remote administration"
        "The user name between servers.";
    "doveadm_worker_count" Count "0" NotSupported "not yet: clusters, proxies and remote administration"
        "How many commands run at once.";
    "dsync_alt_char" Text "_" NotSupported "not yet: clusters, proxies and remote administration"
        "The character for names that the other side cannot have.";
    "dsync_commit_msgs_interval" Count "100" NotSupported "not yet: clusters, proxies and remote administration"
        "How many messages are copied at once.";
    "dsync_features" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Choices of synchronisation.";
    "dsync_hashed_headers" Text "Date Message-ID" NotSupported "not yet: clusters, proxies and remote administration"
        "Headers that tell messages apart.";
    "dsync_remote_cmd" Text "ssh -l%{login} %{host} doveadm dsync-server -u%u -U" NotSupported "not yet: clusters, proxies and remote administration"
        "The command that reaches the other side.";
    "libexec_dir" Text "/usr/lib/dovecot" NoEffect "parts of the server find each other without this"
        "Where the incumbent's programs lie.";
    "log_core_filter" Text "" NoEffect "parts of the server find each other without this"
        "Events that end in a core file.";
    "login_plugin_dir" Text "/usr/lib/dovecot/modules/login" NoEffect "parts of the server find each other without this"
        "Where the incumbent's login plugins lie.";
    "login_plugins" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Plugins of the login phase.";
    "login_proxy_max_disconnect_delay" Count "0" NotSupported "not yet: clusters, proxies and remote administration"
        "The longest pause before clients are disconnected.";
    "login_proxy_max_reconnects" Count "3" NotSupported "not yet: clusters, proxies and remote administration"
        "How often a proxied connection is made again.";
    "login_proxy_notify_path" Text "proxy-notify" NoEffect "parts of the server find each other without this"
        "The socket of the login proxy.";
    "login_proxy_rawlog_dir" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Where proxied traffic is logged.";
    "login_proxy_timeout" Interval "30 secs" NotSupported "not yet: clusters, proxies and remote administration"
        "How long connecting to the other host may take.";
    "login_source_ips" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The addresses that proxied connections come from.";
    "mail_plugin_dir" Text "/usr/lib/dovecot/modules" NoEffect "parts of the server find each other without this"
        "Where the incumbent's plugins lie.";
    "old_stats_carbon_interval" Interval "30 secs" NotSupported "not yet: clusters, proxies and remote administration"
        "How often figures are sent to Carbon.";
    "old_stats_carbon_name" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The name they are sent under.";
    "old_stats_carbon_server" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "The Carbon server.";
    "old_stats_command_min_time" Interval "1 mins" NotSupported "not yet: clusters, proxies and remote administration"
        "How long a command's figures stay.";
    "old_stats_domain_min_time" Interval "12 hours" NotSupported "not yet: clusters, proxies and remote administration"
        "How long a domain's figures stay.";
    "old_stats_ip_min_time" Interval "12 hours" NotSupported "not yet: clusters, proxies and remote administration"
        "How long an address's figures stay.";
    "old_stats_memory_limit" Size "16 M" NotSupported "not yet: clusters, proxies and remote administration"
        "How much memory figures take.";
    "old_stats_session_min_time" Interval "15 mins" NotSupported "not yet: clusters, proxies and remote administration"
        "How long a session's figures stay.";
    "old_stats_user_min_time" Interval "1 hours" NotSupported "not yet: clusters, proxies and remote administration"
        "How long a user's figures stay.";
    "process_shutdown_filter" Text "" NoEffect "parts of the server find each other without this"
        "Events that end a process.";
    "rawlog_dir" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Where sessions are logged as they are on the wire.";
    "replication_dsync_parameters" Text "-d -N -l 30 -U" NotSupported "not yet: clusters, proxies and remote administration"
        "How replication calls dsync.";
    "replication_full_sync_interval" Interval "1 days" NotSupported "not yet: clusters, proxies and remote administration"
        "How often everything is compared.";
    "replication_max_conns" Count "10" NotSupported "not yet: clusters, proxies and remote administration"
        "How many replications run at once.";
    "replicator_host" Text "replicator" NotSupported "not yet: clusters, proxies and remote administration"
        "The replication host.";
    "replicator_port" Count "0" NotSupported "not yet: clusters, proxies and remote administration"
        "The replication port.";
    "ssl_client_cert" Text "" NotSupported "not yet: this choice of TLS comes with a later release"
        "The certificate of connections made from here.";
    "ssl_client_key" Text "" NotSupported "not yet: this choice of TLS comes with a later release"
        "Its key.";
    "ssl_client_require_valid_cert" YesNo "yes" NotSupported "not yet: this choice of TLS comes with a later release"
        "Whether the other side's certificate is checked.";
    "ssl_crypto_device" Text "" NoEffect "the TLS library chooses safe ciphers, curves and parameters itself"
        "A device that computes.";
    "ssl_curve_list" Text "" NoEffect "the TLS library chooses safe ciphers, curves and parameters itself"
        "The curves.";
    "ssl_dh" Text "" NoEffect "the TLS library chooses safe ciphers, curves and parameters itself"
        "Diffie-Hellman parameters.";
    "ssl_options" Text "" NoEffect "the TLS library chooses safe ciphers, curves and parameters itself"
        "Options of the TLS library.";
    "stats_http_rawlog_dir" Text "" NotSupported "not yet: clusters, proxies and remote administration"
        "Where requests for figures are logged.";
    "stats_writer_socket_path" Text "stats-writer" NoEffect "parts of the server find each other without this"
        "The socket of the figures.";
    "valid_chroot_dirs" Text "" NoEffect "parts of the server find each other without this"
        "Directories that a user's root may be in.";
    "version_ignore" YesNo "no" NoEffect "parts of the server find each other without this"
        "Whether parts of different versions work together.";
}
