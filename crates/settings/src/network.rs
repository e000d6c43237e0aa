//! Networks as `mynetworks` writes them: `10.0.0.0/8 [fd00::]/64 !10.1.1.1`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Error, TableRef, kinds};

/// An address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// A network of its parts; bits behind the prefix are cleared.
    ///
    /// # Errors
    /// [`Error::Shape`] when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Network, Error> {
        let most = bits(address);
        if prefix > most {
            return Err(Error::Shape(format!(
                "\"{address}/{prefix}\" is not a network: the prefix must be 0..{most}"
            )));
        }
        Ok(Network {
            address: masked(address, prefix),
            prefix,
        })
    }

    /// One address.
    pub fn host(address: IpAddr) -> Network {
        Network {
            address,
            prefix: bits(address),
        }
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address lies in the network. An IPv4 address in IPv6 clothes (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        masked(plain, self.prefix.min(bits(plain))) == self.address && bits(plain) == bits(self.address)
            || self.address != self.address.to_canonical() && self.contains_mapped(plain)
    }

    /// `[::ffff:127.0.0.0]/104` holds 127.0.0.1, as Debian's default main.cf expects.
    fn contains_mapped(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => masked(IpAddr::V6(v4.to_ipv6_mapped()), self.prefix) == self.address,
            IpAddr::V6(_) => false,
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

impl FromStr for Network {
    type Err = Error;

    /// `address`, `address/prefix`, `[v6]`, `[v6]/prefix`; Dovecot's bare `v6/prefix` too. Bits behind the prefix
    /// must be zero, as Postfix insists.
    fn from_str(text: &str) -> Result<Network, Error> {
        let wrong = |why: &str| Error::Shape(format!("\"{text}\" is not a network: {why}"));
        let (address, prefix) = match text.rsplit_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let bare = match address.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .ok_or_else(|| wrong("the closing ] is missing"))?,
            None => address,
        };
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        let parsed: IpAddr = bare
            .parse()
            .map_err(|_| wrong("write an IP address, or address/prefix"))?;
        let most = bits(parsed);
        let prefix = match prefix {
            None => most,
            Some(digits) => digits
                .parse::<u8>()
                .ok()
                .filter(|prefix| *prefix <= most)
                .ok_or_else(|| wrong(&format!("the prefix must be 0..{most}")))?,
        };
        let network = Network {
            address: masked(parsed, prefix),
            prefix,
        };
        if network.address != parsed {
            return Err(wrong(&format!(
                "bits behind the prefix are not zero; did you mean {network}?"
            )));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(v4) => write!(f, "{v4}/{}", self.prefix),
            IpAddr::V6(v6) => write!(f, "[{v6}]/{}", self.prefix),
        }
    }
}

/// One entry of a list of networks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum NetworkPattern {
    /// A network.
    Network(Network),
    /// A name (`localhost`), compared with the client's name where the parameter allows it.
    Name(String),
    /// A file of entries; `config` replaces it by what is in it.
    File(PathBuf),
    /// A lookup table.
    Table(TableRef),
}

/// A list of networks. The first entry that matches decides; `!` makes it a "no".
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Networks {
    /// The entries in order: whether `!` stands before it, and the entry.
    pub patterns: Vec<(bool, NetworkPattern)>,
}

impl Networks {
    /// Whether the address is in the list. Tables, names and unread files match nothing here.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.patterns
            .iter()
            .find_map(|(negated, pattern)| match pattern {
                NetworkPattern::Network(network) if network.contains(address) => Some(!negated),
                _ => None,
            })
            .unwrap_or(false)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Networks {
        Networks {
            patterns: networks
                .into_iter()
                .map(|network| (false, NetworkPattern::Network(network)))
                .collect(),
        }
    }
}

impl FromStr for Networks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Networks, Error> {
        let patterns = kinds::words(text)
            .iter()
            .map(|word| pattern(word))
            .collect::<Result<_, _>>()?;
        Ok(Networks { patterns })
    }
}

fn pattern(word: &str) -> Result<(bool, NetworkPattern), Error> {
    let bare = word.trim_start_matches('!');
    let negated = (word.len() - bare.len()) % 2 == 1;
    let found = if bare.starts_with('/') {
        NetworkPattern::File(PathBuf::from(bare))
    } else if looks_like_address(bare) {
        NetworkPattern::Network(bare.parse()?)
    } else if bare.contains(':') {
        NetworkPattern::Table(bare.parse()?)
    } else {
        NetworkPattern::Name(bare.to_owned())
    };
    Ok((negated, found))
}

fn looks_like_address(word: &str) -> bool {
    word.starts_with('[')
        || word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains(|c: char| c.is_ascii_alphabetic())
        || word
            .split('/')
            .next()
            .is_some_and(|address| address.parse::<IpAddr>().is_ok())
}
