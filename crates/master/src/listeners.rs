//! Which ports are listened on: `inet` rows of master.cf and `inet_listener` blocks of dovecot.conf. All are bound
//! before anything else happens, so that a port that is taken is told at once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use serve::handover::Protocol;
use settings::{Dovecot, InetProtocols, Postfix, Service, ServiceType, SslUse};

pub use ipc::roles::Purpose;

/// A port that is bound.
#[derive(Debug)]
pub struct Bound {
    /// What for.
    pub purpose: Purpose,
    /// How many conversations at once.
    pub connections_max: usize,
    /// The socket.
    pub socket: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A port that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What for.
    pub purpose: Purpose,
    /// How many conversations at once.
    pub connections_max: usize,
    /// Where.
    pub address: SocketAddr,
    /// Who says so, for the complaint.
    pub place: String,
}

/// How many mailbox connections one listener takes at once.
const LOGIN_CONNECTIONS_MAX: usize = 100_000;
/// How many SMTP connections a row without a process limit takes at once.
const SMTP_CONNECTIONS_MAX: usize = 10_000;

/// Every port that the configuration asks for.
///
/// # Errors
/// An address or a port that makes no sense.
pub fn wanted(postfix: &Postfix, services: &[Service], dovecot: Option<&Dovecot>) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for service in services {
        if service.service_type == ServiceType::Inet && service.command == "smtpd" {
            wanted.extend(of_service(postfix, service)?);
        }
    }
    if let Some(dovecot) = dovecot {
        for (name, protocol, word) in [
            ("imap-login", Protocol::Imap, "imap"),
            ("pop3-login", Protocol::Pop3, "pop3"),
        ] {
            if dovecot.protocols.iter().any(|enabled| enabled == word) {
                wanted.extend(of_login(dovecot, name, protocol)?);
            }
        }
    }
    Ok(wanted)
}

fn of_service(postfix: &Postfix, service: &Service) -> Result<Vec<Wanted>> {
    let place = format!("master.cf:{}: {}", service.line, service.name);
    let (host, port) = service.host_and_port();
    let port = port_number(port).with_context(|| format!("{place}: there is no port \"{port}\""))?;
    let hosts: Vec<String> = if host.is_empty() {
        postfix.inet_interfaces.clone()
    } else {
        vec![host.to_owned()]
    };
    let mut wanted = Vec::new();
    for host in &hosts {
        for ip in
            addresses(host, postfix).with_context(|| format!("{place}: cannot use address \"{host}\""))?
        {
            wanted.push(Wanted {
                purpose: Purpose::Smtpd(service.name.clone()),
                connections_max: service.process_limit.unwrap_or(SMTP_CONNECTIONS_MAX).max(1),
                address: SocketAddr::new(ip, port),
                place: place.clone(),
            });
        }
    }
    Ok(wanted)
}

fn of_login(dovecot: &Dovecot, name: &str, protocol: Protocol) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    let Some(service) = dovecot.services.get(name) else {
        return Ok(wanted);
    };
    for (listener_name, listener) in service
        .inet_listeners
        .iter()
        .filter(|(_, listener)| listener.port != 0)
    {
        let tls_off = dovecot.ssl == SslUse::No || dovecot.ssl_cert.is_empty();
        if listener.ssl && tls_off {
            continue;
        }
        let place = format!("dovecot.conf: service {name}: inet_listener {listener_name}");
        let hosts = if listener.address.is_empty() {
            &dovecot.listen
        } else {
            &listener.address
        };
        for host in hosts {
            let ip = match host.as_str() {
                "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                "::" | "[::]" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                host => host
                    .trim_matches(['[', ']'])
                    .parse()
                    .with_context(|| format!("{place}: \"{host}\" is not an address"))?,
            };
            wanted.push(Wanted {
                purpose: Purpose::Login(protocol, listener.ssl),
                connections_max: LOGIN_CONNECTIONS_MAX,
                address: SocketAddr::new(ip, listener.port),
                place: place.clone(),
            });
        }
    }
    Ok(wanted)
}

/// `all`, `loopback-only`, an address or a name.
fn addresses(host: &str, postfix: &Postfix) -> Result<Vec<IpAddr>> {
    use std::net::ToSocketAddrs;
    let found: Vec<IpAddr> = match host {
        "all" => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        "loopback-only" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        host => match host.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect(),
        },
    };
    let allowed = |ip: &IpAddr| match postfix.inet_protocols {
        InetProtocols::All => true,
        InetProtocols::Ipv4 => ip.is_ipv4(),
        InetProtocols::Ipv6 => ip.is_ipv6(),
    };
    Ok(found.into_iter().filter(allowed).collect())
}

/// A port by number or by its name in /etc/services; the mail ports are known without the file.
fn port_number(name: &str) -> Option<u16> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    match name {
        "smtp" => return Some(25),
        "smtps" | "submissions" => return Some(465),
        "submission" => return Some(587),
        "lmtp" => return Some(24),
        _ => {}
    }
    let services = std::fs::read_to_string("/etc/services").ok()?;
    services.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let (known, port) = (words.next()?, words.next()?);
        let matches = known == name || words.any(|alias| alias == name);
        port.strip_suffix("/tcp").filter(|_| matches)?.parse().ok()
    })
}

/// Binds every port. A machine without IPv6 is no mistake when IPv4 is listened on as well.
///
/// # Errors
/// The first port that cannot be bound, and why.
pub fn bind(wanted: Vec<Wanted>) -> Result<Vec<Bound>> {
    let has_ipv4 = wanted.iter().any(|port| port.address.is_ipv4());
    let mut bound = Vec::new();
    for Wanted {
        purpose,
        connections_max,
        address,
        place,
    } in wanted
    {
        match serve::accept::bind(address) {
            Ok(socket) => bound.push(Bound {
                purpose,
                connections_max,
                socket,
                address,
            }),
            Err(error) if address.is_ipv6() && has_ipv4 && no_ipv6(&error) => {}
            Err(error) => bail!("{place}: cannot listen on {address}: {}", reason(&error)),
        }
    }
    Ok(bound)
}

fn no_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// Why a port cannot be listened on.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need root".to_owned(),
        _ => os::words(error),
    }
}
