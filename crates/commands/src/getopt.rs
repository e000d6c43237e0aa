//! The options of commands that take them as getopt(3) does: letters together, a value behind its letter or in the next
//! word, words that are no options anywhere among them, all words behind `--`.

/// A part of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A letter without a value.
    Flag(char),
    /// A letter and its value.
    Value(char, String),
    /// A word that is no option.
    Word(String),
}

/// Reads `args`. `flags` are the letters without a value, `values` those that take one.
///
/// # Errors
/// What getopt(3) says about it, without the name of the command.
pub(crate) fn parts_of(args: &[String], flags: &str, values: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            parts.extend(args.map(|word| Part::Word(word.clone())));
            break;
        }
        let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            parts.push(Part::Word(arg.clone()));
            continue;
        };
        for (at, letter) in letters.char_indices() {
            if flags.contains(letter) {
                parts.push(Part::Flag(letter));
            } else if values.contains(letter) {
                let rest = &letters[at + letter.len_utf8()..];
                let value = match rest {
                    "" => args.next().cloned(),
                    rest => Some(rest.to_owned()),
                };
                let value = value.ok_or_else(|| format!("option requires an argument -- '{letter}'"))?;
                parts.push(Part::Value(letter, value));
                break;
            } else {
                return Err(format!("invalid option -- '{letter}'"));
            }
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Result<Vec<Part>, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parts_of(&args, "ps", "cd")
    }

    #[test]
    fn a_command_line_is_read_as_getopt_reads_it() {
        use Part::{Flag, Value, Word};
        let word = |text: &str| Word(text.to_owned());
        let value = |letter, text: &str| Value(letter, text.to_owned());
        assert_eq!(
            parts("-psd X queue -cY -d - - -- -p"),
            Ok(vec![
                Flag('p'),
                Flag('s'),
                value('d', "X"),
                word("queue"),
                value('c', "Y"),
                value('d', "-"),
                word("-"),
                word("-p"),
            ])
        );
        assert_eq!(parts("-px"), Err("invalid option -- 'x'".to_owned()));
        assert_eq!(parts("-d"), Err("option requires an argument -- 'd'".to_owned()));
    }
}
