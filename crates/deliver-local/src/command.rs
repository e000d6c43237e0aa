//! Commands that take mail: which program and arguments a text means, what is in its environment, and what its end says
//! about the message (local(8), "EXTERNAL COMMAND DELIVERY"; sysexits.h).

use std::path::Path;

use envelope::{Outcome, StatusCode};
use settings::Postfix;

use crate::outcomes::{bounced, deferred, sent};
use crate::task::{Command, End, Exit, Facts, Rights};

/// How much of a command's output becomes part of the outcome, in octets.
pub const OUTPUT_BYTES_MAX: usize = 4096;
/// Where programs are looked for that are named without a directory.
const PATH: &str = "/usr/bin:/bin";
/// The shell of texts that need one.
const SHELL: &str = "/bin/sh";

/// The command that `text` means for a message with these facts.
pub fn command(text: &str, facts: &Facts, rights: &Rights, settings: &Postfix) -> Command {
    let environment = environment(facts, rights, settings);
    let path = environment.iter().find(|(name, _)| name == "PATH");
    Command {
        argv: argv(
            text,
            &settings.local_command_shell,
            path.map_or(PATH, |(_, path)| path),
        ),
        directory: directory(facts, rights, settings),
        environment,
        time_limit: settings.command_time_limit,
        output_bytes_max: OUTPUT_BYTES_MAX,
    }
}

/// The words of a text in which the shell would find nothing to interpret; anything else is the shell's, and so is the
/// name of a program that is in none of the directories of `path`: the shell may have it built in.
/// `local_command_shell` gets every text as its last argument.
fn argv(text: &str, local_shell: &str, path: &str) -> Vec<String> {
    let mut shell: Vec<String> = local_shell.split_ascii_whitespace().map(str::to_owned).collect();
    if !shell.is_empty() {
        shell.push(text.to_owned());
        return shell;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "!@%-_=+:,./ \t".contains(c);
    let mut words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    if text.chars().all(plain)
        && let Some(program) = words.first().and_then(|name| find(name, path))
    {
        words[0] = program;
        return words;
    }
    vec![SHELL.to_owned(), "-c".to_owned(), text.to_owned()]
}

/// The file of a program.
fn find(name: &str, path: &str) -> Option<String> {
    if name.contains('/') {
        return Some(name.to_owned());
    }
    let candidates = path.split(':').map(|directory| format!("{directory}/{name}"));
    let is_program = |file: &String| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    candidates.filter(|file| file.starts_with('/')).find(is_program)
}

/// `text` with every character that is not in `allowed` replaced: no sender and no recipient can say anything to a shell.
pub fn filtered(text: &str, allowed: &str) -> String {
    text.chars()
        .map(|c| if allowed.contains(c) { c } else { '_' })
        .collect()
}

/// The whole environment: `export_environment`, then what local(8) tells commands.
fn environment(facts: &Facts, rights: &Rights, settings: &Postfix) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = vec![("PATH".to_owned(), PATH.to_owned())];
    for word in &settings.export_environment {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None if word == "MAIL_CONFIG" => (
                word.as_str(),
                Some(settings.config_directory.display().to_string()),
            ),
            None => (word.as_str(), std::env::var(word).ok()),
        };
        environment.retain(|(known, _)| known != name || value.is_none());
        environment.extend(value.map(|value| (name.to_owned(), value)));
    }
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let client = &facts.client;
    let sender = facts.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let told = [
        ("HOME", path(&rights.home)),
        ("LOGNAME", rights.user.clone().or_else(|| some(&facts.user))),
        ("SHELL", path(&facts.shell)),
        ("USER", some(&facts.user)),
        ("SENDER", Some(sender)),
        ("RECIPIENT", some(&facts.recipient)),
        ("ORIGINAL_RECIPIENT", some(&facts.original)),
        ("LOCAL", some(&facts.local)),
        ("EXTENSION", facts.extension.clone()),
        ("DOMAIN", some(&facts.domain)),
        ("CLIENT_ADDRESS", some(&client.address)),
        ("CLIENT_HELO", some(&client.helo)),
        ("CLIENT_HOSTNAME", some(&client.hostname)),
        ("CLIENT_PROTOCOL", some(&client.protocol)),
        ("SASL_METHOD", some(&client.sasl_method)),
        ("SASL_SENDER", some(&client.sasl_sender)),
        ("SASL_USERNAME", some(&client.sasl_username)),
    ];
    for (name, value) in told {
        environment.retain(|(known, _)| known != name);
        let value = value.map(|value| filtered(&value, &settings.command_expansion_filter));
        environment.extend(value.map(|value| (name.to_owned(), value)));
    }
    environment
}

