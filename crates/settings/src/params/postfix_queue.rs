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
            qmgr_message_recipient_limit: Count = "20000", Reload, "How many recipients of active messages are in memory.";
            qmgr_message_recipient_minimum: Count = "10", Reload, "How many recipients of one message are in memory at least.";
            qmgr_clog_warn_time: Seconds = "300s", Reload, "How often a warning about a full active queue comes.";
            default_destination_concurrency_limit: Count = "20", Reload, "Deliveries at once to one destination.";
            default_destination_recipient_limit: Count = "50", Reload, "Recipients in one delivery.";
            default_destination_rate_delay: Seconds = "0s", Reload, "The pause between deliveries to one destination.";
            initial_destination_concurrency: Count = "5", Reload, "Deliveries at once to a destination not known yet.";
            default_destination_concurrency_failed_cohort_limit: Count = "1", Reload, "After how many failures in a row a destination rests.";
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

crate::params::others! {}
