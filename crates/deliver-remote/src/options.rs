//! What the settings say about outgoing connections.

use crate::Error;
use crate::NextHop;
use crate::cache::{Cache, Habit};
use crate::connection::Target;
use crate::converse::Teller;
use crate::departure::Departure;
use crate::filters::Filters;
use crate::hosts::Chooser;
use crate::logins::Logins;
use crate::names::Names;
use crate::parameters::Parameters;
use crate::policy::{OwnCertificates, Policies, prefix};
use crate::terms::Terms;
use dns::Dns;
use envelope::QueueId;
use intake::checks::Effects;
use machine::Stamp;
use maillog::Log;
use maillog::lines::delivery::{
    ConnectFailed, ContentDecided, HandshakeFailed, OfferNoted, PixWorkarounds, TlsEstablished,
};
use settings::{NotifyClass, Postfix};
use smtp::client::{Config, Hello, Protocol, Timeouts, TlsPolicy};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tls::client::{Judgement, Level};

/// Delivers to other hosts, as main.cf says. Made once for a configuration, used for all deliveries.
pub struct Remote {
    smtp: Options,
    lmtp: Options,
    chooser: Chooser,
    /// The same for LMTP.
    lmtp_chooser: Chooser,
    /// `smtp_mx_session_limit`; 0: as many as there are addresses.
    pub(crate) sessions_max: usize,
    /// `smtp_fallback_relay`
    pub(crate) fallback: Option<NextHop>,
    /// `relayhost`, as it is written.
    pub(crate) relayhost: String,
    pub(crate) helo_name: String,
    /// The connections that are kept.
    pub(crate) cache: Cache,
    /// Where hosts that cannot be reached are told.
    log: Option<Log>,
}

/// From which addresses connections come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// `smtp_bind_address`
    pub(crate) ipv4: Option<Ipv4Addr>,
    /// `smtp_bind_address6`
    pub(crate) ipv6: Option<Ipv6Addr>,
    /// `smtp_bind_address_enforce`: rather no connection than one from elsewhere.
    pub(crate) is_enforced: bool,
}

impl Source {
    fn of(ipv4: &str, ipv6: &str, is_enforced: bool) -> Result<Source, Error> {
        let bare6 = ipv6.trim_matches(['[', ']']);
        let wrong = |text: &str| Error::BindAddress(text.to_owned());
        let read4 = (!ipv4.is_empty()).then(|| ipv4.parse().map_err(|_| wrong(ipv4)));
        let read6 = (!bare6.is_empty()).then(|| bare6.parse().map_err(|_| wrong(ipv6)));
        Ok(Source {
            ipv4: read4.transpose()?,
            ipv6: read6.transpose()?,
            is_enforced,
        })
    }

    /// Where a connection to `peer` comes from; `None`: as the system chooses.
    pub(crate) fn toward(&self, peer: SocketAddr) -> Option<IpAddr> {
        match peer {
            SocketAddr::V4(_) => self.ipv4.map(IpAddr::V4),
            SocketAddr::V6(_) => self.ipv6.map(IpAddr::V6),
        }
    }
}

/// How many addresses of a next hop are tried where the setting has no limit.
pub const ADDRESSES_MAX: usize = 50;

/// What the settings say about one protocol.
pub(crate) struct Options {
    pub(crate) protocol: Protocol,
    helo_name: String,
    pub(crate) connect_timeout: Duration,
    timeouts: Timeouts,
    line_octets_max: usize,
    downgrade: bool,
    skip_5xx_greeting: bool,
    skip_quit_response: bool,
    pub(crate) policies: Policies,
    /// What is to be told at the start.
    notes: Vec<String>,
    hello: Hello,
    dummy_mail_auth: bool,
    xforward: bool,
    probes_to_data: bool,
    data_octets_per_second_min: Option<u64>,
    /// `notify_classes` has `protocol`.
    keeps_transcript: bool,
    pub(crate) filters: Filters,
    pub(crate) departure: Departure,
    pub(crate) habit: Habit,
    login_soft_bounce: bool,
    /// `soft_bounce`
    pub(crate) is_soft: bool,
    pub(crate) logins: Arc<Logins>,
    pub(crate) source: Source,
}

