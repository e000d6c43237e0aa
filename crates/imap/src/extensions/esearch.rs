//! ESEARCH and ESORT (RFC 4731, RFC 5267): the untagged answer of SEARCH and SORT, with and without `RETURN (…)`.

use super::Extension;
use mailbox::{ModSeq, UidSet};

use crate::extensions::uidplus::in_order;
use crate::session::search::{Found, Purpose};
use crate::wire::encode;
use crate::wire::returning::Returning;

pub(crate) const EXTENSION: Extension = Extension::of_words(&["ESEARCH", "ESORT"]);

/// The untagged answer, without its line end; `None` where nothing was asked for that it would tell.
pub(crate) fn answer(
    tag: &str,
    returning: Option<Returning>,
    purpose: &Purpose,
    found: &Found<'_>,
    modseqs: bool,
) -> Option<String> {
    let numbers = found.numbers();
    let Some(returning) = returning else {
        return Some(plain(
            purpose,
            &numbers,
            modseqs.then(|| highest(found, found.order)),
        ));
    };
    if returning.is_silent() {
        return None;
    }
    let mut line = format!("* ESEARCH (TAG \"{tag}\")");
    if found.by_uid {
        line.push_str(" UID");
    }
    if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
        if returning.min {
            line.push_str(&format!(" MIN {first}"));
        }
        if returning.max {
            line.push_str(&format!(" MAX {last}"));
        }
        if returning.all {
            line.push_str(&format!(" ALL {}", in_order(numbers.iter().copied())));
        }
    }
    if let Some((first, last)) = returning.partial {
        let part = match part(&numbers, (first, last)) {
            [] => "NIL".to_owned(),
            part => in_order(part.iter().copied()),
        };
        line.push_str(&format!(" PARTIAL ({first}:{last} {part})"));
    }
    if returning.count {
        line.push_str(&format!(" COUNT {}", numbers.len()));
    }
    if modseqs && !numbers.is_empty() {
        let told = told(&returning, found.order);
        line.push_str(&format!(" MODSEQ {}", highest(found, &told)));
    }
    Some(line)
}

/// `* SEARCH 1 2 3` or `* SORT 2 3 1`
fn plain(purpose: &Purpose, numbers: &[u32], modseq: Option<ModSeq>) -> String {
    let mut line = Vec::from(match purpose {
        Purpose::Sort(_) => &b"* SORT"[..],
        _ => &b"* SEARCH"[..],
    });
    for &number in numbers {
        line.push(b' ');
        encode::number(&mut line, u64::from(number));
    }
    let mut line = String::from_utf8(line).unwrap_or_default();
    if let Some(modseq) = modseq.filter(|_| !numbers.is_empty()) {
        line.push_str(&format!(" (MODSEQ {modseq})"));
    }
    line
}

/// Those from `first` to `last`, counted from 1.
fn part(all: &[u32], (first, last): (u32, u32)) -> &[u32] {
    let last = (last as usize).min(all.len());
    all.get(first as usize - 1..last).unwrap_or_default()
}

/// Whose modseqs count (RFC 4731 §3.1): only those told, where that is the first or the last one.
fn told(returning: &Returning, order: &[u32]) -> Vec<u32> {
    let is_all = returning.all || returning.count || returning.partial.is_some();
    let mut told = Vec::new();
    if !is_all && returning.min {
        told.extend(order.first());
    }
    if !is_all && returning.max {
        told.extend(order.last());
    }
    if told.is_empty() { order.to_vec() } else { told }
}

fn highest(found: &Found<'_>, indexes: &[u32]) -> ModSeq {
    let modseqs = indexes.iter().map(|&index| found.row(index).state.modseq);
    modseqs.max().unwrap_or_default()
}

/// What `SAVE` keeps (RFC 5182 §2.4): everything, unless only the first, the last or a part was asked for.
pub(crate) fn saved(returning: &Returning, found: &Found<'_>) -> UidSet {
    let mut kept: Vec<u32> = Vec::new();
    let is_everything = returning.all || returning.count;
    if !is_everything && returning.min {
        kept.extend(found.order.first());
    }
    if !is_everything && returning.max {
        kept.extend(found.order.last());
    }
    if let Some(range) = returning.partial.filter(|_| !is_everything) {
        kept.extend(part(found.order, range));
    } else if is_everything || !(returning.min || returning.max) {
        kept = found.order.to_vec();
    }
    kept.sort_unstable();
    kept.into_iter().map(|index| found.row(index).state.uid).collect()
}
