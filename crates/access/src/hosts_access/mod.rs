//! `/etc/hosts.allow` and `/etc/hosts.deny` (hosts_access(5), hosts_options(5)): which clients may connect at all.
//!
//! Pure: [`parse`] makes [`Rules`] of a file's text, [`decide`] asks both. Commands (`spawn`, `twist`, `aclexec`) are never run;
//! where one would decide, the client is refused, and the file's reader is told.

mod patterns;

use std::net::IpAddr;

use patterns::List;

/// The longest file that is read, in octets.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// What is known of a client's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// The name of its address, whose addresses it is among.
    Known(&'a str),
    /// There is none, or it was not asked for.
    Unknown,
    /// There is one, but the client's address is not among that name's.
    Paranoid,
}

/// Who comes, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The names that the service goes by in these files.
    pub daemons: &'a [&'a str],
    /// The client's address.
    pub address: IpAddr,
    /// The client's name.
    pub name: Name<'a>,
    /// Our address.
    pub local: IpAddr,
}

/// What a rule that matches says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// What its file is for.
    AsItsFile,
    Allow,
    Refuse,
}

#[derive(Debug, Clone)]
struct Rule {
    line: usize,
    daemons: List,
    clients: List,
    says: Says,
}

/// The rules of one file, in order.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

/// Something in a file that does not do what its writer thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of the rule, from 1.
    pub line: usize,
    /// What is wrong, and what happens instead.
    pub text: String,
}

/// May the client connect?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No, by that line of hosts.allow.
    RefusedByAllow(usize),
    /// No, by that line of hosts.deny.
    RefusedByDeny(usize),
}

impl Rules {
    /// Whether a client's name can make a difference.
    pub fn need_names(&self) -> bool {
        let mut lists = self.0.iter().map(|rule| &rule.clients);
        lists.any(List::needs_names)
    }

    fn first_match(&self, caller: &Caller<'_>) -> Option<&Rule> {
        self.0.iter().find(|rule| {
            rule.daemons.has_daemon(caller)
                && (rule.clients.is_unreadable() || rule.clients.has_client(caller))
        })
    }
}

/// Asks hosts.allow, then hosts.deny: the first rule that matches decides; a client of whom neither speaks may come.
pub fn decide(allow: &Rules, deny: &Rules, caller: &Caller<'_>) -> Verdict {
    if let Some(rule) = allow.first_match(caller) {
        return match rule.says {
            Says::AsItsFile | Says::Allow => Verdict::Allowed,
            Says::Refuse => Verdict::RefusedByAllow(rule.line),
        };
    }
    match deny.first_match(caller) {
        Some(rule) if rule.says != Says::Allow => Verdict::RefusedByDeny(rule.line),
        _ => Verdict::Allowed,
    }
}

/// What a file of patterns holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Included {
    /// This text.
    Text(String),
    /// There is no such file: nobody is in it.
    Missing,
    /// It is there and cannot be read, for this reason: rules that name it refuse.
    Unreadable(String),
}

/// The files of patterns that a file's text names.
pub fn files_of(text: &str) -> Vec<String> {
    let mut files = Vec::new();
    parse(text, &mut |path| {
        files.push(path.to_owned());
        Included::Missing
    });
    files
}

/// Reads a file's text. `include` gives the text of a file that a pattern names (`/etc/mail/friends`).
pub fn parse(text: &str, include: &mut dyn FnMut(&str) -> Included) -> (Rules, Vec<Problem>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for (line, text) in logical_lines(text) {
        let mut told = |text: String| problems.push(Problem { line, text });
        let fields = fields(&text);
        let [daemons, clients, options @ ..] = fields.as_slice() else {
            told("there is no \":\" between daemons and clients: the line is ignored".to_owned());
            continue;
        };
        rules.push(Rule {
            line,
            daemons: List::of_daemons(daemons),
            clients: List::of_clients(clients, include, &mut told),
            says: said(options, &mut told),
        });
        if let Some(rule) = rules
            .last_mut()
            .filter(|rule: &&mut Rule| rule.clients.is_unreadable())
        {
            rule.says = Says::Refuse;
        }
    }
    (Rules(rules), problems)
}

/// Lines without comments and empty ones, those that end in a backslash joined; each with its first line's number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, before)) => before.push_str(line),
            None => lines.push((number + 1, line.to_owned())),
        }
        goes_on = more;
    }
    lines.retain(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
}

