//! Broken tables, and servers that fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// The directory of the files.
const PLACE: &str = "/srv/broken";

/// A broken table: what it is called here, and `type:name`. Others than these, an empty or damaged `cdb:`, a directory as `texthash:`, end
/// Postfix's programs.
pub(super) const TABLES: &[(&str, &str)] = &[
    ("hash-missing", "hash:/srv/broken/none"),
    ("hash-source-only", "hash:/srv/broken/text"),
    ("hash-garbage", "hash:/srv/broken/garbage"),
    ("hash-empty-file", "hash:/srv/broken/empty"),
    ("hash-directory", "hash:/srv/broken/directory"),
    ("btree-missing", "btree:/srv/broken/none"),
    ("cdb-missing", "cdb:/srv/broken/none"),
    ("lmdb-missing", "lmdb:/srv/broken/none"),
    ("lmdb-garbage", "lmdb:/srv/broken/garbage"),
    ("texthash-missing", "texthash:/srv/broken/none"),
    ("regexp-missing", "regexp:/srv/broken/none"),
    ("pcre-missing", "pcre:/srv/broken/none"),
    ("cidr-missing", "cidr:/srv/broken/none"),
    ("fail", "fail:broken"),
    ("fail-behind-good", "inline:{ { other = x } }, fail:broken"),
    ("unknown-type", "nosuch:/srv/broken/none"),
    ("tcp-refused", "tcp:127.0.0.1:9"),
    ("tcp-closes", "tcp:127.0.0.1:9901"),
    ("tcp-dies", "tcp:127.0.0.1:9902"),
    ("tcp-later", "tcp:127.0.0.1:9903"),
    ("tcp-nonsense", "tcp:127.0.0.1:9904"),
    ("tcp-endless", "tcp:127.0.0.1:9908"),
    ("socketmap-refused", "socketmap:inet:127.0.0.1:9:x"),
    ("socketmap-temp", "socketmap:inet:127.0.0.1:9905:x"),
    ("socketmap-dies", "socketmap:inet:127.0.0.1:9906:x"),
    ("socketmap-huge", "socketmap:inet:127.0.0.1:9907:x"),
    ("tcp-empty", "tcp:127.0.0.1:9909"),
    ("regexp-substitution", "regexp:{ {/(.*)/ x$$1} }"),
    ("pipemap", "pipemap:{ static:x, fail:broken }"),
    ("unionmap", "unionmap:{ static:x, fail:broken }"),
];

/// Makes the files and starts the servers, which end with the process.
pub(super) fn prepare() {
    make_files();
    serve_all();
}

/// Makes the files.
pub(super) fn make_files() {
    let place = Path::new(PLACE);
    std::fs::create_dir_all(place.join("directory.db")).unwrap();
    let texts: [(&str, &[u8]); 7] = [
        ("text", b"a b\n"),
        ("garbage", b"a b\n"),
        ("garbage.db", &[b'x'; 9000]),
        ("garbage.lmdb", &[b'x'; 9000]),
        ("empty", b""),
        ("empty.db", b""),
        ("empty.cdb", b""),
    ];
    for (name, text) in texts {
        std::fs::write(place.join(name), text).unwrap();
    }
}

/// Starts the servers.
pub(super) fn serve_all() {
    serve(9901, |_| ());
    serve(9902, |mut stream| {
        answer(&mut stream, b"200 half an ans");
    });
    serve(
        9903,
        |mut stream| while answer(&mut stream, b"400 come%20back\n") {},
    );
    serve(
        9904,
        |mut stream| while answer(&mut stream, b"what do you mean\n") {},
    );
    serve(9905, |mut stream| netstring(&mut stream, b"15:TEMP come again,"));
    serve(9906, |mut stream| netstring(&mut stream, b"20:OK half"));
    serve(9907, |mut stream| netstring(&mut stream, b"999999999:OK x"));
    serve(9909, |mut stream| while answer(&mut stream, b"200 \n") {});
    serve(9908, |mut stream| {
        answer(&mut stream, b"200 ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
}

fn serve(port: u16, conversation: fn(TcpStream)) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || conversation(stream));
        }
    });
}

/// Answers a question of tcp_table(5); gives whether there was one.
fn answer(stream: &mut TcpStream, text: &[u8]) -> bool {
    let mut question = String::new();
    let asked = BufReader::new(&mut *stream).read_line(&mut question);
    asked.is_ok_and(|length| length > 0) && stream.write_all(text).is_ok()
}

/// Answers the questions of socketmap_table(5), which end with a comma.
fn netstring(stream: &mut TcpStream, text: &[u8]) {
    let mut octet = [0];
    while stream.read_exact(&mut octet).is_ok() {
        if octet == *b"," && (stream.write_all(text).is_err() || !text.ends_with(b",")) {
            return;
        }
    }
}
