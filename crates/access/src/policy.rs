//! Policy services (SMTPD_POLICY_README): what a server is told, and what it says. Connections are the business of others.

use std::net::IpAddr;
use std::time::Duration;

use settings::Postfix;

use crate::request::{Request, UNKNOWN};

/// A policy service as a restriction names it, with the settings that count for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `inet:host:port` or `unix:path`.
    pub endpoint: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long a connection without questions stays open.
    pub max_idle: Duration,
    /// How long any connection stays open.
    pub max_ttl: Duration,
    /// How many questions a connection has at most; 0: any number.
    pub request_limit: usize,
    /// How often it is asked, the first time included.
    pub try_limit: usize,
    /// The pause before it is asked again.
    pub retry_delay: Duration,
    /// What counts as its answer when there is none.
    pub default_action: String,
    /// A text for it.
    pub context: String,
}

impl Server {
    /// Reads `inet:host:port` or `{ inet:host:port, timeout = 10s, … }`; what is not said there is as in `settings`.
    ///
    /// # Errors
    /// Why it makes no sense.
    pub fn parse(text: &str, settings: &Postfix) -> Result<Server, String> {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let mut items = parts(inner.unwrap_or(text)).into_iter();
        let mut server = Server {
            endpoint: items.next().unwrap_or_default(),
            timeout: settings.smtpd_policy_service_timeout,
            max_idle: settings.smtpd_policy_service_max_idle,
            max_ttl: settings.smtpd_policy_service_max_ttl,
            request_limit: settings.smtpd_policy_service_request_limit,
            try_limit: settings.smtpd_policy_service_try_limit,
            retry_delay: settings.smtpd_policy_service_retry_delay,
            default_action: settings.smtpd_policy_service_default_action.clone(),
            context: settings.smtpd_policy_service_policy_context.clone(),
        };
        if server.endpoint.is_empty() {
            return Err("no server is named".to_owned());
        }
        for item in items {
            let (name, value) = item
                .split_once('=')
                .ok_or_else(|| format!("\"{item}\" is no name=value"))?;
            server.set(name.trim(), value.trim())?;
        }
        Ok(server)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let time = || settings::kinds::time(value, 's').map_err(|error| error.to_string());
        let count = || value.parse().map_err(|_| format!("\"{value}\" is no number"));
        match name {
            "timeout" => self.timeout = time()?,
            "max_idle" => self.max_idle = time()?,
            "max_ttl" => self.max_ttl = time()?,
            "retry_delay" => self.retry_delay = time()?,
            "request_limit" => self.request_limit = count()?,
            "try_limit" => self.try_limit = count()?,
            "default_action" => value.clone_into(&mut self.default_action),
            "policy_context" => value.clone_into(&mut self.context),
            name => return Err(format!("there is no setting {name} of policy services")),
        }
        Ok(())
    }
}

/// Why a service did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// There was no connection.
    pub is_unreachable: bool,
    /// In the words of the system: `Connection refused`.
    pub reason: String,
}

/// Parts between commas or white space; `name = value` and `{ name = value with spaces }` are one each.
fn parts(text: &str) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut wants_value = false;
    for word in settings::kinds::words(text) {
        let bare = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
        let word = bare.unwrap_or(&word).trim().to_owned();
        match joined.last_mut() {
            Some(last) if wants_value || word == "=" || (word.starts_with('=') && !last.contains('=')) => {
                last.push_str(&word);
            }
            _ => joined.push(word),
        }
        wants_value = bare.is_none() && joined.last().is_some_and(|last| last.ends_with('='));
    }
    joined
}

