//! No import cycle among sibling modules, at any level of any crate: of two modules in the same
//! folder, at most one depends on the other, regardless of how deep below them the imports are.
//!
//! Code that is compiled only for tests or fuzzing does not count.

mod cfg;
mod graph;
mod module_tree;
mod references;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;
use module_tree::Tree;

#[test]
fn no_sibling_modules_import_each_other() {
    let mut message = String::new();
    let mut modules = 0;
    for crate_root in crate_roots(root()) {
        let tree = Tree::read(&crate_root, &|file| fs::read_to_string(root().join(file)).ok());
        modules += tree.modules.len();
        for cycle in graph::cycles(&tree) {
            writeln!(message, "{}: {cycle}\n", crate_root.display()).unwrap();
        }
    }
    assert!(modules > 200, "only {modules} modules found");
    assert!(message.is_empty(), "import cycles:\n\n{message}");
}

/// The file with which each crate of the repository begins, relative to `root`.
fn crate_roots(root: &Path) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    for entry in root.read_dir().unwrap() {
        let package = entry.unwrap().path();
        if !package.join("Cargo.toml").is_file() {
            continue;
        }
        for place in ["src", "src/bin", "benches", "examples", "fuzz_targets", "tests"] {
            let targets = package.join(place).read_dir().into_iter().flatten();
            for target in targets.map(|entry| entry.unwrap().path()) {
                let main = target.join("main.rs");
                if is_root(place, &target) {
                    roots.push(target);
                } else if place != "src" && main.is_file() {
                    roots.push(main);
                }
            }
        }
    }
    let mut roots: Vec<_> =
        roots.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect();
    roots.sort();
    roots
}

/// Whether a crate begins with this file, by the conventions of cargo.
fn is_root(place: &str, file: &Path) -> bool {
    let is_main = file.ends_with("lib.rs") || file.ends_with("main.rs");
    is_main || (place != "src" && file.extension().is_some_and(|extension| extension == "rs"))
}
