//! Charsets to UTF-8: names as mail uses them, the ISO-2022-JP family, UTF-7; everything else is encoding_rs's.

mod iso2022;
mod utf7;

use encoding_rs::{CoderResult, Encoding};

use crate::Error;

/// A streaming decoder to UTF-8. What cannot be decoded becomes U+FFFD.
pub struct Decoder(Kind);

enum Kind {
    Standard(encoding_rs::Decoder),
    Iso2022(iso2022::Decoder),
    Utf7(utf7::Decoder),
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Kind::Standard(decoder) => decoder.encoding().name(),
            Kind::Iso2022(_) => "ISO-2022",
            Kind::Utf7(_) => "UTF-7",
        })
    }
}

impl Decoder {
    /// A decoder for the charset that mail calls `label`.
    ///
    /// # Errors
    /// [`Error::UnknownCharset`].
    pub fn new(label: &str) -> Result<Decoder, Error> {
        kind(label)
            .map(Decoder)
            .ok_or_else(|| Error::UnknownCharset(label.to_owned()))
    }

    /// Appends the text of `input`; characters may be cut between calls.
    pub fn feed(&mut self, input: &[u8], output: &mut String) {
        match &mut self.0 {
            Kind::Standard(decoder) => standard(decoder, input, output, false),
            Kind::Iso2022(decoder) => decoder.feed(input, output),
            Kind::Utf7(decoder) => decoder.feed(input, output),
        }
    }

    /// Appends what a character that was cut off leaves.
    pub fn finish(&mut self, output: &mut String) {
        match &mut self.0 {
            Kind::Standard(decoder) => standard(decoder, b"", output, true),
            Kind::Iso2022(decoder) => decoder.finish(output),
            Kind::Utf7(decoder) => decoder.finish(output),
        }
    }
}

/// Whether text in the charset `label` can be decoded (IMAP's SEARCH CHARSET).
pub fn is_known(label: &str) -> bool {
    kind(label).is_some()
}

/// The text of `bytes` in the charset `label`; what cannot be decoded becomes U+FFFD.
///
/// # Errors
/// [`Error::UnknownCharset`].
pub fn to_utf8(label: &str, bytes: &[u8]) -> Result<String, Error> {
    let mut decoder = Decoder::new(label)?;
    let mut text = String::with_capacity(bytes.len());
    decoder.feed(bytes, &mut text);
    decoder.finish(&mut text);
    Ok(text)
}

/// The text of bytes whose charset nobody named: ISO-2022-JP if they switch into it, else UTF-8, else
/// Windows-1252.
pub fn guess(bytes: &[u8]) -> String {
    if memchr::memmem::find(bytes, b"\x1b$").is_some()
        && let Ok(text) = to_utf8("iso-2022-jp", bytes)
    {
        return text;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252
            .decode_without_bom_handling(bytes)
            .0
            .into_owned(),
    }
}

fn kind(label: &str) -> Option<Kind> {
    let lower = label.trim().trim_matches('"').to_ascii_lowercase();
    let label = lower.strip_prefix("x-unknown-").unwrap_or(&lower);
    Some(match label {
        // ASCII with 8-bit text in it is UTF-8 more often than anything else today.
        "us-ascii" | "ascii" | "ansi_x3.4-1968" | "646" | "iso646-us" | "utf-8" | "utf8"
        | "unicode-1-1-utf-8" => Kind::Standard(encoding_rs::UTF_8.new_decoder_without_bom_handling()),
        "utf-7" | "utf7" | "unicode-1-1-utf-7" | "csunicode11utf7" => Kind::Utf7(utf7::Decoder::default()),
        "iso-2022-kr" | "csiso2022kr" => Kind::Iso2022(iso2022::Decoder::korean()),
        _ if label.starts_with("iso-2022-jp") || label.starts_with("iso2022-jp") => {
            Kind::Iso2022(iso2022::Decoder::default())
        }
        "csiso2022jp" | "csiso2022jp2" | "cp50220" | "cp50221" | "cp50222" | "x-iso-2022-jp" => {
            Kind::Iso2022(iso2022::Decoder::default())
        }
        "cp932" | "ms932" | "windows-932" => {
            Kind::Standard(encoding_rs::SHIFT_JIS.new_decoder_without_bom_handling())
        }
        "eucjp-ms" | "eucjp-win" | "cp51932" => {
            Kind::Standard(encoding_rs::EUC_JP.new_decoder_without_bom_handling())
        }
        "cp936" | "ms936" => Kind::Standard(encoding_rs::GBK.new_decoder_without_bom_handling()),
        "cp949" | "ms949" | "uhc" => Kind::Standard(encoding_rs::EUC_KR.new_decoder_without_bom_handling()),
        "cp950" => Kind::Standard(encoding_rs::BIG5.new_decoder_without_bom_handling()),
        _ => {
            let standard = |label: &str| Encoding::for_label_no_replacement(label.as_bytes());
            let windows = || standard(&format!("windows-{}", label.strip_prefix("cp")?));
            let encoding = standard(label).or_else(windows)?;
            Kind::Standard(encoding.new_decoder_without_bom_handling())
        }
    })
}

