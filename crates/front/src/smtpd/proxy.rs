//! `smtpd_proxy_filter` (SMTPD_PROXY_README): a program sees mail while the client still waits, and gives what it takes to another
//! SMTP service; what it says is what the client hears. Nothing is queued here.
//!
//! The filter hears MAIL with the first recipient that may be, and from then on what the client says; with
//! `smtpd_proxy_options = speed_adjust` it hears everything when the message is complete.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use envelope::StatusCode;
use envelope::dsn::encode_xtext;
use maillog::lines::smtpd as lines;
use queue::Incoming;
use serve::Link;
use settings::NotifyClass;
use smtp::Reply;
use smtp::reply::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::Smtpd;
use super::session::Session;
use super::transaction::Transaction;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// How much is read back at once of what was kept until the message was complete.
const PIECE_BYTES: usize = 64 * 1024;
/// The longest XFORWARD command, in octets (RFC 5321 §4.5.3.1.4, without its line end).
const COMMAND_OCTETS_MAX: usize = 510;

/// What a client's mail goes through.
pub(super) struct Proxy {
    filter: Filter,
    is_in_content: bool,
    /// The next octet of the content starts a line.
    at_line_start: bool,
}

/// How the filter is spoken to.
enum Filter {
    /// While the client speaks.
    Now(Conversation),
    /// When the message is complete: what is to be said until then, and the content.
    Later(Vec<String>, Box<Incoming>),
}

/// Why a filter cannot be asked.
enum Trouble {
    /// It said no, in these words.
    Refused(Reply),
    /// It is not to be had; the log has been told.
    Away,
    /// The connection to it could not be made, or broke: the postmaster hears of that as well.
    Broken,
}

/// A connection to a filter.
struct Conversation {
    stream: BufReader<Box<dyn Stream>>,
    service: Arc<Smtpd>,
}

/// The generic error that SMTPD_PROXY_README promises; the log knows more.
fn away() -> Reply {
    let text = "Error: queue file write error";
    Reply::new(451, StatusCode::temporary(3, 0), text)
}

impl Trouble {
    fn into_reply(self) -> Reply {
        match self {
            Trouble::Refused(reply) => reply,
            Trouble::Away | Trouble::Broken => away(),
        }
    }
}

impl Conversation {
    async fn open(service: &Arc<Smtpd>) -> Result<Conversation, Trouble> {
        let name = &service.settings.smtpd_proxy_filter;
        let connecting = timeout(service.settings.smtpd_proxy_timeout, connect(service)).await;
        let connected = connecting.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let stream = connected.map_err(|error| {
            let words = match error.kind() {
                io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
                io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
                io::ErrorKind::NotFound => "No such file or directory".to_owned(),
                _ => os::words(&error),
            };
            let text = format!("connect to proxy filter {name}: {words}");
            service.log.warning("smtpd", &text);
            Trouble::Broken
        })?;
        let mut conversation = Conversation {
            stream: BufReader::new(stream),
            service: Arc::clone(service),
        };
        let greeting = conversation.reply().await?;
        if greeting.code != 220 {
            conversation.warn_refused("connection request", &greeting);
            conversation.quit().await;
            return Err(Trouble::Away);
        }
        Ok(conversation)
    }

    fn patience(&self) -> Duration {
        self.service.settings.smtpd_proxy_timeout
    }

    fn warn(&self, text: &str) {
        self.service.log.warning("smtpd", text);
    }

    fn warn_refused(&self, command: &str, reply: &Reply) {
        let name = &self.service.settings.smtpd_proxy_filter;
        self.warn(&format!(
            "proxy {name} rejected \"{command}\": \"{}\"",
            on_one_line(reply)
        ));
    }

    fn lost(&self, how: &str) -> Trouble {
        let name = &self.service.settings.smtpd_proxy_filter;
        self.warn(&format!("{how} proxy {name}"));
        Trouble::Broken
    }

