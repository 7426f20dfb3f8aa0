//! Checks of capabilities, and of the sysctls that restrict processes without them.

use caps::Capability;

use super::{check::Check, host::WITHOUT_PROGRAMS};
use crate::collect::kernel::privileges::{has, may_load_programs, setting};

/// How to get the capabilities. `setcap` replaces the capabilities of a file, so the command names
/// all of them. A change of the file's group would remove them, so access is restricted first.
const GRANT: &str = "run as root, or restrict who may execute the file, then: setcap \
                     cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep \
                     \"$(command -v tracer)\"";

pub(super) fn all() -> Vec<Check> {
    let mut checks = vec![
        programs(),
        capability(
            Capability::CAP_SYS_PTRACE,
            "the executables, readers and Go HTTP responses of other users' processes are \
             unknown; without BPF programs, those processes are not visible",
        ),
        capability(
            Capability::CAP_DAC_READ_SEARCH,
            "for other users' processes, readers of the kinds thread and epoll are unknown; accept \
             tracepoints cannot be attached; without BPF programs, those processes are not visible",
        ),
    ];
    checks.extend(unprivileged_bpf());
    checks.extend(perf_event_paranoid());
    let kernel_addresses = setting("kernel.kptr_restrict");
    checks.extend(kernel_addresses.map(|found| {
        Check::full(
            "kptr_restrict",
            format!("{found}: no effect, because no kernel address is read"),
        )
    }));
    checks.extend(ptrace_scope());
    checks
}

fn programs() -> Check {
    const SUBJECT: &str = "CAP_BPF, CAP_PERFMON";
    if may_load_programs() {
        return Check::full(SUBJECT, "available");
    }
    let found = match (has(Capability::CAP_BPF), has(Capability::CAP_PERFMON)) {
        (false, false) => "CAP_BPF and CAP_PERFMON are missing",
        (false, true) => "CAP_BPF is missing",
        (true, _) => "CAP_PERFMON is missing",
    };
    Check::degraded(SUBJECT, found, WITHOUT_PROGRAMS, GRANT)
}

fn capability(capability: Capability, impact: &str) -> Check {
    let subject = capability.to_string();
    if has(capability) {
        return Check::full(&subject, "available");
    }
    Check::degraded(&subject, format!("{subject} is missing"), impact, GRANT)
}

fn unprivileged_bpf() -> Option<Check> {
    const SUBJECT: &str = "unprivileged_bpf";
    let found = setting("kernel.unprivileged_bpf_disabled")?;
    Some(if may_load_programs() {
        Check::full(SUBJECT, format!("{found}: no effect on a privileged process"))
    } else {
        Check::degraded(
            SUBJECT,
            found,
            WITHOUT_PROGRAMS,
            "leave it as it is: tracing programs need CAP_BPF and CAP_PERFMON at any value",
        )
    })
}

fn perf_event_paranoid() -> Option<Check> {
    const SUBJECT: &str = "perf_event_paranoid";
    let found = setting("kernel.perf_event_paranoid")?;
    Some(if has(Capability::CAP_PERFMON) || has(Capability::CAP_SYS_ADMIN) {
        Check::full(SUBJECT, format!("{found}: no effect on a privileged process"))
    } else {
        Check::degraded(
            SUBJECT,
            found,
            "system call tracepoints, kprobes and uprobes cannot be attached",
            "grant CAP_PERFMON: BPF programs need it at any value",
        )
    })
}

fn ptrace_scope() -> Option<Check> {
    const SUBJECT: &str = "ptrace_scope";
    let found = setting("kernel.yama.ptrace_scope")?;
    Some(if found.ends_with("= 3") {
        Check::degraded(
            SUBJECT,
            found,
            "the memory of processes cannot be read, not even by root",
            "reboot with a lower kernel.yama.ptrace_scope: 3 cannot be changed at run time",
        )
    } else if has(Capability::CAP_SYS_PTRACE) || found.ends_with("= 0") {
        Check::full(SUBJECT, format!("{found}: no effect on this process"))
    } else {
        Check::degraded(
            SUBJECT,
            found,
            "dead sockets and the memory of processes cannot be inspected, not even those of the \
             same user",
            "grant CAP_SYS_PTRACE, or: sysctl kernel.yama.ptrace_scope=0",
        )
    })
}
