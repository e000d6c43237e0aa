//! The words on the wire: command lines, capabilities, text for a reply.

/// What CAPA lists before and after login (RFC 2449 §6).
pub(crate) const CAPABILITIES: [&str; 6] = [
    "CAPA",
    "TOP",
    "UIDL",
    "RESP-CODES",
    "PIPELINING",
    "AUTH-RESP-CODE",
];

/// As above, after what Dovecot has in the same place (RFC 6856).
pub(crate) const MORE_CAPABILITIES: [&str; 2] = ["UTF8", "LANG"];

/// What the login phase says last.
pub(crate) const LOGGED_IN: &str = "+OK Logged in.";

/// A command line: a word, perhaps a space and the rest of the line as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    /// The keyword in capitals.
    pub(crate) name: String,
    /// Everything after the first space; passwords may begin and end with spaces.
    pub(crate) argument: &'a [u8],
}

impl Command<'_> {
    /// Takes a line without its end apart. Never fails: an unknown keyword is the caller's matter.
    pub(crate) fn parse(line: &[u8]) -> Command<'_> {
        let end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
        let name = String::from_utf8_lossy(&line[..end]).to_ascii_uppercase();
        Command {
            name,
            argument: line.get(end + 1..).unwrap_or(&[]),
        }
    }
}

/// Text of ours, of a table or of the client, made fit for one response line.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
}

/// The number that an argument begins with, up to `most`, and what follows it; or the complaint as Dovecot words it.
pub(crate) fn number<'a>(argument: &'a [u8], what: &str, most: u64) -> Result<(u64, &'a [u8]), String> {
    let text = argument.trim_ascii_start();
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let shown = || one_line(&String::from_utf8_lossy(text));
    let rest = &text[digits..];
    if digits == 0 {
        return Err(format!("-ERR Invalid {what}: {}", shown()));
    }
    let parsed = std::str::from_utf8(&text[..digits])
        .ok()
        .and_then(|t| t.parse::<u64>().ok());
    match parsed {
        Some(number) if number <= most => Ok((number, rest)),
        _ => {
            let mut capital = what.to_owned();
            capital[..1].make_ascii_uppercase();
            Err(format!("-ERR {capital} too large: {}", shown()))
        }
    }
}
