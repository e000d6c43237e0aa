//! Ports by number and by name: `known_tcp_ports`, then /etc/services.

/// The file of services of the machine.
const SERVICES: &str = "/etc/services";

/// Whether `name` is a port of TCP: a number from 1 to 65535, a name of `known` (`lmtp=24`, `smtps=submissions=465`), a
/// mail port, or a name in /etc/services.
pub(crate) fn is_port(name: &str, known: &[String]) -> bool {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.parse::<u16>().is_ok_and(|port| port > 0);
    }
    let mail = ["smtp", "smtps", "submission", "submissions", "lmtp"];
    mail.contains(&name)
        || known
            .iter()
            .any(|entry| entry.split('=').any(|word| word == name))
        || std::fs::read_to_string(SERVICES).is_ok_and(|text| has_service(&text, name))
}

fn has_service(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let (first, port) = (words.next(), words.next().unwrap_or_default());
        port.ends_with("/tcp") && (first == Some(name) || words.any(|alias| alias == name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        let known = ["lmtp=24".to_owned(), "mine=own=2600".to_owned()];
        assert!(is_port("25", &known) && is_port("own", &known) && is_port("submission", &[]));
        assert!(!is_port("99999", &known) && !is_port("0", &known) && !is_port("nosuchport", &known));
        let services = "# x\nnntp 119/tcp readnews # y\ntftp 69/udp\n";
        assert!(
            has_service(services, "readnews")
                && !has_service(services, "tftp")
                && !has_service(services, "y")
        );
    }
}
