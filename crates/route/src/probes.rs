//! The way of probes (verify(8)): that of mail, but for what `address_verify_…` settings say of it.

use settings::Postfix;

/// The settings by which probes are routed; `None` where they go as mail does.
pub fn settings_of(settings: &Postfix) -> Option<Postfix> {
    let own = Postfix {
        local_transport: settings.address_verify_local_transport.clone(),
        virtual_transport: settings.address_verify_virtual_transport.clone(),
        relay_transport: settings.address_verify_relay_transport.clone(),
        default_transport: settings.address_verify_default_transport.clone(),
        relayhost: settings.address_verify_relayhost.clone(),
        transport_maps: settings.address_verify_transport_maps.clone(),
        sender_dependent_relayhost_maps: settings.address_verify_sender_dependent_relayhost_maps.clone(),
        sender_dependent_default_transport_maps: settings
            .address_verify_sender_dependent_default_transport_maps
            .clone(),
        ..settings.clone()
    };
    let is_same = own.local_transport == settings.local_transport
        && own.virtual_transport == settings.virtual_transport
        && own.relay_transport == settings.relay_transport
        && own.default_transport == settings.default_transport
        && own.relayhost == settings.relayhost
        && own.transport_maps == settings.transport_maps
        && own.sender_dependent_relayhost_maps == settings.sender_dependent_relayhost_maps
        && own.sender_dependent_default_transport_maps == settings.sender_dependent_default_transport_maps;
    (!is_same).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    #[test]
    fn probes_go_as_mail_does_unless_a_setting_says_otherwise() {
        let mut settings = Postfix::defaults(&Surroundings::default());
        assert!(settings_of(&settings).is_none());
        settings.address_verify_relayhost = "[gate.test]".to_owned();
        let own = settings_of(&settings).expect("a way of their own");
        assert_eq!(
            (own.relayhost.as_str(), settings.relayhost.as_str()),
            ("[gate.test]", "")
        );
    }
}
