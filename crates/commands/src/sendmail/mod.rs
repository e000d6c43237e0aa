//! `sendmail`: takes a message from a program and hands it in, as Postfix's sendmail(1) does.

mod input;
mod options;
mod routing;
mod session;
mod test_mode;
mod verify;

use std::process::ExitCode;

use address::path;
use envelope::{Envelope, Recipient, Trace};
use queue::maildrop::Slip;

use crate::submission::{self, EX_TEMPFAIL, Submitter};
use crate::{Invocation, configuration, newaliases, postfix, postqueue, print_line};
use options::{Mode, Request};
use routing::Routing;

const HELP: &str = "usage: sendmail [OPTION...] [RECIPIENT...]
Takes a message from standard input, up to its end or a line with nothing but a dot, and hands it in.
  -t         takes recipients from To, Cc and Bcc of the message too
  -i, -oi    a line with nothing but a dot is text
  -f SENDER  the envelope sender (-r is the same); default: the user
  -F NAME    the full name for a message that has no From
  -B TYPE    7BIT or 8BITMIME
  -G         the message comes from elsewhere: its header is left as it is
  -N WORDS   when to report: success,failure,delay or never
  -R WORD    what a report returns: full or hdrs
  -V ID      the sender's own identifier, for reports
  -v         mails a report of the first attempt to the sender
  -bv        mails a report of where mail to the recipients would go, and delivers nothing; with
             yubin_sendmail_directory it says so on the screen, as Sendmail does
  -bt        shows how addresses are rewritten and where they go; ? lists what can be asked
  -bs        speaks SMTP on standard input and output
  -bp, -bi   are mailq and newaliases; -q tries deferred mail now (-qRSITE, -qIID)
  -C DIR     takes DIR/main.cf (MAIL_CONFIG does the same)
Options end at the first recipient. Other options of sendmail are taken and have no effect.";

/// Runs the command, under this name or as `mailq` or `newaliases`.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(match invocation.name.as_str() {
            "mailq" => postqueue::HELP,
            "newaliases" => newaliases::HELP,
            _ => HELP,
        });
        return ExitCode::SUCCESS;
    }
    let name = invocation.name.as_str();
    let request = match Request::parse(name, &invocation.args) {
        Ok(request) => request,
        Err(text) => return fatal(name, &text),
    };
    for warning in &request.warnings {
        submission::warn(name, warning);
    }
    if request.mode == Mode::HostStatus {
        return ExitCode::SUCCESS;
    }
    if let Err(text) = without_line_breaks(&request) {
        return fatal(name, &format!("{}: {text}", Submitter::current()));
    }
    if matches!(request.mode, Mode::Submit | Mode::Verify)
        && request.recipients.is_empty()
        && !request.reads_recipients
    {
        let told = "Recipient addresses must be specified on the command line or via the -t option";
        return fatal(name, &format!("{}: {told}", Submitter::current()));
    }
    let directory = configuration::directory(request.configuration.as_deref());
    let settings = match configuration::postfix(&directory) {
        Ok(settings) => settings,
        Err(text) => return fatal(name, &text),
    };
    if matches!(request.mode, Mode::Submit | Mode::Verify | Mode::Smtp)
        && let Err(text) = Submitter::current().may_submit(&settings)
    {
        return fatal(name, &text);
    }
    if let Some(file) = &request.sendmail_cf {
        let read = directory.join("main.cf");
        let text = format!("{file} is not read: {} is", read.display());
        submission::warn(name, &text);
    }
    let is_verified_here = !settings.yubin_sendmail_directory.as_os_str().is_empty();
    match request.mode {
        Mode::Test => test_mode::run(&Routing::open(&directory, settings)),
        Mode::Verify if is_verified_here => {
            verify::verify(&Routing::open(&directory, settings), &request.recipients)
        }
        _ => perform(name, &request, settings),
    }
}

