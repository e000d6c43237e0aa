//! master.cf edited in place, as `postconf -M`, `-F` and `-P` do: comments and other rows stay.

use std::path::Path;

use crate::main_cf_edit::{by_bytes, rewrite};
use crate::master_cf::{Row, in_braces, parse};
use crate::postconf_master::{FIELDS, Pattern, fields, folded};
use crate::{Error, Severity};

/// A change of the rows that a pattern means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowEdit {
    /// `-M service/type=row`: the row in place of the old one, or a new one at the end.
    Row(Pattern, String),
    /// `-MX`: takes rows out.
    Remove(Pattern),
    /// `-M#`: makes rows comments.
    CommentOut(Pattern),
    /// `-F service/type/field=text`.
    Field(Pattern, String),
    /// `-P service/type/name=text`: one `-o` of rows.
    Parameter(Pattern, String),
    /// `-PX`: takes `-o name` out.
    RemoveParameter(Pattern),
}

impl RowEdit {
    fn pattern(&self) -> &Pattern {
        match self {
            RowEdit::Row(pattern, _)
            | RowEdit::Remove(pattern)
            | RowEdit::CommentOut(pattern)
            | RowEdit::Field(pattern, _)
            | RowEdit::Parameter(pattern, _)
            | RowEdit::RemoveParameter(pattern) => pattern,
        }
    }
}

/// Makes the changes in a file; gives back the numbers of those that found no row.
///
/// # Errors
/// [`Error::Read`], [`Error::Write`]; [`Error::Edit`] when a row would not be one any more. The old file stays then.
pub fn edit_file(path: &Path, edits: &[RowEdit]) -> Result<Vec<usize>, Error> {
    let mut unmatched = Vec::new();
    rewrite(path, |text| {
        let (new, missed) = edited(text, edits)?;
        unmatched = missed;
        Ok(new)
    })?;
    Ok(unmatched)
}

/// The text with the changes made, and the numbers of the changes that found no row.
///
/// # Errors
/// [`Error::Edit`] when a row would not be one any more.
pub fn edited(text: &str, edits: &[RowEdit]) -> Result<(String, Vec<usize>), Error> {
    let mut found = vec![false; edits.len()];
    let mut out = String::new();
    for piece in pieces(text) {
        let mut lines: Vec<String> = piece.iter().map(|line| (*line).to_owned()).collect();
        for (edit, found) in edits.iter().zip(&mut found) {
            let Some(row) = row_of(&lines).filter(|row| edit.pattern().fits_row(row)) else {
                continue;
            };
            *found = true;
            lines = changed(&lines, row, edit)?;
        }
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }
    for (edit, found) in edits.iter().zip(&mut found) {
        if let (RowEdit::Row(_, row), false) = (edit, *found) {
            for line in folded(&read(&by_bytes(row))?) {
                out.push_str(&line);
                out.push('\n');
            }
            *found = true;
        }
    }
    let missed = found.iter().enumerate().filter(|(_, found)| !**found);
    Ok((out, missed.map(|(number, _)| number).collect()))
}

/// Rows with what continues them, and single lines that are no rows. Comments between the lines of a row are its own;
/// those behind it are not.
fn pieces(text: &str) -> Vec<Vec<&str>> {
    let mut pieces: Vec<Vec<&str>> = Vec::new();
    let mut between: Vec<&str> = Vec::new();
    let mut in_row = false;
    for line in text.lines() {
        if is_remark(line) {
            between.push(line);
        } else if in_row && line.starts_with([' ', '\t']) {
            let row = pieces.last_mut().expect("a row was begun");
            row.append(&mut between);
            row.push(line);
        } else {
            pieces.extend(between.drain(..).map(|line| vec![line]));
            pieces.push(vec![line]);
            in_row = true;
        }
    }
    pieces.extend(between.into_iter().map(|line| vec![line]));
    pieces
}

fn is_remark(line: &str) -> bool {
    let bare = line.trim_start();
    bare.is_empty() || bare.starts_with('#')
}

fn row_of(lines: &[String]) -> Option<Row> {
    parse(&lines.join("\n"), &mut Vec::new()).into_iter().next()
}

/// The row of a text.
fn read(text: &str) -> Result<Row, Error> {
    let mut problems = Vec::new();
    let row = parse(text, &mut problems).into_iter().next();
    match problems
        .iter()
        .find(|problem| problem.severity == Severity::Error)
    {
        Some(problem) => Err(Error::Edit(format!("\"{text}\": {}", problem.text))),
        None => row.ok_or_else(|| Error::Edit(format!("\"{text}\" is not a row"))),
    }
}

