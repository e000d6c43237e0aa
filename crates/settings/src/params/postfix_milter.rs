//! Parameters of main.cf about milters.

crate::params::others! {
    "milter_command_timeout" Seconds "30s" NotSupported "not yet: milters"
        "How long to wait for an answer.";
    "milter_connect_macros" Text "j {daemon_name} {daemon_addr} v _" NotSupported "not yet: milters"
        "Macros sent at connection.";
    "milter_connect_timeout" Seconds "30s" NotSupported "not yet: milters"
        "How long connecting may take.";
    "milter_content_timeout" Seconds "300s" NotSupported "not yet: milters"
        "How long to wait at the end of a message.";
    "milter_data_macros" Text "i" NotSupported "not yet: milters"
        "Macros sent at DATA.";
    "milter_default_action" Text "tempfail" NotSupported "not yet: milters"
        "What to do when a milter is away.";
    "milter_end_of_data_macros" Text "i" NotSupported "not yet: milters"
        "Macros sent at the end of a message.";
    "milter_end_of_header_macros" Text "i" NotSupported "not yet: milters"
        "Macros sent at the end of the header.";
    "milter_header_checks" Text "" NotSupported "not yet: milters"
        "Tables that look at headers made by milters.";
    "milter_helo_macros" Text "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}" NotSupported "not yet: milters"
        "Macros sent at HELO.";
    "milter_macro_daemon_name" Text "$myhostname" NotSupported "not yet: milters"
        "The macro daemon_name.";
    "milter_macro_defaults" Text "" NotSupported "not yet: milters"
        "Macros that have a value when nobody gives one.";
    "milter_macro_v" Text "$mail_name $mail_version" NotSupported "not yet: milters"
        "The macro v.";
    "milter_mail_macros" Text "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}" NotSupported "not yet: milters"
        "Macros sent at MAIL.";
    "milter_protocol" Count "6" NotSupported "not yet: milters"
        "The protocol's version.";
    "milter_rcpt_macros" Text "i {rcpt_addr} {rcpt_host} {rcpt_mailer}" NotSupported "not yet: milters"
        "Macros sent at RCPT.";
    "milter_unknown_command_macros" Text "" NotSupported "not yet: milters"
        "Macros sent at unknown commands.";
    "non_smtpd_milters" Text "" NotSupported "not yet: milters"
        "Milters for local submissions.";
    "smtpd_milter_maps" Tables "" NotSupported "not yet: milters"
        "Such milters by client.";
    "smtpd_milters" Text "" NotSupported "not yet: milters"
        "Milters for SMTP mail.";
}
