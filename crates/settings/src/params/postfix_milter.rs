//! Parameters of main.cf about milters, and about the proxy that sees mail before it is accepted.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            smtpd_milters: List = "", Reload, "Milters for SMTP mail.";
            smtpd_milter_maps: Tables = "", Reload, "Such milters by client.";
            non_smtpd_milters: List = "", Reload, "Milters for local submissions.";
            milter_protocol: List = "6", Reload, "The protocol's version.";
            milter_default_action: MilterAction = "tempfail", Reload, "What to do when a milter is away.";
            milter_connect_timeout: Seconds = "30s", Reload, "How long connecting may take.";
            milter_command_timeout: Seconds = "30s", Reload, "How long to wait for an answer.";
            milter_content_timeout: Seconds = "300s", Reload, "How long to wait at the end of a message.";
            milter_connect_macros: List = "j {daemon_name} {daemon_addr} v _", Reload, "Macros sent at connection.";
            milter_helo_macros: List = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}", Reload, "Macros sent at HELO.";
            milter_mail_macros: List = "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}", Reload, "Macros sent at MAIL.";
            milter_rcpt_macros: List = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", Reload, "Macros sent at RCPT.";
            milter_data_macros: List = "i", Reload, "Macros sent at DATA.";
            milter_end_of_header_macros: List = "i", Reload, "Macros sent at the end of the header.";
            milter_end_of_data_macros: List = "i", Reload, "Macros sent at the end of a message.";
            milter_unknown_command_macros: List = "", Reload, "Macros sent at unknown commands.";
            milter_macro_daemon_name: Text = "$myhostname", Reload, "The macro daemon_name.";
            milter_macro_defaults: List = "", Reload, "Macros that have a value when nobody gives one.";
            milter_macro_v: Text = "$mail_name $mail_version", Reload, "The macro v.";
            milter_header_checks: Tables = "", Reload, "Tables that look at headers made by milters.";
            smtpd_proxy_filter: Text = "", Reload, "A proxy that sees mail before it is accepted.";
            smtpd_proxy_ehlo: Text = "$myhostname", Reload, "The name in EHLO to the proxy.";
            smtpd_proxy_options: List = "", Reload, "How the proxy is used.";
            smtpd_proxy_timeout: Seconds = "100s", Reload, "How long to wait for the proxy.";
        }
    };
}
pub(crate) use rows;
