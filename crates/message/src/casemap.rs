//! Text in the form in which `i;unicode-casemap` compares it (RFC 5051): every character in title case, then decomposed.
//!
//! Two texts are equal, one holds the other, or one sorts before the other, as the octets of this form do. Searching for
//! `gru` finds `Grü`, and half-width letters find full-width ones.

use unicode_normalization::char::decompose_compatible;

/// Appends `text` in the form for comparing.
pub fn push(text: &str, out: &mut String) {
    out.reserve(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = encoding_rs::Encoding::ascii_valid_up_to(rest.as_bytes());
        let start = out.len();
        out.push_str(&rest[..ascii]);
        out[start..].make_ascii_uppercase();
        rest = &rest[ascii..];
        // Text that is not ASCII goes on so: stay here until a longer stretch of ASCII begins.
        let mut chars = rest.chars();
        while let Some(c) = chars.clone().next().filter(|c| !c.is_ascii()) {
            chars.next();
            push_char(c, out);
        }
        rest = chars.as_str();
    }
}

/// `text` in the form for comparing.
pub fn of(text: &str) -> String {
    let mut out = String::new();
    push(text, &mut out);
    out
}

fn push_char(c: char, out: &mut String) {
    match c {
        // Ideographs have neither case nor a decomposition.
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => out.push(c),
        _ => decompose_compatible(title_case(c), |part| out.push(part)),
    }
}

/// The simple title case of a character: always one character, unlike that of [`char::to_uppercase`].
fn title_case(c: char) -> char {
    match c {
        // Digraphs of which only the first half becomes large.
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has large letters, which no title has.
        '\u{10d0}'..='\u{10ff}' => c,
        // Greek with an iota below, which `to_uppercase` writes as a letter of its own.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(c, 9),
        _ => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

fn shifted(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_the_same_is_the_same() {
        for (left, right) in [
            ("Straße", "STRAßE"),
            ("Grüße", "gru\u{308}ßE"),
            ("ガ", "ｶﾞ"),
            ("ＡＢＣ", "abc"),
            ("ασς", "ΑΣΣ"),
            ("Ω", "ω"),
            ("K", "k"),
            ("ı", "I"),
            ("ᾳ", "ᾼ"),
            ("ᾀ", "ᾈ"),
            ("①", "1"),
            ("각", "\u{1100}\u{1161}\u{11a8}"),
        ] {
            assert_eq!(of(left), of(right), "{left} {right}");
        }
        // By the letter of the RFC: what a decomposition gives is not looked at again.
        assert_ne!(of("ﬁ"), of("fi"));
        assert_ne!(of("ß"), of("ss"));
        assert_eq!(of("日本語 Text"), "日本語 TEXT");
    }

    proptest! {
        #[test]
        fn case_and_cuts_do_not_matter(text in "[a-zA-Zäöüéぱがア日ΑαЖж ]{0,40}", cut in 0usize..40) {
            prop_assert_eq!(of(&text), of(&text.to_lowercase()));
            let at = text.char_indices().nth(cut).map_or(text.len(), |(at, _)| at);
            prop_assert_eq!(of(&text), of(&text[..at]) + &of(&text[at..]));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = of(&text);
        }
    }
}