fn standard(decoder: &mut encoding_rs::Decoder, mut input: &[u8], output: &mut String, last: bool) {
    loop {
        let room = decoder
            .max_utf8_buffer_length(input.len())
            .unwrap_or(input.len() * 3 + 16);
        output.reserve(room.max(16));
        let (result, read, _) = decoder.decode_to_string(input, output, last);
        input = &input[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn charsets_of_mail_are_known() {
        for (label, bytes, text) in [
            ("utf-8", "あ".as_bytes(), "あ"),
            ("US-ASCII", b"abc", "abc"),
            ("ISO-8859-1", b"caf\xe9", "café"),
            ("Shift_JIS", b"\x93\xfa\x96\x7b", "日本"),
            ("CP932", b"\x87\x40", "①"),
            ("EUC-JP", b"\xc6\xfc\xcb\xdc", "日本"),
            ("ISO-2022-JP", b"\x1b$BF|K\\8l\x1b(B!", "日本語!"),
            ("iso-2022-jp", b"\x1b$@F|K\\\x1b(Jabc", "日本abc"),
            ("ISO-2022-JP", b"\x1b(I1\x1b(B", "ｱ"),
            ("ISO-2022-JP", b"\x1b$B-!\x1b(B", "①"),
            ("ISO-2022-JP-1", b"\x1b$(D0!\x1b(B", "丂"),
            ("ISO-2022-JP-2", b"\x1b$AVP\x1b$(C0!\x1b(B", "中가"),
            ("ISO-2022-JP-2", b"\x1b.A\x1bNi", "é"),
            ("ISO-2022-JP-MS", b"\x1b$B|q\x1b(B", "ⅰ"),
            ("ISO-2022-KR", b"\x1b$)C\x0e0!\x0fa", "가a"),
            ("UTF-7", b"Hi +ZeVnLA- +-", "Hi 日本 +"),
            ("windows-1251", b"\xcf", "П"),
            ("cp1252", b"\x80", "€"),
            ("GB2312", b"\xd6\xd0", "中"),
            ("Big5", b"\xa4\xa4", "中"),
        ] {
            assert_eq!(to_utf8(label, bytes).as_deref(), Ok(text), "{label}");
        }
        assert!(!is_known("klingon") && !is_known("") && is_known("KOI8-R"));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            bytes in proptest::collection::vec(prop_oneof![Just(0x1b), Just(b'$'), Just(b'('), Just(b'B'), Just(b'+'), Just(b'-'), 0x20u8..0x7f, any::<u8>()], 0..80),
            piece in 1usize..7,
        ) {
            for label in ["iso-2022-jp", "iso-2022-kr", "utf-7", "utf-8", "shift_jis", "euc-jp"] {
                let mut decoder = Decoder::new(label).unwrap();
                let mut text = String::new();
                bytes.chunks(piece).for_each(|p| decoder.feed(p, &mut text));
                decoder.finish(&mut text);
                prop_assert_eq!(Ok(text), to_utf8(label, &bytes), "{}", label);
            }
        }
    }
}
