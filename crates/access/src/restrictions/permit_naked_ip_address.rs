//! `permit_naked_ip_address`: HELO gave an address without brackets. Obsolete, and no proof of anything.

use std::net::IpAddr;

use super::Context;
use crate::Verdict;

pub(super) fn permit_naked_ip_address(context: &Context<'_>) -> Verdict {
    context.warn_once(
        "restriction permit_naked_ip_address is deprecated. Use permit_mynetworks or permit_sasl_authenticated instead",
    );
    let helo = context.request.helo.unwrap_or_default();
    match helo.parse::<IpAddr>() {
        Ok(_) => Verdict::Permit,
        Err(_) => Verdict::Dunno,
    }
}
