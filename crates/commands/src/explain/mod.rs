//! `yubin explain`: whether a client's mail would be taken, by which rule, and where it would go.

mod json;
mod places;
mod text;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use access::{Decided, Rule};
use anyhow::{Context, Result, bail};
use config::DovecotFile;
use front::smtpd::{Exchange, Part};
use master::explaining::Explainer;
use master::running::Scale;
use master::start::Start;

use crate::{EX_USAGE, Invocation, configuration, print_line};

const HELP: &str = "\
usage: yubin explain --client IP --to ADDRESS [OPTION ...]

Says what the SMTP service would answer to this client, and why: each restriction that is asked, the line of each table that
decides, what becomes of the addresses, by which transport the mail goes, where it ends. The configuration is read anew and nothing is
sent or written; DNS and policy services are asked as they would be, and a policy service may remember it.

  --client IP       the client's address; [IP] and IPv6:IP are taken as well
  --name NAME       its name, as if DNS said so; default: what DNS says
  --helo NAME       what it says behind EHLO; default: its address in brackets
  --from ADDRESS    the sender; default: the null sender
  --to ADDRESS      the recipient; several times: each is explained
  --sasl USER       who has logged in
  --service NAME    the row of master.cf; default: the first that is smtpd
  --json            a JSON object for each recipient
  -c DIR            the configuration (MAIL_CONFIG does the same); default: /etc/yubin when it is there, /etc/postfix

Ends with 0 when every recipient is accepted, with 1 when not. A client with an address that needs it says SMTPUTF8, where that is offered.";

/// What is asked.
#[derive(Debug, Default)]
struct Wanted {
    client: Option<IpAddr>,
    name: Option<String>,
    helo: Option<String>,
    from: String,
    to: Vec<String>,
    sasl: Option<String>,
    service: Option<String>,
    json: bool,
    directory: Option<String>,
}

impl Wanted {
    fn of(args: &[String]) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, joined) = match arg.split_once('=').filter(|_| arg.starts_with("--")) {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let mut value = || -> Result<String> {
                let value = joined.clone().or_else(|| args.next().cloned());
                let value = value.with_context(|| format!("{name} needs a value"))?;
                match value.contains(|c: char| c.is_control()) {
                    true => bail!("{name}: a control character cannot be said"),
                    false => Ok(value),
                }
            };
            match name {
                "--client" => {
                    let text = value()?;
                    let address = address_of(&text);
                    wanted.client =
                        Some(address.with_context(|| format!("--client {text}: this is no IP address"))?);
                }
                "--name" => wanted.name = Some(value()?),
                "--helo" => wanted.helo = Some(value()?),
                "--from" => wanted.from = bare(&value()?),
                "--to" => wanted.to.push(bare(&value()?)),
                "--sasl" => wanted.sasl = Some(value()?),
                "--service" => wanted.service = Some(value()?),
                "--json" => wanted.json = true,
                "-c" => wanted.directory = Some(value()?),
                other => bail!("there is no option \"{other}\" (see --help)"),
            }
        }
        Ok(wanted)
    }

    /// A part for each recipient.
    fn parts(&self) -> Result<Vec<Part>> {
        let client = self
            .client
            .context("whose mail? --client is missing (see --help)")?;
        if self.to.is_empty() {
            bail!("mail to whom? --to is missing (see --help)");
        }
        let local = match client {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        let literal = match client {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        let helo = self.helo.clone().unwrap_or(literal);
        let part = |recipient: &String| Part {
            client: SocketAddr::new(client, 0),
            local: SocketAddr::new(local, 25),
            name: self.name.clone(),
            helo: helo.clone(),
            sender: self.from.clone(),
            recipient: recipient.clone(),
            login: self.sasl.clone(),
        };
        Ok(self.to.iter().map(part).collect())
    }
}

/// An address as people copy it: from a log, a Received field, or of a socket that serves IPv6 and IPv4.
fn address_of(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let text = inner.unwrap_or(text);
    let tagged = text
        .split_at_checked("IPv6:".len())
        .filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    let address: IpAddr = tagged.map_or(text, |(_, address)| address).parse().ok()?;
    Some(address.to_canonical())
}

/// Without the brackets of an SMTP path.
fn bare(text: &str) -> String {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    inner.unwrap_or(text).to_owned()
}

/// Runs the command.
pub(crate) fn run(invocation: &Invocation) -> ExitCode {
    if invocation.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let asked = Wanted::of(&invocation.args).and_then(|wanted| Ok((wanted.parts()?, wanted)));
    let (parts, wanted) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            return ExitCode::from(EX_USAGE);
        }
    };
    match explain(&wanted, &parts) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            invocation.complain(os::with_causes(error.as_ref()));
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Whether every recipient is accepted; all about them was printed.
fn explain(wanted: &Wanted, parts: &[Part]) -> Result<bool> {
    let start = Start {
        scale: Scale::Host,
        config_directory: Some(configuration::directory(wanted.directory.as_deref())),
        dovecot: DovecotFile::Beside,
    };
    let mut is_accepted = true;
    for (number, part) in parts.iter().enumerate() {
        // Each is a session of its own, which knows nothing of the one before.
        let explanation = Explainer::new(&start, wanted.service.as_deref())?.explain(part)?;
        match wanted.json {
            true => print_line(&json::of(&explanation).to_string()),
            false => {
                if number > 0 {
                    print_line("");
                }
                text::of(&explanation).iter().for_each(|line| print_line(line));
            }
        }
        is_accepted &= explanation.exchanges.iter().all(Exchange::is_accepted);
    }
    Ok(is_accepted)
}

/// The rule that made the reply a refusal, if a restriction did.
fn deciding(exchange: &Exchange) -> Option<&Rule> {
    exchange.decided.as_ref().filter(|_| !exchange.is_accepted())
}

/// What the outcome of a step is called.
fn words(decided: &Decided) -> String {
    match decided {
        Decided::Dunno => "no opinion".to_owned(),
        Decided::Permit => "permits".to_owned(),
        Decided::Refuse(refusal) => format!("refuses: {refusal}"),
        Decided::WouldRefuse(refusal) => format!("would refuse: {refusal}"),
        Decided::DeferIfPermit(refusal) => format!("refuses if nothing else does: {refusal}"),
        Decided::DeferIfReject(refusal) => format!("refuses in the place of what refuses: {refusal}"),
        Decided::Action(action) => format!("does: {action}"),
        Decided::Goes => "asks:".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_copy_them() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("::ffff:127.0.0.7", "127.0.0.7"),
            ("[::1]", "::1"),
            ("IPv6:2001:db8::5", "2001:db8::5"),
            ("[ipv6:2001:db8::5]", "2001:db8::5"),
        ] {
            assert_eq!(address_of(text), address.parse().ok(), "{text}");
        }
        for none in ["", "[", "IPv6:", "192.0.2", "client.example", "é::1"] {
            assert_eq!(address_of(none), None, "{none}");
        }
    }

    #[test]
    fn each_recipient_is_a_part() {
        let args = ["--client=::ffff:192.0.2.7", "--to", "<a@b.test>", "--to=c@d.test"];
        let wanted = Wanted::of(&args.map(str::to_owned)).expect("understood");
        let parts = wanted.parts().expect("two");
        let recipients: Vec<&str> = parts.iter().map(|part| part.recipient.as_str()).collect();
        assert_eq!(recipients, ["a@b.test", "c@d.test"]);
        assert_eq!(parts[0].helo, "[192.0.2.7]");
        let none = Wanted::of(&["--client=192.0.2.7".to_owned()]).expect("understood");
        assert!(none.parts().is_err());
    }
}
