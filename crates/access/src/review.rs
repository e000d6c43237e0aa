//! What a service's lists ask for and do not get, found before anybody connects: names that are no restriction, restrictions
//! that are not there yet, lists that would let everybody relay.

use settings::Postfix;

use crate::lists::{STAGES, Stage, WARN_ONLY, expanded, list_of, takes_argument};
use crate::restrictions;

/// Restrictions of Postfix 3.7 that are not there yet; those with a table, server or list behind their name are
/// known by [`takes_argument`] as well.
const NOT_YET: &[&str] = &[
    "check_ccert_access",
    "check_client_a_access",
    "check_client_access",
    "check_client_mx_access",
    "check_client_ns_access",
    "check_etrn_access",
    "check_helo_a_access",
    "check_helo_access",
    "check_helo_mx_access",
    "check_helo_ns_access",
    "check_policy_service",
    "check_recipient_a_access",
    "check_recipient_access",
    "check_recipient_mx_access",
    "check_recipient_ns_access",
    "check_relay_domains",
    "check_reverse_client_hostname_a_access",
    "check_reverse_client_hostname_access",
    "check_reverse_client_hostname_mx_access",
    "check_reverse_client_hostname_ns_access",
    "check_sasl_access",
    "check_sender_a_access",
    "check_sender_access",
    "check_sender_mx_access",
    "check_sender_ns_access",
    "defer_if_reject",
    "permit_dnswl_client",
    "permit_inet_interfaces",
    "permit_mx_backup",
    "permit_naked_ip_address",
    "permit_rhswl_client",
    "permit_tls_all_clientcerts",
    "permit_tls_clientcerts",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
    "reject_maps_rbl",
    "reject_multi_recipient_bounce",
    "reject_plaintext_session",
    "reject_rbl",
    "reject_rbl_client",
    "reject_rhsbl_client",
    "reject_rhsbl_helo",
    "reject_rhsbl_recipient",
    "reject_rhsbl_reverse_client",
    "reject_rhsbl_sender",
    "reject_sender_login_mismatch",
    "reject_unauth_pipelining",
    "reject_unauthenticated_sender_login_mismatch",
    "reject_unknown_address",
    "reject_unknown_client",
    "reject_unknown_client_hostname",
    "reject_unknown_helo_hostname",
    "reject_unknown_hostname",
    "reject_unknown_recipient_domain",
    "reject_unknown_reverse_client_hostname",
    "reject_unknown_sender_domain",
    "reject_unverified_recipient",
    "reject_unverified_sender",
    "sleep",
];

/// Restrictions of which one must stand in the relay or the recipient list, before a `permit` (smtpd(8): "specify at least
/// one working instance of").
pub const CLOSING: [&str; 5] = [
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject",
    "defer",
    "defer_if_permit",
];

/// What is the matter with a name in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// Postfix has it; nothing happens in its place.
    NotYet(String),
    /// There is no such restriction: a mistake.
    Unknown(String),
    /// A list of `smtpd_restriction_classes` that is not defined, or stands in itself.
    Class(String),
}

impl Gap {
    fn of(word: &str) -> Option<Gap> {
        if restrictions::find(word).is_some() || word == WARN_ONLY {
            None
        } else if NOT_YET.contains(&word) || word.contains(':') {
            // A table by itself is an old way to write check_*_access.
            Some(Gap::NotYet(word.to_owned()))
        } else {
            Some(Gap::Unknown(word.to_owned()))
        }
    }
}

/// Every name that there could be.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    let there = restrictions::RESTRICTIONS.iter().map(|(name, _)| *name);
    there.chain(NOT_YET.iter().copied()).chain([WARN_ONLY])
}

/// Names in the service's lists that are no restriction of ours, each with its parameter.
pub fn gaps(settings: &Postfix) -> Vec<(&'static str, Gap)> {
    let mut gaps = Vec::new();
    for stage in STAGES {
        let list = expanded(settings, list_of(settings, stage), 0);
        let mut words = list.iter();
        while let Some(word) = words.next() {
            let gap = match Gap::of(word) {
                Some(Gap::Unknown(name)) if settings.smtpd_restriction_classes.contains(&name) => {
                    Some(Gap::Class(name))
                }
                gap => gap,
            };
            gaps.extend(gap.map(|gap| (stage.parameter(), gap)));
            if takes_argument(word) {
                skip_argument(&mut words);
            }
        }
    }
    gaps
}

/// Skips the argument of a restriction: a word, or words in braces.
pub(crate) fn skip_argument<'a>(words: &mut impl Iterator<Item = &'a String>) {
    let Some(first) = words.next() else { return };
    if first.starts_with('{') && !first.ends_with('}') {
        words.by_ref().find(|word| word.ends_with('}'));
    }
}

/// Whether the relay or the recipient list refuses strangers' mail for elsewhere.
pub fn is_closed(settings: &Postfix) -> bool {
    [Stage::Relay, Stage::Recipient].into_iter().any(|stage| {
        let list = expanded(settings, list_of(settings, stage), 0);
        let mut words = list.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "permit" => return false,
                WARN_ONLY => skip_argument(&mut words),
                name if CLOSING.contains(&name) => return true,
                name if takes_argument(name) => skip_argument(&mut words),
                _ => {}
            }
        }
        false
    })
}
