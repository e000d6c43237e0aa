//! NAMESPACE (RFC 2342).

use super::{Command, Extension};
use mailbox::store::NamespaceKind;

use crate::session::Session;
use mailbox::mutf7;

use crate::wire::cursor::Cursor;
use crate::wire::{Result, encode};

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["NAMESPACE"],
    commands: &[Command {
        name: "NAMESPACE",
        needs_mailbox: false,
        run: Session::namespace,
    }],
};

impl Session {
    fn namespace(&mut self, tag: &str, _arguments: &mut Cursor<'_>) -> Result<()> {
        let namespaces = self.store.namespaces();
        self.output.extend_from_slice(b"* NAMESPACE");
        for kind in [
            NamespaceKind::Personal,
            NamespaceKind::OtherUsers,
            NamespaceKind::Shared,
        ] {
            let mut list = Vec::new();
            for namespace in namespaces
                .iter()
                .filter(|namespace| namespace.kind == kind && !namespace.is_hidden)
            {
                list.push(b'(');
                match self.utf8 {
                    true => encode::string(&mut list, namespace.prefix.as_bytes()),
                    false => encode::string(&mut list, mutf7::encode(&namespace.prefix).as_bytes()),
                }
                list.push(b' ');
                push_separator(&mut list, namespace.separator);
                list.push(b')');
            }
            if list.is_empty() {
                self.output.extend_from_slice(b" NIL");
            } else {
                self.output.extend_from_slice(b" (");
                self.output.append(&mut list);
                self.output.push(b')');
            }
        }
        self.output.extend_from_slice(b"\r\n");
        self.complete(tag, "OK Namespace completed.");
        Ok(())
    }
}

/// A hierarchy separator as a quoted string.
pub(crate) fn push_separator(out: &mut Vec<u8>, separator: char) {
    out.push(b'"');
    if matches!(separator, '"' | '\\') {
        out.push(b'\\');
    }
    out.extend_from_slice(separator.encode_utf8(&mut [0; 4]).as_bytes());
    out.push(b'"');
}
