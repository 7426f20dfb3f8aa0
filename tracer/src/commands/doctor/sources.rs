//! What a run would look with.

use std::path::Path;

use caps::Capability;

use super::{finding::Finding, host::WITHOUT_PROGRAMS};
use crate::collect::{
    kernel::{
        hooks::Mechanism, load::Kernel, object::KernelOptions, privileges::has,
        tracefs::EVENT_DIRECTORIES,
    },
    sock_diag::SockDiag,
};

const SNAPSHOT: &str = "snapshot";

/// A run looks with the first of these that works.
pub(super) fn all(mechanism: Option<Mechanism>) -> Vec<Finding> {
    let without = SockDiag::open();
    match (Kernel::load(KernelOptions { mechanism, ..KernelOptions::default() }), without) {
        (Ok(mut kernel), without) => {
            let mut findings = vec![Finding::full(SNAPSHOT, "iter/task_file loads")];
            let remedy = hook_remedy();
            let probes = kernel.attach();
            findings.extend(probes.iter().map(|probe| Finding::of_hook(probe, &remedy)));
            findings.push(uprobes(&mut kernel));
            let reserve = without.map_or_else(
                |error| format!("not to be had, and not needed ({error:#})"),
                |_| "would do, with less, if the kernel programs failed".to_owned(),
            );
            findings.push(Finding::full("sock_diag", reserve));
            findings
        }
        (Err(error), Ok(_)) => {
            let found = format!("sock_diag and /proc ({error:#})");
            let remedy = "see the lines above, and what is said in brackets";
            vec![Finding::less(SNAPSHOT, found, WITHOUT_PROGRAMS, remedy)]
        }
        (Err(error), Err(other)) => {
            let remedy = "see the lines above, or load the module tcp_diag";
            vec![Finding::no(SNAPSHOT, format!("{error:#}; {other:#}"), remedy)]
        }
    }
}

/// What would have a hook attached that is not.
fn hook_remedy() -> String {
    let is_mounted = EVENT_DIRECTORIES.into_iter().any(|directory| Path::new(directory).exists());
    let is_privileged = has(Capability::CAP_DAC_READ_SEARCH) && has(Capability::CAP_PERFMON);
    match (is_privileged, is_mounted) {
        (false, _) => {
            "run it as root, or give it CAP_PERFMON and CAP_DAC_READ_SEARCH and: mount \
                       -t tracefs tracefs /sys/kernel/tracing"
        }
        (true, false) => "mount -t tracefs tracefs /sys/kernel/tracing",
        (true, true) => "use a kernel with CONFIG_FTRACE_SYSCALLS=y or CONFIG_KPROBES=y",
    }
    .to_owned()
}

/// What follows the responses of Go programs hangs on their functions.
fn uprobes(kernel: &mut Kernel) -> Finding {
    const SUBJECT: &str = "uprobes";
    match kernel.try_uprobe() {
        Ok(()) => Finding::full(SUBJECT, "can be attached"),
        Err(error) => Finding::less(
            SUBJECT,
            format!("cannot be attached ({error:#})"),
            "of responses of Go programs that nobody closes, those over HTTP/2 are not found, and \
             where others were asked for is not known",
            "run it as root, or give it CAP_PERFMON, and on newer kernels CAP_SYS_ADMIN; the \
             kernel needs CONFIG_UPROBES=y",
        ),
    }
}
