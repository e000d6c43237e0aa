//! The parameters that the SMTP and the LMTP client both have, each under its own prefix.

use settings::{DnsSupport, Postfix, TableRef, TlsLevel};
use smtp::client::Protocol;
use std::time::Duration;

macro_rules! parameters {
    ($($field:ident: $type:ty = $_smtp:ident.$smtp:ident, $_lmtp:ident.$lmtp:ident;)*) => {
        /// What main.cf says of one client; every field bears the name behind the prefix.
        #[derive(Debug)]
        pub(crate) struct Parameters<'a> {
            pub(crate) protocol: Protocol,
            $(pub(crate) $field: &'a $type,)*
        }

        impl<'a> Parameters<'a> {
            /// Those of the client that speaks this.
            pub(crate) fn of(protocol: Protocol, settings: &'a Postfix) -> Parameters<'a> {
                match protocol {
                    Protocol::Smtp => Parameters { protocol, $($field: &settings.$smtp,)* },
                    Protocol::Lmtp => Parameters { protocol, $($field: &settings.$lmtp,)* },
                }
            }
        }
    };
}

parameters! {
    helo_name: String = settings.smtp_helo_name, settings.lmtp_lhlo_name;
    connect_timeout: Duration = settings.smtp_connect_timeout, settings.lmtp_connect_timeout;
    helo_timeout: Duration = settings.smtp_helo_timeout, settings.lmtp_lhlo_timeout;
    starttls_timeout: Duration = settings.smtp_starttls_timeout, settings.lmtp_starttls_timeout;
    mail_timeout: Duration = settings.smtp_mail_timeout, settings.lmtp_mail_timeout;
    rcpt_timeout: Duration = settings.smtp_rcpt_timeout, settings.lmtp_rcpt_timeout;
    data_init_timeout: Duration = settings.smtp_data_init_timeout, settings.lmtp_data_init_timeout;
    data_xfer_timeout: Duration = settings.smtp_data_xfer_timeout, settings.lmtp_data_xfer_timeout;
    data_done_timeout: Duration = settings.smtp_data_done_timeout, settings.lmtp_data_done_timeout;
    rset_timeout: Duration = settings.smtp_rset_timeout, settings.lmtp_rset_timeout;
    quit_timeout: Duration = settings.smtp_quit_timeout, settings.lmtp_quit_timeout;
    bind_address: String = settings.smtp_bind_address, settings.lmtp_bind_address;
    bind_address6: String = settings.smtp_bind_address6, settings.lmtp_bind_address6;
    line_length_limit: usize = settings.smtp_line_length_limit, settings.lmtp_line_length_limit;
    skip_5xx_greeting: bool = settings.smtp_skip_5xx_greeting, settings.lmtp_skip_5xx_greeting;
    skip_quit_response: bool = settings.smtp_skip_quit_response, settings.lmtp_skip_quit_response;
    connection_cache_destinations: Vec<String> =
        settings.smtp_connection_cache_destinations, settings.lmtp_connection_cache_destinations;
    connection_cache_on_demand: bool =
        settings.smtp_connection_cache_on_demand, settings.lmtp_connection_cache_on_demand;
    connection_cache_time_limit: Duration =
        settings.smtp_connection_cache_time_limit, settings.lmtp_connection_cache_time_limit;
    connection_reuse_time_limit: Duration =
        settings.smtp_connection_reuse_time_limit, settings.lmtp_connection_reuse_time_limit;
    connection_reuse_count_limit: usize =
        settings.smtp_connection_reuse_count_limit, settings.lmtp_connection_reuse_count_limit;
    sasl_auth_enable: bool = settings.smtp_sasl_auth_enable, settings.lmtp_sasl_auth_enable;
    sasl_password_maps: Vec<TableRef> = settings.smtp_sasl_password_maps, settings.lmtp_sasl_password_maps;
    sasl_security_options: Vec<String> =
        settings.smtp_sasl_security_options, settings.lmtp_sasl_security_options;
    sasl_tls_security_options: Vec<String> =
        settings.smtp_sasl_tls_security_options, settings.lmtp_sasl_tls_security_options;
    sasl_mechanism_filter: Vec<String> =
        settings.smtp_sasl_mechanism_filter, settings.lmtp_sasl_mechanism_filter;
    tls_security_level: TlsLevel = settings.smtp_tls_security_level, settings.lmtp_tls_security_level;
    tls_wrappermode: bool = settings.smtp_tls_wrappermode, settings.lmtp_tls_wrappermode;
    tls_connection_reuse: bool = settings.smtp_tls_connection_reuse, settings.lmtp_tls_connection_reuse;
    tls_protocols: Vec<String> = settings.smtp_tls_protocols, settings.lmtp_tls_protocols;
    tls_mandatory_protocols: Vec<String> =
        settings.smtp_tls_mandatory_protocols, settings.lmtp_tls_mandatory_protocols;
    tls_ca_file: String = settings.smtp_tls_CAfile, settings.lmtp_tls_CAfile;
    use_tls: bool = settings.smtp_use_tls, settings.lmtp_use_tls;
    enforce_tls: bool = settings.smtp_enforce_tls, settings.lmtp_enforce_tls;
    tls_policy_maps: Vec<TableRef> = settings.smtp_tls_policy_maps, settings.lmtp_tls_policy_maps;
    tls_per_site: Vec<TableRef> = settings.smtp_tls_per_site, settings.lmtp_tls_per_site;
    tls_secure_cert_match: Vec<String> =
        settings.smtp_tls_secure_cert_match, settings.lmtp_tls_secure_cert_match;
    tls_verify_cert_match: Vec<String> =
        settings.smtp_tls_verify_cert_match, settings.lmtp_tls_verify_cert_match;
    tls_fingerprint_cert_match: Vec<String> =
        settings.smtp_tls_fingerprint_cert_match, settings.lmtp_tls_fingerprint_cert_match;
    tls_chain_files: Vec<String> = settings.smtp_tls_chain_files, settings.lmtp_tls_chain_files;
    tls_trust_anchor_file: Vec<String> =
        settings.smtp_tls_trust_anchor_file, settings.lmtp_tls_trust_anchor_file;
    tls_servername: String = settings.smtp_tls_servername, settings.lmtp_tls_servername;
    tls_fingerprint_digest: String =
        settings.smtp_tls_fingerprint_digest, settings.lmtp_tls_fingerprint_digest;
    tls_cert_file: String = settings.smtp_tls_cert_file, settings.lmtp_tls_cert_file;
    tls_key_file: String = settings.smtp_tls_key_file, settings.lmtp_tls_key_file;
    tls_eccert_file: String = settings.smtp_tls_eccert_file, settings.lmtp_tls_eccert_file;
    tls_eckey_file: String = settings.smtp_tls_eckey_file, settings.lmtp_tls_eckey_file;
    tls_enforce_peername: bool = settings.smtp_tls_enforce_peername, settings.lmtp_tls_enforce_peername;
    tls_note_starttls_offer: bool =
        settings.smtp_tls_note_starttls_offer, settings.lmtp_tls_note_starttls_offer;
    tls_loglevel: usize = settings.smtp_tls_loglevel, settings.lmtp_tls_loglevel;
    tls_ca_path: String = settings.smtp_tls_CApath, settings.lmtp_tls_CApath;
    sasl_auth_soft_bounce: bool = settings.smtp_sasl_auth_soft_bounce, settings.lmtp_sasl_auth_soft_bounce;
    sender_dependent_authentication: bool =
        settings.smtp_sender_dependent_authentication, settings.lmtp_sender_dependent_authentication;
    sasl_tls_verified_security_options: Vec<String> =
        settings.smtp_sasl_tls_verified_security_options, settings.lmtp_sasl_tls_verified_security_options;
    discard_ehlo_keywords: Vec<String> =
        settings.smtp_discard_ehlo_keywords, settings.lmtp_discard_lhlo_keywords;
    discard_ehlo_keyword_address_maps: Vec<TableRef> =
        settings.smtp_discard_ehlo_keyword_address_maps, settings.lmtp_discard_lhlo_keyword_address_maps;
    reply_filter: Vec<TableRef> = settings.smtp_reply_filter, settings.lmtp_reply_filter;
    delivery_status_filter: Vec<TableRef> =
        settings.smtp_delivery_status_filter, settings.lmtp_delivery_status_filter;
    generic_maps: Vec<TableRef> = settings.smtp_generic_maps, settings.lmtp_generic_maps;
    header_checks: Vec<TableRef> = settings.smtp_header_checks, settings.lmtp_header_checks;
    mime_header_checks: Vec<TableRef> = settings.smtp_mime_header_checks, settings.lmtp_mime_header_checks;
    nested_header_checks: Vec<TableRef> =
        settings.smtp_nested_header_checks, settings.lmtp_nested_header_checks;
    body_checks: Vec<TableRef> = settings.smtp_body_checks, settings.lmtp_body_checks;
    send_dummy_mail_auth: bool = settings.smtp_send_dummy_mail_auth, settings.lmtp_send_dummy_mail_auth;
    bind_address_enforce: bool = settings.smtp_bind_address_enforce, settings.lmtp_bind_address_enforce;
    per_request_deadline: bool = settings.smtp_per_request_deadline, settings.lmtp_per_request_deadline;
    address_verify_target: String =
        settings.smtp_address_verify_target, settings.lmtp_address_verify_target;
    send_xforward_command: bool = settings.smtp_send_xforward_command, settings.lmtp_send_xforward_command;
    xforward_timeout: Duration = settings.smtp_xforward_timeout, settings.lmtp_xforward_timeout;
    pix_workarounds: Vec<String> = settings.smtp_pix_workarounds, settings.lmtp_pix_workarounds;
    pix_workaround_maps: Vec<TableRef> = settings.smtp_pix_workaround_maps, settings.lmtp_pix_workaround_maps;
    pix_workaround_delay_time: Duration =
        settings.smtp_pix_workaround_delay_time, settings.lmtp_pix_workaround_delay_time;
    pix_workaround_threshold_time: Duration =
        settings.smtp_pix_workaround_threshold_time, settings.lmtp_pix_workaround_threshold_time;
    dns_reply_filter: Vec<TableRef> = settings.smtp_dns_reply_filter, settings.lmtp_dns_reply_filter;
    dns_support_level: DnsSupport = settings.smtp_dns_support_level, settings.lmtp_dns_support_level;
    tls_dane_insecure_mx_policy: String =
        settings.smtp_tls_dane_insecure_mx_policy, settings.smtp_tls_dane_insecure_mx_policy;
    min_data_rate: usize = settings.smtp_min_data_rate, settings.lmtp_min_data_rate;
}
