//! Parameters of main.cf about identity, networks, processes and logging.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            compatibility_level: Text = "3.6", Reload, "Which version's old defaults are kept; Yubin has those of 3.6 only.";
            mail_name: Text = "Postfix", Reload, "The name of the mail system in greetings and headers.";
            mail_version: Text = "0.0.0", Reload, "This program's version.";
            mail_owner: Text = "yubin", Restart, "The user that the front runs as.";
            setgid_group: Text = "postdrop", Reload, "The group that may drop messages into the queue.";
            default_privs: Text = "nobody", Reload, "The user for aliases' commands and files that nobody owns.";
            queue_directory: Path = "/var/spool/yubin", Restart, "Where the queue lies.";
            data_directory: Path = "/var/lib/yubin", Restart, "Where caches and other rebuildable data lie.";
            config_directory: Path = "", Reload, "Where main.cf and master.cf lie.";
            myhostname: Text = "", Reload, "The full name of this host.";
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
            smtputf8_autodetect_classes: List = "sendmail, verify", Reload, "Which mail is looked through to see whether it needs SMTPUTF8.";
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
            soft_bounce: YesNo = "no", Reload, "Whether mail that would be returned is kept in the queue instead.";
            authorized_flush_users: List = "static:anyone", Reload, "Who may run postqueue -f.";
            authorized_mailq_users: List = "static:anyone", Reload, "Who may see the queue.";
            authorized_submit_users: List = "static:anyone", Reload, "Who may submit by sendmail(1).";
        }
    };
}
pub(crate) use rows;

crate::params::others! {}
