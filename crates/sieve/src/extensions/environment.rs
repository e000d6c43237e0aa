//! `environment` (RFC 5183), vnd.dovecot.environment and vnd.dovecot.config.

use super::Extension;
use crate::checker::Checker;
use crate::matching::Matcher;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("environment").words(&[Word::test(
    "environment",
    &[("name", Kind::Text), ("key list", Kind::Texts)],
    &[],
    build,
)
.matching()]);
/// Items of Dovecot's, and `${env.…}`.
pub(crate) const DOVECOT: Extension = Extension::new("vnd.dovecot.environment")
    .off()
    .implies(&["environment"]);
/// Items that the administrator sets.
pub(crate) const CONFIG: Extension = Extension::new("vnd.dovecot.config")
    .off()
    .implies(&["environment"]);

#[derive(Debug)]
struct Environment {
    name: Text,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn build(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(Environment {
        name: call.text(0),
        keys: call.texts(1),
        matcher: call.matcher,
    }))
}

/// An item, as far as the script that runs may ask for it.
pub(crate) fn item(run: &mut Run<'_>, name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    if let Some(set) = name.strip_prefix("vnd.dovecot.config.") {
        let setting = [format!("sieve_environment/{set}"), format!("sieve_env_{set}")];
        return setting
            .iter()
            .find_map(|setting| run.settings.text(setting))
            .map(str::to_owned);
    }
    let item = run.host.environment(&name);
    // In `${env.…}` a name has no hyphens.
    item.or_else(|| {
        name.contains('_')
            .then(|| run.host.environment(&name.replace('_', "-")))?
    })
}

impl Test for Environment {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "environment test".to_owned());
        let name = self.name.value(run);
        let lower = name.to_ascii_lowercase();
        let hidden = |prefix, extension| {
            let unit = run.units.last().and_then(|&unit| run.program.units.get(unit));
            lower.starts_with(prefix) && !unit.is_some_and(|unit| unit.capabilities.contains(&extension))
        };
        let is_config = lower.starts_with("vnd.dovecot.config.");
        let is_hidden = match is_config {
            true => hidden("vnd.dovecot.config.", "vnd.dovecot.config"),
            false => hidden("vnd.dovecot.", "vnd.dovecot.environment"),
        };
        let value = if is_hidden { None } else { item(run, &name) };
        self.matcher.any(run, &self.keys, value)
    }
}
