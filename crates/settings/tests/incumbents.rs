//! The table against the installed incumbents: every name is known and has their default, but for named exceptions.

use std::process::Command;

use settings::params;

/// Defaults that differ on purpose.
const OWN_DEFAULTS: &[(&str, &str)] = &[
    ("alias_maps", "Debian's build names other tables"),
    ("config_directory", "comes from the machine"),
    ("data_directory", "Yubin's own"),
    ("mail_owner", "Yubin's own user"),
    ("mail_release_date", "another program"),
    ("mail_version", "another program"),
    ("mydomain", "comes from the machine"),
    ("myhostname", "comes from the machine"),
    ("mynetworks", "comes from the machine"),
    ("process_id", "comes from the machine"),
    ("process_name", "comes from the machine"),
    ("queue_directory", "the queue has another form"),
    ("smtpd_forbid_bare_newline", "as in Postfix 3.9"),
    ("smtpd_relay_restrictions", "closed at any compatibility_level"),
    ("base_dir", "Yubin's own"),
    ("login_greeting", "another program"),
    ("state_dir", "Yubin's own"),
];

#[allow(clippy::print_stdout, reason = "a test that does not run says so")]
/// The lines of a command, or `None` when its package is not installed.
fn lines_of(program: &str, args: &[&str], package: &str) -> Option<Vec<String>> {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => Some(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .map(str::to_owned)
                .collect(),
        ),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            println!("skipped: needs Debian package {package}");
            None
        }
    }
}

/// Dovecot quotes texts that end in white space.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

fn differs(name: &str) -> bool {
    OWN_DEFAULTS.iter().any(|(known, _)| *known == name)
}

#[test]
fn every_name_of_postfix_is_known() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["main.cf", "master.cf"] {
        std::fs::write(dir.path().join(name), "").expect("a file");
    }
    let path = dir.path().to_string_lossy();
    let Some(lines) = lines_of("postconf", &["-c", &path, "-d"], "postfix") else {
        return;
    };
    let mut wrong = Vec::new();
    for line in lines {
        let (name, default) = line.split_once(" =").expect("a setting");
        match params::postfix(name) {
            None => wrong.push(format!("{name} is not known")),
            Some(_) if differs(name) => {}
            Some(parameter) if parameter.default != unquoted(default) => {
                wrong.push(format!(
                    "{name}: {:?} instead of {:?}",
                    parameter.default,
                    unquoted(default)
                ));
            }
            Some(_) => {}
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_name_of_dovecot_is_known() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_string_lossy();
    let Some(lines) = lines_of("doveconf", &["-c", &path, "-d"], "dovecot-core") else {
        return;
    };
    let mut wrong = Vec::new();
    let mut blocks: Vec<String> = Vec::new();
    for line in lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.starts_with('#'))
    {
        if let Some(title) = line.strip_suffix('{') {
            blocks.push(title.split_whitespace().next().unwrap_or_default().to_owned());
        } else if line == "}" {
            blocks.pop();
        } else if let Some((name, default)) = line.split_once(" =") {
            match (blocks.last(), params::dovecot(name)) {
                (Some(block), _) if params::dovecot_block_names(block).any(|known| known == name) => {}
                (Some(block), _) => wrong.push(format!("{name} in {block} is not known")),
                (None, None) => wrong.push(format!("{name} is not known")),
                (None, Some(parameter)) if !differs(name) && parameter.default != unquoted(default) => {
                    wrong.push(format!(
                        "{name}: {:?} instead of {:?}",
                        parameter.default,
                        unquoted(default)
                    ));
                }
                (None, Some(_)) => {}
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
