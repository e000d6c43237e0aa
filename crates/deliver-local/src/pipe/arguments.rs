//! The command line of a pipe: macros in its words, and words that stand there once for each recipient.

use address::Address;

use super::Mail;
use crate::command::unquoted;
use crate::task::Facts;

/// What the macros say.
pub(super) struct Told<'a> {
    pub(super) mail: &'a Mail,
    pub(super) facts: &'a Facts,
    pub(super) size_bytes: u64,
    pub(super) null_sender: &'a str,
    pub(super) delimiters: &'a str,
}

/// Macros that say the same whoever the recipient is.
const OF_MESSAGE: [&str; 12] = [
    "client_address",
    "client_helo",
    "client_hostname",
    "client_port",
    "client_protocol",
    "nexthop",
    "queue_id",
    "sasl_method",
    "sasl_sender",
    "sasl_username",
    "sender",
    "size",
];
/// Macros about a recipient.
const OF_RECIPIENT: [&str; 6] = [
    "domain",
    "extension",
    "mailbox",
    "original_recipient",
    "recipient",
    "user",
];

/// A piece of a word.
enum Piece<'a> {
    Text(&'a str),
    Macro(&'a str),
}

/// Looks at the macros of a command line.
///
/// # Errors
/// The first that there is not.
pub(super) fn check(argv: &[String]) -> Result<(), String> {
    let macros = argv
        .iter()
        .flat_map(|word| pieces(word))
        .filter_map(|piece| match piece {
            Piece::Macro(name) => Some(name.to_owned()),
            Piece::Text(_) => None,
        });
    let is_known = |name: &str| OF_MESSAGE.contains(&name) || OF_RECIPIENT.contains(&name);
    match macros.into_iter().find(|name| !is_known(name)) {
        Some(name) => Err(format!("argv= has ${{{name}}}, and there is no such macro")),
        None => Ok(()),
    }
}

/// The command line for a message.
pub(super) fn expanded(argv: &[String], told: &Told<'_>, flags: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in argv {
        let pieces = pieces(word);
        let about_recipients =
            |piece: &Piece<'_>| matches!(piece, Piece::Macro(name) if OF_RECIPIENT.contains(name));
        if pieces.iter().any(about_recipients) {
            let recipients = told.mail.recipients.iter();
            words.extend(recipients.map(|recipient| with(&pieces, told, Some(recipient), flags)));
        } else {
            words.push(with(&pieces, told, None, flags));
        }
    }
    words
}

fn with(
    pieces: &[Piece<'_>],
    told: &Told<'_>,
    recipient: Option<&(Address, Address)>,
    flags: &str,
) -> String {
    let value = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Macro(name) => of_message(name, told, flags)
            .or_else(|| of_recipient(name, recipient?, told.delimiters, flags))
            .unwrap_or_default(),
    };
    pieces.iter().map(value).collect()
}

fn of_message(name: &str, told: &Told<'_>, flags: &str) -> Option<String> {
    let client = &told.facts.client;
    Some(match name {
        "client_address" => client.address.clone(),
        "client_helo" => client.helo.clone(),
        "client_hostname" => client.hostname.clone(),
        "client_port" => told.mail.client_port.clone(),
        "client_protocol" => client.protocol.clone(),
        "nexthop" => folded(told.mail.next_hop.clone(), 'h', flags),
        "queue_id" => told.mail.queue_id.clone(),
        "sasl_method" => client.sasl_method.clone(),
        "sasl_sender" => client.sasl_sender.clone(),
        "sasl_username" => client.sasl_username.clone(),
        "sender" => match &told.facts.sender {
            Some(sender) => quoted(sender, flags),
            None => told.null_sender.to_owned(),
        },
        "size" => told.size_bytes.to_string(),
        _ => return None,
    })
}

fn of_recipient(
    name: &str,
    (address, original): &(Address, Address),
    delimiters: &str,
    flags: &str,
) -> Option<String> {
    let cut = address.strip_extension(delimiters);
    Some(match name {
        "recipient" => quoted(&lowered(address, flags), flags),
        "original_recipient" => quoted(&lowered(original, flags), flags),
        "mailbox" => folded(address.local().to_owned(), 'u', flags),
        "user" => {
            let user = cut.map_or_else(
                || address.local().to_owned(),
                |(plain, _)| plain.local().to_owned(),
            );
            folded(user, 'u', flags)
        }
        "extension" => folded(
            cut.map(|(_, extension)| extension.to_owned()).unwrap_or_default(),
            'u',
            flags,
        ),
        "domain" => {
            let domain = address.domain().map(|domain| domain.as_str().to_owned());
            folded(domain.unwrap_or_default(), 'h', flags)
        }
        _ => return None,
    })
}

/// In lower case where the flag says so.
fn folded(text: String, flag: char, flags: &str) -> String {
    if flags.contains(flag) {
        text.to_lowercase()
    } else {
        text
    }
}

/// The address with its parts in lower case where flags say so.
fn lowered(address: &Address, flags: &str) -> Address {
    let local = folded(address.local().to_owned(), 'u', flags);
    let domain = address.domain().map(|domain| {
        let lower = folded(domain.as_str().to_owned(), 'h', flags);
        address::Domain::parse(&lower).unwrap_or_else(|_| domain.clone())
    });
    Address::new(&local, domain)
}

/// The address with quotes where the flag wants them and it needs them.
fn quoted(address: &Address, flags: &str) -> String {
    if flags.contains('q') {
        address.to_string()
    } else {
        unquoted(address)
    }
}

/// `$name`, `${name}`, `$(name)`, `$$` for a dollar sign.
fn pieces(word: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        pieces.push(Piece::Text(&rest[..at]));
        let behind = &rest[at + 1..];
        let closing = match behind.chars().next() {
            Some('$') => {
                pieces.push(Piece::Text("$"));
                rest = &behind[1..];
                continue;
            }
            Some('{') => Some('}'),
            Some('(') => Some(')'),
            _ => None,
        };
        if let Some(closing) = closing {
            let end = behind.find(closing).unwrap_or(behind.len());
            pieces.push(Piece::Macro(&behind[1..end]));
            rest = behind.get(end + 1..).unwrap_or_default();
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
            pieces.push(match end {
                0 => Piece::Macro(""),
                end => Piece::Macro(&behind[..end]),
            });
            rest = &behind[end..];
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}
