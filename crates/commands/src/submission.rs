//! How commands hand mail in: an envelope and a message go into the maildrop, whether the mail system runs or not.

use std::io::Read;
use std::path::Path;

use address::{Address, path};
use envelope::{BodyKind, Envelope, QueueId, Recipient, codec};
use ipc::control::{self, Request};
use message::{build, header, lines};
use os::User;
use queue::maildrop::Slip;
use settings::Postfix;
use world::World;

use crate::{authorization, eprint_line, set_gid};

/// `EX_UNAVAILABLE` of sysexits.h.
pub(crate) const EX_UNAVAILABLE: u8 = 69;
/// `EX_TEMPFAIL` of sysexits.h: what Postfix's sendmail says to everything that goes wrong.
pub(crate) const EX_TEMPFAIL: u8 = 75;
/// The largest message that is taken when `message_size_limit` is 0, in octets.
pub(crate) const MESSAGE_BYTES_MAX: u64 = 1 << 30;

/// The user who runs the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Submitter {
    /// The user id.
    pub(crate) uid: u32,
    /// Login name; `uid N` is written as the number when nobody has it.
    pub(crate) name: String,
    /// The home directory, empty when there is none.
    pub(crate) home: std::path::PathBuf,
}

impl Submitter {
    /// The user of this process. With `LOGNAME` or `USER` naming another user of the same uid, that name.
    pub(crate) fn current() -> Submitter {
        let uid = os::Identity::current().uid;
        let named = ["LOGNAME", "USER"]
            .iter()
            .filter_map(|variable| std::env::var(variable).ok())
            .filter_map(|name| os::users::user_by_name(&name).ok().flatten())
            .find(|user| user.uid == uid);
        let user: Option<User> = named.or_else(|| os::users::user_by_uid(uid).ok().flatten());
        match user {
            Some(user) => Submitter {
                uid,
                name: user.name,
                home: user.home,
            },
            None => Submitter {
                uid,
                name: uid.to_string(),
                home: std::path::PathBuf::new(),
            },
        }
    }
}

impl Submitter {
    /// Whether the user may hand mail in.
    ///
    /// # Errors
    /// Why not, in Postfix's words.
    pub(crate) fn may_submit(&self, settings: &Postfix) -> Result<(), String> {
        let refusal = authorization::refusal(&settings.authorized_submit_users, self.uid, "submit mail");
        refusal.map_or(Ok(()), Err)
    }

    /// What goes with mail of this user that is simply to be delivered.
    pub(crate) fn slip(&self) -> Slip {
        Slip {
            uid: self.uid,
            ..Slip::default()
        }
    }
}

impl std::fmt::Display for Submitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name, self.uid)
    }
}

/// How long the mail system is told of mail in the maildrop.
const COURTESY: std::time::Duration = std::time::Duration::from_secs(5);

/// Why a message was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is larger than `message_size_limit`.
    TooBig,
    /// The user may not, or says something that no mail can have: why.
    NotAllowed(String),
    /// The maildrop cannot be written: why.
    Maildrop(queue::Error),
    /// The running mail system did not take it: why.
    Handed(control::Error),
    /// The mail system is down, and this user's mail cannot be left for it meanwhile: why.
    Down(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::TooBig => f.write_str("message file too big"),
            Refusal::NotAllowed(why) => f.write_str(why),
            Refusal::Maildrop(error) => write!(f, "{error}"),
            Refusal::Handed(error) => write!(f, "{error}"),
            Refusal::Down(why) => write!(
                f,
                "the mail system is down, and mail cannot be left for it: {why}"
            ),
        }
    }
}

/// An envelope without recipients or options from this sender.
pub(crate) fn envelope_from(sender: Option<Address>) -> Envelope {
    Envelope {
        sender,
        recipients: Vec::new(),
        ret: None,
        envid: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
    }
}

/// The sender that a command line names: `None` for `<>` and the empty text. Forms of a From field are taken
/// (`Joe <joe@x>`, `joe@x (Joe)`); of several addresses, or of text around one, the first counts.
///
/// # Errors
/// What can be made of it (the first address, if any), when it is not exactly one address.
pub(crate) fn sender_of(text: &str) -> Result<Option<Address>, Option<Address>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(sender) = path::parse_whole(text) {
        return Ok(sender);
    }
    let is_plain = !text.contains(['<', '(', '"', ',', ';', ':']);
    if is_plain && let Some(first) = text.split_whitespace().next() {
        return Err(Address::parse(first).ok());
    }
    let entries = address::list::parse(text.as_bytes());
    let mut addresses = address::list::mailboxes(&entries).map(address::list::Mailbox::address);
    match (addresses.next(), addresses.next()) {
        (Some(Some(address)), None) => Ok(Some(address)),
        (first, _) => Err(first.flatten()),
    }
}

