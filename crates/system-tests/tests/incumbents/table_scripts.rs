//! The steps of [`crate::table_tools`]: command lines and what they read.

/// One command line.
pub(crate) struct Step {
    /// Its words, with one blank between two; `~` is a blank within a word, `''` a word of nothing.
    pub(crate) command: &'static str,
    /// Its standard input.
    pub(crate) input: &'static str,
    /// The type of table that Debian has in a package of its own.
    pub(crate) needs: Option<&'static str>,
    /// The subject of its row in `differences.tsv`.
    pub(crate) differs: Option<&'static str>,
}

impl Step {
    /// A step that is the same everywhere.
    pub(crate) const fn of(command: &'static str, input: &'static str) -> Step {
        Step {
            command,
            input,
            needs: None,
            differs: None,
        }
    }

    const fn needs(mut self, kind: &'static str) -> Step {
        self.needs = Some(kind);
        self
    }

    const fn differs(mut self, row: &'static str) -> Step {
        self.differs = Some(row);
        self
    }
}

const fn say(command: &'static str) -> Step {
    Step::of(command, "")
}

/// What is in the directory before the first step.
pub(crate) const FILES: &[(&str, &str)] = &[
    (
        "main.cf",
        "compatibility_level = 3.6\nmyhostname = mail.example.test\nmydomain = example.test\nmy_own = a ${myhostname}\n\
                 smtpd_banner = $myhostname ESMTP\n    and more\nmynetworks = 127.0.0.0/8\nsmtpd_client_restrictions = my_class\n",
    ),
    (
        "master.cf",
        "smtp      inet  n       -       n       -       -       smtpd\n  -o smtpd_banner=hello\n\
                   pickup    unix  n       -       n       60      1       pickup\n# a comment\n\
                   mine      unix  -       n       n       -       10      pipe\n  flags=R user=nobody argv=/bin/cat\n",
    ),
    (
        "map",
        "# c\nkey value one\nOther\ttwo\n  continued\nkeyonly\ndup a\nDup b\n\"quo ted\" x\nsp   v1   v2  \n\
             x y\n  \n   cont\n#z\n   cont2\n\"open q\n\\\"b y\n",
    ),
    ("plain", "a 1\nb 2\nc@d.e three\n"),
    ("empty", ""),
    ("accents", "é y\nÉ z\nÄx q\n"),
    (
        "aliases",
        "root: a, b\n\"x y\": c\nUp: Z\nbad\nno:\nat@x: b\n: x\nd: \"|cmd\", :include:/x,/f\nroot: dup\nsp : q\n\
                 c: d, f\ng: h\nk: l\n",
    ),
    ("loose", "k: l m\n"),
    (
        "rules",
        "/^(a)b$/ x$1y\n/^(a)b$/ x${1}z$(1)\n!/q/ no $$ d\nfoo bar\n/a/k x\n/(/ x\nif /zz/\n/zz1/ one\nendif\nendif\n\
               if !/a/ trailing\n/b/\n!/c/ $1\n/d/ $2\n/e/ $0\n/f/ ${1\n/g/ $\n/h\nif\n",
    ),
    (
        "good",
        "/^Subject: +(\\S+) *(buy|sell)?/ REJECT $1 ${2}\n/CASE/i sensitive\nif /^to:/\n/friend/ OK\n!/foe/ stranger\nendif\n\
              /last\\/x/ slash\n/(one|onetwo)(three)?/ $1-$2\n/[[:digit:]]{3}/ digits\n,com.a, comma\n",
    ),
    (
        "nets",
        "10.0.0.0/8 a\n10.0.0.1/8 bad\n!1.2.3.4 neg\nfoo x\n1.2.3.4\nif 5.0.0.0/8\n5.1.1.1 q\n!5.0.0.0/16 r\nendif\nendif\n\
              if !::1 foo\n1.1.1.1/40 x\n2001:db8::/32 six\n",
    ),
    (
        "goodnets",
        "if 10.0.0.0/8\n10.1.0.0/16 one\n!10.2.0.0/16 ten\nendif\n192.0.2.1 exact text\n2001:db8::/32 six\n[::1] loop\n! 3.3.3.3 rest\n",
    ),
    ("broken.db", "garbage"),
    ("part1", "one\n"),
    ("part2", "two"),
    ("files", "cert part1, part2\nmissing ./none\n"),
    ("crlf", "a b\r\nc d\r\n\r\ne f \r\n  g\r\n"),
    ("endless", "a b\nlast one"),
    ("onlykey", "a b\nlast"),
    ("nul", "a b\0c\nd\0e f\n\0g h\nk \0v\nm n\n"),
    (
        "blanks",
        "a\u{c}b\nc\u{b}d\nn\u{a0}b x\nk v\u{a0}\n\u{a0}k2 v2\n\u{2003}wide v\nm  v \t\u{c}\n",
    ),
    ("comment", "   # c\na b\n# d\n  more\n\n\n  and\n#e\n"),
    ("leading", "  a b\nc d\n"),
    (
        "strayrule",
        "# c\n\n  /a/ this is stray, and longer than thirty characters\n\t/b/ more\n/c/ d\n",
    ),
    ("straynet", "  10.0.0.0/16 stray\n10.1.0.0/16 good\n"),
];

