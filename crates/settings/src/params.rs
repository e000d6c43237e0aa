//! The table: what every parameter of Postfix 3.7 and Dovecot 2.3 (and the new names of 2.4) is to Yubin.

use std::sync::OnceLock;

use crate::kinds::{self, Kind as _, Shape};

pub(crate) mod dovecot_auth;
pub(crate) mod dovecot_blocks;
pub(crate) mod dovecot_mail;
pub(crate) mod dovecot_newer;
pub(crate) mod dovecot_protocols;
pub(crate) mod dovecot_server;
pub mod dovecot_services;
pub(crate) mod limits;
pub(crate) mod not_yet;
pub(crate) mod postfix_cleanup;
pub(crate) mod postfix_client;
pub(crate) mod postfix_local;
pub(crate) mod postfix_milter;
pub(crate) mod postfix_postscreen;
pub(crate) mod postfix_queue;
pub(crate) mod postfix_service;
pub(crate) mod postfix_smtpd;
pub(crate) mod postfix_tls;
pub(crate) mod without_effect;

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reload {
    /// At the next use.
    Live,
    /// After `postfix reload`.
    Reload,
    /// After a restart.
    Restart,
}

/// What Yubin does with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Support {
    /// It is read and honoured.
    Supported,
    /// It may stand in the file and changes nothing; the reason says why that is right.
    NoEffect(&'static str),
    /// It is not honoured; the reason says why.
    NotSupported(&'static str),
}

impl Support {
    /// Of a row whose name can be no field's, and where its value is instead.
    #[allow(non_snake_case, reason = "it stands in rows beside the variants")]
    pub(crate) const fn Honoured(_: &'static str) -> Support {
        Support::Supported
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// What its text looks like.
    pub shape: Shape,
    /// The text when it is not set; `$name` in it is replaced at use.
    pub default: &'static str,
    /// When a change takes effect.
    pub reload: Reload,
    /// What Yubin does with it.
    pub support: Support,
    /// One line for people.
    pub summary: &'static str,
}

/// Ends of names that exist once for every transport of master.cf.
pub const PER_TRANSPORT: &[&str] = &[
    "_delivery_slot_cost",
    "_delivery_slot_discount",
    "_delivery_slot_loan",
    "_destination_concurrency_failed_cohort_limit",
    "_destination_concurrency_limit",
    "_destination_concurrency_negative_feedback",
    "_destination_concurrency_positive_feedback",
    "_destination_rate_delay",
    "_destination_recipient_limit",
    "_extra_recipient_limit",
    "_initial_destination_concurrency",
    "_minimum_delivery_slots",
    "_recipient_limit",
    "_recipient_refill_delay",
    "_recipient_refill_limit",
    "_time_limit",
    "_transport_rate_delay",
];

/// What is wrong with the text of a limit of a transport, such as `smtp_destination_rate_delay`, if `name` is one.
pub fn fault_of_transport(name: &str, text: &str) -> Option<crate::Error> {
    let is_one = |suffix: &&&str| name.len() > suffix.len() && name.ends_with(**suffix);
    let suffix = PER_TRANSPORT.iter().find(is_one)?;
    if suffix.ends_with("_feedback") {
        crate::ConcurrencyFeedback::read(text).err()
    } else if suffix.ends_with("_delay") || suffix.ends_with("_time_limit") {
        kinds::time(text, 's').err()
    } else {
        kinds::Count::read(text).err()
    }
}

/// Parameters in which `$name` stays as it is until they are used: it stands for what a message, a client or a user
/// brings along.
const RAW: &[&str] = &[
    "command_execution_directory",
    "default_rbl_reply",
    "forward_path",
    "luser_relay",
    "mailbox_command",
    "postscreen_expansion_filter",
    "postscreen_reject_footer",
    "smtpd_expansion_filter",
    "smtpd_reject_footer",
];

/// Whether `$name` in the parameter's text is not replaced when the configuration is read.
pub fn is_raw(name: &str) -> bool {
    RAW.contains(&name)
}

/// The row of a `main.cf` name.
pub fn postfix(name: &str) -> Option<&'static Parameter> {
    find(postfix_all(), name)
}

/// The row of a `dovecot.conf` name at the top level, in `plugin { }` or in a 2.4 file.
pub fn dovecot(name: &str) -> Option<&'static Parameter> {
    find(dovecot_all(), name)
}

