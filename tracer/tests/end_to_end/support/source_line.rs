use std::{fs, path::Path};

/// The number of the only line of a file that contains a text.
pub(crate) fn line_of(file: &Path, text: &str) -> usize {
    let source = fs::read_to_string(file).expect("it is a source of the tests");
    let mut numbers = (1..).zip(source.lines()).filter(|(_, line)| line.contains(text));
    let (number, _) = numbers.next().unwrap_or_else(|| panic!("{text:?} is not in the source"));
    assert!(numbers.next().is_none(), "{text:?} is there twice");
    number
}
