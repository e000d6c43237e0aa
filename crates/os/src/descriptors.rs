//! Open files on their way between processes: SCM_RIGHTS over a Unix stream socket (unix(7)), and files that live in
//! memory only (memfd_create(2)).

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};

/// How many descriptors go with one write.
pub const DESCRIPTORS_MAX: usize = 64;

/// Connects to the stream socket at `path`. Where nobody accepts and others wait already, it waits as well, but not for longer
/// than `patience`.
///
/// # Errors
/// The system's answer; [`io::ErrorKind::WouldBlock`] when the patience has ended.
pub fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

/// Writes some of `bytes` to a stream socket, `descriptors` with the first of them; returns how many bytes were taken.
///
/// # Errors
/// The system's answer, [`io::ErrorKind::WouldBlock`] among others; nothing was sent then.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    loop {
        match rustix::net::sendmsg(
            &socket,
            &[IoSlice::new(bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Reads some bytes from a stream socket into `into`, and adds the descriptors that came with them to `descriptors`, closed
/// on exec; returns how many bytes came, none at the end.
///
/// # Errors
/// The system's answer; [`io::ErrorKind::InvalidData`] when descriptors were lost for want of room.
pub fn receive(socket: impl AsFd, into: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    loop {
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            &socket,
            &mut [IoSliceMut::new(into)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        );
        let received = match received {
            Err(rustix::io::Errno::INTR) => continue,
            received => received?,
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.flags.contains(rustix::net::ReturnFlags::CTRUNC) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        return Ok(received.bytes);
    }
}

/// A file in memory with everything that `content` gives, which nobody can change any more.
///
/// # Errors
/// When reading fails, or memory is short.
pub fn sealed(content: &mut dyn Read) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("message", flags)?);
    io::copy(content, &mut file)?;
    file.flush()?;
    file.rewind()?;
    rustix::fs::fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// What a sealed file has: nobody writes, grows, shrinks or unseals it.
const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::GROW)
    .union(SealFlags::SHRINK)
    .union(SealFlags::SEAL);

/// Whether nobody can change the file any more: it is one that [`sealed`] made.
pub fn is_sealed(file: impl AsFd) -> bool {
    rustix::fs::fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_comes_with_its_bytes() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let file = sealed(&mut &b"hello"[..]).expect("memory");
        assert_eq!(send(&here, b"one", &[file.as_fd()]).expect("sent"), 3);
        assert_eq!(send(&here, b"two", &[]).expect("sent"), 3);
        drop(here);
        let (mut bytes, mut descriptors, mut all) = ([0; 16], Vec::new(), Vec::new());
        while let Ok(count @ 1..) = receive(&there, &mut bytes, &mut descriptors) {
            all.extend_from_slice(&bytes[..count]);
        }
        assert_eq!(all, b"onetwo");
        let mut text = String::new();
        let mut file = File::from(descriptors.remove(0));
        file.read_to_string(&mut text).expect("read");
        assert_eq!((text.as_str(), descriptors.len()), ("hello", 0));
    }

    #[test]
    fn a_sealed_file_does_not_change() {
        let mut file = sealed(&mut &b"hello"[..]).expect("memory");
        assert!(is_sealed(&file));
        assert!(file.write_all(b"x").is_err() && file.set_len(0).is_err());
        let plain = tempfile::tempfile().expect("a file");
        assert!(!is_sealed(&plain));
    }
}
