//! The privileges of the worker: it drops all that reading does not need.

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability, CapsHashSet};
use rustix::{
    process::{DumpableBehavior, getuid, set_dumpable_behavior},
    thread::{
        set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
        set_thread_res_uid,
    },
};

use crate::process::identity::NOBODY;

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
/// `exec` could gain, supplementary groups, and the user root. It must be called before another
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
    if may(Capability::CAP_SETGID) {
        set_thread_groups(&[])?;
    }
    // In a user namespace, this user may not exist.
    if getuid().is_root()
        && may(Capability::CAP_SETUID)
        && let Err(error) = become_nobody()
    {
        log::debug!("the inspection worker keeps the user root: {error}");
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

/// Changes user and group. The capabilities stay permitted.
fn become_nobody() -> Result<()> {
    use rustix::process::{Gid, Uid};
    set_keep_capabilities(true)?;
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}
