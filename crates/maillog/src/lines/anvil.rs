//! The highest figures about clients, as anvil(8) tells them.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::say;
use crate::{Line, Tag};

/// `statistics: max connection rate 2/60s for (smtp:192.0.2.1) at Nov 29 12:05:01`, and `statistics: max connection count 2 for …`
#[derive(Debug)]
pub struct Maximum<'a> {
    /// `connection`, `message`, `recipient`, `newtls`, `auth`.
    pub what: &'a str,
    /// How many.
    pub count: usize,
    /// Of a rate, the span of time in seconds; else it is a count of what there was at once.
    pub span_secs: Option<u64>,
    /// The service, as master.cf calls it.
    pub service: &'a str,
    /// The client.
    pub client: IpAddr,
    /// When, in seconds since the epoch.
    pub at_secs: i64,
}

/// `statistics: max cache size 3 at Nov 29 12:05:01`
#[derive(Debug)]
pub struct CacheSize {
    /// How many clients were remembered.
    pub count: usize,
    /// When, in seconds since the epoch.
    pub at_secs: i64,
}

/// As ctime(3) has it, the day padded by a space.
fn moment(at_secs: i64) -> String {
    let moment = Timestamp::from_second(at_secs).unwrap_or_default();
    moment
        .to_zoned(TimeZone::system())
        .strftime("%b %e %H:%M:%S")
        .to_string()
}

impl Line for Maximum<'_> {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("anvil")
    }
    fn text(&self, out: &mut String) {
        let (what, count) = (self.what, self.count);
        match self.span_secs {
            Some(secs) => say!(out, "statistics: max {what} rate {count}/{secs}s"),
            None => say!(out, "statistics: max {what} count {count}"),
        }
        let at = moment(self.at_secs);
        say!(out, " for ({}:{}) at {at}", self.service, self.client);
    }
}

impl Line for CacheSize {
    fn tag(&self) -> Tag<'_> {
        Tag::Mta("anvil")
    }
    fn text(&self, out: &mut String) {
        let at = moment(self.at_secs);
        say!(out, "statistics: max cache size {} at {at}", self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are those of Postfix 3.7.11, but for the moment.
    #[test]
    fn figures_are_told_as_anvil_tells_them() {
        let at_secs = 1_764_417_905;
        let at = moment(at_secs);
        assert_eq!(at.len(), 15, "{at}");
        let maximum = |what, span_secs| Maximum {
            what,
            count: 2,
            span_secs,
            service: "smtp",
            client: IpAddr::from([192, 0, 2, 1]),
            at_secs,
        };
        assert_eq!(
            maximum("connection", Some(60)).to_text(),
            format!("statistics: max connection rate 2/60s for (smtp:192.0.2.1) at {at}")
        );
        assert_eq!(
            maximum("connection", None).to_text(),
            format!("statistics: max connection count 2 for (smtp:192.0.2.1) at {at}")
        );
        assert_eq!(
            CacheSize { count: 3, at_secs }.to_text(),
            format!("statistics: max cache size 3 at {at}")
        );
    }
}
