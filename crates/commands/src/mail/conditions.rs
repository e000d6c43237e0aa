//! `if`, `else`, `endif` in mailrc files and at the prompt.

/// How deep conditions lie in each other.
const DEPTH_MAX: usize = 50;

/// What the words after `if` ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// A letter is sent; else mail is read.
    pub(super) is_sending: bool,
    /// A person types.
    pub(super) is_terminal: bool,
}

/// The conditions that are open, the innermost last.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    open: Vec<Branch>,
}

#[derive(Debug, Clone, Copy)]
struct Branch {
    holds: bool,
    has_else: bool,
}

impl Conditions {
    /// Whether the commands that come now are done.
    pub(super) fn hold(&self) -> bool {
        self.open.iter().all(|branch| branch.holds)
    }

    /// `if s`, `if r`, `if t`.
    ///
    /// # Errors
    /// What the user reads.
    pub(super) fn begin(&mut self, word: &str, facts: Facts) -> Result<(), String> {
        let holds = match word.chars().next().map(|first| first.to_ascii_lowercase()) {
            Some('s') => facts.is_sending,
            Some('r') => !facts.is_sending,
            Some('t') => facts.is_terminal,
            _ => return Err(format!("Unrecognized if-keyword: \"{word}\"")),
        };
        if self.open.len() >= DEPTH_MAX {
            return Err("Too many \"if\" without \"endif\"".to_owned());
        }
        self.open.push(Branch {
            holds,
            has_else: false,
        });
        Ok(())
    }

    /// `else`.
    ///
    /// # Errors
    /// What the user reads.
    pub(super) fn turn(&mut self) -> Result<(), String> {
        match self.open.last_mut() {
            Some(branch) if !branch.has_else => {
                (branch.holds, branch.has_else) = (!branch.holds, true);
                Ok(())
            }
            _ => Err("\"else\" without matching \"if\"".to_owned()),
        }
    }

    /// `endif`.
    ///
    /// # Errors
    /// What the user reads.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let closed = self.open.pop();
        closed
            .map(drop)
            .ok_or_else(|| "\"endif\" without matching \"if\"".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_lie_in_each_other() {
        let facts = Facts {
            is_sending: false,
            is_terminal: true,
        };
        let mut conditions = Conditions::default();
        conditions.begin("s", facts).unwrap();
        conditions.begin("term", facts).unwrap();
        assert!(!conditions.hold());
        conditions.turn().unwrap();
        conditions.end().unwrap();
        conditions.turn().unwrap();
        assert!(conditions.hold());
        assert!(conditions.turn().is_err(), "one else is enough");
        conditions.end().unwrap();
        assert!(conditions.end().is_err() && conditions.turn().is_err());
        assert!(conditions.begin("x", facts).is_err());
    }
}
