//! Tables of every type as parameters name them; expected answers are those of Debian's postmap 3.7.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use settings::TableRef;
use tables::build::{self, Duplicates, Options};
use tables::source::Syntax;
use tables::{Error, Tables};

fn open(table: &str) -> (Tables, Vec<Error>) {
    Tables::open(&[table.parse().unwrap()])
}

fn ask(table: &str, key: &str) -> Option<String> {
    let (tables, problems) = open(table);
    assert!(problems.is_empty(), "{problems:?}");
    tables.lookup(key).unwrap()
}

fn complaint(table: &str) -> String {
    let (tables, problems) = open(table);
    let text = problems.first().unwrap().to_string();
    assert_eq!(
        tables.lookup("x").unwrap_err().to_string(),
        text,
        "an error is never \"not found\""
    );
    text
}

fn path(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn tables_without_files() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ask("static:{a b}", "any"), some("a b"));
    assert_eq!(ask("static:x", ""), some("x"));
    assert_eq!(ask("inline:{ {key = a b}, k2=c }", "KEY"), some("a b"));
    assert_eq!(ask("inline:{ {key = a b}, k2=c }", "k3"), None);
    assert_eq!(ask("proxy:inline:{k=v}", "k"), some("v"));
    assert_eq!(ask("unionmap:{static:a,static:b}", "k"), some("a,b"));
    assert_eq!(ask("pipemap:{inline:{key=b},inline:{b=c}}", "key"), some("c"));
    assert_eq!(
        ask("unix:passwd.byname", "root").unwrap().split(':').nth(2),
        Some("0")
    );
    assert_eq!(ask("unix:group.byname", "root"), some("root:x:0:"));
    assert_eq!(ask("unix:passwd.byname", "no-such-user-here"), None);
    assert_eq!(
        ask("cidr:{ {10.0.0.0/8 REJECT x}, {!192.0.2.1 else} }", "10.1.2.3"),
        some("REJECT x")
    );
    assert_eq!(
        ask("cidr:{ {10.0.0.0/8 REJECT x}, {!192.0.2.1 else} }", "192.0.2.1"),
        None
    );
    assert_eq!(ask("cidr:{ {10.0.0.0/8 REJECT x} }", "not an address"), None);
    // What is negated says nothing of the other family of addresses.
    let rules = "cidr:{ {!192.0.2.0/24 else}, {if !2001:db8::/32}, {::/0 v6}, {0.0.0.0/0 v4}, {endif} }";
    assert_eq!(ask(rules, "198.51.100.1"), some("else"));
    assert_eq!(ask(rules, "192.0.2.1"), None);
    assert_eq!(ask(rules, "2001:db8::1"), None);
    assert_eq!(ask(rules, "2001:db9::1"), some("v6"));
    assert_eq!(ask(rules, "::ffff:192.0.2.1"), some("v6"));
    assert_eq!(ask("regexp:{ {/(b)/ got $1} }", "aBc"), some("got B"));
}

#[test]
fn what_cannot_be_opened_never_answers() {
    assert_eq!(complaint("foo:/x"), "unsupported dictionary type: foo");
    assert_eq!(
        complaint("ldap:/etc/x"),
        "table ldap:/etc/x: type ldap is not there yet"
    );
    assert_eq!(
        complaint("texthash:/nonexistent"),
        "open database /nonexistent: No such file or directory"
    );
    assert_eq!(
        complaint("hash:/nonexistent"),
        "open database /nonexistent.db: No such file or directory"
    );
    assert_eq!(complaint("unix:shadow"), "unknown table: unix:shadow");
    assert!(
        open("fail:x")
            .0
            .lookup("k")
            .unwrap_err()
            .to_string()
            .contains("query error")
    );
}

