//! What sessions offer by settings: extensions that must be asked for, and words of the administrator's own.

use crate::session::append::MESSAGE_BYTES_MAX;

/// An extension that is not for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optional {
    /// COMPRESS=DEFLATE: the plugin `imap_zlib`.
    Compress,
    /// QUOTA: the plugin `imap_quota`.
    Quota,
    /// ACL: the plugin `imap_acl`.
    Acl,
}

/// Which literals need no continuation request (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Literals {
    /// LITERAL+: all that ask for none.
    #[default]
    Plus,
    /// LITERAL-: those of up to [`LITERAL_MINUS_BYTES`] octets.
    Minus,
}

/// The largest literal without a continuation request under LITERAL- (RFC 7888 §5).
pub const LITERAL_MINUS_BYTES: u64 = 4096;

impl Literals {
    /// Its word in CAPABILITY.
    pub fn word(self) -> &'static str {
        match self {
            Literals::Plus => "LITERAL+",
            Literals::Minus => "LITERAL-",
        }
    }

    /// Whether a literal is larger than may come unasked.
    pub fn refuses(self, announced: crate::wire::framing::Announced) -> bool {
        self == Literals::Minus && !announced.synchronising && announced.size > LITERAL_MINUS_BYTES
    }
}

/// What the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The extensions that are asked for.
    pub optional: Vec<Optional>,
    /// `imap_literal_minus`.
    pub literals: Literals,
    /// The largest message, in octets (APPENDLIMIT).
    pub append_bytes_max: u64,
    /// `acl_anyone`: whether clients may share with everybody.
    pub acl_anyone: bool,
    /// `imap_capability`: the CAPABILITY list; with a `+` before it, more words for it. Empty: the usual list.
    pub capability: String,
}

/// The settings that decide.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// `mail_plugins` of the protocol.
    pub plugins: &'a [String],
    /// `imap_literal_minus`.
    pub literal_minus: bool,
    /// `imap_capability`.
    pub capability: &'a str,
    /// `acl_anyone` of the plugin block.
    pub acl_anyone: &'a str,
}

impl Default for Offered {
    fn default() -> Offered {
        Offered {
            optional: Vec::new(),
            literals: Literals::Plus,
            acl_anyone: false,
            append_bytes_max: MESSAGE_BYTES_MAX,
            capability: String::new(),
        }
    }
}

impl Offered {
    /// By the settings.
    pub fn by(settings: Wanted<'_>) -> Offered {
        let mut optional = Vec::new();
        if settings.plugins.iter().any(|plugin| plugin == "imap_zlib") {
            optional.push(Optional::Compress);
        }
        if settings.plugins.iter().any(|plugin| plugin == "imap_quota") {
            optional.push(Optional::Quota);
        }
        if settings.plugins.iter().any(|plugin| plugin == "imap_acl") {
            optional.push(Optional::Acl);
        }
        Offered {
            optional,
            literals: match settings.literal_minus {
                true => Literals::Minus,
                false => Literals::Plus,
            },
            capability: settings.capability.trim().to_owned(),
            acl_anyone: settings.acl_anyone == "allow",
            ..Offered::default()
        }
    }

    /// The list as the administrator wants it.
    pub(crate) fn list(&self, usual: String) -> String {
        match (self.capability.as_str(), self.capability.strip_prefix('+')) {
            ("", _) => usual,
            (_, Some(more)) => format!("{usual} {}", more.trim()),
            (own, None) => own.to_owned(),
        }
    }

    /// Whether a word of CAPABILITY or a command is to be had.
    pub(crate) fn has(&self, name: &str) -> bool {
        let needed = match name {
            "COMPRESS=DEFLATE" | "COMPRESS" => Optional::Compress,
            "QUOTA" | "QUOTA=RES-STORAGE" | "QUOTA=RES-MESSAGE" => Optional::Quota,
            "GETQUOTA" | "GETQUOTAROOT" | "SETQUOTA" => Optional::Quota,
            "ACL" | "RIGHTS=texk" | "LIST-MYRIGHTS" => Optional::Acl,
            "SETACL" | "DELETEACL" | "GETACL" | "LISTRIGHTS" | "MYRIGHTS" => Optional::Acl,
            _ => return true,
        };
        self.optional.contains(&needed)
    }
}
