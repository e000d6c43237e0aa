//! Dovecot's auth sockets, both ends: other programs ask us ([`Sockets`]), and we ask another program ([`Client`]).

mod client;
mod server;

pub use client::{Client, Place};
pub use server::{Bound, Kind, Report, Sockets, Tell};

use sidecar::request::Request;

use crate::{Asker, Certificate};

/// How long the other side may be silent in the middle of something, in seconds.
const PATIENCE_SECS: u64 = 60;

/// Who asks, in the words of the protocol.
fn request_of(asker: &Asker) -> Request {
    Request {
        service: asker.service.clone(),
        remote: asker.remote,
        local: asker.local,
        remote_port: asker.remote_port,
        local_port: asker.local_port,
        session: asker.session.clone(),
        secured: asker.secured,
        has_certificate: asker.certificate.is_some(),
        certificate_user: asker
            .certificate
            .as_ref()
            .and_then(|certificate| certificate.user.clone()),
    }
}

/// Who asks, by the word of a program that is trusted with our socket.
fn asker_of(request: &Request) -> Asker {
    Asker {
        service: request.service.clone(),
        remote: request.remote,
        local: request.local,
        remote_port: request.remote_port,
        local_port: request.local_port,
        session: request.session.clone(),
        secured: request.secured,
        bindings: Vec::new(),
        certificate: request.has_certificate.then(|| Certificate {
            user: request.certificate_user.clone(),
        }),
        failures_before: None,
    }
}