/// The same, of what is no text, or long.
pub(crate) fn odd_files() -> Vec<(&'static str, Vec<u8>)> {
    let long = format!(
        "{} v\nlongvalue {}\na b\n",
        "k".repeat(3_000),
        "v ".repeat(50_000)
    );
    let continued = format!("many 0\n{}a b\n", " and more\n".repeat(5_000));
    vec![
        ("latin", b"caf\xe9 x\nok caf\xe9\nlast y\n".to_vec()),
        ("long", long.into_bytes()),
        ("continued", continued.into_bytes()),
    ]
}

const DAMAGED: &str = "postmap: a damaged database";
const LOOSE: &str = "postalias: a blank between two names";
const UNKNOWN: &str = "postmap: building a table of an unknown type";
const DIRECTORY: &str = "postmap: a directory in the place of a file";
const POSTCONF_WORDS: &str = "postconf: what is said of mistakes";
const CDB_MORE: &str = "postmap: -d, -i and -s of cdb: tables";

/// The scripts, each begins with the files as they are above.
pub(crate) const SCRIPTS: &[(&str, &[Step])] = &[
    ("hash", HASH),
    ("lmdb and cdb", LMDB_AND_CDB),
    ("aliases", ALIASES),
    ("patterns", PATTERNS),
    ("networks", NETWORKS),
    ("others", OTHERS),
    ("arguments", ARGUMENTS),
    ("postconf", POSTCONF),
    ("postconf edits", POSTCONF_EDITS),
    ("postconf mistakes", POSTCONF_MISTAKES),
    ("odd sources", SOURCES),
    ("odd aliases", ODD_ALIASES),
];

