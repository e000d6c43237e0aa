//! `FEATURE(`name', …)`.

use super::{Outcome, Reading, not_taken, nothing, take};

/// Features that are the way things are.
const NOTHING: &[(&str, &str)] = &[
    (
        "accept_unqualified_senders",
        "they are taken unless reject_non_fqdn_sender refuses them",
    ),
    (
        "accept_unresolvable_domains",
        "they are taken unless reject_unknown_sender_domain refuses them",
    ),
    (
        "always_add_domain",
        "myorigin is added to addresses without a domain",
    ),
    ("blacklist_recipients", "access is asked for recipients, too"),
    ("blocklist_recipients", "access is asked for recipients, too"),
    ("local_lmtp", "local mail goes by local(8)"),
    ("nocanonify", "names are not looked up to be replaced"),
    (
        "nodns",
        "smtp_host_lookup and smtp_dns_support_level say how hosts are found",
    ),
    ("notsticky", "addresses of this host are local"),
    ("nouucp", "there is no UUCP"),
    ("redirect", "relocated_maps tells where users have moved to"),
    ("use_client_ptr", "access is asked for the verified name"),
    ("uucpdomain", "there is no UUCP"),
    ("bitdomain", "there is no BITNET"),
    ("msp", "sendmail(1) hands mail in by postdrop"),
    (
        "preserve_local_plus_detail",
        "recipient_delimiter says what details are",
    ),
    (
        "compat_check",
        "access(5) tables are asked in the order of the restrictions",
    ),
    (
        "tls_session_features",
        "smtp_tls_policy_maps has what destinations need",
    ),
];

/// Features that are not translated, and why.
const NOT_TAKEN: &[(&str, &str)] = &[
    (
        "promiscuous_relay",
        "it makes an open relay; set mynetworks to your clients' networks",
    ),
    ("relay_local_from", ANYBODY),
    ("relay_mail_from", ANYBODY),
    ("loose_relay_check", ANYBODY),
    (
        "smrsh",
        "commands of users run as the user; allow_mail_to_commands says from where they are taken",
    ),
    (
        "greet_pause",
        "postscreen_greet_wait does this in Postfix; it is not there yet",
    ),
    (
        "conncontrol",
        "set smtpd_client_connection_count_limit; ClientConn: in access is not read",
    ),
    (
        "ratecontrol",
        "set smtpd_client_connection_rate_limit; ClientRate: in access is not read",
    ),
    ("ldap_routing", "LDAP tables are not there yet"),
    (
        "authinfo",
        "write the log-ins into a table of smtp_sasl_password_maps",
    ),
    ("stickyhost", NO_SETTING),
    ("preserve_luser_host", NO_SETTING),
    ("badmx", NO_SETTING),
    ("mtamark", NO_SETTING),
    ("drac", NO_SETTING),
    ("virtuser_entire_domain", NO_SETTING),
    ("generics_entire_domain", NO_SETTING),
    ("lookupdotdomain", NO_SETTING),
    ("bestmx_is_local", NO_SETTING),
    ("domainmap", NO_SETTING),
];

const ANYBODY: &str =
    "everybody can write any sender: that would relay for anyone. Use SMTP AUTH or mynetworks";
const NO_SETTING: &str = "no setting does this";

