//! `extlists` (RFC 6134): lists outside of the script. The match type `:list` is with the others.

use super::Extension;
use crate::checker::Checker;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("extlists").off().words(&[Word::test(
    "valid_ext_list",
    &[("ext-list-names", Kind::Texts)],
    &[],
    build,
)]);

#[derive(Debug)]
struct ValidList(Vec<Text>);

fn build(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(ValidList(call.texts(0))))
}

impl Test for ValidList {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "valid_ext_list test".to_owned());
        for name in &self.0 {
            run.spend(10)?;
            let name = name.value(run);
            if !run.host.is_list(&name) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
