//! The restrictions that exist, one file each, and what they are given.

mod blocked;
mod check_access;
mod check_policy_service;
pub(crate) mod check_sendmail_access;
mod client_certificates;
mod fully_qualified;
mod generic;
mod login_mismatch;
mod permit_mx_backup;
mod permit_mynetworks;
mod permit_naked_ip_address;
mod permit_sasl_authenticated;
mod reject_multi_recipient_bounce;
mod reject_plaintext_session;
mod reject_unauth_destination;
mod reject_unauth_pipelining;
mod sleep;
mod unknown_client;
mod unknown_domain;
mod unlisted;
mod unverified;

use std::sync::{Mutex, PoisonError};

use dns::Kind;
use route::Router;
use settings::{InetProtocols, Postfix};
use tables::client_list::ClientList;

use crate::access_tables::Keys;
use crate::lists::{Access, Asked, Stage};
use crate::outside::{Outside, Waiting};
use crate::request::Request;
use crate::{About, Verdict};

/// What is looked up at a policy service, as the log calls it.
pub(crate) const POLICY_QUERY: &str = "policy query";

/// What a restriction is given.
pub struct Context<'a> {
    /// The list it stands in.
    pub stage: Stage,
    /// What the client has said.
    pub request: &'a Request<'a>,
    /// The service's settings.
    pub settings: &'a Postfix,
    /// Where recipients go.
    pub router: &'a Router,
    /// `mynetworks`
    pub networks: &'a ClientList,
    /// `permit_mx_backup_networks`
    pub backup_networks: &'a ClientList,
    /// Whom to ask.
    pub outside: &'a dyn Outside,
    /// What a refusal is about that has no subject of its own.
    pub about: &'a About,
    access: &'a Access,
    warnings: Mutex<Vec<String>>,
}

/// A restriction.
pub struct Restriction {
    /// Its name in main.cf.
    pub name: &'static str,
    /// Whether a table, a server, a list or a number stands behind it.
    pub takes_argument: bool,
    /// What it says; the second argument is what stands behind it.
    pub ask: for<'a> fn(&'a Context<'a>, &'a str) -> Waiting<'a, Verdict>,
}

/// Rows of [`RESTRICTIONS`]: `pure` ones look at what is known, `asks` ones ask others, `with` ones take an argument.
macro_rules! restrictions {
    (@arg pure) => { false };
    (@arg asks) => { false };
    (@arg looks) => { true };
    (@arg with) => { true };
    (@ask pure $do:path) => { |context, _| { let said = $do(context); Box::pin(std::future::ready(said)) } };
    (@ask looks $do:path) => { |context, argument| { let said = $do(context, argument); Box::pin(std::future::ready(said)) } };
    (@ask asks $do:path) => { |context, _| Box::pin($do(context)) };
    (@ask with $do:path) => { |context, argument| Box::pin($do(context, argument)) };
    ($($kind:ident $name:literal $do:path;)*) => {
        /// Every restriction.
        pub const RESTRICTIONS: &[Restriction] = &[$(Restriction {
            name: $name,
            takes_argument: restrictions!(@arg $kind),
            ask: restrictions!(@ask $kind $do),
        }),*];
    };
}

