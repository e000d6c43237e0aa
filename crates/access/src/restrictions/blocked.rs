//! `reject_rbl_client`, `reject_rhsbl_*`, `permit_dnswl_client`, `permit_rhswl_client`: lists in DNS of clients and domains.

use envelope::StatusCode;

use super::Context;
use crate::dnsbl::{self, Blocked, List, Listing};
use crate::lists::{CLIENT, HELO, RECIPIENT, REVERSE_CLIENT, SENDER};
use crate::names::{self, Names};
use crate::request::UNKNOWN;
use crate::{About, Refusal, Verdict, misconfigured};

/// What is on a list: its name there, and what a reply calls it.
struct Subject<'a> {
    name: String,
    what: &'a str,
    class: &'static str,
}

async fn listing(context: &Context<'_>, argument: &str, name: &str) -> Result<(List, Listing), Verdict> {
    let Some(list) = List::parse(argument) else {
        context.warn(format!("bad DNS list or address pattern: \"{argument}\""));
        return Err(Verdict::Fail(misconfigured()));
    };
    let said = dnsbl::look_up(context, &list, name).await;
    if let Listing::Unknown(failure) = &said {
        let name = format!("{name}.{}", list.domain);
        context.warn(format!(
            "{name}: RBL lookup error: Host or domain name not found. Name service error for name={name} type=A: {failure}"
        ));
    }
    Ok((list, said))
}

async fn reject(context: &Context<'_>, argument: &str, subject: Subject<'_>) -> Verdict {
    match listing(context, argument, &subject.name).await {
        Ok((list, Listing::Listed(reason))) => refusal(context, &list, &reason, &subject),
        Ok(_) => Verdict::Dunno,
        Err(verdict) => verdict,
    }
}

fn refusal(context: &Context<'_>, list: &List, reason: &str, subject: &Subject<'_>) -> Verdict {
    let settings = context.settings;
    let blocked = Blocked {
        code: settings.maps_rbl_reject_code,
        list,
        reason,
        what: subject.what,
        class: subject.class,
    };
    let template = match context.access.reply_maps.lookup(&list.whole) {
        Ok(template) => template,
        Err(error) => {
            context.warn(error.to_string());
            return About::new(subject.what, subject.class).lookup_failed();
        }
    };
    let template = template.as_deref().unwrap_or(&settings.default_rbl_reply);
    let names = Names {
        request: context.request,
        server: &settings.myhostname,
        local_time: &|| context.outside.local_time(),
        filter: &context.access.filter,
    };
    let text = match names.expand(template, &|name| blocked.value(name)) {
        Ok(expanded) => {
            let unknown = expanded.unknown.iter();
            unknown.for_each(|name| context.warn(names::unknown_name(name)));
            expanded.text
        }
        Err(error) => {
            context.warn(format!("reply of {}: {error}", list.whole));
            return Verdict::Fail(misconfigured());
        }
    };
    let (code, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let Some(code) = code.parse().ok().filter(|code| (400..600).contains(code)) else {
        context.warn(format!("rbl response code configuration error: {text}"));
        let status = StatusCode::temporary(7, 1);
        return Verdict::Refuse(Refusal::new(450, status, "Service unavailable".to_owned()));
    };
    let (status, rest) = StatusCode::split(rest).unwrap_or((StatusCode::permanent(7, 1), rest));
    Verdict::Refuse(Refusal::new(code, status, rest.to_owned()))
}

async fn permit(context: &Context<'_>, argument: &str, (name, what): (&str, &str)) -> Verdict {
    match listing(context, argument, name).await {
        Ok((_, Listing::Listed(_))) => Verdict::Permit,
        Ok((_, Listing::Absent)) => Verdict::Dunno,
        Ok((_, Listing::Unknown(_))) => {
            let refusal =
                About::new(what, CLIENT).refusal(450, StatusCode::temporary(7, 1), "Service unavailable");
            Verdict::DeferIfReject(refusal)
        }
        Err(verdict) => verdict,
    }
}

pub(super) async fn reject_rbl_client(context: &Context<'_>, list: &str) -> Verdict {
    let address = context.request.client.address.to_canonical();
    let what = address.to_string();
    let subject = Subject {
        name: dnsbl::name_of(address),
        what: &what,
        class: CLIENT,
    };
    reject(context, list, subject).await
}

/// An old way to write `reject_rbl_client`, with the lists of `maps_rbl_domains`.
pub(super) async fn reject_maps_rbl(context: &Context<'_>) -> Verdict {
    context.warn_once(
        "support for restriction \"reject_maps_rbl\" will be removed from Postfix; use \"reject_rbl_client domain-name\" \
         instead",
    );
    for list in &context.settings.maps_rbl_domains {
        let verdict = reject_rbl_client(context, list).await;
        if verdict != Verdict::Dunno {
            return verdict;
        }
    }
    Verdict::Dunno
}

pub(super) async fn permit_dnswl_client(context: &Context<'_>, list: &str) -> Verdict {
    let address = context.request.client.address.to_canonical();
    let (name, what) = (dnsbl::name_of(address), address.to_string());
    permit(context, list, (&name, &what)).await
}

/// A list of domains is asked about a name that is one.
async fn reject_domain(context: &Context<'_>, list: &str, named: (&str, &str, &'static str)) -> Verdict {
    let (domain, what, class) = named;
    if domain.is_empty() || domain == UNKNOWN || domain.starts_with('[') {
        return Verdict::Dunno;
    }
    let subject = Subject {
        name: domain.to_owned(),
        what,
        class,
    };
    reject(context, list, subject).await
}

pub(super) async fn reject_rhsbl_client(context: &Context<'_>, list: &str) -> Verdict {
    let name = context.request.client.name.as_str();
    reject_domain(context, list, (name, name, CLIENT)).await
}

pub(super) async fn permit_rhswl_client(context: &Context<'_>, list: &str) -> Verdict {
    let name = context.request.client.name.as_str();
    if name == UNKNOWN {
        return Verdict::Dunno;
    }
    permit(context, list, (name, name)).await
}

pub(super) async fn reject_rhsbl_reverse_client(context: &Context<'_>, list: &str) -> Verdict {
    let name = context.request.client.reverse_name.as_str();
    reject_domain(context, list, (name, name, REVERSE_CLIENT)).await
}

pub(super) async fn reject_rhsbl_helo(context: &Context<'_>, list: &str) -> Verdict {
    let name = context.request.helo.unwrap_or_default();
    reject_domain(context, list, (name, name, HELO)).await
}

pub(super) async fn reject_rhsbl_sender(context: &Context<'_>, list: &str) -> Verdict {
    let Some(domain) = context.request.sender_domain() else {
        return Verdict::Dunno;
    };
    let what = context.request.sender_written;
    reject_domain(context, list, (domain.as_str(), what, SENDER)).await
}

pub(super) async fn reject_rhsbl_recipient(context: &Context<'_>, list: &str) -> Verdict {
    let domain = context.request.recipient.and_then(|recipient| recipient.domain());
    let Some(domain) = domain else {
        return Verdict::Dunno;
    };
    let what = context.request.recipient_written;
    reject_domain(context, list, (domain.as_str(), what, RECIPIENT)).await
}
