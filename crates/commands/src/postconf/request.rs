//! What the arguments of `postconf` ask for, and which of them contradict each other.

/// What is shown or edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Subject {
    /// Settings of main.cf (`-p`).
    #[default]
    Main,
    /// Rows of master.cf (`-M`).
    Rows,
    /// Their fields (`-F`).
    Fields,
    /// Their `-o` settings (`-P`).
    Parameters,
    /// A list that is built in: `a`, `A`, `l`, `m`.
    BuiltIn(char),
    /// About the TLS library (`-T`).
    Tls,
    /// The texts of reports (`-b`, `-t`).
    Templates(char),
}

impl Subject {
    /// Its letter.
    pub(crate) fn letter(self) -> char {
        match self {
            Subject::Main => 'p',
            Subject::Rows => 'M',
            Subject::Fields => 'F',
            Subject::Parameters => 'P',
            Subject::Tls => 'T',
            Subject::BuiltIn(letter) | Subject::Templates(letter) => letter,
        }
    }

    fn of(letter: char) -> Option<Subject> {
        Some(match letter {
            'p' => Subject::Main,
            'M' => Subject::Rows,
            'F' => Subject::Fields,
            'P' => Subject::Parameters,
            'T' => Subject::Tls,
            'a' | 'A' | 'l' | 'm' => Subject::BuiltIn(letter),
            'b' | 't' => Subject::Templates(letter),
            _ => return None,
        })
    }
}

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) subject: Subject,
    pub(crate) config_directory: Option<String>,
    pub(crate) overrides: Vec<(String, String)>,
    /// `-C`: which kinds of names.
    pub(crate) classes: Vec<String>,
    pub(crate) names: Vec<String>,
    /// `e`, `X` or `#`: the names are to be edited.
    pub(crate) editing: Option<char>,
    letters: Vec<char>,
}

/// Letters of which one call has at most one.
const ALTERNATIVES: &[&[char]] = &[
    &['a', 'A', 'b', 'F', 'l', 'm', 'M', 'p', 'P', 't', 'T'],
    &['#', 'd', 'e', 'n', 'X'],
    &['#', 'e', 'h', 'H', 'X'],
    &['#', 'e', 'f', 'X'],
    &['#', 'e', 'x', 'X'],
    &['#', 'C', 'e', 'X'],
    &['#', 'e', 'o', 'X'],
];

impl Request {
    /// The request of these arguments.
    ///
    /// # Errors
    /// What cannot be asked for, in words.
    pub(crate) fn of(args: &[String]) -> Result<Request, String> {
        let mut request = Request::default();
        let mut args = args.iter();
        let mut ended = false;
        while let Some(arg) = args.next() {
            match arg
                .strip_prefix('-')
                .filter(|letters| !letters.is_empty() && !ended)
            {
                None => request.names.push(arg.clone()),
                Some("-") => ended = true,
                Some(letters) => request.take_letters(letters, &mut args)?,
            }
        }
        request.check()?;
        Ok(request)
    }

