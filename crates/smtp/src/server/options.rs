//! The parameters of MAIL and RCPT.

use super::{MailOptions, RcptOptions};
use crate::Reply;
use envelope::dsn::{decode_xtext, parse_orcpt};
use envelope::{BodyKind, Notify, Ret, StatusCode};

/// Reads what follows the sender's address.
///
/// # Errors
/// With the reply to make.
pub(super) fn mail(text: &str, message_octets_max: u64) -> Result<MailOptions, Reply> {
    let mut options = MailOptions::default();
    for word in text.split_ascii_whitespace() {
        let (key, value) = split(word);
        match (key.as_str(), value) {
            ("SIZE", Some(value)) => options.size = Some(size(value, message_octets_max)?),
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("7BIT") => options.body = BodyKind::SevenBit,
            ("BODY", Some(value)) if value.eq_ignore_ascii_case("8BITMIME") => {
                options.body = BodyKind::EightBitMime;
            }
            ("SMTPUTF8", None) => options.smtputf8 = true,
            ("RET", Some(value)) => {
                let ret = Ret::parse(value).ok_or_else(|| syntax("Bad RET parameter syntax"))?;
                if options.ret.replace(ret).is_some() {
                    return Err(syntax("Bad RET parameter syntax"));
                }
            }
            ("ENVID", Some(value)) => {
                let envid = decode_xtext(value).filter(|id| !id.is_empty());
                let envid = envid.ok_or_else(|| syntax("Bad ENVID parameter syntax"))?;
                if options.envid.replace(envid).is_some() {
                    return Err(syntax("Bad ENVID parameter syntax"));
                }
            }
            ("AUTH", Some(value)) => {
                let auth = decode_xtext(value).ok_or_else(|| syntax("Bad AUTH parameter syntax"))?;
                if options.auth.replace(auth).is_some() {
                    return Err(Reply::new(
                        503,
                        StatusCode::permanent(5, 4),
                        "Error: multiple AUTH= options",
                    ));
                }
            }
            _ => return Err(unsupported(word)),
        }
    }
    Ok(options)
}

/// Reads what follows the recipient's address.
///
/// # Errors
/// With the reply to make.
pub(super) fn rcpt(text: &str) -> Result<RcptOptions, Reply> {
    let mut options = RcptOptions::default();
    for word in text.split_ascii_whitespace() {
        let (key, value) = split(word);
        match (key.as_str(), value) {
            ("NOTIFY", Some(value)) => {
                let notify =
                    Notify::parse(value).ok_or_else(|| syntax("Error: Bad NOTIFY parameter syntax"))?;
                if options.notify.replace(notify).is_some() {
                    return Err(syntax("Error: Bad NOTIFY parameter syntax"));
                }
            }
            ("ORCPT", Some(value)) => {
                let orcpt = parse_orcpt(value).ok_or_else(|| syntax("Error: Bad ORCPT parameter syntax"))?;
                if options.orcpt.replace(orcpt).is_some() {
                    return Err(syntax("Error: Bad ORCPT parameter syntax"));
                }
            }
            _ => return Err(unsupported(word)),
        }
    }
    Ok(options)
}

fn split(word: &str) -> (String, Option<&str>) {
    match word.split_once('=') {
        Some((key, value)) => (key.to_ascii_uppercase(), Some(value)),
        None => (word.to_ascii_uppercase(), None),
    }
}

/// The largest size that a file can have, in octets.
const SIZE_OCTETS_MAX: u64 = i64::MAX as u64;

fn too_big(text: &str) -> Reply {
    Reply::new(552, StatusCode::permanent(3, 4), text)
}

/// SIZE=. A limit of 0 is none.
fn size(value: &str, limit: u64) -> Result<u64, Reply> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(syntax("Bad message size syntax"));
    }
    match value.parse::<u64>() {
        Ok(size) if size <= SIZE_OCTETS_MAX && (limit == 0 || size <= limit) => Ok(size),
        Ok(size) if size <= SIZE_OCTETS_MAX => Err(too_big("Message size exceeds fixed limit")),
        _ => Err(too_big("Message size exceeds file system imposed limit")),
    }
}

fn syntax(text: &str) -> Reply {
    Reply::new(501, StatusCode::permanent(5, 4), text)
}

fn unsupported(word: &str) -> Reply {
    Reply::new(
        555,
        StatusCode::permanent(5, 4),
        format!("Unsupported option: {word}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_read() {
        let options = mail(
            "size=100 BODY=8bitmime smtputf8 ret=hdrs envid=a+2Bb auth=<>",
            1000,
        )
        .unwrap();
        assert_eq!(
            (options.size, options.body, options.smtputf8),
            (Some(100), BodyKind::EightBitMime, true)
        );
        assert_eq!(
            (options.ret, options.envid.as_deref()),
            (Some(Ret::Headers), Some("a+b"))
        );
        assert_eq!(options.auth.as_deref(), Some("<>"));
        let options = rcpt("NOTIFY=success,DELAY ORCPT=rfc822;a+40b").unwrap();
        assert_eq!(
            options.notify,
            Some(Notify {
                success: true,
                failure: false,
                delay: true
            })
        );
        assert_eq!(options.orcpt.as_deref(), Some("rfc822;a@b"));
        assert_eq!(mail("SIZE=99999", 0).unwrap().size, Some(99999));
    }

    #[test]
    fn wrong_parameters_are_refused_in_postfix_words() {
        for (text, reply) in [
            ("foo", "555 5.5.4 Unsupported option: foo"),
            ("size=", "501 5.5.4 Bad message size syntax"),
            ("size=-1", "501 5.5.4 Bad message size syntax"),
            ("size=1001", "552 5.3.4 Message size exceeds fixed limit"),
            (
                "size=99999999999999999999999",
                "552 5.3.4 Message size exceeds file system imposed limit",
            ),
            ("body=binarymime", "555 5.5.4 Unsupported option: body=binarymime"),
            ("ret=x", "501 5.5.4 Bad RET parameter syntax"),
            ("ret=full ret=hdrs", "501 5.5.4 Bad RET parameter syntax"),
            ("envid=a+zz", "501 5.5.4 Bad ENVID parameter syntax"),
            ("envid=", "501 5.5.4 Bad ENVID parameter syntax"),
            ("auth=<> auth=<>", "503 5.5.4 Error: multiple AUTH= options"),
            ("smtputf8=1", "555 5.5.4 Unsupported option: smtputf8=1"),
        ] {
            assert_eq!(mail(text, 1000).unwrap_err().to_string(), reply, "{text}");
        }
        for text in [
            "notify=foo",
            "notify=never,failure",
            "notify=",
            "orcpt=foo",
            "orcpt=a;b+zz",
            "orcpt=;a",
        ] {
            assert_eq!(rcpt(text).unwrap_err().code, 501, "{text}");
        }
    }
}
