//! What a configuration asks for and does not get, beyond single parameters: restrictions, transports, tables and
//! networks that are not there. Told once when the configuration is read, each with its file and line.

use std::collections::BTreeSet;
use std::path::Path;

use access::{Gap, review, rewrite_clients};
use config::{Loaded, Problem, Severity};
use deliver_local::pipe::{PROGRAM, Pipe};
use front::transports::{self, is_transport};
use settings::kinds::{Shape, words};
use settings::{NetworkPattern, Networks, Service, Support, TableRef, TlsLevel, params};
use tables::Tables;
use tls::clients::Revocation;

use crate::auth_sockets;
use crate::certificates::mailbox_clients;

/// The words of `receive_override_options`.
const OVERRIDES: [&str; 4] = [
    "no_address_mappings",
    "no_header_body_checks",
    "no_milters",
    "no_unknown_recipient_checks",
];

/// Everything that is to be told. A warning where mail is treated otherwise than the file says, a note elsewhere.
pub fn of(loaded: &Loaded) -> Vec<Problem> {
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for service in smtp_services(loaded) {
        problems.extend(restrictions(loaded, service));
        problems.extend(certificates(loaded, service));
        problems.extend(client_certificates(loaded, service));
        problems.extend(log_ins(loaded, service));
    }
    problems.extend(revocation_lists(loaded));
    problems.extend(log_directory(loaded));
    problems.extend(spool_group(loaded));
    problems.extend(missing_transports(loaded));
    problems.extend(rows_of_mailboxes(loaded));
    problems.extend(cleanups(loaded));
    problems.extend(pipes(loaded));
    problems.extend(filters(loaded));
    problems.extend(values(loaded));
    problems.retain(|problem| told.insert(problem.to_string()));
    problems.sort_by(|one, other| (other.file.as_str(), one.line).cmp(&(one.file.as_str(), other.line)));
    problems
}

fn smtp_services(loaded: &Loaded) -> impl Iterator<Item = &Service> {
    loaded
        .services
        .iter()
        .filter(|service| service.command == "smtpd")
}

/// Where a service has a setting from: its own row, or main.cf.
fn place(loaded: &Loaded, service: &Service, name: &str) -> (&'static str, usize) {
    if service.overrides.iter().any(|(known, _)| known == name) {
        ("master.cf", service.line)
    } else {
        ("main.cf", loaded.main.line_of(name))
    }
}

/// Names that are no restriction, rules that nobody asks (who would have been refused is not), and lists that would let
/// everybody relay.
fn restrictions(loaded: &Loaded, service: &Service) -> Vec<Problem> {
    let about = |(parameter, gap): (&'static str, Gap)| {
        let place = place(loaded, service, parameter);
        match gap {
            Gap::Unknown(name) => {
                let problem = Problem::new(
                    Severity::Error,
                    place,
                    parameter,
                    format!("there is no restriction {name}"),
                );
                match params::nearest(&name, review::known_names()) {
                    Some(near) => problem.with_hint(format!("Did you mean {near}?")),
                    None => problem,
                }
            }
            Gap::Class(name) => {
                let text = format!("the restriction class {name} has no definition, or contains itself");
                Problem::new(Severity::Error, place, parameter, text)
            }
        }
    };
    let mut problems: Vec<Problem> = review::gaps(&service.settings).into_iter().map(about).collect();
    for (parameter, table) in review::tables(&service.settings) {
        let place = place(loaded, service, parameter);
        problems.extend(missing_type(&table).map(|why| fails_for_now(&why, place, parameter)));
    }
    let clients = &service.settings.local_header_rewrite_clients;
    let parameter = rewrite_clients::PARAMETER;
    for table in rewrite_clients::tables_of(clients) {
        let place = place(loaded, service, parameter);
        problems.extend(missing_type(&table).map(|why| fails_for_now(&why, place, parameter)));
    }
    for word in rewrite_clients::unknown(clients) {
        let place = place(loaded, service, parameter);
        let text = format!("invalid request: {word}");
        problems.push(Problem::new(Severity::Warning, place, parameter, text));
    }
    if !review::is_closed(&service.settings) {
        let parameter = "smtpd_relay_restrictions";
        let hint = format!(
            "Put one of {} into it or into smtpd_recipient_restrictions, before any permit",
            review::CLOSING.join(", ")
        );
        let text = "strangers could send mail through this host to everywhere";
        let problem = Problem::new(
            Severity::Error,
            place(loaded, service, parameter),
            parameter,
            text,
        );
        problems.push(problem.with_hint(hint));
    }
    problems
}

