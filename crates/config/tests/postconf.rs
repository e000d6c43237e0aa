//! What postconf lists, against the installed postconf on the same files.

use std::path::Path;
use std::process::Command;

use config::postconf::{Listing, Which};
use config::{main_cf, master_cf, postconf_master, this_machine};
use settings::Surroundings;

/// Defaults that name paths, versions and Yubin's own choices.
const OWN_DEFAULTS: &[&str] = &[
    "alias_maps",
    "data_directory",
    "mail_owner",
    "mail_release_date",
    "mail_version",
    "mynetworks",
    "process_id",
    "queue_directory",
    "smtpd_forbid_bare_newline",
    "smtpd_relay_restrictions",
];

const MAIN: &str = "myhostname = mx.example.org\nmydestination = $myhostname,   localhost,\n\t  $mydomain\nown = x  y\n\
    relayhost =\nvirtual_alias_maps = inline:{ {a=b} } $own\nunused_thing = 1\nsmtp_destination_rate_delay = 1s\n\
    smtpd_restriction_classes = strict\nstrict = reject\nmyorigin=$mydomain\ncompatibility_level = 3.6\ndata_directory = /var/lib/x\nmail_version = 1.0\n\
    slow_destination_concurrency_limit = 1\ntypo_destination_concurrency_limit = 2\n";
const MASTER: &str = "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\nslow unix - - n - - smtp\n\
    filter unix - n n - - pipe\n  argv=/bin/cat\nlocal unix - n n - - local\nretry unix - - n - - error\n";

fn ours(dir: &Path, which: Which, expanded: bool) -> Vec<String> {
    let surroundings = Surroundings {
        process_name: "postconf".to_owned(),
        ..this_machine()
    };
    let main = main_cf::read(&dir.join("main.cf"), &mut Vec::new());
    let rows = master_cf::read(&dir.join("master.cf"), &mut Vec::new());
    let mut values = main.values(&surroundings);
    values.set("config_directory", &dir.to_string_lossy());
    let listing = Listing::new(&main, &rows, values);
    let text = |name: &str| {
        listing
            .text(name, which, expanded)
            .expect("expandable")
            .expect("known")
    };
    listing
        .names(which)
        .iter()
        .map(|name| format!("{name} = {}", text(name)).trim_end().to_owned())
        .collect()
}

#[allow(clippy::print_stdout, reason = "a test that does not run says so")]
fn theirs(dir: &Path, flags: &[&str]) -> Option<Vec<String>> {
    match Command::new("postconf").arg("-c").arg(dir).args(flags).output() {
        Ok(output) if output.status.success() => Some(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .map(str::to_owned)
                .collect(),
        ),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            println!("skipped: needs Debian package postfix");
            None
        }
    }
}

fn without_own(mut lines: Vec<String>) -> Vec<String> {
    lines.retain(|line| {
        // Parameters of our own have names of our own.
        !line.starts_with("yubin_")
            && !OWN_DEFAULTS
                .iter()
                .any(|name| line.split_once(" =").is_some_and(|(known, _)| known == *name))
    });
    lines
}

#[test]
fn the_lists_are_those_of_postfix() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("main.cf"), MAIN).expect("a file");
    std::fs::write(dir.path().join("master.cf"), MASTER).expect("a file");
    for (which, expanded, flags) in [
        (Which::Set, false, &["-n"][..]),
        (Which::Set, true, &["-n", "-x"]),
        (Which::All, false, &[]),
        (Which::All, true, &["-x"]),
        (Which::Defaults, false, &["-d"]),
    ] {
        let Some(theirs) = theirs(dir.path(), flags) else {
            return;
        };
        let (ours, theirs) = (
            without_own(ours(dir.path(), which, expanded)),
            without_own(theirs),
        );
        if ours == theirs {
            continue;
        }
        let missing: Vec<&String> = theirs.iter().filter(|line| !ours.contains(line)).collect();
        let extra: Vec<&String> = ours.iter().filter(|line| !theirs.contains(line)).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{flags:?}: missing {missing:#?} extra {extra:#?}"
        );
    }
}

#[test]
fn rows_are_shown_as_postfix_shows_them() {
    const ROWS: &str = "smtp inet n - n - - smtpd\n  -o { smtpd_banner = x y } -o mynetworks=127.0.0.1 -v\n\
        127.0.0.1:verylongname inet n - n - - smtpd\nfilter unix - n n - - pipe\n  \
        flags=R user=nobody argv=/usr/bin/program ${sender} {a b} -o not_ours=1\nqmgr unix n - n 300? 1 qmgr -v -v\n";
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("main.cf"), "compatibility_level = 3.6\n").expect("a file");
    std::fs::write(dir.path().join("master.cf"), ROWS).expect("a file");
    let rows = master_cf::read(&dir.path().join("master.cf"), &mut Vec::new());
    let ours = [
        ("-M", rows.iter().map(postconf_master::line).collect::<Vec<_>>()),
        ("-Mf", rows.iter().flat_map(postconf_master::folded).collect()),
        ("-F", rows.iter().flat_map(labelled).collect()),
    ];
    fn labelled(row: &master_cf::Row) -> Vec<String> {
        let label = format!("{}/{}", row.name, row.service_type.as_str());
        let fields = postconf_master::FIELDS.iter().zip(postconf_master::fields(row));
        fields
            .map(|(name, text)| format!("{label}/{name} = {text}"))
            .collect()
    }
    for (flag, ours) in ours {
        let Some(theirs) = theirs(dir.path(), &[flag]) else {
            return;
        };
        assert_eq!(ours, theirs, "{flag}");
    }
}

#[test]
fn warnings_have_the_form_of_postfix() {
    let mut problems = Vec::new();
    let settings = main_cf::parse("myhostname = a\nfoo = 1\nmyhostname = b\n", &mut problems);
    let main = main_cf::MainCf {
        path: "/x/main.cf".into(),
        settings,
    };
    let listing = Listing::new(&main, &[], main.values(&Surroundings::default()));
    assert_eq!(
        listing.overriding(),
        ["/x/main.cf, line 3: overriding earlier entry: myhostname=a"]
    );
    assert_eq!(listing.unused(), ["/x/main.cf: unused parameter: foo=1"]);
}
