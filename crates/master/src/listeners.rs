//! Which ports are listened on: `inet` rows of master.cf and `inet_listener` blocks of dovecot.conf. All are bound
//! before anything else happens, so that a port that is taken is told at once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serve::accept::Socket;
use serve::handover::Protocol;
use settings::{Dovecot, InetProtocols, Postfix, Service, ServiceType, SslUse, UnixListener};

pub use ipc::roles::{Endpoint, Purpose};

/// A port that is bound.
#[derive(Debug)]
pub struct Bound {
    /// What for.
    pub purpose: Purpose,
    /// How many conversations at once.
    pub connections_max: usize,
    /// The socket.
    pub socket: Socket,
    /// Where it listens.
    pub address: Endpoint,
}

/// A port that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What for.
    pub purpose: Purpose,
    /// How many conversations at once.
    pub connections_max: usize,
    /// Where.
    pub address: Endpoint,
    /// Mode and owner of a socket in the file system.
    pub file: Option<UnixListener>,
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
                wanted.extend(of_ports(dovecot, name, |tls| Purpose::Login(protocol, tls))?);
            }
        }
        if dovecot.serves("lmtp") {
            wanted.extend(of_ports(dovecot, "lmtp", Purpose::Lmtp)?);
            wanted.extend(of_files(dovecot, "lmtp", Purpose::Lmtp(false)));
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
                address: Endpoint::Inet(SocketAddr::new(ip, port)),
                file: None,
                place: place.clone(),
            });
        }
    }
    Ok(wanted)
}

/// The `inet_listener` blocks of a service of dovecot.conf.
fn of_ports(dovecot: &Dovecot, name: &str, purpose: impl Fn(bool) -> Purpose) -> Result<Vec<Wanted>> {
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
                purpose: purpose(listener.ssl),
                connections_max: LOGIN_CONNECTIONS_MAX,
                address: Endpoint::Inet(SocketAddr::new(ip, listener.port)),
                file: None,
                place: place.clone(),
            });
        }
    }
    Ok(wanted)
}