/// Log-ins need the accounts of a dovecot.conf, or another program to ask.
fn log_ins(loaded: &Loaded, service: &Service) -> Option<Problem> {
    let name = "smtpd_sasl_auth_enable";
    let is_asked = auth_sockets::foreign(&service.settings, loaded.dovecot.as_ref()).is_some();
    let nobody_can = service.settings.smtpd_sasl_auth_enable && loaded.dovecot.is_none() && !is_asked;
    nobody_can.then(|| {
        let text = "nobody can log in: there is no dovecot.conf beside main.cf. Write one, or ask another program \
                    with smtpd_sasl_type = dovecot and smtpd_sasl_path";
        Problem::new(Severity::Warning, place(loaded, service, name), name, text)
    })
}

fn certificates(loaded: &Loaded, service: &Service) -> Option<Problem> {
    let settings = &service.settings;
    let both = !settings.smtpd_tls_cert_file.is_empty() && !settings.smtpd_tls_eccert_file.is_empty();
    let name = "smtpd_tls_eccert_file";
    both.then(|| {
        let text = "a second certificate is not there yet: that of smtpd_tls_cert_file is shown to everybody";
        Problem::new(Severity::Note, place(loaded, service, name), name, text)
    })
}

/// Certificates of clients that are less wanted than it looks.
fn client_certificates(loaded: &Loaded, service: &Service) -> Option<Problem> {
    let settings = &service.settings;
    let level = front::smtpd::tls_level(settings);
    let (name, text) = if level == TlsLevel::None {
        return None;
    } else if settings.smtpd_tls_req_ccert && level == TlsLevel::May {
        let text = "ignored, because TLS is optional: clients are asked for a certificate, and need none. Set \
                    smtpd_tls_security_level = encrypt to require one";
        ("smtpd_tls_req_ccert", text)
    } else {
        return None;
    };
    Some(Problem::new(
        Severity::Warning,
        place(loaded, service, name),
        name,
        text,
    ))
}

/// `ssl_require_crl`, which holds unless it is switched off, needs lists.
fn revocation_lists(loaded: &Loaded) -> Option<Problem> {
    let dovecot = loaded.dovecot.as_ref()?;
    let asked = mailbox_clients(dovecot).ok().flatten()?;
    let must_be_checked = asked.revocation == Revocation::Checked;
    let has_none = asked
        .trusted?
        .revocation_lists()
        .is_ok_and(|lists| lists.is_empty());
    (must_be_checked && has_none).then(|| {
        let text = "no list of revoked certificates is in ssl_ca: no client's certificate is good";
        Problem::new(Severity::Warning, ("dovecot.conf", 0), "ssl_require_crl", text)
            .with_hint("Put the authority's list beside its certificate, or set ssl_require_crl = no")
    })
}

/// A log that cannot be opened keeps the system from starting.
fn log_directory(loaded: &Loaded) -> Option<Problem> {
    let file = &loaded.postfix.maillog_file;
    let directory = file
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())?;
    (!directory.is_dir()).then(|| {
        let name = "maillog_file";
        let text = format!("there is no directory {}", directory.display());
        Problem::new(
            Severity::Error,
            ("main.cf", loaded.main.line_of(name)),
            name,
            text,
        )
        .with_hint("Create it, or name another file")
    })
}

