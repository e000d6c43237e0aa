//! The field by which lines of our log name the rule that refused (`yubin_log_rules`): Postfix's lines have none.

/// A line without it, and the rule.
pub fn split_rule(line: &str) -> (&str, Option<&str>) {
    let found = line.rsplit_once(" rule=<");
    match found.and_then(|(before, rule)| Some((before, rule.strip_suffix('>')?))) {
        Some((before, rule)) => (before, Some(rule)),
        None => (line, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_field_is_split_off() {
        let (line, rule) = split_rule("x helo=<y> rule=<list: check_sender_access inline:{<>=REJECT}: <>>");
        assert_eq!(line, "x helo=<y>");
        assert_eq!(rule, Some("list: check_sender_access inline:{<>=REJECT}: <>"));
        assert_eq!(split_rule("x helo=<y>"), ("x helo=<y>", None));
    }
}
