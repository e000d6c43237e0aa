//! Parameters of main.cf about TLS in general.

/// The typed rows of this subject, added to those gathered so far and passed on.
macro_rules! rows {
    ([{$($next:tt)*} $($more:tt)*] $($row:tt)*) => {
        $($next)*! {
            [$($more)*] $($row)*
            tls_preempt_cipherlist: YesNo = "no", Reload, "Whether the server's order of ciphers counts.";
            tls_append_default_CA: YesNo = "no", Reload, "Whether the system's authorities are trusted too.";
            tls_server_sni_maps: Tables = "", Reload, "Certificates by the name the client asks for.";
        }
    };
}
pub(crate) use rows;

crate::params::others! {}
