//! RFC 5322 and MIME messages: parse, structure, build, edit.
