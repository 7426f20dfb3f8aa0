//! Which processes belong to which exhibit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The parent of every process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    parents: BTreeMap<u32, u32>,
}

impl Tree {
    /// Reads `/proc/PID/stat` of all processes, except those that exit in the meantime.
    pub(crate) fn read() -> Self {
        let mut parents = BTreeMap::new();
        let Ok(listing) = fs::read_dir("/proc") else { return Self::default() };
        for entry in listing.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let Some(parent) = parent(&stat) {
                parents.insert(pid, parent);
            }
        }
        Self { parents }
    }

    /// The descendants of a process.
    pub(crate) fn descendants(&self, ancestor: u32) -> BTreeSet<u32> {
        self.parents
            .keys()
            .copied()
            .filter(|&pid| self.ancestor(pid, &[ancestor]).is_some())
            .collect()
    }

    /// Which of these processes is an ancestor of the process `pid`: its index.
    fn ancestor(&self, pid: u32, ancestors: &[u32]) -> Option<usize> {
        let mut pid = pid;
        // A table that was read while processes changed could contain a cycle.
        for _ in 0..self.parents.len() {
            pid = *self.parents.get(&pid)?;
            if let Some(index) = ancestors.iter().position(|&ancestor| ancestor == pid) {
                return Some(index);
            }
        }
        None
    }
}

/// The parent in a line of `/proc/PID/stat`. The name in parentheses can contain anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// Kills a process.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // This fails only if it has exited.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The exhibit of every process seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Membership {
    supervisors: Vec<u32>,
    exhibits: BTreeMap<u32, usize>,
    /// The largest number of processes at once, by exhibit.
    most: Vec<usize>,
}

impl Membership {
    /// The supervisors of the exhibits, in the order of the exhibits.
    pub(crate) fn new(supervisors: Vec<u32>) -> Self {
        let most = vec![0; supervisors.len()];
        Self { supervisors, exhibits: BTreeMap::new(), most }
    }

    /// Adds the processes that exist now.
    pub(crate) fn refresh(&mut self) {
        let tree = Tree::read();
        let mut present = vec![0; self.most.len()];
        for &pid in tree.parents.keys() {
            if let Some(exhibit) = tree.ancestor(pid, &self.supervisors) {
                self.exhibits.insert(pid, exhibit);
                present[exhibit] += 1;
            }
        }
        for (most, present) in self.most.iter_mut().zip(present) {
            *most = present.max(*most);
        }
    }

    /// The exhibit of a process: its index.
    pub(crate) fn of(&self, pid: u32) -> Option<usize> {
        self.exhibits.get(&pid).copied()
    }

    /// The largest number of processes of an exhibit at once.
    pub(crate) fn most(&self, exhibit: usize) -> usize {
        self.most.get(exhibit).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::process;

    use super::{Tree, parent};

    #[test]
    fn a_name_can_contain_anything() {
        assert_eq!(parent("12 (a) b (c) S 1 11 10 0 -1"), Some(1));
        assert_eq!(parent("12 (sh"), None);
        assert_eq!(parent(""), None);
    }

    #[test]
    fn descendants_are_found_through_their_parents() {
        let tree = Tree { parents: BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1)]) };
        assert_eq!(tree.descendants(2), BTreeSet::from([3, 4]));
        assert_eq!(tree.ancestor(4, &[5, 2]), Some(1));
        assert_eq!(tree.ancestor(5, &[2]), None);
    }

    #[test]
    fn a_cycle_ends() {
        let tree = Tree { parents: BTreeMap::from([(2, 3), (3, 2)]) };
        assert_eq!(tree.ancestor(2, &[9]), None);
    }

    #[test]
    fn this_process_has_a_parent() {
        assert!(Tree::read().parents.contains_key(&process::id()));
    }
}
