//! The POP3 rows.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Host, MANY, Measured, PASSWORD, Row};

const PATIENCE: Duration = Duration::from_secs(120);

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "RETR one by one, messages",
        goal: 2.0,
        measure: |host, _| one_by_one(host),
    },
    Row {
        name: "RETR pipelined, messages",
        goal: 2.5,
        measure: |host, _| pipelined(host),
    },
];

/// A session that has logged in.
fn logged_in(host: &Host<'_>) -> Result<BufReader<TcpStream>> {
    let user = host.warm_user(MANY)?;
    let stream = TcpStream::connect(("127.0.0.1", host.pop3))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut session = BufReader::with_capacity(256 * 1024, stream);
    ok(&mut session)?;
    for command in [format!("USER {user}\r\n"), format!("PASS {PASSWORD}\r\n")] {
        session.get_mut().write_all(command.as_bytes())?;
        ok(&mut session)?;
    }
    Ok(session)
}

fn ok(session: &mut BufReader<TcpStream>) -> Result<()> {
    let mut line = String::new();
    session.read_line(&mut line)?;
    if !line.starts_with("+OK") {
        bail!("the server says {line:?}");
    }
    Ok(())
}

fn one_by_one(host: &Host<'_>) -> Measured {
    let mut session = logged_in(host)?;
    let mut buffer = vec![0; 256 * 1024];
    let began = Instant::now();
    for number in 1..=MANY {
        session
            .get_mut()
            .write_all(format!("RETR {number}\r\n").as_bytes())?;
        let mut end = Vec::new();
        while !end.ends_with(b"\r\n.\r\n") {
            let read = session.read(&mut buffer)?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            end.extend_from_slice(&buffer[read.saturating_sub(5)..read]);
        }
    }
    let took = began.elapsed();
    session.get_mut().write_all(b"QUIT\r\n")?;
    session.read_to_end(&mut buffer)?;
    Ok(Some((MANY, took)))
}

fn pipelined(host: &Host<'_>) -> Measured {
    let session = logged_in(host)?;
    let mut commands = String::new();
    for number in 1..=MANY {
        let _ = write!(commands, "RETR {number}\r\n");
    }
    commands.push_str("NOOP\r\nQUIT\r\n");
    let mut stream = session.into_inner();
    let mut writer = stream.try_clone()?;
    let began = Instant::now();
    let sending = std::thread::spawn(move || writer.write_all(commands.as_bytes()));
    let (mut octets, mut buffer) = (0, vec![0; 256 * 1024]);
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            read => octets += read,
        }
    }
    let took = began.elapsed();
    if !sending.join().is_ok_and(|sent| sent.is_ok()) || (octets as f64) < host.corpus.megabytes() * 1e6 {
        bail!("only {octets} octets came");
    }
    Ok(Some((MANY, took)))
}
