//! What the machine tells the settings: host name, interfaces, configuration directory.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// An address of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix.
    pub prefix: u8,
}

/// Where defaults that depend on the machine come from. An argument, so that tests are deterministic.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// What gethostname(2) says.
    pub hostname: String,
    /// The addresses that are up.
    pub interfaces: Vec<Interface>,
    /// The directory of main.cf.
    pub config_directory: PathBuf,
    /// This process, for `$process_id`.
    pub process_id: u32,
    /// This program's part (`smtpd`), for `$process_name`.
    pub process_name: String,
}

impl Default for Surroundings {
    /// `localhost.localdomain` with 127.0.0.1/8 and /etc/postfix.
    fn default() -> Surroundings {
        let loopback = Interface {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            prefix: 8,
        };
        Surroundings {
            hostname: "localhost.localdomain".to_owned(),
            interfaces: vec![loopback],
            config_directory: PathBuf::from("/etc/postfix"),
            process_id: 0,
            process_name: "yubin".to_owned(),
        }
    }
}
