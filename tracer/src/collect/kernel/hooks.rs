//! Which kernel events are hooked, and how.
//!
//! A hook has a ladder of methods, each another way to see the same event, the best first. Which one
//! holds depends on the kernel and on how far it is locked down, so that is tried, not guessed.

/// The kernel's function of a system call.
macro_rules! system_call {
    ($name:literal) => {
        if cfg!(target_arch = "aarch64") {
            concat!("__arm64_sys_", $name)
        } else {
            concat!("__x64_sys_", $name)
        }
    };
}

/// A kernel event that a program hangs on.
pub(crate) struct Hook {
    /// What `doctor` and the coverage of a report call it.
    pub(crate) name: &'static str,
    /// What a run without it does not have, in words.
    pub(crate) absence_costs: &'static str,
    /// The ways to see the event, the best first.
    pub(crate) methods: &'static [AttachMethod],
}

/// One way to see an event.
pub(crate) struct AttachMethod {
    /// Name of the program in the object.
    pub(crate) program: &'static str,
    /// What it hangs on.
    pub(crate) attach_point: AttachPoint,
}

/// What a program hangs on.
#[derive(Clone, Copy)]
pub(crate) enum AttachPoint {
    /// A raw tracepoint with typed arguments. Linux 5.5.
    BtfTracepoint(&'static str),
    /// A tracepoint of tracefs, the only kind that system calls have one by one.
    Tracepoint {
        /// Its directory in `events`.
        category: &'static str,
        /// Its directory in that.
        name: &'static str,
    },
    /// The entry of a kernel function, with typed arguments. Linux 5.5, on arm64 6.0.
    FunctionEntry(&'static str),
    /// The return from a kernel function, with typed arguments and result.
    FunctionExit(&'static str),
    /// The entry of a kernel function, with registers: an interrupt, or a jump.
    Probe(&'static str),
    /// The return from a kernel function, with registers.
    ReturnProbe(&'static str),
}

/// Ways to hang on the kernel that a host has or has not as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// `tp_btf`, and `tracepoint` of system calls.
    Tracepoint,
    /// `fentry` and `fexit`.
    Fentry,
    /// `kprobe` and `kretprobe`.
    Kprobe,
}

impl Mechanism {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Tracepoint, Self::Fentry, Self::Kprobe];

    /// The one of this name.
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
    /// The kind of attachment, in the words of the kernel's documentation.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::BtfTracepoint(_) => "tp_btf",
            Self::Tracepoint { .. } => "tracepoint",
            Self::FunctionEntry(_) => "fentry",
            Self::FunctionExit(_) => "fexit",
            Self::Probe(_) => "kprobe",
            Self::ReturnProbe(_) => "kretprobe",
        }
    }

    /// What goes with it or not at all.
    pub(crate) const fn mechanism(self) -> Mechanism {
        match self {
            Self::BtfTracepoint(_) | Self::Tracepoint { .. } => Mechanism::Tracepoint,
            Self::FunctionEntry(_) | Self::FunctionExit(_) => Mechanism::Fentry,
            Self::Probe(_) | Self::ReturnProbe(_) => Mechanism::Kprobe,
        }
    }

    /// The kernel's type by whose number it is known, if it is known by one.
    fn type_name(self) -> Option<String> {
        match self {
            Self::BtfTracepoint(name) => Some(format!("btf_trace_{name}")),
            Self::FunctionEntry(name) | Self::FunctionExit(name) => Some(name.to_owned()),
            Self::Tracepoint { .. } | Self::Probe(_) | Self::ReturnProbe(_) => None,
        }
    }

    /// What it does not see, in words.
    pub(crate) const fn caveat(self) -> Option<&'static str> {
        match self {
            // The kernel keeps room for so many, at least ten, and lets the others go by.
            Self::ReturnProbe(_) => {
                Some("if many threads wait in it at a time, not all of them are seen")
            }
            _ => None,
        }
    }
}

/// Every hook that a live run has; [`STATE`] is the first.
pub(crate) const HOOKS: [Hook; 4] = [
    STATE,
    Hook {
        name: "tcp_destroy_sock",
        absence_costs: "a close is noticed only by the second snapshot after it",
        methods: &[
            AttachMethod {
                program: "tcp_destroy_sock",
                attach_point: AttachPoint::BtfTracepoint("tcp_destroy_sock"),
            },
            AttachMethod {
                program: "enter_tcp_destroy_sock",
                attach_point: AttachPoint::FunctionEntry("tcp_v4_destroy_sock"),
            },
            AttachMethod {
                program: "probe_tcp_destroy_sock",
                attach_point: AttachPoint::Probe("tcp_v4_destroy_sock"),
            },
        ],
    },
    Hook {
        name: "accept",
        absence_costs: OWNER_FROM_SNAPSHOT,
        methods: &[
            AttachMethod {
                program: "exit_accept",
                attach_point: AttachPoint::FunctionExit(system_call!("accept")),
            },
            AttachMethod {
                program: "sys_exit_accept",
                attach_point: AttachPoint::Tracepoint {
                    category: "syscalls",
                    name: "sys_exit_accept",
                },
            },
            AttachMethod {
                program: "probe_accept",
                attach_point: AttachPoint::ReturnProbe(system_call!("accept")),
            },
        ],
    },
    Hook {
        name: "accept4",
        absence_costs: OWNER_FROM_SNAPSHOT,
        methods: &[
            AttachMethod {
                program: "exit_accept4",
                attach_point: AttachPoint::FunctionExit(system_call!("accept4")),
            },
            AttachMethod {
                program: "sys_exit_accept4",
                attach_point: AttachPoint::Tracepoint {
                    category: "syscalls",
                    name: "sys_exit_accept4",
                },
            },
            AttachMethod {
                program: "probe_accept4",
                attach_point: AttachPoint::ReturnProbe(system_call!("accept4")),
            },
        ],
    },
];

/// State changes. The tracepoint is first: it costs as little as the entry of a function, and does
/// not depend on what the compiler made of one.
pub(crate) const STATE: Hook = Hook {
    name: "inet_sock_set_state",
    absence_costs: "connections that open and close between two snapshots are not seen, \
                    and ages are lower bounds",
    methods: &[
        AttachMethod {
            program: "inet_sock_set_state",
            attach_point: AttachPoint::BtfTracepoint("inet_sock_set_state"),
        },
        AttachMethod {
            program: "enter_tcp_set_state",
            attach_point: AttachPoint::FunctionEntry("tcp_set_state"),
        },
        AttachMethod {
            program: "probe_tcp_set_state",
            attach_point: AttachPoint::Probe("tcp_set_state"),
        },
    ],
};

const OWNER_FROM_SNAPSHOT: &str = "who accepted a connection is known from the next snapshot on";

/// The kernel's types that [`attach`](super::attach::attach) needs the numbers of.
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
            for mechanism in Mechanism::ALL {
                let of_mechanism =
                    |method: &&AttachMethod| method.attach_point.mechanism() == mechanism;
                assert_eq!(hook.methods.iter().filter(of_mechanism).count(), 1, "{}", hook.name);
            }
        }
    }
}
