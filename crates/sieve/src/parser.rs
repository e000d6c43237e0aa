//! Tokens to a tree (RFC 5228 §8.2). Goes on behind a mistake, so that all of them are told in one run.

use crate::diagnostics::Position;
use crate::lexer::{Lexer, Token};

/// How deep blocks nest.
pub const BLOCK_NESTING_MAX: usize = 32;
/// How deep tests nest.
pub const TEST_NESTING_MAX: usize = 32;
/// How many arguments a command has.
pub const ARGUMENTS_MAX: usize = 32;
/// How many mistakes of a text are told.
const COMPLAINTS_MAX: usize = 100;

/// A command or a test with what follows it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// As written.
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) tests: Tests,
    pub(crate) block: Option<Vec<Node>>,
}

/// The tests of a node.
#[derive(Debug, Clone)]
pub(crate) enum Tests {
    None,
    One(Box<Node>),
    List(Vec<Node>),
}

/// An argument and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    pub(crate) value: Value,
    pub(crate) position: Position,
}

/// What an argument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
    List(Vec<String>),
    Tag(String),
}

impl Value {
    /// What messages call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Value::Number(_) => "number",
            Value::Text(_) => "string",
            Value::List(_) => "string list",
            Value::Tag(_) => "tag",
        }
    }
}

/// The commands of a script, or what is wrong with its text.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Vec<(Position, String)>> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        token: Token::End,
        position: Position { line: 1, column: 1 },
        failed: false,
    };
    parser.step();
    let commands = parser.commands(0);
    if parser.token != Token::End && !parser.is_broken() && !parser.failed {
        let found = parser.token.name();
        parser.complain(format!("unexpected {found} found at (the presumed) end of file"));
    }
    match parser.lexer.complaints {
        complaints if complaints.is_empty() => Ok(commands),
        complaints => Err(complaints),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    position: Position,
    /// Nothing behind the mistake can be made out.
    failed: bool,
}

