//! The other macros of a `sendmail.mc`: `MASQUERADE_AS(…)`, `DAEMON_OPTIONS(…)` and so on.

use super::{Outcome, Reading, not_taken, nothing, take};

impl Reading<'_> {
    pub(super) fn macro_call(&mut self, name: &str, arguments: &[String]) -> Outcome {
        let first = arguments.first().map(|text| text.trim()).unwrap_or_default();
        match name {
            "VERSIONID" => nothing("it is a comment"),
            "OSTYPE" => nothing("Yubin knows the places of its system"),
            "DOMAIN" if first == "generic" || first.starts_with("debian") => nothing("it sets what is usual"),
            "DOMAIN" | "HACK" | "SITECONFIG" | "SITE" => {
                not_taken("what stands in that file is not read: import it by itself")
            }
            "include" | "sinclude" if first.ends_with("cf.m4") => nothing("it is Sendmail's own"),
            "include" | "sinclude" => not_taken("files are not followed: import it by itself"),
            "undefine" | "changequote" | "ifdef" | "ifelse" | "errprint" => {
                nothing("it has no effect by itself")
            }
            "MAILER" | "MODIFY_MAILER_FLAGS" => mailer(name, first),
            "LOCAL_DOMAIN" => take("mydestination", &words(first)),
            "RELAY_DOMAIN" => take("relay_domains", &words(first)),
            "RELAY_DOMAIN_FILE" => take("relay_domains", first),
            "VIRTUSER_DOMAIN" => take("virtual_alias_domains", &words(first)),
            "VIRTUSER_DOMAIN_FILE" => self.list_file(first, "virtuser-domains"),
            "GENERICS_DOMAIN_FILE" => self.list_file(first, "generics-domains"),
            "GENERICS_DOMAIN" => not_taken(format!(
                "write {} into {}/generics-domains",
                words(first),
                self.directory
            )),
            "TRUST_AUTH_MECH" => {
                Outcome::Taken(vec![("smtpd_sasl_auth_enable".to_owned(), "yes".to_owned())])
            }
            "DAEMON_OPTIONS" | "CLIENT_OPTIONS" => self.listener(name, first),
            "INPUT_MAIL_FILTER" | "MAIL_FILTER" => {
                filter(arguments.get(1).map(|text| text.as_str()).unwrap_or_default())
            }
            "LOCAL_USER" => nothing("aliases are asked first"),
            "CANONIFY_DOMAIN" | "UUCPSMTP" => nothing("there is nothing like it"),
            _ => not_taken("it is not known"),
        }
    }

    fn list_file(&self, file: &str, own: &str) -> Outcome {
        let file = file
            .split_whitespace()
            .rfind(|word| !word.starts_with('-'))
            .unwrap_or_default();
        let usual = format!("{}/{own}", self.directory);
        match file == usual {
            true => take("yubin_sendmail_directory", self.directory),
            false => not_taken(format!(
                "make {usual} a link to {file}: the file must have this name"
            )),
        }
    }

    /// `Name=MTA, Port=smtp, Addr=127.0.0.1, M=Ea`
    fn listener(&mut self, name: &str, text: &str) -> Outcome {
        let option = |wanted: &str| {
            let options = text.split(',').filter_map(|option| option.split_once('='));
            let found = options.into_iter().find(|(name, _)| {
                let name = name.trim();
                name.eq_ignore_ascii_case(wanted)
                    || (wanted.len() > 1 && name.eq_ignore_ascii_case(&wanted[..1]))
            });
            found.map(|(_, value)| value.trim())
        };
        let address = option("Addr");
        if name == "CLIENT_OPTIONS" {
            return match address {
                Some(address) if address.contains(':') => take("smtp_bind_address6", address),
                Some(address) => take("smtp_bind_address", address),
                None => not_taken("no setting does this"),
            };
        }
        let port = option("Port").unwrap_or("smtp");
        let at = match address {
            Some(address) if address.contains(':') => format!("[{address}]:"),
            Some(address) => format!("{address}:"),
            None => String::new(),
        };
        let wants_login = option("Modifiers").is_some_and(|flags| flags.contains('a'))
            || text.split(',').any(|option| {
                let option = option.trim();
                option.strip_prefix("M=").is_some_and(|flags| flags.contains('a'))
            });
        let login = match wants_login {
            true => {
                " -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
            }
            false => "",
        };
        match (port, address) {
            ("smtp" | "25", None) => nothing("mail is taken on port 25 of every interface (inet_interfaces)"),
            ("smtp" | "25", Some("127.0.0.1" | "::1" | "localhost")) => {
                take("inet_interfaces", "loopback-only")
            }
            ("smtp" | "25", Some(address)) => take("inet_interfaces", address),
            ("submission" | "587", _) => {
                self.has_no_default_msa = true;
                Outcome::Service(format!("{at}submission inet n - n - - smtpd{login}"))
            }
            ("smtps" | "465", _) if !self.defined.contains_key("confSERVER_CERT") => not_taken(format!(
                "there is no certificate (confSERVER_CERT). With one, add a row to master.cf: {at}smtps inet n - n - - \
                 smtpd -o smtpd_tls_wrappermode=yes{login}"
            )),
            ("smtps" | "465", _) => Outcome::Service(format!(
                "{at}smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes{login}"
            )),
            (port, _) => Outcome::Service(format!("{at}{port} inet n - n - - smtpd{login}")),
        }
    }

    /// A port to serve.
    pub(super) fn serve(&mut self, line: usize, statement: &str, row: &str) {
        self.note(line, statement, Outcome::Service(row.to_owned()));
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(", ")
}

