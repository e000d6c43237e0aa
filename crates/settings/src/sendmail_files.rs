//! What there is in `yubin_sendmail_directory`.

use crate::TableRef;

/// Sendmail's files that are there; whoever reads configuration fills it in.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SendmailFiles {
    /// `access`
    pub access: Option<TableRef>,
    /// `mailertable`
    pub mailertable: Option<TableRef>,
    /// `virtusertable`
    pub virtusertable: Option<TableRef>,
    /// `domaintable`
    pub domaintable: Option<TableRef>,
    /// `genericstable`
    pub genericstable: Option<TableRef>,
    /// `relay-domains`: domains, and names and addresses of clients, for which mail is passed on.
    pub relay_domains: Vec<String>,
    /// `generics-domains`: where `genericstable` holds.
    pub generics_domains: Vec<String>,
    /// `virtuser-domains`: where `virtusertable` holds besides this host's domains.
    pub virtuser_domains: Vec<String>,
    /// `trusted-users`: who may name any sender; `None`: there is no such file, and everybody may.
    pub trusted_users: Option<Vec<String>>,
}

impl SendmailFiles {
    /// The type of tables that are read from a database of `makemap`, or from the text beside it.
    pub const KIND: &'static str = "sendmail";

    /// The tables that are there.
    pub fn tables(&self) -> impl Iterator<Item = &TableRef> {
        let all = [
            &self.access,
            &self.mailertable,
            &self.virtusertable,
            &self.domaintable,
            &self.genericstable,
        ];
        all.into_iter().flatten()
    }
}