impl Parser<'_> {
    fn step(&mut self) {
        (self.token, self.position) = self.lexer.next();
        if self.lexer.complaints.len() > COMPLAINTS_MAX {
            self.token = Token::End;
            self.failed = true;
        }
    }

    fn is_broken(&self) -> bool {
        self.token == Token::Broken
    }

    fn complain(&mut self, text: String) {
        self.lexer.complaints.push((self.position, text));
    }

    /// `what` was expected; nothing is told when the lexer told already why it could not go on.
    fn expected(&mut self, what: &str) {
        if !self.is_broken() {
            let found = self.token.name();
            self.complain(format!("{what}, but found {found}"));
        }
    }

    fn commands(&mut self, depth: usize) -> Vec<Node> {
        let mut commands = Vec::new();
        while let Token::Identifier(name) = &self.token {
            let name = name.clone();
            let position = self.position;
            self.step();
            let mut node = Node {
                name,
                position,
                arguments: Vec::new(),
                tests: Tests::None,
                block: None,
            };
            let read = self.arguments(&mut node, 0) && self.end_of_command(&mut node, depth);
            if read {
                commands.push(node);
            } else if !self.resynchronise() {
                break;
            }
        }
        commands
    }

    /// The semicolon or the block of a command.
    fn end_of_command(&mut self, node: &mut Node, depth: usize) -> bool {
        match self.token {
            Token::Semicolon => {
                self.step();
                true
            }
            Token::BlockOpen => self.block(node, depth),
            _ => {
                self.expected("expected end of command ';' or the beginning of a compound block '{'");
                false
            }
        }
    }

    fn block(&mut self, node: &mut Node, depth: usize) -> bool {
        if depth + 1 > BLOCK_NESTING_MAX {
            self.complain(format!(
                "cannot nest command blocks deeper than {BLOCK_NESTING_MAX} levels"
            ));
            return false;
        }
        self.step();
        node.block = Some(self.commands(depth + 1));
        if self.token == Token::BlockClose {
            self.step();
            return true;
        }
        self.expected("expected end of compound block '}'");
        false
    }

    fn arguments(&mut self, node: &mut Node, depth: usize) -> bool {
        loop {
            let position = self.position;
            let value = match &mut self.token {
                Token::Text(text) => Value::Text(std::mem::take(text)),
                Token::Number(number) => Value::Number(*number),
                Token::Tag(tag) => Value::Tag(std::mem::take(tag)),
                Token::ListOpen => match self.list() {
                    Some(list) => Value::List(list),
                    None => return false,
                },
                _ => break,
            };
            self.step();
            if node.arguments.len() >= ARGUMENTS_MAX {
                let name = node.name.clone();
                self.complain(format!(
                    "too many arguments for command '{name}' (maximum is {ARGUMENTS_MAX})"
                ));
                return false;
            }
            node.arguments.push(Argument { value, position });
        }
        self.tests(node, depth)
    }

    /// A string list up to its bracket, which is the token then.
    fn list(&mut self) -> Option<Vec<String>> {
        let mut list = Vec::new();
        let mut after = '[';
        loop {
            self.step();
            let Token::Text(text) = &mut self.token else {
                self.expected(&format!("expecting string after '{after}' in string list"));
                return None;
            };
            list.push(std::mem::take(text));
            self.step();
            match self.token {
                Token::Comma => after = ',',
                Token::ListClose => return Some(list),
                _ => {
                    self.expected("expecting ',' or end of string list ']'");
                    return None;
                }
            }
        }
    }

    fn tests(&mut self, node: &mut Node, depth: usize) -> bool {
        match self.token {
            Token::Identifier(_) | Token::TestsOpen if depth >= TEST_NESTING_MAX => {
                self.complain(format!("cannot nest tests deeper than {TEST_NESTING_MAX} levels"));
                false
            }
            Token::Identifier(_) => match self.test(depth + 1) {
                Some(test) => {
                    node.tests = Tests::One(Box::new(test));
                    true
                }
                None => false,
            },
            Token::TestsOpen => self.test_list(node, depth),
            _ => true,
        }
    }

    fn test(&mut self, depth: usize) -> Option<Node> {
        let Token::Identifier(name) = &self.token else {
            return None;
        };
        let mut node = Node {
            name: name.clone(),
            position: self.position,
            arguments: Vec::new(),
            tests: Tests::None,
            block: None,
        };
        self.step();
        self.arguments(&mut node, depth).then_some(node)
    }

    fn test_list(&mut self, node: &mut Node, depth: usize) -> bool {
        let mut list = Vec::new();
        let mut after = '(';
        loop {
            self.step();
            if !matches!(self.token, Token::Identifier(_)) {
                self.expected(&format!("expecting test identifier after '{after}' in test list"));
                if list.is_empty() && self.token == Token::TestsClose {
                    let name = node.name.clone();
                    self.complain(format!("failed to accept more tests for command '{name}'"));
                }
                return false;
            }
            let Some(test) = self.test(depth + 1) else {
                return false;
            };
            list.push(test);
            match self.token {
                Token::Comma => after = ',',
                Token::TestsClose => break,
                _ => {
                    self.expected("expecting ',' or end of test list ')'");
                    return false;
                }
            }
        }
        self.step();
        node.tests = Tests::List(list);
        true
    }

    /// Goes behind the next `;` or block on this level. `false` when there is none.
    fn resynchronise(&mut self) -> bool {
        let mut depth = 0usize;
        loop {
            match self.token {
                Token::End | Token::Broken => {
                    self.failed = true;
                    return false;
                }
                Token::Semicolon if depth == 0 => {
                    self.step();
                    return true;
                }
                Token::BlockOpen => depth += 1,
                Token::BlockClose if depth == 0 => return true,
                Token::BlockClose => {
                    depth -= 1;
                    if depth == 0 {
                        self.step();
                        return true;
                    }
                }
                _ => {}
            }
            self.step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let found = parse(text).err().unwrap_or_default();
        found
            .into_iter()
            .map(|(p, text)| format!("{}:{}: {text}", p.line, p.column))
            .collect()
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!(
            complaints("if header [\"a\" 5] { keep; }\nkeep, stop;\nstop"),
            [
                "1:16: expecting ',' or end of string list ']', but found number",
                "2:5: expected end of command ';' or the beginning of a compound block '{', but found ','",
                "3:5: expected end of command ';' or the beginning of a compound block '{', but found end of file",
            ]
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}true{} {{ }}", "if not ".to_owned() + &"not ".repeat(100), "");
        assert!(complaints(&deep)[0].contains("deeper than 32"));
        let blocks = "if true {".repeat(5_000);
        assert!(complaints(&blocks)[0].contains("deeper than 32"));
    }
}
