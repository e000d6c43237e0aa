//! `postqueue` and `mailq`: show the queue, and have it tried now, as Postfix's postqueue(1) does.

use std::ops::ControlFlow;
use std::process::ExitCode;

use ipc::control::{self, Request, Selection};
use queue::admin::{self, Listed, Screen};
use serde_json::ser::Formatter;
use settings::Postfix;

use crate::getopt::{self, Part};
use crate::mail_queue::{Answer, ListError, MailQueue, is_queue_id, short_date};
use crate::{Invocation, authorization, eprint_line, print_line, try_print};

pub(crate) const HELP: &str = "usage: postqueue [-c DIR] {-p | -j | -f | -i ID | -s SITE}
       mailq [-C DIR]
Shows the queue, or has queued mail tried now.
  -p       shows the queue as mailq does
  -j       shows it as JSON, one object a line
  -f       has all deferred mail tried now
  -i ID    has the message with this queue id tried now
  -s SITE  has all mail for this domain tried now; it must be one of fast_flush_domains
  -c DIR   takes DIR/main.cf (MAIL_CONFIG does the same)
Behind a queue id, * means that the message is being delivered, ! that it is on hold, # that it is to be returned. While the mail system is down,
root and the owner of the queue see it as it lies on disk.";

const USAGE: &str =
    "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site";
/// `EX_UNAVAILABLE` and `EX_SOFTWARE` of sysexits.h.
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
/// The longest name of a site, in octets.
const SITE_BYTES_MAX: usize = 255;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Task {
    Print,
    Json,
    Flush(Selection),
}

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    config_directory: Option<String>,
    task: Task,
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match wanted_of(&invocation.args) {
        Ok(wanted) => perform(&wanted),
        Err(text) => fatal(UNAVAILABLE, &text),
    }
}

fn fatal(code: u8, text: &str) -> ExitCode {
    eprint_line(&format!("postqueue: fatal: {text}"));
    ExitCode::from(code)
}

fn wanted_of(args: &[String]) -> Result<Wanted, String> {
    let (mut config_directory, mut tasks) = (None, Vec::new());
    let parts = getopt::parts_of(args, "pjfv", "cis").map_err(|why| {
        eprint_line(&format!("postqueue: {why}"));
        USAGE
    })?;
    for part in parts {
        match part {
            Part::Flag('p') => tasks.push(Task::Print),
            Part::Flag('j') => tasks.push(Task::Json),
            Part::Flag('f') => tasks.push(Task::Flush(Selection::All)),
            Part::Flag(_) => {}
            Part::Value('c', value) => config_directory = Some(value),
            Part::Value('i', value) => tasks.push(Task::Flush(Selection::Ids(vec![value]))),
            Part::Value(_, value) => tasks.push(Task::Flush(Selection::Site(value))),
            Part::Word(_) => return Err(USAGE.to_owned()),
        }
    }
    match <[Task; 1]>::try_from(tasks) {
        Ok([task]) => Ok(Wanted {
            config_directory,
            task,
        }),
        Err(_) => Err(USAGE.to_owned()),
    }
}

fn perform(wanted: &Wanted) -> ExitCode {
    let queue = match MailQueue::of(wanted.config_directory.as_deref()) {
        Ok(queue) => queue,
        Err(text) => return fatal(UNAVAILABLE, &text),
    };
    let (list, what) = match &wanted.task {
        Task::Print | Task::Json => (&queue.settings.authorized_mailq_users, "view the mail queue"),
        Task::Flush(_) => (&queue.settings.authorized_flush_users, "flush the mail queue"),
    };
    let uid = os::Identity::current().uid;
    if !queue.is_ours()
        && let Some(text) = authorization::refusal(list, uid, what)
    {
        return fatal(UNAVAILABLE, &text);
    }
    match &wanted.task {
        Task::Print => {
            let screen = Screen::new(queue.settings.enable_long_queue_ids, &short_date);
            let screen = std::cell::RefCell::new(screen);
            show(
                &queue,
                |listed| screen.borrow_mut().lines(listed),
                || screen.borrow().end(),
            )
        }
        Task::Json => show(&queue, |listed| admin::json(listed, &json_of), String::new),
        Task::Flush(selection) => flush(&queue, selection),
    }
}

/// Shows the queue while it is read; `end` is what comes behind the last message.
fn show(queue: &MailQueue, render: impl Fn(&[Listed]) -> String, end: impl Fn() -> String) -> ExitCode {
    let mut unwritten = None;
    let mut print = |text: String| match try_print(text.as_bytes()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            unwritten = Some(error);
            ControlFlow::Break(())
        }
    };
    let warn = || eprint_line("postqueue: warning: Mail system is down -- accessing queue directly");
    let listed = queue.list(warn, |listed| print(render(listed)));
    if listed.is_ok() {
        let _ = print(end());
    }
    match (listed, unwritten) {
        (_, Some(error)) => fatal(UNAVAILABLE, &format!("output write error: {}", os::words(&error))),
        (Ok(()), None) => ExitCode::SUCCESS,
        (Err(ListError::Daemon(error @ control::Error::Connect(..))), _) => {
            fatal(SOFTWARE, &error.to_string())
        }
        (Err(ListError::Disk(_)), _) if !queue.is_ours() => {
            fatal(UNAVAILABLE, "Queue report unavailable - mail system is down")
        }
        (Err(error), _) => fatal(UNAVAILABLE, &format!("Queue report unavailable - {error}")),
    }
}

