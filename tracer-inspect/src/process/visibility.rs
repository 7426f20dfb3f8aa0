//! Whether this process sees the whole host in `/proc`.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, Result, bail};

use crate::error_with_fix::ErrorWithFix;

/// Whether `/proc` shows this process all processes of the host: `false` inside of a pid namespace.
///
/// # Errors
/// `/proc` belongs to another pid namespace, so its pids are not ours; or this process is in a time
/// namespace whose clocks differ from those of the BPF programs.
pub fn shows_all_processes() -> Result<bool> {
    /// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`.
    const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
    let own = fs::read_link("/proc/self").map_err(|error| {
        let cause = format!("cannot read /proc: {error}");
        ErrorWithFix::new(cause, "mount it with mount -t proc proc /proc")
    })?;
    if own.to_str().and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        bail!(ErrorWithFix::new(
            "/proc is that of another pid namespace",
            "in this one, run mount -t proc proc /proc"
        ));
    }
    // The BPF programs read the clock of the host.
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    if offsets.split_whitespace().filter_map(|word| word.parse().ok()).any(|it: i64| it != 0) {
        bail!(ErrorWithFix::new(
            "the clocks of this time namespace differ from the host's",
            "run tracer with nsenter --time=/proc/1/ns/time"
        ));
    }
    let namespace = fs::metadata("/proc/self/ns/pid").context("cannot read /proc/self/ns/pid")?;
    Ok(namespace.ino() == INITIAL_PID_NAMESPACE)
}

/// Whether this process is in a cgroup namespace other than the initial one, so that paths of
/// cgroups are relative to its root.
///
/// # Errors
/// `/proc/self/ns/cgroup` cannot be read: the kernel has no cgroup namespaces.
pub fn has_own_cgroups() -> Result<bool> {
    /// `PROC_CGROUP_INIT_INO` of `include/linux/proc_ns.h`.
    const INITIAL_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;
    let namespace = fs::metadata("/proc/self/ns/cgroup");
    let namespace = namespace.context("cannot read /proc/self/ns/cgroup")?;
    Ok(namespace.ino() != INITIAL_CGROUP_NAMESPACE)
}

/// Host name and kernel release, from `/proc/sys/kernel`.
///
/// # Errors
/// One of the two files cannot be read.
pub fn host() -> io::Result<(String, String)> {
    let read = |name| fs::read(format!("/proc/sys/kernel/{name}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    Ok((text(read("hostname")?), text(read("osrelease")?)))
}

/// The id of this boot of the kernel, a UUID (`/proc/sys/kernel/random/boot_id`); `None` if it
/// cannot be read.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim_end();
    (!id.is_empty()).then(|| id.to_owned())
}