/// The recipients that a word of the command line names: one, or several with commas between them.
///
/// # Errors
/// The word, when there is no address in it.
pub(crate) fn recipients_of(word: &str) -> Result<Vec<Recipient>, String> {
    let entries = address::list::parse(word.as_bytes());
    let addresses: Option<Vec<Address>> = address::list::mailboxes(&entries)
        .flat_map(address::list::Mailbox::recipients)
        .collect();
    match addresses {
        Some(addresses) if !addresses.is_empty() => Ok(addresses.into_iter().map(Recipient::new).collect()),
        _ => Err(word.to_owned()),
    }
}

/// The most octets that are read of one message.
pub(crate) fn size_max(settings: &Postfix) -> u64 {
    match settings.message_size_limit {
        0 => MESSAGE_BYTES_MAX,
        limit => limit.min(MESSAGE_BYTES_MAX),
    }
}

/// Hands a message in; it is on disk when this returns. The running mail system takes it, under the uid that the kernel
/// says is the caller's; while it is down the message goes into the maildrop, by the user's own rights or by those of `postdrop`.
///
/// # Errors
/// [`Refusal`]; nothing was taken then.
pub(crate) fn submit(
    settings: &Postfix,
    slip: Slip,
    envelope: &Envelope,
    content: &[u8],
) -> Result<QueueId, Refusal> {
    if content.len() as u64 > size_max(settings) {
        return Err(Refusal::TooBig);
    }
    if let Some(text) = authorization::refusal(&settings.authorized_submit_users, slip.uid, "submit mail") {
        return Err(Refusal::NotAllowed(text));
    }
    envelope::maildrop::check(envelope).map_err(|error| Refusal::NotAllowed(error.to_string()))?;
    match hand_over(settings, slip, envelope, content) {
        Err(Refusal::Handed(error)) if is_absent(&error) => {}
        handed => return handed,
    }
    let queue_id = if owns_maildrop(settings) {
        leave(settings, slip, envelope, content)?
    } else {
        set_gid::leave(settings, slip, envelope, content).map_err(Refusal::Down)?
    };
    // A system that starts meanwhile finds it when it looks around; that one is told is a courtesy.
    let queue = (settings.queue_directory.as_path(), COURTESY);
    let _ = control::ask_within(queue, &Request::Pickup, |_| std::ops::ControlFlow::Continue(()));
    Ok(queue_id)
}

/// Whether nobody took the message, or nobody was left to say so: left in the maildrop it may come twice, otherwise it
/// would be lost.
fn is_absent(error: &control::Error) -> bool {
    match error {
        control::Error::Down | control::Error::Connect(..) | control::Error::Silent(..) => true,
        control::Error::Frame(error) => matches!(error, ipc::frame::Error::Io(_)),
        control::Error::Refused(_) => false,
    }
}

/// Whether this user may write into the maildrop as what it is: its owner, or root.
fn owns_maildrop(settings: &Postfix) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = os::Identity::current().uid;
    let queue = &settings.queue_directory;
    let found = queue.join("maildrop").metadata().or_else(|_| queue.metadata());
    // Without a queue yet, whoever can make it owns it.
    own == 0 || found.map_or(true, |found| found.uid() == own)
}

/// Into the maildrop, by the user's own rights.
fn leave(settings: &Postfix, slip: Slip, envelope: &Envelope, content: &[u8]) -> Result<QueueId, Refusal> {
    let mut reader: &mut dyn Read = &mut &content[..];
    let directory = &settings.queue_directory;
    let dropped = queue::maildrop::drop_message(directory, &World::real(), envelope, slip, &mut reader);
    let queue_id = dropped.map_err(Refusal::Maildrop)?;
    if os::identity::is_root() {
        // Failing is harmless while the system runs as root, and shows in its log when it does not.
        let _ = give_to_owner(&directory.join("maildrop"), &queue_id);
    }
    Ok(queue_id)
}

/// To the running mail system.
fn hand_over(
    settings: &Postfix,
    slip: Slip,
    envelope: &Envelope,
    content: &[u8],
) -> Result<QueueId, Refusal> {
    let mut coded = Vec::new();
    codec::encode_envelope(envelope, &mut coded)
        .map_err(|_| Refusal::Maildrop(queue::Error::EnvelopeTooLarge))?;
    let id = control::drop_message(&settings.queue_directory, coded, slip.asks(), content)
        .map_err(Refusal::Handed)?;
    QueueId::parse(&id)
        .ok_or_else(|| Refusal::Handed(control::Error::Refused(format!("\"{id}\" is no queue id"))))
}

/// What root drops belongs to whoever picks it up: the owner of the maildrop, or of the queue when root just made it.
fn give_to_owner(maildrop: &Path, queue_id: &QueueId) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let queue = maildrop.parent().unwrap_or(maildrop).metadata()?;
    if maildrop.metadata()?.uid() == 0 {
        chown(maildrop, Some(queue.uid()), Some(queue.gid()))?;
    }
    chown(
        maildrop.join(queue_id.as_str()),
        Some(queue.uid()),
        Some(queue.gid()),
    )
}

