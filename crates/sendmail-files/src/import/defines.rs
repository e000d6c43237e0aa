//! `define(`confX', `value')`.

use super::{Outcome, Reading, not_taken, nothing, take};

/// Names whose text is that of a setting.
const SAME: &[(&str, &str)] = &[
    ("confDOMAIN_NAME", "myhostname"),
    ("confMAX_MESSAGE_SIZE", "message_size_limit"),
    ("confMAX_HOP", "hopcount_limit"),
    ("confMAX_RCPTS_PER_MESSAGE", "smtpd_recipient_limit"),
    ("confBAD_RCPT_THROTTLE", "smtpd_soft_error_limit"),
    ("confCONNECTION_RATE_WINDOW_SIZE", "anvil_rate_time_unit"),
    ("confTO_CONNECT", "smtp_connect_timeout"),
    ("confTO_ICONNECT", "smtp_connect_timeout"),
    ("confTO_HELO", "smtp_helo_timeout"),
    ("confTO_MAIL", "smtp_mail_timeout"),
    ("confTO_RCPT", "smtp_rcpt_timeout"),
    ("confTO_DATAINIT", "smtp_data_init_timeout"),
    ("confTO_DATABLOCK", "smtp_data_xfer_timeout"),
    ("confTO_DATAFINAL", "smtp_data_done_timeout"),
    ("confTO_RSET", "smtp_rset_timeout"),
    ("confTO_QUIT", "smtp_quit_timeout"),
    ("confTO_COMMAND", "smtpd_timeout"),
    ("confTO_QUEUERETURN", "maximal_queue_lifetime"),
    ("confTO_QUEUEWARN", "delay_warning_time"),
    ("confMIN_QUEUE_AGE", "minimal_backoff_time"),
    ("confMAX_QUEUE_AGE", "maximal_backoff_time"),
    ("confDOUBLE_BOUNCE_ADDRESS", "2bounce_notice_recipient"),
    ("confCACERT", "smtpd_tls_CAfile"),
    ("confCACERT_PATH", "smtpd_tls_CApath"),
    ("confSERVER_KEY", "smtpd_tls_key_file"),
    ("confCLIENT_CERT", "smtp_tls_cert_file"),
    ("confCLIENT_KEY", "smtp_tls_key_file"),
];

/// Names to which nothing corresponds because nothing has to.
const NOTHING: &[(&str, &str)] = &[
    ("confTO_IDENT", "nobody is asked by IDENT"),
    (
        "confTRY_NULL_MX_LIST",
        "a domain without MX records is its own host",
    ),
    (
        "confDONT_PROBE_INTERFACES",
        "mydestination says which names are this host's",
    ),
    ("confDELIVERY_MODE", "mail is queued, then delivered at once"),
    ("confAUTO_REBUILD", "newaliases builds the aliases"),
    ("confDEF_CHAR_SET", "text is left as it is"),
    ("confME_TOO", "whoever is in a list gets what he sends there"),
    ("confLOG_LEVEL", "the log has Postfix's lines"),
    ("confSMTP_MAILER", "mail goes by ESMTP"),
    ("confLOCAL_MAILER", "local mail goes by local(8)"),
    ("confUSERDB_SPEC", "there is no user database"),
    ("confPID_FILE", "the master process has its own"),
    ("confEBINDIR", "it is a place of Sendmail's"),
    (
        "confQUEUE_LA",
        "the load of the machine does not matter to the queue",
    ),
    (
        "confREFUSE_LA",
        "the load of the machine does not matter to the queue",
    ),
    (
        "confDELAY_LA",
        "the load of the machine does not matter to the queue",
    ),
    ("confHOST_STATUS_DIRECTORY", "the queue manager knows dead hosts"),
    (
        "confSINGLE_THREAD_DELIVERY",
        "the queue manager counts deliveries by destination",
    ),
    (
        "confDONT_BLAME_SENDMAIL",
        "access to files is a matter of the processes' rights",
    ),
    ("confCRL", "no lists of revoked certificates are read"),
    ("confDH_PARAMETERS", "keys are agreed on by elliptic curves"),
    (
        "confRUN_AS_USER",
        "mail_owner is the user of what reads the network",
    ),
    ("STATUS_FILE", "there are no statistics of mailers"),
    ("HELP_FILE", "HELP is not answered from a file"),
    ("QUEUE_DIR", "queue_directory is the place of the queue"),
    (
        "MAIL_SETTINGS_DIR",
        "the files are looked for in the directory of the import",
    ),
    ("UUCP_MAILER_MAX", "there is no UUCP"),
    ("USENET_MAILER_MAX", "there is no news"),
    ("LOCAL_MAILER_FLAGS", "local mail goes by local(8)"),
    (
        "LOCAL_MAILER_PATH",
        "local mail goes by local(8); mailbox_command may name a program",
    ),
    (
        "LOCAL_MAILER_ARGS",
        "local mail goes by local(8); mailbox_command may name a program",
    ),
    (
        "PROCMAIL_MAILER_PATH",
        "FEATURE(local_procmail) says whether it is used",
    ),
    ("RELAY_MAILER_ARGS", "its port is that of relayhost"),
    ("ESMTP_MAILER_ARGS", "its port is that of relayhost"),
];

