//! The typed settings of `main.cf`, made from the rows in `params/postfix_*.rs`.

use std::any::Any;
use std::collections::BTreeMap;

use crate::choices::*;
use crate::kinds::*;
use crate::{BounceTemplates, SendmailFiles, Surroundings, TableRef, Values, Wrong, params};

/// A value that may differ; a list of one, for `null` is a value of its own.
type Differing<T> = Option<(T,)>;

fn differing<T: PartialEq + Clone>(value: &T, base: &T) -> Differing<T> {
    (value != base).then(|| (value.clone(),))
}

fn as_in<T: Clone>(differing: Differing<T>, base: &T) -> T {
    differing.map_or_else(|| base.clone(), |(value,)| value)
}

macro_rules! declare {
    ([] $($name:ident: $kind:ident = $default:literal, $reload:ident, $summary:literal;)*) => {
        /// `main.cf` as values; a field for every parameter that Yubin reads, named as the parameter.
        #[allow(non_snake_case, reason = "some parameters have capital letters")]
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct Postfix {
            $(
                #[doc = concat!($summary, "\n\nDefault: `", $default, "`")]
                pub $name: <$kind as Kind>::Value,
            )*
            /// Expanded texts of set names that make no field: per-transport limits
            /// (`smtp_destination_concurrency_limit`), restriction classes and other names of the user's own.
            pub others: BTreeMap<String, String>,
            /// The texts of reports, every `$name` in them replaced; whoever reads files puts those of `bounce_template_file` here.
            pub bounce_templates: BounceTemplates,
            /// What there is in `yubin_sendmail_directory`; whoever reads files puts it here.
            pub sendmail: SendmailFiles,
            /// Who gets reports that cannot be returned: `2bounce_notice_recipient`, which cannot be a field's name.
            pub two_bounce_notice_recipient: String,
        }

        impl Postfix {
            /// Reads every parameter; the ones with a wrong text have their default and are listed.
            pub fn from_values(values: &Values) -> (Postfix, Vec<Wrong>) {
                let mut wrong = Vec::new();
                let settings = Postfix {
                    $($name: values.read::<$kind>(stringify!($name), &mut wrong),)*
                    others: others(values, &mut wrong),
                    bounce_templates: BounceTemplates::built_in().expanded("[built-in]", values).0,
                    sendmail: SendmailFiles::default(),
                    two_bounce_notice_recipient: values.expanded("2bounce_notice_recipient").unwrap_or_default(),
                };
                (settings, wrong)
            }

            /// Every lookup table that a parameter of tables names.
            pub fn tables(&self) -> impl Iterator<Item = &TableRef> {
                let tables = self.values().into_iter().filter_map(|value| value.downcast_ref::<Vec<TableRef>>());
                tables.flatten().chain(self.sendmail.tables())
            }

            /// The value of every field that is a parameter.
            pub(crate) fn values(&self) -> Vec<&dyn Any> {
                vec![$(&self.$name),*]
            }

            /// What is not as in `base`.
            pub fn differences(&self, base: &Postfix) -> Differences {
                Differences {
                    $($name: differing(&self.$name, &base.$name),)*
                    others: differing(&self.others, &base.others),
                    bounce_templates: differing(&self.bounce_templates, &base.bounce_templates),
                    sendmail: differing(&self.sendmail, &base.sendmail),
                    two_bounce_notice_recipient: differing(
                        &self.two_bounce_notice_recipient,
                        &base.two_bounce_notice_recipient,
                    ),
                }
            }
        }

        /// What settings have otherwise than others: a row of master.cf than main.cf. A thousand rows with ten thousand networks would
        /// otherwise say each network a thousand times.
        #[allow(non_snake_case, reason = "some parameters have capital letters")]
        #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct Differences {
            $(
                #[serde(skip_serializing_if = "Option::is_none")]
                $name: Differing<<$kind as Kind>::Value>,
            )*
            #[serde(skip_serializing_if = "Option::is_none")]
            others: Differing<BTreeMap<String, String>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            bounce_templates: Differing<BounceTemplates>,
            #[serde(skip_serializing_if = "Option::is_none")]
            sendmail: Differing<SendmailFiles>,
            #[serde(skip_serializing_if = "Option::is_none")]
            two_bounce_notice_recipient: Differing<String>,
        }

        impl Differences {
            /// The settings that have them, where everything else is as in `base`.
            pub fn from_base(self, base: &Postfix) -> Postfix {
                Postfix {
                    $($name: as_in(self.$name, &base.$name),)*
                    others: as_in(self.others, &base.others),
                    bounce_templates: as_in(self.bounce_templates, &base.bounce_templates),
                    sendmail: as_in(self.sendmail, &base.sendmail),
                    two_bounce_notice_recipient: as_in(
                        self.two_bounce_notice_recipient,
                        &base.two_bounce_notice_recipient,
                    ),
                }
            }
        }

        /// The rows of supported parameters.
        pub(crate) const ROWS: &[params::Parameter] = &[$(params::Parameter {
            name: stringify!($name),
            shape: <$kind as Kind>::SHAPE,
            default: $default,
            reload: params::Reload::$reload,
            support: params::Support::Supported,
            summary: $summary,
        }),*];
    };
}

// The rows of all files are gathered one after the other and end in `declare!`.
params::postfix_service::rows! {
    [
        {crate::params::postfix_smtpd::rows}
        {crate::params::postfix_queue::rows}
        {crate::params::postfix_local::rows}
        {crate::params::postfix_cleanup::rows}
        {crate::params::postfix_milter::rows}
        {crate::params::postfix_client::rows}
        {crate::params::postfix_tls::rows}
        {declare}
    ]
}

impl Postfix {
    /// What an empty `main.cf` means.
    pub fn defaults(surroundings: &Surroundings) -> Postfix {
        Postfix::from_values(&Values::new(surroundings)).0
    }

    /// A per-transport limit: `transport` + `suffix` when set (`local`, `_destination_concurrency_limit`).
    pub fn of_transport(&self, transport: &str, suffix: &str) -> Option<&str> {
        self.others
            .get(&format!("{transport}{suffix}"))
            .map(String::as_str)
    }
}

fn others(values: &Values, wrong: &mut Vec<Wrong>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let named = values
        .explicit()
        .keys()
        .filter(|name| params::postfix(name).is_none());
    for name in named {
        match values.expanded(name) {
            Ok(text) => {
                texts.insert(name.clone(), text);
            }
            Err(error) => wrong.push(Wrong {
                name: name.clone(),
                error,
            }),
        }
    }
    texts
}
