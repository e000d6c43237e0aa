//! Questions and what is answered to them.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

/// An answer that is being waited for.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send + 'a>>;

/// The type of records asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// The name of an address.
    Ptr,
    /// Name servers.
    Ns,
    /// Texts.
    Txt,
    /// Certificates of services (RFC 6698).
    Tlsa,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Mx => "MX",
            Kind::Ptr => "PTR",
            Kind::Ns => "NS",
            Kind::Txt => "TXT",
            Kind::Tlsa => "TLSA",
        })
    }
}

/// Which other names are tried when a name is not found (`smtp_dns_resolver_options`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Search {
    /// The name as it is.
    #[default]
    Never,
    /// `res_defnames`: a name without a dot is one of the host's own domain.
    OwnDomain,
    /// `res_dnsrch`: a name with dots is looked for below the domains of the search list too.
    List,
    /// Both.
    Both,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// A name in ASCII: A-labels where it is an international one. A dot at the end changes nothing.
    pub name: String,
    /// Which records.
    pub kind: Kind,
    /// Which other names to try.
    pub search: Search,
}

impl Question {
    /// A question about that name alone.
    pub fn new(name: &str, kind: Kind) -> Question {
        Question {
            name: name.to_owned(),
            kind,
            search: Search::Never,
        }
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Of A and AAAA.
    Address(IpAddr),
    /// Of MX; the host is empty where the record says that there is none (RFC 7505).
    Exchanger {
        /// Lower is better.
        preference: u16,
        /// Without a dot at its end.
        host: String,
    },
    /// Of PTR, without a dot at its end.
    Name(String),
    /// Of NS, without a dot at its end.
    Server(String),
    /// Of TXT: its strings, one after the other.
    Text(Vec<u8>),
    /// Of TLSA (RFC 6698 §2.1).
    Certificate {
        /// What the data is about: 2 an authority, 3 the server itself.
        usage: u8,
        /// 0 the whole certificate, 1 its public key.
        selector: u8,
        /// 0 as it is, 1 its SHA-256, 2 its SHA-512.
        matching: u8,
        /// The certificate, the key, or the digest.
        data: Vec<u8>,
    },
}

impl fmt::Display for Record {
    /// Type and value as zone files have them, names with a dot at their end: `MX 10 mx.example.com.`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Address(IpAddr::V4(address)) => write!(f, "A {address}"),
            Record::Address(IpAddr::V6(address)) => write!(f, "AAAA {address}"),
            Record::Exchanger { preference, host } => write!(f, "MX {preference} {host}."),
            Record::Name(name) => write!(f, "PTR {name}."),
            Record::Server(name) => write!(f, "NS {name}."),
            Record::Text(text) => write!(f, "TXT {}", String::from_utf8_lossy(text)),
            Record::Certificate {
                usage,
                selector,
                matching,
                data,
            } => {
                write!(f, "TLSA {usage} {selector} {matching} ")?;
                data.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
            }
        }
    }
}

/// The records of a name: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// In the order of the answer.
    pub records: Vec<Record>,
    /// The name that has them, at the end of all aliases; without a dot at its end.
    pub name: String,
    /// The server says that it has verified all of it by DNSSEC. As good as the server and the way to it.
    pub authenticated: bool,
    /// How much longer it holds.
    pub ttl: Duration,
}

impl Answer {
    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.records.iter().filter_map(|record| match record {
            Record::Address(address) => Some(*address),
            _ => None,
        })
    }
}

/// Why there is no answer. Its text is the resolver's of the C library, which people find in their logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no such name.
    NotFound,
    /// The name is there, with no record of that type.
    NoData,
    /// Nobody can tell just now: no answer, or servers that fail or refuse.
    TryAgain,
    /// Aliases lead on and on.
    Loop,
    /// No name that can be asked for.
    BadName,
    /// There are records, and a table of the caller leaves none of them (`smtp_dns_reply_filter`).
    FilteredOut,
    /// That table makes no sense.
    BadFilter,
}

impl Failure {
    /// Whether another time may bring another answer.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Failure::TryAgain | Failure::FilteredOut | Failure::BadFilter
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::NotFound => "Host not found",
            Failure::NoData => "Host found but no data record of requested type",
            Failure::TryAgain => "Host not found, try again",
            Failure::BadName => "Non-recoverable error",
            Failure::Loop => "Name server loop",
            Failure::FilteredOut => "DNS reply filter drops all results",
            Failure::BadFilter => "Invalid DNS reply filter syntax",
        })
    }
}
