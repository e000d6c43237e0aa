//! What `mailq`, `postsuper` and `postcat` show, compared with screens of Postfix 3.7.

#![allow(clippy::unwrap_used, reason = "a test's unwrap is its assertion")]

use std::path::Path;

use address::Address;
use envelope::{BodyKind, DeliveryResult, Envelope, Outcome, QueueId, Recipient, StatusCode};
use queue::admin::{
    Change, Listed, ListedRecipient, Parts, Place, Selection, View, change, dump, listing, render,
};
use queue::spool::SpoolOptions;
use queue::{Facts, QueueName, Spool, maildrop};
use world::{SimDisk, World};

const REFUSED: &str = "connect to 127.0.0.1[127.0.0.1]:37999: Connection refused";

fn listed(queue: &str, id: &str, sender: &str, recipients: &[(&str, Option<&str>)]) -> Listed {
    let recipient = |(address, reason): &(&str, Option<&str>)| ListedRecipient {
        address: (*address).to_owned(),
        delay_reason: reason.map(str::to_owned),
    };
    Listed {
        queue_name: queue.into(),
        queue_id: id.into(),
        arrival_time: 0,
        message_size: 253,
        forced_expire: false,
        sender: sender.into(),
        recipients: recipients.iter().map(recipient).collect(),
    }
}

fn date(_: i64) -> String {
    "Sat Nov 21 21:44:19".to_owned()
}

#[test]
fn the_short_screen_is_postfix_s() {
    let queue = [
        listed(
            "hold",
            "9AF3B98C3D2",
            "joe@example.org",
            &[
                ("x@else.invalid", Some("short")),
                ("z@third.invalid", Some("short")),
            ],
        ),
        listed(
            "deferred",
            "902B198C3C0",
            "joe@example.org",
            &[("w@else.invalid", None), ("x@else.invalid", Some(REFUSED))],
        ),
        listed(
            "active",
            "6ED9E98C265",
            "MAILER-DAEMON",
            &[("b@[127.0.0.9]", None)],
        ),
    ];
    let screen = "\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
9AF3B98C3D2!     253 Sat Nov 21 21:44:19  joe@example.org
                                                                       (short)
                                         x@else.invalid
                                         z@third.invalid

902B198C3C0     253 Sat Nov 21 21:44:19  joe@example.org
                   (connect to 127.0.0.1[127.0.0.1]:37999: Connection refused)
                                         x@else.invalid
                                         w@else.invalid

6ED9E98C265*     253 Sat Nov 21 21:44:19  MAILER-DAEMON
                                         b@[127.0.0.9]

-- 0 Kbytes in 3 Requests.
";
    assert_eq!(render(&queue, false, &date), screen);
    assert_eq!(render(&[], false, &date), "Mail queue is empty\n");
    assert!(render(&queue[..1], false, &date).ends_with("\n-- 0 Kbytes in 1 Request.\n"));
}

#[test]
fn the_long_screen_is_postfix_s() {
    let queue = [listed(
        "deferred",
        "50D9598C05A",
        "MAILER-DAEMON",
        &[("joe@example.org", Some(REFUSED))],
    )];
    let screen = "\
----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
50D9598C05A            253 Sat Nov 21 21:44:19 MAILER-DAEMON
                   (connect to 127.0.0.1[127.0.0.1]:37999: Connection refused)
                                               joe@example.org

-- 0 Kbytes in 1 Request.
";
    assert_eq!(render(&queue, true, &date), screen);
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        sender: Some(Address::parse("joe@example.org").unwrap()),
        recipients: recipients
            .iter()
            .map(|r| Recipient::new(Address::parse(r).unwrap()))
            .collect(),
        ret: None,
        envid: None,
        body: BodyKind::EightBitMime,
        smtputf8: false,
    }
}

fn accept(spool: &Spool, recipients: &[&str]) -> QueueId {
    let mut incoming = spool.begin(1_795_297_459_000_000);
    incoming.write(b"Subject: a\n\nhello\n").unwrap();
    let facts = Facts {
        arrival_micros: 1_795_297_459_000_000,
        hold: false,
        attributes: vec![("log_message_origin".into(), "local".into())],
    };
    incoming
        .commit_and_wait(&envelope(recipients), &facts)
        .unwrap()
        .queue_id()
        .clone()
}

fn one(id: &QueueId) -> Selection {
    Selection {
        ids: Some(vec![id.clone()]),
        queues: Vec::new(),
    }
}

fn all_of(spool: &Spool, world: &World) -> Vec<Listed> {
    listing(spool, world).unwrap().collect()
}

#[test]
fn a_large_queue_is_listed_piece_by_piece_in_order() {
    let world = World::simulated(1, SimDisk::new(1));
    let spool = open(&world);
    let mut ids: Vec<QueueId> = (0..2500).map(|_| accept(&spool, &["x@else.invalid"])).collect();
    for id in ids.iter().skip(1).step_by(2) {
        spool.move_to(id, QueueName::Hold).unwrap();
    }
    let shown: Vec<String> = all_of(&spool, &world).into_iter().map(|m| m.queue_id).collect();
    ids.sort_by_key(|id| (spool.queue_of(id).map(QueueName::rank), id.clone()));
    let wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert!(shown == wanted, "{} of {}", shown.len(), wanted.len());
    let first = spool.listed_after(None, 10);
    assert_eq!(first.len(), 10);
    let second = spool.listed_after(first.last(), 1);
    assert_eq!(second[0].queue_id.as_str(), wanted[10]);
}