#[test]
fn rules_with_conditions() {
    let directory = tempfile::tempdir().unwrap();
    let rules = "# comment\n/^Subject: +(\\S+)\n   buy/ REJECT $1 and ${1}, $$5\nif /^to:/\n/friend/i OK\n!/friend/ stranger\nendif\n/last\\/x/ slash\n";
    let file = path(directory.path(), "rules", rules);
    let table = format!("regexp:{file}");
    // A continued line keeps its white space, as in Postfix.
    assert_eq!(
        ask(&table, "subject: pills   buy now").as_deref(),
        Some("REJECT pills and pills, $5")
    );
    assert_eq!(ask(&table, "To: friend").as_deref(), Some("OK"));
    assert_eq!(ask(&table, "To: Friend").as_deref(), None);
    assert_eq!(ask(&table, "To: foe").as_deref(), Some("stranger"));
    assert_eq!(ask(&table, "a last/x").as_deref(), Some("slash"));
    assert_eq!(ask(&table, "from: foe"), None);
    let folded = "regexp:{ {/^Received.*by b/ R} }";
    assert_eq!(ask(folded, "Received: from a\n  by b").as_deref(), Some("R"));
    let networks = path(
        directory.path(),
        "networks",
        "if 10.0.0.0/8\n10.1.0.0/16 one\n10.0.0.0/8 ten\nendif\n::1 six\n",
    );
    let table = format!("cidr:{networks}");
    for (address, answer) in [
        ("10.1.9.9", Some("one")),
        ("10.9.9.9", Some("ten")),
        ("::1", Some("six")),
        ("11.1.1.1", None),
    ] {
        assert_eq!(ask(&table, address).as_deref(), answer, "{address}");
    }
    let open_if = path(directory.path(), "open", "if /x/\n/y/ z\n");
    for kind in ["regexp", "pcre"] {
        let (tables, problems) = open(&format!("{kind}:{open_if}"));
        assert_eq!(problems.len(), 1);
        let told = format!("{kind} map {open_if}, line 1: IF has no matching ENDIF");
        assert_eq!(tables.take_warnings(), [told]);
        assert_eq!(tables.lookup("xy").unwrap().as_deref(), Some("z"));
        assert_eq!(tables.lookup("y").unwrap(), None);
    }
}

#[test]
fn a_database_is_built_and_followed() {
    let directory = tempfile::tempdir().unwrap();
    let source = path(
        directory.path(),
        "map",
        "# c\nkey value one\nOther\ttwo\n  continued\nkeyonly\ndup a\ndup b\n",
    );
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o640)).unwrap();
    let table = TableRef::new("hash", &source);
    let name = table.to_string();
    assert!(complaint(&name).ends_with(&format!(
        "No such file or directory. Run postmap {source} to create it"
    )));
    let (early, _) = open(&name);
    let report = build::build(&table, Options::of(Syntax::Map)).unwrap();
    assert_eq!(
        early.lookup("key").unwrap().as_deref(),
        Some("value one"),
        "the table is there from now on"
    );
    assert_eq!(
        report.warnings,
        [
            format!("{source}, line 5: expected format: key whitespace value"),
            format!("{source}.db: duplicate entry: \"dup\""),
        ]
    );
    assert_eq!((report.entries, report.longest_value_bytes), (3, 14));
    assert_eq!(
        std::fs::metadata(&report.file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_eq!(ask(&name, "OTHER").as_deref(), Some("two  continued"));
    assert_eq!(ask(&name, "dup").as_deref(), Some("a"));
    assert_eq!(ask(&name, "keyonly"), None);

    let added = Options {
        is_incremental: true,
        duplicates: Duplicates::Replace,
        ..Options::of(Syntax::Map)
    };
    build::build_from_text(&table, "new val\nKEY changed\n", added).unwrap();
    assert_eq!(early.lookup("new").unwrap().as_deref(), Some("val"));
    assert_eq!(early.lookup("key").unwrap().as_deref(), Some("changed"));
    assert_eq!(
        build::delete(&table, &["NEW".to_owned(), "nothing".to_owned()], true).unwrap(),
        1
    );
    assert_eq!(early.lookup("new").unwrap(), None);
    assert_eq!(build::entries(&table).unwrap().len(), 3);

    assert_eq!(early.take_warnings(), [""; 0]);
    let database = std::fs::File::options().append(true).open(&report.file).unwrap();
    database
        .set_modified(SystemTime::now() - Duration::from_secs(400))
        .unwrap();
    let text = std::fs::File::options().append(true).open(&source).unwrap();
    text.set_modified(SystemTime::now() - Duration::from_secs(200))
        .unwrap();
    // The file is looked at anew in the kernel's next tick.
    let is_past = Instant::now() + Duration::from_secs(60);
    let warnings = loop {
        early.lookup("key").unwrap();
        let warnings = early.take_warnings();
        if !warnings.is_empty() || Instant::now() > is_past {
            break warnings;
        }
    };
    assert_eq!(
        warnings,
        [format!("database {source}.db is older than source file {source}")]
    );
    assert_eq!(early.take_warnings(), [""; 0], "said once");
    assert!(matches!(
        build::build(&TableRef::new("texthash", &source), added),
        Err(Error::UnknownType { .. })
    ));
    let missing = build::build(&TableRef::new("hash", "/nonexistent/map"), added).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "open database /nonexistent/map: No such file or directory"
    );
}

