//! Settings of dovecot.conf about logins and users.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            auth_mechanisms: List = "plain", Reload, "The mechanisms that are offered.";
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

crate::params::others! {}
