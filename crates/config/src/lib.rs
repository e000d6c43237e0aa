//! The dialects: main.cf, master.cf and dovecot.conf.
