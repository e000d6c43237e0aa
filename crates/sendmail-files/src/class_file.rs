//! Lists of words: `local-host-names` (class w), `relay-domains` (class R), `trusted-users` (class t), `generics-domains`
//! (class G), `virtuser-domains`. The first word of a line counts; lines that begin with `#` are comments.

/// The words of a file.
pub fn words(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| !word.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Whether a domain, or one that it is within, is among the words.
pub fn has_domain(words: &[String], domain: &str) -> bool {
    words.iter().any(|word| is_within(domain, word))
}

fn is_within(domain: &str, parent: &str) -> bool {
    let Some(at) = domain.len().checked_sub(parent.len()) else {
        return false;
    };
    let is_end = domain
        .get(at..)
        .is_some_and(|end| end.eq_ignore_ascii_case(parent));
    is_end && !parent.is_empty() && (at == 0 || domain.as_bytes()[at - 1] == b'.' || parent.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_a_line_counts() {
        let text = "# names\nexample.jp\n\n  mail.example.jp and more\n # x\nexample2009.jp\n";
        assert_eq!(words(text), ["example.jp", "mail.example.jp", "example2009.jp"]);
    }

    #[test]
    fn domains_stand_for_what_is_within_them() {
        let words = words("relay.test\n");
        assert!(has_domain(&words, "relay.test") && has_domain(&words, "A.Relay.Test"));
        assert!(!has_domain(&words, "norelay.test") && !has_domain(&words, "test"));
    }
}