/// `mail_privileged_group`: files in the mail spool are made as that directory is, with its group and no other.
fn spool_group(loaded: &Loaded) -> Option<Problem> {
    let name = &loaded.dovecot.as_ref()?.mail_privileged_group;
    if name.is_empty() {
        return None;
    }
    let text = match os::users::group_by_name(name) {
        Ok(None) => format!("there is no group {name}"),
        Ok(Some(group)) => wrong_group(&group, &loaded.postfix.mail_spool_directory)?,
        Err(error) => error.to_string(),
    };
    Some(Problem::new(
        Severity::Warning,
        ("dovecot.conf", 0),
        "mail_privileged_group",
        text,
    ))
}

/// Why files in that spool will not be made with the help of `group`; a spool that is not there yet has no other.
fn wrong_group(group: &os::Group, spool: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(spool).ok()?;
    (found.gid() != group.gid).then(|| {
        format!(
            "{} is not the group of {}: files there are made with the group of the directory, and nowhere else",
            group.name,
            spool.display()
        )
    })
}

/// Transports that nobody serves: mail that needs them waits.
fn missing_transports(loaded: &Loaded) -> Vec<Problem> {
    let settings = &loaded.postfix;
    let named = transports::names(&loaded.services);
    let used: [(&str, &str, bool); 6] = [
        (
            "local_transport",
            &settings.local_transport,
            !settings.mydestination.is_empty(),
        ),
        (
            "virtual_transport",
            &settings.virtual_transport,
            !settings.virtual_mailbox_domains.is_empty(),
        ),
        (
            "relay_transport",
            &settings.relay_transport,
            !settings.relay_domains.is_empty(),
        ),
        ("default_transport", &settings.default_transport, true),
        (
            "mailbox_transport",
            &settings.mailbox_transport,
            !settings.mailbox_transport.is_empty(),
        ),
        (
            "fallback_transport",
            &settings.fallback_transport,
            !settings.fallback_transport.is_empty(),
        ),
    ];
    let missing = used.into_iter().filter(|(_, text, is_used)| {
        let name = text.split(':').next().unwrap_or_default();
        *is_used && !named.contains(name)
    });
    let about = |(parameter, text, _): (&str, &str, bool)| {
        let line = loaded.main.line_of(parameter);
        let name = text.split(':').next().unwrap_or_default();
        let text = format!("master.cf has no transport \"{name}\": mail for it waits in the queue");
        let hint = format!("Add a row \"{name} unix - - n - - …\" with the program that delivers");
        Problem::new(Severity::Warning, ("main.cf", line), parameter, text).with_hint(hint)
    };
    missing.map(about).collect()
}

/// Content filters that nobody serves, and words of `receive_override_options` that there are not.
fn filters(loaded: &Loaded) -> Vec<Problem> {
    let named = transports::names(&loaded.services);
    let takes_mail = |row: &&Service| matches!(row.command.as_str(), "smtpd" | "pickup");
    let mut problems = Vec::new();
    for row in loaded.services.iter().filter(takes_mail) {
        let settings = &row.settings;
        let transport = settings
            .content_filter
            .split(':')
            .next()
            .unwrap_or_default()
            .trim();
        if !transport.is_empty() && !named.contains(transport) {
            let name = "content_filter";
            let text = format!("master.cf has no transport \"{transport}\": mail for it waits in the queue");
            problems.push(Problem::new(
                Severity::Warning,
                place(loaded, row, name),
                name,
                text,
            ));
        }
        let is_known = |word: &&String| OVERRIDES.iter().any(|known| known.eq_ignore_ascii_case(word));
        let words = settings.receive_override_options.iter();
        for word in words.filter(|word| !is_known(word)) {
            let name = "receive_override_options";
            let text = format!("there is no option {word}");
            let problem = Problem::new(Severity::Error, place(loaded, row, name), name, text);
            problems.push(match params::nearest(word, OVERRIDES.iter().copied()) {
                Some(near) => problem.with_hint(format!("Did you mean {near}?")),
                None => problem,
            });
        }
    }
    problems
}