    fn take_letters(&mut self, letters: &str, args: &mut std::slice::Iter<'_, String>) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            if letter != 'v' && !self.letters.contains(&letter) {
                self.letters.push(letter);
            }
            match letter {
                'd' | 'n' | 'h' | 'H' | 'x' | 'f' | 'v' => {}
                'e' | 'X' | '#' => self.editing = Some(letter),
                'c' | 'o' | 'C' | 'T' => {
                    let rest = &letters[at + letter.len_utf8()..];
                    let value = match rest {
                        "" => args.next().map(String::as_str),
                        rest => Some(rest),
                    };
                    let value = value.ok_or_else(|| format!("nothing follows -{letter}"))?;
                    return self.take_value(letter, value);
                }
                _ => {
                    self.subject = Subject::of(letter)
                        .ok_or_else(|| format!("there is no option -{letter}; see postconf --help"))?;
                }
            }
        }
        Ok(())
    }

    fn take_value(&mut self, letter: char, value: &str) -> Result<(), String> {
        match letter {
            'c' => self.config_directory = Some(value.to_owned()),
            'C' => {
                for class in settings::kinds::words(value) {
                    if !["all", "builtin", "service", "user"].contains(&class.as_str()) {
                        return Err(format!("unknown -C option value \"{class}\" in \"{value}\""));
                    }
                    self.classes.push(class);
                }
            }
            'T' => {
                self.subject = Subject::Tls;
                self.names.push(value.to_owned());
            }
            _ => {
                let parts = value
                    .split_once('=')
                    .map(|(name, text)| (name.trim(), text.trim()));
                let (name, text) = parts
                    .filter(|(name, _)| is_name(name))
                    .ok_or_else(|| format!("invalid parameter override: {value}: write name=value"))?;
                self.overrides.push((name.to_owned(), text.to_owned()));
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let given = |letter: &char| self.letters.contains(letter);
        for alternatives in ALTERNATIVES {
            let both: Vec<&char> = alternatives
                .iter()
                .filter(|letter| given(letter))
                .take(2)
                .collect();
            if let [one, other] = both[..] {
                return Err(format!("specify one of -{one} -{other}"));
            }
        }
        let letter = self.subject.letter();
        let refused: &[char] = match self.subject {
            Subject::Main => &[],
            Subject::Rows => &['d', 'n', 'h', 'H', 'C'],
            Subject::Fields => &['d', 'n', 'C', 'X', '#'],
            Subject::Parameters => &['d', 'n', 'C', '#'],
            _ => &['d', 'n', 'h', 'H', 'C', 'e', 'X', '#', 'f', 'x', 'o'],
        };
        if let Some(other) = refused.iter().find(|letter| given(letter)) {
            return Err(format!("with option -{letter}, do not specify -{other}"));
        }
        self.check_edits()
    }

    /// A value on the command line means an edit, with or without `-e`.
    fn check_edits(&mut self) -> Result<(), String> {
        let edits = matches!(
            self.subject,
            Subject::Main | Subject::Rows | Subject::Fields | Subject::Parameters
        );
        if self.editing.is_none() && edits && self.names.iter().any(|name| name.contains('=')) {
            let shows = ['d', 'n', 'h', 'H', 'f', 'x', 'C', 'o'];
            if let Some(letter) = shows.iter().find(|letter| self.letters.contains(letter)) {
                return Err(format!("specify one of -e -{letter}"));
            }
            self.editing = Some('e');
        }
        let Some(editing) = self.editing else {
            return Ok(());
        };
        if self.names.is_empty() {
            return Err(match editing {
                'e' => "-e requires name=value argument".to_owned(),
                editing => format!("-{editing} requires a name"),
            });
        }
        for name in &self.names {
            if name.contains(['\n', '\r', '\0']) {
                return Err("-e, -X, or -# accepts no multi-line input".to_owned());
            }
            if name.trim_start().starts_with('#') {
                return Err("-e, -X, or -# accepts no comment input".to_owned());
            }
        }
        Ok(())
    }

    /// Whether the letter was given.
    pub(crate) fn has(&self, letter: char) -> bool {
        self.letters.contains(&letter)
    }
}

/// `name=value` of an edit.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, _)) if name.trim().is_empty() => Err(format!("missing attribute name: \"{text}\"")),
        Some((name, value)) if is_name(name.trim()) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("missing '=' after attribute name: \"{text}\"")),
    }
}

/// A name is one word.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments() {
        let request = Request::of(&args("-nh -c/x -o a=b myhostname")).expect("valid");
        assert!(request.has('n') && request.has('h') && !request.has('x'));
        assert_eq!(request.config_directory.as_deref(), Some("/x"));
        assert_eq!(request.overrides, [("a".to_owned(), "b".to_owned())]);
        assert_eq!(request.names, ["myhostname"]);
        let request = Request::of(&args("-Mf smtp/inet")).expect("valid");
        assert_eq!((request.subject, request.editing), (Subject::Rows, None));
        assert_eq!(
            Request::of(&args("-M a/unix=x")).expect("valid").editing,
            Some('e')
        );
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "-c",
            "-q",
            "-dn",
            "-hH",
            "-e",
            "-X",
            "-#",
            "-e -X a",
            "-e -# a=1",
            "-n -e a=2",
            "-d a=2",
            "-x -e a=1",
            "-MF",
            "-Mn",
            "-Mh",
            "-FX a/b/c",
            "-P# a/b/c",
            "-o x",
            "-C foo",
            "-am",
            "-o a-b",
        ] {
            assert!(Request::of(&args(line)).is_err(), "{line}");
        }
        for text in ["a=b\nc=d", "a=b\r", "#name=x", " #name=x"] {
            assert!(
                Request::of(&["-e".to_owned(), text.to_owned()]).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn assignments() {
        assert_eq!(assignment(" a = x y "), Ok(("a".to_owned(), "x y".to_owned())));
        assert_eq!(
            assignment("relayhost="),
            Ok(("relayhost".to_owned(), String::new()))
        );
        for text in ["a", "a b=c", "=x", " = x"] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }
}
