//! `makemap`: what Sendmail's (8.17) said to the same input is recorded here, and Debian's is asked again where it is unpacked.

use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::program::run;
use system_tests::{binary, skip};

/// A command line and its input; the exit code, standard output and standard error.
type Step = (&'static str, &'static str, i32, &'static str, &'static str);

const LINES: &str = "Key1 value one  \n# c\n\nkey2\tv2 %1\nkey1 dup\nnoval\nnoval2 \n  lead x\n";
const DUPLICATE_AND_WRONG: &str = "makemap: x: line 5: key key1: duplicate key\nmakemap: x: line 6: no RHS for LHS noval\n\
     makemap: x: line 7: no RHS for LHS noval2\nmakemap: x: line 8: syntax error (leading space)\n";
const WRONG: &str = "makemap: x: line 6: no RHS for LHS noval\nmakemap: x: line 7: no RHS for LHS noval2\n\
     makemap: x: line 8: syntax error (leading space)\n";
const LEADING: &str = "makemap: x: line 8: syntax error (leading space)\n";
const ALL_WITHOUT_VALUES: &str = "Key1\tvalue one  \nkey2\tv2 %1\nkey1\tdup\nnoval\t\nnoval2\t\n";

/// One after the other, in one directory.
const STEPS: &[Step] = &[
    ("hash x", LINES, 65, "", DUPLICATE_AND_WRONG),
    ("-u hash x", "", 0, "key1\tvalue one  \nkey2\tv2 %1\n", ""),
    ("-r hash x", LINES, 65, "", WRONG),
    ("-u hash x", "", 0, "key1\tdup\nkey2\tv2 %1\n", ""),
    ("-e -f hash x", LINES, 65, "", LEADING),
    ("-u hash x", "", 0, ALL_WITHOUT_VALUES, ""),
    ("-o hash x", "k3 z\nk1 q\n", 0, "", ""),
    ("-d btree b", "k1 a\nk1 b\nk2 c\n", 0, "", ""),
    ("-u btree b", "", 0, "k1\ta\nk1\tb\nk2\tc\n", ""),
    ("-t : -D ; hash t", "a b:c d\n;x:y\n#q:r\n", 0, "", ""),
    ("-u -t : hash t", "", 0, "a b:c d\n#q:r\n", ""),
    (
        "-v hash v",
        "k1 a\nk1 b\n",
        65,
        "key=`k1', val=`a'\nkey=`k1', val=`b'\n",
        "makemap: v: line 2: key k1: duplicate key\n",
    ),
    (
        "foo x",
        "",
        73,
        "",
        "makemap: error opening type foo map x: Unknown database type\n",
    ),
    (
        "-u hash nosuch",
        "",
        73,
        "",
        "makemap: error opening type hash map nosuch: No such file or directory\n",
    ),
    (
        "hash nodir/x",
        "a b\n",
        73,
        "",
        "makemap: error opening type hash map nodir/x: No such file or directory\n",
    ),
    ("hash x.db", "a b\n", 0, "", ""),
    ("-u hash x", "", 0, "a\tb\n", ""),
    ("implicit i", "nonl v", 0, "", ""),
    ("-u implicit i.db", "", 0, "nonl\tv\n", ""),
    (
        "-C /nonexistent hash x",
        "",
        66,
        "",
        "makemap: /nonexistent: No such file or directory\n",
    ),
];

/// Takes the steps with this program; says what differs from what is recorded.
fn differing(makemap: impl Fn() -> Command, directory: &Path) -> Vec<String> {
    let mut differing = Vec::new();
    for (line, input, code, stdout, stderr) in STEPS {
        let mut command = makemap();
        command.args(line.split(' ')).current_dir(directory);
        let said = run(&mut command, input.as_bytes());
        // The entries of a hash are shown in no order.
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let is_same =
            said.code == Some(*code) && sorted(&said.stdout) == sorted(stdout) && said.stderr == *stderr;
        if !is_same {
            differing.push(format!("makemap {line}: {said}"));
        }
    }
    differing
}

#[test]
fn makemap_says_what_sendmails_said() {
    let directory = tempfile::tempdir().unwrap();
    let ours = || {
        let mut command = Command::new(binary());
        command.arg("makemap").env("MAIL_CONFIG", directory.path());
        command
    };
    assert_eq!(differing(ours, directory.path()), Vec::<String>::new());
    let ends = |line: &str, input: &str| {
        let mut command = ours();
        command.args(line.split(' ')).current_dir(directory.path());
        run(&mut command, input.as_bytes()).code
    };
    assert_eq!(ends("hash", ""), Some(64));
    assert_eq!(ends("-Z hash x", ""), Some(64));
    assert_eq!(ends("text plain", "k v w\n"), Some(0));
    let asked = |line: &str| {
        let mut command = Command::new(binary());
        command
            .args(line.split(' '))
            .env("MAIL_CONFIG", directory.path())
            .current_dir(directory.path());
        run(&mut command, b"").stdout
    };
    assert_eq!(asked("postmap -q k texthash:plain"), "v w\n");
    assert_eq!(asked("postmap -q a hash:x"), "b\n");
    std::fs::write(directory.path().join("aliases"), "root: a, b\n").unwrap();
    asked("postalias hash:aliases");
    assert_eq!(
        asked("praliases -f aliases root zz"),
        "root:a, b\nzz: No such key\n"
    );
}

/// Sendmail's takes the place of the other MTA when it is installed, so it may lie unpacked anywhere: `SENDMAIL_ROOT`.
#[test]
fn debians_makemap_still_says_so() {
    let root = std::env::var_os("SENDMAIL_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let makemap = root.join("usr/libexec/sendmail/makemap");
    if !makemap.exists() {
        return skip("Debian package sendmail-bin, unpacked into SENDMAIL_ROOT");
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sendmail.cf"), "V10/Berkeley\n").unwrap();
    let sendmails = || {
        let mut command = Command::new(&makemap);
        command.args(["-C", "sendmail.cf"]);
        command
    };
    assert_eq!(differing(sendmails, directory.path()), Vec::<String>::new());
}
