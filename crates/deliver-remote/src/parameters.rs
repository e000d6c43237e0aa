//! The parameters that the SMTP and the LMTP client both have, each under its own prefix.

use settings::{Postfix, TableRef, TlsLevel};
use smtp::client::Protocol;
use std::time::Duration;

macro_rules! parameters {
    ($($field:ident: $type:ty = $smtp:ident, $lmtp:ident;)*) => {
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
    helo_name: String = smtp_helo_name, lmtp_lhlo_name;
    connect_timeout: Duration = smtp_connect_timeout, lmtp_connect_timeout;
    helo_timeout: Duration = smtp_helo_timeout, lmtp_lhlo_timeout;
    starttls_timeout: Duration = smtp_starttls_timeout, lmtp_starttls_timeout;
    mail_timeout: Duration = smtp_mail_timeout, lmtp_mail_timeout;
    rcpt_timeout: Duration = smtp_rcpt_timeout, lmtp_rcpt_timeout;
    data_init_timeout: Duration = smtp_data_init_timeout, lmtp_data_init_timeout;
    data_xfer_timeout: Duration = smtp_data_xfer_timeout, lmtp_data_xfer_timeout;
    data_done_timeout: Duration = smtp_data_done_timeout, lmtp_data_done_timeout;
    rset_timeout: Duration = smtp_rset_timeout, lmtp_rset_timeout;
    quit_timeout: Duration = smtp_quit_timeout, lmtp_quit_timeout;
    bind_address: String = smtp_bind_address, lmtp_bind_address;
    bind_address6: String = smtp_bind_address6, lmtp_bind_address6;
    line_length_limit: usize = smtp_line_length_limit, lmtp_line_length_limit;
    skip_5xx_greeting: bool = smtp_skip_5xx_greeting, lmtp_skip_5xx_greeting;
    skip_quit_response: bool = smtp_skip_quit_response, lmtp_skip_quit_response;
    connection_cache_destinations: Vec<String> =
        smtp_connection_cache_destinations, lmtp_connection_cache_destinations;
    connection_cache_on_demand: bool = smtp_connection_cache_on_demand, lmtp_connection_cache_on_demand;
    connection_cache_time_limit: Duration = smtp_connection_cache_time_limit, lmtp_connection_cache_time_limit;
    connection_reuse_time_limit: Duration = smtp_connection_reuse_time_limit, lmtp_connection_reuse_time_limit;
    connection_reuse_count_limit: usize = smtp_connection_reuse_count_limit, lmtp_connection_reuse_count_limit;
    sasl_auth_enable: bool = smtp_sasl_auth_enable, lmtp_sasl_auth_enable;
    sasl_password_maps: Vec<TableRef> = smtp_sasl_password_maps, lmtp_sasl_password_maps;
    sasl_security_options: Vec<String> = smtp_sasl_security_options, lmtp_sasl_security_options;
    sasl_tls_security_options: Vec<String> = smtp_sasl_tls_security_options, lmtp_sasl_tls_security_options;
    sasl_mechanism_filter: Vec<String> = smtp_sasl_mechanism_filter, lmtp_sasl_mechanism_filter;
    tls_security_level: TlsLevel = smtp_tls_security_level, lmtp_tls_security_level;
    tls_wrappermode: bool = smtp_tls_wrappermode, lmtp_tls_wrappermode;
    tls_connection_reuse: bool = smtp_tls_connection_reuse, lmtp_tls_connection_reuse;
    tls_protocols: Vec<String> = smtp_tls_protocols, lmtp_tls_protocols;
    tls_mandatory_protocols: Vec<String> = smtp_tls_mandatory_protocols, lmtp_tls_mandatory_protocols;
    tls_ca_file: String = smtp_tls_CAfile, lmtp_tls_CAfile;
    use_tls: bool = smtp_use_tls, lmtp_use_tls;
    enforce_tls: bool = smtp_enforce_tls, lmtp_enforce_tls;
    tls_policy_maps: Vec<TableRef> = smtp_tls_policy_maps, lmtp_tls_policy_maps;
    tls_per_site: Vec<TableRef> = smtp_tls_per_site, lmtp_tls_per_site;
    tls_secure_cert_match: Vec<String> = smtp_tls_secure_cert_match, lmtp_tls_secure_cert_match;
    tls_verify_cert_match: Vec<String> = smtp_tls_verify_cert_match, lmtp_tls_verify_cert_match;
    tls_fingerprint_cert_match: Vec<String> = smtp_tls_fingerprint_cert_match, lmtp_tls_fingerprint_cert_match;
    tls_chain_files: Vec<String> = smtp_tls_chain_files, lmtp_tls_chain_files;
    tls_trust_anchor_file: Vec<String> = smtp_tls_trust_anchor_file, lmtp_tls_trust_anchor_file;
    tls_servername: String = smtp_tls_servername, lmtp_tls_servername;
    tls_fingerprint_digest: String = smtp_tls_fingerprint_digest, lmtp_tls_fingerprint_digest;
    tls_cert_file: String = smtp_tls_cert_file, lmtp_tls_cert_file;
    tls_key_file: String = smtp_tls_key_file, lmtp_tls_key_file;
    tls_eccert_file: String = smtp_tls_eccert_file, lmtp_tls_eccert_file;
    tls_eckey_file: String = smtp_tls_eckey_file, lmtp_tls_eckey_file;
    tls_enforce_peername: bool = smtp_tls_enforce_peername, lmtp_tls_enforce_peername;
    tls_note_starttls_offer: bool = smtp_tls_note_starttls_offer, lmtp_tls_note_starttls_offer;
    tls_loglevel: usize = smtp_tls_loglevel, lmtp_tls_loglevel;
    tls_ca_path: String = smtp_tls_CApath, lmtp_tls_CApath;
    sasl_auth_soft_bounce: bool =
        smtp_sasl_auth_soft_bounce, lmtp_sasl_auth_soft_bounce;
    sender_dependent_authentication: bool =
        smtp_sender_dependent_authentication, lmtp_sender_dependent_authentication;
    sasl_tls_verified_security_options: Vec<String> =
        smtp_sasl_tls_verified_security_options, lmtp_sasl_tls_verified_security_options;
    discard_ehlo_keywords: Vec<String> = smtp_discard_ehlo_keywords, lmtp_discard_lhlo_keywords;
    discard_ehlo_keyword_address_maps: Vec<TableRef> = smtp_discard_ehlo_keyword_address_maps, lmtp_discard_lhlo_keyword_address_maps;
    reply_filter: Vec<TableRef> = smtp_reply_filter, lmtp_reply_filter;
    delivery_status_filter: Vec<TableRef> = smtp_delivery_status_filter, lmtp_delivery_status_filter;
    send_dummy_mail_auth: bool = smtp_send_dummy_mail_auth, lmtp_send_dummy_mail_auth;
    bind_address_enforce: bool = smtp_bind_address_enforce, lmtp_bind_address_enforce;
    per_request_deadline: bool = smtp_per_request_deadline, lmtp_per_request_deadline;
    min_data_rate: usize = smtp_min_data_rate, lmtp_min_data_rate;
}
