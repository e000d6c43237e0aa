//! Settings of dovecot.conf about logins and users.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            auth_mechanisms: List = "plain", Reload, "The mechanisms that are offered.";
            auth_allow_weak_schemes: YesNo = "no", Reload, "Whether passwords stored by weak schemes are believed (2.4).";
            disable_plaintext_auth: YesNo = "yes", Reload, "Whether plaintext passwords need TLS.";
            auth_username_format: Text = "%Lu", Reload, "How a user name is changed before the lookup.";
            auth_username_chars: Text = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@", Reload, "Characters allowed in user names; empty: all.";
            auth_username_translation: Text = "", Reload, "Pairs of characters that are replaced in user names.";
            auth_default_realm: Text = "", Reload, "The domain of user names without one.";
            auth_realms: List = "", Reload, "Realms for mechanisms that need them.";
            auth_failure_delay: Interval = "2 secs", Reload, "How long an answer to a failed login waits.";
            auth_anonymous_username: Text = "anonymous", Reload, "The user name of anonymous logins.";
            auth_master_user_separator: Text = "", Reload, "The character between user and master user.";
            auth_cache_size: Size = "0", Reload, "How much memory the cache of lookups has; 0: none.";
            auth_cache_ttl: Interval = "1 hours", Reload, "How long a found user is kept.";
            auth_cache_negative_ttl: Interval = "1 hours", Reload, "How long an unknown user is kept.";
            auth_verbose: YesNo = "no", Reload, "Whether failed logins are logged with the reason.";
            auth_verbose_passwords: Text = "no", Reload, "Whether failed passwords are logged: no, plain, sha1, sha1:N.";
            auth_debug: YesNo = "no", Reload, "Whether lookups are logged in detail.";
            auth_debug_passwords: YesNo = "no", Reload, "Whether passwords are logged too.";
            auth_ssl_require_client_cert: YesNo = "no", Reload, "Whether a login needs a client certificate.";
            auth_ssl_username_from_cert: YesNo = "no", Reload, "Whether the user name comes from the certificate.";
            first_valid_uid: Count = "500", Reload, "The lowest uid that may log in.";
            last_valid_uid: Count = "0", Reload, "The highest uid that may log in; 0: any.";
            first_valid_gid: Count = "1", Reload, "The lowest gid that may log in.";
            last_valid_gid: Count = "0", Reload, "The highest gid that may log in; 0: any.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "auth_cache_verify_password_with_worker" YesNo "no" NoEffect "passwords are always checked on threads of their own"
        "Whether cached passwords are checked in another process.";
    "auth_gssapi_hostname" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "The host name for Kerberos.";
    "auth_krb5_keytab" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "The key table for Kerberos.";
    "auth_policy_check_after_auth" YesNo "yes" NotSupported "not yet: this choice of authentication comes with a later release"
        "Whether a policy server is asked after a login.";
    "auth_policy_check_before_auth" YesNo "yes" NotSupported "not yet: this choice of authentication comes with a later release"
        "Whether a policy server is asked before a login.";
    "auth_policy_hash_mech" Text "sha256" NotSupported "not yet: this choice of authentication comes with a later release"
        "How passwords are hashed for the policy server.";
    "auth_policy_hash_nonce" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "The secret of that hash.";
    "auth_policy_hash_truncate" Count "12" NotSupported "not yet: this choice of authentication comes with a later release"
        "How many bits of that hash are sent.";
    "auth_policy_log_only" YesNo "no" NotSupported "not yet: this choice of authentication comes with a later release"
        "Whether the policy server's word is only logged.";
    "auth_policy_reject_on_fail" YesNo "no" NotSupported "not yet: this choice of authentication comes with a later release"
        "Whether logins fail when the policy server does.";
    "auth_policy_report_after_auth" YesNo "yes" NotSupported "not yet: this choice of authentication comes with a later release"
        "Whether results are reported to the policy server.";
    "auth_policy_request_attributes" Text "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} device_id=%{client_id} protocol=%s session_id=%{session}" NotSupported "not yet: this choice of authentication comes with a later release"
        "What the policy server is told.";
    "auth_policy_server_api_header" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "A header of requests to the policy server.";
    "auth_policy_server_timeout_msecs" Milliseconds "2000" NotSupported "not yet: this choice of authentication comes with a later release"
        "How long to wait for the policy server.";
    "auth_policy_server_url" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "The policy server.";
    "auth_proxy_self" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "Addresses that count as this host when proxying.";
    "auth_use_winbind" YesNo "no" NotSupported "not yet: this choice of authentication comes with a later release"
        "Whether Samba checks passwords.";
    "auth_winbind_helper_path" Text "/usr/bin/ntlm_auth" NotSupported "not yet: this choice of authentication comes with a later release"
        "The program for that.";
    "dict_db_config" Text "" NotSupported "not yet: this choice of authentication comes with a later release"
        "The configuration file of Berkeley DB dictionaries.";
    "master_user_separator" Text "" NoEffect "read as auth_master_user_separator"
        "An older name of auth_master_user_separator.";
}
