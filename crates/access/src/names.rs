//! The `$names` that replies may mention (postconf(5), default_rbl_reply, smtpd_reject_footer), and which characters of what stands
//! behind them a client gets to read (`smtpd_expansion_filter`).

use std::cell::RefCell;

use crate::request::Request;

/// The characters that `smtpd_expansion_filter` lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Vec<u8>);

impl Filter {
    /// Reads the parameter, which writes some characters as C does: `\t`, `\40`.
    pub fn of(text: &str) -> Filter {
        let mut allowed = Vec::new();
        let mut rest = text.bytes().peekable();
        while let Some(octet) = rest.next() {
            if octet != b'\\' {
                allowed.push(octet);
                continue;
            }
            let Some(escaped) = rest.next() else { break };
            allowed.push(match escaped {
                b'a' => 0x07,
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 0x0b,
                b'0'..=b'7' => {
                    let mut value = u32::from(escaped - b'0');
                    for _ in 0..2 {
                        let Some(digit) = rest.next_if(|next| (b'0'..=b'7').contains(next)) else {
                            break;
                        };
                        value = value * 8 + u32::from(digit - b'0');
                    }
                    // `\777` is more than an octet: its low bits count.
                    u8::try_from(value & 0xff).unwrap_or(u8::MAX)
                }
                other => other,
            });
        }
        Filter(allowed)
    }

    /// The text with `_` for every octet that is not let through.
    pub fn censored(&self, text: &str) -> String {
        let allowed = |octet: u8| match self.0.contains(&octet) {
            true => octet,
            false => b'_',
        };
        let octets: Vec<u8> = text.bytes().map(allowed).collect();
        // Half a character may be let through where the other half is not.
        String::from_utf8_lossy(&octets).into_owned()
    }
}

/// What the `$names` of a reply stand for.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// What the client has said.
    pub request: &'a Request<'a>,
    /// `myhostname`
    pub server: &'a str,
    /// The local time, as the log has it.
    pub local_time: &'a dyn Fn() -> String,
    /// What comes from outside is seen through it.
    pub filter: &'a Filter,
}

/// A text whose names are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// Names that there are not, each as often as it stands there; nothing is in their place.
    pub unknown: Vec<String>,
}

impl Names<'_> {
    /// Replaces the names; `own` are those that only this kind of reply has.
    ///
    /// # Errors
    /// When the template makes no sense: what the log says of it.
    pub fn expand(&self, template: &str, own: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, String> {
        let unknown = RefCell::new(Vec::new());
        let value = |name: &str| -> Option<String> {
            let value = own(name).or_else(|| self.value(name));
            if value.is_none() {
                unknown.borrow_mut().push(name.to_owned());
            }
            // The value is no template.
            value.map(|value| self.filter.censored(&value).replace('$', "$$"))
        };
        let text = settings::expand::expand(template, &value).map_err(fault)?;
        Ok(Expanded {
            text,
            unknown: unknown.into_inner(),
        })
    }

    /// What a name stands for; `None` where there is no such name.
    fn value(&self, name: &str) -> Option<String> {
        let request = self.request;
        let split = |address: &str, local: bool| {
            let (before, after) = address.rsplit_once('@').unwrap_or((address, ""));
            (if local { before } else { after }).to_owned()
        };
        let sender = match request.sender {
            None => "",
            Some(None) => "<>",
            Some(Some(_)) => request.sender_written,
        };
        let recipient = request.recipient_written;
        Some(match name {
            "client" => request.client.to_string(),
            "client_address" => request.client.address.to_string(),
            "client_name" => request.client.name.clone(),
            "client_port" => request.client_port.unwrap_or_default().to_owned(),
            "reverse_client_name" => request.client.reverse_name.clone(),
            "helo_name" => request.helo.unwrap_or_default().to_owned(),
            "sender" => sender.to_owned(),
            "sender_name" => split(sender, true),
            "sender_domain" => split(sender, false),
            "recipient" => recipient.to_owned(),
            "recipient_name" => split(recipient, true),
            "recipient_domain" => split(recipient, false),
            "localtime" => (self.local_time)(),
            "server_name" => self.server.to_owned(),
            _ => return None,
        })
    }
}

/// In the log's words.
fn fault(error: settings::expand::Error) -> String {
    match error {
        settings::expand::Error::NoName(whole) => format!("empty macro name: \"{whole}\""),
        settings::expand::Error::Unclosed(_, whole) => format!("truncated macro reference: \"{whole}\""),
        error => error.to_string(),
    }
}

/// The log's line about a name that there is not.
pub(crate) fn unknown_name(name: &str) -> String {
    format!("unknown macro name \"{name}\" in expansion request")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_written_as_in_c() {
        let seen = |filter: &str, text: &str| Filter::of(filter).censored(text);
        assert_eq!(seen("abc", "a-b-c"), "a_b_c");
        assert_eq!(seen(r"\141\t\40", "a b\t"), "a _\t");
        assert_eq!(seen(r"\x41", "xA41"), "x_41", "no escape of Postfix's");
        assert_eq!(seen(r"\\a\", r"a\"), r"a\");
        assert_eq!(seen("a", "ä"), "__", "octets, not characters");
        let usual = settings::Postfix::defaults(&settings::Surroundings::default());
        let all: String = (b' '..0x7f).map(char::from).collect();
        assert_eq!(seen(&usual.smtpd_expansion_filter, &all), all);
    }
}
