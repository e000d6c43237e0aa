//! Whether anybody reads root's mail: nothing is delivered as root, so an alias must say who does.

use config::Loaded;
use tables::Tables;

/// What to do when root has no alias and mail for it would wait; `None` too where a table cannot be asked, which is told where it
/// is opened, and where no mail is delivered to users of the system.
pub fn complaint(loaded: &Loaded) -> Option<String> {
    let settings = &loaded.postfix;
    let delivers = !loaded.services.is_empty() && !settings.mydestination.is_empty();
    if !delivers {
        return None;
    }
    let (tables, problems) = Tables::open(&settings.alias_maps);
    if !problems.is_empty() || tables.lookup("root").map_or(true, |found| found.is_some()) {
        return None;
    }
    let waits = "alias_maps: root has no alias: mail for root waits, as nothing is delivered as root.";
    Some(match settings.alias_maps.first() {
        Some(table) => format!(
            "{waits} Add \"root: SOMEBODY\" to {} and run newaliases, or run yubin install --root-alias SOMEBODY",
            table.behind_proxy().name
        ),
        None => format!("{waits} Name a table, for example hash:/etc/aliases, with \"root: SOMEBODY\" in it"),
    })
}
