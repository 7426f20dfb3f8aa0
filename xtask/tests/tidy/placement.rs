//! Rules about where code belongs.

use crate::source_file::SourceFile;

/// The directory of the program that may write terminal escapes.
const MAY_ESCAPE: &str = "tracer/src/output";

pub(crate) fn no_mod_rs(file: &SourceFile, offences: &mut Vec<String>) {
    if file.name.ends_with("mod.rs") {
        offences.push(file.at(1, "name modules after their content: source.rs beside source/"));
    }
}

pub(crate) fn escapes_only_in_output(file: &SourceFile, offences: &mut Vec<String>) {
    let in_program = file.name.starts_with("tracer/src");
    // Tests feed hostile escapes to the program.
    let is_test = file.name.iter().any(|part| part == "tests" || part == "tests.rs");
    if !in_program || is_test || file.name.starts_with(MAY_ESCAPE) {
        return;
    }
    for (number, line) in file.lines().take_while(|(_, line)| !line.starts_with("#[cfg(test)]")) {
        if ["\\x1b", "\\u{1b}", "\\u{001b}"].iter().any(|it| line.to_lowercase().contains(it)) {
            offences.push(file.at(number, "terminal escapes belong in tracer/src/output/"));
        }
    }
}

/// What reads watched processes: only a worker may use it, or a test.
const READERS: [&str; 6] = [
    "inspector::",
    "native::",
    "Mappings::of",
    "ProcessMemory",
    "regular_file::",
    "BlockedThreads",
];

pub(crate) fn processes_are_read_by_workers(file: &SourceFile, offences: &mut Vec<String>) {
    let is_test = file.name.iter().any(|part| part == "tests" || part == "as_root.rs");
    if !file.name.starts_with("tracer/src") || is_test {
        return;
    }
    for (number, line) in file.lines().take_while(|(_, line)| !line.starts_with("#[cfg(test)]")) {
        if READERS.iter().any(|reader| line.contains(reader)) {
            offences.push(file.at(number, "ask an inspection worker instead of reading a process"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check;

    #[test]
    fn modules_are_named_after_their_content() {
        let expected = ["a/mod.rs:1: name modules after their content: source.rs beside source/"];
        check("a/mod.rs", "//!\n", &expected);
    }

    #[test]
    fn only_outputs_write_escapes() {
        let text = "let red = \"\\x1B[31m\";\n";
        let expected = ["tracer/src/table.rs:1: terminal escapes belong in tracer/src/output/"];
        check("tracer/src/table.rs", text, &expected);
        check("tracer/src/output/table.rs", text, &[]);
        check("tracer/src/tests/table.rs", text, &[]);
        check("tracer-core/src/table.rs", text, &[]);
    }

    #[test]
    fn only_workers_read_processes() {
        let text = "use tracer_inspect::inspector::Inspector;\n";
        let expected = ["tracer/src/collect/observer.rs:1: ask an inspection worker instead of \
                         reading a process"];
        check("tracer/src/collect/observer.rs", text, &expected);
        check("tracer/src/collect/ledger/as_root.rs", text, &[]);
        check("tracer-inspect/src/worker.rs", text, &[]);
    }
}