impl Reading<'_> {
    pub(super) fn define(&mut self, name: &str, text: &str) -> Outcome {
        // `$j` is this host's name.
        let text = text.replace("$j", "$myhostname");
        let text = text.as_str();
        if let Some((_, setting)) = SAME.iter().find(|(known, _)| *known == name) {
            return match text {
                "" => nothing("it is empty"),
                text => take(setting, text),
            };
        }
        if let Some((_, why)) = NOTHING.iter().find(|(known, _)| *known == name) {
            return nothing(why);
        }
        match name {
            "SMART_HOST" => self.smart_host(text),
            "MAIL_HUB" | "LOCAL_RELAY" => match hub(text) {
                Some(hub) => take("local_transport", &hub),
                None => not_taken("a user at a host: luser_relay and virtual_alias_maps have addresses"),
            },
            "LUSER_RELAY" => match text.rsplit_once(':') {
                Some(("local", user)) => take("luser_relay", user),
                Some((_, host)) => take("luser_relay", &format!("$user@{host}")),
                None => take("luser_relay", &format!("$user@{text}")),
            },
            "ALIAS_FILE" => aliases(text),
            "confSERVER_CERT" => Outcome::Taken(vec![
                ("smtpd_tls_cert_file".to_owned(), text.to_owned()),
                ("smtpd_tls_security_level".to_owned(), "may".to_owned()),
            ]),
            "confCW_FILE" | "confCR_FILE" | "confCT_FILE" => class_file(name, text, self.directory),
            "confPRIVACY_FLAGS" => privacy(text),
            "confAUTH_OPTIONS" => auth_options(text),
            "confAUTH_MECHANISMS" => {
                Outcome::Taken(vec![("smtpd_sasl_auth_enable".to_owned(), "yes".to_owned())])
            }
            "confTLS_SRV_OPTIONS" if text.contains('V') => take("smtpd_tls_ask_ccert", "no"),
            "confDEF_USER_ID" => user(text),
            "confSMTP_LOGIN_MSG" => take("smtpd_banner", &banner(text)),
            "confCOPY_ERRORS_TO" => Outcome::Taken(vec![
                ("error_notice_recipient".to_owned(), text.to_owned()),
                ("bounce_notice_recipient".to_owned(), text.to_owned()),
                (
                    "notify_classes".to_owned(),
                    "bounce, resource, software".to_owned(),
                ),
            ]),
            "confFORWARD_PATH" => take(
                "forward_path",
                &text
                    .replace("$z", "$home")
                    .replace("$u", "$user")
                    .replace(':', ", "),
            ),
            "confINPUT_MAIL_FILTERS" => nothing("the filters are asked in the order of the file"),
            "confMAX_DAEMON_CHILDREN" => take("default_process_limit", text),
            "confCONNECTION_RATE_THROTTLE" => not_taken(
                "connections are counted by client, not over all: see smtpd_client_connection_rate_limit",
            ),
            "confMIN_FREE_BLOCKS" => match text.parse::<u64>() {
                Ok(blocks) => take("queue_minfree", &blocks.saturating_mul(1024).to_string()),
                Err(_) => not_taken("it is not a number"),
            },
            name if name.starts_with('_') => nothing("it is internal to Sendmail's macros"),
            name if name.starts_with("confTO_") => not_taken("there is no such time limit"),
            _ => not_taken("no setting does this"),
        }
    }
}

/// `smtp:[hub]` of `esmtp:hub`, `[hub]`, `hub`.
fn hub(text: &str) -> Option<String> {
    let host = text.rsplit_once(':').map_or(text, |(_, host)| host);
    (!host.contains('@') && !host.is_empty()).then(|| format!("smtp:{host}"))
}

