//! Which clients a service treats in another way than the others: lists of networks, names and tables.

use access::Client;
use access::limits::Terms;
use settings::{Networks, Postfix};
use tables::client_list::ClientList;
use tables::{Error, Tell};

/// The lists of one service.
#[derive(Default)]
pub(super) struct Clients {
    /// `mynetworks`
    networks: ClientList,
    /// `smtpd_client_event_limit_exceptions`
    unlimited: ClientList,
    /// `smtpd_forbid_bare_newline_exclusions`
    bare_newlines: ClientList,
    /// `smtpd_sasl_exceptions_networks`
    without_auth: ClientList,
    /// `smtpd_authorized_xforward_hosts`
    xforward: ClientList,
    /// `smtpd_authorized_xclient_hosts`
    xclient: ClientList,
}

/// What a client may, or may not, that others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// `mynetworks`
    Networks,
    /// `smtpd_client_event_limit_exceptions`
    Unlimited,
    /// `smtpd_forbid_bare_newline_exclusions`
    BareNewlines,
    /// `smtpd_sasl_exceptions_networks`
    WithoutAuth,
    /// `smtpd_authorized_xforward_hosts`
    Xforward,
    /// `smtpd_authorized_xclient_hosts`
    Xclient,
}

impl super::Smtpd {
    /// What the limits are for this client.
    pub(super) fn terms(&self, client: &Client) -> Terms<'_> {
        Terms {
            settings: &self.settings,
            is_exempt: has_limits(&self.settings) && self.clients.has(Group::Unlimited, client),
        }
    }
}

/// Without limits nobody asks who has none.
fn has_limits(settings: &Postfix) -> bool {
    let limits = [
        settings.smtpd_client_connection_count_limit,
        settings.smtpd_client_connection_rate_limit,
        settings.smtpd_client_message_rate_limit,
        settings.smtpd_client_recipient_rate_limit,
        settings.smtpd_client_auth_rate_limit,
        settings.smtpd_client_new_tls_session_rate_limit,
    ];
    limits.iter().any(|limit| *limit > 0)
}

impl Clients {
    /// The lists of `settings`; `tell` hears the warnings of tables, `problems` has those that cannot be opened.
    pub(super) fn open(settings: &Postfix, tell: &Tell, problems: &mut Vec<Error>) -> Clients {
        let mut open = |parameter: &str, list: &Networks| {
            let mut list = ClientList::open(parameter, list, settings, problems);
            list.tell_warnings(tell);
            list
        };
        Clients {
            networks: open("mynetworks", &settings.mynetworks),
            unlimited: open(
                "smtpd_client_event_limit_exceptions",
                &settings.smtpd_client_event_limit_exceptions,
            ),
            bare_newlines: open(
                "smtpd_forbid_bare_newline_exclusions",
                &settings.smtpd_forbid_bare_newline_exclusions,
            ),
            without_auth: open(
                "smtpd_sasl_exceptions_networks",
                &settings.smtpd_sasl_exceptions_networks,
            ),
            xforward: open(
                "smtpd_authorized_xforward_hosts",
                &settings.smtpd_authorized_xforward_hosts,
            ),
            xclient: open(
                "smtpd_authorized_xclient_hosts",
                &settings.smtpd_authorized_xclient_hosts,
            ),
        }
    }

    /// Whether the client is in the group. Whom a table cannot tell about is not.
    pub(super) fn has(&self, group: Group, client: &Client) -> bool {
        let list = match group {
            Group::Networks => &self.networks,
            Group::Unlimited => &self.unlimited,
            Group::BareNewlines => &self.bare_newlines,
            Group::WithoutAuth => &self.without_auth,
            Group::Xforward => &self.xforward,
            Group::Xclient => &self.xclient,
        };
        list.contains(Some(&client.name), client.address).unwrap_or(false)
    }
}