#[test]
fn aliases_are_built_and_berkeley_databases_are_bypassed() {
    let directory = tempfile::tempdir().unwrap();
    let source = path(
        directory.path(),
        "aliases",
        "postmaster: root\nDaemon:\n  root,\n  \"|cat > /dev/null\"\n",
    );
    let table = TableRef::new("hash", &source);
    assert!(complaint(&table.to_string()).ends_with("Run newaliases to create it"));
    let mut berkeley = vec![0; 8192];
    berkeley[12..16].copy_from_slice(&0x0006_1561u32.to_le_bytes());
    std::fs::write(format!("{source}.db"), berkeley).unwrap();
    let (tables, problems) = open(&table.to_string());
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(
        tables.lookup("daemon").unwrap().as_deref(),
        Some("root, \"|cat > /dev/null\"")
    );
    assert_eq!(
        tables.take_warnings(),
        [format!(
            "{source}.db was written by Berkeley DB: reading {source} instead"
        )]
    );
    let report = build::build(&table, Options::of(Syntax::Aliases)).unwrap();
    assert_eq!((report.entries, report.warnings.len()), (2, 0));
    assert_eq!(
        tables.lookup("DAEMON").unwrap().as_deref(),
        Some("root, \"|cat > /dev/null\"")
    );
    assert_eq!(
        build::entries(&table).unwrap()[0],
        ("postmaster".to_owned(), "root".to_owned())
    );
}

#[test]
fn the_first_table_that_answers_decides_and_an_error_ends_the_search() {
    let refs = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<Vec<TableRef>>()
    };
    let (tables, _) = Tables::open(&refs(&["inline:{a=1}", "inline:{a=2, b=3}"]));
    assert_eq!(tables.lookup("a").unwrap().as_deref(), Some("1"));
    assert_eq!(
        tables.lookup_with_source("b").unwrap().unwrap().1.name,
        "{a=2, b=3}"
    );
    assert_eq!(tables.lookup("c").unwrap(), None);
    let (tables, problems) = Tables::open(&refs(&["inline:{a=1}", "hash:/nonexistent", "static:x"]));
    assert_eq!(problems.len(), 1);
    assert_eq!(tables.lookup("a").unwrap().as_deref(), Some("1"));
    assert!(
        tables.lookup("b").is_err(),
        "what stands behind a broken table must not decide"
    );
    assert!(Tables::default().is_empty());
}

#[test]
fn a_text_table_is_read_again_when_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    let source = path(directory.path(), "map", "a 1\n");
    let (tables, _) = open(&format!("texthash:{source}"));
    assert_eq!(tables.lookup("A").unwrap().as_deref(), Some("1"));
    let new = path(directory.path(), "map.new", "a 2\nbroken\n");
    std::fs::rename(new, &source).unwrap();
    assert_eq!(tables.lookup("a").unwrap().as_deref(), Some("2"));
    let warning = format!("{source}, line 2: expected format: key whitespace value -- ignoring this line");
    assert_eq!(tables.take_warnings(), [warning]);
}

#[test]
fn a_rule_that_makes_no_sense_is_passed_over_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let rules = "/good/ yes\n/x(/ broken\nnonsense\nif /y(/\n/inside/ wrong\nendif\n/end/ ok\n";
    let file = path(directory.path(), "rules", rules);
    let (tables, problems) = open(&format!("regexp:{file}"));
    assert!(matches!(problems.as_slice(), [Error::Skipped { .. }]));
    for (key, value) in [("good", Some("yes")), ("inside", None), ("the end", Some("ok"))] {
        assert_eq!(tables.lookup(key).unwrap().as_deref(), value, "{key}");
    }
    let told = tables.take_warnings();
    // The end of the IF that makes no sense is none of its own mistakes.
    let lines = [2, 3, 4].map(|line| format!("regexp map {file}, line {line}: "));
    assert_eq!(told.len(), lines.len());
    assert!(
        told.iter()
            .zip(&lines)
            .all(|(text, start)| text.starts_with(start)),
        "{told:?}"
    );
    let (_, problems) = open("cidr:{ {10.0.0.0/33 x} }");
    assert!(problems[0].to_string().contains("10.0.0.0/33"));
    let file = path(directory.path(), "networks", "1.2.3.4/33 x\n10.0.0.0/8 y\n");
    let (tables, problems) = open(&format!("cidr:{file}"));
    assert_eq!((problems.len(), tables.take_warnings().len()), (1, 1));
    assert_eq!(tables.lookup("10.1.1.1").unwrap().as_deref(), Some("y"));
}