fn open(world: &World) -> Spool {
    let options = SpoolOptions {
        segment_bytes: 16_384,
        inline_bytes_max: 4096,
        background: false,
        ..SpoolOptions::default()
    };
    Spool::open(Path::new("/q"), &options, world).unwrap().0
}

#[test]
fn a_queue_is_listed_and_changed_with_the_daemon_up_and_down() {
    let disk = SimDisk::new(1);
    let world = World::simulated(1, disk.clone());
    let (view, _) = Spool::open_read_only(Path::new("/q"), &world).unwrap();
    assert_eq!(all_of(&view, &world), [], "before the first start");
    let spool = open(&world);
    let first = accept(&spool, &["x@else.invalid", "y@other.invalid", "z@third.invalid"]);
    let second = accept(&spool, &["b@else.invalid"]);
    let outcome = |result, text: &str| Outcome {
        result,
        status: StatusCode::temporary(4, 1),
        text: text.into(),
        relay: "none".into(),
        detail: Default::default(),
    };
    let outcomes = vec![
        (0, outcome(DeliveryResult::Sent, "ok")),
        (2, outcome(DeliveryResult::Deferred, REFUSED)),
    ];
    spool.record(&first, outcomes).unwrap();
    spool.defer(&first, 1).unwrap();
    spool.flush().unwrap();
    maildrop::drop_message(
        Path::new("/q"),
        &world,
        &envelope(&["root"]),
        maildrop::Slip::default(),
        &mut &b"hi\n"[..],
    )
    .unwrap();

    let up = all_of(&spool, &world);
    let names: Vec<&str> = up.iter().map(|m| m.queue_name.as_str()).collect();
    assert_eq!(names, ["maildrop", "incoming", "deferred"]);
    let reasons: Vec<_> = up[2]
        .recipients
        .iter()
        .map(|r| (r.address.as_str(), r.delay_reason.as_deref()))
        .collect();
    assert_eq!(
        reasons,
        [("y@other.invalid", None), ("z@third.invalid", Some(REFUSED))]
    );
    let (view, _) = Spool::open_read_only(Path::new("/q"), &world).unwrap();
    assert_eq!(
        all_of(&view, &world),
        up,
        "the list is another one when the daemon is down"
    );

    let all = Selection::default();
    let deferred = Selection {
        ids: None,
        queues: vec![QueueName::Deferred],
    };
    assert_eq!(
        change(&spool, Change::Hold, &one(&first)).unwrap(),
        std::slice::from_ref(&first)
    );
    assert_eq!(change(&spool, Change::Hold, &one(&first)).unwrap(), []);
    assert_eq!(
        change(&spool, Change::Release, &all).unwrap(),
        std::slice::from_ref(&first)
    );
    assert_eq!(spool.message(&first).unwrap().queue, QueueName::Deferred);
    assert_eq!(change(&spool, Change::Delete, &deferred).unwrap(), [first]);
    assert_eq!(change(&spool, Change::Delete, &all).unwrap(), [second]);
    spool.flush().unwrap();
    drop(spool);
    disk.crash();
    assert_eq!(open(&world).message_count(), 0);
}

#[test]
fn a_message_is_dumped_as_postcat_does() {
    let world = World::simulated(1, SimDisk::new(1));
    let spool = open(&world);
    let id = accept(&spool, &["x@else.invalid"]);
    let long_date = |_| "Sat Nov 21 21:43:46 2026".to_owned();
    let shown =
        |view| String::from_utf8(dump(&spool, (&id, Place::Queue), view, &long_date).unwrap()).unwrap();
    let named = dump(&spool, (&id, Place::Named("./x/y")), View::default(), &long_date).unwrap();
    let named = String::from_utf8(named).unwrap();
    assert!(named.starts_with("*** ENVELOPE RECORDS ./x/y ***\n"), "{named}");
    assert!(named.ends_with("*** MESSAGE FILE END ./x/y ***\n"), "{named}");
    let text = |parts| {
        shown(View {
            parts,
            ..View::default()
        })
    };
    let expected = format!(
        "*** ENVELOPE RECORDS incoming/{id} ***
message_size:              18               0               1               0              18               0
message_arrival_time: Sat Nov 21 21:43:46 2026
create_time: Sat Nov 21 21:43:46 2026
named_attribute: log_ident={id}
sender: joe@example.org
named_attribute: encoding=8bit
named_attribute: log_message_origin=local
named_attribute: dsn_orig_rcpt=rfc822;x@else.invalid
original_recipient: x@else.invalid
recipient: x@else.invalid
*** MESSAGE CONTENTS incoming/{id} ***
Subject: a

hello
*** HEADER EXTRACTED incoming/{id} ***
named_attribute: encoding=8bit
*** MESSAGE FILE END incoming/{id} ***
"
    );
    assert_eq!(text(Parts::default()), expected);
    assert_eq!(
        text(Parts {
            header: true,
            ..Parts::default()
        }),
        "Subject: a\n"
    );
    assert_eq!(
        text(Parts {
            body: true,
            ..Parts::default()
        }),
        "\nhello\n"
    );
    let view = View {
        types: true,
        offsets: true,
        names: true,
        skip_bytes: 11,
        ..View::default()
    };
    assert_eq!(
        shown(view),
        "       11  78 regular_text: \n       12  78 regular_text: hello\n"
    );
    let numbered = shown(View {
        types: true,
        ..View::default()
    });
    assert!(numbered.contains(" 83 sender: joe@example.org\n"), "{numbered}");
}
