//! Commands that take mail: which program and arguments a text means, what is in its environment, and what its end says
//! about the message (local(8), "EXTERNAL COMMAND DELIVERY"; sysexits.h).

use std::path::Path;

use address::Address;
use envelope::{Outcome, StatusCode};
use settings::Postfix;

use crate::outcomes::{bounced, deferred, diagnosed, interrupted, sent};
use crate::task::{Command, End, Exit, Facts, Rights};

/// How much of a command's output becomes part of the outcome, in octets.
pub const OUTPUT_BYTES_MAX: usize = 4096;
/// Where programs are looked for that are named without a directory.
const PATH: &str = "/usr/bin:/bin";
/// Where commands find the configuration without being told.
const CONFIG_DIRECTORIES: [&str; 2] = ["/etc/yubin", "/etc/postfix"];
/// The shell of texts that need one.
const SHELL: &str = "/bin/sh";

/// The command that `text` means for a message with these facts.
pub fn command(text: &str, facts: &Facts, rights: &Rights, settings: &Postfix) -> Command {
    let environment = environment(facts, rights, settings);
    let path = path_of(&environment);
    let (program, argv) = argv(text, &settings.local_command_shell, path);
    Command {
        program,
        argv,
        directory: Some(directory(facts, rights, settings)),
        environment,
        time_limit: settings.command_time_limit,
        output_bytes_max: OUTPUT_BYTES_MAX,
    }
}

/// The program, and the words of a text in which the shell would find nothing to interpret; anything else is the shell's, and
/// so is the name of a program that is in none of the directories of `path`: the shell may have it built in.
/// `local_command_shell` gets every text as its last argument.
fn argv(text: &str, local_shell: &str, path: &str) -> (String, Vec<String>) {
    let mut shell: Vec<String> = local_shell.split_ascii_whitespace().map(str::to_owned).collect();
    if !shell.is_empty() {
        shell.push(text.to_owned());
        return (shell[0].clone(), shell);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "!@%-_=+:,./ \t".contains(c);
    let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    if text.chars().all(plain)
        && let Some(program) = words.first().and_then(|name| find(name, path))
    {
        return (program, words);
    }
    let words = ["sh", "-c", text].map(str::to_owned);
    (SHELL.to_owned(), words.to_vec())
}

/// Where programs are looked for.
fn path_of(environment: &[(String, String)]) -> &str {
    let path = environment.iter().find(|(name, _)| name == "PATH");
    path.map_or(PATH, |(_, path)| path)
}

/// The file of a program, as its environment has it found; the name itself when it is not found.
pub(crate) fn find_in(name: &str, environment: &[(String, String)]) -> String {
    find(name, path_of(environment)).unwrap_or_else(|| name.to_owned())
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

/// `export_environment`.
pub(crate) fn exported(settings: &Postfix) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = vec![("PATH".to_owned(), PATH.to_owned())];
    for word in &settings.export_environment {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), imported(word, settings)),
        };
        environment.retain(|(known, _)| known != name || value.is_none());
        environment.extend(value.map(|value| (name.to_owned(), value)));
    }
    environment
}

