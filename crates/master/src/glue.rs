//! Where the roles meet while they share a process: the front's questions are answered by agent and auth directly.

use std::sync::Arc;

use address::Domain;
use auth::{Account, Auth};
use deliver_local::{Delivery, Job, Local, User};
use front::agency::{Agency, LocalDelivery};
use route::{Class, Router};
use serve::handover::Handover;

use crate::identity::may_become;

/// Users for routing: `userdb:` in `local_recipient_maps`.
pub struct Users(pub Arc<Auth>);

impl route::Directory for Users {
    fn has_user(&self, name: &str) -> Result<bool, String> {
        find(&self.0, name).map(|user| user.is_some())
    }
}

/// Users and domains for local delivery.
pub struct Host {
    /// Who users are.
    pub auth: Arc<Auth>,
    /// Which domains are ours.
    pub router: Arc<Router>,
    /// As whom this process runs.
    pub own_uid: u32,
}

impl deliver_local::Directory for Host {
    fn user(&self, name: &str) -> Result<Option<User>, String> {
        find(&self.auth, name)
    }

    fn is_local(&self, domain: &Domain) -> Result<bool, String> {
        let address = address::Address::new("postmaster", Some(domain.clone()));
        self.router
            .class(&address)
            .map(|class| class == Class::Local)
            .map_err(|error| error.to_string())
    }

    fn may_become(&self, uid: u32) -> bool {
        may_become(self.own_uid, uid) && uid == self.own_uid
    }
}

/// The users of dovecot.conf, then those of the system.
fn find(auth: &Auth, name: &str) -> Result<Option<User>, String> {
    if let Some(account) = auth.lookup(name, "local")? {
        return Ok(Some(User {
            name: account.user,
            uid: account.uid,
            gid: account.gid,
            home: account.home,
        }));
    }
    let system = os::users::user_by_name(name).map_err(|error| error.to_string())?;
    Ok(system.map(|user| User {
        name: user.name,
        uid: user.uid,
        gid: user.gid,
        home: Some(user.home),
    }))
}

/// The agent of this process.
pub struct OwnAgent {
    /// Deliveries.
    pub local: Local,
    /// Sessions; there are none without a dovecot.conf.
    pub sessions: Option<Arc<agent::Sessions>>,
}

impl Agency for OwnAgent {
    fn deliver(&self, delivery: &LocalDelivery) -> Delivery {
        self.local.deliver(&Job {
            sender: delivery.sender.as_ref(),
            recipient: &delivery.recipient,
            content: &*delivery.content,
            now_secs: serve::clock::now() / machine::SECOND,
        })
    }

    fn take(&self, handover: Handover<Account>) {
        if let Some(sessions) = &self.sessions {
            let sessions = Arc::clone(sessions);
            tokio::spawn(async move { sessions.run(handover).await });
        }
    }
}
