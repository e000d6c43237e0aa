//! What hands do for whose business, and what they refuse.

use super::*;

#[test]
fn hands_do_only_what_their_rights_are_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.mail_spool_directory = directory.path().to_owned();
    settings.virtual_mailbox_base = directory.path().to_owned();
    let hands = Hands::new(Arc::new(settings), Arc::new(SpawnRunner));
    let mark = directory.path().join("mark");
    let works = [
        (Kind::Table, Work::Command(format!("echo > {}", mark.display()))),
        (Kind::Table, Work::File(mark.clone())),
        (Kind::Virtual, Work::Virtual("mark".into())),
        (
            Kind::User,
            Work::User(UserMail {
                name: "mark".to_owned(),
                stages: Stages::Mailbox,
            }),
        ),
    ];
    for (meant, work) in works {
        for kind in [Kind::User, Kind::Virtual, Kind::Table] {
            let rights = Rights {
                uid: own_uid(),
                gid: 1,
                user: None,
                home: None,
                kind,
            };
            let task = Task {
                facts: Facts::default(),
                work: work.clone(),
            };
            // As it comes through a socket.
            let text = serde_json::to_string(&(&rights, &task)).expect("it can be written");
            let (rights, task): (Rights, Task) = serde_json::from_str(&text).expect("it can be read");
            let report = hands.perform(&task, &rights, &Message(MESSAGE), 0);
            let text = serde_json::to_string(&report).expect("it can be written");
            assert_eq!(
                serde_json::from_str::<Report>(&text).expect("it can be read"),
                report
            );
            let is_done = report.outcome.result == DeliveryResult::Sent;
            // The mailbox of a user whom only a userdb knows is a user's as well.
            let is_meant = kind == meant || (meant, kind) == (Kind::User, Kind::Virtual);
            assert_eq!(is_done, is_meant, "{work:?} {kind:?} {:?}", report.outcome);
            assert_eq!(mark.exists(), is_done);
            let _ = std::fs::remove_file(&mark);
        }
    }
}

#[test]
fn users_who_share_a_uid_have_no_commands_and_files() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let settings = Arc::new(Postfix::defaults(&Surroundings::default()));
    let hands = Hands::new(settings, Arc::new(SpawnRunner));
    let forwards = [format!("|echo > {}", mark.display()), mark.display().to_string()];
    for forward in forwards {
        std::fs::write(directory.path().join(".forward"), &forward).unwrap();
        let rights = Rights {
            uid: own_uid(),
            gid: 1,
            user: None,
            home: Some(directory.path().to_owned()),
            kind: Kind::Virtual,
        };
        let mail = UserMail {
            name: "ann".to_owned(),
            stages: Stages::ForwardThenMailbox,
        };
        let facts = Facts {
            user: "ann".to_owned(),
            ..Facts::default()
        };
        let task = Task {
            facts,
            work: Work::User(mail),
        };
        let outcome = hands.perform(&task, &rights, &Message(MESSAGE), 0).outcome;
        assert_eq!(outcome.result, DeliveryResult::Bounced, "{outcome:?}");
        assert_eq!(outcome.status, StatusCode::permanent(7, 1), "{outcome:?}");
        assert!(!mark.exists(), "{forward}");
    }
}

/// Whoever asks a user's agent for what a list names can have what the list names, if only its owner can have written it.
#[test]
fn what_a_list_names_is_found_there_by_the_agent_of_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let uid = os::Identity::current().uid;
    let directory = tempfile::tempdir().expect("a directory");
    let list = directory.path().join("list");
    let got = directory.path().join("got");
    let command = format!("/bin/cat >{}", got.display());
    std::fs::write(&list, format!("\"|{command}\"\n")).expect("written");
    let mode = |mode| std::fs::set_permissions(&list, PermissionsExt::from_mode(mode)).expect("its own");
    let mut settings = Postfix::defaults(&Surroundings::default());
    settings.allow_mail_to_commands = vec!["include".to_owned()];
    let hands = Hands::new(Arc::new(settings), Arc::new(SpawnRunner));
    let rights = |kind| Rights {
        uid,
        gid: 1,
        user: None,
        home: None,
        kind,
    };
    let ask = |target: &str, kind| {
        let work = Work::OfInclude {
            path: list.clone(),
            target: Some(deliver_local::task::digest(target)),
        };
        let facts = Facts::default();
        let outcome = hands
            .perform(&Task { facts, work }, &rights(kind), &Message(MESSAGE), 0)
            .outcome;
        (outcome.status.to_string(), got.exists())
    };
    let named = format!("|{command}");
    mode(0o664);
    assert_eq!(ask(&named, Kind::User), ("5.3.5".to_owned(), false));
    mode(0o644);
    assert_eq!(ask("|/bin/true", Kind::User), ("5.3.0".to_owned(), false));
    assert_eq!(ask(&named, Kind::Table), ("4.3.0".to_owned(), false));
    assert_eq!(ask(&named, Kind::User), ("2.0.0".to_owned(), true));
}