/// Rows of pipe(8) that can run nothing, and flags that are for one recipient where several come together.
fn pipes(loaded: &Loaded) -> Vec<Problem> {
    let settings = &loaded.postfix;
    let rows = loaded.services.iter();
    let rows = rows.filter(|row| is_transport(row) && row.command == PROGRAM);
    let owner = os::users::user_by_name(&settings.mail_owner).ok().flatten();
    let owner = owner.map(|user| (user.uid, user.gid)).unzip();
    let about = |row: &Service| {
        let suffix = "_destination_recipient_limit";
        let limit = settings
            .of_transport(&row.name, suffix)
            .and_then(|text| text.parse().ok());
        let limit = limit.unwrap_or(settings.default_destination_recipient_limit);
        let pipe = Pipe::of(row).and_then(|pipe| match pipe.ids()? {
            (uid, gid) if Some(uid) == owner.0 || Some(gid) == owner.1 => {
                Err("its user or group owns the queue (mail_owner): the command needs another".to_owned())
            }
            _ => Ok(pipe),
        });
        let text = match pipe {
            Err(why) => format!("{why}. Mail for it waits in the queue"),
            Ok(pipe) if limit != 1 && (pipe.has_flag('D') || pipe.has_flag('O')) => {
                let setting = format!("{}{suffix} = 1", row.name);
                format!("flags=D and flags=O require {setting}: mail for several recipients waits without it")
            }
            Ok(_) => return None,
        };
        Some(Problem::new(
            Severity::Warning,
            ("master.cf", row.line),
            &row.name,
            text,
        ))
    };
    rows.filter_map(about).collect()
}

/// Settings of rows whose work is done by processes that see main.cf alone.
fn rows_of_mailboxes(loaded: &Loaded) -> Vec<Problem> {
    let mailboxes = loaded.services.iter();
    let mailboxes =
        mailboxes.filter(|row| is_transport(row) && matches!(row.command.as_str(), "local" | "virtual"));
    let overridden = mailboxes.flat_map(|row| row.overrides.iter().map(move |(name, _)| (row, name)));
    overridden
        .filter(|(_, name)| *name != "syslog_name")
        .map(|(row, name)| {
            let text = format!(
                "-o has no effect for {}: it delivers as main.cf says",
                row.command
            );
            Problem::new(Severity::Warning, ("master.cf", row.line), name, text)
        })
        .collect()
}

/// Services whose mail goes into the queue by a row of cleanup that is not there, and those that cannot choose one.
fn cleanups(loaded: &Loaded) -> Vec<Problem> {
    let name = "cleanup_service_name";
    let is_there = |wanted: &str| {
        let mut rows = loaded.services.iter();
        wanted == "cleanup" || rows.any(|row| row.command == "cleanup" && row.name == wanted)
    };
    let about = |row: &Service| {
        let chosen = &row.settings.cleanup_service_name;
        let text = match row.command.as_str() {
            "smtpd" | "pickup" if is_there(chosen) => return None,
            "smtpd" | "pickup" => format!("master.cf has no cleanup \"{chosen}\": no mail is taken"),
            _ if !row.overrides.iter().any(|(known, _)| known == name) => return None,
            other => format!("-o has no effect for {other}: its mail goes into the queue as main.cf says"),
        };
        Some(Problem::new(
            Severity::Warning,
            place(loaded, row, name),
            name,
            text,
        ))
    };
    loaded.services.iter().filter_map(about).collect()
}

/// Tables of types that are not there, and networks that are written as names or tables.
fn values(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in loaded.values.explicit().keys() {
        let place = ("main.cf", loaded.main.line_of(name));
        let text = loaded.values.expanded(name).unwrap_or_default();
        problems.extend(of_value(name, &text, place));
    }
    for service in &loaded.services {
        for (name, text) in &service.overrides {
            let text = loaded.values.expand(text).unwrap_or_default();
            problems.extend(of_value(name, &text, ("master.cf", service.line)));
        }
    }
    problems
}

