//! What this machine tells the settings.

use settings::{Interface, Surroundings};

/// Host name and addresses of the machine that this program runs on; the configuration directory is `/etc/postfix`.
/// Without readable interfaces the loopback address stands alone.
pub fn this_machine() -> Surroundings {
    let usual = Surroundings::default();
    let mut interfaces: Vec<Interface> = os::interfaces::addresses()
        .unwrap_or_default()
        .into_iter()
        .filter(|found| found.up)
        .map(|found| Interface {
            address: found.address,
            prefix: found.prefix_bits,
        })
        .collect();
    if interfaces.is_empty() {
        interfaces = usual.interfaces;
    }
    // IPv4 first, as Postfix lists them.
    interfaces.sort_by_key(|interface| interface.address.is_ipv6());
    Surroundings {
        hostname: os::hostname::hostname(),
        interfaces,
        config_directory: usual.config_directory,
        process_id: std::process::id(),
        process_name: usual.process_name,
    }
}
