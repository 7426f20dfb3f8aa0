//! Figures on pages are the same as in the generated files.
//!
//! A page has them between two comments, `<!-- COMMAND -->` and `<!-- end -->`. Pages with the same
//! command have the same figures.

use std::collections::BTreeMap;
use std::fs;

use crate::root;
use crate::source_file::{self, SourceFile};

/// The comment below figures.
const END: &str = "<!-- end -->";

/// The commands, with the generated files that contain all of their figures.
const GENERATED: [(&str, &str); 3] = [
    ("cargo xtask bench --write", "docs/benchmark.md"),
    ("cargo xtask corpus --markdown", "docs/corpus.md"),
    ("cargo xtask zoo --markdown", "docs/zoo.md"),
];

/// Figures of a page.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    file: String,
    command: String,
    text: String,
}

#[test]
fn pages_have_the_figures_of_the_generated_files() {
    let files = source_file::all_below(root());
    let blocks: Vec<Block> = files.iter().flat_map(blocks).collect();
    assert_eq!(differences(&blocks), Vec::<String>::new());

    for (command, generated) in GENERATED {
        let generated_text = fs::read_to_string(root().join(generated)).unwrap();
        let of_command: Vec<_> = blocks.iter().filter(|it| it.command == command).collect();
        assert!(!of_command.is_empty(), "no page has the figures of `{command}`");
        for Block { file, text, .. } in of_command {
            assert!(text.contains('|'), "{file}: no table of `{command}`");
            assert!(generated_text.contains(text), "{file} and {generated} differ:\n{text}");
        }
    }
}

/// The figures in a file.
fn blocks(file: &SourceFile) -> Vec<Block> {
    let mut blocks = Vec::new();
    if file.name.extension().is_none_or(|extension| extension != "md") {
        return blocks;
    }
    let mut rest = file.text.as_str();
    while let Some((_, after)) = rest.split_once("<!-- cargo ") {
        let Some((command, after)) = after.split_once(" -->") else { break };
        let Some((text, after)) = after.split_once(END) else { break };
        blocks.push(Block {
            file: file.name.display().to_string(),
            command: format!("cargo {command}"),
            text: text.trim().to_owned(),
        });
        rest = after;
    }
    blocks
}

/// The pages whose figures differ from those of an earlier page with the same command.
fn differences(blocks: &[Block]) -> Vec<String> {
    let mut first: BTreeMap<&str, &Block> = BTreeMap::new();
    let mut differences = Vec::new();
    for block in blocks {
        let other = first.entry(&block.command).or_insert(block);
        if other.text != block.text {
            differences.push(format!("{} and {}: {}", other.file, block.file, block.command));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::{blocks, differences};
    use crate::source_file::SourceFile;

    fn page(name: &str, figure: u32) -> SourceFile {
        let text = format!("x\n<!-- cargo a -->\n\n| {figure} |\n\n<!-- end -->\n<!-- other -->\n");
        SourceFile { name: name.into(), text }
    }

    #[test]
    fn the_same_command_has_the_same_figures() {
        let of = |pages: &[SourceFile]| pages.iter().flat_map(blocks).collect::<Vec<_>>();
        let same = of(&[page("a.md", 1), page("b.md", 1), page("c.rs", 2)]);
        assert_eq!(same.len(), 2);
        assert_eq!(differences(&same), Vec::<String>::new());
        let different = of(&[page("a.md", 1), page("b.md", 2)]);
        assert_eq!(differences(&different), ["a.md and b.md: cargo a"]);
    }
}
