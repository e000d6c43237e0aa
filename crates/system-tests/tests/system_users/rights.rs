//! Who delivers as whom: what needs no other mail system to compare with.

use std::collections::BTreeSet;
use std::fs;

use system_tests::users::{self, Host, Kind, Scenario, Service, Snapshot};

const SCENARIO: &str = "\
scenario rights: mail to a user, to a user's command and to an alias's command
set default_privs = frank
aliases
  robot: \"|/srv/bin/dump /srv/out/alias\"
file /home/bob/.forward bob 0644
  \"|/srv/bin/dump /srv/out/forward\"
mail alice
mail bob
mail robot
";

/// Roles that read what peers say; none of them may be root.
const READERS: &[&str] = &["front", "agent"];

fn told(task: &str) -> Option<users::Told> {
    users::can_make_hosts().then(|| users::run_in_host("rights::inside_the_host", task))
}

#[track_caller]
fn has(told: &users::Told, line: &str) {
    let text = &told["told"];
    assert!(
        text.lines().any(|told| told == line),
        "{line} is not in\n{text}\n{}",
        told["processes"]
    );
}

#[test]
fn the_mailbox_belongs_to_its_user_and_group_mail() {
    let Some(told) = told("rights") else { return };
    has(&told, "file /var/mail/alice: file alice:mail 0600");
}

#[test]
fn a_users_command_runs_as_the_user() {
    let Some(told) = told("rights") else { return };
    has(&told, "file /srv/out/forward: file bob:bob 0600");
    has(
        &told,
        "file /srv/out/forward: -- as uid=2002(bob) gid=2002(bob) groups=2002(bob)",
    );
}

#[test]
fn a_command_of_the_aliases_runs_as_default_privs() {
    let Some(told) = told("rights") else { return };
    has(
        &told,
        "file /srv/out/alias: -- as uid=2006(frank) gid=2006(frank) groups=2006(frank)",
    );
}

/// Looked at after the start, after each mail has been accepted and after each delivery.
#[test]
fn nothing_that_reads_the_network_is_root() {
    let Some(told) = told("rights") else { return };
    let processes = &told["processes"];
    let rows: Vec<(&str, &str)> = processes.lines().filter_map(|row| row.split_once(' ')).collect();
    for role in READERS {
        assert!(
            rows.iter()
                .any(|(_, command)| command.contains(&format!(" role {role}"))),
            "no process of the role {role} was seen:\n{processes}"
        );
    }
    let guilty: Vec<_> = rows
        .iter()
        .filter(|(uid, command)| {
            *uid == "0"
                && READERS
                    .iter()
                    .any(|role| command.contains(&format!(" role {role}")))
        })
        .collect();
    assert!(guilty.is_empty(), "root reads: {guilty:?}");
}

/// The second test: delivers, and looks at the processes meanwhile.
#[test]
#[ignore = "run by the others in a host of its own"]
fn inside_the_host() {
    if users::task().is_none() {
        return;
    }
    let scenario = Scenario::parse(SCENARIO).unwrap().remove(0);
    let host = Host::make();
    host.furnish(&scenario);
    let before = Snapshot::take();
    let mut service = Service::start(Kind::Yubin, &host, &scenario);
    let mut processes = processes();
    let mut busy = Vec::new();
    for (number, mail) in scenario.mails.iter().enumerate() {
        busy.extend(service.submit(mail, &format!("rights-{number}")));
        processes.append(&mut self::processes());
        busy.extend(service.wait_for_rest());
        processes.append(&mut self::processes());
    }
    service.stop();
    let told = Snapshot::take().tell(&before, &service.log());
    users::print_block("told", &format!("{told}{}", busy.join("\n")));
    users::print_block("processes", &processes.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The effective uid and the command line of every process of the program.
fn processes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Processes end while they are looked at.
        let Ok(words) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let command = String::from_utf8_lossy(&words).replace('\0', " ");
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let effective = ids.and_then(|ids| ids.split_whitespace().nth(1));
        if let (true, Some(uid)) = (command.contains("yubin"), effective) {
            found.insert(format!("{uid} {}", command.trim_end()));
        }
    }
    found
}