impl Remote {
    /// Reads the settings, and the certificates they name. Names are asked of `dns`; `own_addresses` are those on which this
    /// host receives mail, and to which it sends none.
    ///
    /// # Errors
    /// When TLS cannot be had as they say, or a fallback relay is none.
    pub fn from_settings(
        settings: &Postfix,
        dns: Arc<dyn Dns>,
        own_addresses: Vec<IpAddr>,
    ) -> Result<Remote, Error> {
        let certificates = OwnCertificates::read(settings)?;
        Remote::with_certificates((settings, &certificates), dns, own_addresses)
    }

    /// The same, with certificates that were read already.
    ///
    /// # Errors
    /// As [`Remote::from_settings`].
    pub fn with_certificates(
        (settings, certificates): (&Postfix, &OwnCertificates),
        dns: Arc<dyn Dns>,
        own_addresses: Vec<IpAddr>,
    ) -> Result<Remote, Error> {
        let relays = match settings.smtp_fallback_relay.as_slice() {
            [] => settings.fallback_relay.as_slice(),
            relays => relays,
        };
        let fallback = match relays {
            [] => None,
            words => Some(NextHop::smtp(&words.join(" "), &settings.smtp_tcp_port)?),
        };
        let chooser = |protocol| {
            let names = Names::from_settings(settings, Arc::clone(&dns), protocol);
            Chooser::from_settings(settings, names, own_addresses.clone())
        };
        Ok(Remote {
            smtp: Options::of((Protocol::Smtp, &own_addresses), settings, certificates)?,
            lmtp: Options::of((Protocol::Lmtp, &own_addresses), settings, certificates)?,
            cache: Cache::default(),
            chooser: chooser(Protocol::Smtp),
            lmtp_chooser: chooser(Protocol::Lmtp),
            sessions_max: settings.smtp_mx_session_limit,
            fallback,
            relayhost: settings.relayhost.clone(),
            helo_name: settings.myhostname.clone(),
            log: None,
        })
    }

    /// The same, telling `log` of warnings of tables, and of every host that cannot be reached: the outcome knows the last one
    /// only.
    pub fn logging_to(mut self, log: Log) -> Remote {
        let of_tables = log.clone();
        let tell = Arc::new(move |text: &str| of_tables.warning("smtp", text)) as tables::Tell;
        for logins in [&mut self.smtp.logins, &mut self.lmtp.logins] {
            // Nobody else has them yet.
            if let Some(logins) = Arc::get_mut(logins) {
                logins.tell_warnings(&tell);
            }
        }
        self.chooser.tell_warnings(&tell);
        self.lmtp_chooser.tell_warnings(&tell);
        self.smtp.policies.tell_warnings(&tell);
        self.lmtp.policies.tell_warnings(&tell);
        for (protocol, options) in [(Protocol::Smtp, &mut self.smtp), (Protocol::Lmtp, &mut self.lmtp)] {
            for problem in options.departure.telling(&tell) {
                log.error(prefix(protocol), &problem);
            }
        }
        for (protocol, options) in [(Protocol::Smtp, &self.smtp), (Protocol::Lmtp, &self.lmtp)] {
            for note in &options.notes {
                log.warning(prefix(protocol), note);
            }
        }
        Remote {
            log: Some(log),
            ..self
        }
    }

    /// Tells the log of handshakes with a host.
    pub(crate) fn teller(&self, protocol: Protocol, target: &Target) -> Teller {
        let loglevel = self.options(protocol).policies.loglevel;
        let log = self.log.clone().filter(|_| loglevel > 0);
        let relay = target.relay.clone();
        // Its name may have been forged: only the fingerprint of level `dane` is known.
        let is_found_safely = target.dnssec.is_exchanger;
        Arc::new(move |shaken| {
            let Some(log) = &log else { return };
            let agent = prefix(protocol);
            match shaken {
                Ok(established) => log.write(&TlsEstablished {
                    agent,
                    relay: &relay,
                    trust: match established.judgement {
                        Judgement::Untrusted => "Untrusted",
                        Judgement::Trusted => "Trusted",
                        Judgement::Verified if established.is_by_dnssec && !is_found_safely => "Trusted",
                        Judgement::Verified => "Verified",
                    },
                    session: &established.session,
                }),
                Err(reason) => log.write(&HandshakeFailed {
                    agent,
                    relay: &relay,
                    reason,
                }),
            }
        })
    }

