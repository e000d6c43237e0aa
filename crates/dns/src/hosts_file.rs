//! hosts(5): names that need no server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

/// The most lines that are read.
const LINES_MAX: usize = 10_000;

/// The names of addresses as a file has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostsFile(HashMap<IpAddr, String>);

impl HostsFile {
    /// What `/etc/hosts` says; nothing where it cannot be read.
    pub fn of_system() -> HostsFile {
        HostsFile::of_file(Path::new("/etc/hosts"))
    }

    /// What a file says.
    pub fn of_file(file: &Path) -> HostsFile {
        HostsFile::of_text(&String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()))
    }

    fn of_text(text: &str) -> HostsFile {
        let mut names = HashMap::new();
        for line in text.lines().take(LINES_MAX) {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
            if let (Some(address), Some(name)) = (address, words.next()) {
                names.entry(address).or_insert_with(|| name.to_ascii_lowercase());
            }
        }
        HostsFile(names)
    }

    /// The name of an address: the first one of its first line.
    pub fn name(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address.to_canonical()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_an_address_counts() {
        let text =
            "# hosts\n127.0.0.1 localhost\n127.0.0.1\tother\n192.0.2.1 MX.test mx # the relay\n\n::1\nx y\n";
        let hosts = HostsFile::of_text(text);
        let name = |address: &str| hosts.name(address.parse().expect("an address"));
        assert_eq!(name("127.0.0.1"), Some("localhost"));
        assert_eq!(name("::ffff:192.0.2.1"), Some("mx.test"));
        assert_eq!(name("::1"), None);
        assert_eq!(
            HostsFile::of_file(Path::new("/nonexistent")),
            HostsFile::default()
        );
    }
}
