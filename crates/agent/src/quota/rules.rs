//! Quota rules as they are written: `quota_rule = Trash:storage=+10%:messages=500`, `quota_grace = 10%`
//! (doc.dovecot.org, "Quota configuration").

/// How a rule changes a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It is this; 0 is no limit.
    Set(i64),
    /// The default and so much more (or, negative, less).
    Add(i64),
    /// So many percent of the default.
    Percent(i64),
    /// The default and so many percent of it more.
    AddPercent(i64),
}

impl Change {
    fn of(self, default: i64) -> i64 {
        let percent = |count: i64| default.saturating_mul(count) / 100;
        match self {
            Change::Set(limit) => limit,
            // What has no limit stays without.
            _ if default == 0 => 0,
            Change::Add(more) => default.saturating_add(more).max(1),
            Change::Percent(count) => percent(count),
            Change::AddPercent(count) => default.saturating_add(percent(count)).max(1),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The mailbox, perhaps with `*` in it; `*` alone is the default of all.
    mailbox: String,
    bytes: Option<Change>,
    messages: Option<Change>,
    /// Mail there does not count.
    ignored: bool,
}

/// The largest amounts; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    pub(crate) bytes: i64,
    pub(crate) messages: i64,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What of it makes no sense.
    pub(crate) fn parse(text: &str) -> Result<Rule, String> {
        let (mailbox, limits) = text
            .split_once(':')
            .ok_or_else(|| format!("\"{text}\" is no rule: write MAILBOX:storage=1G:messages=1000"))?;
        let mut rule = Rule {
            mailbox: if mailbox == "?" { "*" } else { mailbox }.to_owned(),
            bytes: None,
            messages: None,
            ignored: false,
        };
        for word in limits.split(':').filter(|word| !word.is_empty()) {
            let wrong = || format!("\"{word}\" is no limit: write storage=, bytes=, messages= or ignore");
            match word.split_once('=') {
                None if word.eq_ignore_ascii_case("ignore") => rule.ignored = true,
                // Of Maildir++ in the older form: what was on disk before.
                None if word.eq_ignore_ascii_case("backend") => {}
                Some(("storage", amount)) => rule.bytes = Some(change(amount, 1024).ok_or_else(wrong)?),
                Some(("bytes", amount)) => rule.bytes = Some(change(amount, 1).ok_or_else(wrong)?),
                Some(("messages", amount)) => rule.messages = Some(change(amount, 1).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        Ok(rule)
    }

    fn is_default(&self) -> bool {
        self.mailbox == "*"
    }

    fn is_about(&self, mailbox: &str) -> bool {
        if mailbox.eq_ignore_ascii_case("INBOX") {
            return self.mailbox.eq_ignore_ascii_case("INBOX");
        }
        auth::matches(&self.mailbox, mailbox)
    }
}

/// `1G`, `+5M`, `10%`, `+10%`; `unit` is what a bare number counts, in octets.
fn change(text: &str, unit: i64) -> Option<Change> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (Some(1), rest),
        ("-", rest) => (Some(-1), rest),
        _ => (None, text),
    };
    if let Some(percent) = rest.strip_suffix('%') {
        let count: i64 = percent.trim_end_matches('%').parse().ok()?;
        return Some(match sign {
            None => Change::Percent(count),
            Some(sign) => Change::AddPercent(sign * count),
        });
    }
    let count = amount(rest, unit)?;
    Some(match sign {
        None => Change::Set(count),
        Some(sign) => Change::Add(sign * count),
    })
}

/// A number with a unit (`b`, `k`, `M`, `G`, `T`, and `B` or `iB` behind it); without one it counts `unit` octets.
pub(crate) fn amount(text: &str, unit: i64) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = text[..digits].parse().ok()?;
    let word = text[digits..].trim().to_ascii_lowercase();
    let factor = match word.as_str() {
        "" => unit,
        "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The default limits of these rules. A later rule of a mailbox changes what an earlier one says.
pub(crate) fn defaults(rules: &[Rule]) -> Limits {
    let mut limits = Limits::default();
    for rule in rules.iter().filter(|rule| rule.is_default()) {
        limits.bytes = rule.bytes.map_or(limits.bytes, |change| change.of(limits.bytes));
        limits.messages = rule
            .messages
            .map_or(limits.messages, |change| change.of(limits.messages));
    }
    limits
}

/// The limits for a mailbox; `None` when its mail does not count.
pub(crate) fn limits(rules: &[Rule], mailbox: &str) -> Option<Limits> {
    let default = defaults(rules);
    let mut limits = default;
    let own = rules
        .iter()
        .filter(|rule| !rule.is_default() && rule.is_about(mailbox));
    for rule in own {
        if rule.ignored {
            return None;
        }
        limits.bytes = rule.bytes.map_or(limits.bytes, |change| change.of(default.bytes));
        limits.messages = rule
            .messages
            .map_or(limits.messages, |change| change.of(default.messages));
    }
    Some(limits)
}

/// `quota_grace`: how much the last delivered message may go over a limit of `bytes`, in octets.
pub(crate) fn grace(text: &str, bytes: i64) -> Option<i64> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: i64 = percent.trim_end_matches('%').parse().ok()?;
            Some(bytes.saturating_mul(percent) / 100)
        }
        None => amount(text, 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| Rule::parse(text).unwrap()).collect()
    }

    #[test]
    fn rules_add_up() {
        let set = rules(&[
            "*:storage=1M:messages=100",
            "Trash:storage=+10%%",
            "Sent:storage=50%:messages=0",
            "Junk:ignore",
            "Lists/*:bytes=+24",
        ]);
        let found = |mailbox: &str| limits(&set, mailbox).map(|limits| (limits.bytes, limits.messages));
        assert_eq!(found("INBOX"), Some((1 << 20, 100)));
        assert_eq!(found("Trash"), Some(((1 << 20) + 104_857, 100)));
        assert_eq!(found("Sent"), Some((1 << 19, 0)));
        assert_eq!(found("Junk"), None);
        assert_eq!(found("Lists/rust"), Some(((1 << 20) + 24, 100)));
        let unlimited = rules(&["Trash:storage=+1M"]);
        assert_eq!(limits(&unlimited, "Trash"), Some(Limits::default()));
        let twice = rules(&["*:storage=1M", "*:messages=5"]);
        let both = Limits {
            bytes: 1 << 20,
            messages: 5,
        };
        assert_eq!(defaults(&twice), both);
    }

    #[test]
    fn nonsense_is_told() {
        for text in ["1G", "*:storage=x", "*:storage=1Q", "*:mail=5", "*:messages="] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
        assert_eq!(grace("10%%", 1000), Some(100));
        assert_eq!(grace("50M", 1000), Some(50 << 20));
        assert_eq!(grace("lots", 1000), None);
    }
}
