//! What `smtpd_milters` and its kin name: where filters are, and how each is spoken to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use milter::client::Protocol;
use milter::standing::DefaultAction;
use settings::{MilterAction, Postfix, kinds};

/// Where a filter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `inet:host:port`
    Inet(String, u16),
    /// `unix:path`, from the queue directory on.
    Unix(String),
    /// Nowhere: what is wrong with it, for the log.
    Wrong(String),
}

/// A filter and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// As it was written: `inet:host:port`.
    pub(super) name: String,
    pub(super) endpoint: Endpoint,
    pub(super) protocol: Protocol,
    pub(super) default_action: DefaultAction,
    pub(super) connect_timeout: Duration,
    pub(super) command_timeout: Duration,
    pub(super) content_timeout: Duration,
}

/// The filters of a list; the words of a list stand between commas or white space, those with settings of their own in braces.
pub(super) fn all(list: &[String], settings: &Postfix) -> Vec<Arc<Service>> {
    list.iter().map(|entry| Arc::new(one(entry, settings))).collect()
}

fn one(entry: &str, settings: &Postfix) -> Service {
    let inner = entry.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let words = kinds::words(inner.unwrap_or(entry));
    let (name, options) = words
        .split_first()
        .map_or(("", [].as_slice()), |(name, rest)| (name.as_str(), rest));
    let mut service = Service {
        name: name.to_owned(),
        endpoint: endpoint(name),
        protocol: Protocol {
            version: 6,
            has_silent_headers: false,
        },
        default_action: action(settings.milter_default_action),
        connect_timeout: settings.milter_connect_timeout,
        command_timeout: settings.milter_command_timeout,
        content_timeout: settings.milter_content_timeout,
    };
    let whole = settings.milter_protocol.join(" ");
    let set = protocol(&whole).map(|protocol| service.protocol = protocol);
    let set = set.and_then(|()| options.iter().try_for_each(|option| service.set(option)));
    if let Err(problem) = set {
        service.endpoint = Endpoint::Wrong(problem);
    }
    service
}

impl Service {
    /// `name=value`, perhaps in braces.
    fn set(&mut self, option: &str) -> Result<(), String> {
        let inner = option.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let malformed = || format!("malformed option: missing '=' after attribute name: \"...{option}...\"");
        let (name, value) = inner.unwrap_or(option).split_once('=').ok_or_else(malformed)?;
        let (name, value) = (name.trim(), value.trim());
        let time = || kinds::time(value, 's').map_err(|error| format!("{}: {name}: {error}", self.name));
        match name {
            "connect_timeout" => self.connect_timeout = time()?,
            "command_timeout" => self.command_timeout = time()?,
            "content_timeout" => self.content_timeout = time()?,
            "protocol" => self.protocol = protocol(value)?,
            "default_action" => {
                let action = DefaultAction::of_word(value);
                self.default_action =
                    action.ok_or_else(|| format!("{}: bad default_action: {value}", self.name))?;
            }
            _ => return Err(format!("{}: unknown option: {name}", self.name)),
        }
        Ok(())
    }

    /// A path as it is opened.
    pub(super) fn path(queue_directory: &Path, path: &str) -> std::path::PathBuf {
        queue_directory.join(path)
    }
}

fn action(action: MilterAction) -> DefaultAction {
    match action {
        MilterAction::Accept => DefaultAction::Accept,
        MilterAction::Reject => DefaultAction::Reject,
        MilterAction::TempFail => DefaultAction::TempFail,
        MilterAction::Quarantine => DefaultAction::Quarantine,
    }
}

fn endpoint(name: &str) -> Endpoint {
    let wrong = |kind: &str| {
        Endpoint::Wrong(format!(
            "invalid transport name: {kind} in Milter service: {name}"
        ))
    };
    let Some((kind, place)) = name.split_once(':') else {
        return Endpoint::Wrong(format!(
            "Milter service needs transport:endpoint instead of \"{name}\""
        ));
    };
    match kind {
        "unix" | "local" => Endpoint::Unix(place.to_owned()),
        "inet" => {
            let (host, port) = place.rsplit_once(':').unwrap_or(("", place));
            match port.parse() {
                Ok(port) => {
                    let host = host.trim_start_matches('[').trim_end_matches(']');
                    Endpoint::Inet(if host.is_empty() { "localhost" } else { host }.to_owned(), port)
                }
                Err(_) => Endpoint::Wrong(format!("bad port in Milter service: {name}")),
            }
        }
        kind => wrong(kind),
    }
}

/// `6`, `2 no_header_reply`
fn protocol(text: &str) -> Result<Protocol, String> {
    let mut protocol = Protocol {
        version: 6,
        has_silent_headers: false,
    };
    for word in text.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
        match word {
            "2" => protocol.version = 2,
            "3" => protocol.version = 3,
            "4" => protocol.version = 4,
            "6" => protocol.version = 6,
            "no_header_reply" => protocol.has_silent_headers = true,
            other => return Err(format!("unknown Milter protocol information: {other}")),
        }
    }
    Ok(protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    fn read(list: &str) -> Vec<Arc<Service>> {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.milter_protocol = vec!["4".to_owned()];
        all(&kinds::words(list), &settings)
    }

    #[test]
    fn filters_have_settings_of_their_own() {
        let read = read(
            "inet:127.0.0.1:11332, unix:opendkim/sock { inet:[::1]:9, connect_timeout=2s, {default_action = accept}, \
             protocol=2 }",
        );
        let endpoints: Vec<&Endpoint> = read.iter().map(|service| &service.endpoint).collect();
        assert_eq!(
            endpoints,
            [
                &Endpoint::Inet("127.0.0.1".to_owned(), 11332),
                &Endpoint::Unix("opendkim/sock".to_owned()),
                &Endpoint::Inet("::1".to_owned(), 9),
            ]
        );
        assert_eq!(read[0].default_action, DefaultAction::TempFail);
        assert_eq!(read[0].protocol.version, 4);
        assert_eq!(read[2].name, "inet:[::1]:9");
        assert_eq!(read[2].connect_timeout, Duration::from_secs(2));
        assert_eq!(read[2].default_action, DefaultAction::Accept);
        assert_eq!(read[2].protocol.version, 2);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (list, problem) in [
            (
                "127.0.0.1:1",
                "invalid transport name: 127.0.0.1 in Milter service: 127.0.0.1:1",
            ),
            (
                "{ inet:h:1, frob }",
                "malformed option: missing '=' after attribute name: \"...frob...\"",
            ),
            (
                "{ inet:h:1, default_action=frob }",
                "inet:h:1: bad default_action: frob",
            ),
            (
                "{ inet:h:1, protocol=5 }",
                "unknown Milter protocol information: 5",
            ),
            ("inet:h:x", "bad port in Milter service: inet:h:x"),
        ] {
            assert_eq!(
                read(list)[0].endpoint,
                Endpoint::Wrong(problem.to_owned()),
                "{list}"
            );
        }
    }
}
