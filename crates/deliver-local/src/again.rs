//! How one target is queued for itself when the others of its recipient are done: `\=DIGEST=alias`, or
//! `\=DIGEST.DIGEST=user` for one target of a `.forward`. Such a name finds the target in the alias or file as it is then;
//! whoever writes one from outside reaches nothing that the alias does not name.

use address::Address;

/// A recipient that stands for one of its targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Again {
    /// The recipient that had the target.
    pub(crate) of: Address,
    /// The leaf of its expansion.
    pub(crate) leaf: String,
    /// The target of the user's `.forward`.
    pub(crate) target: Option<String>,
}

/// The local part of the address for `name` (a digest, or two with a dot between) of the recipient `of`.
pub(crate) fn address(name: &str, of: &Address) -> Address {
    Address::new(&format!("\\={name}={}", of.local()), of.domain().cloned())
}

/// What an address stands for, if it is such.
pub(crate) fn parse(address: &Address) -> Option<Again> {
    let (name, local) = address.local().strip_prefix("\\=")?.split_once('=')?;
    let (leaf, target) = match name.split_once('.') {
        Some((leaf, target)) => (leaf, Some(target.to_owned())),
        None => (name, None),
    };
    Some(Again {
        of: Address::new(local, address.domain().cloned()),
        leaf: leaf.to_owned(),
        target,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_again() {
        let of = Address::parse("a=b+c@example.com").unwrap();
        let told = address("12.34", &of);
        let written = Address::parse(&told.to_string()).unwrap();
        let again = Again {
            of: of.clone(),
            leaf: "12".to_owned(),
            target: Some("34".to_owned()),
        };
        assert_eq!(parse(&written), Some(again));
        assert_eq!(parse(&address("12", &of)).unwrap().target, None);
        assert_eq!(parse(&Address::new("\\alice", None)), None);
    }
}
