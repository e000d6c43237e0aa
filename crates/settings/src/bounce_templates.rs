//! The texts of reports as bounce(5) describes them: what is built in, what a file says instead, `$name` in them.

use serde::{Deserialize, Serialize};

use crate::{Values, expand};

/// The most octets of a template file that are read.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// The templates of all reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BounceTemplates {
    /// Of mail that cannot be delivered.
    pub failure: BounceTemplate,
    /// Of mail that is late.
    pub delay: BounceTemplate,
    /// Of mail that was delivered.
    pub success: BounceTemplate,
    /// Of mail whose delivery was only tried, or traced.
    pub verify: BounceTemplate,
}

/// One template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BounceTemplate {
    /// The charset of the text.
    pub charset: String,
    /// The value of `From:`.
    pub from: String,
    /// The value of `Subject:`.
    pub subject: String,
    /// The value of `Subject:` in copies for the postmaster, where there are any.
    pub postmaster_subject: Option<String>,
    /// The text, lines ending in LF; empty in copies for the postmaster.
    pub text: String,
}

const NAMES: [&str; 4] = ["failure", "delay", "success", "verify"];
/// The units of times in texts, with their seconds.
const UNITS: [(&str, u64); 5] = [
    ("seconds", 1),
    ("minutes", 60),
    ("hours", 60 * 60),
    ("days", 24 * 60 * 60),
    ("weeks", 7 * 24 * 60 * 60),
];
/// The times that a text can show in a unit of its choice.
const TIMES: [&str; 2] = ["delay_warning_time", "maximal_queue_lifetime"];
/// A time of more is better told in a larger unit.
const TIME_MAX: u64 = 1000;

/// A text with every `$name` replaced, and how its times could be told better.
type Expanded = (String, Vec<String>);

impl BounceTemplates {
    /// The texts that hold without a file, `$name` in them not replaced.
    pub fn built_in() -> BounceTemplates {
        let template = |subject: &str, postmaster_subject: Option<&str>, text: &str| BounceTemplate {
            charset: "us-ascii".to_owned(),
            from: "Mail Delivery System <MAILER-DAEMON>".to_owned(),
            subject: subject.to_owned(),
            postmaster_subject: postmaster_subject.map(str::to_owned),
            text: format!("This is the mail system at host $myhostname.\n\n{text}"),
        };
        BounceTemplates {
            failure: template(
                "Undelivered Mail Returned to Sender",
                Some("Postmaster Copy: Undelivered Mail"),
                "Your message could not be delivered to the recipients below. It will not be tried\n\
                 again; what can be returned of it is attached.\n\n\
                 If you need help, write to the postmaster of this host and include this report.\n",
            ),
            delay: template(
                "Delayed Mail (still being retried)",
                Some("Postmaster Warning: Delayed Mail"),
                "Your message has not been delivered to the recipients below yet. There is nothing\n\
                 you need to do: delivery is tried again until the message is\n\
                 $maximal_queue_lifetime_days days old.\n",
            ),
            success: template(
                "Successful Mail Delivery Report",
                None,
                "Your message was delivered to the recipients below, or handed over to a system that\n\
                 may not report what becomes of it. You get this report because you asked for it.\n",
            ),
            verify: template(
                "Mail Delivery Status Report",
                None,
                "You asked what becomes of your message to the recipients below.\n",
            ),
        }
    }