#[test]
fn keys_can_be_asked_for_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let source = path(directory.path(), "map", "Key 1\nkey2 2\nkey2 3\n");
    let table = TableRef::new("hash", &source);
    build::build(&table, Options::of(Syntax::Map)).unwrap();
    let (built, _) = open(&table.to_string());
    let (text, _) = open(&format!("texthash:{source}"));
    let unfolded = |tables: &Tables, key| tables.lookup_unfolded(key).unwrap();
    assert_eq!(unfolded(&built, "Key"), None, "the database has it folded");
    assert_eq!(unfolded(&built, "key").as_deref(), Some("1"));
    assert_eq!(unfolded(&text, "Key").as_deref(), Some("1"));
    assert_eq!(unfolded(&text, "key"), None);
    assert_eq!(
        text.take_warnings(),
        [format!("{source}, line 3: duplicate entry: \"key2\"")]
    );
}

#[test]
fn warnings_are_told_once_to_whoever_asks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map");
    std::fs::write(&path, "key one\nkey two\n").unwrap();
    let (mut tables, problems) = Tables::open(&[TableRef::new("texthash", path.to_str().unwrap())]);
    assert_eq!(problems, []);
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&told);
    let tell: tables::Tell = std::sync::Arc::new(move |text| log.lock().unwrap().push(text.to_owned()));
    tables.tell_warnings(&tell);
    let at_the_start = told.lock().unwrap().len();
    assert_eq!(at_the_start, 1, "{:?}", told.lock().unwrap());
    for _ in 0..3 {
        assert!(tables.lookup("key").unwrap().is_some());
    }
    assert_eq!(told.lock().unwrap().len(), 1, "not at each look-up");
    assert_eq!(tables.take_warnings(), [""; 0]);
    std::fs::write(&path, "key one\nkey two\nother three\nother four\n").unwrap();
    assert!(tables.lookup("other").unwrap().is_some());
    assert_eq!(
        told.lock().unwrap().len(),
        3,
        "the new reading: {:?}",
        told.lock().unwrap()
    );
}

#[test]
fn an_empty_value_is_no_answer_of_a_list_of_tables() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell: tables::Tell = {
        let told = std::sync::Arc::clone(&told);
        std::sync::Arc::new(move |text: &str| told.lock().unwrap().push(text.to_owned()))
    };
    let words = ["inline:{ a=1, b= }", "inline:{ b=2 }"];
    let refs: Vec<TableRef> = words.iter().map(|word| word.parse().unwrap()).collect();
    let mut tables = Tables::open(&refs).0.titled("virtual_alias_maps");
    tables.tell_warnings(&tell);
    assert_eq!(tables.lookup("a").unwrap().as_deref(), Some("1"));
    let text = "virtual_alias_maps lookup of b returns an empty string result";
    for found in [
        tables.lookup("b"),
        tables.lookup_part("b"),
        tables.lookup_unfolded("b"),
        tables
            .lookup_with_source("b")
            .map(|found| found.map(|(value, _)| value)),
    ] {
        let error = found.unwrap_err();
        assert!(error.is_empty_result() && !error.is_unavailable());
        assert_eq!(error.to_string(), text);
    }
    let advice = "virtual_alias_maps should return NO RESULT in case of NOT FOUND";
    assert_eq!(told.lock().unwrap()[..2], [text, advice]);
    // Lists of names ask for the key only, tools show what stands there.
    assert!(tables.has("b").unwrap() && !tables.has("c").unwrap());
    assert_eq!(
        tables.entry("b", tables::Case::Kept).unwrap().as_deref(),
        Some("")
    );
    let untitled = Tables::open(&refs).0.lookup("b").unwrap_err().to_string();
    assert_eq!(
        untitled,
        "inline:{ a=1, b= } lookup of b returns an empty string result"
    );
}