fn mailer(name: &str, which: &str) -> Outcome {
    match (name, which) {
        ("MAILER", "local" | "smtp" | "procmail") => nothing("it is there"),
        ("MAILER", "uucp" | "usenet") => not_taken("there is no such mailer"),
        ("MAILER", "cyrus" | "cyrusv2") => not_taken("set mailbox_transport = lmtp:unix:/path/of/the/socket"),
        ("MAILER", _) => not_taken("a mailer of one's own is a row of master.cf with the command pipe"),
        _ => nothing("mailers have no flags"),
    }
}

/// `S=local:/run/x, F=T, T=…`
fn filter(text: &str) -> Outcome {
    let options = text.split(',').filter_map(|option| option.split_once('='));
    let options: Vec<(&str, &str)> = options.map(|(name, value)| (name.trim(), value.trim())).collect();
    let Some((_, socket)) = options.iter().find(|(name, _)| *name == "S") else {
        return not_taken("it names no socket (S=)");
    };
    let flag = options
        .iter()
        .find(|(name, _)| *name == "F")
        .map(|(_, flag)| *flag);
    let action = match flag {
        Some("R") => "reject",
        Some("T" | "4") => "tempfail",
        _ => "accept",
    };
    let (kind, place) = socket.split_once(':').unwrap_or(("local", socket));
    let socket = match (kind, place.split_once('@')) {
        ("local" | "unix", _) => format!("unix:{place}"),
        ("inet" | "inet6", Some((port, host))) => format!("inet:{}:{port}", host.trim_matches(['[', ']'])),
        ("inet" | "inet6", None) => format!("inet:localhost:{place}"),
        _ => return not_taken(format!("{kind} is no kind of socket")),
    };
    let times = options.iter().find(|(name, _)| *name == "T");
    let times = times.map(|(_, times)| waits(times)).unwrap_or_default();
    Outcome::Taken(vec![(
        "smtpd_milters".to_owned(),
        format!("{{ {socket}, default_action={action}{times} }}"),
    )])
}

/// The time limits of a filter: `C:5m;S:10s;R:10s;E:5m` for connecting, sending, reading and the answer to the end.
fn waits(text: &str) -> String {
    let of = |wanted: &str| {
        let mut times = text.split(';').filter_map(|time| time.trim().split_once(':'));
        times
            .find(|(name, _)| *name == wanted)
            .map(|(_, time)| time.trim())
    };
    let named = [
        ("connect_timeout", of("C")),
        ("command_timeout", of("R").or_else(|| of("S"))),
        ("content_timeout", of("E")),
    ];
    let set = named
        .iter()
        .filter_map(|(name, time)| Some(format!(", {name}={}", (*time)?)));
    set.collect()
}
