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
            smtp_discard_ehlo_keywords: List = "", Reload, "EHLO keywords of servers that are ignored.";
            smtp_address_preference: AddressPreference = "any", Reload, "The IP version tried first.";
            smtp_host_lookup: List = "dns", Reload, "Where host names are looked up.";
            smtp_mx_address_limit: Count = "5", Reload, "How many addresses are tried.";
            smtp_mx_session_limit: Count = "2", Reload, "How many sessions are tried.";
            smtp_fallback_relay: List = "$fallback_relay", Reload, "Hosts tried when the others are not reached.";
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
        }
    };
}
pub(crate) use rows;

crate::params::others! {}
