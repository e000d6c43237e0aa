//! ESEARCH (RFC 4731): `SEARCH RETURN (…)`.

use super::Extension;
use mailbox::UidSet;

use crate::wire::command::ReturnOption;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["ESEARCH"]);

/// The untagged answer, without its line end. `found` are UIDs or sequence numbers, as `by_uid` says.
pub(crate) fn answer(
    tag: &str,
    by_uid: bool,
    options: &[ReturnOption],
    found: &UidSet,
    modseq: Option<u64>,
) -> String {
    let mut line = format!("* ESEARCH (TAG \"{tag}\")");
    if by_uid {
        line.push_str(" UID");
    }
    let wants = |option| options.contains(&option);
    if let (Some(first), Some(last)) = (found.ranges().first(), found.ranges().last()) {
        if wants(ReturnOption::Min) {
            line.push_str(&format!(" MIN {}", first.0));
        }
        if wants(ReturnOption::Max) {
            line.push_str(&format!(" MAX {}", last.1));
        }
        if wants(ReturnOption::All) || options.is_empty() {
            line.push_str(&format!(" ALL {found}"));
        }
    }
    if wants(ReturnOption::Count) {
        line.push_str(&format!(" COUNT {}", found.count()));
    }
    if let Some(modseq) = modseq.filter(|_| !found.is_empty()) {
        line.push_str(&format!(" MODSEQ {modseq}"));
    }
    line
}
