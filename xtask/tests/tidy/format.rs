//! White space, length, and marks of unfinished work.

use crate::source_file::SourceFile;

/// The limit in CONTRIBUTING.md; a longer file contains more than one thing.
const MAXIMUM_LINES: usize = 400;

pub(crate) fn no_trailing_white_space(file: &SourceFile, offences: &mut Vec<String>) {
    for (number, line) in file.lines() {
        if line.ends_with(char::is_whitespace) {
            offences.push(file.at(number, "white space at the end of the line"));
        }
    }
}

pub(crate) fn ends_with_one_newline(file: &SourceFile, offences: &mut Vec<String>) {
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        offences.push(file.at(file.lines().count(), "the file must end with one newline"));
    }
}

pub(crate) fn not_too_long(file: &SourceFile, offences: &mut Vec<String>) {
    let count = file.lines().count();
    if count > MAXIMUM_LINES {
        offences.push(file.at(count, "more than 400 lines; split the file by content"));
    }
}

pub(crate) fn nothing_left_to_do(file: &SourceFile, offences: &mut Vec<String>) {
    // Each mark is split in two because this file is also checked.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!(")];
    for (number, line) in file.lines() {
        if marks.iter().any(|mark| line.contains(mark)) {
            offences.push(file.at(number, "finish it, or record elsewhere that it is open"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check;

    #[test]
    fn white_space_and_the_last_newline() {
        check("a.md", "text \nmore\n", &["a.md:1: white space at the end of the line"]);
        check("a.md", "text", &["a.md:1: the file must end with one newline"]);
        check("a.md", "text\n\n", &["a.md:2: the file must end with one newline"]);
    }

    #[test]
    fn four_hundred_lines_are_allowed() {
        check("a.rs", &"//\n".repeat(400), &[]);
        let expected = ["a.rs:401: more than 400 lines; split the file by content"];
        check("a.rs", &"//\n".repeat(401), &expected);
        check("a.md", &"//\n".repeat(401), &[]);
    }

    #[test]
    fn unfinished_work() {
        let expected = ["a.rs:1: finish it, or record elsewhere that it is open"];
        check("a.rs", concat!("// FIX", "ME\n"), &expected);
    }

    #[test]
    fn contributing_states_the_same_limit() {
        let contributing = std::fs::read_to_string(crate::root().join("CONTRIBUTING.md")).unwrap();
        assert!(contributing.contains(&format!("{} lines", super::MAXIMUM_LINES)));
    }
}
