//! Settings of dovecot.conf about mail storage.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            mail_location: Text = "", Reload, "Where mail is: maildir:~/Maildir, mbox:~/mail:INBOX=/var/mail/%u.";
            mail_home: Text = "", Reload, "The home directory when the userdb gives none.";
            mail_uid: Text = "", Reload, "The uid when the userdb gives none.";
            mail_gid: Text = "", Reload, "The gid when the userdb gives none.";
            mail_chroot: Path = "", Reload, "The root directory of a user's files.";
            mail_privileged_group: Text = "", Reload, "The group for creating files beside mbox INBOXes.";
            mail_access_groups: List = "", Reload, "Other groups that sessions have.";
            mail_full_filesystem_access: YesNo = "no", Reload, "Whether mailbox names may be paths.";
            mail_debug: YesNo = "no", Reload, "Whether mail access is logged in detail.";
            mail_log_prefix: Verbatim = "%s(%u)<%{pid}><%{session}>: ", Reload, "What stands before log lines of sessions.";
            mail_plugins: List = "", Reload, "The plugins of the mail services.";
            mail_fsync: MailFsync = "optimized", Reload, "When files are synced.";
            mail_attribute_dict: Text = "", Reload, "Where METADATA is kept.";
            mail_max_keyword_length: Count = "50", Reload, "The longest keyword.";
            mail_max_lock_timeout: Interval = "0", Reload, "The longest wait for any lock; 0: each lock's own.";
            mail_temp_dir: Path = "/tmp", Reload, "Where temporary files lie.";
            mail_save_crlf: YesNo = "no", Reload, "Whether mail is written with CRLF.";
            mail_nfs_storage: YesNo = "no", Reload, "Whether mail is on NFS.";
            mail_nfs_index: YesNo = "no", Reload, "Whether indexes are on NFS.";
            mailbox_idle_check_interval: Interval = "30 secs", Reload, "How often an idle session looks for new mail.";
            mailbox_list_index: YesNo = "yes", Reload, "Whether the list of mailboxes is indexed.";
            mmap_disable: YesNo = "no", Reload, "Whether mmap is not used.";
            dotlock_use_excl: YesNo = "yes", Reload, "Whether O_EXCL is trusted for lock files.";
            lock_method: Text = "fcntl", Reload, "How index files are locked.";
            maildir_stat_dirs: YesNo = "no", Reload, "Whether LIST looks whether an entry is a directory.";
            maildir_copy_with_hardlinks: YesNo = "yes", Reload, "Whether copies are hard links.";
            maildir_very_dirty_syncs: YesNo = "no", Reload, "Whether cur/ is assumed to change only by us.";
            maildir_broken_filename_sizes: YesNo = "no", Reload, "Whether S= in file names is not trusted.";
            maildir_empty_new: YesNo = "no", Reload, "Whether new/ is always emptied.";
            mbox_read_locks: MailboxLocks = "fcntl", Reload, "How an mbox is locked for reading.";
            mbox_write_locks: MailboxLocks = "fcntl dotlock", Reload, "How an mbox is locked for writing.";
            mbox_lock_timeout: Interval = "5 mins", Reload, "How long to wait for those locks.";
            mbox_dotlock_change_timeout: Interval = "2 mins", Reload, "After how long a lock file counts as left behind.";
            mbox_dirty_syncs: YesNo = "yes", Reload, "Whether a changed mbox is not read again as a whole.";
            mbox_very_dirty_syncs: YesNo = "no", Reload, "The same for SELECT and others.";
            mbox_lazy_writes: YesNo = "yes", Reload, "Whether flags are written only at the end.";
            mbox_min_index_size: Size = "0", Reload, "Below which size an mbox has no index.";
            mbox_md5: Text = "apop3d", Reload, "Which headers make a message's fingerprint.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "imapc_cmd_timeout" Interval "5 mins" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How long to wait for the remote server.";
    "imapc_connection_retry_count" Count "1" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How often a connection is tried again.";
    "imapc_connection_retry_interval" Interval "1 secs" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The pause in between.";
    "imapc_features" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Choices for the remote server.";
    "imapc_host" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The remote server.";
    "imapc_list_prefix" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The prefix of remote mailboxes.";
    "imapc_master_user" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The master user there.";
    "imapc_max_idle_time" Interval "29 mins" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How long IDLE may last there.";
    "imapc_max_line_length" Count "0" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The longest line from there.";
    "imapc_password" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The password there.";
    "imapc_port" Count "143" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The port there.";
    "imapc_rawlog_dir" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Where that traffic is logged.";
    "imapc_sasl_mechanisms" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The mechanisms used there.";
    "imapc_ssl" YesNo "no" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How TLS is used there.";
    "imapc_ssl_verify" YesNo "yes" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Whether its certificate is checked.";
    "imapc_user" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The user name there.";
    "mail_always_cache_fields" Text "" NoEffect "the mailbox index decides this itself"
        "Fields that are always cached.";
    "mail_attachment_detection_options" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How attachments are recognised.";
    "mail_attachment_dir" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Where attachments are kept apart.";
    "mail_attachment_fs" Text "sis posix" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How they are kept.";
    "mail_attachment_hash" Text "%{sha1}" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How they are named.";
    "mail_attachment_min_size" Size "128 k" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "From which size they are kept apart.";
    "mail_cache_fields" Text "flags" NoEffect "the mailbox index decides this itself"
        "Fields that are cached at first.";
    "mail_never_cache_fields" Text "imap.envelope" NoEffect "the mailbox index decides this itself"
        "Fields that are never cached.";
    "mail_prefetch_count" Count "0" NoEffect "the mailbox index decides this itself"
        "How many messages are opened ahead.";
    "mail_server_admin" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The address for METADATA.";
    "mail_server_comment" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The comment for METADATA.";
    "mail_shared_explicit_inbox" YesNo "no" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Whether shared INBOXes are named in full.";
    "mail_sort_max_read_count" Count "0" NoEffect "the mailbox index decides this itself"
        "How many messages SORT may open.";
    "mail_temp_scan_interval" Interval "1 weeks" NoEffect "the mailbox index decides this itself"
        "How often temporary files are cleaned.";
    "mail_vsize_bg_after_count" Count "0" NoEffect "the mailbox index decides this itself"
        "From how many messages sizes are counted in the background.";
    "mailbox_list_index_include_inbox" YesNo "no" NoEffect "the mailbox index decides this itself"
        "Whether the list's index holds the INBOX.";
    "mailbox_list_index_very_dirty_syncs" YesNo "no" NoEffect "the mailbox index decides this itself"
        "Whether that index is trusted.";
    "mdbox_preallocate_space" YesNo "no" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Whether room is taken ahead in mdbox files.";
    "mdbox_rotate_interval" Interval "0" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "After how long a new mdbox file begins.";
    "mdbox_rotate_size" Size "10 M" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "At which size a new mdbox file begins.";
    "pop3c_features" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Choices for the remote POP3 server.";
    "pop3c_host" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The remote POP3 server.";
    "pop3c_master_user" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The master user there.";
    "pop3c_password" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The password there.";
    "pop3c_port" Count "110" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The port there.";
    "pop3c_quick_received_date" YesNo "no" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Whether dates are not asked for.";
    "pop3c_rawlog_dir" Text "" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Where that traffic is logged.";
    "pop3c_ssl" YesNo "no" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "How TLS is used there.";
    "pop3c_ssl_verify" YesNo "yes" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "Whether its certificate is checked.";
    "pop3c_user" Text "%u" NotSupported "not yet: this kind of storage or cache comes with a later release"
        "The user name there.";
}
