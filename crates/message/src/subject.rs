//! Base subjects (RFC 5256 §2.1): what is left of a subject without `Re:`, `[list]`, `(fwd)` and their like, for sorting and
//! for putting messages into threads.

use crate::casemap;

/// A base subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// The text, in the form of [`casemap`].
    pub text: String,
    /// Whether the subject said that the message is a reply or was passed on.
    pub is_reply: bool,
}

impl Base {
    /// The base of a decoded subject.
    pub fn of(subject: &str) -> Base {
        let folded = casemap::of(subject);
        let spaced = with_single_spaces(&folded);
        let mut is_reply = false;
        let base = strip(&spaced, &mut is_reply);
        Base {
            text: base.to_owned(),
            is_reply,
        }
    }
}

/// Step 1: what white space there is is one space.
fn with_single_spaces(text: &str) -> String {
    let is_space = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
    let words: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Steps 2 to 6.
fn strip<'a>(subject: &'a str, is_reply: &mut bool) -> &'a str {
    let mut rest = subject;
    loop {
        rest = without_trailers(rest, is_reply);
        rest = without_leaders(rest, is_reply);
        match rest.strip_prefix("[FWD:").and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => {
                *is_reply = true;
                rest = inner;
            }
            None => return rest,
        }
    }
}

/// Step 2.
fn without_trailers<'a>(mut rest: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        rest = rest.trim_end_matches(' ');
        match rest.strip_suffix("(FWD)") {
            Some(before) => {
                *is_reply = true;
                rest = before;
            }
            None => return rest,
        }
    }
}

/// Steps 3 to 5.
fn without_leaders<'a>(mut rest: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        let before = rest;
        rest = rest.trim_start_matches(' ');
        if let Some(after) = without_reply_mark(rest) {
            *is_reply = true;
            rest = after;
        } else if let Some(after) = without_blob(rest).filter(|after| !after.is_empty()) {
            rest = after;
        }
        if rest.len() == before.len() {
            return rest;
        }
    }
}

/// `*subj-blob subj-refwd`
fn without_reply_mark(mut rest: &str) -> Option<&str> {
    while let Some(after) = without_blob(rest) {
        rest = after;
    }
    let marks = ["RE", "FWD", "FW"];
    let after = marks.iter().find_map(|mark| rest.strip_prefix(mark))?;
    let after = after.trim_start_matches(' ');
    let after = without_blob(after).unwrap_or(after);
    after.strip_prefix(':')
}

/// `"[" *BLOBCHAR "]" *WSP`
fn without_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let after = inner[end..].strip_prefix(']')?;
    Some(after.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bases_of_subjects() {
        for (subject, base, is_reply) in [
            ("Hello", "HELLO", false),
            ("Re: Hello", "HELLO", true),
            ("re : \t Hello  World ", "HELLO WORLD", true),
            ("Re: Re[2]: FW: Fwd: Hello", "HELLO", true),
            ("[list] Hello", "HELLO", false),
            ("[list] Re: [list] Hello (fwd) (FWD)", "HELLO", true),
            ("[list]", "[LIST]", false),
            ("[a][b]", "[B]", false),
            ("Re: [list]", "[LIST]", true),
            ("Re:", "", true),
            ("", "", false),
            ("Remote: Hello", "REMOTE: HELLO", false),
            ("[Fwd: Re: Hello]", "HELLO", true),
            ("[fwd: [fwd: Hello] (fwd)]", "HELLO", true),
            ("Re [x] Hello", "RE [X] HELLO", false),
            ("Hello [x]", "HELLO [X]", false),
            ("[a[b] Hello", "[A[B] HELLO", false),
            ("RE: 日本", "日本", true),
        ] {
            let expected = Base {
                text: base.to_owned(),
                is_reply,
            };
            assert_eq!(Base::of(subject), expected, "{subject:?}");
        }
    }

    proptest! {
        #[test]
        fn a_base_is_its_own_base(subject in "(\\[|\\]|re|fw|fwd|:| |\\(fwd\\)|a|\\t|\\[fwd:){0,12}") {
            let base = Base::of(&subject);
            prop_assert_eq!(&Base::of(&base.text).text, &base.text);
        }
    }
}
