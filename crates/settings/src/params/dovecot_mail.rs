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
            mail_log_prefix: Text = "\"%s(%u)<%{pid}><%{session}>: \"", Reload, "What stands before log lines of sessions.";
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

crate::params::others! {}
