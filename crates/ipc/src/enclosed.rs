//! Values that grow with an installation, the configuration before all: no frame may be as long as they get, so they go with one as
//! a sealed file in memory.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::Error;

/// `value` as a file that goes with a frame.
///
/// # Errors
/// When memory is short, or the value cannot be written as JSON.
pub fn enclose<T: Serialize>(value: &T) -> Result<OwnedFd, Error> {
    let text = serde_json::to_vec(value)?;
    Ok(os::descriptors::sealed(&mut text.as_slice())?.into())
}

/// The value that came with a frame from somebody who is believed: its length has no limit.
///
/// # Errors
/// When there is none, or it is not of this conversation.
pub fn open<T: DeserializeOwned>(file: Option<OwnedFd>) -> Result<T, Error> {
    let file = file.ok_or(Error::NothingEnclosed)?;
    let file = File::from(file);
    let length = usize::try_from(file.metadata()?.len()).map_err(|_| std::io::ErrorKind::FileTooLarge);
    let mut text = vec![0; length.map_err(std::io::Error::from)?];
    // Others who got the same file share its position, and read at the same time.
    file.read_exact_at(&mut text, 0)?;
    crate::frame::decode(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_readers_of_one_file_do_not_disturb_each_other() {
        let file = enclose(&"the same").expect("memory");
        for _ in 0..2 {
            let copy = file.try_clone().expect("another descriptor");
            assert_eq!(open::<String>(Some(copy)).expect("all of it"), "the same");
        }
    }

    #[test]
    fn what_is_over_the_limit_of_frames_comes_back() {
        let long = vec!["192.0.2.0/24".to_owned(); 2 * crate::frame::FRAME_BYTES_MAX / 12];
        let file = enclose(&long).expect("memory");
        assert!(os::descriptors::is_sealed(&file));
        assert_eq!(open::<Vec<String>>(Some(file)).expect("the same"), long);
        assert!(matches!(open::<u32>(None), Err(Error::NothingEnclosed)));
        let file = enclose(&"x").expect("memory");
        assert!(matches!(open::<u32>(Some(file)), Err(Error::Format(_))));
    }
}
