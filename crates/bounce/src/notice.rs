//! Notices to the postmaster about a session with another host that went wrong (`notify_classes`): what was said.

use address::{Address, Domain};
use envelope::{BodyKind, Envelope, Recipient};
use message::build::{Header, Part};
use message::date::Date;
use settings::{NotifyClass, Postfix};
use smtp::Transcript;
use smtp::transcript::Voice;

use crate::Error;

/// Lines are broken at spaces so that they are no longer than this, in characters.
const WIDTH: usize = 79;

/// Which side of the session we were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The SMTP server.
    SmtpServer,
    /// The SMTP client.
    SmtpClient,
    /// The LMTP client.
    LmtpClient,
}

/// A session that went wrong.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// Which side we were.
    pub service: Service,
    /// The other side: `mx.example.com[192.0.2.1]`, of a client's session with the port behind it.
    pub peer: &'a str,
    /// What was said.
    pub transcript: &'a Transcript,
    /// Why it ended before its time: `lost connection`.
    pub aborted: Option<&'a str>,
}

/// The notice about a session that showed faults of these classes: its envelope and its content (lines ending in LF). `None`
/// when `notify_classes` asks for none of them. It goes to `bounce_notice_recipient` when mail was refused that could not be
/// delivered, else to `error_notice_recipient`; from a sender whose mail is never returned.
///
/// `now` is in the local zone.
///
/// # Errors
/// [`Error::Build`].
pub fn notice(
    settings: &Postfix,
    classes: &[NotifyClass],
    notice: &Notice<'_>,
    now: Date,
) -> Result<Option<(Envelope, Vec<u8>)>, Error> {
    let is_wanted = |class: &NotifyClass| classes.contains(class);
    if !settings.notify_classes.iter().any(is_wanted) {
        return Ok(None);
    }
    let to = match is_wanted(&NotifyClass::Bounce) {
        true => &settings.bounce_notice_recipient,
        false => &settings.error_notice_recipient,
    };
    let complete = |address: Address| match address.domain() {
        Some(_) => address,
        None => Address::new(address.local(), crate::own_domain(settings)),
    };
    let (Ok(to), Ok(named)) = (
        Address::parse(to),
        Address::parse(&settings.error_notice_recipient),
    ) else {
        return Ok(None);
    };
    let host = Domain::parse(&settings.myhostname).ok();
    let sender = Address::new(&settings.double_bounce_sender, host);
    let body = body(notice);
    let encoding = if body.is_ascii() { "7bit" } else { "8bit" };
    let header = Header::new()
        .field("Date", &now.rfc5322())?
        .field(
            "From",
            &format!("Mail Delivery System <MAILER-DAEMON@{}>", settings.myhostname),
        )?
        .field("To", &format!("Postmaster <{}>", complete(named)))?
        .text("Subject", &subject(settings, notice))?;
    let part = Part {
        header: Header::new()
            .field("Content-Type", "text/plain; charset=utf-8")?
            .field("Content-Transfer-Encoding", encoding)?,
        body: message::lines::to_crlf(body.as_bytes()),
    };
    let bytes = message::lines::to_lf(&part.with_header(header).to_bytes());
    let envelope = Envelope {
        sender: Some(sender),
        recipients: vec![Recipient::new(complete(to))],
        ret: None,
        envid: None,
        body: match body.is_ascii() {
            true => BodyKind::SevenBit,
            false => BodyKind::EightBitMime,
        },
        smtputf8: false,
    };
    Ok(Some((envelope, bytes)))
}

fn subject(settings: &Postfix, notice: &Notice<'_>) -> String {
    let service = match notice.service {
        Service::SmtpServer => "SMTP server",
        Service::SmtpClient => "SMTP client",
        Service::LmtpClient => "LMTP client",
    };
    format!("{} {service}: errors from {}", settings.mail_name, notice.peer)
}

fn body(notice: &Notice<'_>) -> String {
    let mut text = String::new();
    if notice.service != Service::SmtpServer {
        text.push_str(&format!("Unexpected response from {}.\n\n", notice.peer));
    }
    text.push_str("Transcript of session follows.\n\n");
    for (voice, line) in notice.transcript.lines() {
        let who = match voice {
            Voice::In => " In:  ",
            Voice::Out => " Out: ",
        };
        text.push_str(&folded(&format!("{who}{line}")));
    }
    if notice.transcript.omitted() > 0 {
        text.push_str(&format!(" ({} more lines)\n", notice.transcript.omitted()));
    }
    text.push('\n');
    if let Some(reason) = notice.aborted {
        text.push_str(&format!("Session aborted, reason: {reason}\n"));
    }
    text.push_str("\nThe log of this host may tell more.\n");
    text
}

