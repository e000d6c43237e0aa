//! Frames: a length and a JSON value, over any byte stream.

use std::io::{Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest frame that is read or written.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a frame could not be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection broke.
    #[error("the connection broke: {}", os::words(.0))]
    Io(#[from] std::io::Error),
    /// The other side speaks another language, or another version of it.
    #[error("not a frame of this conversation: {0}")]
    Format(#[from] serde_json::Error),
    /// The frame is over the limit.
    #[error("a frame of {0} octets is over the limit of {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// No file came with a frame that needs one.
    #[error("what belongs to a frame did not come with it")]
    NothingEnclosed,
    /// More descriptors than a frame of its length takes.
    #[error("a frame with {0} open files is over the limit")]
    TooManyDescriptors(usize),
}

/// `value` as a frame.
///
/// # Errors
/// When it is too long.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let length = bytes.len() - 4;
    let field = u32::try_from(length)
        .ok()
        .filter(|_| length <= FRAME_BYTES_MAX)
        .ok_or(Error::TooLong(length))?;
    bytes[..4].copy_from_slice(&field.to_be_bytes());
    Ok(bytes)
}

/// The length that the first four octets of a frame announce.
///
/// # Errors
/// When it is over the limit.
pub fn length(field: [u8; 4]) -> Result<usize, Error> {
    let length = u32::from_be_bytes(field) as usize;
    if length > FRAME_BYTES_MAX {
        Err(Error::TooLong(length))
    } else {
        Ok(length)
    }
}

/// The value in a frame's content.
///
/// # Errors
/// When it is not of this conversation.
pub fn decode<T: DeserializeOwned>(content: &[u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(content)?)
}

/// Writes a frame, blocking.
///
/// # Errors
/// When the connection breaks or the value is too long.
pub fn write<T: Serialize>(stream: &mut impl Write, value: &T) -> Result<(), Error> {
    stream.write_all(&encode(value)?)?;
    Ok(stream.flush()?)
}

/// Reads a frame, blocking; `None` at a clean end of the stream.
///
/// # Errors
/// When the connection breaks or what comes is no frame of this conversation.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, Error> {
    let mut field = [0; 4];
    match stream.read_exact(&mut field) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut content = vec![0; length(field)?];
    stream.read_exact(&mut content)?;
    decode(&content).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back() {
        let mut bytes = Vec::new();
        write(&mut bytes, &("hello", 3)).expect("fits");
        let mut stream = bytes.as_slice();
        assert_eq!(
            read::<(String, u32)>(&mut stream).expect("is one"),
            Some(("hello".to_owned(), 3))
        );
        assert_eq!(read::<(String, u32)>(&mut stream).expect("ends"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(
            read::<u32>(&mut &[255u8, 255, 255, 255, 0][..]),
            Err(Error::TooLong(_))
        ));
        assert!(matches!(
            read::<u32>(&mut &[0u8, 0, 0, 2, b'x', b'y'][..]),
            Err(Error::Format(_))
        ));
        assert!(matches!(
            read::<u32>(&mut &[0u8, 0, 0, 9, b'1'][..]),
            Err(Error::Io(_))
        ));
    }
}