const SOURCES: &[Step] = &[
    say("postmap hash:crlf"),
    say("postmap -s hash:crlf"),
    say("postmap -s texthash:crlf"),
    say("postmap hash:endless"),
    say("postmap -q last hash:endless"),
    say("postmap -q last texthash:endless"),
    say("postmap hash:onlykey"),
    say("postmap -q last texthash:onlykey"),
    say("postmap hash:nul"),
    say("postmap -s hash:nul"),
    say("postmap -q k texthash:nul"),
    say("postmap hash:blanks"),
    say("postmap -s hash:blanks"),
    say("postmap -s texthash:blanks"),
    say("postmap hash:comment"),
    say("postmap -s hash:comment"),
    say("postmap hash:leading"),
    say("postmap -q a texthash:leading"),
    say("postmap -q /a/ regexp:strayrule"),
    say("postmap -q c regexp:strayrule"),
    say("postmap -q c pcre:strayrule").needs("pcre"),
    say("postmap -q 10.0.0.1 cidr:straynet"),
    say("postmap -q 10.1.0.1 cidr:straynet"),
    say("postmap -s hash:leading"),
    say("postmap hash:latin"),
    say("postmap -s hash:latin"),
    say("postmap -q last texthash:latin"),
    say("postmap hash:long"),
    say("postmap -q longvalue hash:long"),
    say("postmap -q longvalue texthash:long"),
    say("postmap -s hash:long"),
    say("postmap hash:continued"),
    say("postmap -q many hash:continued"),
    say("postmap -q many texthash:continued"),
    say("postmap hash:empty"),
    say("postmap -s hash:empty"),
    say("postmap -q a hash:empty"),
    say("postmap -q a texthash:empty"),
    say("postmap -q a regexp:empty"),
    say("postmap -q a pcre:empty").needs("pcre"),
    say("postmap -q 1.2.3.4 cidr:empty"),
    say("postmap cdb:empty").needs("cdb"),
    say("postmap -q a cdb:empty").needs("cdb"),
    say("postmap lmdb:empty").needs("lmdb"),
    say("postmap -q a lmdb:empty").needs("lmdb"),
    say("postmap cdb:long").needs("cdb"),
    say("postmap -q longvalue cdb:long").needs("cdb"),
    say("postmap -q a texthash:.").differs(DIRECTORY),
    say("postmap -q a regexp:.").differs(DIRECTORY),
    say("postmap -q a cidr:.").differs(DIRECTORY),
    say("postmap hash:.").differs(DIRECTORY),
];

const ODD_ALIASES: &[Step] = &[
    say("postalias hash:crlf"),
    say("postalias hash:endless"),
    say("postalias hash:empty"),
    say("postalias -s hash:empty"),
    say("postalias hash:leading"),
    say("postalias hash:latin"),
    say("postalias -q root hash:none"),
    say("postalias hash:none"),
    say("postalias hash:.").differs(DIRECTORY),
];

const POSTCONF_MISTAKES: &[Step] = &[
    say("postconf -Z").differs(POSTCONF_WORDS),
    say("postconf -m -l"),
    say("postconf -e"),
    say("postconf -n -d"),
    say("postconf -M smtp/inet/x"),
    say("postconf -M a/b/c/d"),
    say("postconf -F smtp/inet/nothing"),
    say("postconf -P smtp/inet/nothing"),
    say("postconf -P smtp"),
    say("postconf -Me bad"),
    say("postconf -Me new/unix"),
    say("postconf -Fe smtp/inet/chroot=q").differs(POSTCONF_WORDS),
    say("postconf -Pe smtp/inet"),
    say("postconf -X").differs(POSTCONF_WORDS),
    say("postconf -# a=b"),
    say("postconf -c /nonexistent myhostname").differs(POSTCONF_WORDS),
    say("postconf -h -x no_such_thing myhostname"),
    say("postconf -o bad -n").differs(POSTCONF_WORDS),
    say("postconf -o mydomain=a.b -o mydomain=c.d -h mydomain"),
    say("postconf -p myhostname"),
    say("postconf -d -n myhostname"),
    say("postconf -a"),
    say("postconf -A"),
    say("postconf -l"),
    say("postconf -C builtin -h mail_name"),
    say("postconf -C wrong"),
    say("postconf -T compile-version").differs(POSTCONF_WORDS),
];

