//! Files as distributions and books have them.

use super::*;

fn imported(text: &str) -> Import {
    import(text, "/etc/mail", &["example2.jp".to_owned()])
}

fn setting<'a>(import: &'a Import, name: &str) -> Option<&'a str> {
    let found = import.settings.iter().find(|setting| setting.name == name);
    found.map(|setting| setting.text.as_str())
}

/// The statements of Red Hat's file, in its order.
const RED_HAT: &str = "divert(-1)dnl
include(`/usr/share/sendmail-cf/m4/cf.m4')dnl
divert(0)dnl
include(`/usr/share/sendmail-cf/m4/cf.m4')dnl
VERSIONID(`setup for linux')dnl
OSTYPE(`linux')dnl
dnl define(`SMART_HOST', `smtp.your.provider')dnl
define(`confDEF_USER_ID', ``8:12'')dnl
define(`confTO_CONNECT', `1m')dnl
define(`confTRY_NULL_MX_LIST', `True')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`PROCMAIL_MAILER_PATH', `/usr/bin/procmail')dnl
define(`ALIAS_FILE', `/etc/aliases')dnl
define(`STATUS_FILE', `/var/log/mail/statistics')dnl
define(`UUCP_MAILER_MAX', `2000000')dnl
define(`confUSERDB_SPEC', `/etc/mail/userdb.db')dnl
define(`confPRIVACY_FLAGS', `authwarnings,novrfy,noexpn,restrictqrun')dnl
define(`confAUTH_OPTIONS', `A')dnl
dnl TRUST_AUTH_MECH(`EXTERNAL DIGEST-MD5')dnl
define(`confTO_IDENT', `0')dnl
FEATURE(`no_default_msa', `dnl')dnl
FEATURE(`smrsh', `/usr/sbin/smrsh')dnl
FEATURE(`mailertable', `hash -o /etc/mail/mailertable.db')dnl
FEATURE(`virtusertable', `hash -o /etc/mail/virtusertable.db')dnl
FEATURE(redirect)dnl
FEATURE(always_add_domain)dnl
FEATURE(use_cw_file)dnl
FEATURE(use_ct_file)dnl
FEATURE(local_procmail, `', `procmail -t -Y -a $h -d $u')dnl
FEATURE(`access_db', `hash -T<TMPF> -o /etc/mail/access.db')dnl
FEATURE(`blacklist_recipients')dnl
EXPOSED_USER(`root')dnl
DAEMON_OPTIONS(`Port=smtp,Addr=127.0.0.1, Name=MTA')dnl
dnl DAEMON_OPTIONS(`Port=submission, Name=MSA, M=Ea')dnl
FEATURE(`accept_unresolvable_domains')dnl
LOCAL_DOMAIN(`localhost.localdomain')dnl
MAILER(smtp)dnl
MAILER(procmail)dnl
dnl MAILER(cyrusv2)dnl
";

#[test]
fn red_hats_file() {
    let import = imported(RED_HAT);
    for (name, text) in [
        (
            "mydestination",
            "$myhostname, localhost.$mydomain, localhost, localhost.localdomain",
        ),
        ("yubin_sendmail_directory", "/etc/mail"),
        ("smtp_connect_timeout", "1m"),
        ("alias_maps", "hash:/etc/aliases"),
        ("alias_database", "hash:/etc/aliases"),
        ("disable_vrfy_command", "yes"),
        ("authorized_flush_users", "root"),
        ("inet_interfaces", "loopback-only"),
        (
            "mailbox_command",
            "/usr/bin/procmail -t -Y -a \"$EXTENSION\" -d \"$LOGNAME\"",
        ),
    ] {
        assert_eq!(setting(&import, name), Some(text), "{name}");
    }
    let report = import.report("sendmail.mc");
    let not_taken: Vec<&String> = report
        .iter()
        .filter(|line| line.contains(": not taken: "))
        .collect();
    assert_eq!(not_taken.len(), 2, "{not_taken:#?}");
    assert!(
        not_taken[0].starts_with("sendmail.mc:8: define(confDEF_USER_ID): "),
        "{not_taken:#?}"
    );
    assert!(
        not_taken[1].starts_with("sendmail.mc:22: FEATURE(smrsh): "),
        "{not_taken:#?}"
    );
    assert!(report.contains(&"sendmail.mc:9: define(confTO_CONNECT): smtp_connect_timeout = 1m".to_owned()));
    assert!(
        import
            .main_cf("sendmail.mc")
            .contains("# sendmail.mc:9\nsmtp_connect_timeout = 1m\n")
    );
}

#[test]
fn a_line_that_the_course_comments_out() {
    let import = imported("dnl DAEMON_OPTIONS(`Port=submission, Name=MSA, M=Ea')dnl\n");
    assert_eq!(import.reports.iter().filter(|report| report.line > 0).count(), 0);
    assert_eq!(
        import.services,
        ["submission inet n - n - - smtpd"],
        "Sendmail's own"
    );
    assert_eq!(
        imported("FEATURE(`no_default_msa', `dnl')dnl\n").services,
        [""; 0]
    );
    let import =
        imported("DAEMON_OPTIONS(`Port=submission, Name=MSA, M=Ea')dnl\nDAEMON_OPTIONS(`Port=smtps')\n");
    assert_eq!(
        import.not_taken(),
        1,
        "no certificate: {:#?}",
        import.report("sendmail.mc")
    );
    let row = "submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject";
    assert_eq!(import.services, [row]);
}

#[test]
fn hosts_that_others_relay_through() {
    let import = imported(
        "define(`RELAY_MAILER_ARGS', `TCP $h 587')dnl\ndefine(`SMART_HOST', `esmtp:[smtp.example.net]')dnl\n\
         MASQUERADE_AS(`example.jp')dnl\nFEATURE(masquerade_envelope)dnl\nMASQUERADE_DOMAIN(`w.example.jp')\n\
         define(`confDOMAIN_NAME',`mail.example.jp')dnl\ndefine(`confMAX_MESSAGE_SIZE',`10485760')dnl\n\
         TRUST_AUTH_MECH(`PLAIN LOGIN')dnl\ndefine(`confAUTH_OPTIONS',`A p y')dnl\n\
         FEATURE(`dnsbl', `zen.example.net', `\"550 no\"')dnl\nFEATURE(`dnsbl',`two.example.net')\n\
         INPUT_MAIL_FILTER(`spam', `S=local:/run/spamass.sock, F=T, T=S:4m')\nINPUT_MAIL_FILTER(`dkim', `S=inet:8891@localhost')\n\
         define(`confSMTP_LOGIN_MSG', `$j Sendmail; $b')\nLOCAL_CONFIG\nCwexample.jp a.example.jp\nKfoo hash /x\n",
    );
    for (name, text) in [
        ("relayhost", "[smtp.example.net]:587"),
        (
            "sender_canonical_maps",
            "inline:{ { @$myhostname = @example.jp }, { @localhost.$mydomain = @example.jp }, { @localhost = @example.jp }, { @a.example.jp = @example.jp }, { @example2.jp = @example.jp }, { @w.example.jp = @example.jp } }",
        ),
        ("sender_canonical_classes", "envelope_sender, header_sender"),
        ("rbl_reply_maps", "inline:{ { zen.example.net = 550 no } }"),
        ("myhostname", "mail.example.jp"),
        ("message_size_limit", "10485760"),
        ("smtpd_sasl_auth_enable", "yes"),
        ("smtpd_tls_auth_only", "yes"),
        (
            "smtpd_client_restrictions",
            "permit_mynetworks, reject_rbl_client zen.example.net, reject_rbl_client two.example.net",
        ),
        (
            "smtpd_milters",
            "{ unix:/run/spamass.sock, default_action=tempfail, command_timeout=4m }, { inet:localhost:8891, default_action=accept }",
        ),
        ("smtpd_banner", "$myhostname ESMTP"),
        (
            "mydestination",
            "$myhostname, localhost.$mydomain, localhost, example.jp, a.example.jp",
        ),
    ] {
        assert_eq!(setting(&import, name), Some(text), "{name}");
    }
    assert_eq!(import.not_taken(), 1, "{:#?}", import.report("sendmail.mc"));
}

#[test]
fn senders_are_masqueraded_and_nobody_else() {
    let import = imported(
        "EXPOSED_USER(`root')dnl\nMASQUERADE_AS(`example.jp')dnl\nFEATURE(limited_masquerade)\nMASQUERADE_DOMAIN(`a.test')dnl\nFEATURE(allmasquerade)dnl\nFEATURE(masquerade_entire_domain)\n",
    );
    let table = "inline:{ { root@a.test = root@a.test }, { @a.test = @example.jp } }, regexp:{ {if !/^(root)@/}, {/^(.+)@.+\\.a\\.test$$/ $${1}@example.jp}, {endif} }";
    for (name, text) in [
        ("sender_canonical_maps", table),
        ("sender_canonical_classes", "header_sender"),
        ("recipient_canonical_maps", table),
        ("recipient_canonical_classes", "header_recipient"),
    ] {
        assert_eq!(setting(&import, name), Some(text), "{name}");
    }
    assert_eq!(setting(&import, "myorigin"), None);
    assert_eq!(
        setting(&imported("EXPOSED_USER(`root')"), "sender_canonical_maps"),
        None
    );
}

#[test]
fn what_a_filter_and_a_list_in_dns_are_told_is_taken_or_reported() {
    let import = imported(
        "INPUT_MAIL_FILTER(`x', `S=unix:/x, F=, T=C:15m;S:4m;R:3m;E:10m')\n\
         FEATURE(`dnsbl', `bl.test', `\"550 Rejected \" $&{client_addr} \", sorry\"')\nFEATURE(`dnsbl', `b2.test', `\"see \"$&f')\n",
    );
    let milter =
        "{ unix:/x, default_action=accept, connect_timeout=15m, command_timeout=3m, content_timeout=10m }";
    assert_eq!(setting(&import, "smtpd_milters"), Some(milter));
    let reply = "inline:{ { bl.test = 550 Rejected $$client_address , sorry } }";
    assert_eq!(setting(&import, "rbl_reply_maps"), Some(reply));
    assert_eq!(import.not_taken(), 1, "{:#?}", import.report("sendmail.mc"));
    let relay = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination";
    assert_eq!(setting(&import, "smtpd_relay_restrictions"), Some(relay));
}

#[test]
fn open_relays_are_not_taken_over() {
    let import = imported("FEATURE(promiscuous_relay)\nFEATURE(relay_local_from)\n");
    assert_eq!(import.not_taken(), 2);
}