/// Its `unix_listener` blocks: a path is below `base_dir` unless it is a full one.
fn of_files(dovecot: &Dovecot, name: &str, purpose: Purpose) -> Vec<Wanted> {
    let Some(service) = dovecot.services.get(name) else {
        return Vec::new();
    };
    let listeners = service.unix_listeners.iter();
    let wanted = listeners
        .filter(|(_, listener)| listener.mode != 0)
        .map(|(path, listener)| Wanted {
            purpose: purpose.clone(),
            connections_max: LOGIN_CONNECTIONS_MAX,
            address: Endpoint::Unix(Path::new(&dovecot.base_dir).join(path)),
            file: Some(listener.clone()),
            place: format!("dovecot.conf: service {name}: unix_listener {path}"),
        });
    wanted.collect()
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

/// Binds every port, but for those that a service manager bound already: their sockets are taken out of `inherited`. A
/// machine without IPv6 is no mistake when IPv4 is listened on as well.
///
/// # Errors
/// The first port that cannot be bound, and why.
pub fn bind(wanted: Vec<Wanted>, inherited: &mut Vec<TcpListener>) -> Result<Vec<Bound>> {
    let is_ipv4 = |port: &Wanted| port.address.inet().is_some_and(|address| address.is_ipv4());
    let has_ipv4 = wanted.iter().any(is_ipv4);
    let for_both: Vec<u16> = inherited.iter().filter_map(port_of_both_families).collect();
    let mut bound = Vec::new();
    for Wanted {
        purpose,
        connections_max,
        address,
        file,
        place,
    } in wanted
    {
        let socket = match &address {
            Endpoint::Inet(address) => match take_inherited(inherited, *address) {
                Some(socket) => Ok(Socket::Tcp(socket)),
                // The socket for IPv6 serves IPv4 too.
                None if address.ip() == Ipv4Addr::UNSPECIFIED && for_both.contains(&address.port()) => {
                    continue;
                }
                None => serve::accept::bind(*address).map(Socket::Tcp),
            },
            Endpoint::Unix(path) => bind_file(path, &file.unwrap_or_default(), &place)?.map(Socket::Unix),
        };
        match socket {
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

/// The port of a socket that listens on all addresses of IPv6 and IPv4.
fn port_of_both_families(socket: &TcpListener) -> Option<u16> {
    let address = socket.local_addr().ok()?;
    let is_both = address.ip() == Ipv6Addr::UNSPECIFIED
        && rustix::net::sockopt::ipv6_v6only(socket).is_ok_and(|only_v6| !only_v6);
    is_both.then(|| address.port())
}

fn take_inherited(inherited: &mut Vec<TcpListener>, address: SocketAddr) -> Option<TcpListener> {
    let is_it = |socket: &TcpListener| socket.local_addr().is_ok_and(|local| local == address);
    let found = inherited.iter().position(is_it)?;
    let socket = inherited.remove(found);
    socket.set_nonblocking(true).is_ok().then_some(socket)
}

/// Says of each socket that a service manager bound for nothing. They close with this.
pub(crate) fn tell_unwanted(inherited: Vec<TcpListener>, tell: &mut dyn FnMut(&str)) {
    for socket in inherited {
        if let Ok(address) = socket.local_addr() {
            tell(&format!(
                "warning: {address}: the service manager listens there, but neither master.cf nor dovecot.conf names it: nobody serves it"
            ));
        }
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// Binds a socket in the file system, whose directory is made if it is missing.
fn bind_file(
    path: &Path,
    listener: &UnixListener,
    place: &str,
) -> Result<io::Result<std::os::unix::net::UnixListener>> {
    let id_of = |name: &str, found: Result<Option<u32>, os::Error>| match found {
        _ if name.is_empty() => Ok(None),
        Ok(Some(id)) => Ok(Some(id)),
        Ok(None) => match name.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => bail!("{place}: there is no user or group {name}"),
        },
        Err(error) => bail!("{place}: cannot look {name} up: {error}"),
    };
    let user = os::users::user_by_name(&listener.user).map(|user| user.map(|user| user.uid));
    let group = os::users::group_by_name(&listener.group).map(|group| group.map(|group| group.gid));
    let (uid, gid) = (id_of(&listener.user, user)?, id_of(&listener.group, group)?);
    let prepare = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(listener.mode))?;
        // Who is not root has what it makes, and can give nothing away.
        if os::is_root() && (uid.is_some() || gid.is_some()) {
            std::os::unix::fs::lchown(path, uid, gid)?;
        }
        Ok(())
    };
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    Ok(made.and_then(|()| serve::accept::bind_unix(path, prepare)))
}

/// Why a port cannot be listened on.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root, and so do directories of others".to_owned()
        }
        _ => os::words(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lmtp_listens_where_dovecot_conf_says() {
        let mut dovecot = Dovecot::defaults();
        dovecot.base_dir = "/run/mail".into();
        let service = dovecot.services.entry("lmtp".to_owned()).or_default();
        let private = UnixListener {
            mode: 0o600,
            user: "postfix".to_owned(),
            group: "postfix".to_owned(),
        };
        let spool = "/var/spool/postfix/private/dovecot-lmtp";
        service.unix_listeners.insert(spool.to_owned(), private.clone());
        service
            .unix_listeners
            .insert("off".to_owned(), UnixListener::default());
        let postfix = Postfix::defaults(&settings::Surroundings::default());
        let of_lmtp = |dovecot: &Dovecot| {
            let wanted = wanted(&postfix, &[], Some(dovecot)).unwrap();
            let of_lmtp = wanted
                .into_iter()
                .filter(|port| port.purpose == Purpose::Lmtp(false));
            of_lmtp.map(|port| (port.address, port.file)).collect::<Vec<_>>()
        };
        dovecot.protocols = vec!["imap".to_owned()];
        assert_eq!(of_lmtp(&dovecot), [], "protocols does not name it");
        dovecot.protocols.push("lmtp".to_owned());
        let usual = UnixListener {
            mode: 0o666,
            ..UnixListener::default()
        };
        let expected = [
            (Endpoint::Unix(spool.into()), Some(private)),
            (Endpoint::Unix("/run/mail/lmtp".into()), Some(usual)),
        ];
        assert_eq!(of_lmtp(&dovecot), expected);
    }

    #[test]
    fn a_socket_in_the_file_system_has_its_mode_and_replaces_what_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/lmtp");
        let wanted = |mode| Wanted {
            purpose: Purpose::Lmtp(false),
            connections_max: 1,
            address: Endpoint::Unix(path.clone()),
            file: Some(UnixListener {
                mode,
                ..UnixListener::default()
            }),
            place: "dovecot.conf: service lmtp: unix_listener lmtp".to_owned(),
        };
        let bound = bind(vec![wanted(0o660)], &mut Vec::new()).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o660
        );
        let error = bind(vec![wanted(0o600)], &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("/made/lmtp: another program listens there"),
            "{error}"
        );
        drop(bound);
        bind(vec![wanted(0o600)], &mut Vec::new()).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "a file").unwrap();
        assert!(bind(vec![wanted(0o600)], &mut Vec::new()).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"a file", "it is somebody's");
    }

    fn wanted_at(address: SocketAddr) -> Wanted {
        Wanted {
            purpose: Purpose::Smtpd("smtp".to_owned()),
            connections_max: 1,
            address: Endpoint::Inet(address),
            file: None,
            place: "master.cf:1: smtp".to_owned(),
        }
    }

    #[test]
    fn sockets_that_were_bound_before_are_served_and_others_are_told() {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (named, stray, taken) = (listen(), listen(), listen());
        let address = |socket: &TcpListener| socket.local_addr().expect("its address");
        let (named_at, stray_at, taken_at) = (address(&named), address(&stray), address(&taken));
        let mut inherited = vec![stray, named];
        // Bound twice it would be refused.
        let bound = bind(vec![wanted_at(named_at)], &mut inherited).expect("taken over");
        assert_eq!(
            bound.iter().map(|port| port.address.inet()).collect::<Vec<_>>(),
            [Some(named_at)]
        );
        let mut said = Vec::new();
        tell_unwanted(inherited, &mut |line| said.push(line.to_owned()));
        assert!(
            said.len() == 1 && said[0].starts_with(&format!("warning: {stray_at}: ")),
            "{said:?}"
        );
        let refused = bind(vec![wanted_at(taken_at)], &mut Vec::new()).expect_err("it is taken");
        assert!(
            refused.to_string().ends_with("another program listens there"),
            "{refused}"
        );
    }

    #[test]
    fn a_socket_for_both_families_serves_both() {
        let Ok(both) = TcpListener::bind("[::]:0") else {
            println!("skipped: needs IPv6");
            return;
        };
        let port = both.local_addr().expect("its address").port();
        let addresses = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let wanted = addresses.map(|ip| wanted_at(SocketAddr::new(ip, port))).to_vec();
        if rustix::net::sockopt::ipv6_v6only(&both).expect("asked") {
            println!("skipped: sockets of this host are for IPv6 alone");
            return;
        }
        let bound = bind(wanted, &mut vec![both]).expect("taken over");
        assert_eq!(bound.len(), 1);
    }
}
