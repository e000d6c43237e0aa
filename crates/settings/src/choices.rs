//! Values that are one of a few words, as enumerations.

use crate::Error;
use crate::kinds::{Kind, Shape, words};

macro_rules! choices {
    ($($(#[doc = $doc:literal])+ $name:ident = $first:ident { $($(#[doc = $word_doc:literal])+ $variant:ident = $word:literal,)+ })*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
            pub enum $name {
                $($(#[doc = $word_doc])+ $variant,)+
            }
            impl $name {
                /// The word in the configuration.
                pub fn as_str(self) -> &'static str {
                    match self {
                        $($name::$variant => $word,)+
                    }
                }
            }
            impl Kind for $name {
                type Value = $name;
                const SHAPE: Shape = Shape::Choice(&[$($word),+]);
                fn read(text: &str) -> Result<$name, Error> {
                    let word = text.trim().to_ascii_lowercase();
                    [$($name::$variant),+].into_iter().find(|choice| choice.as_str() == word)
                        .ok_or_else(|| not_one_of(text, &[$($word),+]))
                }
                fn fallback() -> $name {
                    $name::$first
                }
            }
        )*
    };
}

fn not_one_of(text: &str, choices: &[&str]) -> Error {
    let list: Vec<&str> = choices
        .iter()
        .map(|word| if word.is_empty() { "(nothing)" } else { word })
        .collect();
    Error::Shape(format!("\"{text}\" is not one of {}", list.join(", ")))
}

choices! {
    /// `smtpd_forbid_bare_newline`: what to do when a line of a message ends without a carriage return.
    BareNewline = Normalize {
        /// Takes it for a line end everywhere, the end of the message too.
        No = "no",
        /// The same as `normalize`.
        Yes = "yes",
        /// Ends a message only at CRLF.CRLF and makes other line ends CRLF.
        Normalize = "normalize",
        /// Refuses the message and ends the session.
        Reject = "reject",
        /// Logs it and goes on as with `no`.
        Note = "note",
    }
    /// `milter_default_action`: what happens when a milter cannot be asked.
    MilterAction = TempFail {
        /// Mail goes on as if it was not there.
        Accept = "accept",
        /// Everything is refused for good.
        Reject = "reject",
        /// Everything is refused for now.
        TempFail = "tempfail",
        /// Mail is held.
        Quarantine = "quarantine",
    }
    /// `smtp_dns_support_level`: what is asked of DNS.
    DnsSupport = Unset {
        /// Not set: as `enabled`, or as `disabled` where `disable_dns_lookups` says so.
        Unset = "",
        /// Nothing: names are looked up as the system does, and there are no mail exchangers.
        Disabled = "disabled",
        /// Mail exchangers and addresses.
        Enabled = "enabled",
        /// The same, and whether they are authenticated.
        Dnssec = "dnssec",
    }
    /// How much TLS is asked for, as server or client.
    TlsLevel = Unset {
        /// Not set: the older `*_use_tls` and `*_enforce_tls` decide.
        Unset = "",
        /// No TLS.
        None = "none",
        /// TLS when the other side can.
        May = "may",
        /// TLS or nothing.
        Encrypt = "encrypt",
        /// DANE when the destination publishes it.
        Dane = "dane",
        /// DANE or nothing.
        DaneOnly = "dane-only",
        /// A certificate of known fingerprint.
        Fingerprint = "fingerprint",
        /// A certificate of a known authority for the right name.
        Verify = "verify",
        /// As `verify`, the name not taken from DNS.
        Secure = "secure",
    }
    /// `mynetworks_style`: which neighbours are trusted when `mynetworks` is not set.
    NetworksStyle = Host {
        /// This machine.
        Host = "host",
        /// The subnets of its interfaces.
        Subnet = "subnet",
        /// The class A, B or C networks of its interfaces.
        Class = "class",
    }
    /// Which IP versions an outgoing connection tries first.
    AddressPreference = Any {
        /// Neither.
        Any = "any",
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
    /// `sendmail_fix_line_endings`: which CRLF line ends of local submissions become LF.
    FixLineEndings = Always {
        /// All of them.
        Always = "always",
        /// All when the first line has one.
        Strict = "strict",
        /// None.
        Never = "never",
    }
    /// A way of locking a mailbox file.
    MailboxLock = Fcntl {
        /// A fcntl(2) lock.
        Fcntl = "fcntl",
        /// A flock(2) lock.
        Flock = "flock",
        /// A lock file beside the mailbox.
        Dotlock = "dotlock",
    }
    /// A place in a message's life that `notify_classes` can ask a report about.
    NotifyClass = Resource {
        /// Copies of non-delivery reports.
        Bounce = "bounce",
        /// Double bounces.
        TwoBounce = "2bounce",
        /// Changed or lost data.
        Data = "data",
        /// Delayed mail.
        Delay = "delay",
        /// Refused by policy.
        Policy = "policy",
        /// Protocol errors.
        Protocol = "protocol",
        /// Out of memory, disk or the like.
        Resource = "resource",
        /// Defects of the software.
        Software = "software",
    }
    /// Dovecot's `ssl`.
    SslUse = Yes {
        /// No TLS.
        No = "no",
        /// TLS for those who want it.
        Yes = "yes",
        /// Nothing before TLS.
        Required = "required",
    }
    /// Dovecot's `mail_fsync`.
    MailFsync = Optimized {
        /// Where losing it would lose mail.
        Optimized = "optimized",
        /// Always.
        Always = "always",
        /// Never. Yubin still syncs what a client was told is there.
        Never = "never",
    }
    /// Dovecot's `auto` of a mailbox.
    MailboxAuto = No {
        /// Nothing.
        No = "no",
        /// Create it.
        Create = "create",
        /// Create it and subscribe to it.
        Subscribe = "subscribe",
    }
    /// What Dovecot's POP3 does with deleted mail.
    Pop3DeleteType = Default {
        /// Expunges, or flags when `pop3_deleted_flag` is set.
        Default = "default",
        /// Expunges.
        Expunge = "expunge",
        /// Sets `pop3_deleted_flag`.
        Flag = "flag",
    }
    /// What Dovecot's POP3 does with two messages of one UIDL.
    UidlDuplicates = Allow {
        /// Shows both alike.
        Allow = "allow",
        /// Makes the second one different.
        Rename = "rename",
    }
    /// `default_action` of a milter or of a policy that is away.
    MilterDefaultAction = Tempfail {
        /// Goes on without.
        Accept = "accept",
        /// Refuses.
        Reject = "reject",
        /// Asks to try later.
        Tempfail = "tempfail",
        /// Keeps the message on hold.
        Quarantine = "quarantine",
        /// Ends the session.
        Shutdown = "shutdown",
    }
    /// `smtp_host_lookup`: a way of finding a host's addresses.
    HostLookup = Dns {
        /// DNS.
        Dns = "dns",
        /// The system's resolver, /etc/hosts too.
        Native = "native",
    }
    /// Which events `debug`-like Dovecot password logging shows.
    VerbosePasswords = No {
        /// Nothing.
        No = "no",
        /// The password itself.
        Plain = "plain",
        /// Its SHA1 hash.
        Sha1 = "sha1",
        /// The password itself (an older word).
        Yes = "yes",
    }
}

/// Several [`MailboxLock`]s in the order in which they are taken.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct MailboxLocks;

impl Kind for MailboxLocks {
    type Value = Vec<MailboxLock>;
    const SHAPE: Shape = Shape::List;
    fn read(text: &str) -> Result<Vec<MailboxLock>, Error> {
        words(text).iter().map(|word| MailboxLock::read(word)).collect()
    }
    fn fallback() -> Vec<MailboxLock> {
        vec![MailboxLock::Fcntl, MailboxLock::Dotlock]
    }
}

/// Several [`NotifyClass`]es.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct NotifyClasses;

impl Kind for NotifyClasses {
    type Value = Vec<NotifyClass>;
    const SHAPE: Shape = Shape::List;
    fn read(text: &str) -> Result<Vec<NotifyClass>, Error> {
        words(text).iter().map(|word| NotifyClass::read(word)).collect()
    }
    fn fallback() -> Vec<NotifyClass> {
        Vec::new()
    }
}

/// How much one answer of a destination changes its concurrency.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum FeedbackPart {
    /// `0.2`, `1/5`
    Fixed(f64),
    /// `1/concurrency`
    PerConcurrency(f64),
    /// `1/sqrt_concurrency`
    PerSqrtConcurrency(f64),
}

/// A [`FeedbackPart`].
#[derive(Debug, Clone, Copy)]
pub struct ConcurrencyFeedback;

impl Kind for ConcurrencyFeedback {
    type Value = FeedbackPart;
    const SHAPE: Shape = Shape::Text;
    fn read(text: &str) -> Result<FeedbackPart, Error> {
        let number = |text: &str| {
            let number: f64 = text.trim().parse().ok()?;
            (0.0..=1.0).contains(&number).then_some(number)
        };
        let part = match text.split_once('/') {
            None => number(text).map(FeedbackPart::Fixed),
            Some((above, below)) => number(above).and_then(|above| match below.trim() {
                "concurrency" => Some(FeedbackPart::PerConcurrency(above)),
                "sqrt_concurrency" => Some(FeedbackPart::PerSqrtConcurrency(above)),
                below => {
                    let below: f64 = below.parse().ok().filter(|below: &f64| *below >= 1.0)?;
                    Some(FeedbackPart::Fixed(above / below))
                }
            }),
        };
        part.ok_or_else(|| {
            Error::Shape(format!(
                "\"{text}\" is not a part of a delivery: write a number from 0 to 1, 1/number, 1/concurrency or 1/sqrt_concurrency"
            ))
        })
    }
    fn fallback() -> FeedbackPart {
        FeedbackPart::Fixed(1.0)
    }
}

/// `inet_protocols`: the IP versions in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum InetProtocols {
    /// Both.
    All,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

impl InetProtocols {
    /// Whether addresses of this version are used.
    pub fn allows(self, address: std::net::IpAddr) -> bool {
        match self {
            InetProtocols::All => true,
            InetProtocols::Ipv4 => address.is_ipv4(),
            InetProtocols::Ipv6 => address.is_ipv6(),
        }
    }
}

impl Kind for InetProtocols {
    type Value = InetProtocols;
    const SHAPE: Shape = Shape::List;
    fn read(text: &str) -> Result<InetProtocols, Error> {
        let (mut four, mut six) = (false, false);
        for word in words(text) {
            match word.to_ascii_lowercase().as_str() {
                "all" => (four, six) = (true, true),
                "ipv4" => four = true,
                "ipv6" => six = true,
                _ => return Err(not_one_of(&word, &["all", "ipv4", "ipv6"])),
            }
        }
        match (four, six) {
            (true, true) => Ok(InetProtocols::All),
            (true, false) => Ok(InetProtocols::Ipv4),
            (false, true) => Ok(InetProtocols::Ipv6),
            (false, false) => Err(Error::Shape(
                "no IP version is named: write all, ipv4 or ipv6".to_owned(),
            )),
        }
    }
    fn fallback() -> InetProtocols {
        InetProtocols::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_is_a_number_or_a_part_of_the_concurrency() {
        let read = |text: &str| ConcurrencyFeedback::read(text).ok();
        assert_eq!(read("1"), Some(FeedbackPart::Fixed(1.0)));
        assert_eq!(read("1/5"), Some(FeedbackPart::Fixed(0.2)));
        assert_eq!(read("1/concurrency"), Some(FeedbackPart::PerConcurrency(1.0)));
        assert_eq!(
            read(" 1 / sqrt_concurrency "),
            Some(FeedbackPart::PerSqrtConcurrency(1.0))
        );
        for wrong in ["", "x", "1/0", "1/x", "-1", "1/2/3", "nan", "inf", "2"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
