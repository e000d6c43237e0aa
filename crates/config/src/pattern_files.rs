//! `/file` entries of domain and network lists: replaced by what is in the file, as Postfix's match lists do.

use std::path::Path;

use settings::{NetworkPattern, Networks, Postfix};

use crate::text_of;

/// Reads the files named in match lists into the lists. `wrong` hears the parameter and what is wrong.
pub(crate) fn read_in(postfix: &mut Postfix, wrong: &mut dyn FnMut(&str, String)) {
    let domains: [(&str, &mut Vec<String>); 8] = [
        ("mydestination", &mut postfix.mydestination),
        ("relay_domains", &mut postfix.relay_domains),
        ("virtual_alias_domains", &mut postfix.virtual_alias_domains),
        ("virtual_mailbox_domains", &mut postfix.virtual_mailbox_domains),
        ("debug_peer_list", &mut postfix.debug_peer_list),
        ("authorized_flush_users", &mut postfix.authorized_flush_users),
        ("authorized_mailq_users", &mut postfix.authorized_mailq_users),
        ("authorized_submit_users", &mut postfix.authorized_submit_users),
    ];
    for (name, list) in domains {
        *list = std::mem::take(list)
            .into_iter()
            .flat_map(|word| domains_of(name, word, wrong))
            .collect();
    }
    let networks: [(&str, &mut Networks); 7] = [
        ("mynetworks", &mut postfix.mynetworks),
        (
            "permit_mx_backup_networks",
            &mut postfix.permit_mx_backup_networks,
        ),
        (
            "smtpd_client_event_limit_exceptions",
            &mut postfix.smtpd_client_event_limit_exceptions,
        ),
        (
            "smtpd_forbid_bare_newline_exclusions",
            &mut postfix.smtpd_forbid_bare_newline_exclusions,
        ),
        (
            "smtpd_authorized_xclient_hosts",
            &mut postfix.smtpd_authorized_xclient_hosts,
        ),
        (
            "smtpd_authorized_xforward_hosts",
            &mut postfix.smtpd_authorized_xforward_hosts,
        ),
        (
            "smtpd_sasl_exceptions_networks",
            &mut postfix.smtpd_sasl_exceptions_networks,
        ),
    ];
    for (name, list) in networks {
        let mut patterns = Vec::new();
        for (negated, pattern) in std::mem::take(&mut list.patterns) {
            match pattern {
                NetworkPattern::File(path) => patterns.extend(networks_of(name, negated, &path, wrong)),
                other => patterns.push((negated, other)),
            }
        }
        list.patterns = patterns;
    }
}

fn domains_of(name: &str, word: String, wrong: &mut dyn FnMut(&str, String)) -> Vec<String> {
    let bare = word.trim_start_matches('!');
    if !bare.starts_with('/') {
        return vec![word];
    }
    let negation = &word[..word.len() - bare.len()];
    words_of(name, Path::new(bare), wrong)
        .into_iter()
        .map(|entry| format!("{negation}{entry}"))
        .collect()
}

fn networks_of(
    name: &str,
    negated: bool,
    path: &Path,
    wrong: &mut dyn FnMut(&str, String),
) -> Vec<(bool, NetworkPattern)> {
    match words_of(name, path, wrong).join(" ").parse::<Networks>() {
        Ok(read) => read
            .patterns
            .into_iter()
            .map(|(inner, pattern)| (inner != negated, pattern))
            .collect(),
        Err(error) => {
            wrong(name, format!("in {}: {error}", path.display()));
            Vec::new()
        }
    }
}

fn words_of(name: &str, path: &Path, wrong: &mut dyn FnMut(&str, String)) -> Vec<String> {
    match text_of(path) {
        Ok(text) => text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(settings::kinds::words)
            .collect(),
        Err(error) => {
            wrong(name, error.to_string());
            Vec::new()
        }
    }
}
