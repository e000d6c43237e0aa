//! The SMTP dialogues against Debian's Postfix.

use std::net::{Ipv4Addr, SocketAddr};

use system_tests::incumbent::{Postfix, Smtpd, dialogues_of, free_port};
use testkit::dialogue::Step;
use testkit::{Dialogue, Run, TcpPeer};

/// Dialogues in which Yubin answers otherwise on purpose; the reasons are in `conformance/differences.tsv`.
const DIFFERENT: &[&str] = &["differences.smtp"];

/// What a dialogue takes for granted, as `-o` settings of a service; `None` when Postfix alone cannot give it.
fn settings_of(dialogue: &Dialogue) -> Option<Vec<(String, String)>> {
    // No handshake from here.
    if dialogue.steps.iter().any(|(_, step)| *step == Step::Tls) {
        return None;
    }
    let mut settings = vec![("smtpd_error_sleep_time".to_owned(), "0".to_owned())];
    for (key, value) in &dialogue.given {
        match key.as_str() {
            "domain" | "users" => {}
            "relays" if value == "relay.example" => {}
            "setting" => {
                let (name, value) = value.split_once(' ')?;
                settings.push((name.to_owned(), value.to_owned()));
            }
            _ => return None,
        }
    }
    Some(settings)
}

#[test]
fn smtp_dialogues_are_those_of_postfix() {
    let all = Dialogue::all_in(&dialogues_of("smtp"), "smtp").unwrap();
    let possible: Vec<(&Dialogue, Smtpd)> = all
        .iter()
        .filter_map(|dialogue| Some((dialogue, (free_port(), settings_of(dialogue)?))))
        .collect();
    let services: Vec<_> = possible.iter().map(|(_, service)| service.clone()).collect();
    let main_cf = "myhostname = mail.example.test\nmydestination = $myhostname, localhost, example.test\n\
                   local_recipient_maps = inline:{ alice=x, bob=x }\nmynetworks = 192.0.2.0/24\n\
                   local_transport = discard\nsmtpd_relay_restrictions = reject_unauth_destination\n\
                   smtpd_forbid_bare_newline = normalize\n\
                   relay_domains = relay.example\n";
    let Some(postfix) = Postfix::start(main_cf, &services) else {
        return;
    };
    let mut failures = Vec::new();
    for (dialogue, (port, _)) in &possible {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        let mut peer = TcpPeer::connect(address, Box::new(|_, _| true)).unwrap();
        if let Err(failure) = Run::default().run(dialogue, &mut peer) {
            failures.push((dialogue.name.as_str(), failure.to_string()));
        }
    }
    let (expected, new): (Vec<_>, Vec<_>) = failures.iter().partition(|(name, _)| DIFFERENT.contains(name));
    let texts: Vec<&str> = new.iter().map(|(_, text)| text.as_str()).collect();
    assert!(texts.is_empty(), "{}\n{}", texts.join("\n\n"), postfix.log());
    assert_eq!(
        expected.len(),
        DIFFERENT.len(),
        "a difference is gone: {expected:?}"
    );
}
