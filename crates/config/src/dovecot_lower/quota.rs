//! Quota of the 2.4 dialect (`quota "User quota" { storage_size = 1G }`, `quota_exceeded_message`) as the names that 2.3 has
//! in `plugin { }`, and what of quota is not there.

use super::{Lowering, settings_of};
use crate::Severity;
use crate::dovecot_conf::{Block, Setting};

/// Settings of the 2.4 dialect outside of blocks.
const GLOBAL: &[&str] = &[
    "quota_exceeded_message",
    "quota_mail_size",
    "quota_message_count",
    "quota_storage_grace",
    "quota_storage_size",
];

/// Whether `plugin { NAME }` belongs to a part of quota that is not there.
pub(super) fn is_missing(name: &str) -> bool {
    let rest = name.strip_prefix("quota").unwrap_or_default();
    let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let is_there = matches!(
        rest,
        "" | "_grace" | "_exceeded_message" | "_max_mail_size" | "_vsizes"
    ) || rest
        .strip_prefix("_rule")
        .is_some_and(|number| number.bytes().all(|octet| octet.is_ascii_digit()));
    !is_there
}

impl Lowering<'_> {
    /// Takes a setting of the 2.4 dialect; `false` when it is none of quota.
    pub(super) fn quota_setting(&mut self, setting: &Setting) -> bool {
        if !self.newer || !GLOBAL.contains(&setting.name.as_str()) {
            return false;
        }
        let text = self.text(&setting.text);
        self.quota_value("quota", setting.name.trim_start_matches("quota_"), text);
        true
    }

    /// A `quota NAME { }` block: another root.
    pub(super) fn quota_block(&mut self, block: &Block) {
        let root = std::iter::once("quota".to_owned())
            .chain((2..64).map(|number| format!("quota{number}")))
            .find(|root| !self.dovecot.plugin.contains_key(root))
            .unwrap_or_else(|| "quota".to_owned());
        let (mut driver, mut options) = ("count".to_owned(), String::new());
        for setting in settings_of(block) {
            let text = self.text(&setting.text);
            match setting.name.strip_prefix("quota_").unwrap_or(&setting.name) {
                "driver" => driver = text,
                "enforce" if text == "no" => options.push_str(":noenforcing"),
                "enforce" | "hidden" | "ignore_unlimited" => {}
                name @ ("storage_size" | "message_count" | "storage_grace") => {
                    self.quota_value(&root, name, text);
                }
                _ => self.tell(
                    Severity::Note,
                    &setting.place,
                    &setting.name,
                    "it is not honoured: not yet: this part of quota",
                ),
            }
        }
        self.quota_backend(&driver, block);
        let root_text = format!("{driver}:{}{options}", block.name);
        self.dovecot.plugin.insert(root, root_text);
    }

    fn quota_value(&mut self, root: &str, name: &str, text: String) {
        let (name, text) = match (name, text.as_str()) {
            ("storage_size", "unlimited") => (format!("{root}_rule"), "*:bytes=0".to_owned()),
            ("storage_size", size) => (format!("{root}_rule"), format!("*:bytes={size}")),
            ("message_count", "unlimited") => (format!("{root}_rule2"), "*:messages=0".to_owned()),
            ("message_count", count) => (format!("{root}_rule2"), format!("*:messages={count}")),
            ("storage_grace", _) => (format!("{root}_grace"), text),
            ("mail_size", _) => ("quota_max_mail_size".to_owned(), text),
            (name, _) => (format!("quota_{name}"), text),
        };
        self.dovecot.plugin.insert(name, text);
    }

    /// Tells of backends whose numbers are others' to keep.
    pub(super) fn quota_backend(&mut self, driver: &str, at: &Block) {
        let text = match driver {
            "fs" | "imapc" => "the backend is not there yet: nothing is limited",
            "dict" | "dirsize" => "the backend is not there: the sizes are counted as with \"count\"",
            _ => return,
        };
        self.tell(Severity::Warning, &at.place, "quota", text);
    }
}
