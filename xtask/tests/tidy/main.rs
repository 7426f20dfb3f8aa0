//! Rules for this repository that no compiler or formatter checks: a test that reads the files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cycles;
mod figures;
mod format;
mod placement;
mod safety;
mod source_file;

use std::fmt::Write;
use std::path::Path;

use source_file::SourceFile;

/// Reports each place in a file that breaks a rule.
type Rule = fn(&SourceFile, &mut Vec<String>);

/// Rules for files of every kind.
const EVERY_FILE: [Rule; 2] = [format::no_trailing_white_space, format::ends_with_one_newline];

/// Rules for Rust sources.
const RUST: [Rule; 6] = [
    format::not_too_long,
    format::nothing_left_to_do,
    placement::no_mod_rs,
    placement::escapes_only_in_output,
    placement::processes_are_read_by_workers,
    safety::unsafe_is_justified,
];

#[test]
fn every_file_follows_the_rules() {
    let files = source_file::all_below(root());
    assert!(files.len() > 20, "only {} files found below {}", files.len(), root().display());

    let offences = offences(&files);

    let mut message = String::new();
    for offence in &offences {
        writeln!(message, "{offence}").unwrap();
    }
    assert!(offences.is_empty(), "\n{message}");
}

/// The workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn offences(files: &[SourceFile]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        let rust = if file.is_rust() { &RUST[..] } else { &[] };
        EVERY_FILE.iter().chain(rust).for_each(|rule| rule(file, &mut offences));
    }
    offences
}

/// Applies all rules to a synthetic file.
#[track_caller]
fn check(name: &str, text: &str, expected: &[&str]) {
    let file = SourceFile { name: name.into(), text: text.to_owned() };
    assert_eq!(offences(&[file]), expected);
}