const HASH: &[Step] = &[
    say("postmap hash:map"),
    say("postmap -s hash:map"),
    say("postmap -q key hash:map"),
    say("postmap -q KEY hash:map"),
    say("postmap -f -q KEY hash:map"),
    say("postmap -q zz hash:map"),
    say("postmap -q '' hash:map"),
    say("postmap -q \"quo~ted\" hash:map"),
    say("postmap -q x hash:map"),
    say("postmap -q sp hash:map"),
    Step::of("postmap -q - hash:map", "key\nKEY\nzz\n key\nkey \n\ndup\n"),
    Step::of("postmap -q - hash:map", "zz\n"),
    say("postmap -r hash:map"),
    say("postmap -q dup hash:map"),
    say("postmap -w hash:map"),
    say("postmap -q dup hash:map"),
    Step::of("postmap -i hash:map", "new v\nkey 9\n"),
    say("postmap -q key hash:map"),
    Step::of("postmap -ir hash:map", "key 9\n"),
    say("postmap -q key hash:map"),
    Step::of("postmap -iw hash:map", "key 10\n"),
    Step::of("postmap -i hash:map", "bad\n"),
    say("postmap -d KEY hash:map"),
    say("postmap -d KEY hash:map"),
    say("postmap -q key hash:map"),
    Step::of("postmap -d - hash:map", "new\nnothing\n"),
    Step::of("postmap -d - hash:map", "nothing\n"),
    say("postmap -s hash:map"),
    say("postmap -f hash:map"),
    say("postmap -f -s hash:map"),
    say("postmap -f -q Dup hash:map"),
    say("postmap hash:empty"),
    say("postmap -s hash:empty"),
    say("postmap -q a hash:empty"),
    say("postmap hash:accents"),
    say("postmap -s hash:accents"),
    say("postmap -q É hash:accents"),
    say("postmap hash:plain btree:map"),
    say("postmap -q a btree:map hash:plain"),
    say("postmap -q a hash:plain hash:none"),
    say("postmap -s btree:map hash:plain"),
    say("postmap -p -o hash:plain"),
    say("postmap plain"),
    say("postmap -q b plain"),
    say("postmap -N -q b plain"),
    say("postmap -F hash:files"),
    say("postmap -F -q cert hash:files"),
    say("postmap -F -s hash:files"),
    say("postmap -q cert hash:files"),
    say("postmap -F -q a hash:plain"),
];

const LMDB_AND_CDB: &[Step] = &[
    say("postmap lmdb:map").needs("lmdb"),
    say("postmap -s lmdb:map").needs("lmdb"),
    say("postmap -q KEY lmdb:map").needs("lmdb"),
    say("postmap -q zz lmdb:map").needs("lmdb"),
    say("postmap -r lmdb:map").needs("lmdb"),
    say("postmap -q dup lmdb:map").needs("lmdb"),
    say("postmap -d dup lmdb:map").needs("lmdb"),
    Step::of("postmap -i lmdb:map", "n m\n").needs("lmdb"),
    say("postmap -s lmdb:map").needs("lmdb"),
    say("postmap lmdb:empty").needs("lmdb"),
    say("postmap -s lmdb:empty").needs("lmdb"),
    say("postmap -q a lmdb:none").needs("lmdb"),
    say("postmap cdb:map").needs("cdb"),
    say("postmap -q KEY cdb:map").needs("cdb"),
    say("postmap -q dup cdb:map").needs("cdb"),
    say("postmap -r cdb:map").needs("cdb"),
    say("postmap -q dup cdb:map").needs("cdb"),
    say("postmap cdb:empty").needs("cdb"),
    say("postmap -q a cdb:empty").needs("cdb"),
    say("postmap -s cdb:map").needs("cdb").differs(CDB_MORE),
    say("postmap -d key cdb:map").needs("cdb").differs(CDB_MORE),
    Step::of("postmap -i cdb:map", "n m\n")
        .needs("cdb")
        .differs(CDB_MORE),
    say("postmap -q a cdb:none").needs("cdb"),
];

