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
            log_timestamp: Text = "\"%b %d %H:%M:%S \"", Reload, "How a time looks in a log file.";
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

crate::params::others! {}
