//! The mail that is measured with: made up, but of the shapes and sizes that mailboxes have.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bench::output;

use super::{MANY, VERY_MANY};

/// A word that about one message in a hundred has in its text.
pub(super) const RARE_WORD: &str = "kingfisher";

const WORDS: &str = "about account after again agreement all also amount and any approve archive are area attach author back because \
    before below between board both budget build but call can change chapter check client close code come company \
    complete contract copy cost could customer daily data date day deadline decide deliver design detail did discuss \
    document done draft each early edit email end every example expect file final find first follow for form forward \
    from full get give good group had has have help here hold hour how idea important include information into issue \
    item join just keep know last late later let letter line list look made mail main make manager many market may \
    meeting member message might minute month more morning most much must name need network never new next no note \
    now number of offer office often on once one only open option or order other our out over page paper part past \
    pay people person phone place plan please point possible post present price print problem process product project \
    provide public question quick read ready reason receive record remember reply report request result review room \
    run said same save say schedule second see send server service set several share short should show sign since site \
    small so some soon staff start state still subject such summary support sure system table take talk team tell \
    test than thank that the their them then there these they thing think this those time title to today together \
    tomorrow too total track travel true try two under until up update upon us use user very view visit wait want was \
    way we week well were what when where which while who why will with within without work would write year yes yet \
    you your";

/// Maildirs of several sizes; the files of a smaller one are in the larger ones too.
pub(super) struct Corpus {
    directory: PathBuf,
    octets: u64,
}

impl Corpus {
    /// Writes them below `directory`.
    pub(super) fn make(directory: &Path) -> Result<Corpus> {
        let mut corpus = Corpus {
            directory: directory.to_owned(),
            octets: 0,
        };
        let mut random = Random {
            state: 0x5eed,
            words: WORDS.split_whitespace().collect(),
        };
        let many = corpus.directory(MANY).join("cur");
        fs::create_dir_all(&many)?;
        for number in 0..MANY {
            let text = message(number, &mut random);
            corpus.octets += text.len() as u64;
            fs::write(many.join(file_name(number)), text)?;
        }
        let very_many = corpus.directory(VERY_MANY).join("cur");
        fs::create_dir_all(&very_many)?;
        for number in 0..VERY_MANY {
            let text = format!("{}\n{}\n", head(number, &mut random), random.words(20));
            fs::write(very_many.join(file_name(number)), text)?;
        }
        output("chown", &["-R", "daemon:daemon", &directory.to_string_lossy()])?;
        output("sync", &[])?;
        Ok(corpus)
    }

    /// For mailboxes without messages.
    pub(super) fn of_nothing() -> Corpus {
        Corpus {
            directory: PathBuf::new(),
            octets: 0,
        }
    }

    /// The Maildir of so many messages.
    pub(super) fn directory(&self, messages: usize) -> PathBuf {
        self.directory.join(messages.to_string())
    }

    /// Of the one of [`MANY`] messages.
    pub(super) fn megabytes(&self) -> f64 {
        self.octets as f64 / 1e6
    }
}

fn file_name(number: usize) -> String {
    let flags = ["S", "", "RS", "FS"][number % 4];
    format!("{}.M{number}P7.bench:2,{flags}", 1_700_000_000 + number * 60)
}

/// One in ten carries an attachment, three are in two forms, six are plain.
fn message(number: usize, random: &mut Random) -> String {
    let mut text = head(number, random);
    let rare = if number % 100 == 7 { RARE_WORD } else { "" };
    match number % 10 {
        0 => {
            text.push_str("Content-Type: multipart/mixed; boundary=\"b1\"\n\n--b1\nContent-Type: text/plain; charset=utf-8\n\n");
            paragraphs(&mut text, 12, random);
            text.push_str(
                "\n--b1\nContent-Type: application/pdf; name=\"report.pdf\"\nContent-Transfer-Encoding: base64\n\
                 Content-Disposition: attachment; filename=\"report.pdf\"\n\n",
            );
            for _ in 0..400 {
                text.push_str(&random.base64_line());
            }
            text.push_str("--b1--\n");
        }
        1..=3 => {
            let boundary = "----=_Part_42";
            let _ = write!(
                text,
                "Content-Type: multipart/alternative; boundary=\"{boundary}\"\n\n--{boundary}\nContent-Type: text/plain; \
                 charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            );
            paragraphs(&mut text, 25, random);
            let _ = write!(
                text,
                "caf=C3=A9 {rare}\n\n--{boundary}\nContent-Type: text/html; charset=utf-8\n\n<html><body>"
            );
            for _ in 0..25 {
                let _ = writeln!(text, "<p style=\"margin:0\">{}</p>", random.words(11));
            }
            let _ = write!(text, "</body></html>\n--{boundary}--\n");
        }
        _ => {
            text.push_str("Content-Type: text/plain; charset=utf-8\n\n");
            paragraphs(&mut text, 40, random);
            text.push_str(rare);
            text.push('\n');
        }
    }
    text
}

fn paragraphs(text: &mut String, lines: usize, random: &mut Random) {
    for _ in 0..lines {
        text.push_str(&random.words(11));
        text.push('\n');
    }
}

/// Header fields without the empty line. Four in five messages reply to one of the hundred before them.
fn head(number: usize, random: &mut Random) -> String {
    let mut text = String::new();
    for hop in 0..3 {
        let _ = write!(
            text,
            "Received: from relay{hop}.example.org (relay{hop}.example.org [192.0.2.{hop}])\n\tby mx.example.net (Postfix) with ESMTPS \
             id {number:X}{hop}\n\tfor <user@example.net>; Tue, 14 Nov 2023 22:{:02}:{:02} +0000 (UTC)\n",
            number / 60 % 60,
            number % 60,
        );
    }
    let parent = number.saturating_sub(1 + random.below(100));
    let reply = number > 0 && random.below(5) > 0;
    let words = 1 + random.below(6);
    let subject = random.words(words);
    let subject = if reply { format!("Re: {subject}") } else { subject };
    let _ = write!(
        text,
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;\n\tbh={0}\tb={0}From: {1} <{1}.{2}@example.org>\n\
         To: user@example.net\nCc: \"{3}\" <team-{4}@example.net>\nSubject: {subject}\nDate: Tue, {5} Nov 2023 {6:02}:{7:02}:00 +0100\n\
         Message-ID: <{number}.bench@example.org>\nMIME-Version: 1.0\nUser-Agent: Writer/1.{4}\n",
        random.base64_line(),
        random.words(1).trim(),
        number % 300,
        random.words(2),
        number % 20,
        1 + random.below(28),
        random.below(24),
        random.below(60),
    );
    if reply {
        let _ = write!(
            text,
            "In-Reply-To: <{parent}.bench@example.org>\nReferences: <{}.bench@example.org>\n <{parent}.bench@example.org>\n",
            parent.saturating_sub(50)
        );
    }
    text
}

/// The same numbers each time (xorshift64).
struct Random {
    state: u64,
    words: Vec<&'static str>,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn words(&mut self, count: usize) -> String {
        let known = self.words.len();
        let chosen: Vec<usize> = (0..count).map(|_| self.below(known)).collect();
        let chosen: Vec<&str> = chosen.into_iter().map(|at| self.words[at]).collect();
        chosen.join(" ")
    }

    fn base64_line(&mut self) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut line: String = (0..76).map(|_| char::from(DIGITS[self.below(64)])).collect();
        line.push('\n');
        line
    }
}
