//! What is done to the header, in this order. A new stage goes into the list where it belongs.

use address::Address;
use message::scan::Place;

use crate::address_fields::Whose;
use crate::header::{Field, Header};
use crate::mapping::Role;
use crate::qualify::Completion;
use crate::{Context, Error, Facts, Origin, address_fields, date, qualify, received};

/// One stage.
pub type Stage = fn(&mut Header, &Context<'_>, &mut Facts) -> Result<(), Error>;

/// The stages, first to last.
pub const STAGES: &[Stage] = &[
    add_received,
    limit_hops,
    check_fields,
    drop_fields,
    rewrite_addresses,
    add_missing_fields,
    note_message_id,
];

/// A message that was relayed `hopcount_limit` times is in a loop.
fn limit_hops(header: &mut Header, context: &Context<'_>, _: &mut Facts) -> Result<(), Error> {
    let hops = header.fields.iter().filter(|field| field.is("Received")).count();
    if hops >= context.settings.hopcount_limit {
        Err(Error::TooManyHops)
    } else {
        Ok(())
    }
}

/// `header_checks`, `mime_header_checks`. They see fields that are dropped, and none that are added later.
fn check_fields(header: &mut Header, context: &Context<'_>, facts: &mut Facts) -> Result<(), Error> {
    let Some(checks) = context.checks else {
        return Ok(());
    };
    for field in std::mem::take(&mut header.fields) {
        let text = field.line();
        let fate = checks.field(Place::Primary, text, &mut facts.effects);
        let (before, after) = fate.of(text);
        header.fields.extend(before.and_then(Field::of_line));
        header.fields.extend(after.and_then(Field::of_line));
    }
    Ok(())
}

/// `message_drop_headers`: Bcc must not be seen, Return-Path is the delivery's.
fn drop_fields(header: &mut Header, context: &Context<'_>, _: &mut Facts) -> Result<(), Error> {
    let dropped = &context.settings.message_drop_headers;
    header
        .fields
        .retain(|field| !dropped.iter().any(|name| field.is(name)));
    Ok(())
}

/// Local users write `root`; others must be able to answer. Addresses of other clients are completed with
/// `remote_header_rewrite_domain`, if there is one; else they are left. Then canonical maps and masquerading have their turn.
fn rewrite_addresses(header: &mut Header, context: &Context<'_>, _: &mut Facts) -> Result<(), Error> {
    let Some(completion) = Completion::of(context) else {
        return Ok(());
    };
    for field in &mut header.fields {
        let Some(whose) = address_fields::whose(field.name()) else {
            continue;
        };
        let completed = qualify::field_value(field.value(), &completion);
        let value = completed.as_deref().map_or(field.value(), str::as_bytes);
        let mapped = match context.mapping {
            Some((maps, host)) if !maps.leave_headers() => {
                let role = match whose {
                    Whose::Sender => Role::HeaderSender,
                    Whose::Recipient => Role::HeaderRecipient,
                };
                address_fields::changed(value, |address| maps.canonical(address, role, host).map(Some))?
            }
            _ => None,
        };
        if let Some(value) = mapped.or(completed) {
            let name = String::from_utf8_lossy(field.name()).into_owned();
            *field = Field::of_line(address_fields::folded(&name, &value).as_bytes())
                .unwrap_or_else(|| Field::new(&name, &value));
        }
    }
    Ok(())
}

/// Message-Id, Date, From and `undisclosed_recipients_header`, for mail whose addresses are completed (or always, with
/// `always_add_missing_headers`).
fn add_missing_fields(header: &mut Header, context: &Context<'_>, _: &mut Facts) -> Result<(), Error> {
    let settings = context.settings;
    if Completion::of(context).is_some() || settings.always_add_missing_headers {
        let resent = header
            .fields
            .iter()
            .any(|field| field.name().to_ascii_lowercase().starts_with(b"resent-"));
        let prefix = if resent { "Resent-" } else { "" };
        let name = |field: &str| format!("{prefix}{field}");
        if !header.has(&name("Message-Id")) {
            let id = format!(
                "<{}.{}@{}>",
                date::compact(context.now_secs),
                context.queue_id,
                settings.myhostname
            );
            header.append(&name("Message-Id"), &id);
        }
        if !header.has(&name("Date")) {
            header.append(&name("Date"), &date::mail_date(context.now_secs));
        }
        if !header.has(&name("From")) {
            header.append(&name("From"), &from_value(context));
        }
        let undisclosed = &settings.undisclosed_recipients_header;
        let has_recipients = ["To", "Cc", "Resent-To", "Resent-Cc"]
            .iter()
            .any(|name| header.has(name));
        if !has_recipients && let Some((name, value)) = undisclosed.split_once(':') {
            header.append(name.trim(), value.trim());
        }
    }
    Ok(())
}

/// `Full Name <address>`; with `header_from_format = obsolete` `address (Full Name)`.
fn from_value(context: &Context<'_>) -> String {
    let sender = context.sender;
    if sender.is_empty() {
        return "MAILER-DAEMON".to_owned();
    }
    let full_name = match context.origin {
        Origin::Local { full_name, .. } => full_name.as_str(),
        Origin::Network(_) | Origin::Forward | Origin::Report => "",
    };
    let name = full_name.trim();
    let is_obsolete = context.settings.header_from_format == "obsolete";
    match Address::parse(sender) {
        _ if name.is_empty() => sender.to_owned(),
        Ok(_) if is_obsolete => format!("{sender} ({})", comment(name)),
        Ok(address) => message::build::mailbox(name, &address).replace("\r\n", "\n"),
        Err(_) => sender.to_owned(),
    }
}

/// A name inside parentheses; what could end them is not worth the risk.
fn comment(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !"\\()".contains(*c)).collect();
    message::encoded_word::encode(&kept, 40).replace("\r\n", "\n")
}

/// Where it comes from, on top.
fn add_received(header: &mut Header, context: &Context<'_>, _: &mut Facts) -> Result<(), Error> {
    header
        .fields
        .insert(0, Field::new("Received", &received::value(context)));
    Ok(())
}

/// For the log.
fn note_message_id(header: &mut Header, _: &Context<'_>, facts: &mut Facts) -> Result<(), Error> {
    let field = header
        .find("Message-Id")
        .or_else(|| header.find("Resent-Message-Id"));
    facts.message_id = field
        .map(|field| String::from_utf8_lossy(field.value()).into_owned())
        .unwrap_or_default();
    Ok(())
}