/// The whole environment: `export_environment`, then what local(8) tells commands.
fn environment(facts: &Facts, rights: &Rights, settings: &Postfix) -> Vec<(String, String)> {
    let mut environment = exported(settings);
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let client = &facts.client;
    let sender = facts.sender.as_ref().map(unquoted).unwrap_or_default();
    let address =
        |text: &str| Address::parse(text).map_or_else(|_| text.to_owned(), |found| unquoted(&found));
    let told = [
        ("HOME", path(&rights.home)),
        ("LOGNAME", some(&facts.user)),
        ("SHELL", path(&facts.shell)),
        ("USER", some(&facts.user)),
        ("SENDER", Some(sender)),
        ("RECIPIENT", some(&address(&facts.recipient))),
        ("ORIGINAL_RECIPIENT", some(&address(&facts.original))),
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

/// The value of a variable that this process passes on: `NAME=value` of `import_environment`, else its own.
fn imported(name: &str, settings: &Postfix) -> Option<String> {
    let set = settings.import_environment.iter().find_map(|word| {
        let (known, value) = word.split_once('=')?;
        (known == name).then(|| value.to_owned())
    });
    if name == "MAIL_CONFIG" && set.is_none() {
        let directory = &settings.config_directory;
        let is_usual = CONFIG_DIRECTORIES
            .iter()
            .any(|usual| directory == Path::new(usual));
        return (!is_usual).then(|| directory.display().to_string());
    }
    set.or_else(|| std::env::var(name).ok())
}

/// The address as commands get it, which is without quotes.
pub(crate) fn unquoted(address: &Address) -> String {
    match address.domain() {
        Some(domain) => format!("{}@{}", address.local(), domain.as_str()),
        None => address.local().to_owned(),
    }
}

/// `command_execution_directory`; when it is not set or comes to nothing, the queue directory, where local(8) is, or `/`
/// where that is closed to the user.
fn directory(facts: &Facts, rights: &Rights, settings: &Postfix) -> std::path::PathBuf {
    let text = settings.command_execution_directory.as_str();
    let filter = &settings.execution_directory_expansion_filter;
    let wanted = expanded(text, facts, rights.home.as_deref(), (settings, Some(filter)));
    if let Some(wanted) = wanted.filter(|path| path.starts_with('/')) {
        return wanted.into();
    }
    let queue = &settings.queue_directory;
    match std::fs::metadata(queue.join(".")) {
        Ok(_) => queue.clone(),
        Err(_) => "/".into(),
    }
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

/// What a command printed, on one line: nothing in it moves a cursor, and what is not UTF-8 is a `_` for each octet.
fn printable(output: &[u8]) -> String {
    let mut text = String::with_capacity(output.len());
    for chunk in output.utf8_chunks() {
        text.extend(chunk.valid().chars().map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '_',
            c => c,
        }));
        text.extend(chunk.invalid().iter().map(|_| '_'));
    }
    text
}

/// What the end of the command `text` says about the message. What it printed is told as it is, its last line's end a blank.
pub fn outcome_of(text: &str, exit: &Exit) -> Outcome {
    let output = printable(&exit.output);
    let shown = match output.as_str() {
        "" => String::new(),
        output => format!(". Command output: {output}"),
    };
    // The report has what was printed, else the words of sysexits.h.
    let words = |words: &str| match output.trim() {
        "" => words.to_owned(),
        output => output.to_owned(),
    };
    match exit.end {
        End::Status(0) => sent(format!("delivered to command: {text}")),
        End::Status(status) => match sysexit(status) {
            Some((code, meaning)) => match StatusCode::split(&output) {
                Some((own, said)) if own.class != envelope::Class::Success => {
                    diagnosed(failed(own, said.to_owned()), said)
                }
                _ => diagnosed(failed(code, format!("{meaning}{shown}")), &words(meaning)),
            },
            None => diagnosed(
                bounced(
                    StatusCode::permanent(3, 0),
                    format!("Command died with status {status}: \"{text}\"{shown}"),
                ),
                &words(&format!("unknown mail system error {status}")),
            ),
        },
        End::Signal(signal) => deferred(
            StatusCode::temporary(3, 0),
            format!("Command died with signal {signal}: \"{text}\"{shown}"),
        ),
        End::TimedOut => diagnosed(
            bounced(
                StatusCode::permanent(3, 0),
                format!("Command time limit exceeded: \"{text}\"{shown}"),
            ),
            &words("internal software error"),
        ),
        End::Unknown => interrupted("the process that was to run the command ended without a word"),
    }
}

fn failed(status: StatusCode, text: String) -> Outcome {
    match status.class {
        envelope::Class::Permanent => bounced(status, text),
        _ => deferred(status, text),
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
        let (program, plain) = argv("/bin/cat -n  x=y", "", PATH);
        assert_eq!(plain, ["/bin/cat", "-n", "x=y"]);
        assert_eq!(program, "/bin/cat");
        let (program, words) = argv("cat -n", "", PATH);
        assert!(program.ends_with("bin/cat"), "found in PATH");
        assert_eq!(words, ["cat", "-n"]);
        for text in [
            "exit 75",
            "cat > /dev/null",
            "IFS=' ' && exec x || exit 75 #user",
            "a; b",
            "$HOME/x",
        ] {
            let words = ["sh", "-c", text].map(str::to_owned).to_vec();
            assert_eq!(argv(text, "", PATH), ("/bin/sh".to_owned(), words));
        }
        let (program, words) = argv("cat x", "/bin/rsh -c", PATH);
        assert_eq!(words, ["/bin/rsh", "-c", "cat x"]);
        assert_eq!(program, "/bin/rsh");
    }

    #[test]
    fn nothing_of_a_message_is_shell_syntax() {
        let filter = Postfix::defaults(&settings::Surroundings::default()).command_expansion_filter;
        assert_eq!(filtered("a+b@c.example", &filter), "a+b@c.example");
        assert_eq!(filtered("`id`;$(x)'\"|&<>\n*é ", &filter), "_id____x___________");
    }

    #[test]
    fn what_is_printed_moves_no_cursor() {
        let output = b"tab\there\x01\x1b[1m\r\ngr\xc3\xbc bad\xff\xe9 \x7f\n";
        assert_eq!(printable(output), "tab here__[1m_ gr\u{fc} bad__ _ ");
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
            "Deferred 4.3.0 temporary failure. Command output: temp trouble "
        );
        assert_eq!(of(End::Status(77), "5.7.9 Not you\n"), "Bounced 5.7.9 Not you ");
        assert_eq!(
            of(End::Status(1), "out put\nmore\n"),
            "Bounced 5.3.0 Command died with status 1: \"cmd\". Command output: out put more "
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
