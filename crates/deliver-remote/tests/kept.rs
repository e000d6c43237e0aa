//! Connections that serve one message after another.
#![allow(clippy::unwrap_used)] // a test fails by panic

mod peers;

use deliver_remote::{Delivery, NextHop};
use envelope::DeliveryResult;
use peers::{Nature, Peer, Then, remote, run, send, settings, tls_of_server};
use settings::{Postfix, TlsLevel};
use std::time::Duration;

const MESSAGE: &str = "Subject: x\r\n\r\nbody\r\n";

fn uses(delivery: &Delivery) -> u16 {
    let outcome = &delivery.outcomes[0];
    assert_eq!(outcome.text, "250 2.0.0 taken", "{outcome:?}");
    outcome.detail.connection_uses
}

/// How often the connections of so many messages, one after the other, were used.
async fn of_messages(settings: &Postfix, peer: &Peer, count: usize) -> Vec<u16> {
    let remote = remote(settings, "");
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(uses(&send(&remote, peer.next_hop(), MESSAGE).await));
    }
    all
}

#[test]
fn mail_that_follows_uses_the_connection_again() {
    for offers in [vec![], vec!["PIPELINING"]] {
        let peer = Peer::start(Nature {
            offers,
            ..Nature::default()
        });
        let mut settings = settings();
        settings.smtp_connection_cache_time_limit = Duration::from_millis(500);
        run(async {
            // Nobody knows at the first message that there will be others.
            assert_eq!(of_messages(&settings, &peer, 4).await, [1, 1, 2, 3]);
            // What nobody comes for is ended with QUIT.
            let ended = |heard: &[String]| heard.iter().all(|lines| lines.ends_with("QUIT\r\n"));
            while !ended(&peer.heard()) {
                tokio::task::yield_now().await;
            }
        });
        let heard = peer.heard();
        assert_eq!(heard.len(), 2);
        assert_eq!(heard[1].matches("EHLO").count(), 1);
        assert_eq!(heard[1].matches("RSET\r\nMAIL FROM").count(), 2, "{}", heard[1]);
        assert_eq!(heard[1].matches("\r\nbody\r\n.\r\n").count(), 3);
    }
}

#[test]
fn settings_say_whether_and_how_often_and_for_whom() {
    let peer = Peer::start(Nature::default());
    run(async {
        let mut settings = settings();
        settings.smtp_connection_cache_on_demand = false;
        assert_eq!(of_messages(&settings, &peer, 3).await, [1, 1, 1]);
        settings.smtp_connection_cache_destinations = vec!["127.0.0.1".to_owned()];
        assert_eq!(of_messages(&settings, &peer, 3).await, [1, 2, 3]);
        settings.smtp_connection_reuse_count_limit = 2;
        assert_eq!(of_messages(&settings, &peer, 3).await, [1, 2, 1]);
        settings.smtp_connection_reuse_count_limit = 0;
        settings.smtp_connection_reuse_time_limit = Duration::ZERO;
        assert_eq!(of_messages(&settings, &peer, 2).await, [1, 1]);
        settings.smtp_connection_reuse_time_limit = Duration::from_secs(300);
        settings.connection_cache_ttl_limit = Duration::ZERO;
        assert_eq!(of_messages(&settings, &peer, 2).await, [1, 1]);
    });
}

#[test]
fn a_peer_that_did_not_keep_the_connection_gets_a_new_one() {
    let hangs_up = Nature {
        messages_max: Some(1),
        ..Nature::default()
    };
    let says_so = Nature {
        answers: vec![("RSET", "421 4.4.2 too late\r\n", Then::HangsUp)],
        ..Nature::default()
    };
    let is_silent = Nature {
        answers: vec![("RSET", "", Then::GoesOn)],
        ..Nature::default()
    };
    for (nature, ways) in [(hangs_up, 2), (says_so, 2), (is_silent, 1)] {
        for offers in [vec![], vec!["PIPELINING"]].into_iter().take(ways) {
            let peer = Peer::start(Nature {
                offers,
                ..nature.clone()
            });
            let mut settings = settings();
            settings.smtp_connection_cache_destinations = vec!["127.0.0.1".to_owned()];
            settings.smtp_rset_timeout = Duration::from_millis(200);
            // Each message arrives, and exactly once.
            run(async { assert_eq!(of_messages(&settings, &peer, 3).await, [1, 1, 1]) });
            assert_eq!(peer.heard().concat().matches("\r\nbody\r\n.\r\n").count(), 3);
        }
    }
}