fn of_value(name: &str, text: &str, place: (&str, usize)) -> Vec<Problem> {
    if params::postfix(name).is_none() {
        let fault = params::fault_of_transport(name, text);
        let fault = fault.map(|fault| Problem::new(Severity::Error, place, name, fault.to_string()));
        return fault.into_iter().collect();
    }
    let Some(parameter) = params::postfix(name).filter(|row| row.support == Support::Supported) else {
        return Vec::new();
    };
    match parameter.shape {
        Shape::Tables => words(text)
            .iter()
            .filter_map(|word| word.parse::<TableRef>().ok())
            .filter_map(|table| missing_type(&table))
            .map(|why| fails_for_now(&why, place, name))
            .collect(),
        Shape::Networks => text
            .parse::<Networks>()
            .map(|networks| networks.patterns)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(_, pattern)| match pattern {
                NetworkPattern::Table(table) => missing_type(&table),
                NetworkPattern::Name(_) | NetworkPattern::Network(_) | NetworkPattern::File(_) => None,
            })
            .map(|why| fails_for_now(&why, place, name))
            .collect(),
        _ => Vec::new(),
    }
}

fn fails_for_now(why: &tables::Error, place: (&str, usize), name: &str) -> Problem {
    let text = format!("{why}: what asks it fails for now");
    Problem::new(Severity::Warning, place, name, text)
}

