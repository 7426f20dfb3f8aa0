//! The hooked kernel events, and the methods to attach to them.
//!
//! A hook has several attach methods for the same event, the best first. Which of them work depends
//! on the kernel version, its configuration and its lockdown mode, so they are tried in order.

use tracer_core::{AttachMethod, Hook};

/// The name of the kernel function of a system call.
macro_rules! system_call {
    ($name:literal) => {
        if cfg!(target_arch = "aarch64") {
            concat!("__arm64_sys_", $name)
        } else {
            concat!("__x64_sys_", $name)
        }
    };
}

/// A kernel event and the methods to attach to it.
pub(crate) struct HookMethods {
    /// The event.
    pub(crate) hook: Hook,
    /// The attach methods, the best first.
    pub(crate) methods: &'static [HookMethod],
}

/// One way to attach to an event.
pub(crate) struct HookMethod {
    /// Name of the program in the object.
    pub(crate) program: &'static str,
    /// What it is attached to.
    pub(crate) attach_point: AttachPoint,
}

/// What a program is attached to.
#[derive(Clone, Copy)]
pub(crate) enum AttachPoint {
    /// A raw tracepoint with typed arguments. Linux 5.5.
    BtfTracepoint(&'static str),
    /// A tracepoint of tracefs: the only kind of tracepoint that exists for each system call.
    Tracepoint {
        /// The subsystem of the tracepoint: the directory in `events`.
        category: &'static str,
        /// The name of the tracepoint: the directory in that of the subsystem.
        name: &'static str,
    },
    /// The entry of a kernel function, with typed arguments. Linux 5.5; on arm64 6.4, which has
    /// ftrace direct calls.
    FunctionEntry(&'static str),
    /// The return from a kernel function, with typed arguments and return value. The same versions
    /// as for the entry.
    FunctionExit(&'static str),
    /// The entry of a kernel function, with registers: by a breakpoint, or by ftrace.
    Probe(&'static str),
    /// The return from a kernel function, with registers.
    ReturnProbe(&'static str),
}

/// Groups of attach points that a host supports either completely or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttachFamily {
    /// `tp_btf`, and `tracepoint` of system calls.
    Tracepoint,
    /// `fentry` and `fexit`.
    Fentry,
    /// `kprobe` and `kretprobe`.
    Kprobe,
}

impl AttachFamily {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Tracepoint, Self::Fentry, Self::Kprobe];

    /// The mechanism of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "tracepoint" => Self::Tracepoint,
            "fentry" => Self::Fentry,
            "kprobe" => Self::Kprobe,
            _ => return None,
        })
    }
}

impl AttachPoint {
    /// The attach method.
    pub(crate) const fn method(self) -> AttachMethod {
        match self {
            Self::BtfTracepoint(_) => AttachMethod::TpBtf,
            Self::Tracepoint { .. } => AttachMethod::Tracepoint,
            Self::FunctionEntry(_) => AttachMethod::Fentry,
            Self::FunctionExit(_) => AttachMethod::Fexit,
            Self::Probe(_) => AttachMethod::Kprobe,
            Self::ReturnProbe(_) => AttachMethod::Kretprobe,
        }
    }

    /// The group to which it belongs.
    pub(crate) const fn attach_family(self) -> AttachFamily {
        match self {
            Self::BtfTracepoint(_) | Self::Tracepoint { .. } => AttachFamily::Tracepoint,
            Self::FunctionEntry(_) | Self::FunctionExit(_) => AttachFamily::Fentry,
            Self::Probe(_) | Self::ReturnProbe(_) => AttachFamily::Kprobe,
        }
    }

    /// The name of the kernel's BTF type whose id is passed when the program is loaded, if one is
    /// required.
    fn type_name(self) -> Option<String> {
        match self {
            Self::BtfTracepoint(name) => Some(format!("btf_trace_{name}")),
            Self::FunctionEntry(name) | Self::FunctionExit(name) => Some(name.to_owned()),
            Self::Tracepoint { .. } | Self::Probe(_) | Self::ReturnProbe(_) => None,
        }
    }
}

/// Every hook of a live run; [`STATE`] is the first.
pub(crate) const HOOKS: [HookMethods; 4] = [
    STATE,
    HookMethods {
        hook: Hook::TcpDestroySock,
        methods: &[
            HookMethod {
                program: "tcp_destroy_sock",
                attach_point: AttachPoint::BtfTracepoint("tcp_destroy_sock"),
            },
            HookMethod {
                program: "enter_tcp_destroy_sock",
                attach_point: AttachPoint::FunctionEntry("tcp_v4_destroy_sock"),
            },
            HookMethod {
                program: "probe_tcp_destroy_sock",
                attach_point: AttachPoint::Probe("tcp_v4_destroy_sock"),
            },
        ],
    },
    HookMethods {
        hook: Hook::Accept,
        methods: &[
            HookMethod {
                program: "exit_accept",
                attach_point: AttachPoint::FunctionExit(system_call!("accept")),
            },
            HookMethod {
                program: "sys_exit_accept",
                attach_point: AttachPoint::Tracepoint {
                    category: "syscalls",
                    name: "sys_exit_accept",
                },
            },
            HookMethod {
                program: "probe_accept",
                attach_point: AttachPoint::ReturnProbe(system_call!("accept")),
            },
        ],
    },
    HookMethods {
        hook: Hook::Accept4,
        methods: &[
            HookMethod {
                program: "exit_accept4",
                attach_point: AttachPoint::FunctionExit(system_call!("accept4")),
            },
            HookMethod {
                program: "sys_exit_accept4",
                attach_point: AttachPoint::Tracepoint {
                    category: "syscalls",
                    name: "sys_exit_accept4",
                },
            },
            HookMethod {
                program: "probe_accept4",
                attach_point: AttachPoint::ReturnProbe(system_call!("accept4")),
            },
        ],
    },
];

/// State changes. The tracepoint is first: it costs as little as fentry, and does not depend on
/// whether the compiler inlined a function.
pub(crate) const STATE: HookMethods = HookMethods {
    hook: Hook::InetSockSetState,
    methods: &[
        HookMethod {
            program: "inet_sock_set_state",
            attach_point: AttachPoint::BtfTracepoint("inet_sock_set_state"),
        },
        HookMethod {
            program: "enter_tcp_set_state",
            attach_point: AttachPoint::FunctionEntry("tcp_set_state"),
        },
        HookMethod {
            program: "probe_tcp_set_state",
            attach_point: AttachPoint::Probe("tcp_set_state"),
        },
    ],
};

/// The kernel's types whose ids [`attach`](super::attach::attach) requires.
pub(crate) fn type_names() -> Vec<String> {
    HOOKS
        .iter()
        .flat_map(|hook| hook.methods)
        .filter_map(|it| it.attach_point.type_name())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_a_method_of_every_mechanism() {
        for hook in HOOKS {
            for attach_family in AttachFamily::ALL {
                let of_mechanism =
                    |method: &&HookMethod| method.attach_point.attach_family() == attach_family;
                assert_eq!(
                    hook.methods.iter().filter(of_mechanism).count(),
                    1,
                    "{}",
                    hook.hook.name()
                );
            }
        }
    }
}