/// `command_execution_directory`; `None` when it is not set or comes to nothing.
fn directory(facts: &Facts, rights: &Rights, settings: &Postfix) -> Option<std::path::PathBuf> {
    let text = settings.command_execution_directory.as_str();
    if text.is_empty() {
        return None;
    }
    let filter = &settings.execution_directory_expansion_filter;
    let expanded = expanded(text, facts, rights.home.as_deref(), (settings, Some(filter)));
    expanded.filter(|path| path.starts_with('/')).map(Into::into)
}

/// A text with `$home`, `$user`, `$extension` … replaced by what the recipient brings along, each kept to the characters of
/// the filter, if there is one; `None` when the text makes no sense, or speaks of an extension and there is none.
pub(crate) fn expanded(
    text: &str,
    facts: &Facts,
    home: Option<&Path>,
    (settings, filter): (&Postfix, Option<&str>),
) -> Option<String> {
    let speaks_of = |name: &str| {
        ["$NAME", "${NAME}", "$(NAME)"]
            .iter()
            .any(|form| text.contains(&form.replace("NAME", name)))
    };
    if facts.extension.is_none() && speaks_of("extension") || home.is_none() && speaks_of("home") {
        return None;
    }
    let value = |name: &str| {
        let value = match name {
            "home" => home.map(|home| home.display().to_string()),
            "shell" => facts.shell.as_ref().map(|shell| shell.display().to_string()),
            "user" => Some(facts.user.clone()),
            "local" => Some(facts.local.clone()),
            "recipient" => Some(facts.recipient.clone()),
            "extension" => facts.extension.clone(),
            "domain" => Some(facts.domain.clone()),
            "recipient_delimiter" => Some(delimiter(facts, settings)),
            _ => None,
        }?;
        // What comes from outside is a value and never an expression again.
        let value = filter.map_or_else(|| value.clone(), |filter| filtered(&value, filter));
        Some(value.replace('$', "$$"))
    };
    settings::expand::expand(text, &value).ok()
}

/// The delimiter that the recipient has, or the first of `recipient_delimiter`.
fn delimiter(facts: &Facts, settings: &Postfix) -> String {
    let delimiters = &settings.recipient_delimiter;
    let found = facts.local.chars().find(|c| delimiters.contains(*c));
    let delimiter = found.filter(|_| facts.extension.is_some());
    delimiter
        .or_else(|| delimiters.chars().next())
        .map(String::from)
        .unwrap_or_default()
}

/// What the end of the command `text` says about the message.
pub fn outcome_of(text: &str, exit: &Exit) -> Outcome {
    let output = String::from_utf8_lossy(&exit.output);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let output: String = output.trim().chars().map(printable).collect();
    let shown = match output.as_str() {
        "" => String::new(),
        output => format!(". Command output: {output}"),
    };
    let failed = |status: StatusCode, text: String| match status.class {
        envelope::Class::Permanent => bounced(status, text),
        _ => deferred(status, text),
    };
    match exit.end {
        End::Status(0) => sent(format!("delivered to command: {text}")),
        End::Status(status) => match sysexit(status) {
            Some((code, words)) => match StatusCode::split(&output) {
                Some((own, said)) if own.class != envelope::Class::Success => failed(own, said.to_owned()),
                _ => failed(code, format!("{words}{shown}")),
            },
            None => bounced(
                StatusCode::permanent(3, 0),
                format!("Command died with status {status}: \"{text}\"{shown}"),
            ),
        },
        End::Signal(signal) => deferred(
            StatusCode::temporary(3, 0),
            format!("Command died with signal {signal}: \"{text}\"{shown}"),
        ),
        End::TimedOut => bounced(
            StatusCode::permanent(3, 0),
            format!("Command time limit exceeded: \"{text}\"{shown}"),
        ),
    }
}