/// The question: an attribute a line, an empty line at the end.
pub fn question(request: &Request<'_>, context: &str) -> String {
    let at_content = matches!(request.command, "DATA" | "BDAT" | "END-OF-MESSAGE");
    let recipients = if at_content { request.recipients } else { 0 };
    let address = |ip: IpAddr| ip.to_canonical().to_string();
    let size = request.size_bytes.to_string();
    let bits = request.tls.map(|tls| tls.bits).unwrap_or_default().to_string();
    let known = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let shown = request.tls.and_then(|tls| tls.certificate);
    // Names are what who signed it says they are; a fingerprint needs nobody's word.
    let named = shown.filter(|shown| shown.is_trusted);
    let coded = |text: Option<&str>| text.map(envelope::dsn::encode_xtext).unwrap_or_default();
    let attributes = [
        ("request", "smtpd_access_policy".to_owned()),
        // The list at BDAT is DATA's, and so it is called.
        ("protocol_state", request.command.replace("BDAT", "DATA")),
        ("protocol_name", request.protocol.to_owned()),
        ("client_address", address(request.client.address)),
        ("client_name", request.client.name.clone()),
        ("client_port", request.client_port.unwrap_or(UNKNOWN).to_owned()),
        ("reverse_client_name", request.client.reverse_name.clone()),
        ("server_address", address(request.server.ip())),
        ("server_port", request.server.port().to_string()),
        ("helo_name", known(request.helo)),
        ("sender", request.sender_written.to_owned()),
        ("recipient", request.recipient_written.to_owned()),
        ("recipient_count", recipients.to_string()),
        ("queue_id", request.queue_id.to_owned()),
        ("instance", request.instance.to_owned()),
        ("size", size),
        ("etrn_domain", request.etrn_domain.to_owned()),
        ("stress", String::new()),
        ("sasl_method", known(request.sasl_method)),
        ("sasl_username", known(request.sasl_user)),
        ("sasl_sender", known(request.sasl_sender)),
        ("ccert_subject", coded(named.map(|shown| shown.subject))),
        ("ccert_issuer", coded(named.map(|shown| shown.issuer))),
        ("ccert_fingerprint", known(shown.map(|shown| shown.fingerprint))),
        (
            "ccert_pubkey_fingerprint",
            known(shown.map(|shown| shown.public_key_fingerprint)),
        ),
        ("encryption_protocol", known(request.tls.map(|tls| tls.protocol))),
        ("encryption_cipher", known(request.tls.map(|tls| tls.cipher))),
        ("encryption_keysize", bits),
        ("policy_context", context.to_owned()),
    ];
    let mut text = String::new();
    for (name, value) in attributes {
        text.push_str(name);
        text.push('=');
        text.extend(value.chars().map(|c| if c.is_control() { '?' } else { c }));
        text.push('\n');
    }
    text.push('\n');
    text
}

/// The longest answer, in octets.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The action in a whole answer; `None` when there is none.
pub fn action(answer: &str) -> Option<&str> {
    let mut lines = answer.lines().take_while(|line| !line.is_empty());
    let action = lines.find_map(|line| line.strip_prefix("action="))?;
    // It ends where a text of C would.
    Some(action.split('\0').next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    #[test]
    fn servers_may_have_settings_of_their_own() {
        let settings = Postfix::defaults(&Surroundings::default());
        let server = Server::parse("inet:127.0.0.1:9998", &settings).expect("a server");
        assert_eq!(
            (server.endpoint.as_str(), server.try_limit),
            ("inet:127.0.0.1:9998", 2)
        );
        assert_eq!(server.timeout.as_secs(), 100);
        let text = "{ unix:private/x, timeout=10s, { default_action = 451 4.3.5 No such luck }, policy_context = a }";
        let server = Server::parse(text, &settings).expect("a server");
        assert_eq!(
            (server.endpoint.as_str(), server.timeout.as_secs()),
            ("unix:private/x", 10)
        );
        assert_eq!(server.default_action, "451 4.3.5 No such luck");
        assert_eq!(server.context, "a");
        for wrong in ["{ }", "{ inet:h:1, nonsense=1 }", "{ inet:h:1, timeout }"] {
            assert!(Server::parse(wrong, &settings).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_action_stands_in_its_line() {
        assert_eq!(action("action=DUNNO\n\n"), Some("DUNNO"));
        assert_eq!(action("x=y\naction=reject so it is\n\n"), Some("reject so it is"));
        assert_eq!(action("x=y\n\naction=OK\n"), None);
        assert_eq!(action("action=\0\u{fffd}\n\n"), Some(""));
    }
}
