//! How many messages a second the structure parser takes: `cargo run --release -p message --example structure_rate`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement needs the clock and prints"
)]

use std::time::Instant;

use message::Structure;

fn main() {
    let header = "Return-Path: <a@example.com>\r\nReceived: from a (b [192.0.2.1])\r\n\tby c (Postfix) with ESMTPS id 123456789\r\n\tfor <d@example.com>; Thu, 24 Dec 2020 22:25:24 +0900 (JST)\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=abcdefgh\r\nDate: Thu, 24 Dec 2020 22:25:24 +0900\r\nFrom: Alice Example <alice@example.com>\r\nTo: Bob <bob@example.org>, carol@example.net\r\nCc: \"D, E\" <de@example.org>\r\nSubject: =?UTF-8?B?5pel5pys6Kqe?= and more text\r\nMessage-ID: <1234567890@example.com>\r\nIn-Reply-To: <0987654321@example.org>\r\nMIME-Version: 1.0\r\n";
    let text = "A line of text as people write it, about sixty octets.\r\n".repeat(60);
    let plain = format!("{header}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}");
    let nested = format!(
        "{header}Content-Type: multipart/alternative; boundary=\"=_abc123\"\r\n\r\n--=_abc123\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--=_abc123\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n--=_abc123--\r\n"
    );
    for (name, message) in [("plain", plain), ("alternative", nested)] {
        let start = Instant::now();
        let mut parts = 0;
        const COUNT: usize = 200_000;
        for _ in 0..COUNT {
            parts += Structure::parse(std::hint::black_box(message.as_bytes()))
                .root
                .children
                .len();
        }
        let rate = COUNT as f64 / start.elapsed().as_secs_f64();
        println!(
            "{name}: {} octets, {rate:.0} messages/s ({parts} parts)",
            message.len()
        );
    }
}
