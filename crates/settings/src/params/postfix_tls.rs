//! Parameters of main.cf about TLS in general.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            tls_preempt_cipherlist: YesNo = "no", Reload, "Whether the server's order of ciphers counts.";
            tls_append_default_CA: YesNo = "no", Reload, "Whether the system's authorities are trusted too.";
            tls_server_sni_maps: Tables = "", Reload, "Certificates by the name the client asks for.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "lmtp_tls_block_early_mail_reply" YesNo "no" NotSupported "not yet: this choice of TLS comes with a later release"
        "For LMTP: whether an early answer after STARTTLS ends the session.";
    "lmtp_tls_ciphers" Text "medium" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "For LMTP: how strong ciphers must be.";
    "lmtp_tls_dcert_file" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "For LMTP: the client's DSA certificate.";
    "lmtp_tls_dkey_file" Text "$lmtp_tls_dcert_file" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "For LMTP: the client's DSA key.";
    "lmtp_tls_exclude_ciphers" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "For LMTP: ciphers that are not used.";
    "lmtp_tls_force_insecure_host_tlsa_lookup" YesNo "no" NotSupported "not yet: this choice of TLS comes with a later release"
        "For LMTP: whether TLSA is looked up for unsigned hosts.";
    "lmtp_tls_mandatory_ciphers" Text "medium" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "For LMTP: the same where TLS is required.";
    "lmtp_tls_mandatory_exclude_ciphers" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "For LMTP: the same where TLS is required.";
    "lmtp_tls_scert_verifydepth" Count "9" NotSupported "not yet: this choice of TLS comes with a later release"
        "For LMTP: how long a server's certificate chain may be.";
    "lmtp_tls_session_cache_database" Text "" NoEffect "sessions are remembered in memory"
        "For LMTP: where TLS sessions are kept.";
    "lmtp_tls_session_cache_timeout" Seconds "3600s" NoEffect "sessions are remembered in memory"
        "For LMTP: how long they are kept.";
    "smtp_tls_block_early_mail_reply" YesNo "no" NotSupported "not yet: this choice of TLS comes with a later release"
        "Whether an early answer after STARTTLS ends the session.";
    "smtp_tls_ciphers" Text "medium" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "How strong ciphers must be.";
    "smtp_tls_dcert_file" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The client's DSA certificate.";
    "smtp_tls_dkey_file" Text "$smtp_tls_dcert_file" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The client's DSA key.";
    "smtp_tls_exclude_ciphers" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers that are not used.";
    "smtp_tls_force_insecure_host_tlsa_lookup" YesNo "no" NotSupported "not yet: this choice of TLS comes with a later release"
        "Whether TLSA is looked up for unsigned hosts.";
    "smtp_tls_mandatory_ciphers" Text "medium" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The same where TLS is required.";
    "smtp_tls_mandatory_exclude_ciphers" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The same where TLS is required.";
    "smtp_tls_scert_verifydepth" Count "9" NotSupported "not yet: this choice of TLS comes with a later release"
        "How long a server's certificate chain may be.";
    "smtp_tls_session_cache_database" Text "" NoEffect "sessions are remembered in memory"
        "Where TLS sessions are kept.";
    "smtp_tls_session_cache_timeout" Seconds "3600s" NoEffect "sessions are remembered in memory"
        "How long they are kept.";
    "smtpd_tls_CApath" Text "" NotSupported "not yet: this choice of TLS comes with a later release"
        "A directory of authorities for client certificates.";
    "smtpd_tls_always_issue_session_ids" YesNo "yes" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Whether sessions without a cache get an id.";
    "smtpd_tls_ccert_verifydepth" Count "9" NotSupported "not yet: this choice of TLS comes with a later release"
        "How long a client's certificate chain may be.";
    "smtpd_tls_ciphers" Text "medium" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "How strong ciphers must be.";
    "smtpd_tls_dcert_file" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The certificate file for DSA.";
    "smtpd_tls_dh1024_param_file" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Diffie-Hellman parameters.";
    "smtpd_tls_dh512_param_file" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Diffie-Hellman parameters for export ciphers.";
    "smtpd_tls_dkey_file" Text "$smtpd_tls_dcert_file" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The key file for DSA.";
    "smtpd_tls_eecdh_grade" Text "auto" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "How strong curves must be.";
    "smtpd_tls_exclude_ciphers" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers that are not used.";
    "smtpd_tls_mandatory_ciphers" Text "medium" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The same where TLS is required.";
    "smtpd_tls_mandatory_exclude_ciphers" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The same where TLS is required.";
    "smtpd_tls_session_cache_database" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Where TLS sessions are kept.";
    "smtpd_tls_session_cache_timeout" Seconds "3600s" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "How long they are kept.";
    "tls_config_file" Text "default" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The TLS library's configuration file.";
    "tls_config_name" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The section of that file.";
    "tls_daemon_random_bytes" Count "32" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Random bytes for each process.";
    "tls_disable_workarounds" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Workarounds for old peers that are not used.";
    "tls_eecdh_auto_curves" Text "X25519 X448 prime256v1 secp521r1 secp384r1" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Curves, best first.";
    "tls_eecdh_strong_curve" Text "prime256v1" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The strong curve.";
    "tls_eecdh_ultra_curve" Text "secp384r1" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The very strong curve.";
    "tls_export_cipherlist" Text "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers of grade export.";
    "tls_fast_shutdown_enable" YesNo "yes" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Whether TLS ends without waiting.";
    "tls_high_cipherlist" Text "aNULL:-aNULL:HIGH:@STRENGTH" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers of grade high.";
    "tls_legacy_public_key_fingerprints" YesNo "no" NotSupported "not yet: this choice of TLS comes with a later release"
        "Whether fingerprints are in an older form.";
    "tls_low_cipherlist" Text "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers of grade low.";
    "tls_medium_cipherlist" Text "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers of grade medium.";
    "tls_null_cipherlist" Text "eNULL:!aNULL" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Ciphers without encryption.";
    "tls_random_bytes" Count "32" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Random bytes taken at once.";
    "tls_random_exchange_name" Text "${data_directory}/prng_exch" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Where randomness is kept between starts.";
    "tls_random_prng_update_period" Seconds "3600s" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "How often it is written.";
    "tls_random_reseed_period" Seconds "3600s" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "How often it is renewed.";
    "tls_random_source" Text "dev:/dev/urandom" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Where randomness comes from.";
    "tls_session_ticket_cipher" Text "aes-256-cbc" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "The cipher of session tickets.";
    "tls_ssl_options" Text "" NoEffect "the TLS library chooses safe ciphers, curves and randomness itself"
        "Options of the TLS library.";
    "tls_wildcard_matches_multiple_labels" YesNo "yes" NotSupported "not yet: this choice of TLS comes with a later release"
        "Whether * in a certificate stands for several labels.";
    "tlsproxy_client_CAfile" Text "$smtp_tls_CAfile" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_CAfile.";
    "tlsproxy_client_CApath" Text "$smtp_tls_CApath" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_CApath.";
    "tlsproxy_client_cert_file" Text "$smtp_tls_cert_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_cert_file.";
    "tlsproxy_client_chain_files" Text "$smtp_tls_chain_files" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_chain_files.";
    "tlsproxy_client_dcert_file" Text "$smtp_tls_dcert_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_dcert_file.";
    "tlsproxy_client_dkey_file" Text "$smtp_tls_dkey_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_dkey_file.";
    "tlsproxy_client_eccert_file" Text "$smtp_tls_eccert_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_eccert_file.";
    "tlsproxy_client_eckey_file" Text "$smtp_tls_eckey_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_eckey_file.";
    "tlsproxy_client_enforce_tls" Text "$smtp_enforce_tls" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_enforce_tls.";
    "tlsproxy_client_fingerprint_digest" Text "$smtp_tls_fingerprint_digest" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_fingerprint_digest.";
    "tlsproxy_client_key_file" Text "$smtp_tls_key_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_key_file.";
    "tlsproxy_client_level" Text "" NoEffect "TLS needs no process of its own"
        "An older name of tlsproxy_client_security_level.";
    "tlsproxy_client_loglevel" Text "$smtp_tls_loglevel" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_loglevel.";
    "tlsproxy_client_loglevel_parameter" Text "smtp_tls_loglevel" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as client_loglevel_parameter.";
    "tlsproxy_client_per_site" Text "$smtp_tls_per_site" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_per_site.";
    "tlsproxy_client_policy" Text "" NoEffect "TLS needs no process of its own"
        "An older name of tlsproxy_client_policy_maps.";
    "tlsproxy_client_policy_maps" Text "${tlsproxy_client_policy:$smtp_tls_policy_maps}" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as client_policy_maps.";
    "tlsproxy_client_scert_verifydepth" Text "$smtp_tls_scert_verifydepth" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_tls_scert_verifydepth.";
    "tlsproxy_client_security_level" Text "${tlsproxy_client_level:$smtp_tls_security_level}" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as client_security_level.";
    "tlsproxy_client_use_tls" Text "$smtp_use_tls" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtp_use_tls.";
    "tlsproxy_enforce_tls" Text "$smtpd_enforce_tls" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_enforce_tls.";
    "tlsproxy_tls_CAfile" Text "$smtpd_tls_CAfile" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_CAfile.";
    "tlsproxy_tls_CApath" Text "$smtpd_tls_CApath" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_CApath.";
    "tlsproxy_tls_always_issue_session_ids" Text "$smtpd_tls_always_issue_session_ids" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_always_issue_session_ids.";
    "tlsproxy_tls_ask_ccert" Text "$smtpd_tls_ask_ccert" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_ask_ccert.";
    "tlsproxy_tls_ccert_verifydepth" Text "$smtpd_tls_ccert_verifydepth" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_ccert_verifydepth.";
    "tlsproxy_tls_cert_file" Text "$smtpd_tls_cert_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_cert_file.";
    "tlsproxy_tls_chain_files" Text "$smtpd_tls_chain_files" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_chain_files.";
    "tlsproxy_tls_ciphers" Text "$smtpd_tls_ciphers" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_ciphers.";
    "tlsproxy_tls_dcert_file" Text "$smtpd_tls_dcert_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_dcert_file.";
    "tlsproxy_tls_dh1024_param_file" Text "$smtpd_tls_dh1024_param_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_dh1024_param_file.";
    "tlsproxy_tls_dh512_param_file" Text "$smtpd_tls_dh512_param_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_dh512_param_file.";
    "tlsproxy_tls_dkey_file" Text "$smtpd_tls_dkey_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_dkey_file.";
    "tlsproxy_tls_eccert_file" Text "$smtpd_tls_eccert_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_eccert_file.";
    "tlsproxy_tls_eckey_file" Text "$smtpd_tls_eckey_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_eckey_file.";
    "tlsproxy_tls_eecdh_grade" Text "$smtpd_tls_eecdh_grade" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_eecdh_grade.";
    "tlsproxy_tls_exclude_ciphers" Text "$smtpd_tls_exclude_ciphers" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_exclude_ciphers.";
    "tlsproxy_tls_fingerprint_digest" Text "$smtpd_tls_fingerprint_digest" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_fingerprint_digest.";
    "tlsproxy_tls_key_file" Text "$smtpd_tls_key_file" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_key_file.";
    "tlsproxy_tls_loglevel" Text "$smtpd_tls_loglevel" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_loglevel.";
    "tlsproxy_tls_mandatory_ciphers" Text "$smtpd_tls_mandatory_ciphers" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_mandatory_ciphers.";
    "tlsproxy_tls_mandatory_exclude_ciphers" Text "$smtpd_tls_mandatory_exclude_ciphers" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_mandatory_exclude_ciphers.";
    "tlsproxy_tls_mandatory_protocols" Text "$smtpd_tls_mandatory_protocols" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_mandatory_protocols.";
    "tlsproxy_tls_protocols" Text "$smtpd_tls_protocols" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_protocols.";
    "tlsproxy_tls_req_ccert" Text "$smtpd_tls_req_ccert" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_req_ccert.";
    "tlsproxy_tls_security_level" Text "$smtpd_tls_security_level" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_tls_security_level.";
    "tlsproxy_use_tls" Text "$smtpd_use_tls" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as smtpd_use_tls.";
    "tlsproxy_watchdog_timeout" Seconds "10s" NoEffect "TLS needs no process of its own"
        "How TLS is done in a process of its own: as watchdog_timeout.";
}
