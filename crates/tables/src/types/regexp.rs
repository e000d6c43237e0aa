//! `regexp:`: POSIX expressions, of which the first that fits decides (regexp_table(5)).
//!
//! They are compiled by the C library, as Postfix has it: leftmost-longest, in octets.

use os::regexp::{Meaning, Regexp};

use super::patterns::{Dialect, Expression, Places};

pub(crate) const DIALECT: Dialect = Dialect {
    kind: "regexp",
    unclosed: "skipping",
    no_group_0: "out-of-range",
    compile,
};

impl Expression for Regexp {
    fn groups(&self) -> usize {
        Regexp::groups(self)
    }

    fn find(&self, text: &str) -> Result<Option<Places>, String> {
        Regexp::find(self, text)
    }
}

fn compile(pattern: &str, flags: &str) -> Result<Box<dyn Expression>, String> {
    // Without a flag case does not matter and expressions are extended; each flag toggles.
    let mut meaning = Meaning {
        is_extended: true,
        folds: true,
        is_multi_line: false,
    };
    for flag in flags.chars() {
        let toggled = match flag {
            'i' => &mut meaning.folds,
            'm' => &mut meaning.is_multi_line,
            'x' => &mut meaning.is_extended,
            other => return Err(format!("unknown regexp option \"{other}\": skipping this rule")),
        };
        *toggled = !*toggled;
    }
    Ok(Box::new(Regexp::new(pattern, meaning)?))
}
