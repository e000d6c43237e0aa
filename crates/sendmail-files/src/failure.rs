//! What a table says of mail that is not taken: `error:nouser text`, `error:5.7.1:550 text`, `550 text`.

use envelope::{Class, StatusCode};

/// A refusal, as a table of Sendmail has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The SMTP code; 550 where there is none.
    pub code: u16,
    /// The enhanced code, where there is one; its class is that of `code`.
    pub status: Option<StatusCode>,
    /// What is said to the client.
    pub text: String,
}

/// Words by which `error:` calls the reasons of sysexits.h: the code, and the last two numbers of the enhanced one.
const REASONS: [(&str, u16, (u16, u16)); 7] = [
    ("nouser", 550, (1, 1)),
    ("nohost", 550, (1, 2)),
    ("unavailable", 550, (2, 0)),
    ("usage", 550, (5, 4)),
    ("protocol", 554, (5, 0)),
    ("config", 554, (3, 5)),
    ("tempfail", 450, (0, 0)),
];

impl Failure {
    /// What stands behind `error:`, or a text of one's own.
    pub fn parse(text: &str) -> Failure {
        let mut rest = text.trim();
        let mut status = None;
        let mut usual = None;
        let word = rest.split([' ', '\t', ':']).next().unwrap_or_default();
        let reason = REASONS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word));
        if let Some((name, code, (subject, detail))) = reason {
            rest = rest[name.len()..].trim_start_matches([' ', '\t', ':']);
            usual = Some(*code);
            status = Some(StatusCode::permanent(*subject, *detail));
        } else if let Some((found, behind)) = StatusCode::split(rest) {
            status = Some(found);
            rest = behind.trim_start_matches([' ', '\t', ':']);
        }
        rest = rest.trim_matches('"');
        let mut code = None;
        if let Some((number, behind)) = reply_code(rest) {
            code = Some(number);
            rest = behind;
            if let Some((found, behind)) = StatusCode::split(rest) {
                status = status.or(Some(found));
                rest = behind;
            }
        }
        let of_status = status.map(|status| {
            if status.class == Class::Temporary {
                450
            } else {
                550
            }
        });
        let code = code.or(usual).or(of_status).unwrap_or(550);
        let class = if code < 500 {
            Class::Temporary
        } else {
            Class::Permanent
        };
        Failure {
            code,
            status: status.map(|status| StatusCode { class, ..status }),
            text: rest.trim().to_owned(),
        }
    }

    /// Whether the sender may try again.
    pub fn is_temporary(&self) -> bool {
        self.code < 500
    }

    /// The text behind its enhanced code, as the next hops of the transports `error` and `retry` have it. `usual` is the
    /// subject and detail where the table names none.
    pub fn coded_text(&self, usual: (u16, u16)) -> String {
        let class = if self.is_temporary() {
            Class::Temporary
        } else {
            Class::Permanent
        };
        let usual = StatusCode {
            class,
            subject: usual.0,
            detail: usual.1,
        };
        let text = match self.text.as_str() {
            "" => "User unknown",
            text => text,
        };
        format!("{} {text}", self.status.unwrap_or(usual))
    }
}

/// A code of three digits that refuses, and what follows.
fn reply_code(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(3)?;
    let code = digits.parse().ok().filter(|code| (400..600).contains(code))?;
    let is_whole = digits.bytes().all(|octet| octet.is_ascii_digit())
        && !rest.starts_with(|c: char| c.is_alphanumeric());
    is_whole.then(|| (code, rest.trim_start_matches([' ', '\t', ':', '-'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_texts_are_told_apart() {
        for (text, code, status, said) in [
            ("nouser No such user here", 550, "5.1.1", "No such user here"),
            ("nohost no host", 550, "5.1.2", "no host"),
            ("tempfail try later", 450, "4.0.0", "try later"),
            ("5.7.0:550 Not here", 550, "5.7.0", "Not here"),
            ("5.7.1:550 \"go away\"", 550, "5.7.1", "\"go away"),
            ("D.S.N text", 550, "-", "D.S.N text"),
            ("450 later please", 450, "-", "later please"),
            ("4.7.1:451 later", 451, "4.7.1", "later"),
            ("5.7.1 later", 550, "5.7.1", "later"),
            ("551 5.7.8 own text here", 551, "5.7.8", "own text here"),
            ("plain words", 550, "-", "plain words"),
            ("5501 is a number", 550, "-", "5501 is a number"),
            ("\"550 quoted\"", 550, "-", "quoted"),
            ("", 550, "-", ""),
        ] {
            let failure = Failure::parse(text);
            let shown = failure
                .status
                .map_or_else(|| "-".to_owned(), |status| status.to_string());
            assert_eq!(
                (failure.code, shown.as_str(), failure.text.as_str()),
                (code, status, said),
                "{text}"
            );
        }
        assert_eq!(Failure::parse("450 later").coded_text((1, 1)), "4.1.1 later");
        assert_eq!(Failure::parse("").coded_text((1, 1)), "5.1.1 User unknown");
    }
}
