//! Checks of the sources of snapshots and events.

use std::path::Path;

use caps::Capability;

use super::{
    check::{Check, cause_and_fix},
    host::WITHOUT_PROGRAMS,
};
use crate::collect::{
    kernel::{
        hooks::AttachFamily, load::Kernel, object::KernelOptions, privileges::has,
        tracefs::EVENT_DIRECTORIES,
    },
    sock_diag::SockDiag,
};

const SNAPSHOT: &str = "snapshot";
const SEE_ABOVE: &str = "fix the checks above that are marked `degraded`";

/// A run takes its snapshots with BPF programs if they can be loaded, otherwise with sock_diag(7).
pub(super) fn all(attach_family: Option<AttachFamily>) -> Vec<Check> {
    let sock_diag = SockDiag::open();
    let options = KernelOptions { attach_family, ..KernelOptions::default() };
    match (Kernel::load(options), sock_diag) {
        (Ok(mut kernel), sock_diag) => {
            let mut checks = vec![Check::full(SNAPSHOT, "by BPF iterator task_file")];
            let fix = hook_fix();
            let probes = kernel.attach();
            checks.extend(probes.iter().map(|probe| Check::of_hook(probe, fix)));
            checks.push(uprobes(&mut kernel));
            let found = sock_diag.map_or_else(
                |error| format!("not available, and not needed here: {error:#}"),
                |_| "available as fallback for BPF programs".to_owned(),
            );
            checks.push(Check::full("sock_diag", found));
            checks
        }
        (Err(error), Ok(_)) => {
            let (cause, fix) = cause_and_fix(&error, SEE_ABOVE);
            let found = format!("by sock_diag and /proc: {cause}");
            vec![Check::degraded(SNAPSHOT, found, WITHOUT_PROGRAMS, fix)]
        }
        (Err(error), Err(other)) => {
            let (cause, fix) = cause_and_fix(&error, SEE_ABOVE);
            let (other_cause, other_fix) = cause_and_fix(&other, SEE_ABOVE);
            let (found, fix) =
                (format!("{cause}; {other_cause}"), format!("{fix}; or {other_fix}"));
            vec![Check::unusable(SNAPSHOT, found, fix)]
        }
    }
}

/// How to attach a hook that is not attached.
fn hook_fix() -> &'static str {
    let is_mounted = EVENT_DIRECTORIES.into_iter().any(|directory| Path::new(directory).exists());
    let is_privileged = has(Capability::CAP_DAC_READ_SEARCH) && has(Capability::CAP_PERFMON);
    match (is_privileged, is_mounted) {
        (false, _) => {
            "run as root, or grant CAP_PERFMON and CAP_DAC_READ_SEARCH and: mount -t tracefs \
             tracefs /sys/kernel/tracing"
        }
        (true, false) => "mount -t tracefs tracefs /sys/kernel/tracing",
        (true, true) => "use a kernel built with CONFIG_FTRACE_SYSCALLS=y or CONFIG_KPROBES=y",
    }
}

/// Uprobes track the HTTP responses of Go programs.
fn uprobes(kernel: &mut Kernel) -> Check {
    const SUBJECT: &str = "uprobes";
    match kernel.try_uprobe() {
        Ok(()) => Check::full(SUBJECT, "can be attached"),
        Err(error) => Check::degraded(
            SUBJECT,
            format!("cannot be attached: {error:#}"),
            "in Go programs, HTTP/2 responses that are never closed are not found, and the call \
             sites of HTTP/1 responses are unknown",
            "run as root, or grant CAP_PERFMON, on newer kernels also CAP_SYS_ADMIN; the kernel \
             needs CONFIG_UPROBES=y",
        ),
    }
}