restrictions! {
    pure "permit" generic::permit;
    pure "reject" generic::reject;
    pure "defer" generic::defer;
    pure "defer_if_permit" generic::defer_if_permit;
    pure "defer_if_reject" generic::defer_if_reject;
    with "sleep" sleep::sleep;
    pure "reject_plaintext_session" reject_plaintext_session::reject_plaintext_session;
    pure "reject_unauth_pipelining" reject_unauth_pipelining::reject_unauth_pipelining;
    with "check_policy_service" check_policy_service::check_policy_service;
    pure "permit_mynetworks" permit_mynetworks::permit_mynetworks;
    pure "permit_inet_interfaces" permit_mynetworks::permit_inet_interfaces;
    pure "permit_naked_ip_address" permit_naked_ip_address::permit_naked_ip_address;
    pure "permit_sasl_authenticated" permit_sasl_authenticated::permit_sasl_authenticated;
    pure "reject_unknown_client_hostname" unknown_client::reject_unknown_client_hostname;
    pure "reject_unknown_client" unknown_client::reject_unknown_client_hostname;
    pure "reject_unknown_reverse_client_hostname" unknown_client::reject_unknown_reverse_client_hostname;
    looks "check_ccert_access" client_certificates::check_ccert_access;
    pure "permit_tls_clientcerts" client_certificates::permit_tls_clientcerts;
    pure "permit_tls_all_clientcerts" client_certificates::permit_tls_all_clientcerts;
    looks "check_client_access" check_access::client;
    pure "check_sendmail_access" check_sendmail_access::check_sendmail_access;
    looks "check_reverse_client_hostname_access" check_access::reverse_client;
    looks "check_helo_access" check_access::helo;
    looks "check_sender_access" check_access::sender;
    looks "check_recipient_access" check_access::recipient;
    looks "check_etrn_access" check_access::etrn;
    looks "check_sasl_access" check_access::sasl;
    with "check_client_a_access" check_access::client_a;
    with "check_client_mx_access" check_access::client_mx;
    with "check_client_ns_access" check_access::client_ns;
    with "check_reverse_client_hostname_a_access" check_access::reverse_client_a;
    with "check_reverse_client_hostname_mx_access" check_access::reverse_client_mx;
    with "check_reverse_client_hostname_ns_access" check_access::reverse_client_ns;
    with "check_helo_a_access" check_access::helo_a;
    with "check_helo_mx_access" check_access::helo_mx;
    with "check_helo_ns_access" check_access::helo_ns;
    with "check_sender_a_access" check_access::sender_a;
    with "check_sender_mx_access" check_access::sender_mx;
    with "check_sender_ns_access" check_access::sender_ns;
    with "check_recipient_a_access" check_access::recipient_a;
    with "check_recipient_mx_access" check_access::recipient_mx;
    with "check_recipient_ns_access" check_access::recipient_ns;
    with "reject_rbl_client" blocked::reject_rbl_client;
    with "reject_rbl" blocked::reject_rbl_client;
    asks "reject_maps_rbl" blocked::reject_maps_rbl;
    with "reject_rhsbl_client" blocked::reject_rhsbl_client;
    with "reject_rhsbl_reverse_client" blocked::reject_rhsbl_reverse_client;
    with "reject_rhsbl_helo" blocked::reject_rhsbl_helo;
    with "reject_rhsbl_sender" blocked::reject_rhsbl_sender;
    with "reject_rhsbl_recipient" blocked::reject_rhsbl_recipient;
    with "permit_dnswl_client" blocked::permit_dnswl_client;
    with "permit_rhswl_client" blocked::permit_rhswl_client;
    pure "reject_invalid_helo_hostname" fully_qualified::reject_invalid_helo_hostname;
    pure "reject_invalid_hostname" fully_qualified::reject_invalid_helo_hostname;
    pure "reject_non_fqdn_helo_hostname" fully_qualified::reject_non_fqdn_helo_hostname;
    pure "reject_non_fqdn_hostname" fully_qualified::reject_non_fqdn_helo_hostname;
    asks "reject_unknown_helo_hostname" unknown_domain::reject_unknown_helo_hostname;
    asks "reject_unknown_hostname" unknown_domain::reject_unknown_helo_hostname;
    pure "reject_non_fqdn_sender" fully_qualified::reject_non_fqdn_sender;
    asks "reject_unknown_sender_domain" unknown_domain::reject_unknown_sender_domain;
    asks "reject_unknown_address" unknown_domain::reject_unknown_sender_domain;
    pure "reject_unlisted_sender" unlisted::reject_unlisted_sender;
    asks "reject_unverified_sender" unverified::reject_unverified_sender;
    pure "reject_sender_login_mismatch" login_mismatch::reject_sender_login_mismatch;
    pure "reject_authenticated_sender_login_mismatch" login_mismatch::reject_authenticated_sender_login_mismatch;
    pure "reject_known_sender_login_mismatch" login_mismatch::reject_known_sender_login_mismatch;
    pure "reject_unauthenticated_sender_login_mismatch" login_mismatch::reject_unauthenticated_sender_login_mismatch;
    pure "reject_multi_recipient_bounce" reject_multi_recipient_bounce::reject_multi_recipient_bounce;
    pure "reject_non_fqdn_recipient" fully_qualified::reject_non_fqdn_recipient;
    asks "reject_unknown_recipient_domain" unknown_domain::reject_unknown_recipient_domain;
    pure "reject_unlisted_recipient" unlisted::reject_unlisted_recipient;
    asks "reject_unverified_recipient" unverified::reject_unverified_recipient;
    pure "check_recipient_maps" unlisted::reject_unlisted_recipient;
    asks "permit_mx_backup" permit_mx_backup::permit_mx_backup;
    pure "permit_auth_destination" reject_unauth_destination::permit_auth_destination;
    pure "check_relay_domains" reject_unauth_destination::check_relay_domains;
    pure "reject_unauth_destination" reject_unauth_destination::reject_unauth_destination;
    pure "defer_unauth_destination" reject_unauth_destination::defer_unauth_destination;
}

/// The restriction of that name.
pub fn find(name: &str) -> Option<&'static Restriction> {
    RESTRICTIONS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name))
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        access: &'a Access,
        asked: &'a Asked<'a>,
        stage: Stage,
        about: &'a About,
    ) -> Context<'a> {
        Context {
            stage,
            request: asked.request,
            settings: &access.settings,
            router: &access.router,
            networks: &access.networks,
            backup_networks: &access.backup_networks,
            outside: asked.outside,
            about,
            access,
            warnings: Mutex::default(),
        }
    }

    /// Something for the log.
    pub(crate) fn warn(&self, text: String) {
        self.warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }

    /// Something for the log, the first time.
    pub(crate) fn warn_once(&self, text: &'static str) {
        let mut said = self.access.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(text) {
            self.warn(text.to_owned());
        }
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.access.keys
    }

    /// The records of addresses that this host can use (`inet_protocols`).
    pub(crate) fn address_kinds(&self) -> &'static [Kind] {
        match self.settings.inet_protocols {
            InetProtocols::Ipv4 => &[Kind::A],
            InetProtocols::Ipv6 => &[Kind::Aaaa],
            InetProtocols::All => &[Kind::A, Kind::Aaaa],
        }
    }
}