    /// The templates with their names, in the order in which they are shown.
    pub fn all(&self) -> [(&'static str, &BounceTemplate); 4] {
        let [failure, delay, success, verify] = NAMES;
        [
            (failure, &self.failure),
            (delay, &self.delay),
            (success, &self.success),
            (verify, &self.verify),
        ]
    }

    fn of_mut(&mut self, name: &str) -> Option<&mut BounceTemplate> {
        match name {
            "failure" => Some(&mut self.failure),
            "delay" => Some(&mut self.delay),
            "success" => Some(&mut self.success),
            "verify" => Some(&mut self.verify),
            _ => None,
        }
    }

    /// The built-in templates, replaced by those of a file where it has them. A template with a mistake is ignored; the
    /// second part says why, in Postfix's words.
    pub fn read(file: &str, text: &str) -> (BounceTemplates, Vec<String>) {
        let mut templates = BounceTemplates::built_in();
        let mut complaints = Vec::new();
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
        while let Some((number, line)) = lines.next() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                complaints.push(format!(
                    "{file}, line {number}: missing '=' after attribute name: \"{}\"",
                    line.trim()
                ));
                break;
            };
            let (name, Some(end)) = (name.trim(), value.trim().strip_prefix("<<")) else {
                // A single value names no template, as in Postfix.
                continue;
            };
            let end = end.trim();
            let (mut block, mut is_ended) = (Vec::new(), false);
            for (_, line) in lines.by_ref() {
                is_ended = line == end;
                if is_ended {
                    break;
                }
                block.push(line);
            }
            if !is_ended {
                complaints.push(format!("{file}, line {number}: missing \"{end}\" end marker"));
            }
            let known = name.strip_suffix("_template");
            let Some((name, template)) = known.and_then(|name| Some((name, templates.of_mut(name)?))) else {
                complaints.push(format!(
                    "{file}, line {number}: unknown template name: {name} -- ignoring this template"
                ));
                continue;
            };
            match template.with(&block) {
                Ok(new) => *template = new,
                Err(why) => complaints.push(format!(
                    "{file}: {why} in {name} template -- ignoring this template"
                )),
            }
        }
        (templates, complaints)
    }

    /// The templates with every `$name` in their texts replaced. One whose text cannot be made is replaced by the
    /// built-in one; the second part says why, and which times are told badly. `file` is where they came from.
    pub fn expanded(&self, file: &str, values: &Values) -> (BounceTemplates, Vec<String>) {
        let mut templates = self.clone();
        let built_in = BounceTemplates::built_in();
        let mut complaints = Vec::new();
        for (name, fallback) in built_in.all() {
            let Some(template) = templates.of_mut(name) else {
                continue;
            };
            match expanded(&template.text, values) {
                Ok((text, badly_told)) => {
                    template.text = text;
                    complaints.extend(
                        badly_told
                            .iter()
                            .map(|what| format!("{file}: {what} in {name} template")),
                    );
                }
                Err(why) => {
                    complaints.push(format!(
                        "{file}: {why} in {name} template -- ignoring this template"
                    ));
                    // What is built in can be made.
                    let text = expanded(&fallback.text, values).map(|(text, _)| text);
                    *template = fallback.clone();
                    template.text = text.unwrap_or_default();
                }
            }
        }
        (templates, complaints)
    }

    /// The templates as a file would have them.
    pub fn to_file(&self) -> String {
        let templates = self.all().map(|(name, template)| {
            let subject = template.postmaster_subject.as_ref();
            let subject = subject.map(|subject| format!("Postmaster-Subject: {subject}\n")).unwrap_or_default();
            let BounceTemplate { charset, from, subject: title, text, .. } = template;
            format!(
                "{name}_template = <<EOF\nCharset: {charset}\nFrom: {from}\nSubject: {title}\n{subject}\n{text}EOF\n"
            )
        });
        templates.join("\n")
    }

    /// The texts as `postconf -b` shows them.
    pub fn texts(&self) -> String {
        let texts = self
            .all()
            .map(|(name, template)| format!("expanded_{name}_text = <<EOF\n{}EOF\n", template.text));
        texts.join("\n")
    }
}

impl BounceTemplate {
    /// This template with what a block of lines says: headers, an empty line, the text.
    fn with(&self, block: &[&str]) -> Result<BounceTemplate, String> {
        let mut new = self.clone();
        let mut lines = block.iter().peekable();
        while let Some(line) = lines.peek() {
            let Some((label, value)) = line.split_once(':').filter(|(label, _)| is_label(label)) else {
                if line.is_empty() {
                    lines.next();
                }
                break;
            };
            let value = value.trim();
            let field = match label.to_ascii_lowercase().as_str() {
                "charset" => &mut new.charset,
                "from" => &mut new.from,
                "subject" => &mut new.subject,
                "postmaster-subject" => new.postmaster_subject.get_or_insert_default(),
                _ => return Err(format!("unknown \"{label}\" header label")),
            };
            if value.is_empty() {
                return Err(format!("empty \"{label}\" header value"));
            }
            if !value.is_ascii() {
                return Err(format!("non-ASCII \"{label}\" header value"));
            }
            value.clone_into(field);
            lines.next();
        }
        new.text = lines.map(|line| format!("{line}\n")).collect();
        if new.text.trim().is_empty() {
            return Err("missing message text".to_owned());
        }
        if !new.text.is_ascii() && new.charset.eq_ignore_ascii_case("us-ascii") {
            return Err("8-bit message text without a charset other than us-ascii".to_owned());
        }
        Ok(new)
    }
}

/// Whether it can be the name of a header field.
fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A text with every `$name` replaced.
fn expanded(text: &str, values: &Values) -> Result<Expanded, String> {
    let mut badly_told = Vec::new();
    let mut times = Vec::new();
    for name in expand::names_in(text) {
        match time_of(&name, values)? {
            Some((count, unit)) => {
                if count == 0 || count > TIME_MAX {
                    let (problem, cure) = match count {
                        0 => ("zero result".to_owned(), "reduce"),
                        _ => (format!("excessive result \"{count}\""), "increase"),
                    };
                    badly_told.push(format!(
                        "{problem} of \"{name}\", please {cure} time unit \"{unit}\""
                    ));
                }
                times.push((name, count.to_string()));
            }
            None if values.raw(&name).is_none() => return Err(format!("undefined ${name}")),
            None => {}
        }
    }
    let raw = |name: &str| {
        let time = times.iter().find(|(known, _)| known == name);
        time.map(|(_, text)| text.clone()).or_else(|| values.raw(name))
    };
    match expand::expand(text, &raw) {
        Ok(text) => Ok((text, badly_told)),
        Err(error) => Err(error.to_string()),
    }
}

