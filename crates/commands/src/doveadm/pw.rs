//! `doveadm pw`: makes a stored password from a password, or tests one (doveadm-pw(1)).

use std::process::ExitCode;

use sasl::scheme::{self, RANDOM_BYTES, Scheme};

use super::{Call, ask_password, fatal, usage};
use crate::print_line;

const HELP: &str = "usage: doveadm pw -l
       doveadm pw [-p PASSWORD] [-r ROUNDS] [-s SCHEME] [-V]
       doveadm pw -t HASH [-p PASSWORD]
  -l           lists the schemes
  -p PASSWORD  takes this password instead of asking for it
  -r ROUNDS    the cost, for schemes that have one
  -s SCHEME    the scheme, perhaps with .b64 or .hex (default: CRYPT, which makes bcrypt)
  -t HASH      tells whether the password fits to HASH
  -V           verifies what was made and says so";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    list: bool,
    password: Option<String>,
    rounds: Option<u32>,
    scheme: Option<String>,
    test: Option<String>,
    verify: bool,
    help: bool,
}

pub(super) fn run(call: &Call) -> ExitCode {
    let request = match request_of(&call.args) {
        Some(request) => request,
        None => return usage(HELP),
    };
    if request.help {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    if request.list {
        print_line(
            &scheme::NAMES
                .iter()
                .filter(|name| !name.contains('.'))
                .copied()
                .collect::<Vec<_>>()
                .join(" "),
        );
        return ExitCode::SUCCESS;
    }
    let done = match &request.test {
        Some(hash) => test(&request, hash),
        None => make(&request),
    };
    match done {
        Ok(line) => {
            print_line(&line);
            ExitCode::SUCCESS
        }
        Err(text) => fatal(&text),
    }
}

fn request_of(args: &[String]) -> Option<Request> {
    let mut request = Request::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (option, rest) = (arg.get(..2)?, arg.get(2..)?);
        let mut value = || {
            if rest.is_empty() {
                args.next().cloned()
            } else {
                Some(rest.to_owned())
            }
        };
        match option {
            "-l" => request.list = true,
            "-V" => request.verify = true,
            "-p" => request.password = Some(value()?),
            "-r" => request.rounds = Some(value()?.parse().ok()?),
            "-s" => request.scheme = Some(value()?),
            "-t" => request.test = Some(value()?),
            // The user name matters to DIGEST-MD5 only.
            "-u" => drop(value()?),
            "--" if arg == "--help" => request.help = true,
            _ => return None,
        }
    }
    Some(request)
}

fn test(request: &Request, hash: &str) -> Result<String, String> {
    let password = match &request.password {
        Some(password) => password.clone(),
        None => ask_password("Enter password to verify: ").map_err(|error| error.to_string())?,
    };
    if !hash.starts_with('{') {
        return Err("Failed to extract scheme from password hash: {SCHEME}hash wanted".to_owned());
    }
    check(&password, hash)?;
    Ok(format!("{hash} (verified)"))
}

fn make(request: &Request) -> Result<String, String> {
    let name = request.scheme.as_deref().unwrap_or("CRYPT").to_ascii_uppercase();
    let scheme: Scheme = name.parse().map_err(|error: sasl::Error| error.to_string())?;
    let password = match &request.password {
        Some(password) => password.clone(),
        None => new_password()?,
    };
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| format!("no random numbers: {error}"))?;
    let generate = |rounds| scheme::generate(&scheme, password.as_bytes(), rounds, &random);
    // Too little is raised to the least, as Dovecot does; too much would take days.
    let hash = match generate(request.rounds) {
        Err(sasl::Error::Rounds { rounds, low, .. }) if rounds < low => generate(Some(low)),
        other => other,
    };
    let stored = format!(
        "{{{}}}{}",
        scheme.name(),
        hash.map_err(|error| error.to_string())?
    );
    if !request.verify {
        return Ok(stored);
    }
    check(&password, &stored)?;
    Ok(format!("{stored} (verified)"))
}

/// Asked for twice on a terminal, since nobody sees what is typed.
fn new_password() -> Result<String, String> {
    let ask = |prompt| ask_password(prompt).map_err(|error| error.to_string());
    let password = ask("Enter new password: ")?;
    if os::terminal::stdin_is_terminal() && ask("Retype new password: ")? != password {
        return Err("Passwords don't match!".to_owned());
    }
    Ok(password)
}

fn check(password: &str, stored: &str) -> Result<(), String> {
    let plain: Scheme = "PLAIN".parse().map_err(|error: sasl::Error| error.to_string())?;
    match scheme::verify(password.as_bytes(), stored, &plain) {
        Ok(true) => Ok(()),
        Ok(false) => Err("reverse password verification check failed: Password mismatch".to_owned()),
        Err(error) => Err(format!("reverse password verification check failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        request_of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_is_made_passes_the_test() {
        for scheme in ["sha512-crypt", "PLAIN", "SSHA256.hex", "BLF-CRYPT"] {
            let made = make(&request(&format!("-s {scheme} -p secret -V -r0"))).unwrap();
            let stored = made.strip_suffix(" (verified)").unwrap();
            assert!(
                stored.starts_with(&format!("{{{}}}", scheme.to_ascii_uppercase())),
                "{stored}"
            );
            assert_eq!(test(&request("-p secret"), stored).unwrap(), made);
            let mismatch = "reverse password verification check failed: Password mismatch";
            assert_eq!(test(&request("-p other"), stored).unwrap_err(), mismatch);
        }
        assert!(make(&request("-p secret")).unwrap().starts_with("{CRYPT}$2y$05$"));
        let cheap = make(&request("-s BLF-CRYPT -p x -r 1")).unwrap();
        assert!(cheap.starts_with("{BLF-CRYPT}$2y$04$"), "{cheap}");
        assert!(make(&request("-s BLF-CRYPT -p x -r 99")).is_err());
        let damaged = test(&request("-p x"), "{SHA512-CRYPT}bad").unwrap_err();
        assert!(!damaged.contains("DES-CRYPT"), "{damaged}");
        assert_eq!(make(&request("-s FOO -p x")).unwrap_err(), "Unknown scheme: FOO");
        assert!(request_of(&["-Z".to_owned()]).is_none());
        assert!(request_of(&["-p".to_owned()]).is_none());
    }
}