impl Reading<'_> {
    pub(super) fn feature(&mut self, line: usize, name: &str, arguments: &[String]) -> Outcome {
        let argument = |number: usize| {
            arguments
                .get(number)
                .map(|text| text.trim().trim_matches('"'))
                .unwrap_or_default()
        };
        if let Some((_, why)) = NOTHING.iter().find(|(known, _)| *known == name) {
            return nothing(why);
        }
        match name {
            "access_db" | "mailertable" | "virtusertable" | "domaintable" | "genericstable"
            | "use_cw_file" | "use_ct_file" => self.file(name, argument(1)),
            "delay_checks" => take("smtpd_delay_reject", "yes"),
            "dnsbl" | "enhdnsbl" => {
                let outcome = blocked(name, argument(1), argument(3));
                if let (Outcome::Taken(_), Some(own)) = (&outcome, arguments.get(2)) {
                    self.own_reply(line, argument(1), own);
                }
                if name == "dnsbl" && !argument(3).is_empty() {
                    let why = "a list that does not answer lets clients pass";
                    self.note(
                        line,
                        &format!("FEATURE(dnsbl) with {}", argument(3)),
                        not_taken(why),
                    );
                }
                outcome
            }
            "no_default_msa" => {
                self.has_no_default_msa = true;
                nothing("there is a row for submission where one is asked for")
            }
            "rhsbl" => take(
                "smtpd_sender_restrictions",
                &format!("reject_rhsbl_sender {}", argument(1)),
            ),
            "require_rdns" => take(
                "smtpd_client_restrictions",
                "permit_mynetworks, reject_unknown_reverse_client_hostname",
            ),
            "block_bad_helo" => take(
                "smtpd_helo_restrictions",
                "permit_mynetworks, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
            ),
            "relay_entire_domain" => take("relay_domains", "$mydomain"),
            "relay_hosts_only" => take("parent_domain_matches_subdomains", "smtpd_access_maps"),
            "relay_based_on_MX" => take(
                "smtpd_relay_restrictions",
                "permit_mynetworks, permit_sasl_authenticated, permit_mx_backup, reject_unauth_destination",
            ),
            "nullclient" => match argument(1) {
                "" => not_taken("it names no host"),
                hub => Outcome::Taken(vec![
                    ("relayhost".to_owned(), hub.to_owned()),
                    ("local_transport".to_owned(), format!("smtp:{hub}")),
                    ("inet_interfaces".to_owned(), "loopback-only".to_owned()),
                ]),
            },
            "local_procmail" => {
                let own = self.defined.get("PROCMAIL_MAILER_PATH").map(String::as_str);
                let path = match argument(1) {
                    "" => own.unwrap_or("/usr/bin/procmail"),
                    path => path,
                };
                take(
                    "mailbox_command",
                    &format!("{path} -t -Y -a \"$EXTENSION\" -d \"$LOGNAME\""),
                )
            }
            _ => not_taken(
                NOT_TAKEN
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map_or("it is not known", |(_, why)| *why),
            ),
        }
    }

    /// The text of one's own with which a list in DNS refuses: `"550 Mail from " $&{client_addr} " refused"`.
    fn own_reply(&mut self, line: usize, zone: &str, text: &str) {
        let text = text.trim().replace("$&{client_addr}", "$$client_address");
        let text = text.replace(['"', '`', '\''], "");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let has_code = text.get(..4).is_some_and(|code| {
            code.starts_with(['4', '5'])
                && code[1..3].bytes().all(|b| b.is_ascii_digit())
                && code.ends_with(' ')
        });
        let is_plain = !text.replace("$$client_address", "").contains(['$', '{', '}']);
        let outcome = match (text.as_str(), has_code && is_plain) {
            ("", _) => return,
            (_, false) => not_taken("its text is no reply that is understood: write it into rbl_reply_maps"),
            (text, true) => take("rbl_reply_maps", &format!("inline:{{ {{ {zone} = {text} }} }}")),
        };
        self.note(line, &format!("FEATURE(dnsbl, {zone}), its text"), outcome);
    }

    /// A feature that is a file of the directory.
    fn file(&self, name: &str, specification: &str) -> Outcome {
        let own = match name {
            "access_db" => "access",
            "use_cw_file" => "local-host-names",
            "use_ct_file" => "trusted-users",
            name => name,
        };
        let path = specification
            .split_whitespace()
            .rfind(|word| word.starts_with('/'));
        let path = path.map(|path| path.strip_suffix(".db").unwrap_or(path));
        let usual = format!("{}/{own}", self.directory);
        if specification.starts_with("ldap") || specification.starts_with("LDAP") {
            return not_taken("LDAP tables are not there yet");
        }
        match path {
            Some(path) if path != usual && path != format!("/etc/mail/{own}") => not_taken(format!(
                "make {usual} a link to {path}: the file must have this name"
            )),
            _ => take("yubin_sendmail_directory", self.directory),
        }
    }
}

/// A list in DNS; enhdnsbl names the answer that counts.
fn blocked(name: &str, zone: &str, answer: &str) -> Outcome {
    let filter = match name {
        "enhdnsbl" if !answer.is_empty() && !answer.contains("TMP") => {
            format!("={}", answer.trim_end_matches('.'))
        }
        _ => String::new(),
    };
    match zone {
        "" => not_taken("it names no list"),
        zone => take(
            "smtpd_client_restrictions",
            &format!("permit_mynetworks, reject_rbl_client {zone}{filter}"),
        ),
    }
}