/// Has mail tried now. `postfix flush` comes here too.
pub(crate) fn flush(queue: &MailQueue, selection: &Selection) -> ExitCode {
    match selection {
        Selection::Ids(ids) => {
            if let Some(id) = ids.iter().find(|id| !is_queue_id(id)) {
                return fatal(
                    UNAVAILABLE,
                    &format!("Cannot flush queue ID - invalid name: \"{id}\""),
                );
            }
        }
        Selection::Site(site) if !is_site(site) => {
            return fatal(
                UNAVAILABLE,
                &format!("Cannot flush mail queue - invalid destination: \"{site:.100}\""),
            );
        }
        Selection::Site(site) if !is_flushed_for(site, &queue.settings) => {
            let text = format!("Flush service is not configured for destination \"{site}\"");
            return fatal(UNAVAILABLE, &text);
        }
        Selection::Site(_) | Selection::All => {}
    }
    match queue.ask(&Request::Flush(selection.clone())) {
        Ok(Answer::Up(_)) => ExitCode::SUCCESS,
        Ok(Answer::Down) => fatal(UNAVAILABLE, "Cannot flush mail queue - mail system is down"),
        Err(error) => fatal(UNAVAILABLE, &format!("Cannot flush mail queue - {error}")),
    }
}

/// Whether the site is one of `fast_flush_domains`; where a table cannot be asked, it is not.
fn is_flushed_for(site: &str, settings: &Postfix) -> bool {
    let domains = route::DomainList::fast_flush(settings, &mut Vec::new());
    address::Domain::parse(site).is_ok_and(|site| domains.contains(&site).unwrap_or(false))
}

/// The name of a host, or an address in brackets.
fn is_site(site: &str) -> bool {
    let is_named = |domain: address::Domain| match domain.is_literal() {
        true => domain.to_ip().is_some(),
        false => (domain.is_hostname() || !site.is_ascii()) && site.parse::<std::net::IpAddr>().is_err(),
    };
    site.len() <= SITE_BYTES_MAX && !site.ends_with('.') && address::Domain::parse(site).is_ok_and(is_named)
}

/// One object with Postfix's spaces.
fn json_of(listed: &Listed) -> String {
    use serde::Serialize as _;
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
    // A value of texts and numbers has nothing that JSON cannot say.
    let _ = listed.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// JSON with a space behind each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::admin::ListedRecipient;

    fn wanted(line: &str) -> Result<Wanted, String> {
        wanted_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn sites() {
        for good in [
            "a.example",
            "a_b",
            "x",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "bücher.example",
        ] {
            assert!(is_site(good), "{good}");
        }
        for bad in [
            "",
            "no..site",
            ".a",
            "a.",
            "-a",
            "a-.b",
            "a b",
            "192.0.2.1",
            "[x]",
        ] {
            assert!(!is_site(bad), "{bad}");
        }
    }

    #[test]
    fn arguments() {
        let task = |line| wanted(line).map(|wanted| wanted.task);
        assert_eq!(task("-p"), Ok(Task::Print));
        assert_eq!(task("-vj"), Ok(Task::Json));
        assert_eq!(task("-f -c /x"), Ok(Task::Flush(Selection::All)));
        assert_eq!(
            task("-iABC123"),
            Ok(Task::Flush(Selection::Ids(vec!["ABC123".into()])))
        );
        assert_eq!(
            wanted("-c/x -s example.com"),
            Ok(Wanted {
                config_directory: Some("/x".into()),
                task: Task::Flush(Selection::Site("example.com".into())),
            })
        );
        for wrong in ["", "-p -f", "-p extra", "-x", "-i", "-pj"] {
            assert_eq!(wanted(wrong), Err(USAGE.to_owned()), "{wrong}");
        }
    }

    #[test]
    fn mail_can_be_asked_for_by_the_domains_that_are_relayed_for() {
        let mut settings = Postfix::defaults(&settings::Surroundings::default());
        assert!(!is_flushed_for("example.com", &settings));
        settings.fast_flush_domains = vec!["example.com".to_owned(), "[192.0.2.1]".to_owned()];
        for (site, is_served) in [
            ("Example.COM", true),
            ("sub.example.com", true),
            ("notexample.com", false),
            ("[192.0.2.1]", true),
            ("[192.0.2.2]", false),
        ] {
            assert_eq!(is_flushed_for(site, &settings), is_served, "{site}");
        }
    }

    #[test]
    fn json_has_the_spaces_of_postfix() {
        let recipient = |address: &str, reason: Option<&str>| ListedRecipient {
            address: address.into(),
            delay_reason: reason.map(str::to_owned),
        };
        let listed = Listed {
            queue_name: "deferred".into(),
            queue_id: "BAEC19AE0AA".into(),
            arrival_time: 1_795_300_381,
            message_size: 255,
            forced_expire: false,
            sender: "a2@example.test".into(),
            recipients: vec![
                recipient("alice@example.test", Some("deferred \"transport\"")),
                recipient("bob@example.test", None),
            ],
        };
        assert_eq!(
            json_of(&listed),
            r#"{"queue_name": "deferred", "queue_id": "BAEC19AE0AA", "arrival_time": 1795300381, "message_size": 255, "forced_expire": false, "sender": "a2@example.test", "recipients": [{"address": "alice@example.test", "delay_reason": "deferred \"transport\""}, {"address": "bob@example.test"}]}"#
        );
    }
}
