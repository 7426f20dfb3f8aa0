//! The privileges of the worker: it drops all that reading does not need.

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability, CapsHashSet};
use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::set_no_new_privs,
};

use crate::unprivileged_user::stop_being_root;

/// The capabilities for reading the processes of other users.
const KEPT: [Capability; 3] = [
    // `/proc/PID`, and the memory of the process.
    Capability::CAP_SYS_PTRACE,
    // Files of `/proc/PID` that only their owner may open, programs and perf maps.
    Capability::CAP_DAC_READ_SEARCH,
    // `/proc/PID/map_files`: files of programs that were deleted or are in a container.
    Capability::CAP_CHECKPOINT_RESTORE,
];

/// Permanently drops everything that reading does not need: capabilities, including those that an
/// `exec` could gain, supplementary groups, and being root. It must be called before another
/// thread is started.
///
/// # Errors
/// The kernel refused.
pub fn drop_privileges() -> Result<()> {
    drop_all().context("cannot drop the privileges of the inspection worker")
}

fn drop_all() -> Result<()> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = KEPT.into_iter().filter(|it| permitted.contains(it)).collect();
    let may = |capability| permitted.contains(&capability);
    if may(Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding)?;
    }
    // Without `CAP_KILL`, the launcher could not kill a process of another user.
    if may(Capability::CAP_KILL)
        && let Err(error) = stop_being_root()
    {
        log::debug!("the inspection worker stays root: {error}");
    }
    // Linux before 4.3 has no ambient capabilities.
    let _ = caps::clear(None, CapSet::Ambient);
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    set_no_new_privs(true)?;
    // No other process of the same user may attach to this one.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::limits::MEMORY_MAX_BYTES;

    /// The table in docs/privileges.md.
    #[test]
    fn what_is_kept_is_what_the_documentation_says() {
        let page = include_str!("../../../docs/privileges.md");
        let row = |name: &str| {
            let start = format!("| {name} | ");
            page.lines().find_map(|line| line.strip_prefix(&start)).expect(name)
        };
        let names = row("capabilities").split('`').filter(|word| word.starts_with("CAP_"));
        let documented: CapsHashSet = names.map(|name| name.parse().unwrap()).collect();
        assert_eq!(documented, KEPT.into());
        assert!(row("memory").starts_with(&format!("{} MiB ", MEMORY_MAX_BYTES >> 20)));
    }
}
