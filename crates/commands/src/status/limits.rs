//! Section `limits`: who is limited, and why.

use ipc::status::{Client, Figure, Limits};
use serde_json::{Value, json};

use super::Extent;
use crate::mail_queue::short_date;

/// The whole of what came in parts.
pub(super) fn joined(parts: Vec<Value>) -> Result<Limits, serde_json::Error> {
    let mut whole = Limits::default();
    for part in parts {
        let part: Limits = serde_json::from_value(part)?;
        whole.at_micros = part.at_micros;
        whole.clients.extend(part.clients);
        whole.penalties.extend(part.penalties);
    }
    Ok(whole)
}

/// The object for programs.
pub(super) fn object(limits: &Limits) -> Result<Value, serde_json::Error> {
    let mut object = serde_json::to_value(limits)?;
    let penalties = limits.penalties.iter().map(|penalized| {
        json!({
            "address": penalized.address,
            "failures": penalized.penalty.failures,
            "wait_secs": penalized.penalty.wait.as_secs(),
            "forgotten_in_secs": penalized.forgotten_in.as_secs(),
        })
    });
    object["penalties"] = penalties.collect();
    Ok(object)
}

/// The lines for people.
pub(super) fn lines(limits: &Limits, extent: Extent) -> Vec<String> {
    let mut lines = vec![format!("limits at {}", date(limits.at_micros))];
    let shown = limits
        .clients
        .iter()
        .filter(|client| client.is_limited || extent == Extent::All);
    shown.for_each(|client| lines.extend(of_client(client)));
    for penalized in &limits.penalties {
        let (address, penalty) = (penalized.address, penalized.penalty);
        lines.push(format!(
            "logins from {address}{}: each waits {} s after wrong passwords, {} in a row; forgotten in {} s",
            if address.is_ipv6() { "/48" } else { "" },
            penalty.wait.as_secs(),
            penalty.failures,
            penalized.forgotten_in.as_secs()
        ));
    }
    if lines.len() == 1 {
        lines.push("nobody is limited".to_owned());
    }
    lines
}

fn of_client(client: &Client) -> Vec<String> {
    let exempt = match client.is_exempt {
        true => " (without limits: smtpd_client_event_limit_exceptions)",
        false => "",
    };
    let mut lines = vec![format!("{} {}{exempt}", client.service, client.address)];
    for figure in &client.figures {
        lines.push(format!("  {}", of_figure(figure, client.is_exempt)));
    }
    for slowed in &client.slowed {
        let sleeping = match slowed.is_sleeping {
            true => "its reply waits now (smtpd_error_sleep_time)",
            false => "its replies wait (smtpd_error_sleep_time)",
        };
        lines.push(format!(
            "  a session with {} errors: {sleeping} since they are more than {} (smtpd_soft_error_limit); it is ended \
             at {} (smtpd_hard_error_limit)",
            slowed.errors, slowed.soft_limit, slowed.hard_limit
        ));
    }
    for refused in &client.refused {
        let first = date(refused.since_micros);
        let when = match refused.count {
            1 => format!("once, at {first}"),
            count => format!(
                "{count} times since {first}, the last at {}",
                date(refused.last_micros)
            ),
        };
        lines.push(format!("  refused {when}: {}", refused.parameter));
    }
    lines
}

/// `connections at once: 3 of 2 (smtpd_client_connection_count_limit): one more is refused`
fn of_figure(figure: &Figure, is_exempt: bool) -> String {
    let Figure {
        parameter,
        count,
        limit,
        span_secs,
    } = figure;
    let what = match parameter.as_str() {
        "smtpd_client_connection_count_limit" => "connections at once",
        "smtpd_client_connection_rate_limit" => "connections",
        "smtpd_client_message_rate_limit" => "messages",
        "smtpd_client_recipient_rate_limit" => "recipients",
        "smtpd_client_auth_rate_limit" => "logins tried",
        "smtpd_client_new_tls_session_rate_limit" => "new TLS sessions",
        other => other,
    };
    let span = span_secs.map_or_else(String::new, |secs| format!(" in {secs} s"));
    match limit {
        0 => format!("{what}{span}: {count}, no limit ({parameter})"),
        limit => {
            let now = match !is_exempt && count >= limit {
                true => ": one more is refused",
                false => "",
            };
            format!("{what}{span}: {count} of {limit} ({parameter}){now}")
        }
    }
}

fn date(micros: i64) -> String {
    short_date(micros / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth::penalty::{Penalized, Penalty};
    use ipc::status::{Refused, Slowed};
    use std::time::Duration;

    fn client(is_limited: bool) -> Client {
        let figure = |parameter: &str, count, limit, span_secs| Figure {
            parameter: parameter.to_owned(),
            count,
            limit,
            span_secs,
        };
        Client {
            service: "smtp".to_owned(),
            address: "192.0.2.1".parse().unwrap(),
            is_limited,
            is_exempt: false,
            figures: vec![
                figure("smtpd_client_connection_count_limit", 3, 2, None),
                figure("smtpd_client_connection_rate_limit", 3, 0, Some(60)),
            ],
            refused: vec![Refused {
                parameter: "smtpd_client_connection_count_limit".to_owned(),
                count: 1,
                since_micros: 0,
                last_micros: 0,
            }],
            slowed: vec![Slowed {
                errors: 12,
                soft_limit: 10,
                hard_limit: 20,
                is_sleeping: true,
            }],
        }
    }

    #[test]
    fn reasons_are_told() {
        let limits = Limits {
            at_micros: 0,
            clients: vec![client(true)],
            penalties: vec![Penalized {
                address: "2001:db8:1::".parse().unwrap(),
                penalty: Penalty {
                    wait: Duration::from_secs(8),
                    failures: 2,
                },
                forgotten_in: Duration::from_secs(12),
            }],
        };
        let penalty = &object(&limits).unwrap()["penalties"][0];
        let told = ["failures", "wait_secs", "forgotten_in_secs"].map(|name| penalty[name].as_u64());
        assert_eq!(told, [Some(2), Some(8), Some(12)]);
        let began = date(0);
        assert_eq!(
            lines(&limits, Extent::Limited),
            [
                format!("limits at {began}"),
                "smtp 192.0.2.1".to_owned(),
                "  connections at once: 3 of 2 (smtpd_client_connection_count_limit): one more is refused".to_owned(),
                "  connections in 60 s: 3, no limit (smtpd_client_connection_rate_limit)".to_owned(),
                "  a session with 12 errors: its reply waits now (smtpd_error_sleep_time) since they are more than 10 \
                 (smtpd_soft_error_limit); it is ended at 20 (smtpd_hard_error_limit)"
                    .to_owned(),
                format!("  refused once, at {began}: smtpd_client_connection_count_limit"),
                "logins from 2001:db8:1::/48: each waits 8 s after wrong passwords, 2 in a row; forgotten in 12 s"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn who_is_not_limited_is_shown_when_asked_for() {
        let limits = Limits {
            clients: vec![client(false)],
            ..Limits::default()
        };
        assert_eq!(lines(&limits, Extent::Limited).len(), 2);
        assert!(lines(&limits, Extent::All).len() > 3);
        let parts = vec![serde_json::to_value(&limits).unwrap(); 2];
        assert_eq!(joined(parts).unwrap().clients.len(), 2);
    }
}