/// sysexits.h as RFC 3463 codes and words.
fn sysexit(status: i32) -> Option<(StatusCode, &'static str)> {
    let permanent = StatusCode::permanent;
    Some(match status {
        64 => (permanent(3, 0), "command line usage error"),
        65 => (permanent(6, 0), "data format error"),
        66 => (permanent(3, 0), "cannot open input"),
        67 => (permanent(1, 1), "user unknown"),
        68 => (permanent(1, 2), "host name unknown"),
        69 => (permanent(3, 0), "service unavailable"),
        70 => (permanent(3, 0), "internal software error"),
        71 => (StatusCode::temporary(3, 0), "system resource problem"),
        72 => (permanent(3, 0), "critical OS file missing"),
        73 => (permanent(2, 0), "can't create user output file"),
        74 => (permanent(3, 0), "input/output error"),
        75 => (StatusCode::temporary(3, 0), "temporary failure"),
        76 => (permanent(5, 0), "remote error in protocol"),
        77 => (permanent(7, 0), "permission denied"),
        78 => (permanent(3, 5), "local configuration error"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_is_asked_only_when_it_is_needed() {
        let plain = argv("/bin/cat -n  x=y", "", PATH);
        assert_eq!(plain, ["/bin/cat", "-n", "x=y"]);
        assert!(argv("cat -n", "", PATH)[0].ends_with("bin/cat"), "found in PATH");
        for text in [
            "exit 75",
            "cat > /dev/null",
            "IFS=' ' && exec x || exit 75 #user",
            "a; b",
            "$HOME/x",
        ] {
            assert_eq!(argv(text, "", PATH), ["/bin/sh", "-c", text]);
        }
        assert_eq!(argv("cat x", "/bin/rsh -c", PATH), ["/bin/rsh", "-c", "cat x"]);
    }

    #[test]
    fn nothing_of_a_message_is_shell_syntax() {
        let filter = Postfix::defaults(&settings::Surroundings::default()).command_expansion_filter;
        assert_eq!(filtered("a+b@c.example", &filter), "a+b@c.example");
        assert_eq!(filtered("`id`;$(x)'\"|&<>\n*é ", &filter), "_id____x___________");
    }

    #[test]
    fn ends_are_outcomes() {
        let of = |end, output: &str| {
            let outcome = outcome_of(
                "cmd",
                &Exit {
                    end,
                    output: output.as_bytes().to_vec(),
                },
            );
            format!("{:?} {} {}", outcome.result, outcome.status, outcome.text)
        };
        assert_eq!(of(End::Status(0), "x"), "Sent 2.0.0 delivered to command: cmd");
        assert_eq!(of(End::Status(67), ""), "Bounced 5.1.1 user unknown");
        assert_eq!(
            of(End::Status(75), "temp trouble\n"),
            "Deferred 4.3.0 temporary failure. Command output: temp trouble"
        );
        assert_eq!(of(End::Status(77), "5.7.9 Not you\n"), "Bounced 5.7.9 Not you");
        assert_eq!(
            of(End::Status(1), "out put\nmore\n"),
            "Bounced 5.3.0 Command died with status 1: \"cmd\". Command output: out put more"
        );
        assert_eq!(
            of(End::Signal(9), ""),
            "Deferred 4.3.0 Command died with signal 9: \"cmd\""
        );
        assert_eq!(
            of(End::TimedOut, ""),
            "Bounced 5.3.0 Command time limit exceeded: \"cmd\""
        );
    }
}
