//! `pcre:`: Perl's expressions, of which the first that fits decides (pcre_table(5)).
//!
//! The library gives up after its built-in number of steps; that is an error of the lookup, not "not found".

use pcre2::bytes::{Regex, RegexBuilder};

use super::patterns::{Dialect, Expression, Places};

pub(crate) const DIALECT: Dialect = Dialect {
    kind: "pcre",
    unclosed: "ignoring",
    no_group_0: "out of range",
    compile,
};

#[derive(Debug)]
struct Perl(Regex);

impl Expression for Perl {
    fn groups(&self) -> usize {
        self.0.captures_len().saturating_sub(1)
    }

    fn find(&self, text: &str) -> Result<Option<Places>, String> {
        let found = self
            .0
            .captures(text.as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(found.map(|found| {
            (0..found.len())
                .map(|number| found.get(number).map(|group| group.start()..group.end()))
                .collect()
        }))
    }
}

fn compile(pattern: &str, flags: &str) -> Result<Box<dyn Expression>, String> {
    // Without a flag case does not matter and the dot stands for line ends too; each flag toggles.
    let (mut folds, mut dot_is_all, mut is_multi_line, mut is_extended) = (true, true, false, false);
    let (mut is_anchored, mut is_ungreedy, mut ends_only) = (false, false, false);
    for flag in flags.chars() {
        let toggled = match flag {
            'i' => &mut folds,
            's' => &mut dot_is_all,
            'm' => &mut is_multi_line,
            'x' => &mut is_extended,
            'A' => &mut is_anchored,
            'U' => &mut is_ungreedy,
            // `$` only at the very end. It differs for texts that end with a line end, which no lookup key does.
            'E' => &mut ends_only,
            // Has had no meaning since Postfix 2.1; told by the reader.
            'X' => continue,
            other => return Err(format!("unknown regexp option \"{other}\": skipping this rule")),
        };
        *toggled = !*toggled;
    }
    // The library's binding has no word for these two.
    let ungreedy = if is_ungreedy { "(?U)" } else { "" };
    let anchor = if is_anchored { r"\G" } else { "" };
    // Text that is put in front moves the offset of a complaint.
    let before = ungreedy.len() + if is_anchored { anchor.len() + 3 } else { 0 };
    let text = match is_anchored {
        true => format!("{ungreedy}{anchor}(?:{pattern})"),
        false => format!("{ungreedy}{pattern}"),
    };
    RegexBuilder::new()
        .caseless(folds)
        .dotall(dot_is_all)
        .multi_line(is_multi_line)
        .extended(is_extended)
        // Octets, as Postfix has it: `.` is one of them, and case matters beyond ASCII.
        .utf(false)
        .jit_if_available(true)
        .build(&text)
        .map(|regex| Box::new(Perl(regex)) as Box<dyn Expression>)
        .map_err(|error| {
            let words = error.to_string();
            let words = words.rsplit_once(": ").map_or(words.as_str(), |(_, words)| words);
            let offset = error.offset().unwrap_or_default().saturating_sub(before);
            format!("error in regex at offset {offset}: {words}")
        })
}