#[test]
fn a_kept_connection_that_is_lost_in_the_middle_defers() {
    let peer = Peer::start(Nature {
        answers: vec![("RCPT", "421 4.3.2 bye\r\n", Then::HangsUp)],
        ..Nature::default()
    });
    let mut settings = settings();
    settings.smtp_connection_cache_destinations = vec!["127.0.0.1".to_owned()];
    run(async {
        let delivery = send(&remote(&settings, ""), peer.next_hop(), MESSAGE).await;
        assert_eq!(delivery.outcomes[0].result, DeliveryResult::Deferred);
    });
    assert_eq!(peer.heard().len(), 1);
}

#[test]
fn connections_under_tls_are_kept_if_that_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let (tls, _) = tls_of_server(directory.path(), &["localhost"]);
    let peer = Peer::start(Nature {
        offers: vec!["STARTTLS", "PIPELINING"],
        tls: Some(tls),
        ..Nature::default()
    });
    run(async {
        let mut settings = settings();
        settings.smtp_tls_security_level = TlsLevel::Encrypt;
        settings.smtp_connection_cache_destinations = vec!["127.0.0.1".to_owned()];
        assert_eq!(of_messages(&settings, &peer, 2).await, [1, 1]);
        settings.smtp_tls_connection_reuse = true;
        assert_eq!(of_messages(&settings, &peer, 3).await, [1, 2, 3]);
    });
}

#[test]
fn places_with_one_host_share_its_connections_and_logins_do_not() {
    let peer = Peer::start(Nature {
        offers: vec!["AUTH PLAIN"],
        answers: vec![("AUTH", "235 ok\r\n", Then::GoesOn)],
        ..Nature::default()
    });
    let mut settings = settings();
    settings.smtp_connection_cache_destinations = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    run(async {
        let remote = remote(&settings, "localhost A 127.0.0.1\n");
        let by_name = |name: &str| NextHop::smtp(&format!("{name}:{}", peer.port), "smtp").unwrap();
        assert_eq!(uses(&send(&remote, by_name("[127.0.0.1]"), MESSAGE).await), 1);
        // The same host under its other name is another host to the log, and to logins.
        assert_eq!(uses(&send(&remote, by_name("[localhost]"), MESSAGE).await), 1);
        assert_eq!(uses(&send(&remote, by_name("localhost"), MESSAGE).await), 2);
    });
    settings.smtp_sasl_auth_enable = true;
    settings.smtp_sasl_security_options = Vec::new();
    let login = format!("{{ [127.0.0.1]:{}=me:secret }}", peer.port);
    settings.smtp_sasl_password_maps = vec![settings::TableRef::new("inline", &login)];
    run(async {
        let remote = remote(&settings, "");
        let with_port = peer.next_hop();
        assert_eq!(uses(&send(&remote, with_port.clone(), MESSAGE).await), 1);
        let other = NextHop::smtp(&format!("127.0.0.1:{}", peer.port), "smtp").unwrap();
        assert_eq!(uses(&send(&remote, other, MESSAGE).await), 1);
        assert_eq!(uses(&send(&remote, with_port, MESSAGE).await), 2);
    });
}

#[test]
fn the_reply_to_quit_is_waited_for_where_that_is_wanted() {
    let peer = Peer::start(Nature {
        answers: vec![("QUIT", "", Then::GoesOn)],
        ..Nature::default()
    });
    let mut settings = settings();
    settings.smtp_skip_quit_response = false;
    settings.smtp_quit_timeout = Duration::from_millis(300);
    let began = std::time::Instant::now();
    run(async { of_messages(&settings, &peer, 1).await });
    assert!(began.elapsed() >= Duration::from_millis(300));
}
