//! A user that owns nothing, for a process that was started by root.

use std::io;

use rustix::{
    process::{Gid, Uid, geteuid, getpid},
    thread::{set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// User IDs from here on are unused by convention: systemd (`UIDS-GIDS`) assigns none between
/// 1,879,048,192 and 2,147,352,575, and directory services such as SSSD none above 2,000,200,000 by
/// default. A pid, which is below 2^22, is added.
const UNUSED: u32 = 2_100_000_000;
/// The IDs that systemd assigns to services while they run (`DynamicUser`), and their number. A user
/// namespace usually has these, but not those above.
const DYNAMIC: (u32, u32) = (61_184, 4_336);

/// If the calling thread runs as root, permanently changes its user and group to a user that no
/// other process has, so that no file is its own and no other process may signal it, and leaves all
/// supplementary groups. Permitted capabilities are kept; effective ones have to be set again.
/// Returns whether the user was changed.
///
/// # Errors
/// `CAP_SETUID` or `CAP_SETGID` is missing, or the user namespace has neither of the users.
pub fn stop_being_root() -> io::Result<bool> {
    if !geteuid().is_root() {
        return Ok(false);
    }
    // In a user namespace, this may not be allowed.
    if let Err(error) = set_thread_groups(&[]) {
        log::debug!("supplementary groups are kept: {error}");
    }
    let pid = getpid().as_raw_pid().cast_unsigned();
    change_user(UNUSED + pid).or_else(|_| change_user(DYNAMIC.0 + pid % DYNAMIC.1))?;
    Ok(true)
}

fn change_user(id: u32) -> io::Result<()> {
    set_keep_capabilities(true)?;
    let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}
