//! Quota: how much mail a user may have ([`rules`]), enforced over every store ([`store`]) when mail is added by LMTP, the
//! LDA or IMAP. Limits come from `plugin { quota… }` and from the user's own `quota…` fields of the userdb.

mod rules;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use auth::Account;
use mailbox::Store;
use settings::Dovecot;

use crate::location::Location;
use rules::{Limits, Rule};

/// What Dovecot says to whoever writes to a full mailbox.
const EXCEEDED: &str = "Quota exceeded (mailbox for user is full)";
/// How many roots (`quota`, `quota2` …) and rules of one (`quota_rule`, `quota_rule2` …) are looked for.
const NUMBERED_MAX: usize = 64;

/// Who adds mail: `quota_grace` is for deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// A session of the user.
    Session,
    /// LMTP or the LDA.
    Delivery,
}

/// Where the sum is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Backend {
    /// In the file `maildirsize` of this Maildir.
    Maildir(PathBuf),
    /// Nowhere: the indexes of the mailboxes know their sizes.
    Count,
}

/// One quota root.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Root {
    name: String,
    /// Whether mail is refused; else it is only counted (`noenforcing`).
    enforced: bool,
    hidden: bool,
    backend: Backend,
    rules: Vec<Rule>,
    /// How much the last delivered message may go over, in octets.
    grace: i64,
}

impl Root {
    fn defaults(&self) -> Limits {
        rules::defaults(&self.rules)
    }

    fn limits(&self, mailbox: &str) -> Option<Limits> {
        rules::limits(&self.rules, mailbox)
    }
}

/// The quota of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quota {
    roots: Vec<Root>,
    exceeded: String,
    /// `quota_max_mail_size`: the largest message, in octets; 0 is no limit.
    mail_bytes_max: i64,
}

/// `store` with the user's quota around it; as it is when there is none. What makes no sense in the rules is told to `tell`.
pub(crate) fn around(
    store: Arc<dyn Store>,
    (account, location): (&Account, &Location),
    (settings, by): (&Dovecot, By),
    tell: &dyn Fn(&str),
) -> Arc<dyn Store> {
    match Quota::of(account, location, settings, tell) {
        Some(quota) => Arc::new(store::Limited::new(store, quota, by)),
        None => store,
    }
}

impl Quota {
    /// `None` when nothing limits the user.
    fn of(account: &Account, location: &Location, settings: &Dovecot, tell: &dyn Fn(&str)) -> Option<Quota> {
        if !settings.mail_plugins.iter().any(|word| word == "quota") {
            return None;
        }
        // What the userdb says of a user goes before the plugin block.
        let value = |name: &str| {
            let own = account.extra.get(name).or_else(|| settings.plugin.get(name));
            own.map(String::as_str).filter(|text| !text.is_empty())
        };
        let roots: Vec<Root> = numbered("quota")
            .filter_map(|name| Some((value(&name)?.to_owned(), name)))
            .filter_map(|(text, name)| root(&text, &name, location, (&value, tell)))
            .collect();
        let mail_bytes_max = match value("quota_max_mail_size") {
            None => 0,
            Some(text) => rules::amount(text, 1).unwrap_or_else(|| {
                tell(&format!("quota_max_mail_size: \"{text}\" is no size"));
                0
            }),
        };
        (!roots.is_empty()).then(|| Quota {
            roots,
            exceeded: value("quota_exceeded_message").unwrap_or(EXCEEDED).to_owned(),
            mail_bytes_max,
        })
    }
}

type Sources<'a> = (&'a dyn Fn(&str) -> Option<&'a str>, &'a dyn Fn(&str));

/// `maildir:User quota`, `count:User quota:noenforcing`.
fn root(text: &str, name: &str, location: &Location, (value, tell): Sources<'_>) -> Option<Root> {
    let mut words = text.split(':');
    let backend = match (words.next().unwrap_or_default(), location) {
        ("maildir", Location::Maildir { root }) => Backend::Maildir(root.clone()),
        ("noop", _) => return None,
        ("fs", _) => {
            tell(&format!(
                "{name}: quota of file systems is the system's to enforce: nothing is limited here"
            ));
            return None;
        }
        // Sums that others keep elsewhere (`dict`) are counted here.
        ("maildir" | "count" | "dict" | "dirsize", _) => Backend::Count,
        (other, _) => {
            tell(&format!("{name}: there is no quota backend \"{other}\""));
            return None;
        }
    };
    let root_name = words.next().unwrap_or_default().to_owned();
    let words: Vec<&str> = words.collect();
    let mut found = Vec::new();
    for rule_name in numbered(&format!("{name}_rule")) {
        let Some(text) = value(&rule_name) else { continue };
        match Rule::parse(text) {
            Ok(rule) => found.push(rule),
            Err(why) => tell(&format!("{rule_name}: {why}")),
        }
    }
    let grace = value(&format!("{name}_grace")).or_else(|| value("quota_grace"));
    let bytes = rules::defaults(&found).bytes;
    let grace = rules::grace(grace.unwrap_or("10%"), bytes).unwrap_or_else(|| {
        tell("quota_grace: write 10% or a size");
        0
    });
    Some(Root {
        name: root_name,
        enforced: !words.contains(&"noenforcing"),
        hidden: words.contains(&"hidden"),
        backend,
        rules: found,
        grace,
    })
}

/// `quota`, `quota2`, `quota3` …
fn numbered(name: &str) -> impl Iterator<Item = String> + use<'_> {
    std::iter::once(name.to_owned()).chain((2..NUMBERED_MAX).map(move |number| format!("{name}{number}")))
}
