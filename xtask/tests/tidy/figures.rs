//! Figures in the README are those that were measured.

use std::fs;

use crate::root;

#[test]
fn the_readme_has_the_figures_of_the_benchmark() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let measured = fs::read_to_string(root().join("docs/benchmark.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- cargo xtask bench --write -->\n").unwrap();
    let (summary, _) = rest.split_once("<!-- end -->\n").unwrap();
    assert!(summary.contains("| audit of 100000"), "{summary}");
    assert!(measured.contains(summary.trim()), "{summary}");
}