/// The message with a From field that says the sender's full name, when it has none.
pub(crate) fn with_full_name(
    content: Vec<u8>,
    sender: Option<&Address>,
    full_name: &str,
    is_obsolete: bool,
) -> Vec<u8> {
    // A From of the null sender has no name; intake adds it.
    let (Some(sender), name) = (sender, full_name.trim()) else {
        return content;
    };
    let end = header_end(&content);
    if name.is_empty() || header::find(&content[..end], "From").is_some() {
        return content;
    }
    let field = if is_obsolete {
        let kept: String = name.chars().filter(|c| !"\\()".contains(*c)).collect();
        format!("{sender} ({})", message::encoded_word::encode(&kept, 40))
    } else {
        build::mailbox(name, sender)
    };
    let Ok(block) = build::Header::new().field("From", &field) else {
        return content;
    };
    let mut with = content[..end].to_vec();
    with.extend_from_slice(&lines::to_lf(block.as_bytes()));
    if !content[end..].is_empty() && !content[end..].starts_with(b"\n") {
        with.push(b'\n');
    }
    with.extend_from_slice(&content[end..]);
    with
}

/// Where the header ends: before the empty line, or before the first line that is none of it.
fn header_end(content: &[u8]) -> usize {
    let mut end = 0;
    for line in content.split_inclusive(|&b| b == b'\n') {
        let is_folded = end > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        let colon = line.iter().position(|&b| b == b':');
        let is_field = colon.is_some_and(|colon| header::is_name(line[..colon].trim_ascii_end()));
        if !(is_folded || is_field) || !line.ends_with(b"\n") {
            break;
        }
        end += line.len();
    }
    end
}

/// Whether the content needs 8BITMIME.
pub(crate) fn body_kind(content: &[u8]) -> BodyKind {
    if content.is_ascii() {
        BodyKind::SevenBit
    } else {
        BodyKind::EightBitMime
    }
}

/// What the system says, in C's words, which scripts look for.
pub(crate) use os::words as words_of;

/// How much of a word of the user's is shown, in characters: an address is 254 octets at most (RFC 5321 §4.5.3.1).
const SHOWN_CHARS_MAX: usize = 256;

/// A word of the user's as it is shown: one that is far too long is cut.
pub(crate) fn shown(word: &str) -> String {
    match word.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

/// A warning in the command's name.
pub(crate) fn warn(command: &str, text: &str) {
    eprint_line(&format!("{command}: warning: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_makes_a_from_field_where_there_is_none() {
        let sender = Address::parse("ann").unwrap();
        let made = |content: &str, obsolete| {
            let bytes = with_full_name(content.as_bytes().to_vec(), Some(&sender), "Ann B.", obsolete);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            made("Subject: x\n\nbody\n", true),
            "Subject: x\nFrom: ann (Ann B.)\n\nbody\n"
        );
        assert_eq!(
            made("Subject: x\n\nbody\n", false),
            "Subject: x\nFrom: \"Ann B.\" <ann>\n\nbody\n"
        );
        assert_eq!(made("from: z\n\nbody\n", false), "from: z\n\nbody\n");
        assert_eq!(made("just text\n", true), "From: ann (Ann B.)\n\njust text\n");
        assert_eq!(made("", true), "From: ann (Ann B.)\n");
    }

    #[test]
    fn a_word_that_is_far_too_long_is_cut() {
        assert_eq!(shown("ann@b.example"), "ann@b.example");
        let cut = shown(&"ä".repeat(100_000));
        assert_eq!(cut, format!("{}…", "ä".repeat(SHOWN_CHARS_MAX)));
    }

    #[test]
    fn recipients_and_senders_of_the_command_line() {
        let names = |word| {
            recipients_of(word).map(|all| all.iter().map(|r| r.address.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names("ann").unwrap(), ["ann"]);
        assert_eq!(
            names("ann,b@c.example, \"d e\"@f").unwrap(),
            ["ann", "b@c.example", "\"d e\"@f"]
        );
        assert!(names("").is_err() && names(",").is_err());
    }

    #[test]
    fn a_sender_may_have_a_name() {
        let found = |text| sender_of(text).map(|sender| sender.map(|address| address.to_string()));
        let is = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(found("<>"), Ok(None));
        assert_eq!(found(""), Ok(None));
        for (text, sender) in [
            ("a@b", "a@b"),
            ("<a@b>", "a@b"),
            ("-x@b", "-x@b"),
            ("Joe <joe@x.y>", "joe@x.y"),
            ("joe@x.y (Joe)", "joe@x.y"),
            ("\"Joe, J.\" <joe@x.y>", "joe@x.y"),
        ] {
            assert_eq!(found(text), is(sender), "{text}");
        }
        for (text, first) in [("a b", "a"), ("a@b, c@d", "a@b")] {
            let malformed = sender_of(text).unwrap_err();
            assert_eq!(
                malformed.map(|address| address.to_string()).as_deref(),
                Some(first),
                "{text}"
            );
        }
    }
}