const ALIASES: &[Step] = &[
    say("postalias hash:aliases"),
    say("postalias -s hash:aliases"),
    say("postalias -q root hash:aliases"),
    say("postalias -q ROOT hash:aliases"),
    say("postalias -q zz hash:aliases"),
    say("postalias -q d hash:aliases"),
    say("postalias -f -q UP hash:aliases"),
    say("postalias -q x~y hash:aliases"),
    Step::of("postalias -q - hash:aliases", "k\nzz\nC\n"),
    say("postalias -r hash:aliases"),
    say("postalias -q root hash:aliases"),
    Step::of("postalias -i hash:aliases", "n: v\n"),
    say("postalias -q n hash:aliases"),
    say("postalias -d n hash:aliases"),
    say("postalias -d n hash:aliases"),
    say("postalias hash:loose"),
    say("postalias -s hash:loose").differs(LOOSE),
    say("postalias"),
    say("postalias -F hash:aliases"),
    say("postalias -h hash:aliases"),
    say("postalias hash:none"),
    say("postalias texthash:aliases"),
    say("postalias lmdb:aliases").needs("lmdb"),
    say("postalias -s lmdb:aliases").needs("lmdb"),
    say("postalias cdb:aliases").needs("cdb"),
    say("postalias -q k cdb:aliases").needs("cdb"),
    say("postalias -f hash:aliases"),
    say("postalias -q Up hash:aliases"),
    say("postalias -f -q Up hash:aliases"),
];

const PATTERNS: &[Step] = &[
    say("postmap -q ab regexp:rules"),
    say("postmap -q q regexp:rules"),
    say("postmap -q Subject:~x regexp:rules"),
    say("postmap -q subject:~pills~buy~now regexp:good"),
    say("postmap -q subject:~pills regexp:good"),
    say("postmap -q case regexp:good"),
    say("postmap -q CASE regexp:good"),
    say("postmap -q to:~friend regexp:good"),
    say("postmap -q To:~foe regexp:good"),
    say("postmap -q to:~other regexp:good"),
    say("postmap -q a~last/x regexp:good"),
    say("postmap -q xonetwothree regexp:good"),
    say("postmap -q onetwo regexp:good"),
    say("postmap -q abc123 regexp:good"),
    say("postmap -q comxa regexp:good"),
    say("postmap -q nothing regexp:good"),
    say("postmap -s regexp:good"),
    say("postmap regexp:good"),
    say("postmap -q a regexp:none"),
    Step::of("postmap -q - regexp:good", "abc123\nto: you\nnone\n"),
    Step::of(
        "postmap -h -q - regexp:good",
        "Subject: cheap buy\nTo: me\nX: abc\n\nbody 123\n",
    ),
    say("postmap -q ab pcre:rules").needs("pcre"),
    say("postmap -q q pcre:rules").needs("pcre"),
    say("postmap -q Subject:~x pcre:rules").needs("pcre"),
    say("postmap -q subject:~pills~buy~now pcre:good").needs("pcre"),
    say("postmap -q subject:~pills pcre:good").needs("pcre"),
    say("postmap -q case pcre:good").needs("pcre"),
    say("postmap -q CASE pcre:good").needs("pcre"),
    say("postmap -q to:~friend pcre:good").needs("pcre"),
    say("postmap -q To:~foe pcre:good").needs("pcre"),
    say("postmap -q to:~other pcre:good").needs("pcre"),
    say("postmap -q a~last/x pcre:good").needs("pcre"),
    say("postmap -q xonetwothree pcre:good").needs("pcre"),
    say("postmap -q onetwo pcre:good").needs("pcre"),
    say("postmap -q abc123 pcre:good").needs("pcre"),
    say("postmap -q comxa pcre:good").needs("pcre"),
    say("postmap -q nothing pcre:good").needs("pcre"),
    say("postmap -s pcre:good").needs("pcre"),
    say("postmap pcre:good").needs("pcre"),
    say("postmap -q a pcre:none").needs("pcre"),
    Step::of("postmap -q - pcre:good", "abc123\nto: you\nnone\n").needs("pcre"),
    Step::of(
        "postmap -h -q - pcre:good",
        "Subject: cheap buy\nTo: me\nX: abc\n\nbody 123\n",
    )
    .needs("pcre"),
];

