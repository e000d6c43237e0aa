//! Texts of `main.cf` parameters: what was set, over the defaults of the table and of the machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::kinds::{self, Kind};
use crate::{Error, InetProtocols, Network, NetworksStyle, Surroundings, expand, params};

/// A value that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The parameter.
    pub name: String,
    /// What is wrong with its value.
    pub error: Error,
}

/// Parameter texts, `$name` in them not yet replaced.
#[derive(Debug, Clone)]
pub struct Values {
    set: BTreeMap<String, String>,
    surroundings: Surroundings,
}

impl Values {
    /// The defaults.
    pub fn new(surroundings: &Surroundings) -> Values {
        Values {
            set: BTreeMap::new(),
            surroundings: surroundings.clone(),
        }
    }

    /// Sets a parameter's text; gives back what was set before.
    pub fn set(&mut self, name: &str, text: &str) -> Option<String> {
        self.set.insert(name.to_owned(), text.to_owned())
    }

    /// What was set, by name.
    pub fn explicit(&self) -> &BTreeMap<String, String> {
        &self.set
    }

    /// The same machine with nothing set.
    pub fn defaults_only(&self) -> Values {
        Values {
            set: BTreeMap::new(),
            surroundings: self.surroundings.clone(),
        }
    }

    /// Whether a text was set for the parameter.
    pub fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// The text of a parameter as it stands in the file, or its default; `None` for a name that has neither.
    pub fn raw(&self, name: &str) -> Option<String> {
        self.set.get(name).cloned().or_else(|| self.default_text(name))
    }

    /// The default text of a parameter, `$name` in it not replaced.
    pub fn default_text(&self, name: &str) -> Option<String> {
        match name {
            "myhostname" => Some(self.default_hostname()),
            "mydomain" => Some(self.default_domain()),
            "mynetworks" => Some(self.default_networks()),
            "config_directory" => Some(self.surroundings.config_directory.display().to_string()),
            "process_id" => Some(self.surroundings.process_id.to_string()),
            "process_name" => Some(self.surroundings.process_name.clone()),
            _ => params::postfix(name)
                .map(|parameter| parameter.default.to_owned())
                .or_else(|| per_transport(name)),
        }
    }

    /// The text of a parameter with every `$name` replaced; empty when it is not set. The text of a parameter that
    /// is used raw stays as it is.
    ///
    /// # Errors
    /// [`Error::Expand`].
    pub fn expanded(&self, name: &str) -> Result<String, Error> {
        if params::is_raw(name) {
            return Ok(self.raw(name).unwrap_or_default());
        }
        Ok(expand::expand_name(name, &|name| self.raw(name))?)
    }

    /// A text with every `$name` replaced.
    ///
    /// # Errors
    /// [`Error::Expand`].
    pub fn expand(&self, text: &str) -> Result<String, Error> {
        Ok(expand::expand(text, &|name| self.raw(name))?)
    }

    /// Reads a parameter; what is wrong with its text is noted, all of it, and the default stands in.
    pub(crate) fn read<K: Kind>(&self, name: &str, wrong: &mut Vec<Wrong>) -> K::Value {
        let faults = match self.expanded(name) {
            Ok(text) => {
                let mut faults = K::faults(&text);
                if faults.is_empty() {
                    faults = params::limits::faults(name, &self.raw(name).unwrap_or_default(), &text);
                }
                match K::read(&text) {
                    Ok(value) if faults.is_empty() => return value,
                    _ => faults,
                }
            }
            Err(error) => vec![error],
        };
        wrong.extend(faults.into_iter().map(|error| Wrong {
            name: name.to_owned(),
            error,
        }));
        let default = self.default_text(name).unwrap_or_default();
        self.expand(&default)
            .and_then(|text| K::read(&text))
            .unwrap_or_else(|_| K::fallback())
    }

    fn default_hostname(&self) -> String {
        let name = &self.surroundings.hostname;
        if name.contains('.') {
            return name.clone();
        }
        // Only a domain that is set can be added: the default domain is made of the host name.
        let domain = self.set.get("mydomain").map_or("localdomain", String::as_str);
        format!("{name}.{domain}")
    }

    fn default_domain(&self) -> String {
        let host = match self.set.get("myhostname") {
            Some(raw) if !raw.contains("mydomain") => self.expand(raw).unwrap_or_default(),
            _ => self.surroundings.hostname.clone(),
        };
        match host.split_once('.') {
            Some((_, domain)) if !domain.is_empty() => domain.to_owned(),
            _ => "localdomain".to_owned(),
        }
    }

    /// `mynetworks` by `mynetworks_style`, of the interfaces that `inet_interfaces` and `inet_protocols` leave.
    fn default_networks(&self) -> String {
        let read = |name: &str| self.expanded(name).unwrap_or_default();
        let style = NetworksStyle::read(&read("mynetworks_style")).unwrap_or(NetworksStyle::Host);
        let protocols = InetProtocols::read(&read("inet_protocols")).unwrap_or(InetProtocols::All);
        let wanted = kinds::words(&read("inet_interfaces"));
        let mut list: Vec<String> = Vec::new();
        for interface in &self.surroundings.interfaces {
            let address = interface.address;
            if !protocols.allows(address) || !listens_on(&wanted, address) {
                continue;
            }
            let prefix = match (style, address) {
                (NetworksStyle::Subnet, _) => interface.prefix,
                (NetworksStyle::Class, IpAddr::V4(v4)) => match v4.octets()[0] {
                    0..128 => 8,
                    128..192 => 16,
                    192..224 => 24,
                    _ => 32,
                },
                (NetworksStyle::Class | NetworksStyle::Host, _) => Network::host(address).prefix(),
            };
            let text = Network::new(address, prefix)
                .map(|network| network.to_string())
                .unwrap_or_default();
            if !list.contains(&text) {
                list.push(text);
            }
        }
        list.join(" ")
    }
}

fn listens_on(wanted: &[String], address: IpAddr) -> bool {
    wanted.iter().any(|word| match word.as_str() {
        "all" => true,
        "loopback-only" => address.is_loopback(),
        literal => {
            let bare = literal.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<IpAddr>().map_or(
                bare.eq_ignore_ascii_case("localhost") && address.is_loopback(),
                |a| a == address,
            )
        }
    })
}

/// `smtp_destination_concurrency_limit` and the like exist for every transport; their default is the general one.
fn per_transport(name: &str) -> Option<String> {
    params::PER_TRANSPORT
        .iter()
        .find(|suffix| name.len() > suffix.len() && name.ends_with(*suffix) && !name.starts_with("default_"))
        .map(|suffix| match *suffix {
            "_time_limit" => "$command_time_limit".to_owned(),
            "_initial_destination_concurrency" => "$initial_destination_concurrency".to_owned(),
            suffix => format!("$default{suffix}"),
        })
}
