//! Capabilities, and the settings that decide what others may do.

use caps::Capability;

use super::{finding::Finding, host::WITHOUT_PROGRAMS};
use crate::collect::kernel::privileges::{has, may_load_programs, setting};

pub(super) fn all() -> Vec<Finding> {
    let mut findings = vec![
        programs(),
        one(
            Capability::CAP_SYS_PTRACE,
            "of processes of other users it is not known what they run, who reads in them, and \
             what Go's HTTP client does there; without kernel programs they are not seen",
        ),
        one(
            Capability::CAP_DAC_READ_SEARCH,
            "of processes of other users it is not known who reads in them; the tracepoints of \
             accept are not to be had; without kernel programs those processes are not seen",
        ),
    ];
    findings.extend(of_bpf());
    findings.extend(of_perf());
    let kernel_addresses = setting("kernel.kptr_restrict");
    findings.extend(kernel_addresses.map(|found| {
        Finding::full("kptr_restrict", format!("{found}: no matter, no kernel address is read"))
    }));
    findings.extend(of_yama());
    findings
}

fn programs() -> Finding {
    if may_load_programs() {
        return Finding::full("CAP_BPF, CAP_PERFMON", "kernel programs may be loaded");
    }
    Finding::less(
        "CAP_BPF, CAP_PERFMON",
        "not both are there",
        WITHOUT_PROGRAMS,
        &give(&[Capability::CAP_BPF, Capability::CAP_PERFMON]),
    )
}

fn one(capability: Capability, costs: &str) -> Finding {
    let subject = capability.to_string();
    if has(capability) {
        return Finding::full(&subject, "there");
    }
    Finding::less(&subject, "missing", costs, &give(&[capability]))
}

fn give(capabilities: &[Capability]) -> String {
    let names: Vec<String> =
        capabilities.iter().map(|it| it.to_string().to_ascii_lowercase()).collect();
    format!("run it as root, or: setcap {}+ep on the program, with the others", names.join(","))
}

fn of_bpf() -> Option<Finding> {
    const SUBJECT: &str = "unprivileged_bpf";
    let found = setting("kernel.unprivileged_bpf_disabled")?;
    Some(if may_load_programs() {
        Finding::full(SUBJECT, format!("{found}: no matter to a privileged process"))
    } else {
        Finding::less(
            SUBJECT,
            found,
            WITHOUT_PROGRAMS,
            "leave it as it is: programs that trace take CAP_BPF and CAP_PERFMON at any value",
        )
    })
}

fn of_perf() -> Option<Finding> {
    const SUBJECT: &str = "perf_event_paranoid";
    let found = setting("kernel.perf_event_paranoid")?;
    Some(if has(Capability::CAP_PERFMON) || has(Capability::CAP_SYS_ADMIN) {
        Finding::full(SUBJECT, format!("{found}: no matter to a privileged process"))
    } else {
        Finding::less(
            SUBJECT,
            found,
            "no tracepoints of system calls, kprobes and uprobes",
            "give it CAP_PERFMON; a lower value alone does not do for kernel programs",
        )
    })
}

fn of_yama() -> Option<Finding> {
    const SUBJECT: &str = "ptrace_scope";
    let found = setting("kernel.yama.ptrace_scope")?;
    Some(if has(Capability::CAP_SYS_PTRACE) || found.ends_with("= 0") {
        Finding::full(SUBJECT, format!("{found}: no matter to this process"))
    } else {
        Finding::less(
            SUBJECT,
            found,
            "dead sockets, and the memory of programs, cannot be looked at, one's own included",
            "give it CAP_SYS_PTRACE, or: sysctl kernel.yama.ptrace_scope=0",
        )
    })
}