/// The names that may stand in a block of dovecot.conf (`passdb`, `namespace`, `mailbox`, `service` …).
pub fn dovecot_block_names(kind: &str) -> impl Iterator<Item = &'static str> {
    dovecot_blocks::defaults(kind).iter().map(|(name, _)| *name)
}

/// The settings of a block of dovecot.conf with their defaults, as doveconf(1) prints them.
pub fn dovecot_block_defaults(kind: &str) -> &'static [(&'static str, &'static str)] {
    dovecot_blocks::defaults(kind)
}

/// Whether a known name belongs to the 2.3 dialect, and not to 2.4 or to versions before 2.0.
pub fn is_dovecot_2_3(name: &str) -> bool {
    // One of 2.4 that a field is made of.
    const TYPED: [&str; 1] = ["auth_allow_weak_schemes"];
    !TYPED.contains(&name)
        && !dovecot_newer::OTHERS
            .iter()
            .any(|parameter| parameter.name == name)
}

/// Every `main.cf` row, sorted by name.
pub fn postfix_all() -> &'static [Parameter] {
    static ALL: OnceLock<Vec<Parameter>> = OnceLock::new();
    ALL.get_or_init(|| {
        sorted(&[
            crate::postfix::ROWS,
            postfix_cleanup::OTHERS,
            postfix_client::OTHERS,
            postfix_local::OTHERS,
            postfix_postscreen::OTHERS,
            postfix_queue::OTHERS,
            postfix_service::OTHERS,
            postfix_smtpd::OTHERS,
            postfix_tls::OTHERS,
        ])
    })
}

/// Every `dovecot.conf` row of the top level, sorted by name.
pub fn dovecot_all() -> &'static [Parameter] {
    static ALL: OnceLock<Vec<Parameter>> = OnceLock::new();
    ALL.get_or_init(|| {
        sorted(&[
            crate::dovecot::ROWS,
            dovecot_auth::OTHERS,
            dovecot_mail::OTHERS,
            dovecot_newer::OTHERS,
            dovecot_protocols::OTHERS,
            dovecot_server::OTHERS,
        ])
    })
}

/// The known name nearest to one that is not known, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 4).clamp(1, 3);
    known
        .map(|candidate| (distance(name, candidate, most), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn sorted(files: &[&[Parameter]]) -> Vec<Parameter> {
    let mut all: Vec<Parameter> = files.concat();
    for parameter in &mut all {
        if let Some((_, reason)) = not_yet::NOT_YET.iter().find(|(name, _)| *name == parameter.name) {
            parameter.support = Support::NotSupported(reason);
        }
        if let Some((_, reason)) = without_effect::WITHOUT_EFFECT
            .iter()
            .find(|(name, _)| *name == parameter.name)
        {
            parameter.support = Support::NoEffect(reason);
        }
    }
    all.sort_by_key(|parameter| parameter.name);
    all
}

fn find(all: &'static [Parameter], name: &str) -> Option<&'static Parameter> {
    all.binary_search_by_key(&name, |parameter| parameter.name)
        .ok()
        .map(|at| &all[at])
}

/// How many letters must be changed, added, dropped or swapped with the next; more than `most` is not counted out.
fn distance(left: &str, right: &str, most: usize) -> usize {
    if left.len().abs_diff(right.len()) > most {
        return most + 1;
    }
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (row[j] + usize::from(a != b))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[right.len()]
}

/// Rows that are known but make no typed field.
macro_rules! others {
    ($($name:literal $shape:ident $default:literal $support:ident $reason:literal $summary:literal;)*) => {
        /// Known names of this subject that Yubin does not read.
        pub(crate) const OTHERS: &[$crate::Parameter] = &[$($crate::Parameter {
            name: $name,
            shape: <$crate::kinds::$shape as $crate::kinds::Kind>::SHAPE,
            default: $default,
            reload: $crate::Reload::Reload,
            support: $crate::Support::$support($reason),
            summary: $summary,
        }),*];
    };
}
pub(crate) use others;
