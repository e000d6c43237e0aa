//! One type per log line, in the shapes of Postfix and Dovecot.
