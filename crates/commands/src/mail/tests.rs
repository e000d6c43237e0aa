//! Whole sessions of `mail` against a terminal and files in memory: the screens of the document, and what is left behind.

use std::collections::BTreeMap;

use super::collect::{self, Desk, Written};
use super::compose::Draft;
use super::folder::{Fate, Folder, Letter, split};
use super::interrupt::Input;
use super::outside::Outside;
use super::session::Session;
use super::shell::Editor;
use super::variables::Variables;

/// A terminal whose user types a script, and files in memory.
#[derive(Default)]
struct Script {
    input: Vec<String>,
    screen: String,
    files: BTreeMap<String, Vec<u8>>,
    sent: Vec<Draft>,
    /// Commands of the shell, each with its input.
    run: Vec<String>,
    refuses: bool,
}

impl Script {
    fn typing(text: &str) -> Script {
        Script {
            input: text.lines().rev().map(str::to_owned).collect(),
            ..Script::default()
        }
    }

    fn text(&self, file: &str) -> String {
        String::from_utf8(self.files.get(file).cloned().unwrap_or_default()).unwrap()
    }
}

impl Outside for Script {
    fn heed(&mut self, _variables: &Variables) {}

    fn say(&mut self, text: &str) {
        self.screen.push_str(text);
    }

    fn page(&mut self, text: &str) {
        self.say(text);
    }

    fn complain(&mut self, text: &str) {
        self.screen.push_str(&format!("{text}\n"));
    }

    /// What the user types is on the screen too. `^C` is the interrupt key, `^H` a terminal that goes away, `^D` the end.
    fn ask(&mut self, prompt: &str) -> Input {
        let line = self.input.pop();
        self.say(prompt);
        let Some(line) = line else {
            return Input::End;
        };
        match line.as_str() {
            "^C" => return Input::Interrupt,
            "^H" => return Input::Hangup,
            "^D" => return Input::End,
            _ => {}
        }
        self.say(&format!("{line}\n"));
        Input::Line(line.into_bytes())
    }

    fn interrupted(&mut self) -> bool {
        false
    }

