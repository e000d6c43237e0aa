//! Parameters of main.cf about what is done to a message between arrival and queue.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            cleanup_service_name: Text = "cleanup", Reload, "The row of master.cf by whose settings mail goes into the queue.";
            always_bcc: Text = "", Reload, "Who gets a copy of every message.";
            sender_bcc_maps: Tables = "", Reload, "Copies by sender.";
            recipient_bcc_maps: Tables = "", Reload, "Copies by recipient.";
            always_add_missing_headers: YesNo = "no", Reload, "Whether relayed mail gets missing headers too.";
            local_header_rewrite_clients: List = "permit_inet_interfaces", Reload, "Clients whose headers are completed.";
            remote_header_rewrite_domain: Text = "", Reload, "The domain for incomplete headers of other clients.";
            enable_original_recipient: YesNo = "yes", Reload, "Whether X-Original-To: is written.";
            undisclosed_recipients_header: Text = "", Reload, "The header for messages that name no recipient.";
            message_drop_headers: List = "bcc, content-length, resent-bcc, return-path", Reload, "Headers that are taken out of local submissions.";
            header_size_limit: Bytes = "102400", Reload, "How much of one header is kept.";
            header_address_token_limit: Count = "10240", Reload, "How many address parts of one header are looked at.";
            mime_nesting_limit: Count = "100", Reload, "How deep parts may lie in parts.";
            mime_boundary_length_limit: Count = "2048", Reload, "How much of a boundary is compared.";
            header_checks: Tables = "", Reload, "Tables that look at header lines.";
            mime_header_checks: Tables = "$header_checks", Reload, "Tables that look at headers of parts.";
            nested_header_checks: Tables = "$header_checks", Reload, "Tables that look at headers of attached messages.";
            body_checks: Tables = "", Reload, "Tables that look at body lines.";
            body_checks_size_limit: Bytes = "51200", Reload, "How much of a part they look at.";
            canonical_maps: Tables = "", Reload, "Addresses rewritten in envelope and header.";
            sender_canonical_maps: Tables = "", Reload, "The same for senders.";
            recipient_canonical_maps: Tables = "", Reload, "The same for recipients.";
            canonical_classes: List = "envelope_sender, envelope_recipient, header_sender, header_recipient", Reload, "Where canonical_maps rewrites.";
            sender_canonical_classes: List = "envelope_sender, header_sender", Reload, "Where sender_canonical_maps rewrites.";
            recipient_canonical_classes: List = "envelope_recipient, header_recipient", Reload, "Where recipient_canonical_maps rewrites.";
            masquerade_domains: List = "", Reload, "Domains that hide their hosts.";
            masquerade_exceptions: List = "", Reload, "Users whose host is not hidden.";
            masquerade_classes: List = "envelope_sender, header_sender, header_recipient", Reload, "Where hosts are hidden.";
            receive_override_options: List = "", Reload, "Stages that are left out for a service's mail.";
            content_filter: Text = "", Reload, "The transport through which all mail is sent first.";
            default_filter_nexthop: Text = "", Reload, "The next hop of content filters that name none; empty: the recipient's domain.";
            detect_8bit_encoding_header: YesNo = "yes", Reload, "Whether Content-Transfer-Encoding decides about 8-bit mail.";
            disable_mime_input_processing: YesNo = "no", Reload, "Whether mail is not looked at as MIME.";
            header_from_format: Text = "standard", Reload, "How From: is written when it is missing.";
            sendmail_fix_line_endings: FixLineEndings = "always", Reload, "Which CRLF of local submissions become LF.";
            cleanup_replace_stray_cr_lf: YesNo = "yes", Reload, "Whether a lone CR or LF becomes a space.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "message_reject_characters" Text "" NotSupported "not yet: this change of messages comes with a later release"
        "Characters that a message must not have.";
    "message_strip_characters" Text "" NotSupported "not yet: this change of messages comes with a later release"
        "Characters that are taken out of messages.";
    "resolve_dequoted_address" YesNo "yes" NotSupported "not yet: this change of messages comes with a later release"
        "Whether a quoted local part is looked into.";
    "strict_7bit_headers" YesNo "no" NotSupported "not yet: this change of messages comes with a later release"
        "Whether 8-bit headers are refused.";
    "strict_8bitmime" YesNo "no" NotSupported "not yet: this change of messages comes with a later release"
        "Whether 8-bit text outside MIME is refused.";
    "strict_8bitmime_body" YesNo "no" NotSupported "not yet: this change of messages comes with a later release"
        "Whether 8-bit bodies outside MIME are refused.";
    "strict_mime_encoding_domain" YesNo "no" NotSupported "not yet: this change of messages comes with a later release"
        "Whether wrong encodings of multiparts are refused.";
    "virtual_maps" Tables "" NotSupported "not yet: this change of messages comes with a later release"
        "An older name of virtual_alias_maps.";
}
