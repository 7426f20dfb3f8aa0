//! The privileges of this process.

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

/// How tests can load BPF programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// This process is allowed to.
    Direct,
    /// Through sudo, if it does not ask for a password.
    Sudo,
}

/// How to load BPF programs on this host.
///
/// # Errors
/// Why that is impossible, and how to change it.
pub(crate) fn kernel_access() -> Result<Access, &'static str> {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err("this kernel has no BTF (/sys/kernel/btf/vmlinux); \
             boot one that is built with CONFIG_DEBUG_INFO_BTF");
    }
    if is_root() {
        return if may_load() {
            Ok(Access::Direct)
        } else {
            Err(
                "root in this container may not load BPF programs; start the container with --privileged",
            )
        };
    }
    if command::succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Ok(Access::Sudo);
    }
    Err("this needs root, and sudo is missing or would ask for a password; \
         run it as root, or run `sudo -v` first")
}

fn may_load() -> bool {
    // A capability is effective only in the initial user namespace, which maps every user id to
    // itself.
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