const NETWORKS: &[Step] = &[
    say("postmap -q 10.1.1.1 cidr:nets"),
    say("postmap -q 5.1.1.1 cidr:nets"),
    say("postmap -q 1.2.3.4 cidr:nets"),
    say("postmap -q x cidr:nets"),
    say("postmap -q 10.1.2.3 cidr:goodnets"),
    say("postmap -q 10.2.1.1 cidr:goodnets"),
    say("postmap -q 10.3.1.1 cidr:goodnets"),
    say("postmap -q 192.0.2.1 cidr:goodnets"),
    say("postmap -q 2001:db8::5 cidr:goodnets"),
    say("postmap -q ::1 cidr:goodnets"),
    say("postmap -q 3.3.3.3 cidr:goodnets"),
    say("postmap -q 4.4.4.4 cidr:goodnets"),
    say("postmap -q text cidr:goodnets"),
    say("postmap -s cidr:nets"),
    say("postmap cidr:nets"),
    say("postmap -q a cidr:none"),
];

const OTHERS: &[Step] = &[
    say("postmap -q a inline:{a=b}"),
    say("postmap -q a inline:{~}"),
    say("postmap -q a inline:{a}"),
    say("postmap -q a inline:a"),
    say("postmap -q a inline:{{a~=~b~c},~x=y,x=z~}"),
    say("postmap -q b inline:{b=}"),
    say("postmap -q c inline:{b=,c=d}"),
    say("postmap -q a inline:{a=1,a=2}"),
    say("postmap -q a static:{}"),
    say("postmap -q a pipemap:{static:a,inline:{a=}}"),
    say("postmap -q a unionmap:{static:a,{static:b~c}}"),
    say("postmap -q a randmap:{{x~y}}"),
    say("postmap -q a pcre:{{/a/~b}}"),
    say("postmap -q ab pcre:{/a/~b}"),
    say("postmap -q a regexp:{{/a/}}"),
    say("postmap -q a pcre:{{/A/X~b}}"),
    say("postmap -q É pcre:{{/é/~b},{/^.$/~c},{/^..$/~d}}"),
    say("postmap -q a static:{~a~b~}"),
    say("postmap -q a static:{{~a~b~}"),
    say("postmap -q '' static:x"),
    say("postmap -q a unionmap:{static:a}"),
    say("postmap -q a unionmap:{static:a,inline:{a=b}}"),
    say("postmap -q a unionmap:{inline:{b=c},inline:{a=b}}"),
    say("postmap -q x unionmap:{inline:{b=c},inline:{a=b}}"),
    say("postmap -q a unionmap:static:a"),
    say("postmap -q a unionmap:{}"),
    say("postmap -q a pipemap:{static:a,inline:{a=c}}"),
    say("postmap -q a pipemap:{static:a,inline:{x=c}}"),
    say("postmap -q a pipemap:{static:a,fail:b}"),
    say("postmap -q a pipemap:{inline:{x=a},fail:b}"),
    say("postmap -q a randmap:{x}"),
    say("postmap -q a randmap:{}"),
    say("postmap -q a randmap:x"),
    say("postmap -q NOT.IN.IT environ:x"),
    say("postmap -q PWDNOT environ:x"),
    say("postmap -q a fail:foo"),
    say("postmap -q a foo:bar"),
    say("postmap -q a internal:x"),
    say("postmap -q a texthash:none"),
    say("postmap -q root unix:passwd.byname"),
    say("postmap -q ROOT unix:passwd.byname"),
    say("postmap -q nobody-here unix:group.byname"),
    say("postmap -q root unix:foo"),
    say("postmap -q key texthash:map"),
    say("postmap -q KEY texthash:map"),
    say("postmap -q zz texthash:map"),
    say("postmap -q a tcp:127.0.0.1:1"),
    say("postmap -q a hash:broken").differs(DAMAGED),
    say("postmap -q a hash:none"),
    say("postmap -q a hash:./plain/x"),
    say("postmap -w -q key texthash:map"),
    say("postmap -s inline:{b=c,a=d}"),
    say("postmap -s texthash:map"),
    say("postmap -s static:x"),
    say("postmap -s unix:passwd.byname"),
    say("postmap -s unionmap:{static:a}"),
    say("postmap -d a texthash:map"),
    say("postmap texthash:map"),
    say("postmap static:map"),
    say("postmap -F -q x static:./part2"),
    say("postmap -F -q x static:./none"),
    say("postmap -F -q a inline:{a=./part1}"),
    Step::of("postmap -q - static:x", "a\nb\n"),
];

