//! The recipients that a message's own header names, for `sendmail -t`.

use ::address::{Address, list};

/// The addresses of To, Cc and Bcc; when there is any Resent- recipient header, of those instead (sendmail(1), RFC
/// 5322 §3.6.6). In order, without doubles.
pub fn of_header(message: &[u8]) -> Vec<Address> {
    let named = |names: [&'static str; 3]| {
        message::header::fields(message).filter(move |field| names.iter().any(|name| field.is(name)))
    };
    let resent = ["resent-to", "resent-cc", "resent-bcc"];
    let names = if named(resent).next().is_some() {
        resent
    } else {
        ["to", "cc", "bcc"]
    };
    let mut recipients: Vec<Address> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for field in named(names) {
        let entries = list::parse(field.body);
        for address in list::mailboxes(&entries).flat_map(of_entry) {
            if seen.insert(address.clone()) {
                recipients.push(address);
            }
        }
    }
    recipients
}

/// The addresses of an entry; `<@x>` too, which has no local part: what becomes of it is for the host `x` to say, and its
/// sender hears of it.
fn of_entry(mailbox: &list::Mailbox) -> Vec<Address> {
    let lacks_local = mailbox.local.is_empty() && mailbox.domain.is_some();
    let filled = || {
        let mut filled = mailbox.clone();
        filled.local = b"x".to_vec();
        filled.address()
    };
    if lacks_local {
        let filled = filled().map(|address| Address::new("", address.domain().cloned()));
        return filled.into_iter().collect();
    }
    mailbox.recipients().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_found() {
        let found = |text: &str| {
            of_header(text.as_bytes())
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found("To: a@b, g: c;\nCc: A <a@b>\nBcc: d@e\n\nTo: no@one\n"),
            ["a@b", "c", "d@e"]
        );
        assert_eq!(found("To: <@x>, a\n\n"), ["\"\"@x", "a"]);
        // Nobody is made up, nobody is passed over.
        assert_eq!(
            found("To: q r@e.test, bob smith, Joe Doe <j@d>, a . b@c\n\n"),
            ["q", "r@e.test", "bob", "smith", "j@d", "a.b@c"]
        );
        assert_eq!(found("To: a@b\nResent-To: x@y\n\n"), ["x@y"]);
    }
}