/// Why a table cannot be there, whatever its file says.
fn missing_type(table: &TableRef) -> Option<tables::Error> {
    if table.kind == route::recipients::USERDB {
        return None;
    }
    let (_, problems) = Tables::open(std::slice::from_ref(table));
    problems.into_iter().find(|problem| {
        matches!(
            problem,
            tables::Error::NotYet { .. } | tables::Error::UnknownType { .. }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Options;

    fn told(main: &str, master: &str) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("main.cf"), main).expect("a file");
        std::fs::write(dir.path().join("master.cf"), master).expect("a file");
        let loaded = config::load(dir.path(), &Options::default());
        assert!(!loaded.has_errors(), "{:?}", loaded.problems);
        let shown = |problem: &Problem| format!("{:?} {problem}", problem.severity);
        of(&loaded).iter().map(shown).collect()
    }

    #[test]
    fn another_group_than_the_spools_is_told() {
        use std::os::unix::fs::MetadataExt;
        let spool = tempfile::tempdir().expect("a directory");
        let gid = spool.path().metadata().expect("made").gid();
        let group = |gid| os::Group {
            name: "letters".to_owned(),
            gid,
            members: Vec::new(),
        };
        assert_eq!(wrong_group(&group(gid), spool.path()), None);
        assert_eq!(wrong_group(&group(gid + 1), &spool.path().join("nothing")), None);
        let told = wrong_group(&group(gid + 1), spool.path()).expect("a complaint");
        assert!(told.starts_with("letters is not the group of /"), "{told}");
    }

    const SMTP: &str = "smtp inet n - n - - smtpd\n";

    #[test]
    fn a_plain_configuration_has_nothing_to_be_told() {
        assert_eq!(
            told("myhostname = a.example\nmynetworks = 127.0.0.0/8\n", SMTP),
            [""; 0]
        );
    }

    #[test]
    fn limits_of_transports_must_make_sense() {
        let main = "slow_destination_rate_delay = soon\nsmtp_destination_concurrency_limit = 3\n\
                    smtp_destination_concurrency_positive_feedback = 1/concurrency\n\
                    smtp_initial_destination_concurrency = x\n";
        let told = told(main, SMTP);
        let wrong: Vec<&String> = told.iter().filter(|line| line.starts_with("Error")).collect();
        assert_eq!(wrong.len(), 2, "{told:?}");
        assert!(
            wrong
                .iter()
                .any(|line| line.contains("main.cf:1: slow_destination_rate_delay")),
            "{told:?}"
        );
        assert!(
            wrong
                .iter()
                .any(|line| line.contains("main.cf:4: smtp_initial_destination_concurrency")),
            "{told:?}"
        );
    }

    #[test]
    fn a_cleanup_that_master_cf_does_not_name_is_told() {
        let with = |row: &str| {
            let rows = format!("{SMTP}pickup unix n - n 60 1 pickup -o cleanup_service_name=pre\n{row}\n");
            told("relay_domains =\n", &rows)
        };
        assert_eq!(with("pre unix n - n - 0 cleanup -o header_checks="), [""; 0]);
        let missing =
            "Warning master.cf:2: cleanup_service_name: master.cf has no cleanup \"pre\": no mail is taken";
        assert_eq!(with("pre unix n - n - 0 bounce"), [missing]);
        let unheard = "Warning master.cf:4: cleanup_service_name: -o has no effect for bounce: its mail goes into the queue as \
                       main.cf says";
        let rows = "pre unix n - n - 0 cleanup\nbounce unix - - n - 0 bounce -o cleanup_service_name=pre";
        assert_eq!(with(rows), [unheard]);
    }

    #[test]
    fn transports_that_master_cf_does_not_name_are_told() {
        let rows = format!("{SMTP}smtp unix - - n - - smtp\nlocal unix - n n - - local -o syslog_name=x\n");
        let with = |row: &str| {
            told(
                "relay_domains = a.example\nrelay_transport = slow:[b.example]\n",
                &format!("{rows}{row}\n"),
            )
        };
        assert_eq!(with("slow unix - - n - 2 smtp -o smtp_helo_timeout=5"), [""; 0]);
        let missing = "Warning main.cf:2: relay_transport: master.cf has no transport \"slow\": mail for it waits in the queue";
        for row in ["", "slow unix - - n - 2 bounce"] {
            let told = with(row);
            assert!(
                told.iter().any(|line| line.starts_with(missing)),
                "{row}: {told:?}"
            );
        }
        let wanted =
            "Warning master.cf:4: mailbox_command: -o has no effect for local: it delivers as main.cf says";
        assert_eq!(
            told(
                "relay_domains =\n",
                &format!("{rows}two unix - n n - - local -o mailbox_command=x\n")
            ),
            [wanted]
        );
        let with = |row: &str| told("relay_domains =\nmail_owner = bin\n", &format!("{rows}{row}\n"));
        assert_eq!(
            with("gate unix - n n - - pipe flags=R user=daemon argv=/bin/cat"),
            [""; 0]
        );
        let rows_and_words = [
            (
                "gate unix - n n - - pipe user=root argv=/bin/cat",
                "user=root has the rights of root",
            ),
            (
                "gate unix - n n - - pipe user=bin argv=/bin/cat",
                "owns the queue",
            ),
            (
                "gate unix - n n - - pipe argv=/bin/cat",
                "it has no user=: as whom",
            ),
            (
                "gate unix - n n - - pipe flags=D user=daemon argv=x",
                "require gate_destination_recipient_limit = 1",
            ),
        ];
        for (row, words) in rows_and_words {
            let told = with(row);
            let is_told = told.len() == 1 && told[0].starts_with("Warning master.cf:4: gate: ");
            assert!(is_told && told[0].contains(words), "{told:?}");
        }
        // Where it is only about ports, what Postfix's own file names is there.
        assert_eq!(told("relay_domains = a.example\n", SMTP), [""; 0]);
    }

    #[test]
    fn content_filters_that_cannot_work_are_told() {
        let rows = format!("{SMTP}smtp unix - - n - - smtp\nlocal unix - n n - - local\n");
        let main = "relay_domains =\ncontent_filter = scan:[127.0.0.1]:10025\n";
        let scan = "scan unix - - n - 10 smtp\n10026 inet n - n - - smtpd -o content_filter= \
                    -o receive_override_options=no_address_mappings,no_milters\n";
        assert_eq!(told(main, &format!("{rows}{scan}")), [""; 0]);
        let wrong = told(
            main,
            &format!("{rows}26 inet n - n - - smtpd -o receive_override_options=no_milter\n"),
        );
        let expected = [
            "Error master.cf:4: receive_override_options: there is no option no_milter. Did you mean no_milters?",
            "Warning main.cf:2: content_filter: master.cf has no transport \"scan\": mail for it waits in the queue",
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn an_open_relay_does_not_start() {
        for relay in ["", "permit", "permit_mynetworks, reject_unauth_destinations"] {
            let main = format!("smtpd_relay_restrictions = {relay}\n");
            let told = told(&main, SMTP);
            assert!(
                told.iter().any(|line| line.starts_with(
                    "Error main.cf:1: smtpd_relay_restrictions: strangers could send mail through this host"
                )),
                "{told:#?}"
            );
        }
        let main = "smtpd_recipient_restrictions = reject_unauth_destinations\n";
        let wanted = "Error main.cf:1: smtpd_recipient_restrictions: there is no restriction \
                      reject_unauth_destinations. Did you mean reject_unauth_destination?";
        assert_eq!(told(main, SMTP), [wanted]);
        let submission =
            format!("{SMTP}587 inet n - n - - smtpd -o smtpd_relay_restrictions=permit_mynetworks\n");
        let told = told("", &submission);
        assert!(
            told.len() == 1 && told[0].starts_with("Error master.cf:2: smtpd_relay_"),
            "{told:#?}"
        );
    }

    #[test]
    fn log_ins_without_accounts_are_told() {
        let foreign =
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n";
        assert_eq!(told(foreign, SMTP), [""; 0]);
        let told = told("smtpd_sasl_auth_enable = yes\n", SMTP);
        assert!(
            told.len() == 1
                && told[0].starts_with("Warning main.cf:1: smtpd_sasl_auth_enable: nobody can log in"),
            "{told:#?}"
        );
    }

    #[test]
    fn certificates_that_nobody_has_to_show_are_told() {
        let warns = |main: &str, wanted: &str| {
            let told = told(main, SMTP);
            assert!(told.len() == 1 && told[0].starts_with(wanted), "{told:#?}");
        };
        let may = "smtpd_tls_security_level = may\n";
        warns(
            &format!("{may}smtpd_tls_req_ccert = yes\nsmtpd_tls_CAfile = /ca\n"),
            "Warning main.cf:2: smtpd_tls_req_ccert: ignored, because TLS is optional",
        );
        let fingerprints = format!("{may}smtpd_tls_ask_ccert = yes\n");
        assert_eq!(
            told(&fingerprints, SMTP),
            [""; 0],
            "fingerprints need no authorities"
        );
        let good = "smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\nsmtpd_tls_CAfile = /ca\n";
        assert_eq!(told(good, SMTP), [""; 0]);
        assert_eq!(told("smtpd_tls_req_ccert = yes\n", SMTP), [""; 0]);
    }

    #[test]
    fn what_is_not_there_is_told_once_at_its_line() {
        let main = "mynetworks = 127.0.0.0/8, ldap:/etc/friends, localhost
smtpd_sender_restrictions = reject_unknown_sender_domain,
  check_sender_access ldap:/etc/senders.cf, check_sender_access hash:/etc/senders
alias_maps = ldap:/etc/aliases.cf, hash:/no/such/file
mailbox_transport = cyrus
default_transport = uucp:gate
";
        let master = format!(
            "{SMTP}587 inet n - n - - smtpd -o smtpd_client_restrictions=check_client_access,mysql:/etc/c.cf\n"
        );
        let expected = [
            "Warning main.cf:1: mynetworks: table ldap:/etc/friends: type ldap is not there yet: what asks it fails for now",
            "Warning main.cf:2: smtpd_sender_restrictions: table ldap:/etc/senders.cf: type ldap is not there yet: what asks it fails for now",
            "Warning main.cf:5: mailbox_transport: master.cf has no transport \"cyrus\": mail for it waits in the queue. Add a row \"cyrus unix - - n - - …\" with the program that delivers",
            "Warning main.cf:6: default_transport: master.cf has no transport \"uucp\": mail for it waits in the queue. Add a row \"uucp unix - - n - - …\" with the program that delivers",
            "Warning master.cf:2: smtpd_client_restrictions: table mysql:/etc/c.cf: type mysql is not there yet: what asks it fails for now",
        ];
        let mut told = told(main, &master);
        let table = told.iter().position(|line| line.contains("alias_maps"));
        let table = told.remove(table.expect("the table is told"));
        assert!(
            table.starts_with("Warning main.cf:4: alias_maps: ") && table.contains("ldap"),
            "{table}"
        );
        for line in expected {
            assert!(told.iter().any(|known| known == line), "{line}\n{told:#?}");
        }
        assert_eq!(told.len(), expected.len(), "{told:#?}");
    }
}
