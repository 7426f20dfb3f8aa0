//! Dependencies among sibling modules, and the cycles in them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use super::module_tree::{ModulePath, Tree};

/// Where one module names another, `file:line` each.
type Places = Vec<String>;

/// The modules on which each module of a folder depends.
type Dependencies = BTreeMap<String, BTreeMap<String, Places>>;

/// Every shortest cycle, with the position of each of its dependencies.
pub(crate) fn cycles(tree: &Tree) -> Vec<String> {
    let mut all = Vec::new();
    for (parent, dependencies) in by_parent(tree) {
        let mut cycles = BTreeSet::new();
        for (from, targets) in &dependencies {
            for to in targets.keys() {
                if let Some(back) = shortest_path(&dependencies, to, from) {
                    cycles.insert(from_smallest(back));
                }
            }
        }
        for cycle in cycles {
            all.push(describe(&parent, &cycle, &dependencies));
        }
    }
    all
}

/// A path from one module to another counts for the two siblings that contain them.
fn by_parent(tree: &Tree) -> BTreeMap<ModulePath, Dependencies> {
    let mut by_parent: BTreeMap<ModulePath, Dependencies> = BTreeMap::new();
    for (from, module) in &tree.modules {
        for path in &module.named.paths {
            let Some(to) = tree.target(from, &path.segments) else { continue };
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            let (Some(leaves), Some(enters)) = (from.get(common), to.get(common)) else { continue };
            let dependencies = by_parent.entry(from[..common].to_vec()).or_default();
            let targets = dependencies.entry(leaves.clone()).or_default();
            let place = format!("{}:{}", module.file.display(), path.line);
            targets.entry(enters.clone()).or_default().push(place);
        }
    }
    by_parent
}

/// The modules on the way from one to another, with both.
fn shortest_path<'a>(
    dependencies: &'a Dependencies,
    from: &'a str,
    to: &str,
) -> Option<Vec<&'a str>> {
    let mut waiting = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(path) = waiting.pop_front() {
        let last = *path.last()?;
        if last == to {
            return Some(path);
        }
        for next in dependencies.get(last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next) {
                waiting.push_back(path.iter().copied().chain([next.as_str()]).collect());
            }
        }
    }
    None
}

/// The same cycle, beginning with the alphabetically first module.
fn from_smallest(mut cycle: Vec<&str>) -> Vec<&str> {
    let smallest = (0..cycle.len()).min_by_key(|&index| cycle[index]).unwrap_or_default();
    cycle.rotate_left(smallest);
    cycle
}

fn describe(parent: &ModulePath, cycle: &[&str], dependencies: &Dependencies) -> String {
    let mut text = [&["crate".to_owned()], &parent[..]].concat().join("::");
    write!(text, ": {} -> {}", cycle.join(" -> "), cycle[0]).unwrap();
    for (from, to) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
        let places = &dependencies[*from][*to];
        write!(text, "\n    {from} -> {to}: {}", places[0]).unwrap();
        if places.len() > 1 {
            write!(text, " and {} more", places.len() - 1).unwrap();
        }
    }
    text
}
