//! ENABLE (RFC 5161).

use crate::session::Session;

impl Session {
    pub(crate) fn enable(&mut self, tag: &str, names: &[String]) {
        let mut enabled = String::from("* ENABLED");
        if names.iter().any(|name| name == "CONDSTORE") {
            self.enable_condstore();
            enabled.push_str(" CONDSTORE");
        }
        self.say(&enabled);
        self.complete(tag, "OK Enabled.");
    }
}
