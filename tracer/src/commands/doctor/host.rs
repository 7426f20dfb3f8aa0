//! The kernel, and what it says of itself.

use std::path::Path;

use super::finding::Finding;
use crate::collect::kernel::{lockdown::Lockdown, vmlinux};
use tracer_inspect::process::visibility;

/// What a run without kernel programs costs, in short.
pub(super) const WITHOUT_PROGRAMS: &str =
    "no kernel programs: no events, no call sites, no ages but lower bounds";

pub(super) fn kernel() -> Finding {
    match visibility::host() {
        Ok((_, release)) => Finding::full("kernel", format!("Linux {release}")),
        Err(error) => Finding::no(
            "kernel",
            format!("/proc cannot be read ({error})"),
            "mount -t proc proc /proc",
        ),
    }
}

pub(super) fn type_information() -> Finding {
    let path = Path::new(vmlinux::FILE);
    if path.exists() {
        return Finding::full("BTF", path.display().to_string());
    }
    let found = format!("{} is missing", path.display());
    let remedy = "use a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount /sys";
    Finding::less("BTF", found, WITHOUT_PROGRAMS, remedy)
}

pub(super) fn processes() -> Finding {
    const SUBJECT: &str = "processes";
    match visibility::limits_of_proc() {
        Ok(None) => Finding::full(SUBJECT, "all of the host's can be seen"),
        Ok(Some(_)) => Finding::less(
            SUBJECT,
            "inside a pid namespace",
            "processes outside of it are not seen",
            "run it in the host's (docker run --pid=host)",
        ),
        Err(error) => Finding::no(
            SUBJECT,
            format!("{error:#}"),
            "mount the /proc of this pid namespace: mount -t proc proc /proc",
        ),
    }
}

pub(super) fn containers() -> Finding {
    const SUBJECT: &str = "containers";
    match visibility::has_own_cgroups() {
        Ok(false) => Finding::full(SUBJECT, "are told by the cgroups of their processes"),
        Ok(true) => Finding::less(
            SUBJECT,
            "inside a cgroup namespace",
            "which container this one is, and what is around it, cannot be told; the ids of others \
             can",
            "run it in the host's (docker run --cgroupns=host)",
        ),
        Err(error) => Finding::less(
            SUBJECT,
            format!("{error:#}"),
            "containers are not told",
            "mount the /proc of this pid namespace: mount -t proc proc /proc",
        ),
    }
}

pub(super) fn lockdown() -> Finding {
    const SUBJECT: &str = "lockdown";
    match Lockdown::current() {
        Some(Lockdown::Confidentiality) => Finding::less(
            SUBJECT,
            "confidentiality: not even root may read kernel memory",
            WITHOUT_PROGRAMS,
            "boot with lockdown=integrity or less",
        ),
        Some(mode) => Finding::full(SUBJECT, mode.name()),
        None => Finding::full(SUBJECT, "not to be read here (securityfs is not mounted)"),
    }
}
