//! Parameters of main.cf about the queue, retries and reports.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            enable_long_queue_ids: YesNo = "no", Reload, "Whether queue ids are long and never come again.";
            hopcount_limit: Count = "50", Reload, "How many Received: lines a message may have.";
            minimal_backoff_time: Seconds = "300s", Reload, "The shortest time between two tries.";
            maximal_backoff_time: Seconds = "4000s", Reload, "The longest time between two tries.";
            maximal_queue_lifetime: Days = "5d", Reload, "How long mail is tried before it is returned.";
            bounce_queue_lifetime: Days = "5d", Reload, "How long a returned message is tried.";
            queue_run_delay: Seconds = "300s", Reload, "How often the queue is looked through for mail whose time has come.";
            transport_retry_time: Seconds = "60s", Reload, "How long a failed transport rests.";
            qmgr_message_active_limit: Count = "20000", Reload, "How many messages are active at once.";
            yubin_seeking_attempt_limit: Count = "5000", Reload, "Attempts of a transport that wait for a host that says nothing and so do not count among its processes.";
            qmgr_message_recipient_limit: Count = "20000", Reload, "How many recipients of active messages are in memory.";
            qmgr_message_recipient_minimum: Count = "10", Reload, "How many recipients of one message are in memory at least.";
            qmgr_clog_warn_time: Seconds = "300s", Reload, "How often a warning about a full active queue comes.";
            default_destination_concurrency_limit: Count = "20", Reload, "Deliveries at once to one destination.";
            default_destination_recipient_limit: Count = "50", Reload, "Recipients in one delivery.";
            default_destination_rate_delay: Seconds = "0s", Reload, "The pause between deliveries to one destination.";
            initial_destination_concurrency: Count = "5", Reload, "Deliveries at once to a destination not known yet.";
            default_destination_concurrency_failed_cohort_limit: Count = "1", Reload, "After how many failures in a row a destination rests.";
            default_destination_concurrency_positive_feedback: ConcurrencyFeedback = "1", Reload, "What an answer adds to the deliveries at once to a destination.";
            default_destination_concurrency_negative_feedback: ConcurrencyFeedback = "1", Reload, "What a failure to connect takes from them.";
            destination_concurrency_feedback_debug: YesNo = "no", Reload, "Whether those changes are logged.";
            default_transport_rate_delay: Seconds = "0s", Reload, "The pause between deliveries by one transport.";
            default_delivery_slot_cost: Count = "5", Reload, "After how many deliveries of a large message smaller ones may have one before it; 0: never.";
            default_delivery_slot_loan: Count = "3", Reload, "How many such deliveries smaller messages may have in advance.";
            default_delivery_slot_discount: Count = "50", Reload, "How much of those that a message needs may be missing when it begins, in percent.";
            default_minimum_delivery_slots: Count = "3", Reload, "A message that earns others fewer than these is not overtaken.";
            default_recipient_refill_limit: Count = "100", Reload, "When fewer recipients than these of a large message wait, more are read.";
            fast_flush_domains: List = "$relay_domains", Reload, "Domains whose mail postqueue -s and ETRN can ask for.";
            local_destination_concurrency_limit: Count = "2", Reload, "Deliveries at once to one local user.";
            local_destination_recipient_limit: Count = "1", Reload, "Recipients in one local delivery.";
            in_flow_delay: Seconds = "1s", Reload, "The pause for clients while mail comes in faster than it goes out.";
            defer_transports: List = "", Reload, "Transports that are not used until postqueue -f.";
            delay_warning_time: Hours = "0h", Reload, "After how long the sender hears of a delay; 0: never.";
            confirm_delay_cleared: YesNo = "no", Reload, "Whether the sender hears that delayed mail arrived.";
            bounce_size_limit: Bytes = "50000", Reload, "How much of the message a report carries.";
            bounce_template_file: Path = "", Reload, "A file with the texts of reports.";
            bounce_notice_recipient: Text = "postmaster", Reload, "Who gets copies of reports.";
            delay_notice_recipient: Text = "postmaster", Reload, "Who gets copies of delay warnings.";
            error_notice_recipient: Text = "postmaster", Reload, "Who gets reports about errors.";
            double_bounce_sender: Text = "double-bounce", Reload, "The sender of reports that must not be returned.";
            notify_classes: NotifyClasses = "resource, software", Reload, "Which events are reported to the postmaster.";
            empty_address_recipient: Text = "MAILER-DAEMON", Reload, "Who gets mail for the null address.";
            enable_threaded_bounces: YesNo = "no", Reload, "Whether reports have References: to the message.";
            internal_mail_filter_classes: List = "", Reload, "Which of the system's own messages are filtered.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {
    "2bounce_notice_recipient" Text "postmaster" Honoured "as Postfix::two_bounce_notice_recipient"
        "Who gets reports that cannot be returned.";
    "authorized_verp_clients" Text "" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "An older name of smtpd_authorized_verp_clients.";
    "backwards_bounce_logfile_compatibility" YesNo "yes" NoEffect "the queue is one log, not a tree of files"
        "Whether bounce logs are in an older form.";
    "default_extra_recipient_limit" Count "1000" NoEffect "qmgr_message_recipient_limit bounds the recipients of all transports together, and more are read as soon as few wait"
        "Recipients in memory beyond that for one transport.";
    "default_recipient_limit" Count "20000" NoEffect "qmgr_message_recipient_limit bounds the recipients of all transports together, and more are read as soon as few wait"
        "Recipients of active messages in memory for one transport.";
    "default_recipient_refill_delay" Seconds "5s" NoEffect "qmgr_message_recipient_limit bounds the recipients of all transports together, and more are read as soon as few wait"
        "How often they are read.";
    "default_verp_delimiters" Text "+=" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "The characters around the recipient in a VERP sender.";
    "disable_verp_bounces" YesNo "no" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "Whether reports for VERP mail go recipient by recipient.";
    "dont_remove" Count "0" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "Whether delivered messages stay in the queue directory saved.";
    "fast_flush_purge_time" Days "7d" NoEffect "which mail is for a site is seen in the queue itself, no lists are kept"
        "After how long such a list is emptied.";
    "fast_flush_refresh_time" Hours "12h" NoEffect "which mail is for a site is seen in the queue itself, no lists are kept"
        "How often such a list is tried.";
    "hash_queue_depth" Count "1" NoEffect "the queue is one log, not a tree of files"
        "How many levels of directories a queue has.";
    "hash_queue_names" Text "deferred, defer" NoEffect "the queue is one log, not a tree of files"
        "Which queues have them.";
    "local_delivery_status_filter" Text "$default_delivery_status_filter" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "The same for local deliveries.";
    "pipe_delivery_status_filter" Text "$default_delivery_status_filter" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "The same for pipe(8).";
    "qmgr_daemon_timeout" Seconds "1000s" NoEffect "the queue is one log, not a tree of files"
        "How long the queue manager may take for one request.";
    "qmgr_fudge_factor" Count "100" NoEffect "the queue is one log, not a tree of files"
        "How much time the busiest recipients of a mailing get.";
    "qmgr_ipc_timeout" Seconds "60s" NoEffect "the queue is one log, not a tree of files"
        "How long the queue manager waits for another part.";
    "queue_file_attribute_count_limit" Count "100" NoEffect "the queue is one log, not a tree of files"
        "How many records of one kind a queue file may have.";
    "smtpd_authorized_verp_clients" Text "$authorized_verp_clients" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "Clients that may ask for VERP.";
    "verp_delimiter_filter" Text "-=+" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "The characters that may be used there.";
    "virtual_delivery_status_filter" Text "$default_delivery_status_filter" NotSupported "not yet: this duty of the queue manager comes with a later release"
        "The same for virtual(8).";
}
