//! What dovecot.conf says of POP3 sessions, as the session takes it.

use mailbox::Keyword;
use pop3::body::Workarounds;
use pop3::digest::Fields;
use pop3::logout::LogoutFormat;
use pop3::session::{Delete, Duplicates, Settings};
use pop3::uidl::UidlFormat;
use settings::{Dovecot, Pop3DeleteType, UidlDuplicates};

/// The flag that hides mail where it is to be hidden and none is set.
const DELETED_FLAG: &str = "$POP3Deleted";

/// The settings; what of dovecot.conf makes no sense is told to `problem`.
pub(crate) fn of(dovecot: &Dovecot, problem: impl Fn(&str)) -> Settings {
    let uidl = UidlFormat::parse(&dovecot.pop3_uidl_format).unwrap_or_else(|| {
        problem(
            "pop3_uidl_format: of %u, %v, %f, %g, %m and text, one of %u, %f, %g and %m must be there; %08Xu%08Xv is used",
        );
        UidlFormat::default()
    });
    let mut deleted_flag = Some(dovecot.pop3_deleted_flag.as_str()).filter(|flag| !flag.is_empty());
    let delete = match (dovecot.pop3_delete_type, deleted_flag) {
        (Pop3DeleteType::Expunge, _) | (Pop3DeleteType::Default, None) => Delete::Expunge,
        (Pop3DeleteType::Flag, None) => {
            problem("pop3_delete_type = flag, but pop3_deleted_flag is not set: $POP3Deleted is used");
            deleted_flag = Some(DELETED_FLAG);
            Delete::Hide
        }
        (Pop3DeleteType::Flag | Pop3DeleteType::Default, Some(_)) => Delete::Hide,
    };
    let works_around = |word: &str| {
        let mut words = dovecot.pop3_client_workarounds.iter();
        words.any(|known| known.eq_ignore_ascii_case(word))
    };
    Settings {
        uidl,
        reuse_xuidl: dovecot.pop3_reuse_xuidl,
        save_uidl: dovecot.pop3_save_uidl,
        duplicates: match dovecot.pop3_uidl_duplicates {
            UidlDuplicates::Allow => Duplicates::Allow,
            UidlDuplicates::Rename => Duplicates::Rename,
        },
        digest: match dovecot.mbox_md5.as_str() {
            "all" => Fields::All,
            _ => Fields::Delivery,
        },
        last: dovecot.pop3_enable_last,
        no_flag_updates: dovecot.pop3_no_flag_updates,
        deleted_flag: deleted_flag.map(Keyword::new),
        delete,
        workarounds: Workarounds {
            no_nuls: works_around("outlook-no-nuls"),
            end_of_header: works_around("oe-ns-eoh"),
        },
        logout: LogoutFormat::parse(&dovecot.pop3_logout_format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_hidden_where_that_is_set_and_never_removed_by_mistake() {
        for (kind, flag, delete, hides) in [
            (Pop3DeleteType::Default, "", Delete::Expunge, None),
            (Pop3DeleteType::Default, "$X", Delete::Hide, Some("$X")),
            (Pop3DeleteType::Expunge, "$X", Delete::Expunge, Some("$X")),
            (Pop3DeleteType::Flag, "", Delete::Hide, Some(DELETED_FLAG)),
        ] {
            let dovecot = Dovecot {
                pop3_delete_type: kind,
                pop3_deleted_flag: flag.to_owned(),
                ..Dovecot::defaults()
            };
            let told = std::cell::Cell::new(0);
            let settings = of(&dovecot, |_| told.set(told.get() + 1));
            assert_eq!(settings.delete, delete, "{kind:?} {flag}");
            assert_eq!(settings.deleted_flag, hides.map(Keyword::new));
            assert_eq!(told.get() > 0, kind == Pop3DeleteType::Flag);
        }
    }
}
