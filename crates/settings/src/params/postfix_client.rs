//! Parameters of main.cf about the SMTP and LMTP clients.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            smtp_helo_name: Text = "$myhostname", Reload, "The name in EHLO.";
            smtp_connect_timeout: Seconds = "30s", Reload, "How long connecting may take.";
            smtp_helo_timeout: Seconds = "300s", Reload, "How long to wait for greeting and EHLO's answer.";
            smtp_mail_timeout: Seconds = "300s", Reload, "How long to wait for MAIL's answer.";
            smtp_rcpt_timeout: Seconds = "300s", Reload, "How long to wait for RCPT's answer.";
            smtp_data_init_timeout: Seconds = "120s", Reload, "How long to wait for DATA's answer.";
            smtp_data_xfer_timeout: Seconds = "180s", Reload, "How long sending a piece of the message may take.";
            smtp_data_done_timeout: Seconds = "600s", Reload, "How long to wait for the answer to the message.";
            smtp_rset_timeout: Seconds = "20s", Reload, "How long to wait for RSET's answer.";
            smtp_quit_timeout: Seconds = "300s", Reload, "How long to wait for QUIT's answer.";
            smtp_starttls_timeout: Seconds = "300s", Reload, "How long a TLS handshake may take.";
            smtp_bind_address: Text = "", Reload, "The IPv4 address that connections come from.";
            smtp_bind_address6: Text = "", Reload, "The IPv6 address that connections come from.";
            smtp_tcp_port: Text = "smtp", Reload, "The port for mail exchangers.";
            smtp_always_send_ehlo: YesNo = "yes", Reload, "Whether EHLO is said to every server.";
            smtp_never_send_ehlo: YesNo = "no", Reload, "Whether EHLO is never said.";
            smtp_skip_5xx_greeting: YesNo = "yes", Reload, "Whether a 5xx greeting means: try the next host.";
            smtp_skip_quit_response: YesNo = "yes", Reload, "Whether QUIT's answer is not waited for.";
            smtp_line_length_limit: Count = "998", Reload, "The longest line sent; longer ones are broken.";
            disable_mime_output_conversion: YesNo = "no", Reload, "Whether 8-bit mail is sent as it is to old servers.";
            smtp_discard_ehlo_keywords: List = "", Reload, "EHLO keywords of servers that are ignored.";
            smtp_address_preference: AddressPreference = "any", Reload, "The IP version tried first.";
            smtp_host_lookup: List = "dns", Reload, "Where host names are looked up.";
            smtp_mx_address_limit: Count = "5", Reload, "How many addresses of a next hop are tried; 0: no limit.";
            smtp_mx_session_limit: Count = "2", Reload, "How many sessions with a next hop are tried; 0: no limit.";
            smtp_fallback_relay: List = "$fallback_relay", Reload, "Hosts tried when the others are not reached.";
            fallback_relay: List = "", Reload, "An older name of smtp_fallback_relay.";
            smtp_randomize_addresses: YesNo = "yes", Reload, "Whether equal servers are tried in random order.";
            smtp_balance_inet_protocols: YesNo = "yes", Reload, "Whether both IP versions are tried even when many addresses are there.";
            smtp_defer_if_no_mx_address_found: YesNo = "no", Reload, "Whether mail waits when no MX has an address.";
            smtp_dns_resolver_options: List = "", Reload, "Which other names are tried: res_defnames, res_dnsrch.";
            smtp_dns_support_level: DnsSupport = "", Reload, "Whether DNS and DNSSEC are used.";
            disable_dns_lookups: YesNo = "no", Reload, "The older form of smtp_dns_support_level = disabled.";
            ignore_mx_lookup_error: YesNo = "no", Reload, "Whether a failed MX lookup means: use the host itself.";
            best_mx_transport: Text = "", Reload, "The transport for domains whose best MX is this host.";
            yubin_dns_servers: List = "", Reload, "The DNS servers that are asked, as address or address:port; empty: those of /etc/resolv.conf.";
            smtp_sasl_auth_enable: YesNo = "no", Reload, "Whether the client logs in.";
            smtp_sasl_password_maps: Tables = "", Reload, "Logins by host or sender.";
            smtp_sasl_security_options: List = "noplaintext, noanonymous", Reload, "Which kinds of mechanism are not used.";
            smtp_sasl_tls_security_options: List = "$smtp_sasl_security_options", Reload, "The same inside TLS.";
            smtp_sasl_mechanism_filter: List = "", Reload, "The mechanisms that may be used.";
            smtp_tls_security_level: TlsLevel = "", Reload, "How much TLS is asked for.";
            smtp_tls_wrappermode: YesNo = "no", Reload, "Whether TLS begins with the connection.";
            smtp_tls_CAfile: Text = "", Reload, "Certificates of authorities.";
            smtp_tls_CApath: Text = "", Reload, "A directory of such certificates.";
            smtp_tls_cert_file: Text = "", Reload, "The client's certificate.";
            smtp_tls_key_file: Text = "$smtp_tls_cert_file", Reload, "The client's key.";
            smtp_tls_loglevel: Count = "0", Reload, "How much of TLS is logged.";
            smtp_tls_protocols: List = ">=TLSv1", Reload, "The TLS versions for opportunistic TLS.";
            smtp_tls_mandatory_protocols: List = ">=TLSv1", Reload, "The TLS versions where TLS is required.";
            smtp_use_tls: YesNo = "no", Reload, "The older form of smtp_tls_security_level = may.";
            smtp_enforce_tls: YesNo = "no", Reload, "The older form of smtp_tls_security_level = encrypt.";
            lmtp_tcp_port: Text = "24", Reload, "The port of LMTP servers that name none.";
            lmtp_lhlo_name: Text = "$myhostname", Reload, "The name in LHLO.";
            lmtp_connect_timeout: Seconds = "0s", Reload, "How long connecting may take; 0: as long as the system waits.";
            lmtp_lhlo_timeout: Seconds = "300s", Reload, "How long to wait for greeting and LHLO's answer.";
            lmtp_mail_timeout: Seconds = "300s", Reload, "How long to wait for MAIL's answer.";
            lmtp_rcpt_timeout: Seconds = "300s", Reload, "How long to wait for RCPT's answer.";
            lmtp_data_init_timeout: Seconds = "120s", Reload, "How long to wait for DATA's answer.";
            lmtp_data_xfer_timeout: Seconds = "180s", Reload, "How long sending a piece of the message may take.";
            lmtp_data_done_timeout: Seconds = "600s", Reload, "How long to wait for the answers to the message.";
            lmtp_quit_timeout: Seconds = "300s", Reload, "How long to wait for QUIT's answer.";
            lmtp_tls_security_level: TlsLevel = "", Reload, "How much TLS is asked for.";
            smtp_connection_cache_destinations: List = "", Reload, "Destinations whose connections are kept.";
            lmtp_connection_cache_destinations: List = "", Reload, "For LMTP: destinations whose connections are kept.";
            smtp_connection_cache_on_demand: YesNo = "yes", Reload, "Whether connections are kept when there is much mail.";
            lmtp_connection_cache_on_demand: YesNo = "yes", Reload, "For LMTP: whether connections are kept when there is much mail.";
            smtp_tls_connection_reuse: YesNo = "no", Reload, "Whether TLS connections are used again.";
            lmtp_tls_connection_reuse: YesNo = "no", Reload, "For LMTP: whether TLS connections are used again.";
            lmtp_skip_5xx_greeting: YesNo = "yes", Reload, "For LMTP: whether a 5xx greeting means: try the next host.";
            lmtp_skip_quit_response: YesNo = "no", Reload, "For LMTP: whether QUIT's answer is not waited for.";
            lmtp_sasl_auth_enable: YesNo = "no", Reload, "For LMTP: whether the client logs in.";
            lmtp_use_tls: YesNo = "no", Reload, "For LMTP: the older form of smtp_tls_security_level = may.";
            lmtp_enforce_tls: YesNo = "no", Reload, "For LMTP: the older form of smtp_tls_security_level = encrypt.";
            lmtp_tls_wrappermode: YesNo = "no", Reload, "For LMTP: whether TLS begins with the connection.";
            smtp_connection_cache_time_limit: Seconds = "2s", Reload, "How long a connection is kept.";
            lmtp_connection_cache_time_limit: Seconds = "2s", Reload, "For LMTP: how long a connection is kept.";
            smtp_connection_reuse_time_limit: Seconds = "300s", Reload, "How long a connection is used.";
            lmtp_connection_reuse_time_limit: Seconds = "300s", Reload, "For LMTP: how long a connection is used.";
            lmtp_rset_timeout: Seconds = "20s", Reload, "For LMTP: how long to wait for RSET's answer.";
            lmtp_starttls_timeout: Seconds = "300s", Reload, "For LMTP: how long a TLS handshake may take.";
            smtp_connection_reuse_count_limit: Count = "0", Reload, "How often a connection is used.";
            lmtp_connection_reuse_count_limit: Count = "0", Reload, "For LMTP: how often a connection is used.";
            lmtp_line_length_limit: Count = "998", Reload, "For LMTP: the longest line sent; longer ones are broken.";
            lmtp_bind_address: Text = "", Reload, "For LMTP: the IPv4 address that connections come from.";
            lmtp_bind_address6: Text = "", Reload, "For LMTP: the IPv6 address that connections come from.";
            lmtp_tls_CAfile: Text = "", Reload, "For LMTP: certificates of authorities.";
            lmtp_tls_protocols: List = ">=TLSv1", Reload, "For LMTP: the TLS versions for opportunistic TLS.";
            lmtp_tls_mandatory_protocols: List = ">=TLSv1", Reload, "For LMTP: the TLS versions where TLS is required.";
            lmtp_sasl_security_options: List = "noplaintext, noanonymous", Reload, "For LMTP: which kinds of mechanism are not used.";
            lmtp_sasl_tls_security_options: List = "$lmtp_sasl_security_options", Reload, "For LMTP: the same inside TLS.";
            lmtp_sasl_mechanism_filter: List = "", Reload, "For LMTP: the mechanisms that may be used.";
            lmtp_sasl_password_maps: Tables = "", Reload, "For LMTP: logins by host or sender.";
            connection_cache_ttl_limit: Seconds = "2s", Reload, "How long a cached connection may stay.";
            smtp_tls_policy_maps: Tables = "", Reload, "TLS by destination.";
            lmtp_tls_policy_maps: Tables = "", Reload, "For LMTP: TLS by destination.";
            smtp_tls_per_site: Tables = "", Reload, "TLS by host (older form).";
            lmtp_tls_per_site: Tables = "", Reload, "For LMTP: TLS by host (older form).";
            smtp_tls_secure_cert_match: List = "nexthop, dot-nexthop", Reload, "Which names are right at level secure.";
            smtp_tls_verify_cert_match: List = "hostname", Reload, "Which names are right at level verify.";
            smtp_tls_fingerprint_cert_match: List = "", Reload, "Known fingerprints of servers.";
            smtp_tls_chain_files: List = "", Reload, "Files with the client's key and certificates.";
            smtp_tls_trust_anchor_file: List = "", Reload, "Certificates that count as authorities.";
            lmtp_tls_secure_cert_match: List = "nexthop", Reload, "For LMTP: which names are right at level secure.";
            lmtp_tls_verify_cert_match: List = "hostname", Reload, "For LMTP: which names are right at level verify.";
            lmtp_tls_fingerprint_cert_match: List = "", Reload, "For LMTP: known fingerprints of servers.";
            lmtp_tls_chain_files: List = "", Reload, "For LMTP: files with the client's key and certificates.";
            lmtp_tls_trust_anchor_file: List = "", Reload, "For LMTP: certificates that count as authorities.";
            smtp_tls_servername: Text = "", Reload, "The name sent in TLS.";
            smtp_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", Reload, "The digest of server fingerprints.";
            smtp_tls_eccert_file: Text = "", Reload, "The client's ECDSA certificate.";
            smtp_tls_eckey_file: Text = "$smtp_tls_eccert_file", Reload, "The client's ECDSA key.";
            lmtp_tls_servername: Text = "", Reload, "For LMTP: the name sent in TLS.";
            lmtp_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}", Reload, "For LMTP: the digest of server fingerprints.";
            lmtp_tls_CApath: Text = "", Reload, "For LMTP: a directory of such certificates.";
            lmtp_tls_cert_file: Text = "", Reload, "For LMTP: the client's certificate.";
            lmtp_tls_key_file: Text = "$lmtp_tls_cert_file", Reload, "For LMTP: the client's key.";
            lmtp_tls_eccert_file: Text = "", Reload, "For LMTP: the client's ECDSA certificate.";
            lmtp_tls_eckey_file: Text = "$lmtp_tls_eccert_file", Reload, "For LMTP: the client's ECDSA key.";
            smtp_tls_enforce_peername: YesNo = "yes", Reload, "Whether the server's name is checked (older form).";
            smtp_tls_note_starttls_offer: YesNo = "no", Reload, "Whether an unused offer of TLS is logged.";
            lmtp_tls_enforce_peername: YesNo = "yes", Reload, "For LMTP: whether the server's name is checked (older form).";
            lmtp_tls_note_starttls_offer: YesNo = "no", Reload, "For LMTP: whether an unused offer of TLS is logged.";
            lmtp_tls_loglevel: Count = "0", Reload, "For LMTP: how much of TLS is logged.";
            smtp_sasl_auth_soft_bounce: YesNo = "yes", Reload, "Whether a failed login only defers mail.";
            lmtp_sasl_auth_soft_bounce: YesNo = "yes", Reload, "For LMTP: whether a failed login only defers mail.";
            smtp_sender_dependent_authentication: YesNo = "no", Reload, "Whether logins depend on the sender.";
            lmtp_sender_dependent_authentication: YesNo = "no", Reload, "For LMTP: whether logins depend on the sender.";
            smtp_sasl_tls_verified_security_options: List = "$smtp_sasl_tls_security_options", Reload, "Which mechanisms are not used inside verified TLS.";
            lmtp_sasl_tls_verified_security_options: List = "$lmtp_sasl_tls_security_options", Reload, "For LMTP: which mechanisms are not used inside verified TLS.";
            smtp_send_dummy_mail_auth: YesNo = "no", Reload, "Whether AUTH=<> is added to MAIL.";
            lmtp_send_dummy_mail_auth: YesNo = "no", Reload, "For LMTP: whether AUTH=<> is added to MAIL.";
            smtp_bind_address_enforce: YesNo = "no", Reload, "Whether a bind address that fails ends the attempt.";
            lmtp_bind_address_enforce: YesNo = "no", Reload, "For LMTP: whether a bind address that fails ends the attempt.";
            smtp_per_request_deadline: YesNo = "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}", Reload, "Whether timeouts count for whole requests.";
            lmtp_per_request_deadline: YesNo = "${lmtp_per_record_deadline?{$lmtp_per_record_deadline}:{no}}", Reload, "For LMTP: whether timeouts count for whole requests.";
            lmtp_discard_lhlo_keywords: List = "", Reload, "LHLO keywords that are ignored.";
            smtp_discard_ehlo_keyword_address_maps: Tables = "", Reload, "EHLO keywords that are ignored, by server.";
            lmtp_discard_lhlo_keyword_address_maps: Tables = "", Reload, "LHLO keywords that are ignored, by server.";
            smtp_reply_filter: Tables = "", Reload, "A table that rewrites servers' answers.";
            lmtp_reply_filter: Tables = "", Reload, "For LMTP: a table that rewrites servers' answers.";
            smtp_delivery_status_filter: Tables = "$default_delivery_status_filter", Reload, "The same for the SMTP client.";
            lmtp_delivery_status_filter: Tables = "$default_delivery_status_filter", Reload, "The same for the LMTP client.";
            default_delivery_status_filter: Tables = "", Reload, "A table that changes status codes of deliveries.";
            smtp_address_verify_target: Text = "rcpt", Reload, "The command after which a probe of an address ends: rcpt or data.";
            lmtp_address_verify_target: Text = "rcpt", Reload, "For LMTP: the command after which a probe of an address ends.";
            smtp_send_xforward_command: YesNo = "no", Reload, "Whether XFORWARD is sent.";
            lmtp_send_xforward_command: YesNo = "no", Reload, "For LMTP: whether XFORWARD is sent.";
            smtp_xforward_timeout: Seconds = "300s", Reload, "How long to wait for XFORWARD's answer.";
            lmtp_xforward_timeout: Seconds = "300s", Reload, "For LMTP: how long to wait for XFORWARD's answer.";
            smtp_pix_workaround_delay_time: Seconds = "10s", Reload, "How long the end mark waits behind a PIX firewall.";
            smtp_pix_workaround_maps: Tables = "", Reload, "PIX workarounds by the server's address.";
            smtp_pix_workaround_threshold_time: Seconds = "500s", Reload, "How old a message is whose end mark waits.";
            smtp_pix_workarounds: List = "disable_esmtp,delay_dotcrlf", Reload, "What is done behind a PIX firewall.";
            lmtp_pix_workaround_delay_time: Seconds = "10s", Reload, "For LMTP: how long the end mark waits behind a PIX firewall.";
            lmtp_pix_workaround_maps: Tables = "", Reload, "For LMTP: PIX workarounds by the server's address.";
            lmtp_pix_workaround_threshold_time: Seconds = "500s", Reload, "For LMTP: how old a message is whose end mark waits.";
            lmtp_pix_workarounds: List = "disable_esmtp,delay_dotcrlf", Reload, "For LMTP: what is done behind a PIX firewall.";
            smtp_dns_reply_filter: Tables = "", Reload, "A table of DNS records that are ignored.";
            lmtp_dns_reply_filter: Tables = "", Reload, "For LMTP: a table of DNS records that are ignored.";
            lmtp_dns_support_level: DnsSupport = "", Reload, "For LMTP: whether DNSSEC is used.";
            smtp_tls_dane_insecure_mx_policy: Text = "${{$smtp_tls_security_level} == {dane} ? {dane} : {may}}", Reload, "What TLSA records mean where DNSSEC says nothing of the MX records.";
            tls_dane_digests: List = "sha512 sha256", Reload, "The digests of TLSA records that count, best first.";
            smtp_generic_maps: Tables = "", Reload, "Addresses rewritten on the way out.";
            smtp_header_checks: Tables = "", Reload, "Tables that look at headers sent.";
            smtp_mime_header_checks: Tables = "", Reload, "The same for headers of parts.";
            smtp_nested_header_checks: Tables = "", Reload, "The same for headers of attached messages.";
            smtp_body_checks: Tables = "", Reload, "Tables that look at body lines sent.";
            lmtp_generic_maps: Tables = "", Reload, "For LMTP: addresses rewritten on the way out.";
            lmtp_header_checks: Tables = "", Reload, "For LMTP: tables that look at headers sent.";
            lmtp_mime_header_checks: Tables = "", Reload, "For LMTP: the same for headers of parts.";
            lmtp_nested_header_checks: Tables = "", Reload, "For LMTP: the same for headers of attached messages.";
            lmtp_body_checks: Tables = "", Reload, "For LMTP: tables that look at body lines sent.";
            smtp_min_data_rate: Count = "500", Reload, "Bytes a second that a server must take when deadlines are per request.";
            lmtp_min_data_rate: Count = "500", Reload, "For LMTP: bytes a second that a server must take when deadlines are per request.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "connection_cache_protocol_timeout" Seconds "5s" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "How long talking to the cache may take.";
    "connection_cache_status_update_time" Seconds "600s" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "How often the cache's figures are logged.";
    "dns_ncache_ttl_fix_enable" YesNo "no" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "Whether negative answers get their own lifetime.";
    "dnsblog_reply_delay" Seconds "0s" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "A pause for tests of the DNS log service.";
    "dnssec_probe" Text "ns:." NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "The question that shows whether DNSSEC works.";
    "enable_idna2003_compatibility" YesNo "no" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "Whether the older form of international names is used.";
    "lmtp_address_preference" Text "any" NotSupported "not yet: LMTP has what the SMTP client has here"
        "For LMTP: the IP version tried first.";
    "lmtp_assume_final" YesNo "no" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "Whether LMTP servers are taken for the last hop.";
    "lmtp_balance_inet_protocols" YesNo "yes" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: whether both IP versions are tried even when many addresses are there.";
    "lmtp_cname_overrides_servername" YesNo "no" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: whether an alias's target becomes the server's name.";
    "lmtp_defer_if_no_mx_address_found" YesNo "no" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: whether mail waits when no MX has an address.";
    "lmtp_dns_resolver_options" Text "" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: options of the resolver.";
    "lmtp_fallback_relay" Text "" NotSupported "not yet: LMTP has what the SMTP client has here"
        "For LMTP: hosts tried when the others are not reached.";
    "lmtp_host_lookup" Text "dns" NotSupported "not yet: LMTP has what the SMTP client has here"
        "For LMTP: where host names are looked up.";
    "lmtp_mx_address_limit" Count "5" NotSupported "not yet: LMTP has what the SMTP client has here"
        "For LMTP: how many addresses are tried.";
    "lmtp_mx_session_limit" Count "2" NotSupported "not yet: LMTP has what the SMTP client has here"
        "For LMTP: how many sessions are tried.";
    "lmtp_per_record_deadline" Text "" NoEffect "it is read through the newer name"
        "An older name of lmtp_per_request_deadline.";
    "lmtp_quote_rfc821_envelope" YesNo "yes" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: whether envelope addresses are quoted as the standard says.";
    "lmtp_randomize_addresses" YesNo "yes" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: whether equal servers are tried in random order.";
    "lmtp_sasl_auth_cache_name" Text "" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: where failed logins are kept.";
    "lmtp_sasl_auth_cache_time" Days "90d" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "For LMTP: how long they are kept.";
    "lmtp_sasl_path" Text "" NoEffect "SASL is done by Yubin itself"
        "For LMTP: where the SASL library finds things.";
    "lmtp_sasl_type" Text "cyrus" NoEffect "SASL is done by Yubin itself"
        "For LMTP: the kind of SASL library.";
    "smtp_cname_overrides_servername" YesNo "no" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "Whether an alias's target becomes the server's name.";
    "smtp_per_record_deadline" Text "" NoEffect "it is read through the newer name"
        "An older name of smtp_per_request_deadline.";
    "smtp_quote_rfc821_envelope" YesNo "yes" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "Whether envelope addresses are quoted as the standard says.";
    "smtp_sasl_auth_cache_name" Text "" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "Where failed logins are kept.";
    "smtp_sasl_auth_cache_time" Days "90d" NotSupported "not yet: this choice of the SMTP client comes with a later release"
        "How long they are kept.";
    "smtp_sasl_path" Text "" NoEffect "SASL is done by Yubin itself"
        "Where the SASL library finds things.";
    "smtp_sasl_type" Text "cyrus" NoEffect "SASL is done by Yubin itself"
        "The kind of SASL library.";
}
