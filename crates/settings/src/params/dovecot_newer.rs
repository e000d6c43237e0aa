//! Settings of dovecot.conf about the names of the 2.4 dialect and what they were called before.

crate::params::others! {
    "acl_driver" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The kind of access lists.";
    "acl_globals_only" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Whether only global access lists count.";
    "auth_allow_cleartext" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Whether plaintext passwords need no TLS.";
    "auth_internal_failure_delay" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "How long an answer waits after an error.";
    "auth_master_socket_path" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The socket of master lookups.";
    "auth_oauth2_post_setting_defaults" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Defaults of OAuth2.";
    "dict_server_name" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The dictionary server.";
    "dovecot_config_version" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The dialect of the file.";
    "dovecot_storage_version" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The version of files on disk.";
    "fsync_disable" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Whether files are not synced (before 2.0).";
    "fts_autoindex" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Whether new mail is indexed.";
    "fts_autoindex_max_recent_msgs" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Which mailboxes are indexed at once.";
    "fts_driver" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The kind of full-text index.";
    "fts_search_add_missing" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Whether a search indexes what is missing.";
    "fts_search_read_fallback" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Whether a search reads mail when the index fails.";
    "fts_search_timeout" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "How long indexing for a search may take.";
    "ldap_auth_dn" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Who asks the LDAP servers.";
    "ldap_auth_dn_password" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "That one's password.";
    "ldap_base" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Where LDAP searches begin.";
    "ldap_uris" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The LDAP servers.";
    "lmtp_rcpt_check_host" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Whether recipients are checked at another host.";
    "mail_alt_path" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Where older mail lies.";
    "mail_attachment_store" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Where attachments are kept.";
    "mail_cache_max_size" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The largest cache.";
    "mail_cache_min_mail_count" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "From how many messages on there is a cache.";
    "mail_cache_purge_minimum_size" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "From which size a cache is cleaned.";
    "mail_cache_unaccessed_field_drop" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "After how long an unused field leaves the cache.";
    "mail_control_path" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Where control files are.";
    "mail_driver" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The kind of mail storage.";
    "mail_extra_groups" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Other groups that sessions have (before 2.0).";
    "mail_inbox_path" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Where the INBOX is.";
    "mail_index_log_rotate_max_size" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "At which size it is turned over anyway.";
    "mail_index_log_rotate_min_size" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "From which size an index log is turned over.";
    "mail_index_path" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Where indexes are.";
    "mail_path" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Where mail is.";
    "mail_utf8_extensions" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Whether UTF8=ACCEPT is offered.";
    "mail_volatile_path" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Where volatile files lie.";
    "mailbox_directory_name" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The directory of a mailbox's own mail.";
    "mailbox_list_layout" Text "" NoEffect "read as the 2.3 names that it stands for"
        "How mailboxes lie in directories.";
    "mailbox_list_storage_escape_char" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The escape character on disk.";
    "mailbox_list_utf8" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Whether mailbox directories are in UTF-8.";
    "mailbox_list_visible_escape_char" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The escape character that users see.";
    "mailbox_root_directory_name" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The directory above all mailboxes.";
    "mailbox_subscriptions_filename" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The file of subscriptions.";
    "max_mail_processes" Text "" NoEffect "read as the 2.3 names that it stands for"
        "How many sessions (before 2.0).";
    "metric_defaults" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Defaults of figures.";
    "protocol_defaults" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Defaults of protocols.";
    "quota_exceeded_message" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The text for mail over quota.";
    "quota_mail_size" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The largest message a user may store.";
    "quota_message_count" Text "" NoEffect "read as the 2.3 names that it stands for"
        "How many messages a user may have.";
    "quota_storage_size" Text "" NoEffect "read as the 2.3 names that it stands for"
        "How much a user may store.";
    "sieve_extensions" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The extensions of Sieve.";
    "sieve_max_actions" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "How many actions a script may take.";
    "sieve_max_redirects" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "How many redirects a script may make.";
    "passdb_default_password_scheme" Text "PLAIN" NoEffect "read as part of the passdb blocks"
        "The scheme of stored passwords that name none.";
    "sieve_max_script_size" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The largest Sieve script.";
    "sieve_plugins" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The plugins of Sieve.";
    "sieve_script_path" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "Where a Sieve script is.";
    "sieve_script_type" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The kind of a Sieve script.";
    "sql_driver" Text "" NoEffect "read as part of the sql blocks"
        "The kind of SQL database.";
    "sqlite_journal_mode" Text "delete" NoEffect "the file of the database says it"
        "How an SQLite database keeps its journal.";
    "sqlite_path" Text "" NoEffect "read as part of the sql blocks"
        "The file of an SQLite database.";
    "sqlite_readonly" YesNo "no" NoEffect "read as part of the sql blocks"
        "Whether an SQLite database is only read.";
    "ssl_cert_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The certificate file (before 2.0).";
    "ssl_disable" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Whether TLS is off (before 2.0).";
    "ssl_key_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The key file (before 2.0).";
    "ssl_protocols" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The TLS versions (before 2.3).";
    "ssl_server_alt_cert_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "A second certificate file.";
    "ssl_server_alt_key_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Its key file.";
    "ssl_server_ca_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The file of authorities for client certificates.";
    "ssl_server_cert_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The certificate file.";
    "ssl_server_cert_username_field" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Where a certificate names the user.";
    "ssl_server_dh_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The file of Diffie-Hellman parameters.";
    "ssl_server_key_file" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The key file.";
    "ssl_server_key_password" Text "" NoEffect "read as the 2.3 names that it stands for"
        "The key's password.";
    "ssl_server_prefer_ciphers" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Whose order of ciphers counts.";
    "ssl_server_request_client_cert" Text "" NoEffect "read as the 2.3 names that it stands for"
        "Whether a client certificate is asked for.";
    "stats_server_host" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The host of figures.";
    "umask" Text "" NotSupported "not yet: this setting of the 2.4 dialect"
        "The mode of new files (before 2.0).";
}
