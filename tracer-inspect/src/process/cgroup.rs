//! The cgroups and the container of a process.

use std::fs;

use procfs::{ProcessCGroup, process::Process};

use super::container::container;

/// The cgroup of a process in each hierarchy (`/proc/PID/cgroup`); empty if it cannot be read.
pub(super) fn cgroups(process: &Process) -> Vec<ProcessCGroup> {
    process.cgroups().map(|groups| groups.0).unwrap_or_default()
}

/// Whether the freezer has stopped this cgroup or a parent of it (`docker pause`,
/// `systemctl freeze`).
pub(super) fn is_frozen(group: &ProcessCGroup) -> bool {
    let path = group.pathname.trim_start_matches('/');
    let read = |root: &str, file: &str| fs::read_to_string(format!("{root}/{path}/{file}"));
    if group.hierarchy == 0 {
        return ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().any(|root| {
            read(root, "cgroup.events")
                .is_ok_and(|events| events.lines().any(|line| line == "frozen 1"))
        });
    }
    group.controllers.iter().any(|controller| controller == "freezer")
        && read("/sys/fs/cgroup/freezer", "freezer.state")
            .is_ok_and(|state| state.trim_end() != "THAWED")
}

/// Whether a process is in this cgroup or a descendant of it, in any hierarchy.
pub fn is_in_cgroup(pid: u32, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    cgroups_of(pid).iter().any(|group| {
        group
            .pathname
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a process is in a container whose id has this prefix.
pub fn is_in_container(pid: u32, prefix: &str) -> bool {
    container_of(pid).is_some_and(|id| id.starts_with(prefix))
}

/// The id of the container that a process is in.
pub(super) fn container_of(pid: u32) -> Option<String> {
    cgroups_of(pid).iter().find_map(|group| Some(container(&group.pathname)?.id))
}

fn cgroups_of(pid: u32) -> Vec<ProcessCGroup> {
    let process = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok());
    process.map(|process| cgroups(&process)).unwrap_or_default()
}
