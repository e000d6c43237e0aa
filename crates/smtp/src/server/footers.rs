//! What stands below the machine's refusals, whoever refused: the caller is asked for it reply by reply.

use std::fmt;

use crate::Reply;

/// Lines below a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// The first line goes on where the reply ends.
    pub joins: bool,
    /// The lines; each gets the reply's codes.
    pub lines: Vec<String>,
}

/// Asked with the whole text of a refusal, without its last line end.
type Ask = dyn Fn(&str) -> Option<Footer> + Send + Sync;

/// Who knows the footers (Postfix `smtpd_reject_footer`). What a footer says depends on the reply alone and on what the caller
/// was told before.
pub struct Footers(Box<Ask>);

impl Footers {
    /// Asks `ask` about each reply of 400 and above, before `soft_bounce` changes it.
    pub fn new(ask: impl Fn(&str) -> Option<Footer> + Send + Sync + 'static) -> Footers {
        Footers(Box::new(ask))
    }

    /// The reply with its footer.
    pub(super) fn added(&self, reply: Reply) -> Reply {
        if reply.is_positive() {
            return reply;
        }
        let mut written = Vec::new();
        reply.write(&mut written);
        let text = String::from_utf8_lossy(&written);
        match (self.0)(text.trim_end_matches("\r\n")) {
            Some(footer) => with(reply, footer),
            None => reply,
        }
    }
}

fn with(mut reply: Reply, footer: Footer) -> Reply {
    if reply.lines.is_empty() {
        reply.lines.push(String::new());
    }
    let mut lines = footer.lines.into_iter();
    if footer.joins
        && let (Some(last), Some(first)) = (reply.lines.last_mut(), lines.next())
    {
        last.push_str(&first);
    }
    reply.lines.extend(lines);
    reply
}

impl fmt::Debug for Footers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Footers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envelope::StatusCode;

    #[test]
    fn a_footer_joins_the_last_line_or_follows_it() {
        let below = |joins, reply: Reply| {
            let footers = Footers::new(move |text| {
                let lines = vec![text.len().to_string(), String::new()];
                (!text.contains("421")).then_some(Footer { joins, lines })
            });
            let mut written = Vec::new();
            footers.added(reply).write(&mut written);
            String::from_utf8_lossy(&written).into_owned()
        };
        let no = Reply::new(554, StatusCode::permanent(7, 1), "no");
        assert_eq!(below(true, no.clone()), "554-5.7.1 no12\r\n554 5.7.1 \r\n");
        assert_eq!(below(false, no), "554-5.7.1 no\r\n554-5.7.1 12\r\n554 5.7.1 \r\n");
        assert_eq!(below(false, Reply::bare(421, "bye")), "421 bye\r\n");
        assert_eq!(below(false, Reply::bare(250, "yes")), "250 yes\r\n");
    }
}