/// Refuses words that would be another header field, log line or recipient if somebody took them as they are.
fn without_line_breaks(request: &Request) -> Result<(), String> {
    let options = [
        ("-f", &request.sender),
        ("-F", &request.full_name),
        ("-V", &request.envid),
    ];
    let options = options
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let recipients = request
        .recipients
        .iter()
        .map(|word| ("a recipient", word.as_str()));
    for (what, value) in options.chain(recipients) {
        if value.contains(['\n', '\r', '\0']) {
            return Err(format!(
                "{what} with a line break: {:?}",
                submission::shown(value)
            ));
        }
    }
    Ok(())
}

/// Does what the request is for. Everything that is not sendmail's own speaks in the name of the command that does it.
fn perform(name: &str, request: &Request, settings: settings::Postfix) -> ExitCode {
    let passed_on = |name: &str, last: &[&str]| Invocation {
        name: name.to_owned(),
        args: request
            .passed_on
            .iter()
            .cloned()
            .chain(last.iter().map(|&arg| arg.to_owned()))
            .collect(),
    };
    match request.mode {
        Mode::Submit | Mode::Verify => submit(name, request, &settings),
        Mode::Smtp => speak(&settings),
        Mode::Queue => postqueue::run(&passed_on("postqueue", &["-p"])),
        Mode::Flush => postqueue::run(&passed_on("postqueue", &[])),
        Mode::Daemon => postfix::run(&passed_on("postfix", &["start"])),
        Mode::Aliases => newaliases::rebuild(settings, request.aliases.as_deref()),
        Mode::HostStatus | Mode::Test => ExitCode::SUCCESS,
    }
}

fn fatal(name: &str, text: &str) -> ExitCode {
    crate::eprint_line(&format!("{name}: fatal: {text}"));
    ExitCode::from(EX_TEMPFAIL)
}

fn speak(settings: &settings::Postfix) -> ExitCode {
    let submitter = Submitter::current();
    let spoken = session::speak(
        settings,
        &submitter,
        &mut std::io::stdin().lock(),
        &mut std::io::stdout().lock(),
    );
    match spoken {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EX_TEMPFAIL),
    }
}

fn submit(name: &str, request: &Request, settings: &settings::Postfix) -> ExitCode {
    let submitter = Submitter::current();
    match take(request, settings, &submitter) {
        Ok(envelope) => {
            if request.trace() != Trace::None {
                let sender = submission::shown(&path::display(envelope.sender.as_ref()).to_string());
                print_line(&format!(
                    "Mail Delivery Status Report will be mailed to {sender}."
                ));
            }
            ExitCode::SUCCESS
        }
        Err(text) => fatal(name, &format!("{submitter}: {text}")),
    }
}

/// Hands the message in.
fn take(request: &Request, settings: &settings::Postfix, submitter: &Submitter) -> Result<Envelope, String> {
    let octets_max = submission::size_max(settings);
    let mut envelope = envelope(request, submitter);
    let content = if request.mode == Mode::Verify {
        add_recipients(request, b"", &mut envelope)?;
        probe(&envelope)
    } else {
        let content = input::read_message(&mut std::io::stdin().lock(), request.keeps_dots, octets_max)
            .map_err(|error| format!("cannot read the message: {}", os::words(&error)))?;
        add_recipients(request, &content, &mut envelope)?;
        let content = with_name(request, settings, content, &envelope);
        match warning(request, settings, &submitter.name, &envelope) {
            Some(field) => [field.as_bytes(), &content].concat(),
            None => content,
        }
    };
    envelope.body = request.body.unwrap_or_else(|| submission::body_kind(&content));
    let slip = Slip {
        trace: request.trace(),
        is_relayed: request.is_relayed,
        ..submitter.slip()
    };
    submission::submit(settings, slip, &envelope, &content)
        .map(|_| envelope)
        .map_err(|refusal| refusal.to_string())
}

/// The users whom Sendmail trusts without a file.
const TRUSTED: [&str; 3] = ["root", "daemon", "uucp"];

