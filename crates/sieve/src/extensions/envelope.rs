//! `envelope` (RFC 5228 §5.4), with the parts of envelope-dsn and envelope-deliverby (RFC 6009 §3, §6).

use super::Extension;
use crate::base::envelope_part;
use crate::checker::Checker;
use crate::matching::Matcher;
use crate::parts::AddressPart;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("envelope").words(&[Word::test(
    "envelope",
    &[("envelope part", Kind::Texts), ("key list", Kind::Texts)],
    &[],
    build,
)
.matching_addresses()]);
pub(crate) const DSN: Extension = Extension::new("envelope-dsn").implies(&["envelope"]);
pub(crate) const DELIVER_BY: Extension = Extension::new("envelope-deliverby").implies(&["envelope"]);

/// Parts of an envelope by name, with the extension that each needs.
const PARTS: [(&str, Option<&str>); 12] = [
    ("from", None),
    ("to", None),
    ("auth", None),
    ("orig_to", None),
    ("notify", Some("envelope-dsn")),
    ("orcpt", Some("envelope-dsn")),
    ("ret", Some("envelope-dsn")),
    ("envid", Some("envelope-dsn")),
    ("bytimeabsolute", Some("envelope-deliverby")),
    ("bytimerelative", Some("envelope-deliverby")),
    ("bymode", Some("envelope-deliverby")),
    ("bytrace", Some("envelope-deliverby")),
];

#[derive(Debug)]
struct Envelope {
    parts: Vec<Text>,
    keys: Vec<Text>,
    matcher: Matcher,
    part: AddressPart,
}

fn is_known(checker: &Checker<'_>, name: &str) -> bool {
    let known = PARTS.iter().find(|(part, _)| part.eq_ignore_ascii_case(name));
    known.is_some_and(|(_, needs)| needs.is_none_or(|needs| checker.has(needs)))
}

fn build(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let parts = call.texts(0);
    for name in parts.iter().filter_map(Text::literal) {
        if !is_known(checker, name) {
            checker.error(
                call.position,
                format!("specified envelope part '{name}' is not supported by the envelope test"),
            );
            return None;
        }
        let is_address = ["from", "to", "orig_to", "orcpt"]
            .iter()
            .any(|part| part.eq_ignore_ascii_case(name));
        if let Some(part) = call.named_part.as_deref().filter(|_| !is_address) {
            checker.error(
                call.position,
                format!(
                    "address part ':{part}' specified while non-address envelope part '{name}' is tested with the envelope test"
                ),
            );
            return None;
        }
    }
    Some(Box::new(Envelope {
        parts,
        keys: call.texts(1),
        matcher: call.matcher,
        part: call.part,
    }))
}

impl Test for Envelope {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "envelope test".to_owned());
        let mut values = Vec::new();
        for part in &self.parts {
            let name = part.value(run).to_ascii_lowercase();
            run.trace(Level::Matching, |_| {
                format!("  getting `{name}' part from message envelope")
            });
            values.extend(self.values(run, &name));
        }
        self.matcher.any(run, &self.keys, values)
    }
}

impl Envelope {
    fn values(&self, run: &mut Run<'_>, name: &str) -> Vec<String> {
        let delimiters = run.settings.recipient_delimiter.clone();
        let now = run.host.now().secs;
        let envelope = &run.envelope;
        let address = |text: &str| envelope_part(text, self.part, &delimiters).into_iter().collect();
        let by = |value: fn(&crate::envelope::DeliverBy, i64) -> String| {
            envelope.deliver_by.iter().map(|by| value(by, now)).collect()
        };
        match name {
            "from" => address(&envelope.sender),
            "to" => address(&envelope.original_recipient),
            "orig_to" => address(&envelope.original_recipient),
            "auth" => envelope.auth.iter().cloned().collect(),
            "notify" => envelope.dsn.notify.clone(),
            "ret" => envelope.dsn.ret.iter().cloned().collect(),
            "envid" => envelope.dsn.envid.iter().cloned().collect(),
            // The address part applies to what is behind `rfc822;` (RFC 6009 §3).
            "orcpt" => match envelope.dsn.orcpt.as_deref() {
                Some(orcpt) => match (self.part, orcpt.split_once(';')) {
                    (AddressPart::All, _) | (_, None) => vec![orcpt.to_owned()],
                    (_, Some((_, inner))) => address(inner),
                },
                None => Vec::new(),
            },
            "bytimeabsolute" => by(|by, _| {
                message::date::Date {
                    secs: by.at_secs,
                    offset_secs: 0,
                }
                .rfc3339()
            }),
            "bytimerelative" => by(|by, now| (by.at_secs - now).to_string()),
            "bymode" => by(|by, _| by.mode.clone()),
            "bytrace" => by(|by, _| if by.trace { "1".to_owned() } else { "0".to_owned() }),
            _ => Vec::new(),
        }
    }
}
