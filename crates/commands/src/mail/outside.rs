//! What a session of `mail` needs from outside itself: the terminal, files, programs, the mail system.

use super::compose::Draft;
use super::folder::{Fate, Folder, Letter};
use super::interrupt::Input;
use super::shell::Editor;
use super::variables::Variables;

/// The terminal, the files, programs and the mail system as the session sees them. Errors are texts for the user.
pub(super) trait Outside {
    /// The user's settings changed.
    fn heed(&mut self, variables: &Variables);

    /// Writes to standard output.
    fn say(&mut self, text: &str);
    /// Writes a long text: through the user's pager, when it does not fit the screen.
    fn page(&mut self, text: &str);
    /// Writes a line to standard error.
    fn complain(&mut self, text: &str);
    /// The next line of input. The prompt is shown to a person only.
    fn ask(&mut self, prompt: &str) -> Input;
    /// Whether the interrupt key was pressed since the last question: long output ends then.
    fn interrupted(&mut self) -> bool;
    /// All input that is left.
    fn rest(&mut self) -> Vec<u8>;
    /// Whether a person types.
    fn is_interactive(&self) -> bool;
    /// Columns and rows of the screen.
    fn screen(&self) -> (usize, usize);
    /// The user's login name.
    fn user(&self) -> &str;

    /// The file that a name of a folder means (`&`, `%`, `%user`, `#`, `+name`, `~/name`).
    fn file_of(&self, name: &str) -> Result<String, String>;
    /// Opens a folder.
    fn load(&mut self, name: &str) -> Result<Folder, String>;
    /// The letters that came into the folder that was opened last and are not in `known`.
    fn arrivals(&mut self, known: &Folder) -> Result<Vec<Letter>, String>;
    /// Writes back the folder that was opened last. How many letters came meanwhile.
    fn store(&mut self, folder: &Folder, fates: &[Fate]) -> Result<usize, String>;
    /// Adds to the end of a file; whether there was one.
    fn append(&mut self, file: &str, content: &[u8]) -> Result<bool, String>;
    /// The content of a file.
    fn read(&mut self, file: &str) -> Result<Vec<u8>, String>;
    /// The names in a directory, in order.
    fn list(&self, directory: &str) -> Result<Vec<String>, String>;
    /// From now on names of files are read from this directory.
    fn change_directory(&mut self, directory: &str) -> Result<(), String>;

    /// Lets the user edit a text.
    fn edit(&mut self, text: &[u8], editor: Editor) -> Result<Vec<u8>, String>;
    /// Runs a command of the shell at the terminal, or with `input` on its standard input; the shell itself when the
    /// command is empty.
    fn run(&mut self, command: &str, input: Option<&[u8]>) -> Result<(), String>;
    /// What a command of the shell writes when it reads `input`.
    fn output_of(&mut self, command: &str, input: &[u8]) -> Result<Vec<u8>, String>;

    /// The message that the draft becomes.
    fn message(&mut self, draft: &Draft) -> Result<Vec<u8>, String>;
    /// Gives the message to the mail system for the draft's recipients.
    fn hand_in(&mut self, draft: &Draft, message: &[u8]) -> Result<(), String>;
    /// The `From ` line with which own letters are kept, its end included.
    fn own_from_line(&self) -> String;
}
