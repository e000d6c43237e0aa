//! Parameters of main.cf about routing, aliases and local delivery.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            alias_maps: Tables = "hash:/etc/aliases, nis:mail.aliases", Reload, "The tables of aliases(5).";
            alias_database: Tables = "hash:/etc/aliases", Reload, "The tables that newaliases builds.";
            local_recipient_maps: Tables = "proxy:unix:passwd.byname $alias_maps", Reload, "The tables of local users; empty: any name is accepted.";
            local_transport: Text = "local:$myhostname", Reload, "The transport for mydestination.";
            mydestination: List = "$myhostname, localhost.$mydomain, localhost", Reload, "The domains whose mail is delivered here.";
            mail_spool_directory: Path = "/var/mail", Reload, "Where users' mbox files lie.";
            home_mailbox: Text = "", Reload, "The mailbox below the home directory; with a slash at the end, a Maildir.";
            mailbox_command: Text = "", Reload, "The command that takes users' mail.";
            mailbox_command_maps: Tables = "", Reload, "Commands by user.";
            mailbox_transport: Text = "", Reload, "The transport that takes users' mail.";
            mailbox_transport_maps: Tables = "", Reload, "Transports by user.";
            fallback_transport: Text = "", Reload, "The transport for names that are no users.";
            fallback_transport_maps: Tables = "", Reload, "Such transports by name.";
            luser_relay: Text = "", Reload, "Where mail for unknown users goes.";
            mailbox_delivery_lock: MailboxLocks = "fcntl, dotlock", Reload, "How mailbox files are locked.";
            mailbox_size_limit: Bytes = "51200000", Reload, "The largest mailbox file; 0: no limit.";
            deliver_lock_attempts: Count = "20", Reload, "How often a lock is tried.";
            deliver_lock_delay: Seconds = "1s", Reload, "The time between those tries.";
            stale_lock_time: Seconds = "500s", Reload, "After how long a lock file counts as left behind.";
            require_home_directory: YesNo = "no", Reload, "Whether delivery waits for the home directory.";
            strict_mailbox_ownership: YesNo = "yes", Reload, "Whether a mailbox file must belong to its user.";
            forward_path: List = "$home/.forward${recipient_delimiter}${extension}, $home/.forward", Reload, "Where .forward files lie.";
            allow_mail_to_commands: List = "alias, forward", Reload, "Where commands may be targets.";
            allow_mail_to_files: List = "alias, forward", Reload, "Where files may be targets.";
            command_time_limit: Seconds = "1000s", Reload, "How long a command may run.";
            command_expansion_filter: Text = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", Reload, "Characters that may come into a command from the address.";
            forward_expansion_filter: Text = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", Reload, "Characters that may come into forward_path from the address.";
            command_execution_directory: Text = "", Reload, "Where commands are run.";
            execution_directory_expansion_filter: Text = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", Reload, "Characters that may come into that directory from the address.";
            propagate_unmatched_extensions: List = "canonical, virtual", Reload, "Where an address extension goes along to the addresses that a table or list names.";
            prepend_delivered_header: List = "command, file, forward", Reload, "Where Delivered-To: is written.";
            local_command_shell: Text = "", Reload, "The shell for commands; empty: none, when it can be avoided.";
            duplicate_filter_limit: Count = "1000", Reload, "How many addresses are remembered to drop doubles.";
            expand_owner_alias: YesNo = "no", Reload, "Whether the sender becomes what owner-name points to.";
            owner_request_special: YesNo = "yes", Reload, "Whether owner-name and name-request are kept whole.";
            reset_owner_alias: YesNo = "no", Reload, "Whether the owner of an outer list is forgotten in an inner one.";
            frozen_delivered_to: YesNo = "yes", Reload, "Whether Delivered-To: stays the first address.";
            biff: YesNo = "yes", Reload, "Whether comsat is told of new mail.";
            virtual_alias_domains: List = "$virtual_alias_maps", Reload, "Domains all of whose addresses are aliases.";
            virtual_alias_maps: Tables = "$virtual_maps", Reload, "The tables of virtual(5).";
            virtual_mailbox_domains: List = "$virtual_mailbox_maps", Reload, "Domains whose mailboxes virtual_transport serves.";
            virtual_mailbox_maps: Tables = "", Reload, "The mailboxes of those domains.";
            virtual_mailbox_base: Path = "", Reload, "The directory above those mailboxes.";
            virtual_mailbox_limit: Bytes = "51200000", Reload, "The largest such mailbox; 0: no limit.";
            virtual_mailbox_lock: MailboxLocks = "fcntl, dotlock", Reload, "How such a mailbox file is locked.";
            virtual_minimum_uid: Count = "100", Reload, "The lowest uid for those mailboxes.";
            virtual_uid_maps: Tables = "", Reload, "The uids for those mailboxes.";
            virtual_gid_maps: Tables = "", Reload, "The gids for those mailboxes.";
            virtual_transport: Text = "virtual", Reload, "The transport for virtual_mailbox_domains.";
            virtual_alias_expansion_limit: Count = "1000", Reload, "Into how many addresses one may expand.";
            virtual_alias_recursion_limit: Count = "1000", Reload, "How often an alias may lead to another.";
            virtual_alias_address_length_limit: Count = "1000", Reload, "The longest address made by aliases.";
            relay_domains: List = "${{$compatibility_level} <level {2} ? {$mydestination} : {}}", Reload, "Other domains whose mail is accepted and passed on.";
            relay_recipient_maps: Tables = "", Reload, "The known recipients of relay_domains; empty: all.";
            relay_transport: Text = "relay", Reload, "The transport for relay_domains.";
            relayhost: Text = "", Reload, "Where all other mail is passed on to.";
            default_transport: Text = "smtp", Reload, "The transport for all other mail.";
            transport_maps: Tables = "", Reload, "The tables of transport(5).";
            sender_dependent_relayhost_maps: Tables = "", Reload, "relayhost by sender.";
            empty_address_relayhost_maps_lookup_key: Text = "<>", Reload, "What is looked up there for the null sender.";
            empty_address_default_transport_maps_lookup_key: Text = "<>", Reload, "What is looked up for the null sender in sender_dependent_default_transport_maps.";
            sender_dependent_default_transport_maps: Tables = "", Reload, "default_transport by sender.";
            relocated_maps: Tables = "", Reload, "The tables of relocated(5).";
            append_at_myorigin: YesNo = "yes", Reload, "Whether names without a domain get myorigin.";
            append_dot_mydomain: YesNo = "${{$compatibility_level} <level {1} ? {yes} : {no}}", Reload, "Whether domains without a dot get mydomain.";
            swap_bangpath: YesNo = "yes", Reload, "Whether host!user becomes user@host.";
            allow_percent_hack: YesNo = "yes", Reload, "Whether user%domain becomes user@domain.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {}
