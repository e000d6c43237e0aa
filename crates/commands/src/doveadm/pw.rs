//! `doveadm pw`: makes a stored password from a password, or tests one (doveadm-pw(1)).

use std::process::ExitCode;

use sasl::scheme::{self, RANDOM_BYTES, Scheme, Weak};

use super::{Call, ask_password, fatal, usage};
use crate::print_line;

const HELP: &str = "usage: doveadm pw -l
       doveadm pw [-p PASSWORD] [-r ROUNDS] [-s SCHEME] [-u USER] [-V]
       doveadm pw -t HASH [-p PASSWORD] [-u USER]
  -l           lists the schemes
  -p PASSWORD  takes this password instead of asking for it
  -r ROUNDS    the cost, for schemes that have one
  -s SCHEME    the scheme, perhaps with .b64 or .hex (default: CRYPT, which makes bcrypt)
  -t HASH      tells whether the password fits to HASH
  -u USER      the user's name, which goes into DIGEST-MD5's hash
  -V           verifies what was made and says so";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    list: bool,
    password: Option<String>,
    rounds: Option<u32>,
    scheme: Option<String>,
    test: Option<String>,
    user: Option<String>,
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
            "-u" => request.user = Some(value()?),
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
        return Err("Missing {scheme} prefix from hash".to_owned());
    }
    check(request, &password, hash)?;
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
    let (user, wanted) = (request.user.as_deref(), (&scheme, password.as_bytes()));
    let generate = |rounds| scheme::generate_for(user, wanted, rounds, &random);
    // Too little is raised to the least, as Dovecot does; too much would take days.
    let hash = match generate(request.rounds) {
        Err(sasl::Error::Rounds { rounds, low, .. }) if rounds < low => generate(Some(low)),
        other => other,
    };
    let stored = format!("{{{}}}{}", scheme.name(), hash.map_err(|error| told(&error))?);
    if !request.verify {
        return Ok(stored);
    }
    check(request, &password, &stored)?;
    Ok(format!("{stored} (verified)"))
}

/// An error, and what to do about it here.
fn told(error: &sasl::Error) -> String {
    match error {
        sasl::Error::UserWanted => format!("{error}. Name it with -u"),
        error => error.to_string(),
    }
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

fn check(request: &Request, password: &str, stored: &str) -> Result<(), String> {
    let plain: Scheme = "PLAIN".parse().map_err(|error: sasl::Error| error.to_string())?;
    // Whoever asks has the hash at hand: weak or not, it is tested.
    let plain = plain.with_weak(Weak::Allowed);
    match scheme::verify_of(request.user.as_deref(), password.as_bytes(), stored, &plain) {
        Ok(true) => Ok(()),
        Ok(false) => Err("reverse password verification check failed: Password mismatch".to_owned()),
        Err(error) => Err(format!(
            "reverse password verification check failed: {}",
            told(&error)
        )),
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
        let schemes = [
            "sha512-crypt",
            "PLAIN",
            "SSHA256.hex",
            "BLF-CRYPT",
            "MD5",
            "CRAM-MD5",
            "SCRAM-SHA-256",
        ];
        for scheme in schemes {
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
        let digest = make(&request("-s DIGEST-MD5 -p x -u alice@a.b -V")).unwrap();
        assert_eq!(digest, "{DIGEST-MD5}cd65dead49acac6027d90fb73c338073 (verified)");
        let nameless = make(&request("-s DIGEST-MD5 -p x")).unwrap_err();
        assert_eq!(nameless, "DIGEST-MD5 needs the user name. Name it with -u");
        let broken = make(&request("-s OTP -p x")).unwrap_err();
        assert!(broken.contains("OTP is not supported: it is a list"), "{broken}");
        assert_eq!(make(&request("-s FOO -p x")).unwrap_err(), "Unknown scheme: FOO");
        assert!(request_of(&["-Z".to_owned()]).is_none());
        assert!(request_of(&["-p".to_owned()]).is_none());
    }
}