    async fn send(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        let patience = self.patience();
        match timeout(patience, self.stream.get_mut().write_all(octets)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.lost("lost connection with")),
            Err(_) => Err(self.lost("timeout talking to")),
        }
    }

    /// A line, bounded; `None`: there is none any more.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(REPLY_LINE_OCTETS_MAX as u64);
        bounded.read_until(b'\n', &mut line).await?;
        let text = String::from_utf8_lossy(&line);
        Ok(line.ends_with(b"\n").then(|| text.trim_end().to_owned()))
    }

    async fn reply(&mut self) -> Result<Reply, Trouble> {
        let patience = self.patience();
        let mut lines = Vec::new();
        while lines.len() < REPLY_LINES_MAX {
            let line = match timeout(patience, self.line()).await {
                Ok(Ok(Some(line))) => line,
                Ok(_) => return Err(self.lost("lost connection with")),
                Err(_) => return Err(self.lost("timeout talking to")),
            };
            let shaped = matches!(line.as_bytes().get(3), None | Some(b' ' | b'-'));
            let Some(mut reply) = Reply::parse(&line).filter(|_| shaped) else {
                let name = &self.service.settings.smtpd_proxy_filter;
                let shown: String = line
                    .chars()
                    .map(|c| if c.is_control() { '?' } else { c })
                    .collect();
                self.warn(&format!("received garbage from proxy {name}: {shown}"));
                return Err(self.lost("lost connection with"));
            };
            lines.append(&mut reply.lines);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { lines, ..reply });
            }
        }
        Err(self.lost("lost connection with"))
    }

    /// Says a command, which is expected to have a reply of this kind: the first digit.
    async fn command(&mut self, command: &str, kind: u16) -> Result<Reply, Trouble> {
        self.send(format!("{command}\r\n").as_bytes()).await?;
        let reply = self.reply().await?;
        match reply.code / 100 == kind {
            true => Ok(reply),
            false => {
                self.warn_refused(command, &reply);
                Err(Trouble::Refused(reply))
            }
        }
    }

    /// EHLO, and whom we speak for; what a filter says against that is its own mistake.
    async fn introduce(&mut self, attributes: &[(&'static str, String)]) -> Result<(), Trouble> {
        match self.say_who(attributes).await {
            Err(Trouble::Refused(_)) => {
                self.quit().await;
                Err(Trouble::Away)
            }
            said => said,
        }
    }

    async fn say_who(&mut self, attributes: &[(&'static str, String)]) -> Result<(), Trouble> {
        let name = self.service.settings.smtpd_proxy_ehlo.clone();
        let offers = self.command(&format!("EHLO {name}"), 2).await?;
        let wanted: Vec<&str> = offers
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("XFORWARD "))
            .flat_map(str::split_ascii_whitespace)
            .collect();
        let mut line = String::new();
        for (name, value) in attributes.iter().filter(|(name, _)| wanted.contains(name)) {
            let attribute = format!(" {name}={value}");
            if line.len() + attribute.len() > COMMAND_OCTETS_MAX - "XFORWARD".len() {
                let whole = std::mem::take(&mut line);
                self.command(&format!("XFORWARD{whole}"), 2).await?;
            }
            line.push_str(&attribute);
        }
        if !line.is_empty() {
            self.command(&format!("XFORWARD{line}"), 2).await?;
        }
        Ok(())
    }

    /// Good-bye to a filter that can hear it.
    async fn quit_after(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Refused(_)) {
            self.quit().await;
        }
    }

    async fn quit(&mut self) {
        // Whether it hears that is of no matter.
        let _ = timeout(self.patience(), self.stream.get_mut().write_all(b"QUIT\r\n")).await;
    }
}

/// `host:port`, `port`, `inet:…`, `unix:path` (from the queue directory on).
async fn connect(service: &Smtpd) -> io::Result<Box<dyn Stream>> {
    let name = service.settings.smtpd_proxy_filter.as_str();
    if let Some(path) = name.strip_prefix("unix:") {
        let path = service.settings.queue_directory.join(path);
        return Ok(Box::new(UnixStream::connect(path).await?));
    }
    let place = name.strip_prefix("inet:").unwrap_or(name);
    let (host, port) = place.rsplit_once(':').unwrap_or(("", place));
    let port = port
        .parse::<u16>()
        .map_err(|_| io::Error::other("the port is no number"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "localhost" } else { host };
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// A reply as it came, on one line.
fn on_one_line(reply: &Reply) -> String {
    let mut wire = Vec::new();
    reply.write(&mut wire);
    let text = String::from_utf8_lossy(&wire);
    text.trim_end().replace("\r\n", "??")
}

/// The content with its dots as DATA has them.
fn stuffed(piece: &[u8], at_line_start: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len() + 16);
    for &octet in piece {
        if octet == b'.' && *at_line_start {
            out.push(b'.');
        }
        out.push(octet);
        *at_line_start = octet == b'\n';
    }
    out
}

impl Proxy {
    async fn command(&mut self, command: &str, kind: u16) -> Result<(), Trouble> {
        match &mut self.filter {
            Filter::Now(conversation) => conversation.command(command, kind).await.map(drop),
            Filter::Later(commands, _) => {
                commands.push(command.to_owned());
                Ok(())
            }
        }
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        match &mut self.filter {
            Filter::Now(conversation) => conversation.send(octets).await,
            Filter::Later(_, kept) => kept.write(octets).map_err(|_| Trouble::Away),
        }
    }

    /// The content is complete: what the filter says to it.
    async fn end(
        self,
        service: &Arc<Smtpd>,
        attributes: &[(&'static str, String)],
    ) -> Result<Reply, Trouble> {
        let mut conversation = match self.filter {
            Filter::Now(conversation) => conversation,
            Filter::Later(commands, kept) => replay(service, attributes, &commands, &kept).await?,
        };
        conversation.send(b".\r\n").await?;
        let reply = conversation.reply().await?;
        conversation.quit().await;
        Ok(reply)
    }
}

/// Says what was kept.
async fn replay(
    service: &Arc<Smtpd>,
    attributes: &[(&'static str, String)],
    commands: &[String],
    kept: &Incoming,
) -> Result<Conversation, Trouble> {
    let mut conversation = Conversation::open(service).await?;
    let introduced = conversation.introduce(attributes).await;
    let mut said = introduced;
    for command in commands {
        let kind = if command == "DATA" { 3 } else { 2 };
        if said.is_ok() {
            said = conversation.command(command, kind).await.map(drop);
        }
    }
    if let Err(trouble) = said {
        conversation.quit_after(&trouble).await;
        return Err(trouble);
    }
    let (mut piece, mut at) = (vec![0; PIECE_BYTES], 0);
    loop {
        let count = kept.read_at(at, &mut piece).map_err(|error| {
            service.log.error("smtpd", &error.to_string());
            Trouble::Away
        })?;
        if count == 0 {
            return Ok(conversation);
        }
        conversation.send(&piece[..count]).await?;
        at += count as u64;
    }
}

impl Session {
    /// Whether mail goes through a filter instead of into the queue.
    pub(super) fn is_proxied(&self) -> bool {
        !self.service.settings.smtpd_proxy_filter.is_empty()
    }

    /// RCPT that may be, as it was said; the reply that refuses it.
    pub(super) async fn proxy_hears_rcpt(&mut self, said: &str, link: &Link) -> Option<Reply> {
        if self.proxy.is_none() {
            match self.proxy_begins(link).await {
                Ok(proxy) => self.proxy = Some(Box::new(proxy)),
                Err(trouble) => return Some(self.troubled(trouble)),
            }
            self.log_client();
        }
        let heard = self.proxy.as_mut()?.command(&format!("RCPT TO:{said}"), 2).await;
        self.or_away(heard)
    }

    /// What the client hears; the postmaster of a filter that is not to be had.
    fn troubled(&mut self, trouble: Trouble) -> Reply {
        if matches!(trouble, Trouble::Broken) {
            self.note_fault(NotifyClass::Software);
        }
        trouble.into_reply()
    }

    /// What is gone is not asked again.
    fn or_away(&mut self, heard: Result<(), Trouble>) -> Option<Reply> {
        let trouble = heard.err()?;
        if matches!(trouble, Trouble::Away | Trouble::Broken) {
            self.proxy = None;
        }
        Some(self.troubled(trouble))
    }

    async fn proxy_begins(&mut self, link: &Link) -> Result<Proxy, Trouble> {
        let said = self.transaction.as_ref().map_or("", Transaction::said);
        let mail = format!("MAIL FROM:{said}");
        let options = &self.service.settings.smtpd_proxy_options;
        let is_later = options
            .iter()
            .any(|option| option.eq_ignore_ascii_case("speed_adjust"));
        let filter = if is_later {
            let kept = self.service.front.spool.begin(serve::clock::now());
            Filter::Later(vec![mail], Box::new(kept))
        } else {
            let mut conversation = Conversation::open(&self.service).await?;
            let mut said = conversation.introduce(&self.forwarded_attributes(link)).await;
            if said.is_ok() {
                said = conversation.command(&mail, 2).await.map(drop);
            }
            if let Err(trouble) = said {
                conversation.quit_after(&trouble).await;
                return Err(trouble);
            }
            Filter::Now(conversation)
        };
        Ok(Proxy {
            filter,
            is_in_content: false,
            at_line_start: true,
        })
    }

    /// What is known of the client, by the names of the queue's attributes.
    fn known_of_client(&self, link: &Link) -> Vec<(String, String)> {
        let mut known = self.attributes(link);
        let has = |name: &str| known.iter().any(|(own, _)| own == name);
        let of_origin = crate::cleanup::log_attributes(&self.origin(link)).into_iter();
        let more: Vec<_> = of_origin.filter(|(name, _)| !has(name)).collect();
        known.extend(more);
        known
    }

    /// What the filter is told of the client by XFORWARD.
    fn forwarded_attributes(&self, link: &Link) -> Vec<(&'static str, String)> {
        let known = self.known_of_client(link);
        let value = |name: &str| {
            let found = known.iter().find(|(own, _)| own == name);
            let value = found.map(|(_, value)| value.as_str()).unwrap_or_default();
            match value {
                "" | "unknown" => "[UNAVAILABLE]".to_owned(),
                value => encode_xtext(value),
            }
        };
        let is_remote = known.iter().any(|(name, _)| name == crate::cleanup::CONTEXT);
        let address = value("log_client_address");
        let source = if is_remote { "REMOTE" } else { "LOCAL" };
        vec![
            ("NAME", value("log_client_name")),
            (
                "ADDR",
                match address.contains(':') {
                    true => format!("IPV6:{address}"),
                    false => address,
                },
            ),
            ("PORT", value("log_client_port")),
            ("HELO", value("log_helo_name")),
            ("IDENT", value("log_ident")),
            ("PROTO", value("log_protocol_name")),
            ("SOURCE", source.to_owned()),
        ]
    }

    /// DATA that may be; the reply that refuses it.
    pub(super) async fn proxy_hears_data(&mut self, link: &Link) -> Option<Reply> {
        let origin = self.origin(link);
        let only = self.transaction.as_ref().and_then(Transaction::only_recipient);
        let only = only.map(|(address, _)| address.to_string());
        let settings = &self.service.settings;
        let now_secs = serve::clock::now() / machine::SECOND;
        let received = intake::received::unqueued(settings, &origin, only.as_deref(), now_secs);
        let mut header: String = self
            .memory
            .actions
            .prepend
            .iter()
            .map(|field| format!("{field}\n"))
            .collect();
        header.push_str(&format!("Received: {received}\n"));
        let header = header.replace('\n', "\r\n");
        let proxy = self.proxy.as_mut()?;
        let mut heard = proxy.command("DATA", 3).await;
        if heard.is_ok() {
            proxy.is_in_content = true;
            heard = proxy.write(header.as_bytes()).await;
        }
        self.or_away(heard)
    }

    /// A piece of the content. What goes wrong shows at its end.
    pub(super) async fn proxy_hears_content(&mut self, piece: &[u8]) {
        let Some(proxy) = &mut self.proxy else { return };
        let octets = stuffed(piece, &mut proxy.at_line_start);
        let heard = proxy.write(&octets).await;
        self.or_away(heard);
    }

    /// The content is complete; what the client hears.
    pub(super) async fn proxy_hears_end(&mut self, link: &Link) -> Reply {
        let attributes = self.forwarded_attributes(link);
        let reply = match self.proxy.take() {
            Some(proxy) => match proxy.end(&self.service, &attributes).await {
                Ok(reply) => reply,
                Err(trouble) => self.troubled(trouble),
            },
            None => away(),
        };
        let transaction = self.transaction.as_ref();
        let rule = Some(format!(
            "smtpd_proxy_filter {}",
            self.service.settings.smtpd_proxy_filter
        ));
        self.service.log.write(&lines::Proxied {
            is_accepted: reply.is_positive(),
            text: &on_one_line(&reply),
            sender: transaction.map_or("", Transaction::sender_written),
            recipient: transaction.and_then(Transaction::first_written),
            protocol: self.protocol(),
            helo: self.helo.as_ref().map(|(_, name)| name.as_str()),
            rule: rule
                .as_deref()
                .filter(|_| !reply.is_positive() && self.names_rules()),
        });
        reply
    }

    /// The transaction is over, or never came to its end. In the middle of the content nothing can be said any more: the
    /// connection is cut, and the filter takes nothing.
    pub(super) async fn proxy_is_left(&mut self) {
        if let Some(mut proxy) = self.proxy.take()
            && let (false, Filter::Now(conversation)) = (proxy.is_in_content, &mut proxy.filter)
        {
            conversation.quit().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_wherever_pieces_are_cut() {
        let content = b".a\r\n..b\r\nc.d\r\n.\r\n";
        for cut in 0..content.len() {
            let mut at_line_start = true;
            let mut out = stuffed(&content[..cut], &mut at_line_start);
            out.extend(stuffed(&content[cut..], &mut at_line_start));
            assert_eq!(out, b"..a\r\n...b\r\nc.d\r\n..\r\n", "{cut}");
        }
    }

    #[test]
    fn a_reply_is_shown_as_it_came() {
        let mut reply = Reply::new(554, StatusCode::permanent(7, 1), "spam");
        reply.lines.push("5.7.1 indeed".to_owned());
        reply.enhanced = None;
        reply.lines[0] = "5.7.1 spam".to_owned();
        assert_eq!(on_one_line(&reply), "554-5.7.1 spam??554 5.7.1 indeed");
    }
}
