//! Which servers are asked, and with how much patience: resolv.conf(5), or a list.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_resolver::system_conf::parse_resolv_conf;

/// The most servers that are asked, as in the C library.
pub const SERVERS_MAX: usize = 3;
/// The port of servers that name none.
const PORT: u16 = 53;
/// The longest wait for one server, whatever `options timeout:` says.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// The most rounds, whatever `options attempts:` says.
const ATTEMPTS_MAX: usize = 5;
/// The most domains of a search list.
const SEARCH_MAX: usize = 6;

/// A server that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// As it was written.
    pub server: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} is not a DNS server: write an address, address:port or [IPv6 address]:port",
            self.server
        )
    }
}

impl std::error::Error for Error {}

/// How questions are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// In the order in which they are asked.
    pub servers: Vec<SocketAddr>,
    /// How long one server is waited for.
    pub timeout: Duration,
    /// How often all are asked.
    pub attempts: usize,
    /// How many dots make a name that is asked for as it is first.
    pub ndots: usize,
    /// The domains of the search list; the first is the host's own.
    pub search: Vec<String>,
}

impl Configuration {
    /// What `/etc/resolv.conf` says.
    pub fn of_system() -> Configuration {
        Configuration::of_file(Path::new("/etc/resolv.conf"))
    }

    /// What a file in the form of resolv.conf(5) says. As with the C library, one that is not there or names no server means
    /// the server of this host.
    pub fn of_file(file: &Path) -> Configuration {
        Configuration::of_text(&std::fs::read(file).unwrap_or_default())
    }

    fn of_text(text: &[u8]) -> Configuration {
        // The parser wants a server; one more than are used changes nothing.
        let local = b"\nnameserver 127.0.0.1\n";
        let Ok((config, options)) = parse_resolv_conf([text, local].concat()) else {
            return Configuration::with_servers(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        };
        let named = config.name_servers().len().saturating_sub(1).max(1);
        let servers = config.name_servers().iter().take(named).map(|server| server.ip);
        let domains = config.domain().into_iter().filter(|_| config.search().is_empty());
        let search = config.search().iter().chain(domains);
        let search = search.map(|name| name.to_ascii().trim_end_matches('.').to_owned());
        Configuration {
            timeout: options.timeout.clamp(Duration::from_secs(1), TIMEOUT_MAX),
            attempts: options.attempts.clamp(1, ATTEMPTS_MAX),
            ndots: options.ndots,
            search: search.filter(|name| !name.is_empty()).take(SEARCH_MAX).collect(),
            ..Configuration::with_servers(servers.collect())
        }
    }

    fn with_servers(servers: Vec<IpAddr>) -> Configuration {
        let servers = servers.into_iter().take(SERVERS_MAX);
        Configuration {
            servers: servers.map(|ip| SocketAddr::new(ip, PORT)).collect(),
            timeout: Duration::from_secs(5),
            attempts: 2,
            ndots: 1,
            search: Vec::new(),
        }
    }

    /// The same with these servers instead: `address`, `address:port`, `[address]:port`. No servers: no change.
    ///
    /// # Errors
    /// When one of them is none of these.
    pub fn asking(self, servers: &[String]) -> Result<Configuration, Error> {
        if servers.is_empty() {
            return Ok(self);
        }
        let read = |text: &String| {
            let bare = text.trim_start_matches('[').trim_end_matches(']');
            let address = text.parse().ok();
            let address = address.or_else(|| Some(SocketAddr::new(bare.parse().ok()?, PORT)));
            address
                .filter(|address| address.port() > 0)
                .ok_or_else(|| Error { server: text.clone() })
        };
        let servers: Result<Vec<SocketAddr>, Error> = servers.iter().map(read).collect();
        Ok(Configuration {
            servers: servers?.into_iter().take(SERVERS_MAX).collect(),
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_says_who_is_asked_and_for_how_long() {
        let text = b"# mine\nsearch a.test b.test\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n\
            nameserver 192.0.2.2\nnameserver 192.0.2.3\noptions timeout:2 attempts:4 ndots:3 rotate\n";
        let configuration = Configuration::of_text(text);
        let servers: Vec<String> = configuration.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]);
        assert_eq!(configuration.timeout, Duration::from_secs(2));
        assert_eq!((configuration.attempts, configuration.ndots), (4, 3));
        assert_eq!(configuration.search, ["a.test", "b.test"]);
    }

    #[test]
    fn without_a_server_it_is_the_one_of_this_host() {
        for text in ["", "nonsense\noptions timeout:99999 attempts:0\n"] {
            let configuration = Configuration::of_text(text.as_bytes());
            assert_eq!(configuration.servers, ["127.0.0.1:53".parse().unwrap()], "{text}");
            assert!(configuration.timeout <= TIMEOUT_MAX && configuration.attempts > 0);
        }
        let nowhere = Configuration::of_file(Path::new("/nonexistent/resolv.conf"));
        assert_eq!(nowhere.servers.len(), 1);
    }

    #[test]
    fn servers_can_be_named() {
        let named = |servers: &[&str]| {
            let servers: Vec<String> = servers.iter().map(|text| (*text).to_owned()).collect();
            Configuration::of_text(b"")
                .asking(&servers)
                .map(|named| named.servers)
        };
        let wanted: Vec<SocketAddr> = ["127.0.0.1:5353", "[::1]:53", "[::1]:5300"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(named(&["127.0.0.1:5353", "::1", "[::1]:5300"]), Ok(wanted));
        for wrong in ["dns.test", "127.0.0.1:0", "127.0.0.1:99999", "[127.0.0.1"] {
            let result = named(&[wrong]);
            assert!(wrong == "[127.0.0.1" || result.is_err(), "{wrong}: {result:?}");
        }
    }
}