/// The parts between colons that are not in brackets (IPv6) and have no backslash before them.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut in_brackets = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        in_brackets = (in_brackets || letter == '[') && letter != ']';
        match (letter, fields.last_mut()) {
            (':', _) if !in_brackets => fields.push(String::new()),
            ('\\', Some(field)) if letters.peek() == Some(&':') => {
                letters.next();
                field.push(':');
            }
            (_, Some(field)) => field.push(letter),
            (_, None) => {}
        }
    }
    fields
}

/// What the options make of a rule.
fn said(options: &[String], told: &mut dyn FnMut(String)) -> Says {
    let mut says = Says::AsItsFile;
    for option in options.iter().map(|option| option.trim()) {
        let end = option.find([' ', '\t', '=']).unwrap_or(option.len());
        let word = option[..end].to_ascii_lowercase();
        match word.as_str() {
            "allow" => says = Says::Allow,
            "deny" => says = Says::Refuse,
            "spawn" => told("spawn: the command is not run; the rule counts without it".to_owned()),
            "twist" | "aclexec" => {
                told(format!("{word}: the command is not run; the rule refuses"));
                says = Says::Refuse;
            }
            // How a process that inetd starts would run, and what it would log.
            "severity" | "keepalive" | "linger" | "nice" | "umask" | "user" | "group" | "setenv"
            | "rfc931" | "banners" => {
                told(format!("{word}: the option has no effect"));
            }
            _ => {
                told(format!("there is no option \"{option}\": the rule refuses"));
                says = Says::Refuse;
            }
        }
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> (Rules, Vec<String>) {
        let mut include = |path: &str| match path {
            "/friends" => Included::Text("192.0.2.7\n .friends.example EXCEPT /more\n".to_owned()),
            "/closed" => Included::Unreadable("Permission denied".to_owned()),
            _ => Included::Missing,
        };
        let (rules, problems) = parse(text, &mut include);
        let told = |problem: Problem| format!("{}: {}", problem.line, problem.text);
        (rules, problems.into_iter().map(told).collect())
    }

    fn ask(allow: &str, deny: &str, address: &str, name: Name<'_>) -> Verdict {
        let caller = Caller {
            daemons: &["smtpd", "sendmail"],
            address: address.parse().expect("an address"),
            name,
            local: "192.0.2.1".parse().expect("an address"),
        };
        decide(&rules(allow).0, &rules(deny).0, &caller)
    }

    #[test]
    fn allow_comes_first_then_deny_then_all_may() {
        const DENY: &str = "# nobody\n\nALL: ALL\n";
        let of = |allow, address| ask(allow, DENY, address, Name::Unknown);
        assert_eq!(of("smtpd: 192.0.2.\n", "192.0.2.9"), Verdict::Allowed);
        assert_eq!(of("smtpd: 192.0.2.\n", "192.0.20.9"), Verdict::RefusedByDeny(3));
        assert_eq!(of("imapd: ALL\n", "192.0.2.9"), Verdict::RefusedByDeny(3));
        assert_eq!(of("imapd, sendmail : ALL\n", "192.0.2.9"), Verdict::Allowed);
        assert_eq!(
            ask("", "imapd: ALL", "192.0.2.9", Name::Unknown),
            Verdict::Allowed
        );
    }

    #[test]
    fn clients() {
        let known = Name::Known("mx.Example.org");
        for (pattern, address, name, matches) in [
            ("192.0.2.0/255.255.255.0", "192.0.2.200", Name::Unknown, true),
            ("192.0.2.0/24", "192.0.3.1", Name::Unknown, false),
            ("[2001:db8::]/32", "2001:db8:1::1", Name::Unknown, true),
            ("[2001:db8::1]", "2001:db8::2", Name::Unknown, false),
            ("[2001:db8::2]", "2001:db8::2", Name::Unknown, true),
            ("[2001:db8:*]", "2001:db8::2", Name::Unknown, false),
            ("[*]", "192.0.2.6", known, false),
            ("192.0.2.5 192.0.2.6", "192.0.2.6", Name::Unknown, true),
            (".example.org", "192.0.2.6", known, true),
            (".example.org", "192.0.2.6", Name::Unknown, false),
            ("MX.example.ORG", "192.0.2.6", known, true),
            ("*.example.*", "192.0.2.6", known, true),
            ("192.0.?.*", "192.0.2.6", known, true),
            ("LOCAL", "127.0.0.1", Name::Known("localhost"), true),
            ("LOCAL", "192.0.2.6", known, false),
            ("KNOWN", "192.0.2.6", known, true),
            ("KNOWN", "192.0.2.6", Name::Unknown, false),
            ("UNKNOWN", "192.0.2.6", Name::Unknown, true),
            ("PARANOID", "192.0.2.6", Name::Paranoid, true),
            ("PARANOID", "192.0.2.6", Name::Unknown, false),
            (
                "ALL EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.6",
                "192.0.2.6",
                known,
                true,
            ),
            (
                "ALL EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.6",
                "192.0.2.7",
                known,
                false,
            ),
            ("/friends", "192.0.2.7", Name::Unknown, true),
            ("/friends", "192.0.2.8", Name::Known("a.friends.example"), true),
            ("ALL@192.0.2.8", "192.0.2.8", Name::Unknown, true),
            ("root@192.0.2.8", "192.0.2.8", Name::Unknown, false),
            ("/friends except 192.0.2.7", "192.0.2.7", Name::Unknown, false),
            ("all Except local", "127.0.0.1", Name::Known("localhost"), false),
            ("Unknown", "192.0.2.6", Name::Unknown, true),
            ("all@192.0.2.8", "192.0.2.8", Name::Unknown, true),
            ("/closed", "192.0.2.8", Name::Unknown, true),
            ("ALL EXCEPT /closed", "192.0.2.8", Name::Unknown, true),
        ] {
            let refused = ask("", &format!("smtpd: {pattern}"), address, name) != Verdict::Allowed;
            assert_eq!(refused, matches, "{pattern} and {address} {name:?}");
        }
    }

    #[test]
    fn daemons_and_our_address() {
        let of = |daemons: &str| {
            ask("", &format!("{daemons}: ALL"), "192.0.2.9", Name::Unknown) != Verdict::Allowed
        };
        assert!(of("ALL") && of("smtpd@192.0.2.1") && of("ALL EXCEPT sshd") && of("sshd \\\n smtpd"));
        assert!(of("all") && of("SMTPD") && of("s*") && of("All except s?hd") && of("smtp?@ALL"));
        assert!(!of("ALL EXCEPT smtpd") && !of("ALL except SMTP*") && !of("smtpd@192.0.2.2") && !of("sshd"));
    }

    #[test]
    fn options_and_what_is_told() {
        let of = |allow, deny| ask(allow, deny, "192.0.2.9", Name::Unknown);
        assert_eq!(of("ALL: ALL: deny", ""), Verdict::RefusedByAllow(1));
        assert_eq!(of("", "ALL: ALL: ALLOW"), Verdict::Allowed);
        assert_eq!(of("imapd: /closed\nsmtpd: ALL\n", "ALL: ALL"), Verdict::Allowed);
        let closed = of("smtpd: 192.0.2.9 /closed\nsmtpd: ALL\n", "");
        assert_eq!(closed, Verdict::RefusedByAllow(1), "whom it lets in is not known");
        assert_eq!(
            files_of("ALL: /a EXCEPT /b\n# /c\n/d: /e: /f\n"),
            ["/a", "/b", "/e"]
        );
        assert_eq!(
            of("ALL: ALL: spawn (echo a \\: b) &", "ALL: ALL"),
            Verdict::Allowed
        );
        assert_eq!(of("ALL: ALL: twist /bin/echo no", ""), Verdict::RefusedByAllow(1));
        assert_eq!(of("ALL: ALL: no-such-option", ""), Verdict::RefusedByAllow(1));
        assert_eq!(of("ALL: ALL:", ""), Verdict::RefusedByAllow(1));
        let told =
            rules("smtpd\nsmtpd: /nowhere: spawn x\nsmtpd: /closed\nALL: @staff 10.0.0.0/33: twist y\n").1;
        assert_eq!(
            told,
            [
                "1: there is no \":\" between daemons and clients: the line is ignored",
                "2: /nowhere: no such file: the pattern matches nobody",
                "2: spawn: the command is not run; the rule counts without it",
                "3: /closed: Permission denied: the rule refuses until the file can be read",
                "4: @staff: netgroups are not there: the pattern matches nobody",
                "4: 10.0.0.0/33: this is no network: the pattern matches nobody",
                "4: twist: the command is not run; the rule refuses",
            ]
        );
    }

    #[test]
    fn names_are_asked_for_only_when_they_matter() {
        let needs = |text| rules(text).0.need_names();
        assert!(needs("ALL: .example.org") && needs("ALL: ALL EXCEPT LOCAL") && needs("smtpd: host"));
        assert!(!needs("ALL: ALL") && !needs("ALL: 192.0.2. 10.0.0.0/8 [::1]") && !needs(""));
    }
}
