//! Measured figures in Markdown files: a generated file contains all of them, and other pages
//! repeat parts of it between two comments, `<!-- COMMAND -->` and `<!-- end -->`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace;

/// The comment above figures of the corpus.
const CORPUS: &str = "<!-- cargo xtask corpus --markdown -->\n";
/// The comment above figures of the benchmark.
const BENCHMARK: &str = "<!-- cargo xtask bench --write -->\n";
/// The comment above figures of the zoo.
const ZOO: &str = "<!-- cargo xtask zoo --markdown -->\n";
/// The comment below figures.
const END: &str = "<!-- end -->\n";

/// Writes the tables of a run to docs/corpus.md, and to the pages that show them.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn publish_corpus(figures: &str) -> Result<()> {
    let text = format!(
        "# Results of the corpus\n\nWritten by `cargo xtask corpus --markdown`. [correctness.md](correctness.md#the-corpus) explains \
         the columns.\n\n{}\n",
        figures.trim_end()
    );
    publish("docs/corpus.md", &text, CORPUS, figures)
}

/// Writes the figures of the zoo to docs/zoo.md, and to the pages that show them.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn publish_zoo(figures: &str) -> Result<()> {
    let text = format!(
        "# Results of the zoo\n\nWritten by `cargo xtask zoo --markdown`. [correctness.md](correctness.md#the-zoo) explains the \
         rows.\n\n{}\n",
        figures.trim_end()
    );
    publish("docs/zoo.md", &text, ZOO, figures)
}

/// Writes all measurements to docs/benchmark.md, and the summary to the pages that show it.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn publish_benchmark(all: &str, summary: &str) -> Result<()> {
    publish("docs/benchmark.md", all, BENCHMARK, summary)
}

fn publish(file: &str, text: &str, mark: &str, figures: &str) -> Result<()> {
    write(&workspace::root().join(file), text)?;
    for path in pages()? {
        let page = read(&path)?;
        if let Some(changed) = replace(&page, mark, figures) {
            write(&path, &changed)?;
        }
    }
    Ok(())
}

/// README.md and the files of docs/.
fn pages() -> Result<Vec<PathBuf>> {
    let directory = workspace::root().join("docs");
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .flatten()
        .map(|entry| entry.path());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    Ok(entries.filter(is_page).chain([workspace::root().join("README.md")]).collect())
}

/// The page with other figures below the comment `mark`; `None` if it does not have it.
fn replace(page: &str, mark: &str, figures: &str) -> Option<String> {
    let (before, rest) = page.split_once(mark)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{mark}\n{}\n\n{END}{after}", figures.trim()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BENCHMARK, CORPUS, replace};

    #[test]
    fn only_the_part_between_the_comments_is_replaced() {
        let page = format!("a\n{CORPUS}\nold\n\n<!-- end -->\nz\n");
        let expected = format!("a\n{CORPUS}\nnew\n\n<!-- end -->\nz\n");
        assert_eq!(replace(&page, CORPUS, "new\n"), Some(expected));
        assert_eq!(replace(&page, BENCHMARK, "new"), None);
        assert_eq!(replace(&format!("a\n{CORPUS}\nold\n"), CORPUS, "new"), None);
    }
}
