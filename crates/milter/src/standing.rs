//! What a filter's verdict means for a session, and whether the filter is asked again; and what happens when it cannot be.

use crate::command::Command;
use crate::fault::Fault;
use crate::reply::Verdict;

/// What happens to a command, as far as filters are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Pass,
    /// It goes on, and the message is held.
    Hold,
    /// It goes on, and the message goes nowhere.
    Discard,
    /// It is refused with this reply: code first, lines parted by CRLF.
    Refuse(String),
    /// The same, and the connection is closed behind it.
    HangUp(String),
}

/// How a filter stands in a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// It is asked.
    #[default]
    Asked,
    /// It is not asked again before the next message.
    DoneWithMessage,
    /// It is not asked again.
    DoneWithSession,
    /// It is not asked again: this is said in its name.
    Decided(Decision),
}

/// What happens when a filter cannot be asked (`milter_default_action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultAction {
    /// As if it was not there.
    Accept,
    /// Everything is refused for good.
    Reject,
    /// Everything is refused for now.
    TempFail,
    /// Messages are held.
    Quarantine,
}

impl DefaultAction {
    /// The action of this name.
    pub fn of_word(word: &str) -> Option<DefaultAction> {
        Some(match word {
            "accept" => DefaultAction::Accept,
            "reject" => DefaultAction::Reject,
            "tempfail" => DefaultAction::TempFail,
            "quarantine" => DefaultAction::Quarantine,
            _ => return None,
        })
    }

    /// How a filter stands that cannot be asked, for want of another setting or of another moment.
    pub fn standing(self, is_of_configuration: bool) -> Standing {
        let text = match (self, is_of_configuration) {
            (DefaultAction::Accept, _) => return Standing::DoneWithSession,
            (DefaultAction::Quarantine, _) => return Standing::Decided(Decision::Hold),
            // The settings will be put right: nobody's mail is refused for good until then.
            (DefaultAction::Reject | DefaultAction::TempFail, true) => {
                "451 4.3.5 Server configuration problem - try again later"
            }
            (DefaultAction::Reject, false) => "550 5.5.0 Service unavailable",
            (DefaultAction::TempFail, false) => UNAVAILABLE,
        };
        Standing::Decided(Decision::Refuse(text.to_owned()))
    }

    /// The same by what is wrong.
    pub fn after(self, fault: &Fault) -> Standing {
        self.standing(fault.is_of_configuration())
    }
}

const REJECTED: &str = "550 5.7.1 Command rejected";
const UNAVAILABLE: &str = "451 4.7.1 Service unavailable - try again later";
const CLOSING: &str = "421 4.7.0 Server closing connection";

/// What a verdict on a command comes to, and how the filter stands from then on.
///
/// # Errors
/// When the verdict has no sense.
pub fn judge(command: &Command, verdict: Verdict) -> Result<(Decision, Standing), Fault> {
    let is_of_session = matches!(command, Command::Connect { .. } | Command::Helo(_));
    let decision = match verdict {
        Verdict::Continue | Verdict::Skip | Verdict::ConnectionFailure => Decision::Pass,
        Verdict::Accept if is_of_session => return Ok((Decision::Pass, Standing::DoneWithSession)),
        Verdict::Accept => return Ok((Decision::Pass, Standing::DoneWithMessage)),
        // It makes no sense before there is a message; the caller tells the log.
        Verdict::Discard if is_of_session => Decision::Pass,
        Verdict::Discard => return Ok((Decision::Discard, Standing::DoneWithMessage)),
        Verdict::Reject => Decision::Refuse(REJECTED.to_owned()),
        Verdict::TempFail => Decision::Refuse(UNAVAILABLE.to_owned()),
        Verdict::Shutdown => {
            let decision = Decision::HangUp(CLOSING.to_owned());
            return Ok((decision.clone(), Standing::Decided(decision)));
        }
        Verdict::Code(words) => reply(&words)?,
    };
    let standing = match &decision {
        Decision::Pass => Standing::Asked,
        decided if is_of_session => Standing::Decided(decided.clone()),
        _ => Standing::Asked,
    };
    Ok((decision, standing))
}

/// A reply in the filter's own words. Each line starts with the code; what could be more than a reply is taken out.
fn reply(words: &[u8]) -> Result<Decision, Fault> {
    let text = String::from_utf8_lossy(words).into_owned();
    let code = text.get(..3).filter(|code| {
        matches!(code.as_bytes(), [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'])
            && matches!(text.as_bytes().get(3), None | Some(b' ' | b'-'))
    });
    let Some(code) = code else {
        return Err(Fault::BadWords(text));
    };
    Ok(match code {
        "421" => Decision::HangUp(text),
        _ => Decision::Refuse(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(command: &Command, verdict: Verdict) -> (Decision, Standing) {
        judge(command, verdict).unwrap()
    }

    #[test]
    fn the_session_is_decided_by_its_first_steps() {
        let helo = Command::Helo("h".to_owned());
        let refused = Decision::Refuse(REJECTED.to_owned());
        assert_eq!(
            on(&helo, Verdict::Reject),
            (refused.clone(), Standing::Decided(refused.clone()))
        );
        assert_eq!(
            on(&helo, Verdict::Accept),
            (Decision::Pass, Standing::DoneWithSession)
        );
        assert_eq!(on(&helo, Verdict::Discard), (Decision::Pass, Standing::Asked));
        let mail = Command::Mail(Vec::new());
        assert_eq!(on(&mail, Verdict::Reject), (refused, Standing::Asked));
        assert_eq!(
            on(&mail, Verdict::Accept),
            (Decision::Pass, Standing::DoneWithMessage)
        );
        assert_eq!(
            on(&mail, Verdict::Discard),
            (Decision::Discard, Standing::DoneWithMessage)
        );
    }

    #[test]
    fn words_are_replies_or_nothing() {
        let say = |words: &str| judge(&Command::Data, Verdict::Code(words.as_bytes().to_vec()));
        assert!(matches!(
            say("550 5.7.1 no"),
            Ok((Decision::Refuse(_), Standing::Asked))
        ));
        assert!(matches!(
            say("421 4.7.1 bye"),
            Ok((Decision::HangUp(_), Standing::Asked))
        ));
        for words in ["250 yes", "hello", "", "5", "5505 x", "4é"] {
            assert_eq!(say(words), Err(Fault::BadWords(words.to_owned())), "{words}");
        }
    }

    #[test]
    fn the_default_is_what_was_set() {
        let told = |word: &str| DefaultAction::of_word(word).unwrap().standing(false);
        assert_eq!(told("accept"), Standing::DoneWithSession);
        assert_eq!(told("quarantine"), Standing::Decided(Decision::Hold));
        assert!(
            matches!(told("reject"), Standing::Decided(Decision::Refuse(text)) if text.starts_with("550"))
        );
        assert!(
            matches!(told("tempfail"), Standing::Decided(Decision::Refuse(text)) if text.starts_with("451"))
        );
        assert_eq!(DefaultAction::of_word("shutdown"), None);
    }
}
