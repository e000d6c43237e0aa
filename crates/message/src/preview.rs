//! The beginning of a message's text, as a list of messages shows it (RFC 8970): of HTML the words, of quotations only what is
//! left where there is nothing else.
//!
//! Which text is taken, what is left out and how long it is follow Dovecot.

use crate::structure::{Kind, Part, Structure};

/// The length of a preview, in characters.
pub const CHARACTERS_MAX: usize = 200;
/// The longest name of an entity and of a tag that is looked at.
const NAME_BYTES_MAX: usize = 32;

/// How a part's text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// As it stands; lines that begin with `>` are quotations.
    Plain,
    /// HTML; `blockquote` is a quotation.
    Html,
}

/// The part whose text a preview shows: the first text there is; of alternatives plain text before HTML.
pub fn part(structure: &Structure) -> Option<(&Part, Language)> {
    find(&structure.root)
}

/// Recursion is bounded by the limits of [`crate::structure::Limits`].
fn find(part: &Part) -> Option<(&Part, Language)> {
    match &part.kind {
        Kind::Multipart => {
            let is_plain = |found: &(&Part, Language)| found.1 == Language::Plain;
            let mut found = part.children.iter().filter_map(find);
            match part.content_type.is("multipart", "alternative") {
                true => {
                    let first = found.next()?;
                    Some(
                        std::iter::once(first)
                            .chain(found)
                            .find(is_plain)
                            .unwrap_or(first),
                    )
                }
                false => found.next(),
            }
        }
        Kind::Leaf if part.content_type.is("text", "html") => Some((part, Language::Html)),
        Kind::Leaf if part.content_type.is_kind("text") => Some((part, Language::Plain)),
        _ => None,
    }
}

/// A preview being made of text that arrives in pieces.
#[derive(Debug, Clone)]
pub struct Preview {
    language: Language,
    own: Words,
    quoted: Words,
    state: State,
    /// At the beginning of a line of plain text.
    line_start: bool,
    /// In a quoted line.
    in_quote: bool,
    /// How many `blockquote` are open.
    quote_depth: usize,
    /// In an element whose text nobody reads.
    hidden: Option<&'static str>,
    /// The entity or tag being read.
    name: String,
}

/// Where reading of HTML stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Entity,
    TagName,
    /// Behind the name; in a quoted value, up to this quote.
    Tag(Option<char>),
    /// How many `-` came last.
    Comment(u8),
}

/// Words with one space between.
#[derive(Debug, Clone, Default)]
struct Words {
    text: String,
    characters: usize,
    space: bool,
}

impl Words {
    fn push(&mut self, character: char) {
        if matches!(character, ' ' | '\t'..='\r') {
            self.space = true;
        } else if !character.is_control() {
            if std::mem::take(&mut self.space) && !self.text.is_empty() {
                self.put(' ');
            }
            self.put(character);
        }
    }

    fn put(&mut self, character: char) {
        if self.characters < CHARACTERS_MAX {
            self.characters += 1;
            self.text.push(character);
        }
    }
}

impl Preview {
    /// Nothing read yet.
    pub fn new(language: Language) -> Preview {
        Preview {
            language,
            own: Words::default(),
            quoted: Words::default(),
            state: State::Text,
            line_start: true,
            in_quote: false,
            quote_depth: 0,
            hidden: None,
            name: String::new(),
        }
    }

    /// Whether more text would change nothing.
    pub fn is_full(&self) -> bool {
        self.own.characters >= CHARACTERS_MAX
    }

    /// Takes decoded text, cut anywhere.
    pub fn feed(&mut self, text: &str) {
        for character in text.chars() {
            match self.language {
                Language::Plain => self.plain(character),
                Language::Html => self.html(character),
            }
        }
    }

    /// The preview. What is only quoted begins with `>`.
    pub fn finish(self) -> String {
        let (text, mark) = match self.own.text.is_empty() && !self.quoted.text.is_empty() {
            true => (self.quoted.text, ">"),
            false => (self.own.text, ""),
        };
        format!("{mark}{}", text.trim_end_matches(' '))
    }

    fn plain(&mut self, character: char) {
        if std::mem::take(&mut self.line_start) {
            self.in_quote = character == '>';
            if self.in_quote {
                return;
            }
        }
        self.line_start = character == '\n';
        match self.in_quote {
            true => self.quoted.push(character),
            false => self.own.push(character),
        }
    }

