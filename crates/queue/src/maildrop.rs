//! What `sendmail` drops for the daemon to pick up, whether it runs or not.
