//! `:regex` (draft-ietf-sieve-regex): POSIX extended expressions, carried out in linear time.

use regex::{Regex, RegexBuilder};

/// How much memory one compiled expression takes at most, in bytes.
const PROGRAM_BYTES_MAX: usize = 2 << 20;
/// The longest expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 16 << 10;

/// Compiles a POSIX extended regular expression.
///
/// # Errors
/// What regcomp(3) says of such an expression, or why it cannot be carried out.
pub(crate) fn compile(expression: &str, case_matters: bool) -> Result<Regex, String> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(format!("it is longer than {EXPRESSION_BYTES_MAX} bytes"));
    }
    let translated = translate(expression)?;
    RegexBuilder::new(&translated)
        .case_insensitive(!case_matters)
        .dot_matches_new_line(true)
        .size_limit(PROGRAM_BYTES_MAX)
        .nest_limit(100)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "regular expression too big".to_owned(),
            _ => "invalid preceding regular expression".to_owned(),
        })
}

/// The same expression in the syntax of the `regex` crate.
fn translate(expression: &str) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut characters = expression.chars().peekable();
    let mut open = 0usize;
    // Whether there is something that `*` can repeat.
    let mut atom = false;
    while let Some(character) = characters.next() {
        match character {
            '[' => {
                out.push_str(&bracket(&mut characters)?);
                atom = true;
            }
            '(' => {
                open += 1;
                out.push('(');
                atom = false;
            }
            ')' if open > 0 => {
                open -= 1;
                out.push(')');
                atom = true;
            }
            ')' => return Err("unmatched ) or \\)".to_owned()),
            '*' | '+' | '?' if !atom => return Err("invalid preceding regular expression".to_owned()),
            // `a**`, `a+?`: in POSIX a repetition of a repetition, never a lazy one.
            '*' | '+' | '?' => {
                out.push(character);
                while characters.next_if(|c| matches!(c, '*' | '+' | '?')).is_some() {
                    if !out.ends_with('*') {
                        out.pop();
                        out.push('*');
                    }
                }
            }
            '{' => repetition(&mut characters, atom, &mut out)?,
            '\\' => {
                escape(characters.next(), &mut out)?;
                atom = true;
            }
            '|' => {
                out.push('|');
                atom = false;
            }
            '^' => out.push('^'),
            '$' => out.push('$'),
            '.' => {
                out.push('.');
                atom = true;
            }
            other => {
                out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4])));
                atom = true;
            }
        }
    }
    match open {
        0 => Ok(out),
        _ => Err("unmatched ( or \\(".to_owned()),
    }
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn repetition(characters: &mut Characters<'_>, atom: bool, out: &mut String) -> Result<(), String> {
    if !characters.peek().is_some_and(char::is_ascii_digit) {
        out.push_str("\\{");
        return Ok(());
    }
    if !atom {
        return Err("invalid preceding regular expression".to_owned());
    }
    let mut inner = String::new();
    loop {
        match characters.next() {
            Some('}') => break,
            Some(c) if c.is_ascii_digit() || c == ',' => inner.push(c),
            Some(_) => return Err("invalid content of \\{\\}".to_owned()),
            None => return Err("unmatched \\{".to_owned()),
        }
    }
    let bounds: Vec<Option<u32>> = inner.split(',').map(|bound| bound.parse().ok()).collect();
    let right = match bounds.as_slice() {
        [Some(_)] | [Some(_), None] => true,
        [Some(from), Some(to)] => from <= to,
        _ => false,
    };
    if !right {
        return Err("invalid content of \\{\\}".to_owned());
    }
    out.push('{');
    out.push_str(&inner);
    out.push('}');
    Ok(())
}

fn escape(character: Option<char>, out: &mut String) -> Result<(), String> {
    match character {
        None => return Err("trailing backslash".to_owned()),
        // Of the GNU operators those that both know.
        Some(c @ ('w' | 'W' | 's' | 'S' | 'b' | 'B')) => {
            out.push('\\');
            out.push(c);
        }
        Some('<') => out.push_str(r"\b{start}"),
        Some('>') => out.push_str(r"\b{end}"),
        Some('`') => out.push_str(r"\A"),
        Some('\'') => out.push_str(r"\z"),
        Some('1'..='9') => {
            return Err("back references cannot be carried out in linear time".to_owned());
        }
        Some(other) => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
    }
    Ok(())
}

/// A bracket expression behind its `[`. A backslash is itself in it (POSIX 9.3.5).
fn bracket(characters: &mut Characters<'_>) -> Result<String, String> {
    const UNMATCHED: &str = "unmatched [, [^, [:, [., or [=";
    let mut out = String::from("[");
    if characters.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let character = characters.next().ok_or(UNMATCHED)?;
        match character {
            ']' if !first => break,
            '[' if matches!(characters.peek(), Some(':' | '.' | '=')) => {
                let kind = characters.next().unwrap_or(':');
                let mut name = String::new();
                loop {
                    let c = characters.next().ok_or(UNMATCHED)?;
                    if c == kind && characters.next_if_eq(&']').is_some() {
                        break;
                    }
                    name.push(c);
                }
                out.push_str(&class(kind, &name)?);
            }
            '-' if first || characters.peek() == Some(&']') => out.push_str("\\-"),
            '-' => out.push('-'),
            c if "\\[]^-&~".contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        first = false;
    }
    out.push(']');
    Ok(out)
}

fn class(kind: char, name: &str) -> Result<String, String> {
    const NAMES: [&str; 12] = [
        "alpha", "digit", "alnum", "upper", "lower", "space", "blank", "punct", "print", "graph", "cntrl",
        "xdigit",
    ];
    if kind != ':' {
        return Ok(regex::escape(name));
    }
    match NAMES.contains(&name) {
        true => Ok(format!("[:{name}:]")),
        false => Err("invalid character class name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn posix_expressions_are_understood() {
        for (expression, text, expected) in [
            ("^a.*b$", "A\nB", true),
            ("[\\]x]", "\\x]", true),
            ("[]a]+$", "]a", true),
            ("[^[:alpha:]-]", "a-", false),
            ("a{2,3}", "aa", true),
            ("a{x", "a{x", true),
            ("(foo|bar)baz", "barbaz", true),
            ("\\.com$", "xcom", false),
            ("[a&&b]", "&", true),
            ("a\\<b", "ab", false),
        ] {
            let regex = compile(expression, false).unwrap();
            assert_eq!(regex.is_match(text), expected, "{expression}");
        }
        for (expression, why) in [
            ("(b", "unmatched ( or \\("),
            ("*", "invalid preceding regular expression"),
            ("[a", "unmatched [, [^, [:, [., or [="),
            ("a\\", "trailing backslash"),
        ] {
            assert_eq!(
                compile(expression, true).err().as_deref(),
                Some(why),
                "{expression}"
            );
        }
        assert!(compile("((a{1000}){1000}){1000}", true).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn never_panics(expression in r"[\[\](){}*+?|^$.\\ab:=0-9,-]{0,20}") {
            let _ = compile(&expression, false);
        }
    }
}
