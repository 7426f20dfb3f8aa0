//! Checks of the kernel and of the namespaces in which tracer runs.

use std::path::Path;

use tracer_inspect::process::visibility;

use super::check::{Check, cause_and_fix};
use crate::collect::kernel::{lockdown::Lockdown, vmlinux};

/// What a run without BPF programs is missing, in short.
pub(super) const WITHOUT_PROGRAMS: &str =
    "tracer runs without BPF programs: no events and no call sites, and ages are lower bounds";

const MOUNT_PROC: &str = "mount the /proc of this pid namespace: mount -t proc proc /proc";

pub(super) fn kernel() -> Check {
    match visibility::host() {
        Ok((_, release)) => Check::full("kernel", format!("Linux {release}")),
        Err(error) => Check::unusable(
            "kernel",
            format!("cannot read /proc: {error}"),
            "mount -t proc proc /proc",
        ),
    }
}

pub(super) fn btf() -> Check {
    let path = Path::new(vmlinux::FILE);
    if path.exists() {
        return Check::full("BTF", path.display().to_string());
    }
    Check::degraded(
        "BTF",
        format!("{} does not exist", path.display()),
        WITHOUT_PROGRAMS,
        "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys",
    )
}

pub(super) fn processes() -> Check {
    const SUBJECT: &str = "processes";
    match visibility::shows_all_processes() {
        Ok(true) => Check::full(SUBJECT, "all processes of the host are visible"),
        Ok(false) => Check::degraded(
            SUBJECT,
            "inside a pid namespace",
            "processes outside it are not visible",
            "run tracer in the host's pid namespace (docker run --pid=host)",
        ),
        Err(error) => {
            let (cause, fix) = cause_and_fix(&error, MOUNT_PROC);
            Check::unusable(SUBJECT, cause, fix)
        }
    }
}

pub(super) fn containers() -> Check {
    const SUBJECT: &str = "containers";
    match visibility::has_own_cgroups() {
        Ok(false) => Check::full(SUBJECT, "identified by the cgroups of their processes"),
        Ok(true) => Check::degraded(
            SUBJECT,
            "inside a cgroup namespace",
            "tracer's own container, and those around it, cannot be identified; others can",
            "run tracer in the host's cgroup namespace (docker run --cgroupns=host)",
        ),
        Err(error) => {
            let (cause, fix) = cause_and_fix(&error, MOUNT_PROC);
            Check::degraded(SUBJECT, cause, "containers cannot be identified", fix)
        }
    }
}

pub(super) fn lockdown() -> Check {
    const SUBJECT: &str = "lockdown";
    match Lockdown::current() {
        Some(Lockdown::Confidentiality) => Check::degraded(
            SUBJECT,
            "confidentiality: BPF programs may not read kernel memory",
            WITHOUT_PROGRAMS,
            "boot with lockdown=integrity, or without lockdown",
        ),
        Some(mode) => Check::full(SUBJECT, mode.name()),
        None => Check::full(SUBJECT, "none, or /sys/kernel/security/lockdown cannot be read"),
    }
}