    fn html(&mut self, character: char) {
        match self.state {
            State::Text => match character {
                '<' => self.begin(State::TagName),
                '&' if self.hidden.is_none() => self.begin(State::Entity),
                _ => self.show(character),
            },
            State::Entity => self.entity(character),
            State::TagName => self.tag_name(character),
            State::Tag(None) if character == '>' => self.end_tag(),
            State::Tag(None) if matches!(character, '"' | '\'') => self.state = State::Tag(Some(character)),
            State::Tag(Some(quote)) if character == quote => self.state = State::Tag(None),
            State::Tag(_) => {}
            State::Comment(hyphens) => {
                self.state = match character {
                    '>' if hyphens >= 2 => State::Text,
                    '-' => State::Comment(hyphens.saturating_add(1)),
                    _ => State::Comment(0),
                };
            }
        }
    }

    fn begin(&mut self, state: State) {
        self.name.clear();
        self.state = state;
    }

    fn show(&mut self, character: char) {
        match (self.hidden, self.quote_depth) {
            (Some(_), _) => {}
            (None, 0) => self.own.push(character),
            (None, _) => self.quoted.push(character),
        }
    }

    fn entity(&mut self, character: char) {
        if character == ';' {
            self.state = State::Text;
            if let Some(character) = entity(&self.name) {
                self.show(character);
            }
        } else if (character.is_ascii_alphanumeric() || character == '#') && self.name.len() < NAME_BYTES_MAX
        {
            self.name.push(character);
        } else {
            // No entity: its letters are text.
            self.state = State::Text;
            let name = std::mem::take(&mut self.name);
            name.chars().for_each(|character| self.show(character));
            self.html(character);
        }
    }

    fn tag_name(&mut self, character: char) {
        match character {
            '>' => self.end_tag(),
            '-' if self.name == "!-" => self.state = State::Comment(0),
            _ if character.is_ascii_whitespace() => self.state = State::Tag(None),
            _ if self.name.len() >= NAME_BYTES_MAX => self.state = State::Tag(None),
            _ => self.name.push(character.to_ascii_lowercase()),
        }
    }

    /// A tag parts words, whichever it is.
    fn end_tag(&mut self) {
        self.state = State::Text;
        let closes = self.name.strip_prefix('/');
        let name = closes.unwrap_or(&self.name).trim_end_matches('/');
        if let Some(hidden) = self.hidden {
            if closes.is_some() && name == hidden {
                self.hidden = None;
            }
            return;
        }
        match (name, closes) {
            ("script", None) => self.hidden = Some("script"),
            ("style", None) => self.hidden = Some("style"),
            ("blockquote", None) => self.quote_depth += 1,
            ("blockquote", Some(_)) => self.quote_depth = self.quote_depth.saturating_sub(1),
            _ => {}
        }
        self.own.push(' ');
        self.quoted.push(' ');
    }
}

/// What an entity stands for.
fn entity(name: &str) -> Option<char> {
    let code = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => {
            let mut words = ENTITIES.split_ascii_whitespace();
            loop {
                let (known, code) = (words.next()?, words.next()?);
                if known == name {
                    break code.parse().ok()?;
                }
            }
        }
    };
    char::from_u32(code).filter(|character| *character != '\0')
}

