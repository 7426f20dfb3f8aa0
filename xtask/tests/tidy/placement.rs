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
}