    /// `Host offered STARTTLS: [mx.example.com]` (`smtp_tls_note_starttls_offer`)
    pub(crate) fn note_offer(&self, protocol: Protocol, target: &Target) {
        if let Some(log) = self
            .log
            .as_ref()
            .filter(|_| self.options(protocol).policies.notes_offers)
        {
            log.write(&OfferNoted {
                agent: prefix(protocol),
                host: &target.host,
            });
        }
    }

    /// `QUEUEID: enabling PIX workarounds: disable_esmtp delay_dotcrlf for mx.example.com[192.0.2.1]:25`
    pub(crate) fn note_workarounds(
        &self,
        protocol: Protocol,
        target: &Target,
        (queue_id, words): (&str, &str),
    ) {
        if let Some(log) = &self.log {
            log.write(&PixWorkarounds {
                agent: prefix(protocol),
                queue_id,
                words,
                relay: &target.relay,
            });
        }
    }

    /// `connect to mx.example.com[192.0.2.1]:25: Connection refused`
    pub(crate) fn tell_unreachable(&self, protocol: Protocol, target: &Target, reason: &str) {
        if let Some(log) = &self.log {
            log.write(&ConnectFailed {
                agent: prefix(protocol),
                relay: &target.relay,
                reason,
            });
        }
    }

    /// Tells the log something that an administrator should look at.
    pub(crate) fn warn(&self, protocol: Protocol, text: &str) {
        if let Some(log) = &self.log {
            log.warning(prefix(protocol), text);
        }
    }

    /// Who finds the hosts for a client.
    pub(crate) fn chooser(&self, protocol: Protocol) -> &Chooser {
        match protocol {
            Protocol::Smtp => &self.chooser,
            Protocol::Lmtp => &self.lmtp_chooser,
        }
    }

    /// Tells the log what was done to a message on its way out.
    pub(crate) fn tell_effects(&self, protocol: Protocol, queue_id: Option<&QueueId>, effects: &mut Effects) {
        let (notes, warnings) = effects.take_notes();
        let (Some(log), Some(queue_id)) = (&self.log, queue_id) else {
            return;
        };
        for warning in warnings {
            log.warning(prefix(protocol), &warning);
        }
        if let Some(failure) = effects.failure.take() {
            log.warning(prefix(protocol), &format!("{queue_id}: {failure}"));
        }
        for note in notes {
            log.write(&ContentDecided {
                agent: prefix(protocol),
                queue_id,
                decision: note.decision,
                matched: &format!("{} {}", note.kind, note.content),
                text: &note.text,
            });
        }
    }

    pub(crate) fn options(&self, protocol: Protocol) -> &Options {
        match protocol {
            Protocol::Smtp => &self.smtp,
            Protocol::Lmtp => &self.lmtp,
        }
    }
}

