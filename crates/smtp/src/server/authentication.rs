//! AUTH (RFC 4954): the exchange around the mechanisms' steps. What they mean is the caller's matter.

use super::commands::{bad_syntax, out_of_order};
use super::{AUTH_LINE_OCTETS_MAX, Event, Line, Open, Server, State};
use crate::Reply;
use crate::transcript::MASKED;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::StatusCode;

impl Server {
    /// The mechanisms that are offered now.
    pub(super) fn mechanisms(&self) -> &[String] {
        match self.tls {
            true => &self.config.auth.mechanisms_with_tls,
            false => &self.config.auth.mechanisms_without_tls,
        }
    }

    pub(super) fn auth(&mut self, argument: &str) {
        if let Some(reply) = self.why_no_auth() {
            return self.refuse(&reply);
        }
        let mut words = argument.split_ascii_whitespace();
        let (mechanism, initial) = match (words.next(), words.next(), words.next()) {
            (Some(mechanism), initial, None) => (mechanism.to_ascii_uppercase(), initial),
            _ => return self.refuse(&bad_syntax("Syntax: AUTH mechanism")),
        };
        if !self.mechanisms().contains(&mechanism) {
            return self.refuse_for(None, &failed("Invalid authentication mechanism"));
        }
        let initial = match initial {
            None => None,
            // RFC 4954 §4: an initial response without any octet.
            Some("=") => Some(Vec::new()),
            Some(text) => match STANDARD.decode(text) {
                Ok(octets) => Some(octets),
                Err(_) => return self.refuse_for(None, &failed("Invalid base64 data in initial response")),
            },
        };
        self.open = Some(Open::Auth);
        self.events.push_back(Event::Auth { mechanism, initial });
    }

    fn why_no_auth(&self) -> Option<Reply> {
        if let Some(reply) = self.must_greet() {
            return Some(reply);
        }
        // `smtpd_tls_auth_only`: before the handshake there is no AUTH at all.
        if self.mechanisms().is_empty() {
            return Some(out_of_order("Error: authentication not enabled"));
        }
        if self.transaction.is_some() {
            return Some(out_of_order("Error: MAIL transaction in progress"));
        }
        if self.user.is_some() {
            return Some(out_of_order("Error: already authenticated"));
        }
        None
    }

    /// Reads the response to a challenge.
    pub(super) fn auth_line(&mut self) -> bool {
        match self.line(AUTH_LINE_OCTETS_MAX) {
            Line::Unfinished => return false,
            Line::TooLong => {
                self.events.push_back(Event::AuthCancelled);
                self.state = State::OverlongResponse;
            }
            Line::Dropped => {
                self.events.push_back(Event::AuthCancelled);
                self.state = State::Command;
                self.refuse_for(None, &overlong_response());
            }
            Line::Complete { text, bare_line_feed } => {
                self.state = State::Command;
                if self.tolerates(bare_line_feed) {
                    self.auth_response(&text);
                }
            }
        }
        true
    }

    fn auth_response(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        self.heard(if line == b"*" { line } else { MASKED.as_bytes() });
        if line == b"*" {
            self.events.push_back(Event::AuthCancelled);
            let reply = Reply::new(501, StatusCode::permanent(7, 0), "Authentication aborted");
            return self.refuse_for(None, &reply);
        }
        match STANDARD.decode(line) {
            Ok(octets) => {
                self.open = Some(Open::Auth);
                self.events.push_back(Event::AuthResponse(octets));
            }
            Err(_) => {
                self.events.push_back(Event::AuthCancelled);
                self.refuse_for(None, &failed("Invalid base64 data in continued response"));
            }
        }
    }

    /// `334 ` and the challenge; the next line is the response.
    pub(super) fn challenge(&mut self, challenge: &[u8]) {
        self.say(&Reply::bare(334, STANDARD.encode(challenge)));
        self.state = State::AuthResponse;
    }

    pub(super) fn authenticated(&mut self, user: String) {
        self.user = Some(user);
        self.accept(&Reply::new(
            235,
            StatusCode::success(7, 0),
            "Authentication successful",
        ));
    }
}

/// RFC 4954 §4: a response that is too long.
pub(super) fn overlong_response() -> Reply {
    Reply::new(500, StatusCode::permanent(5, 6), "SASL response limit exceeded")
}

/// `535 5.7.8 Error: authentication failed: …`; without a reason for a wrong name or password.
pub(super) fn failed(why: &str) -> Reply {
    let why = if why.is_empty() {
        "(reason unavailable)"
    } else {
        why
    };
    Reply::new(
        535,
        StatusCode::permanent(7, 8),
        format!("Error: authentication failed: {why}"),
    )
}
