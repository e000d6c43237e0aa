//! Typed frames between roles and commands, one file per conversation.
