//! LANG (RFC 6856 §3): the languages of what is said.

use crate::words::one_line;

/// Tag and description. The first is what is spoken.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("i-default", "English")];

/// The answer to LANG, without the last line end: all languages, or the one that was asked for. As everything is English, nothing
/// changes.
pub(crate) fn answer(argument: &[u8]) -> String {
    let argument = String::from_utf8_lossy(argument);
    let wanted = argument.trim();
    if wanted.is_empty() {
        let mut answer = "+OK Languages are:".to_owned();
        for (tag, description) in LANGUAGES {
            answer.push_str(&format!("\r\n{tag} {description}"));
        }
        return answer + "\r\n.";
    }
    match LANGUAGES.iter().find(|(tag, _)| fits(tag, wanted)) {
        Some((tag, description)) => format!("+OK {tag} {description}"),
        None => format!("-ERR There is no language {}.", one_line(wanted)),
    }
}

/// Whether a language serves for a range (RFC 4647 §3.4): the range itself, or what is left of it without its last subtags.
fn fits(tag: &str, range: &str) -> bool {
    let start = range.get(..tag.len());
    let rest = range.get(tag.len()..).unwrap_or_default();
    range == "*"
        || (start.is_some_and(|start| start.eq_ignore_ascii_case(tag))
            && (rest.is_empty() || rest.starts_with('-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found() {
        assert_eq!(
            answer(b""),
            "+OK Languages are:\r\nen English\r\ni-default English\r\n."
        );
        for range in ["en", "EN", "en-GB", "*"] {
            assert_eq!(answer(range.as_bytes()), "+OK en English", "{range}");
        }
        assert_eq!(answer(b"i-default"), "+OK i-default English");
        for range in ["de", "english", "e", "en_US", "\u{e9}n"] {
            assert!(answer(range.as_bytes()).starts_with("-ERR "), "{range}");
        }
    }
}