fn aliases(text: &str) -> Outcome {
    let files = text.split(',').map(|file| file.trim());
    // A type in front (`hash:`) stays; optional files are files.
    let tables = files
        .filter(|file| !file.is_empty())
        .map(|file| match file.split_once(':') {
            Some((kind, path)) => format!("{}:{}", kind.split(' ').next().unwrap_or("hash"), path.trim()),
            None => format!("hash:{}", file.trim_start_matches("-o").trim()),
        });
    let list = tables.collect::<Vec<_>>().join(", ");
    Outcome::Taken(vec![
        ("alias_maps".to_owned(), list.clone()),
        ("alias_database".to_owned(), list),
    ])
}

fn class_file(name: &str, text: &str, directory: &str) -> Outcome {
    let file = text
        .split_whitespace()
        .rfind(|word| !word.starts_with('-'))
        .unwrap_or_default();
    let (setting, own) = match name {
        "confCW_FILE" => ("mydestination", "local-host-names"),
        "confCR_FILE" => ("relay_domains", "relay-domains"),
        _ => ("", "trusted-users"),
    };
    let is_usual = file == format!("{directory}/{own}") || file == own;
    match (is_usual, setting) {
        (true, _) => nothing("it is the file that yubin_sendmail_directory has"),
        (false, "") => not_taken(format!("make {directory}/{own} a link to it")),
        (false, setting) if file.starts_with('/') => take(setting, file),
        _ => not_taken("it is not the path of a file"),
    }
}

fn privacy(text: &str) -> Outcome {
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut left = Vec::new();
    let mut set = |name: &str, text: &str| {
        let row = (name.to_owned(), text.to_owned());
        if !settings.contains(&row) {
            settings.push(row);
        }
    };
    for flag in text
        .split([',', ' '])
        .map(|flag| flag.trim())
        .filter(|flag| !flag.is_empty())
    {
        match flag.to_ascii_lowercase().as_str() {
            "goaway" => {
                set("disable_vrfy_command", "yes");
                set("smtpd_helo_required", "yes");
            }
            "novrfy" => set("disable_vrfy_command", "yes"),
            "needmailhelo" => set("smtpd_helo_required", "yes"),
            "restrictmailq" => set("authorized_mailq_users", "root"),
            "restrictqrun" => set("authorized_flush_users", "root"),
            "noetrn" => set("smtpd_etrn_restrictions", "reject"),
            "noreceipts" => set("smtpd_discard_ehlo_keywords", "silent-discard, dsn"),
            // EXPN is never answered, VRFY by the rules of RCPT; trusted-users is a file.
            "public" | "noexpn" | "needexpnhelo" | "needvrfyhelo" | "restrictexpand" | "authwarnings"
            | "noverb" => {}
            other => left.push(other.to_owned()),
        }
    }
    match (settings.is_empty(), left.is_empty()) {
        (_, false) if settings.is_empty() => not_taken(format!("no setting does {}", left.join(", "))),
        (true, _) => nothing("that is so anyway"),
        (false, _) => Outcome::Taken(settings),
    }
}

fn auth_options(text: &str) -> Outcome {
    let mut settings = Vec::new();
    if text.contains('p') {
        settings.push(("smtpd_tls_auth_only".to_owned(), "yes".to_owned()));
    }
    if text.contains('y') {
        settings.push(("smtpd_sasl_security_options".to_owned(), "noanonymous".to_owned()));
    }
    match settings.is_empty() {
        true => nothing("that is so anyway"),
        false => Outcome::Taken(settings),
    }
}

/// `default_privs` of `user:group` or `uid:gid`.
fn user(text: &str) -> Outcome {
    let user = text.split(':').next().unwrap_or_default().trim();
    match user.parse::<u32>() {
        Err(_) if !user.is_empty() => take("default_privs", user),
        _ => not_taken("default_privs is the name of a user, not a number"),
    }
}

/// A greeting without Sendmail's own macros.
fn banner(text: &str) -> String {
    let words = text
        .split_whitespace()
        .filter(|word| !word.starts_with('$') || word.starts_with("$myhostname"));
    let words: Vec<&str> = words
        .filter(|word| !word.trim_end_matches([';', '/']).is_empty())
        .collect();
    let text = words.join(" ");
    let text = text.trim_end_matches([';', ' ']);
    match text.starts_with("$myhostname") {
        true => text.replacen("$myhostname Sendmail", "$myhostname ESMTP", 1),
        false => format!("$myhostname ESMTP {text}"),
    }
}
