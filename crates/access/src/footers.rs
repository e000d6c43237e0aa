//! What stands below every refusal: `smtpd_reject_footer` and `smtpd_reject_footer_maps` (postconf(5)).

use settings::Postfix;
use tables::Tell;

use crate::access_tables::MapList;
use crate::names::{self, Filter, Names};
use crate::request::Request;

/// How a template says that it begins on the reply's last line.
const ON_THE_LAST_LINE: &str = "\\c";
/// How a template writes a line end.
const LINE_END: &str = "\\n";

/// Lines below a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// The first line goes on where the reply ends.
    pub joins: bool,
    /// The lines, without the reply's code.
    pub lines: Vec<String>,
}

/// The footers of one service.
pub struct Footers {
    template: String,
    maps: MapList,
    filter: Filter,
    server: String,
}

impl Footers {
    /// Those of `settings`, and what is wrong with their tables; `None` where refusals have none.
    pub fn of(settings: &Postfix, tell: &Tell) -> (Option<Footers>, Vec<tables::Error>) {
        let (maps, problems) = MapList::open(&settings.smtpd_reject_footer_maps, tell);
        let template = settings.smtpd_reject_footer.clone();
        let footers = (!maps.is_empty() || !template.is_empty()).then(|| Footers {
            template,
            maps,
            filter: Filter::of(&settings.smtpd_expansion_filter),
            server: settings.myhostname.clone(),
        });
        (footers, problems)
    }

    /// What stands below a refusal, and what the log is to say of it. `reply` is the whole of it, without the line end;
    /// `local_time` gives the time as the log has it.
    pub fn below(
        &self,
        reply: &str,
        request: &Request<'_>,
        local_time: &dyn Fn() -> String,
    ) -> (Option<Footer>, Vec<String>) {
        let mut warnings = Vec::new();
        // Where a table cannot be asked, the usual footer stands.
        let found = self.maps.find(reply).unwrap_or_default();
        let template = found.as_deref().unwrap_or(&self.template);
        let names = Names {
            request,
            server: &self.server,
            local_time,
            filter: &self.filter,
        };
        let footer = (!template.is_empty()).then(|| footer(template, &names, &mut warnings));
        (footer.flatten(), warnings)
    }
}

/// `None` when a line makes no sense: then there is no footer at all. Lines are told apart first, so that nothing of the client's
/// can make another one.
fn footer(template: &str, names: &Names<'_>, warnings: &mut Vec<String>) -> Option<Footer> {
    let rest = template.strip_prefix(ON_THE_LAST_LINE);
    let mut lines = Vec::new();
    for line in rest.unwrap_or(template).split(LINE_END) {
        match names.expand(line, &|_| None) {
            Ok(expanded) => {
                warnings.extend(expanded.unknown.iter().map(|name| names::unknown_name(name)));
                lines.push(expanded.text);
            }
            Err(fault) => {
                warnings.push(fault);
                return None;
            }
        }
    }
    Some(Footer {
        joins: rest.is_some(),
        lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Client;
    use std::sync::Arc;

    fn below(set: impl FnOnce(&mut Postfix), helo: &str, reply: &str) -> (Option<Footer>, Vec<String>) {
        let mut settings = Postfix::defaults(&settings::Surroundings::default());
        set(&mut settings);
        let tell: Tell = Arc::new(|_| {});
        let (footers, problems) = Footers::of(&settings, &tell);
        assert_eq!(problems, []);
        let client = Client {
            name: "c.example".to_owned(),
            reverse_name: "c.example".to_owned(),
            name_is_pending: false,
            address: "192.0.2.1".parse().expect("an address"),
        };
        let server = "192.0.2.2:25".parse().expect("a socket's address");
        let request = Request {
            helo: Some(helo),
            ..Request::new(&client, server)
        };
        let time = || "Nov 29 12:00:00".to_owned();
        footers.expect("there are footers").below(reply, &request, &time)
    }

    #[test]
    fn what_a_client_says_makes_no_line_and_no_name() {
        let (footer, warnings) = below(
            |settings| settings.smtpd_reject_footer = r"\cat $localtime\nfrom $helo_name".to_owned(),
            r"a\nb$client_name\r",
            "500 5.5.2 no",
        );
        let lines = ["at Nov 29 12:00:00", r"from a\nb$client_name\r"].map(str::to_owned);
        let wanted = Footer {
            joins: true,
            lines: lines.to_vec(),
        };
        assert_eq!((footer, warnings), (Some(wanted), vec![]));
        let (footer, _) = below(
            |settings| settings.smtpd_reject_footer = "$helo_name".to_owned(),
            "a\r\nb",
            "500 5.5.2 no",
        );
        assert_eq!(footer.map(|footer| footer.lines), Some(vec!["a__b".to_owned()]));
    }

    #[test]
    fn a_table_that_fails_leaves_the_usual_footer() {
        let maps = |settings: &mut Postfix| {
            settings.smtpd_reject_footer = "usual".to_owned();
            let table = |text: &str| text.parse().expect("a table");
            settings.smtpd_reject_footer_maps = vec![table("inline:{500=own}"), table("fail:x")];
        };
        let (footer, warnings) = below(maps, "h", "500");
        assert_eq!(
            (footer.map(|footer| footer.lines), warnings),
            (Some(vec!["own".to_owned()]), vec![])
        );
        let (footer, _) = below(maps, "h", "501");
        assert_eq!(footer.map(|footer| footer.lines), Some(vec!["usual".to_owned()]));
    }
}