const ARGUMENTS: &[Step] = &[
    say("postmap"),
    say("postmap -Z"),
    say("postmap -q"),
    say("postmap -q a"),
    say("postmap -q a -s hash:plain"),
    say("postmap -s -q a hash:plain"),
    say("postmap -q - -d a hash:plain"),
    say("postmap -b -q a hash:plain"),
    say("postmap -h hash:plain"),
    say("postmap hash:none"),
    say("postmap none"),
    say("postmap -d a hash:none"),
    say("postmap -s hash:none"),
    Step::of("postmap -i hash:fresh", ""),
    say("postmap -s hash:fresh"),
    say("postmap -q a hash:"),
    say("postmap -q a :m"),
    say("postmap -c /nonexistent -q a hash:plain"),
    say("postmap foo:plain").differs(UNKNOWN),
    say("postmap -d a foo:plain"),
    say("postmap -s foo:plain"),
];

const POSTCONF: &[Step] = &[
    say("postconf -h myhostname"),
    say("postconf myhostname mydomain"),
    say("postconf -n"),
    say("postconf -h smtpd_banner"),
    say("postconf -x smtpd_banner"),
    say("postconf -x -h my_own"),
    say("postconf my_own"),
    say("postconf -d myhostname_not"),
    say("postconf -d -h queue_run_delay"),
    say("postconf no_such_thing"),
    say("postconf -H mynetworks"),
    say("postconf -d -H message_size_limit"),
    say("postconf -C user"),
    say("postconf -n -x"),
    say("postconf -M"),
    say("postconf -M smtp/inet"),
    say("postconf -M smtp"),
    say("postconf -M none/unix"),
    say("postconf -F smtp/inet"),
    say("postconf -F smtp/inet/chroot"),
    say("postconf -h -F pickup/unix/wakeup"),
    say("postconf -P"),
    say("postconf -P smtp/inet/smtpd_banner"),
    say("postconf -h -P smtp/inet/smtpd_banner"),
    say("postconf -o mydomain=x.y -x -h mydomain"),
    say("postconf -f -n smtpd_banner"),
    say("postconf -d -h virtual_alias_expansion_limit"),
    say("postconf -d alias_maps"),
    say("postconf -d -h default_database_type"),
    say("postconf -h smtpd_client_restrictions"),
];

const POSTCONF_EDITS: &[Step] = &[
    say("postconf -e myorigin=x"),
    say("postconf myorigin"),
    say("postconf relayhost=[a]:25"),
    say("postconf -h relayhost"),
    say("postconf -# myorigin"),
    say("postconf -n"),
    say("postconf -X relayhost"),
    say("postconf -n relayhost"),
    say("postconf -e bad"),
    say("postconf -e =x"),
    say("postconf -X a=b"),
    say("postconf -Me new/unix=new~unix~-~-~n~-~-~smtp"),
    say("postconf -M new/unix"),
    say("postconf -Fe new/unix/chroot=y"),
    say("postconf -F new/unix/chroot"),
    say("postconf -Pe new/unix/ab=c"),
    say("postconf -P new/unix"),
    say("postconf -PX new/unix/ab"),
    say("postconf -MX new/unix"),
    say("postconf -M"),
];
