//! `virtusertable`: whose mail an address of a domain of this host is.

use address::Address;

use crate::{Failure, Lookup, split_detail, substituted};

/// What the table says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It is another address, perhaps without a domain.
    Address(String),
    /// `error:…`: it is nobody's.
    Error(Failure),
}

/// The entry of an address, and its key. Keys, in this order: `user+detail@domain`, `user++@domain` (the detail is not empty),
/// `user+*@domain`, `user@domain`, `++@domain`, `+*@domain`, `@domain`. In a value `%1` is the user, `%2` the detail, `%3` the
/// detail with its `+`; for an exact key `%1` is the whole local part.
///
/// # Errors
/// When the table cannot be asked.
pub fn find<E>(address: &Address, lookup: &mut Lookup<'_, E>) -> Result<Option<(String, Entry)>, E> {
    let Some(domain) = address.domain() else {
        return Ok(None);
    };
    let domain = domain.as_str().to_ascii_lowercase();
    let local = address.local();
    let (user, detail) = split_detail(local);
    let lower = user.to_ascii_lowercase();
    let mut keys = vec![(format!("{}@{domain}", local.to_ascii_lowercase()), local)];
    if let Some(detail) = detail {
        if !detail.is_empty() {
            keys.push((format!("{lower}++@{domain}"), user));
        }
        keys.push((format!("{lower}+*@{domain}"), user));
        keys.push((format!("{lower}@{domain}"), user));
        if !detail.is_empty() {
            keys.push((format!("++@{domain}"), user));
        }
        keys.push((format!("+*@{domain}"), user));
    }
    keys.push((format!("@{domain}"), user));
    let with_plus = detail.map(|detail| format!("+{detail}")).unwrap_or_default();
    for (key, first) in keys {
        if let Some(value) = lookup(&key)? {
            let entry = match error(&value) {
                Some(text) => Entry::Error(Failure::parse(text)),
                None => {
                    let arguments = [key.as_str(), first, detail.unwrap_or_default(), &with_plus];
                    Entry::Address(substituted(value.trim(), &arguments))
                }
            };
            return Ok(Some((key, entry)));
        }
    }
    Ok(None)
}

/// What follows `error:`.
fn error(value: &str) -> Option<&str> {
    let (word, text) = value.trim().split_at_checked("error:".len())?;
    word.eq_ignore_ascii_case("error:").then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const TABLE: &[(&str, &str)] = &[
        ("info@v.test", "jun"),
        ("@v.test", "jun+%1"),
        ("@w.test", "%1@x.test"),
        ("nobody@v.test", "error:nouser No such user here"),
        ("d+*@v.test", "dd+%2@far.test"),
        ("e++@v.test", "ee%3@far.test"),
        ("f@v.test", "ff@far.test"),
        ("g+x@v.test", "gg@far.test"),
        ("+*@u.test", "%1%3@far.test"),
        ("@u.test", "uu@far.test"),
    ];

    fn found(text: &str) -> Option<Entry> {
        let address = Address::parse(text).expect("an address");
        let mut lookup = |key: &str| {
            let row = TABLE.iter().find(|(known, _)| *known == key);
            Ok::<_, Infallible>(row.map(|(_, value)| (*value).to_owned()))
        };
        let Ok(found) = find(&address, &mut lookup);
        found.map(|(_, entry)| entry)
    }

    /// What Debian's sendmail 8.17.1 answers for the same table.
    #[test]
    fn keys_are_asked_in_sendmails_order() {
        for (address, meant) in [
            ("info@v.test", "jun"),
            ("INFO@V.TEST", "jun"),
            ("info+x@v.test", "jun"),
            ("zed@v.test", "jun+zed"),
            ("zed+q@v.test", "jun+zed"),
            ("z@w.test", "z@x.test"),
            ("z+y@w.test", "z@x.test"),
            ("d@v.test", "jun+d"),
            ("d+q@v.test", "dd+q@far.test"),
            ("e@v.test", "jun+e"),
            ("e+q@v.test", "ee+q@far.test"),
            ("f@v.test", "ff@far.test"),
            ("f+q@v.test", "ff@far.test"),
            ("g+x@v.test", "gg@far.test"),
            ("g+y@v.test", "jun+g"),
            ("a+b@u.test", "a+b@far.test"),
            ("a+@u.test", "a+@far.test"),
            ("a@u.test", "uu@far.test"),
        ] {
            assert_eq!(
                found(address),
                Some(Entry::Address(meant.to_owned())),
                "{address}"
            );
        }
        assert_eq!(found("x@other.test"), None);
        let Some(Entry::Error(failure)) = found("nobody@v.test") else {
            panic!("it is nobody's");
        };
        assert_eq!((failure.code, failure.text.as_str()), (550, "No such user here"));
    }
}