/// The entities of HTML 4.01 and their code points.
const ENTITIES: &str = "AElig 198 Aacute 193 Acirc 194 Agrave 192 Alpha 913 Aring 197 Atilde 195 Auml 196 Beta 914 Ccedil 199 Chi 935 \
     Dagger 8225 Delta 916 ETH 208 Eacute 201 Ecirc 202 Egrave 200 Epsilon 917 Eta 919 Euml 203 Gamma 915 Iacute \
     205 Icirc 206 Igrave 204 Iota 921 Iuml 207 Kappa 922 Lambda 923 Mu 924 Ntilde 209 Nu 925 OElig 338 Oacute 211 \
     Ocirc 212 Ograve 210 Omega 937 Omicron 927 Oslash 216 Otilde 213 Ouml 214 Phi 934 Pi 928 Prime 8243 Psi 936 \
     Rho 929 Scaron 352 Sigma 931 THORN 222 Tau 932 Theta 920 Uacute 218 Ucirc 219 Ugrave 217 Upsilon 933 Uuml 220 \
     Xi 926 Yacute 221 Yuml 376 Zeta 918 aacute 225 acirc 226 acute 180 aelig 230 agrave 224 alefsym 8501 alpha 945 \
     amp 38 and 8743 ang 8736 aring 229 asymp 8776 atilde 227 auml 228 bdquo 8222 beta 946 brvbar 166 bull 8226 cap \
     8745 ccedil 231 cedil 184 cent 162 chi 967 circ 710 clubs 9827 cong 8773 copy 169 crarr 8629 cup 8746 curren \
     164 dArr 8659 dagger 8224 darr 8595 deg 176 delta 948 diams 9830 divide 247 eacute 233 ecirc 234 egrave 232 \
     empty 8709 emsp 8195 ensp 8194 epsilon 949 equiv 8801 eta 951 eth 240 euml 235 euro 8364 exist 8707 fnof 402 \
     forall 8704 frac12 189 frac14 188 frac34 190 frasl 8260 gamma 947 ge 8805 gt 62 hArr 8660 harr 8596 hearts \
     9829 hellip 8230 iacute 237 icirc 238 iexcl 161 igrave 236 image 8465 infin 8734 int 8747 iota 953 iquest 191 \
     isin 8712 iuml 239 kappa 954 lArr 8656 lambda 955 lang 9001 laquo 171 larr 8592 lceil 8968 ldquo 8220 le 8804 \
     lfloor 8970 lowast 8727 loz 9674 lrm 8206 lsaquo 8249 lsquo 8216 lt 60 macr 175 mdash 8212 micro 181 middot \
     183 minus 8722 mu 956 nabla 8711 nbsp 160 ndash 8211 ne 8800 ni 8715 not 172 notin 8713 nsub 8836 ntilde 241 \
     nu 957 oacute 243 ocirc 244 oelig 339 ograve 242 oline 8254 omega 969 omicron 959 oplus 8853 or 8744 ordf 170 \
     ordm 186 oslash 248 otilde 245 otimes 8855 ouml 246 para 182 part 8706 permil 8240 perp 8869 phi 966 pi 960 \
     piv 982 plusmn 177 pound 163 prime 8242 prod 8719 prop 8733 psi 968 quot 34 rArr 8658 radic 8730 rang 9002 \
     raquo 187 rarr 8594 rceil 8969 rdquo 8221 real 8476 reg 174 rfloor 8971 rho 961 rlm 8207 rsaquo 8250 rsquo \
     8217 sbquo 8218 scaron 353 sdot 8901 sect 167 shy 173 sigma 963 sigmaf 962 sim 8764 spades 9824 sub 8834 sube \
     8838 sum 8721 sup 8835 sup1 185 sup2 178 sup3 179 supe 8839 szlig 223 tau 964 there4 8756 theta 952 thetasym \
     977 thinsp 8201 thorn 254 tilde 732 times 215 trade 8482 uArr 8657 uacute 250 uarr 8593 ucirc 251 ugrave 249 \
     uml 168 upsih 978 upsilon 965 uuml 252 weierp 8472 xi 958 yacute 253 yen 165 yuml 255 zeta 950 zwj 8205 zwnj \
     8204";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn preview(language: Language, text: &str) -> String {
        let mut preview = Preview::new(language);
        preview.feed(text);
        preview.finish()
    }

    #[test]
    fn plain_text() {
        for (text, expected) in [
            ("  one \r\n\r\n two\tthree \r\n", "one two three"),
            (
                "> the question\r\nThe answer.\r\n> more\r\nEnd.",
                "The answer. End.",
            ),
            ("> all of it\n> is quoted\n", ">all of it is quoted"),
            ("a\u{1}b\u{b}c\u{7f}d", "ab cd"),
            ("\n \n", ""),
        ] {
            assert_eq!(preview(Language::Plain, text), expected, "{text}");
        }
        assert_eq!(preview(Language::Plain, &"word ".repeat(60)).len(), 199);
    }

    #[test]
    fn html() {
        for (text, expected) in [
            ("<p>one<br>two</p>", "one two"),
            (
                "a&nbsp;b &lt;c&gt; &#65;&#x42; &nosuch; &amp</p>",
                "a\u{a0}b <c> AB amp",
            ),
            ("<style>x{}</style><script>'<p>'</script>y", "y"),
            ("<!-- a > b -->c<body bgcolor=\"d>e\">f", "c f"),
            ("<blockquote>old</blockquote>new", "new"),
            ("<blockquote>old <b>words</b></blockquote>", ">old words"),
            ("cut <b", "cut"),
        ] {
            assert_eq!(preview(Language::Html, text), expected, "{text}");
        }
    }

    #[test]
    fn plain_text_comes_before_html_only_among_alternatives() {
        let message = |kind: &str| {
            Structure::parse(
                format!(
                    "Content-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b\r\n\r\nx\r\n--b--\r\n"
                )
                .as_bytes(),
            )
        };
        let language = |structure: &Structure| part(structure).map(|(_, language)| language);
        assert_eq!(language(&message("alternative")), Some(Language::Plain));
        assert_eq!(language(&message("mixed")), Some(Language::Html));
        assert_eq!(
            language(&Structure::parse(b"Content-Type: image/png\r\n\r\n")),
            None
        );
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[a<>&;#x! \"'/\n-]{0,80}", at in 0usize..80, html: bool) {
            let language = if html { Language::Html } else { Language::Plain };
            let at = at.min(text.len());
            let mut cut = Preview::new(language);
            cut.feed(&text[..at]);
            cut.feed(&text[at..]);
            prop_assert_eq!(cut.finish(), preview(language, &text));
        }
    }
}
