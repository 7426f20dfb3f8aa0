//! How much of the host this process sees by its `/proc`.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, Result, bail};
use tracer_core::Note;

/// What keeps this process from seeing all of the host by its `/proc`, if anything does.
///
/// # Errors
/// `/proc` is not the one of this process's pid namespace, so it tells of other processes; or the
/// clocks are others than the kernel's.
pub fn limits_of_proc() -> Result<Option<Note>> {
    /// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`.
    const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
    let own = fs::read_link("/proc/self").context("cannot read /proc: is it mounted?")?;
    if own.to_str().and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        bail!("/proc is that of another pid namespace: run `mount -t proc proc /proc` in this one");
    }
    // What the kernel side tells the time by is the clock of the host.
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    if offsets.split_whitespace().filter_map(|word| word.parse().ok()).any(|it: i64| it != 0) {
        bail!(
            "the clocks of this time namespace are not the host's: run it in that, \
             `nsenter --time=/proc/1/ns/time`"
        );
    }
    let namespace = fs::metadata("/proc/self/ns/pid").context("cannot read /proc/self/ns/pid")?;
    let is_inside = namespace.ino() != INITIAL_PID_NAMESPACE;
    Ok(is_inside.then_some(Note::InsidePidNamespace))
}

/// Whether this process is in a cgroup namespace of its own, so that paths of cgroups begin there.
///
/// # Errors
/// `/proc` does not say: the kernel has no cgroups.
pub fn has_own_cgroups() -> Result<bool> {
    /// `PROC_CGROUP_INIT_INO` of `include/linux/proc_ns.h`.
    const INITIAL_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;
    let namespace = fs::metadata("/proc/self/ns/cgroup");
    let namespace = namespace.context("cannot read /proc/self/ns/cgroup")?;
    Ok(namespace.ino() != INITIAL_CGROUP_NAMESPACE)
}

/// Host name and kernel release.
///
/// # Errors
/// If `/proc/sys/kernel` cannot be read.
pub fn host() -> io::Result<(String, String)> {
    let read = |name| fs::read(format!("/proc/sys/kernel/{name}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    Ok((text(read("hostname")?), text(read("osrelease")?)))
}