    fn rest(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn is_interactive(&self) -> bool {
        true
    }

    fn screen(&self) -> (usize, usize) {
        (80, 24)
    }

    fn user(&self) -> &str {
        "wantan"
    }

    fn file_of(&self, name: &str) -> Result<String, String> {
        Ok(name
            .replace('&', "/home/wantan/mbox")
            .replace('~', "/home/wantan")
            .replace('+', "/home/wantan/Mail/"))
    }

    fn load(&mut self, name: &str) -> Result<Folder, String> {
        let content = self
            .files
            .get(name)
            .ok_or_else(|| format!("{name}: No such file or directory"))?;
        Ok(Folder::new(name, split(content).1))
    }

    fn arrivals(&mut self, known: &Folder) -> Result<Vec<Letter>, String> {
        let content = self.files.get(&known.name).cloned().unwrap_or_default();
        Ok(known.unknown(split(&content).1))
    }

    fn store(&mut self, folder: &Folder, fates: &[Fate]) -> Result<usize, String> {
        let current = self.files.get(&folder.name).cloned().unwrap_or_default();
        let (content, arrived) = folder.merged(&current, fates);
        self.files.insert(folder.name.clone(), content);
        Ok(arrived)
    }

    fn append(&mut self, file: &str, content: &[u8]) -> Result<bool, String> {
        let was_there = self.files.contains_key(file);
        self.files
            .entry(file.to_owned())
            .or_default()
            .extend_from_slice(content);
        Ok(was_there)
    }

    fn read(&mut self, file: &str) -> Result<Vec<u8>, String> {
        self.files
            .get(file)
            .cloned()
            .ok_or_else(|| format!("{file}: No such file or directory"))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, String> {
        let below = self.files.keys().filter_map(|file| file.strip_prefix(directory));
        Ok(below.map(str::to_owned).collect())
    }

    fn change_directory(&mut self, directory: &str) -> Result<(), String> {
        self.run.push(format!("cd {directory}"));
        Ok(())
    }

    fn edit(&mut self, text: &[u8], editor: Editor) -> Result<Vec<u8>, String> {
        Ok(match editor {
            Editor::Line => text.to_ascii_uppercase(),
            Editor::Screen => String::from_utf8_lossy(text)
                .replace("Text", "Edited")
                .into_bytes(),
        })
    }

    fn run(&mut self, command: &str, input: Option<&[u8]>) -> Result<(), String> {
        let input = String::from_utf8_lossy(input.unwrap_or_default()).into_owned();
        self.run.push(format!("{command}<{input}"));
        Ok(())
    }

    fn output_of(&mut self, command: &str, input: &[u8]) -> Result<Vec<u8>, String> {
        match command {
            "fail" => Err("\"fail\": exit status: 1".to_owned()),
            "nothing" => Ok(Vec::new()),
            _ => Ok([command.as_bytes(), b"\n", input].concat()),
        }
    }

    fn message(&mut self, draft: &Draft) -> Result<Vec<u8>, String> {
        Ok(draft.body.clone())
    }

    fn hand_in(&mut self, draft: &Draft, _message: &[u8]) -> Result<(), String> {
        if self.refuses {
            return Err("the queue is full".to_owned());
        }
        self.sent.push(draft.clone());
        Ok(())
    }

    fn own_from_line(&self) -> String {
        "From wantan  Wed Dec 23 23:39:48 2020\n".to_owned()
    }
}

const SPOOL: &str = "/var/spool/mail/wantan";

/// The letter of the document, as it lay in the mailbox when it was read there.
fn document_letter() -> String {
    "From root@localhost.localdomain  Wed Dec 23 23:39:48 2020\n\
     Return-Path: <root@localhost.localdomain>\n\
     X-Original-To: wantan\n\
     Delivered-To: wantan@localhost.localdomain\n\
     Received: by localhost.localdomain (Postfix, from userid 0)\n\
     \tid 8FB1210D2D2C; Wed, 23 Dec 2020 23:39:47 +0900 (JST)\n\
     Date: Wed, 23 Dec 2020 23:39:47 +0900\n\
     To: wantan@localhost.localdomain\n\
     Subject: testmail\n\
     User-Agent: Heirloom mailx 12.5 7/5/10\n\
     MIME-Version: 1.0\n\
     Content-Type: text/plain; charset=us-ascii\n\
     Content-Transfer-Encoding: 7bit\n\
     Message-Id: <20201223143947.8FB1210D2D2C@localhost.localdomain>\n\
     From: root@localhost.localdomain (root)\n\
     Status: O\n\
     \n\
     Hello mail.\n\
     \n"
    .to_owned()
}

fn short_letter(number: u32) -> String {
    format!(
        "From u{number}@x  Wed Dec 23 23:39:48 2020\nFrom: u{number}@x\nTo: wantan@x, eve@x\nSubject: test{number}\n\nText {number}.\n\n"
    )
}

/// What a user sees who types the script at a mailbox with this content, and what is left.
fn session(content: &str, typed: &str, variables: Variables) -> Script {
    let mut script = Script::typing(typed);
    script.files.insert(SPOOL.to_owned(), content.as_bytes().to_vec());
    let mut folder = script.load(SPOOL).unwrap();
    folder.is_spool = true;
    let mut session = Session::new(&mut script, variables, folder);
    session.greet(true);
    assert!(session.run());
    script
}

#[test]
fn the_screen_of_the_document() {
    let script = session(&document_letter(), "1\nq\n", Variables::default());
    assert_eq!(
        script.screen,
        "Heirloom Mail version 12.5 7/5/10.  Type ? for help.\n\
         \"/var/spool/mail/wantan\": 1 message 1 unread\n\
         >U  1 root                  Wed Dec 23 23:39  19/630   \"testmail\"\n\
         & 1\n\
         Message  1:\n\
         From root@localhost.localdomain  Wed Dec 23 23:39:48 2020\n\
         Return-Path: <root@localhost.localdomain>\n\
         X-Original-To: wantan\n\
         Delivered-To: wantan@localhost.localdomain\n\
         Date: Wed, 23 Dec 2020 23:39:47 +0900\n\
         To: wantan@localhost.localdomain\n\
         Subject: testmail\n\
         User-Agent: Heirloom mailx 12.5 7/5/10\n\
         Content-Type: text/plain; charset=us-ascii\n\
         From: root@localhost.localdomain (root)\n\
         Status: RO\n\
         \n\
         Hello mail.\n\
         \n\
         & q\n\
         Held 1 message in /var/spool/mail/wantan\n"
    );
    assert_eq!(
        script.text(SPOOL),
        document_letter().replace("Status: O", "Status: RO")
    );
}

#[test]
fn writing_ends_at_a_lone_dot_and_at_the_end_of_input() {
    for typed in ["Hello mail.\n.\nrest\n", "Hello mail.\n"] {
        let mut script = Script::typing(typed);
        let mut draft = Draft::default();
        let variables = Variables::default();
        let mut desk = Desk {
            outside: &mut script,
            variables: &variables,
            folder: None,
            escapes: true,
        };
        assert_eq!(desk.write(&mut draft), Written::Whole);
        assert_eq!(draft.body, b"Hello mail.\n");
        let dot = if typed.contains("\n.") { ".\n" } else { "" };
        assert_eq!(script.screen, format!("Hello mail.\n{dot}EOT\n"));
    }
}

#[test]
fn tilde_escapes() {
    let mut script = Script::typing("one\n~s New subject\n~c eve, bob\n~~x\n~r file\n~z\n~e\n~w out\n~.\n");
    script.files.insert("file".to_owned(), b"two\nthree\n".to_vec());
    let mut draft = Draft::default();
    let variables = Variables::default();
    let mut desk = Desk {
        outside: &mut script,
        variables: &variables,
        folder: None,
        escapes: true,
    };
    desk.write(&mut draft);
    assert_eq!(String::from_utf8(draft.body).unwrap(), "ONE\n~X\nTWO\nTHREE\n");
    assert_eq!(
        (draft.subject.as_deref(), draft.cc.join(" ")),
        (Some("New subject"), "eve bob".to_owned())
    );
    assert!(script.screen.contains("\"file\" 2/10\n") && script.screen.contains("Unknown tilde escape.\n"));
    assert_eq!(script.text("out"), "ONE\n~X\nTWO\nTHREE\n");
}

#[test]
fn what_cannot_be_sent_is_in_dead_letter() {
    let mut script = Script {
        refuses: true,
        ..Script::default()
    };
    let draft = Draft {
        to: vec!["x".to_owned()],
        body: b"From me\n".to_vec(),
        ..Draft::default()
    };
    assert!(!collect::send(&mut script, &Variables::default(), &draft));
    assert_eq!(
        script.screen,
        "the queue is full\n\"/home/wantan/dead.letter\" 3/48\n. . . message not sent.\n"
    );
    assert_eq!(
        script.text("/home/wantan/dead.letter"),
        "From wantan  Wed Dec 23 23:39:48 2020\n>From me\n\n"
    );
}

#[test]
fn deleting_moving_on_and_coming_back() {
    let text: String = (1..=4).map(short_letter).collect();
    let typed = "99\nfoo\nd 1\n1\n=\n\nn\nd3\nu 3\nf *\ndp 4\nn\nx\n";
    let script = session(&text, typed, Variables::default());
    let lines: Vec<&str> = script.screen.lines().collect();
    for said in [
        "99: Invalid message number",
        "Unknown command: \"foo\"",
        "1: Inappropriate message",
        "At EOF",
    ] {
        assert!(lines.contains(&said), "{said}: {}", script.screen);
    }
    assert!(
        script.screen.contains("& =\n2\n& \nMessage  2:\n"),
        "{}",
        script.screen
    );
    assert!(
        script
            .screen
            .contains(" R  2 u2@x                  Wed Dec 23 23:39   7/92    \"test2\"\n"),
        "{}",
        script.screen
    );
    assert_eq!(script.text(SPOOL), text, "x leaves everything as it was");
}

#[test]
fn leaving_saves_holds_and_drops() {
    let text: String = (1..=4).map(short_letter).collect();
    let mut variables = Variables::default();
    variables.assign("nohold");
    let script = session(&text, "1\nd 2\ns 3 other\n", variables);
    assert!(
        script.screen.contains("\"other\" [New file] 7/92\n"),
        "{}",
        script.screen
    );
    assert!(
        script
            .screen
            .ends_with("& Saved 1 message in /home/wantan/mbox\nHeld 1 message in /var/spool/mail/wantan\n"),
        "{}",
        script.screen
    );
    assert_eq!(
        script.text("/home/wantan/mbox"),
        short_letter(1).replace("\n\nText", "\nStatus: RO\n\nText")
    );
    assert_eq!(script.text("other"), short_letter(3));
    assert_eq!(
        script.text(SPOOL),
        short_letter(4).replace("\n\nText", "\nStatus: O\n\nText")
    );
}

#[test]
fn replies_go_to_everybody_or_to_the_sender() {
    let script = session(&short_letter(1), "r\nyes\n.\nR\nno\n.\nx\n", Variables::default());
    assert_eq!(script.sent[0].to, ["u1@x", "eve@x"]);
    assert_eq!(script.sent[0].subject.as_deref(), Some("Re: test1"));
    assert_eq!(script.sent[0].body, b"yes\n");
    assert_eq!(script.sent[1].to, ["u1@x"]);
    assert!(
        script
            .screen
            .contains("& r\nTo: u1@x, eve@x\nSubject: Re: test1\n\nyes\n.\nEOT\n& R\n"),
        "{}",
        script.screen
    );
}

#[test]
fn screens_of_headers() {
    let text: String = (1..=45).map(short_letter).collect();
    let script = session(&text, "z\nz\nz\nz-\nh 1\nx\n", Variables::default());
    assert!(script.screen.contains(" N 20 u20@x "), "{}", script.screen);
    assert!(script.screen.contains("& z\n>N 21 u21@x "), "{}", script.screen);
    assert!(
        script
            .screen
            .contains("& z\nOn last screenful of messages\n& z-\n>N 21"),
        "{}",
        script.screen
    );
    assert!(script.screen.contains("& h 1\n>N  1 u1@x "), "{}", script.screen);
}

#[test]
fn no_line_is_too_odd() {
    let mut text: String = (1..=3).map(short_letter).collect();
    text.push_str(&document_letter());
    for seed in 0..400u32 {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        let signs = [
            "d", "u", "p", "n", "z", "-", "1", "4", "99", "*", "$", "^", ":", "/", " ", "\"", "s", "h", "dp",
            "f", "+", ".", "w", "é", "=",
        ];
        let line = |next: &mut dyn FnMut(u32) -> u32| {
            let count = next(6);
            (0..count)
                .map(|_| signs[next(signs.len() as u32) as usize])
                .collect::<String>()
        };
        let typed: Vec<String> = (0..12).map(|_| line(&mut next)).collect();
        session(&text, &(typed.join("\n") + "\nx\n"), Variables::default());
    }
}

#[test]
fn answers_to_several_letters() {
    let text: String = (1..=3).map(short_letter).collect();
    let script = session(
        &text,
        "r 1 2\nR 1 2\nboth\n.\nfo 3\nkept\n.\nx\n",
        Variables::default(),
    );
    assert!(
        script
            .screen
            .contains("& r 1 2\nSorry, can't reply to multiple messages at once\n& R 1 2\nTo: u1@x, u2@x\nSubject: Re: test1\n"),
        "{}",
        script.screen
    );
    assert_eq!(script.sent[0].to, ["u1@x", "u2@x"]);
    assert_eq!(script.sent[1].to, ["u3@x", "eve@x"]);
    assert!(script.text("u3").ends_with("\nkept\n\n"), "{}", script.text("u3"));
    let mut variables = Variables::default();
    variables.assign("flipr");
    variables.order("alternates", &["eve@x".to_owned()]);
    let turned = session(&text, "r 1 2\nboth\n.\nR 3\nall\n.\nx\n", variables);
    assert_eq!(turned.sent[0].to, ["u1@x", "u2@x"]);
    assert_eq!(turned.sent[1].to, ["u3@x"], "eve@x is the user too");
}

#[test]
fn a_letter_does_not_choose_a_file_of_the_user() {
    let letter = "From x  Wed Dec 23 23:39:48 2020\nFrom: /home/wantan/.bashrc\nSubject: s\n\ntext\n\n";
    let script = session(letter, "R\nx\n", Variables::default());
    assert!(
        script
            .screen
            .contains("\"/home/wantan/.bashrc\" is not an address"),
        "{}",
        script.screen
    );
    assert!(script.sent.is_empty() && script.files.len() == 1);
}

#[test]
fn two_interrupts_kill_a_letter_and_none_the_session() {
    let typed = "d 1\n^C\nm eve\n\nhello\n^C\nmore\n^C\n^C\n=\nq\n";
    let text: String = (1..=2).map(short_letter).collect();
    let script = session(&text, typed, Variables::default());
    let warning = "\n(Interrupt -- one more to kill letter)\n";
    assert!(
        script.screen.contains("& \nInterrupt\n& m eve\n"),
        "{}",
        script.screen
    );
    assert!(
        script.screen.contains(&format!(
            "hello\n{warning}more\n{warning}\"/home/wantan/dead.letter\" 4/50\n& =\n"
        )),
        "{}",
        script.screen
    );
    assert!(script.text("/home/wantan/dead.letter").contains("hello\nmore\n"));
    assert!(script.sent.is_empty());
    assert!(!script.text(SPOOL).contains("Text 1"), "the deletion holds");
}

#[test]
fn nosave_ignore_and_ignoreeof_are_heeded() {
    let mut variables = Variables::default();
    variables.assign("nosave");
    let script = session(&short_letter(1), "m eve\n\nhello\n^C\n^C\nx\n", variables);
    assert!(
        script.files.len() == 1 && script.sent.is_empty(),
        "{}",
        script.screen
    );
    let mut variables = Variables::default();
    variables.assign("ignore");
    variables.assign("ignoreeof");
    let script = session(
        &short_letter(1),
        "^D\nm eve\n\nhello\n^C\n^C\n^D\n.\nx\n",
        variables,
    );
    assert!(
        script.screen.contains("& Use \"quit\" to quit.\n& m eve"),
        "{}",
        script.screen
    );
    assert!(
        script
            .screen
            .contains("hello\n@\n@\nUse \".\" to terminate letter\n.\nEOT\n"),
        "{}",
        script.screen
    );
    assert_eq!(script.sent.len(), 1);
}

#[test]
fn a_hangup_leaves_the_mailbox_and_keeps_the_letter() {
    let mut script = Script::typing("d 1\nm eve\n\nhello\n^H\n^H\n");
    script
        .files
        .insert(SPOOL.to_owned(), short_letter(1).into_bytes());
    let folder = script.load(SPOOL).unwrap();
    assert!(!Session::new(&mut script, Variables::default(), folder).run());
    assert_eq!(script.text(SPOOL), short_letter(1));
    assert!(script.text("/home/wantan/dead.letter").contains("hello\n"));
}

#[test]
fn a_read_only_folder_stays_and_nothing_is_said_of_it() {
    let mut script = Script::typing("d 1\nq\n");
    let text: String = (1..=5).map(short_letter).collect();
    script.files.insert(SPOOL.to_owned(), text.clone().into_bytes());
    let mut folder = script.load(SPOOL).unwrap();
    (folder.is_spool, folder.is_read_only) = (true, true);
    assert!(Session::new(&mut script, Variables::default(), folder).run());
    assert_eq!(
        script.screen,
        "& d 1\nMay not execute \"delete\" -- message file is read only\n& q\n"
    );
    assert_eq!(script.text(SPOOL), text);
}

#[test]
fn programs_are_run_and_fed() {
    let mut variables = Variables::default();
    variables.assign("bang");
    let typed = "!ls\n!! -l\n| 1 'wc -l'\npi 2 cat\nsh\ncd /tmp\ncd\nv 1\nq\n";
    let text: String = (1..=2).map(short_letter).collect();
    let script = session(&text, typed, variables);
    let shown = |number| {
        format!(
            "From u{number}@x  Wed Dec 23 23:39:48 2020\nFrom: u{number}@x\nTo: wantan@x, eve@x\nSubject: test{number}\nStatus: R\n\nText {number}.\n\n"
        )
    };
    assert_eq!(
        script.run,
        [
            "ls<".to_owned(),
            "ls -l<".to_owned(),
            format!("wc -l<{}", shown(1)),
            format!("cat<{}", shown(2)),
            "<".to_owned(),
            "cd /tmp".to_owned(),
            "cd /home/wantan".to_owned(),
        ]
    );
    assert!(
        script.screen.contains("& !ls\n!\n")
            && script.screen.contains("Pipe to: \"wc -l\"\n\"wc -l\" 8/102\n"),
        "{}",
        script.screen
    );
    let left = script.text(SPOOL);
    assert!(
        left.contains("\n\nEdited 1.\n\nFrom u2@x") && left.contains("Text 2."),
        "{left}"
    );
}

#[test]
fn folders_files_and_what_is_new() {
    let mut script = Script::typing("si 1-2\nS 1\nC 2\nfolders\ninc\nd 3\nso cmds\nve\nfold other\nx\n");
    script.files.insert(
        SPOOL.to_owned(),
        (short_letter(1) + &short_letter(2)).into_bytes(),
    );
    let mut folder = script.load(SPOOL).unwrap();
    folder.is_spool = true;
    let arrived: String = (1..=3).map(short_letter).collect();
    script.files.insert(SPOOL.to_owned(), arrived.into_bytes());
    for (name, text) in [
        ("/home/wantan/Mail/sent", String::new()),
        ("other", short_letter(9)),
        (
            "cmds",
            "# mine\nif s\nfrobnicate\nelse\necho read\\\n ing\nendif\nset x=y\nfrobnicate\necho never\n"
                .to_owned(),
        ),
    ] {
        script.files.insert(name.to_owned(), text.into_bytes());
    }
    assert!(Session::new(&mut script, Variables::default(), folder).run());
    for said in [
        "& si 1-2\n1: 7/92\n2: 7/92\n",
        "& S 1\n\"u1\" [New file] 7/92\n& C 2\n\"u2\" [New file] 7/92\n",
        "& folders\nsent\n& inc\nNew mail has arrived.\n\"/var/spool/mail/wantan\": 3 messages 3 new\n",
        ">N  3 u3@x ",
        "& so cmds\nread ing\ncmds:9: Unknown command: \"frobnicate\"\n& ve\n12.5 7/5/10\n& fold other\n",
        "\"other\": 1 message 1 new\n",
    ] {
        assert!(script.screen.contains(said), "{said}: {}", script.screen);
    }
    assert!(!script.screen.contains("never"));
    assert_eq!(
        script.text(SPOOL),
        short_letter(2).replace("\n\nText", "\nStatus: O\n\nText")
    );
}

#[test]
fn more_tilde_escapes() {
    let typed = "m eve\n\none\n~| nothing\n~| fail\n~| sort\n~i sign\n~a\n~d\n~<!date\n~!ls\n~:set x=y\n~:fold other\n~M 1\n~@ file\n.\nx\n";
    let mut script = Script::typing(typed);
    for (name, text) in [
        (SPOOL, short_letter(1).as_str()),
        ("/home/wantan/dead.letter", "dead\n"),
        ("file", "attached"),
    ] {
        script.files.insert(name.to_owned(), text.as_bytes().to_vec());
    }
    let folder = script.load(SPOOL).unwrap();
    let mut variables = Variables::default();
    variables.assign("sign=-- \\nme");
    assert!(Session::new(&mut script, variables, folder).run());
    let body = String::from_utf8_lossy(&script.sent[0].body).into_owned();
    assert!(
        body.starts_with("sort\none\n-- \nme\n-- \nme\ndead\ndate\n> From u1@x  Wed Dec 23"),
        "{body}"
    );
    assert_eq!(script.sent[0].attachments.len(), 1);
    assert_eq!(script.run, ["ls<"]);
    assert!(
        script
            .screen
            .contains("~:set x=y\n(continue)\n~:fold other\n\"folder\" has to wait until the letter is written\n(continue)\n"),
        "{}",
        script.screen
    );
}

#[test]
fn files_and_commands_are_recipients_where_that_is_wanted() {
    let mut variables = Variables::default();
    variables.assign("expandaddr");
    let mut script = Script::default();
    let to = [
        "eve".to_owned(),
        "/tmp/box, +sent".to_owned(),
        "| lpr -P one".to_owned(),
    ];
    let draft = Draft {
        to: collect::names_of(&variables, &to),
        body: b"From me\n".to_vec(),
        ..Draft::default()
    };
    assert!(collect::send(&mut script, &variables, &draft));
    let letter = "From wantan  Wed Dec 23 23:39:48 2020\n>From me\n\n";
    assert_eq!(script.sent[0].to, ["eve"]);
    assert_eq!(script.text("/tmp/box"), letter);
    assert_eq!(script.text("/home/wantan/Mail/sent"), letter);
    assert_eq!(script.run, [format!("lpr -P one<{letter}")]);
    let mut script = Script::default();
    assert!(!collect::send(&mut script, &Variables::default(), &draft));
    assert!(script.sent.is_empty() && script.run.is_empty() && script.text("/tmp/box").is_empty());
    assert!(
        script.screen.starts_with("\"/tmp/box\" is not an address: "),
        "{}",
        script.screen
    );
}
