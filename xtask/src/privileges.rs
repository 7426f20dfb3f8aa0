//! What the kernel lets this process do.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command;

/// `CAP_SYS_ADMIN` of `include/uapi/linux/capability.h`, which includes `CAP_BPF`.
const SYSTEM_ADMINISTRATION: u64 = 1 << 21;
/// `CAP_BPF` of `include/uapi/linux/capability.h`.
const BPF: u64 = 1 << 39;

/// Whether the effective user is root.
pub(crate) fn is_root() -> bool {
    status_field("Uid:").and_then(|ids| ids.split_whitespace().nth(1).map(|id| id == "0"))
        == Some(true)
}

/// How end-to-end tests can load kernel programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// This process may.
    Direct,
    /// sudo gives root without asking for a password.
    Sudo,
}

/// How to load kernel programs here.
///
/// # Errors
/// Why that is impossible, and the remedy.
pub(crate) fn kernel_access() -> Result<Access, &'static str> {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err("this kernel has no type information (/sys/kernel/btf/vmlinux); \
             use one built with CONFIG_DEBUG_INFO_BTF");
    }
    if is_root() {
        return if may_load() {
            Ok(Access::Direct)
        } else {
            Err("this container's root may not load kernel programs; start it with --privileged")
        };
    }
    if command::succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Ok(Access::Sudo);
    }
    Err("they need root, and sudo is missing or would ask for a password; \
         run as root, or `sudo -v` first")
}

fn may_load() -> bool {
    // A capability counts for nothing here unless it holds in the initial user namespace, which is
    // the one that maps every user id to itself.
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if users.split_whitespace().ne(["0", "0", "4294967295"]) {
        return false;
    }
    let effective = status_field("CapEff:").and_then(|set| u64::from_str_radix(&set, 16).ok());
    effective.is_some_and(|set| set & (BPF | SYSTEM_ADMINISTRATION) != 0)
}

fn status_field(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}
