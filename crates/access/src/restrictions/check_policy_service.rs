//! `check_policy_service`: another program decides (SMTPD_POLICY_README).

use super::Context;
use crate::policy::{self, Server};
use crate::{Saying, Verdict, misconfigured};

pub(super) async fn check_policy_service(context: &Context<'_>, argument: &str) -> Verdict {
    if argument.is_empty() {
        context.warn("restriction check_policy_service must be followed by transport:server".to_owned());
        return Verdict::Fail(misconfigured());
    }
    let server = match Server::parse(argument, context.settings) {
        Ok(server) => server,
        Err(why) => {
            context.warn(format!("check_policy_service {argument}: {why}"));
            return Verdict::Fail(misconfigured());
        }
    };
    let question = policy::question(context.request, &server.context);
    let value = match context.outside.ask_policy(&server, &question).await {
        Ok(action) => action,
        Err(why) => {
            let (address, reason) = (address_of(&server), &why.reason);
            if why.is_unreachable {
                context.warn(format!("connect to {address}: {reason}"));
            }
            context.warn(format!("problem talking to server {address}: {reason}"));
            server.default_action.clone()
        }
    };
    Verdict::Says(Box::new(Saying {
        value,
        written: None,
        source: server.endpoint,
        key: super::POLICY_QUERY.to_owned(),
        about: context.about.clone(),
        may_permit: true,
    }))
}

/// The server as the log names it.
fn address_of(server: &Server) -> &str {
    let endpoint = server.endpoint.as_str();
    ["inet:", "unix:"]
        .iter()
        .find_map(|kind| endpoint.strip_prefix(kind))
        .unwrap_or(endpoint)
}