/// The field that tells that somebody who is not in `trusted-users` named another sender. Without that file nobody is told.
fn warning(
    request: &Request,
    settings: &settings::Postfix,
    user: &str,
    envelope: &Envelope,
) -> Option<String> {
    let trusted = settings.sendmail.trusted_users.as_ref()?;
    let is_trusted = TRUSTED.contains(&user) || trusted.iter().any(|name| name == user);
    let sender = path::display(envelope.sender.as_ref());
    let is_own = sender.trim_matches(['<', '>']).eq_ignore_ascii_case(user);
    if request.sender.is_none() || is_trusted || is_own {
        return None;
    }
    let host = &settings.myhostname;
    Some(format!(
        "X-Authentication-Warning: {host}: {user} set sender to {sender} using -f\n"
    ))
}

/// The content with the sender's full name in a From field, unless there is one or the message comes from elsewhere.
fn with_name(
    request: &Request,
    settings: &settings::Postfix,
    content: Vec<u8>,
    envelope: &Envelope,
) -> Vec<u8> {
    if request.is_relayed {
        return content;
    }
    let full_name = request.full_name.clone().or_else(|| std::env::var("NAME").ok());
    let is_obsolete = settings.header_from_format == "obsolete";
    let full_name = full_name.unwrap_or_default();
    submission::with_full_name(content, envelope.sender.as_ref(), &full_name, is_obsolete)
}

/// The message that a verification is about: reports show its header.
fn probe(envelope: &Envelope) -> Vec<u8> {
    let sender = envelope.sender.as_ref();
    let from = sender.map_or_else(|| "MAILER-DAEMON".to_owned(), ToString::to_string);
    let to: Vec<String> = envelope
        .recipients
        .iter()
        .map(|recipient| recipient.address.to_string())
        .collect();
    format!("From: {from}\nSubject: probe\nTo: {}\n\n", to.join(",\n\t")).into_bytes()
}

fn envelope(request: &Request, submitter: &Submitter) -> Envelope {
    let own = || address::Address::new(&submitter.name, None);
    let sender = match &request.sender {
        None => Some(own()),
        Some(text) => submission::sender_of(text).unwrap_or_else(|first| {
            submission::warn(
                "sendmail",
                &format!(
                    "-f option specified malformed sender: {}",
                    submission::shown(text)
                ),
            );
            Some(first.unwrap_or_else(own))
        }),
    };
    let envid = request.envid.clone();
    Envelope {
        ret: request.ret,
        envid,
        ..submission::envelope_from(sender)
    }
}

