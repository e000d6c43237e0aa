//! Enhanced mail system status codes (RFC 3463): `class.subject.detail`.

use serde::{Deserialize, Serialize};

/// The first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// 2
    Success,
    /// 4
    Temporary,
    /// 5
    Permanent,
}

/// An enhanced status code such as `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StatusCode {
    /// Success, temporary or permanent.
    pub class: Class,
    /// The second number, 0 to 999.
    pub subject: u16,
    /// The third number, 0 to 999.
    pub detail: u16,
}

impl StatusCode {
    /// `2.subject.detail`
    pub const fn success(subject: u16, detail: u16) -> StatusCode {
        StatusCode {
            class: Class::Success,
            subject,
            detail,
        }
    }

    /// `4.subject.detail`
    pub const fn temporary(subject: u16, detail: u16) -> StatusCode {
        StatusCode {
            class: Class::Temporary,
            subject,
            detail,
        }
    }

    /// `5.subject.detail`
    pub const fn permanent(subject: u16, detail: u16) -> StatusCode {
        StatusCode {
            class: Class::Permanent,
            subject,
            detail,
        }
    }

    /// The code at the start of `text` (`5.1.1 No such user`) and what follows it, trimmed.
    pub fn split(text: &str) -> Option<(StatusCode, &str)> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut parts = text[..end].split('.');
        let class = match parts.next()? {
            "2" => Class::Success,
            "4" => Class::Temporary,
            "5" => Class::Permanent,
            _ => return None,
        };
        let number = |part: Option<&str>| part.filter(|p| (1..=3).contains(&p.len()))?.parse::<u16>().ok();
        let (subject, detail) = (number(parts.next())?, number(parts.next())?);
        parts.next().is_none().then(|| {
            (
                StatusCode {
                    class,
                    subject,
                    detail,
                },
                text[end..].trim_start(),
            )
        })
    }
}

impl std::fmt::Display for StatusCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let class = match self.class {
            Class::Success => 2,
            Class::Temporary => 4,
            Class::Permanent => 5,
        };
        write!(f, "{class}.{}.{}", self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_split_from_its_text() {
        assert_eq!(
            StatusCode::split("5.1.1 No such user"),
            Some((StatusCode::permanent(1, 1), "No such user"))
        );
        assert_eq!(StatusCode::split("2.0.0"), Some((StatusCode::success(0, 0), "")));
        for text in ["3.1.1 x", "5.1", "5.1.1.1 x", "5..1", "5.1.1234", "", "hello"] {
            assert_eq!(StatusCode::split(text), None, "{text}");
        }
    }
}