/// The time that `delay_warning_time_hours` and the like mean, in that unit.
fn time_of(name: &str, values: &Values) -> Result<Option<(u64, &'static str)>, String> {
    let Some((parameter, suffix)) = TIMES.iter().find_map(|parameter| {
        let suffix = name.strip_prefix(parameter)?.strip_prefix('_')?;
        Some((*parameter, suffix))
    }) else {
        return Ok(None);
    };
    let Some((unit, seconds)) = UNITS.into_iter().find(|(unit, _)| *unit == suffix) else {
        return Err(format!(
            "unrecognized suffix \"{suffix}\" in parameter \"{name}\""
        ));
    };
    let text = values.expanded(parameter).map_err(|error| error.to_string())?;
    let usual = if parameter == "delay_warning_time" {
        'h'
    } else {
        'd'
    };
    let time = crate::kinds::time(&text, usual).map_err(|error| error.to_string())?;
    Ok(Some((time.as_secs() / seconds, unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Surroundings;

    fn values() -> Values {
        let mut values = Values::new(&Surroundings::default());
        values.set("myhostname", "mx.example.com");
        values.set("delay_warning_time", "90m");
        values
    }

    #[test]
    fn what_is_built_in_can_be_made_and_read_again() {
        let built_in = BounceTemplates::built_in();
        let (expanded, complaints) = built_in.expanded("[built-in]", &values());
        assert_eq!(complaints, [""; 0]);
        assert!(
            expanded
                .failure
                .text
                .starts_with("This is the mail system at host mx.example.com.\n")
        );
        assert!(
            expanded.delay.text.contains("\n5 days old."),
            "{}",
            expanded.delay.text
        );
        assert_eq!(
            BounceTemplates::read("t", &built_in.to_file()),
            (built_in, Vec::new())
        );
    }

    #[test]
    fn a_file_says_something_else() {
        let file = "# mine\n\nfailure_template = <<EOF\nSUBJECT: Sorry\nCharset: utf-8\n\nhellé $myhostname $$\nEOF\n\
                    delay_template = << XX \n after $delay_warning_time_minutes\nXX\nverify_template = \n";
        let (read, complaints) = BounceTemplates::read("t", file);
        assert_eq!(complaints, [""; 0]);
        let (expanded, complaints) = read.expanded("t", &values());
        assert_eq!(complaints, [""; 0]);
        assert_eq!(expanded.failure.subject, "Sorry");
        assert_eq!(expanded.failure.text, "hellé mx.example.com $\n");
        assert_eq!(
            expanded.failure.postmaster_subject.as_deref(),
            Some("Postmaster Copy: Undelivered Mail")
        );
        assert_eq!(expanded.delay.text, " after 90\n");
        assert_eq!(read.verify, BounceTemplates::built_in().verify);
    }

    #[test]
    fn mistakes_are_told_and_leave_what_is_built_in() {
        let told = |file: &str| {
            let (read, mut complaints) = BounceTemplates::read("t", file);
            let (made, more) = read.expanded("t", &values());
            complaints.extend(more);
            let (usual, _) = BounceTemplates::built_in().expanded("", &values());
            (complaints, made == usual)
        };
        let block = |lines: &str| format!("failure_template = <<EOF\n{lines}\nEOF\n");
        let ignored = |why: &str| {
            (
                vec![format!("t: {why} in failure template -- ignoring this template")],
                true,
            )
        };
        assert_eq!(
            told(&block("X-Foo: a\n\nx")),
            ignored("unknown \"X-Foo\" header label")
        );
        assert_eq!(
            told(&block("Subject: é\n\nx")),
            ignored("non-ASCII \"Subject\" header value")
        );
        assert_eq!(
            told(&block("Charset:\n\nx")),
            ignored("empty \"Charset\" header value")
        );
        assert_eq!(told(&block("Subject: x")), ignored("missing message text"));
        assert_eq!(
            told(&block("é")),
            ignored("8-bit message text without a charset other than us-ascii")
        );
        assert_eq!(told(&block("$nosuch")), ignored("undefined $nosuch"));
        assert_eq!(
            told(&block("$delay_warning_time_foo")),
            ignored("unrecognized suffix \"foo\" in parameter \"delay_warning_time_foo\"")
        );
        assert!(told(&block("${unclosed")).1);
        let (complaints, _) = told(&block("$delay_warning_time_days $delay_warning_time_seconds"));
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        let unknown = "t, line 1: unknown template name: bogus_template -- ignoring this template";
        assert_eq!(
            told("bogus_template = <<EOF\nx\nEOF\n"),
            (vec![unknown.to_owned()], true)
        );
        let missing = "t, line 1: missing '=' after attribute name: \"nonsense\"";
        assert_eq!(told("nonsense\n"), (vec![missing.to_owned()], true));
        let (complaints, _) = told("failure_template = <<EOF\nx\n");
        assert_eq!(complaints, ["t, line 1: missing \"EOF\" end marker"]);
    }
}
