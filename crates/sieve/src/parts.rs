//! Parts of addresses (RFC 5228 §2.7.4, RFC 5233).

/// Which part of an address is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AddressPart {
    /// The whole.
    #[default]
    All,
    /// Before the `@`.
    Localpart,
    /// Behind it.
    Domain,
    /// The local part before the delimiter.
    User,
    /// The local part behind it; there is none without a delimiter.
    Detail,
}

impl AddressPart {
    /// The part that the tag `name` means, and the extension that it needs.
    pub(crate) fn from_tag(name: &str) -> Option<(AddressPart, Option<&'static str>)> {
        Some(match name.to_ascii_lowercase().as_str() {
            "all" => (AddressPart::All, None),
            "localpart" => (AddressPart::Localpart, None),
            "domain" => (AddressPart::Domain, None),
            "user" => (AddressPart::User, Some("subaddress")),
            "detail" => (AddressPart::Detail, Some("subaddress")),
            _ => return None,
        })
    }

    /// This part of `local@domain`. `delimiters` are those of `recipient_delimiter`; each of them counts.
    pub(crate) fn of(self, local: &str, domain: Option<&str>, delimiters: &str) -> Option<String> {
        let split = local.find(|c| delimiters.contains(c));
        match self {
            AddressPart::All => Some(match domain {
                Some(domain) => format!("{}@{domain}", quoted(local)),
                None => local.to_owned(),
            }),
            AddressPart::Localpart => Some(local.to_owned()),
            AddressPart::Domain => domain.map(str::to_owned),
            AddressPart::User => Some(split.map_or(local, |at| &local[..at]).to_owned()),
            AddressPart::Detail => {
                let at = split?;
                let width = local[at..].chars().next().map_or(1, char::len_utf8);
                Some(local[at + width..].to_owned())
            }
        }
    }
}

/// A local part as it stands in an address: quoted when it is no dot-atom (RFC 5322 §3.4.1).
pub(crate) fn quoted(local: &str) -> String {
    let is_atom = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let plain = !local.is_empty()
        && local
            .split('.')
            .all(|word| !word.is_empty() && word.chars().all(is_atom));
    if plain {
        return local.to_owned();
    }
    let escaped: String = local
        .chars()
        .flat_map(|c| {
            if matches!(c, '"' | '\\') {
                vec!['\\', c]
            } else {
                vec![c]
            }
        })
        .collect();
    format!("\"{escaped}\"")
}

/// An address of a script, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) local: String,
    pub(crate) domain: String,
}

impl Parsed {
    /// `local@domain`.
    pub(crate) fn whole(&self) -> String {
        format!("{}@{}", quoted(&self.local), self.domain)
    }

    /// Whether both are the same mailbox: domains without regard to case.
    pub(crate) fn is(&self, other: &Parsed) -> bool {
        self.local == other.local && self.domain.eq_ignore_ascii_case(&other.domain)
    }
}

/// One address, with or without a name and brackets.
///
/// # Errors
/// Why it is none, in Pigeonhole's words.
pub(crate) fn single(text: &str) -> Result<Parsed, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("empty address".to_owned());
    }
    let entries = address::list::parse(trimmed.as_bytes());
    let bare = !trimmed.contains('<');
    if outside_quotes(trimmed, ',') {
        return Err("not a single address (found ',')".to_owned());
    }
    if trimmed.contains(['\r', '\n', '\0']) {
        return Err("invalid address".to_owned());
    }
    let [address::list::Entry::Mailbox(mailbox)] = entries.as_slice() else {
        return Err("invalid address".to_owned());
    };
    let local = String::from_utf8_lossy(&mailbox.local).into_owned();
    if bare && mailbox.words.len() > 1 {
        let first = String::from_utf8_lossy(&mailbox.words[0]).into_owned();
        return Err(format!("invalid or lonely local part '{first}' (expecting '@')"));
    }
    if local.is_empty() {
        return Err("invalid local part".to_owned());
    }
    match &mailbox.domain {
        Some(domain) if is_domain(domain) => Ok(Parsed {
            local,
            domain: String::from_utf8_lossy(domain).into_owned(),
        }),
        Some(_) => Err("invalid domain".to_owned()),
        None => Err(format!("invalid or lonely local part '{local}' (expecting '@')")),
    }
}

fn is_domain(domain: &[u8]) -> bool {
    !domain.is_empty()
        && !domain
            .iter()
            .any(|b| b.is_ascii_whitespace() || b"<>,;\"".contains(b))
}

fn outside_quotes(text: &str, wanted: char) -> bool {
    let mut quoted = false;
    text.chars().any(|c| {
        quoted ^= c == '"';
        !quoted && c == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(single("Foo <A@b.c>").map(|p| p.whole()).as_deref(), Ok("A@b.c"));
        assert_eq!(
            single("\"a b\"@x.y").map(|p| p.whole()).as_deref(),
            Ok("\"a b\"@x.y")
        );
        for (text, why) in [
            ("", "empty address"),
            (
                "not an address",
                "invalid or lonely local part 'not' (expecting '@')",
            ),
            ("a", "invalid or lonely local part 'a' (expecting '@')"),
            ("@b", "invalid local part"),
            ("a@b.c, d@e.f", "not a single address (found ',')"),
        ] {
            assert_eq!(single(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn parts_are_cut_at_the_first_delimiter() {
        let of = |part: AddressPart| part.of("u+d-e", Some("x"), "+-");
        assert_eq!(of(AddressPart::User).as_deref(), Some("u"));
        assert_eq!(of(AddressPart::Detail).as_deref(), Some("d-e"));
        assert_eq!(AddressPart::Detail.of("u", Some("x"), "+"), None);
        assert_eq!(AddressPart::User.of("u", Some("x"), ""), Some("u".into()));
    }
}
