//! How the events of the kernel are observed, in words.

use tracer_core::{
    AttachError, AttachFailure, AttachMethod, AttachState, FallbackReason, Hook, Probe,
};

/// `accept: fexit`, `tcp_destroy_sock: not attached (...)`.
pub(crate) fn probe(probe: &Probe) -> String {
    let name = probe.hook.name();
    match &probe.state {
        AttachState::Attached { method, failures } => {
            let mut text = format!("{name}: {}", method.name());
            if !failures.is_empty() {
                text.extend([" (", &*list(failures), ")"]);
            }
            text.extend(method_caveat(*method).map(|caveat| format!("; {caveat}")));
            text
        }
        AttachState::NotAttached { failures } => {
            format!("{name}: not attached ({}); {}", list(failures), absence_costs(probe.hook))
        }
        AttachState::SockDiag { reason: FallbackReason::Requested } => {
            format!("{name}: sock_diag (requested with --source)")
        }
        AttachState::SockDiag { reason: FallbackReason::ProgramsNotLoaded { detail } } => {
            format!("{name}: sock_diag ({detail})")
        }
        AttachState::Recorded { text, .. } => format!("{name}: {text}"),
    }
}

fn list(failures: &[AttachFailure]) -> String {
    if failures.is_empty() {
        return "no attach method is allowed".to_owned();
    }
    let failures = failures.iter().map(|AttachFailure { method, error }| {
        format!("{}: {}", method.name(), attach_error(error))
    });
    failures.collect::<Vec<_>>().join("; ")
}

/// Why an attach method did not work.
pub(crate) fn attach_error(error: &AttachError) -> String {
    match error {
        AttachError::FexitUnsafe => {
            "not used before Linux 5.12, where detaching it could crash a task blocked in the call"
                .to_owned()
        }
        AttachError::TracefsUnreadable { detail } => {
            format!("tracefs cannot be read ({detail}): run as root")
        }
        AttachError::TracefsUnavailable { detail } => {
            format!(
                "tracefs is not mounted and could not be mounted ({detail}): mount -t tracefs \
                 tracefs /sys/kernel/tracing"
            )
        }
        AttachError::ProgramInvalid { program } => {
            format!("the embedded object has no program {program}")
        }
        AttachError::Refused { detail } => detail.clone(),
    }
}

/// What an attach method misses.
pub(crate) const fn method_caveat(method: AttachMethod) -> Option<&'static str> {
    match method {
        // The kernel tracks a limited number of calls at a time, at least ten.
        AttachMethod::Kretprobe => Some("calls can be missed when many threads are blocked in it"),
        AttachMethod::TpBtf
        | AttachMethod::Tracepoint
        | AttachMethod::Fentry
        | AttachMethod::Fexit
        | AttachMethod::Kprobe => None,
    }
}

/// What an attach method costs the host beyond the calls of the hook.
pub(crate) const fn method_cost(hook: Hook, method: AttachMethod) -> Option<&'static str> {
    match (hook, method) {
        // One traced system call sends all of them through the slow entry and exit path.
        (Hook::Accept | Hook::Accept4, AttachMethod::Tracepoint) => Some(
            "no data is lost, but every system call on the host is slightly slower during a run",
        ),
        _ => None,
    }
}

/// What a run without the hook cannot see.
pub(crate) const fn absence_costs(hook: Hook) -> &'static str {
    match hook {
        Hook::InetSockSetState => {
            "connections that open and close between two snapshots are not seen, and ages are \
             lower bounds"
        }
        Hook::TcpDestroySock => "a close is detected only at the second snapshot after it",
        Hook::Accept | Hook::Accept4 => {
            "which process accepted a connection is known only from the next snapshot on"
        }
        Hook::Snapshot => "nothing is observed",
    }
}
