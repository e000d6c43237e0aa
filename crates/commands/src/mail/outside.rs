//! What a session of `mail` needs from outside itself: the terminal, files, the mail system.

use super::compose::Draft;
use super::folder::{Fate, Folder};

/// The terminal, the files and the mail system as the session sees them. Errors are texts for the user.
pub(super) trait Outside {
    /// Writes to standard output.
    fn say(&mut self, text: &str);
    /// Writes a long text: through the user's pager, when it does not fit the screen.
    fn page(&mut self, text: &str);
    /// Writes a line to standard error.
    fn complain(&mut self, text: &str);
    /// A line of input without its end; `None` at the end of input. The prompt is shown to a person only.
    fn ask(&mut self, prompt: &str) -> Option<Vec<u8>>;
    /// All input that is left.
    fn rest(&mut self) -> Vec<u8>;
    /// Whether a person types.
    fn is_interactive(&self) -> bool;
    /// Columns and rows of the screen.
    fn screen(&self) -> (usize, usize);
    /// The user's login name.
    fn user(&self) -> &str;
    /// The file that a name of a folder means (`&`, `%`, `+name`, `~/name`).
    fn file_of(&self, name: &str) -> String;
    /// Opens a folder.
    fn load(&mut self, name: &str) -> Result<Folder, String>;
    /// Writes back the folder that was opened last. How many letters came meanwhile.
    fn store(&mut self, folder: &Folder, fates: &[Fate]) -> Result<usize, String>;
    /// Adds to the end of a file; whether there was one.
    fn append(&mut self, file: &str, content: &[u8]) -> Result<bool, String>;
    /// The content of a file.
    fn read(&mut self, file: &str) -> Result<Vec<u8>, String>;
    /// Lets the user edit a text.
    fn edit(&mut self, text: &[u8]) -> Result<Vec<u8>, String>;
    /// Sends. `Err` gives the message back as far as it was made, and why it was not sent.
    fn send(&mut self, draft: &Draft) -> Result<Vec<u8>, (Vec<u8>, String)>;
    /// The `From ` line with which own letters are kept, its end included.
    fn own_from_line(&self) -> String;
}