impl Options {
    fn of(
        (protocol, own_addresses): (Protocol, &[IpAddr]),
        settings: &Postfix,
        certificates: &OwnCertificates,
    ) -> Result<Options, Error> {
        let chosen = Parameters::of(protocol, settings);
        let (policies, notes) = Policies::of(&chosen, settings, certificates.of(protocol))?;
        Ok(Options {
            protocol,
            helo_name: chosen.helo_name.clone(),
            connect_timeout: *chosen.connect_timeout,
            timeouts: Timeouts {
                helo: stamp(*chosen.helo_timeout),
                starttls: stamp(*chosen.starttls_timeout),
                xforward: stamp(*chosen.xforward_timeout),
                mail: stamp(*chosen.mail_timeout),
                rcpt: stamp(*chosen.rcpt_timeout),
                data_init: stamp(*chosen.data_init_timeout),
                data_xfer: stamp(*chosen.data_xfer_timeout),
                data_done: stamp(*chosen.data_done_timeout),
                rset: stamp(*chosen.rset_timeout),
                quit: stamp(*chosen.quit_timeout),
            },
            line_octets_max: *chosen.line_length_limit,
            downgrade: !settings.disable_mime_output_conversion,
            skip_5xx_greeting: *chosen.skip_5xx_greeting,
            skip_quit_response: *chosen.skip_quit_response,
            policies,
            notes,
            hello: match (settings.smtp_never_send_ehlo, settings.smtp_always_send_ehlo) {
                (true, _) => Hello::Helo,
                (false, true) => Hello::Ehlo,
                (false, false) => Hello::AsGreeted,
            },
            xforward: *chosen.send_xforward_command,
            probes_to_data: chosen.address_verify_target == "data",
            dummy_mail_auth: *chosen.send_dummy_mail_auth,
            data_octets_per_second_min: (*chosen.per_request_deadline)
                .then(|| u64::try_from(*chosen.min_data_rate).unwrap_or(u64::MAX)),
            keeps_transcript: settings.notify_classes.contains(&NotifyClass::Protocol),
            filters: Filters::of(&chosen),
            departure: Departure::of(&chosen, settings, own_addresses),
            habit: Habit::of(&chosen, settings),
            is_soft: settings.soft_bounce,
            login_soft_bounce: *chosen.sasl_auth_soft_bounce,
            logins: Arc::new(Logins::of(&chosen)),
            source: Source::of(
                chosen.bind_address,
                chosen.bind_address6,
                *chosen.bind_address_enforce,
            )?,
        })
    }

    /// What the machine is told about one connection.
    pub(crate) fn client_config(
        &self,
        target: &Target,
        terms: &Terms,
        (with_tls, age): (bool, Duration),
    ) -> Result<Config, tables::Error> {
        let policy = &terms.policy;
        let tls = match policy.demand.level {
            _ if !with_tls || policy.wrapped => TlsPolicy::None,
            Level::None => TlsPolicy::None,
            Level::May => TlsPolicy::May,
            _ => TlsPolicy::Encrypt,
        };
        Ok(Config {
            hello: self.hello,
            discarded_keywords: self.filters.discarded_keywords(target.ip())?,
            dummy_mail_auth: self.dummy_mail_auth,
            xforward: self.xforward,
            probes_to_data: self.probes_to_data,
            pix: self.filters.pix(target.ip(), age)?,
            data_octets_per_second_min: self.data_octets_per_second_min,
            keeps_transcript: self.keeps_transcript,
            protocol: self.protocol,
            tls,
            tls_active: policy.wrapped && with_tls,
            logs_in: terms.login.is_some(),
            login_soft_bounce: self.login_soft_bounce,
            timeouts: self.timeouts,
            line_octets_max: self.line_octets_max,
            downgrade: self.downgrade,
            skip_5xx_greeting: self.skip_5xx_greeting,
            skip_quit_response: self.skip_quit_response,
            ..Config::new(&self.helo_name, &target.peer, &target.relay)
        })
    }
}

pub(crate) fn stamp(time: Duration) -> Stamp {
    Stamp::try_from(time.as_micros()).unwrap_or(Stamp::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_bound_as_the_settings_say() {
        let peers =
            ["192.0.2.1:25", "[2001:db8::1]:25"].map(|text| text.parse::<SocketAddr>().expect("an address"));
        let source = Source::of("192.0.2.9", "", false).expect("valid");
        assert_eq!(source.toward(peers[0]), "192.0.2.9".parse().ok());
        assert_eq!(source.toward(peers[1]), None);
        let wrong = Source::of("192.0.2.9", "here", false);
        assert!(matches!(wrong, Err(Error::BindAddress(text)) if text == "here"));
    }
}