/// A line broken at spaces, where it has any; what follows is indented.
fn folded(line: &str) -> String {
    const INDENT: &str = "     ";
    let mut text = String::new();
    let mut rest = line;
    let mut room = WIDTH;
    loop {
        let end = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
        // The first word stays where it is, however long.
        let start = rest.len() - rest.trim_start_matches(' ').len();
        let is_break = |at: &usize| *at > start && *at <= end;
        let breaks: Vec<usize> = rest.match_indices(' ').map(|(at, _)| at).collect();
        let fits = end == rest.len();
        let at = breaks.iter().copied().rfind(is_break);
        let at = at.or_else(|| breaks.iter().copied().find(|at| *at > start));
        let Some(at) = at.filter(|_| !fits) else {
            text.push_str(rest);
            text.push('\n');
            return text;
        };
        text.push_str(rest[..at].trim_end());
        text.push('\n');
        text.push_str(INDENT);
        rest = rest[at..].trim_start_matches(' ');
        room = WIDTH - INDENT.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    fn settings() -> Postfix {
        let mut settings = Postfix::defaults(&Surroundings::default());
        settings.myhostname = "mail.example.test".to_owned();
        settings.myorigin = "example.test".to_owned();
        settings.mail_name = "Postfix".to_owned();
        settings.bounce_notice_recipient = "copies@hold.example".to_owned();
        settings.notify_classes = vec![NotifyClass::Protocol, NotifyClass::Bounce];
        settings
    }

    fn made(classes: &[NotifyClass], service: Service) -> Option<(String, String)> {
        let mut transcript = Transcript::default();
        transcript.add(Voice::Out, b"220 mail.example.test ESMTP Postfix");
        let words: Vec<String> = (0..30).map(|number| format!("word{number}")).collect();
        transcript.add(Voice::In, format!("FOO {}", words.join(" ")).as_bytes());
        transcript.add(Voice::In, "x".repeat(90).as_bytes());
        let about = Notice {
            service,
            peer: "mx.example.com[192.0.2.1]",
            transcript: &transcript,
            aborted: Some("lost connection"),
        };
        let now = Date {
            secs: 1_795_917_600,
            offset_secs: 0,
        };
        let (envelope, bytes) = notice(&settings(), classes, &about, now).unwrap()?;
        let shown = |address: &Address| address.to_string();
        let way = format!(
            "{} to {}",
            envelope.sender.as_ref().map(shown).unwrap_or_default(),
            shown(&envelope.recipients[0].address)
        );
        Some((way, String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn a_session_is_told() {
        let (way, text) = made(&[NotifyClass::Protocol], Service::SmtpServer).unwrap();
        assert_eq!(way, "double-bounce@mail.example.test to postmaster@example.test");
        for line in [
            "From: Mail Delivery System <MAILER-DAEMON@mail.example.test>\n",
            "To: Postmaster <postmaster@example.test>\n",
            "Subject: Postfix SMTP server: errors from mx.example.com[192.0.2.1]\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let (_, body) = text.split_once("\n\n").unwrap();
        let long = "x".repeat(90);
        let expected = format!(
            "Transcript of session follows.\n\n \
             Out: 220 mail.example.test ESMTP Postfix\n \
             In:  FOO word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10\n     \
             word11 word12 word13 word14 word15 word16 word17 word18 word19 word20\n     \
             word21 word22 word23 word24 word25 word26 word27 word28 word29\n \
             In:\n     {long}\n\n\
             Session aborted, reason: lost connection\n\n\
             The log of this host may tell more.\n"
        );
        assert_eq!(body, expected);
    }

    #[test]
    fn who_is_told_depends_on_the_class() {
        let (way, _) = made(&[NotifyClass::Protocol, NotifyClass::Bounce], Service::SmtpServer).unwrap();
        assert_eq!(way, "double-bounce@mail.example.test to copies@hold.example");
        assert_eq!(made(&[NotifyClass::Policy], Service::SmtpServer), None);
        assert_eq!(made(&[], Service::SmtpServer), None);
        let (_, text) = made(&[NotifyClass::Protocol], Service::LmtpClient).unwrap();
        assert!(
            text.contains("Subject: Postfix LMTP client: errors from mx"),
            "{text}"
        );
        assert!(
            text.contains("\n\nUnexpected response from mx.example.com[192.0.2.1].\n\nTranscript"),
            "{text}"
        );
    }
}
