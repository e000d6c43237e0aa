//! Parameters of main.cf about the screening of clients by postscreen.

crate::params::others! {
    "postscreen_access_list" Text "permit_mynetworks" NotSupported "not yet: screening of clients before SMTP"
        "Clients that are let through or refused at once.";
    "postscreen_allowlist_interfaces" Text "${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:all}}" NotSupported "not yet: screening of clients before SMTP"
        "Addresses of this host on which clients can pass.";
    "postscreen_bare_newline_action" Text "ignore" NotSupported "not yet: screening of clients before SMTP"
        "What a bare newline leads to.";
    "postscreen_bare_newline_enable" YesNo "no" NotSupported "not yet: screening of clients before SMTP"
        "Whether bare newlines are looked for.";
    "postscreen_bare_newline_ttl" Days "30d" NotSupported "not yet: screening of clients before SMTP"
        "How long that test counts.";
    "postscreen_blacklist_action" Text "" NotSupported "not yet: screening of clients before SMTP"
        "An older name of postscreen_denylist_action.";
    "postscreen_cache_cleanup_interval" Hours "12h" NotSupported "not yet: screening of clients before SMTP"
        "How often the cache is cleaned.";
    "postscreen_cache_map" Text "btree:$data_directory/postscreen_cache" NotSupported "not yet: screening of clients before SMTP"
        "The cache of clients that passed.";
    "postscreen_cache_retention_time" Days "7d" NotSupported "not yet: screening of clients before SMTP"
        "How long old entries stay.";
    "postscreen_client_connection_count_limit" Text "$smtpd_client_connection_count_limit" NotSupported "not yet: screening of clients before SMTP"
        "Connections at once from one client.";
    "postscreen_command_count_limit" Count "20" NotSupported "not yet: screening of clients before SMTP"
        "How many commands a client may give.";
    "postscreen_command_filter" Text "" NotSupported "not yet: screening of clients before SMTP"
        "A table that rewrites commands.";
    "postscreen_command_time_limit" Text "${stress?{10}:{300}}s" NotSupported "not yet: screening of clients before SMTP"
        "How long to wait for a command.";
    "postscreen_denylist_action" Text "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}" NotSupported "not yet: screening of clients before SMTP"
        "What the access list's refusal leads to.";
    "postscreen_disable_vrfy_command" Text "$disable_vrfy_command" NotSupported "not yet: screening of clients before SMTP"
        "Whether VRFY is refused.";
    "postscreen_discard_ehlo_keyword_address_maps" Tables "$smtpd_discard_ehlo_keyword_address_maps" NotSupported "not yet: screening of clients before SMTP"
        "EHLO keywords not announced, by client.";
    "postscreen_discard_ehlo_keywords" Text "$smtpd_discard_ehlo_keywords" NotSupported "not yet: screening of clients before SMTP"
        "EHLO keywords not announced.";
    "postscreen_dnsbl_action" Text "ignore" NotSupported "not yet: screening of clients before SMTP"
        "What a block list's listing leads to.";
    "postscreen_dnsbl_allowlist_threshold" Text "${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_threshold}:{0}}" NotSupported "not yet: screening of clients before SMTP"
        "The score below which tests are left out.";
    "postscreen_dnsbl_max_ttl" Text "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h" NotSupported "not yet: screening of clients before SMTP"
        "The longest time a good score counts.";
    "postscreen_dnsbl_min_ttl" Seconds "60s" NotSupported "not yet: screening of clients before SMTP"
        "The shortest time a good score counts.";
    "postscreen_dnsbl_reply_map" Text "" NotSupported "not yet: screening of clients before SMTP"
        "Names shown for block lists.";
    "postscreen_dnsbl_sites" Text "" NotSupported "not yet: screening of clients before SMTP"
        "Block lists and their weights.";
    "postscreen_dnsbl_threshold" Count "1" NotSupported "not yet: screening of clients before SMTP"
        "The score that refuses.";
    "postscreen_dnsbl_timeout" Seconds "10s" NotSupported "not yet: screening of clients before SMTP"
        "How long to wait for block lists.";
    "postscreen_dnsbl_ttl" Text "" NotSupported "not yet: screening of clients before SMTP"
        "An older name of postscreen_dnsbl_max_ttl.";
    "postscreen_dnsbl_whitelist_threshold" Text "" NotSupported "not yet: screening of clients before SMTP"
        "An older name of postscreen_dnsbl_allowlist_threshold.";
    "postscreen_enforce_tls" Text "$smtpd_enforce_tls" NotSupported "not yet: screening of clients before SMTP"
        "Whether TLS is required (older form).";
    "postscreen_expansion_filter" Text "$smtpd_expansion_filter" NotSupported "not yet: screening of clients before SMTP"
        "Characters that may come into replies.";
    "postscreen_forbidden_commands" Text "$smtpd_forbidden_commands" NotSupported "not yet: screening of clients before SMTP"
        "Words that end the session.";
    "postscreen_greet_action" Text "ignore" NotSupported "not yet: screening of clients before SMTP"
        "What talking before the greeting leads to.";
    "postscreen_greet_banner" Text "$smtpd_banner" NotSupported "not yet: screening of clients before SMTP"
        "The first line of the greeting.";
    "postscreen_greet_ttl" Days "1d" NotSupported "not yet: screening of clients before SMTP"
        "How long that test counts.";
    "postscreen_greet_wait" Text "${stress?{2}:{6}}s" NotSupported "not yet: screening of clients before SMTP"
        "How long the greeting waits.";
    "postscreen_helo_required" Text "$smtpd_helo_required" NotSupported "not yet: screening of clients before SMTP"
        "Whether HELO must come first.";
    "postscreen_non_smtp_command_action" Text "drop" NotSupported "not yet: screening of clients before SMTP"
        "What a command of another protocol leads to.";
    "postscreen_non_smtp_command_enable" YesNo "no" NotSupported "not yet: screening of clients before SMTP"
        "Whether such commands are looked for.";
    "postscreen_non_smtp_command_ttl" Days "30d" NotSupported "not yet: screening of clients before SMTP"
        "How long that test counts.";
    "postscreen_pipelining_action" Text "enforce" NotSupported "not yet: screening of clients before SMTP"
        "What early pipelining leads to.";
    "postscreen_pipelining_enable" YesNo "no" NotSupported "not yet: screening of clients before SMTP"
        "Whether it is looked for.";
    "postscreen_pipelining_ttl" Days "30d" NotSupported "not yet: screening of clients before SMTP"
        "How long that test counts.";
    "postscreen_post_queue_limit" Text "$default_process_limit" NotSupported "not yet: screening of clients before SMTP"
        "Clients waiting for a server.";
    "postscreen_pre_queue_limit" Text "$default_process_limit" NotSupported "not yet: screening of clients before SMTP"
        "Clients waiting for a decision.";
    "postscreen_reject_footer" Text "$smtpd_reject_footer" NotSupported "not yet: screening of clients before SMTP"
        "A text added to refusals.";
    "postscreen_reject_footer_maps" Tables "$smtpd_reject_footer_maps" NotSupported "not yet: screening of clients before SMTP"
        "Such texts by refusal.";
    "postscreen_tls_security_level" Text "$smtpd_tls_security_level" NotSupported "not yet: screening of clients before SMTP"
        "How much TLS is asked for.";
    "postscreen_upstream_proxy_protocol" Text "" NotSupported "not yet: screening of clients before SMTP"
        "The proxy protocol that connections begin with.";
    "postscreen_upstream_proxy_timeout" Seconds "5s" NotSupported "not yet: screening of clients before SMTP"
        "How long to wait for it.";
    "postscreen_use_tls" Text "$smtpd_use_tls" NotSupported "not yet: screening of clients before SMTP"
        "Whether TLS is offered (older form).";
    "postscreen_watchdog_timeout" Seconds "10s" NotSupported "not yet: screening of clients before SMTP"
        "How long one request may take.";
    "postscreen_whitelist_interfaces" Text "" NotSupported "not yet: screening of clients before SMTP"
        "An older name of postscreen_allowlist_interfaces.";
}
