//! Rules of the house that no compiler or formatter checks, as a test over the files themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer files hold more than one thing.
const MAXIMUM_LINES: usize = 600;

/// Reports each place in a file that breaks a rule.
type Rule = fn(&SourceFile, &mut Vec<String>);

#[test]
fn every_file_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files = source_files(root);
    assert!(files.len() > 20, "only {} files found below {}", files.len(), root.display());

    let offences = offences(&files);

    let mut message = String::new();
    for offence in &offences {
        writeln!(message, "{offence}").unwrap();
    }
    assert!(offences.is_empty(), "\n{message}");
}

#[test]
fn the_figures_of_the_readme_are_those_that_were_measured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let measured = fs::read_to_string(root.join("docs/benchmark.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- cargo xtask bench --write -->\n").unwrap();
    let (summary, _) = rest.split_once("<!-- end -->\n").unwrap();
    assert!(summary.contains("| audit of 100000"), "{summary}");
    assert!(measured.contains(summary.trim()), "{summary}");
}

fn offences(files: &[SourceFile]) -> Vec<String> {
    let every_file: [Rule; 2] = [no_trailing_white_space, ends_with_one_newline];
    let rust_only: [Rule; 5] =
        [not_too_long, no_mod_rs, nothing_left_to_do, unsafe_is_justified, escapes_only_in_sinks];

    let mut offences = Vec::new();
    for file in files {
        let rust = if file.is_rust() { &rust_only[..] } else { &[] };
        every_file.iter().chain(rust).for_each(|rule| rule(file, &mut offences));
    }
    offences
}

fn no_trailing_white_space(file: &SourceFile, offences: &mut Vec<String>) {
    for (number, line) in file.lines() {
        if line.ends_with(char::is_whitespace) {
            offences.push(file.at(number, "white space at the end of the line"));
        }
    }
}

fn ends_with_one_newline(file: &SourceFile, offences: &mut Vec<String>) {
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        offences.push(file.at(file.lines().count(), "the file must end with one newline"));
    }
}

fn not_too_long(file: &SourceFile, offences: &mut Vec<String>) {
    let count = file.lines().count();
    if count > MAXIMUM_LINES {
        offences.push(file.at(count, "too long; split it by what it holds"));
    }
}

fn no_mod_rs(file: &SourceFile, offences: &mut Vec<String>) {
    if file.name.ends_with("mod.rs") {
        offences.push(file.at(1, "name modules after their content: source.rs beside source/"));
    }
}

fn nothing_left_to_do(file: &SourceFile, offences: &mut Vec<String>) {
    // In two parts, for this file is checked too.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!(")];
    for (number, line) in file.lines() {
        if marks.iter().any(|mark| line.contains(mark)) {
            offences.push(file.at(number, "finish it, or write down elsewhere that it is open"));
        }
    }
}

fn unsafe_is_justified(file: &SourceFile, offences: &mut Vec<String>) {
    // In two parts, for this file is checked too.
    let openings = [concat!("unsafe", " {"), concat!("unsafe", " impl ")];
    let lines: Vec<_> = file.lines().map(|(_, line)| line.trim()).collect();
    for (index, line) in lines.iter().enumerate() {
        let opens = openings.iter().any(|opening| line.contains(opening));
        if opens && !line.starts_with("//") && !justified(&lines[..index]) {
            offences.push(file.at(index + 1, "no `// SAFETY:` comment above says why this holds"));
        }
    }
}

/// Whether the comment above a statement justifies it. `before` is everything above the line, whose
/// last part may be the beginning of the same statement.
fn justified(before: &[&str]) -> bool {
    let mut above = before.iter().rev();
    let mut comment = above.find(|line| {
        line.is_empty() || line.starts_with("//") || line.ends_with(';') || line.ends_with('}')
    });
    while let Some(line) = comment.filter(|line| line.starts_with("//")) {
        if line.starts_with("// SAFETY:") {
            return true;
        }
        comment = above.next();
    }
    false
}

fn escapes_only_in_sinks(file: &SourceFile, offences: &mut Vec<String>) {
    // Tests feed hostile escapes to the program; only the sinks may write any.
    let in_program =
        file.name.starts_with("tracer/src") && !file.name.starts_with("tracer/src/output");
    if !in_program {
        return;
    }
    for (number, line) in file.lines().take_while(|(_, line)| !line.starts_with("#[cfg(test)]")) {
        if ["\\x1b", "\\u{1b}", "\\u{001b}"].iter().any(|it| line.to_lowercase().contains(it)) {
            offences.push(file.at(number, "terminal escapes belong into tracer/src/output/"));
        }
    }
}

struct SourceFile {
    /// Relative to the workspace.
    name: PathBuf,
    text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.name.extension().is_some_and(|end| end == "rs")
    }

    /// Lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    fn at(&self, line: usize, offence: &str) -> String {
        format!("{}:{line}: {offence}", self.name.display())
    }
}

/// Every file of ours below `root` that people write: code, settings and prose.
fn source_files(root: &Path) -> Vec<SourceFile> {
    let mut directories = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                // Build products, also of builds that share the directory, and version control.
                if !name.starts_with("target") && name != ".git" {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|end| {
                ["rs", "toml", "md", "yml", "sh"].iter().any(|written| end == *written)
            }) || path.ends_with(".ci/run")
            {
                let text = fs::read_to_string(&path).unwrap();
                files.push(SourceFile { name: path.strip_prefix(root).unwrap().into(), text });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

#[track_caller]
fn check(name: &str, text: &str, expected: &[&str]) {
    let file = SourceFile { name: name.into(), text: text.to_owned() };
    assert_eq!(offences(&[file]), expected);
}

#[test]
fn each_rule_finds_its_offence() {
    check("a.md", "text \nmore\n", &["a.md:1: white space at the end of the line"]);
    check("a.md", "text", &["a.md:1: the file must end with one newline"]);
    check(
        "a.rs",
        &"\n//".repeat(600),
        &[
            "a.rs:601: the file must end with one newline",
            "a.rs:601: too long; split it by what it holds",
        ],
    );
    check(
        "a/mod.rs",
        "//!\n",
        &["a/mod.rs:1: name modules after their content: source.rs beside source/"],
    );
    check(
        "a.rs",
        concat!("// FIX", "ME\n"),
        &["a.rs:1: finish it, or write down elsewhere that it is open"],
    );
    check(
        "tracer/src/table.rs",
        "let red = \"\\x1B[31m\";\n",
        &["tracer/src/table.rs:1: terminal escapes belong into tracer/src/output/"],
    );
    check("tracer/src/output/table.rs", "let red = \"\\x1B[31m\";\n", &[]);
}

#[test]
fn unsafe_needs_a_reason_of_its_own() {
    let opening = concat!("unsafe", " { f() };\n");
    let offence = |line| format!("a.rs:{line}: no `// SAFETY:` comment above says why this holds");

    check("a.rs", opening, &[&offence(1)]);
    check("a.rs", &format!("// SAFETY: f may be called\n// at any time.\n{opening}"), &[]);
    check("a.rs", &format!("// SAFETY: f may be called.\nlet x =\n    {opening}"), &[]);
    check("a.rs", &format!("// SAFETY: f may be called.\n{opening}{opening}"), &[&offence(3)]);
    check("a.rs", &format!("// SAFETY: f may be called.\n\n{opening}"), &[&offence(3)]);
}
