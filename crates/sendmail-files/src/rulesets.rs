//! The look of `sendmail -bt`: tokens with blanks between them, `name input: …`, `name returns: …`.

use address::Address;

/// What a rule set gets or gives: an address in any of its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `jun @ example . jp`
    Plain,
    /// `jun < @ example . jp >`
    Focused,
    /// `jun < @ example . jp . >`: the domain is one of this host's.
    Local,
}

/// Characters that are tokens of their own.
const OPERATORS: &str = ".:%@!^/[]+<>";

/// The text as tokens.
pub fn tokens(text: &str) -> String {
    let mut result = String::new();
    let mut in_word = false;
    for c in text.chars() {
        let is_operator = OPERATORS.contains(c);
        if !result.is_empty() && (is_operator || !in_word) && !result.ends_with(' ') {
            result.push(' ');
        }
        in_word = !is_operator && !c.is_whitespace();
        if !c.is_whitespace() {
            result.push(c);
        }
    }
    result.trim_end().to_owned()
}

/// An address as rule sets have it.
pub fn address(address: &Address, form: Form) -> String {
    let local = tokens(address.local());
    let Some(domain) = address.domain() else {
        return local;
    };
    let domain = tokens(domain.as_str());
    match form {
        Form::Plain => format!("{local} @ {domain}"),
        Form::Focused => format!("{local} < @ {domain} >"),
        Form::Local => format!("{local} < @ {domain} . >"),
    }
}

/// A mailer, its host and its user, as rule set `parse` returns them.
pub fn triple(mailer: &str, host: Option<&str>, user: &str) -> String {
    match host {
        Some(host) => format!("$# {mailer} $@ {} $: {user}", tokens(host)),
        None => format!("$# {mailer} $: {user}"),
    }
}

/// The lines of a dialogue.
#[derive(Debug, Default)]
pub struct Transcript {
    /// One each.
    pub lines: Vec<String>,
}

impl Transcript {
    /// A rule set begins.
    pub fn input(&mut self, name: &str, text: &str) {
        self.lines.push(format!("{name:<16.16}   input: {text}"));
    }

    /// A rule set ends.
    pub fn returns(&mut self, name: &str, text: &str) {
        self.lines.push(format!("{name:<16.16} returns: {text}"));
    }

    /// A rule set that turns one text into another.
    pub fn rule_set(&mut self, name: &str, before: &str, after: &str) {
        self.input(name, before);
        self.returns(name, after);
    }

    /// Any other line.
    pub fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tokens() {
        let jun = Address::parse("jun+x@example.jp").expect("an address");
        assert_eq!(address(&jun, Form::Plain), "jun + x @ example . jp");
        assert_eq!(address(&jun, Form::Focused), "jun + x < @ example . jp >");
        assert_eq!(address(&jun, Form::Local), "jun + x < @ example . jp . >");
        assert_eq!(tokens("[192.0.2.1]"), "[ 192 . 0 . 2 . 1 ]");
        assert_eq!(triple("esmtp", Some("a.test"), "x"), "$# esmtp $@ a . test $: x");
        let mut transcript = Transcript::default();
        transcript.rule_set("canonify", "a", "b");
        transcript.rule_set("virtual_alias_maps", "a", "b");
        assert_eq!(
            transcript.lines,
            [
                "canonify           input: a",
                "canonify         returns: b",
                "virtual_alias_ma   input: a",
                "virtual_alias_ma returns: b",
            ]
        );
    }
}