fn changed(lines: &[String], mut row: Row, edit: &RowEdit) -> Result<Vec<String>, Error> {
    match edit {
        RowEdit::Remove(_) => return Ok(lines.iter().filter(|line| is_remark(line)).cloned().collect()),
        RowEdit::CommentOut(_) => {
            let comment = |line: &String| match is_remark(line) {
                true => line.clone(),
                false => format!("#{line}"),
            };
            return Ok(lines.iter().map(comment).collect());
        }
        RowEdit::Row(_, text) => row = read(&by_bytes(text))?,
        RowEdit::Field(pattern, text) => {
            let mut texts = fields(&row);
            let at = FIELDS.iter().position(|field| Some(*field) == pattern.name());
            // The caller has looked at the name already.
            texts[at.unwrap_or(0)] = by_bytes(text);
            row = read(&texts.join(" "))?;
        }
        RowEdit::Parameter(pattern, text) => {
            let name = pattern.name().unwrap_or_default();
            let setting = in_braces(&format!("{name}={}", by_bytes(text)));
            match place_of(&row, name).first() {
                Some(at) => row.words[*at] = setting,
                None => {
                    let options = option_words(&row);
                    row.words.splice(options..options, ["-o".to_owned(), setting]);
                }
            }
        }
        RowEdit::RemoveParameter(pattern) => {
            for at in place_of(&row, pattern.name().unwrap_or_default())
                .into_iter()
                .rev()
            {
                row.words.drain(at - 1..=at);
            }
        }
    }
    let remarks = lines.iter().filter(|line| is_remark(line)).cloned();
    Ok(folded(&row).into_iter().chain(remarks).collect())
}

/// Where the values of `-o name` stand among the words.
fn place_of(row: &Row, name: &str) -> Vec<usize> {
    let is_it = |word: &String| {
        let bare = word.trim_start_matches('{').trim_start();
        bare.split_once('=')
            .is_some_and(|(known, _)| known.trim_end() == name)
    };
    (1..row.words.len())
        .filter(|at| row.words[at - 1] == "-o" && is_it(&row.words[*at]))
        .collect()
}

/// How many words the options of the command are, with their values.
fn option_words(row: &Row) -> usize {
    let mut at = 0;
    while row.words.get(at).is_some_and(|word| word.starts_with('-')) {
        at += if row.words[at] == "-o" { 2 } else { 1 };
    }
    at.min(row.words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# c\nsmtp inet n - n - - smtpd\n  -o { smtpd_banner = x y } -o mynetworks=1\n# d\n\
        127.0.0.1:26 inet n - n - - smtpd\nqmgr unix n - n 300? 1 qmgr\n";

    fn pattern(text: &str) -> Pattern {
        Pattern::of(text, 3).expect("a pattern")
    }

    fn after(edit: RowEdit) -> String {
        edited(TEXT, &[edit]).expect("possible").0
    }

    #[test]
    fn rows_are_replaced_added_taken_out_and_made_comments() {
        let row = "smtp inet n - y - - smtpd".to_owned();
        assert_eq!(
            after(RowEdit::Row(pattern("smtp/inet"), row)),
            "# c\nsmtp       inet  n       -       y       -       -       smtpd\n# d\n\
             127.0.0.1:26 inet n - n - - smtpd\nqmgr unix n - n 300? 1 qmgr\n"
        );
        let row = "new unix - - - - - smtp".to_owned();
        let added = after(RowEdit::Row(pattern("new/unix"), row));
        assert!(
            added.starts_with(TEXT)
                && added.ends_with("\nnew        unix  -       -       -       -       -       smtp\n")
        );
        assert_eq!(
            after(RowEdit::Remove(pattern("*/inet"))),
            "# c\n# d\nqmgr unix n - n 300? 1 qmgr\n"
        );
        assert!(
            after(RowEdit::CommentOut(pattern("smtp/inet")))
                .starts_with("# c\n#smtp inet n - n - - smtpd\n#  -o { smtpd")
        );
        let bad = RowEdit::Row(pattern("smtp/inet"), "smtp inet n".to_owned());
        assert!(matches!(edited(TEXT, &[bad]), Err(Error::Edit(_))));
        assert_eq!(
            edited(TEXT, &[RowEdit::Remove(pattern("x/inet"))])
                .expect("possible")
                .1,
            [0]
        );
    }

    #[test]
    fn fields_and_settings_of_rows_are_changed() {
        let head =
            "smtp       inet  n       -       n       -       -       smtpd\n    -o {smtpd_banner=x y}\n";
        let set = |name: &str, text: &str| after(RowEdit::Parameter(pattern(name), text.to_owned()));
        assert!(set("smtp/inet/mynetworks", "2").contains(&format!("{head}    -o mynetworks=2\n# d")));
        assert!(set("smtp/inet/new", "2").contains("    -o mynetworks=1\n    -o new=2\n# d"));
        assert!(
            after(RowEdit::RemoveParameter(pattern("smtp/inet/mynetworks"))).contains(&format!("{head}# d"))
        );
        let field = after(RowEdit::Field(pattern("qmgr/unix/chroot"), "y".to_owned()));
        assert!(
            field.ends_with("qmgr       unix  n       -       y       300?    1       qmgr\n"),
            "{field}"
        );
        let wrong = RowEdit::Field(pattern("qmgr/unix/chroot"), "q".to_owned());
        assert!(matches!(edited(TEXT, &[wrong]), Err(Error::Edit(_))));
    }
}
