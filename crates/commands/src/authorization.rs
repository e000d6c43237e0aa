//! `authorized_submit_users` and its like, as commands ask them before they ask the mail system, which asks once more.

use tables::name_list::NameList;

/// Why the user `uid` may not do `what` (`submit mail`), in Postfix's words; `None` when the list has the user.
pub(crate) fn refusal(list: &[String], uid: u32, what: &str) -> Option<String> {
    let name = NameList::stranger(list, uid)?;
    Some(format!("User {name}({uid}) is not allowed to {what}"))
}