fn add_recipients(request: &Request, content: &[u8], envelope: &mut Envelope) -> Result<(), String> {
    for word in &request.recipients {
        let named = submission::recipients_of(word)
            .map_err(|word| format!("\"{}\" is not an address", submission::shown(&word)))?;
        envelope.recipients.extend(named);
    }
    if request.reads_recipients {
        let named = intake::recipients::of_header(content)
            .into_iter()
            .map(Recipient::new);
        envelope.recipients.extend(named);
        if envelope.recipients.is_empty() {
            return Err("No recipient addresses found in message header".to_owned());
        }
    }
    if envelope
        .recipients
        .iter()
        .any(|recipient| recipient.address.needs_smtputf8())
    {
        envelope.smtputf8 = true;
    }
    for recipient in &mut envelope.recipients {
        recipient.notify = request.notify;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody() -> Submitter {
        Submitter {
            uid: 1000,
            name: "ann".to_owned(),
            home: std::path::PathBuf::new(),
        }
    }

    fn settings_in(directory: &std::path::Path) -> settings::Postfix {
        let main_cf = format!(
            "queue_directory = {}\nmyhostname = here.example\n",
            directory.display()
        );
        std::fs::write(directory.join("main.cf"), main_cf).unwrap();
        configuration::postfix(directory).unwrap()
    }

    fn dropped(directory: &std::path::Path) -> Vec<(Envelope, String)> {
        let world = world::World::real();
        let names = queue::maildrop::scan(directory, &world).unwrap();
        let read = |name| {
            let mut message = queue::maildrop::read(directory, &world, name).unwrap();
            let mut content = String::new();
            message.content.read_to_string(&mut content).unwrap();
            (message.envelope, content)
        };
        names.iter().map(read).collect()
    }

    #[test]
    fn a_session_drops_what_it_accepts() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings_in(directory.path());
        let script = "EHLO me\r\nMAIL FROM:<ann@here.example>\r\nRCPT TO:<bob>\r\nRCPT TO:<eve@far.example>\r\n\
            DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
        let mut screen = Vec::new();
        session::speak(&settings, &somebody(), &mut script.as_bytes(), &mut screen).unwrap();
        let screen = String::from_utf8(screen).unwrap();
        assert!(screen.starts_with("220 here.example ESMTP"), "{screen}");
        assert!(screen.contains("250 2.0.0 Ok: queued as"), "{screen}");
        assert!(screen.ends_with("221 2.0.0 Bye\r\n"), "{screen}");
        let mail = dropped(directory.path());
        assert_eq!(mail.len(), 1);
        assert_eq!(mail[0].0.recipients.len(), 2);
        assert_eq!(mail[0].1, "Subject: x\n\n.dot\n");
    }

    #[test]
    fn recipients_of_the_header_join_those_of_the_command_line() {
        let args = ["-t", "-N", "never", "root"].map(str::to_owned);
        let request = Request::parse("sendmail", &args).unwrap();
        let mut envelope = envelope(&request, &somebody());
        let content = b"To: a@x, b@x\nBcc: c@x\nCc: a@x\n\nbody\n";
        add_recipients(&request, content, &mut envelope).unwrap();
        let names: Vec<String> = envelope
            .recipients
            .iter()
            .map(|r| r.address.to_string())
            .collect();
        assert_eq!(names, ["root", "a@x", "b@x", "c@x"]);
        assert_eq!(envelope.sender.unwrap().to_string(), "ann");
        let request = Request::parse("sendmail", &args[..1]).unwrap();
        let mut envelope = submission::envelope_from(None);
        assert!(add_recipients(&request, b"Subject: x\n\n", &mut envelope).is_err());
    }

    #[test]
    fn who_is_not_trusted_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = settings_in(directory.path());
        let told = |settings: &settings::Postfix, args: &[&str], user: &str| {
            let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
            let request = Request::parse("sendmail", &args).unwrap();
            let envelope = envelope(&request, &somebody());
            warning(&request, settings, user, &envelope)
        };
        let other = ["-f", "eve@x.example", "root"];
        assert_eq!(told(&settings, &other, "ann"), None, "there is no file");
        settings.sendmail.trusted_users = Some(vec!["www".to_owned()]);
        let field = "X-Authentication-Warning: here.example: ann set sender to <eve@x.example> using -f\n";
        assert_eq!(told(&settings, &other, "ann").as_deref(), Some(field));
        assert_eq!(told(&settings, &other, "www"), None);
        assert_eq!(told(&settings, &other, "root"), None);
        assert_eq!(told(&settings, &["root"], "ann"), None);
        assert_eq!(told(&settings, &["-f", "ann", "root"], "ann"), None);
    }

    #[test]
    fn line_breaks_are_refused_wherever_they_come_in() {
        for args in [
            ["-f", "a\nb@c", "root"],
            ["-r", "a\r\nb", "root"],
            ["-F", "Ann\nBcc: x@y", "root"],
            ["-i", "--", "a\nb@c"],
            ["-V", "a\nb", "root"],
        ] {
            let request = Request::parse("sendmail", &args.map(str::to_owned)).unwrap();
            let told = without_line_breaks(&request).unwrap_err();
            assert!(told.contains("with a line break: "), "{told}");
        }
        let request = Request::parse("sendmail", &["-f", "a@b", "root"].map(str::to_owned)).unwrap();
        assert_eq!(without_line_breaks(&request), Ok(()));
    }
}
