//! Masquerading: Sendmail writes another domain into the addresses of senders, and of nobody else; here that is
//! `sender_canonical_maps`, so that mail for users of this host stays on it.

use super::{Outcome, Reading, not_taken, nothing};

/// What the statements have said.
#[derive(Default)]
pub(super) struct Masquerade {
    /// The line and the domain of MASQUERADE_AS.
    behind: Option<(usize, String)>,
    /// MASQUERADE_DOMAIN
    domains: Vec<String>,
    /// MASQUERADE_EXCEPTION
    exceptions: Vec<String>,
    /// EXPOSED_USER
    exposed: Vec<String>,
    /// FEATURE(masquerade_envelope)
    with_envelope: bool,
    /// FEATURE(allmasquerade)
    with_recipients: bool,
    /// FEATURE(limited_masquerade)
    is_limited: bool,
    /// FEATURE(masquerade_entire_domain)
    with_subdomains: bool,
}

/// Where a statement's part is shown.
const SEE: &str = "it is in the tables of MASQUERADE_AS, if that is there";

impl Reading<'_> {
    /// A macro or feature of masquerading; `None` when it is none.
    pub(super) fn masquerading(&mut self, line: usize, name: &str, text: &str) -> Option<Outcome> {
        let all = &mut self.masquerade;
        let words = || text.split_whitespace().map(str::to_owned);
        match name {
            "MASQUERADE_AS" if text.is_empty() => return Some(nothing("it is empty")),
            "MASQUERADE_AS" => {
                all.behind = Some((line, text.to_owned()));
                return Some(nothing("see the tables below"));
            }
            "MASQUERADE_DOMAIN" => all.domains.extend(words()),
            "MASQUERADE_EXCEPTION" => all.exceptions.extend(words()),
            "EXPOSED_USER" => all.exposed.extend(words()),
            "MASQUERADE_DOMAIN_FILE" | "MASQUERADE_EXCEPTION_FILE" | "EXPOSED_USER_FILE" => {
                let own = name.trim_end_matches("_FILE");
                return Some(not_taken(format!("write its words into {own} and import again")));
            }
            "masquerade_envelope" => all.with_envelope = true,
            "allmasquerade" => all.with_recipients = true,
            "limited_masquerade" => all.is_limited = true,
            "masquerade_entire_domain" => all.with_subdomains = true,
            "local_no_masquerade" => {
                return Some(not_taken(
                    "senders are masqueraded before it is known where mail goes",
                ));
            }
            _ => return None,
        }
        Some(nothing(SEE))
    }

    /// Makes the settings, when everything was read. `names` are those of local-host-names.
    pub(super) fn masquerade(&mut self, names: &[String]) {
        let all = std::mem::take(&mut self.masquerade);
        let Some((line, behind)) = all.behind.clone() else {
            return;
        };
        let own = self
            .import
            .settings
            .iter()
            .find(|setting| setting.name == "mydestination");
        let own = own.map(|setting| setting.text.clone()).unwrap_or_default();
        let listed = own
            .split(", ")
            .map(str::to_owned)
            .filter(|name| !name.starts_with('/'));
        let mut domains: Vec<String> = match all.is_limited {
            true => Vec::new(),
            false => listed.chain(names.iter().cloned()).collect(),
        };
        domains.extend(all.domains.iter().cloned());
        let mut hidden = Vec::new();
        for domain in domains {
            let is_other = domain != behind && !all.exceptions.contains(&domain);
            if is_other && !hidden.contains(&domain) {
                hidden.push(domain);
            }
        }
        let table = all.table(&behind, &hidden);
        let class = |parts: &str| match all.with_envelope {
            true => format!("envelope_{parts}, header_{parts}"),
            false => format!("header_{parts}"),
        };
        let mut settings = vec![
            ("sender_canonical_maps".to_owned(), table.clone()),
            ("sender_canonical_classes".to_owned(), class("sender")),
        ];
        if all.with_recipients {
            settings.push(("recipient_canonical_maps".to_owned(), table));
            settings.push((
                "recipient_canonical_classes".to_owned(),
                "header_recipient".to_owned(),
            ));
        }
        self.note(
            line,
            &format!("MASQUERADE_AS({behind}), all in all"),
            Outcome::Taken(settings),
        );
    }
}

impl Masquerade {
    /// The tables: users that are never hidden, domains, their subdomains.
    fn table(&self, behind: &str, hidden: &[String]) -> String {
        let mut rows = Vec::new();
        for user in &self.exposed {
            rows.extend(
                hidden
                    .iter()
                    .map(|domain| format!("{{ {user}@{domain} = {user}@{domain} }}")),
            );
        }
        if self.with_subdomains {
            rows.extend(
                self.exceptions
                    .iter()
                    .map(|domain| format!("{{ @{domain} = @{domain} }}")),
            );
        }
        rows.extend(hidden.iter().map(|domain| format!("{{ @{domain} = @{behind} }}")));
        let mut tables = format!("inline:{{ {} }}", rows.join(", "));
        if self.with_subdomains && !self.domains.is_empty() {
            let quoted = |word: &String| word.replace('.', "\\.");
            let exposed: Vec<String> = self.exposed.iter().map(quoted).collect();
            let each = self.domains.iter().map(|domain| {
                let rule = format!("{{/^(.+)@.+\\.{}$$/ $${{1}}@{behind}}}", quoted(domain));
                match exposed.is_empty() {
                    true => rule,
                    false => format!("{{if !/^({})@/}}, {rule}, {{endif}}", exposed.join("|")),
                }
            });
            let rules: Vec<String> = each.collect();
            tables = format!("{tables}, regexp:{{ {} }}", rules.join(", "));
        }
        tables
    }
}
