//! Which kernel events are hooked, and how.
//!
//! A hook has a ladder of rungs, each another way to see the same event, the best first. Which one
//! holds depends on the kernel and on how far it is locked down, so that is tried, not guessed.

use std::{fmt, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, TracePoint},
};

use super::{kernel::one_line, private_mount::with_mounted};

/// Where tracefs belongs, and where every kernel keeps a place for it.
const TRACEFS: &str = "/sys/kernel/tracing";

/// Where its tracepoints are seen once it is mounted; the second is where it used to be.
const TRACEFS_EVENTS: [&str; 2] =
    ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];

/// A kernel event that a program hangs on.
pub(crate) struct Hook {
    /// What `doctor` and the coverage of a report call it.
    pub(crate) name: &'static str,
    /// What a run without it does not have, in words.
    pub(crate) absence_costs: &'static str,
    /// The ways to see the event, the best first.
    pub(crate) rungs: &'static [Rung],
}

/// One way to see an event.
pub(crate) struct Rung {
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
}

impl AttachPoint {
    /// The kind of attachment, in the words of the kernel's documentation.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::BtfTracepoint(_) => "tp_btf",
            Self::Tracepoint { .. } => "tracepoint",
        }
    }
}

/// Every hook that a live run has.
pub(crate) const HOOKS: [Hook; 4] = [
    Hook {
        name: "inet_sock_set_state",
        absence_costs: "connections that open and close between two snapshots are not seen, \
                        and ages are lower bounds",
        rungs: &[Rung {
            program: "inet_sock_set_state",
            attach_point: AttachPoint::BtfTracepoint("inet_sock_set_state"),
        }],
    },
    Hook {
        name: "tcp_destroy_sock",
        absence_costs: "a close is noticed only by the second snapshot after it",
        rungs: &[Rung {
            program: "tcp_destroy_sock",
            attach_point: AttachPoint::BtfTracepoint("tcp_destroy_sock"),
        }],
    },
    Hook {
        name: "accept",
        absence_costs: OWNER_FROM_SNAPSHOT,
        rungs: &[Rung {
            program: "sys_exit_accept",
            attach_point: AttachPoint::Tracepoint { category: "syscalls", name: "sys_exit_accept" },
        }],
    },
    Hook {
        name: "accept4",
        absence_costs: OWNER_FROM_SNAPSHOT,
        rungs: &[Rung {
            program: "sys_exit_accept4",
            attach_point: AttachPoint::Tracepoint {
                category: "syscalls",
                name: "sys_exit_accept4",
            },
        }],
    },
];

const OWNER_FROM_SNAPSHOT: &str = "who accepted a connection is known from the next snapshot on";

/// How one hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookReport {
    /// [`Hook::name`].
    pub(crate) name: &'static str,
    /// Kind of the rung that holds; `None` if the hook is not attached.
    pub(crate) rung: Option<&'static str>,
    /// The rungs above it, with why they do not hold, the best first.
    pub(crate) failures: Vec<RungFailure>,
    /// [`Hook::absence_costs`].
    pub(crate) absence_costs: &'static str,
}

/// Why a rung does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RungFailure {
    /// Kind of the rung.
    pub(crate) rung: &'static str,
    /// Cause and, where there is one, remedy.
    pub(crate) reason: String,
}

impl fmt::Display for HookReport {
    /// `accept: tracepoint`, or `accept: not attached (tracepoint: why): what that costs`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.rung.unwrap_or("not attached"))?;
        for (index, failure) in self.failures.iter().enumerate() {
            let before = if index == 0 { " (" } else { "; " };
            write!(formatter, "{before}{}: {}", failure.rung, failure.reason)?;
        }
        if !self.failures.is_empty() {
            formatter.write_str(")")?;
        }
        if self.rung.is_none() {
            write!(formatter, ": {}", self.absence_costs)?;
        }
        Ok(())
    }
}

/// Attaches every hook by the highest rung that holds. A hook of which none does is reported, and
/// no error: the snapshots go on without it.
pub(crate) fn attach(ebpf: &mut Ebpf, btf: &Btf, hooks: &[Hook]) -> Vec<HookReport> {
    hooks.iter().map(|hook| climb(hook, |rung| attach_rung(ebpf, btf, rung))).collect()
}

/// Tries a hook's rungs in order.
fn climb(hook: &Hook, mut attach: impl FnMut(&Rung) -> Result<(), String>) -> HookReport {
    let mut report = HookReport {
        name: hook.name,
        rung: None,
        failures: Vec::new(),
        absence_costs: hook.absence_costs,
    };
    for rung in hook.rungs {
        let kind = rung.attach_point.kind();
        match attach(rung) {
            Ok(()) => {
                report.rung = Some(kind);
                break;
            }
            Err(reason) => report.failures.push(RungFailure { rung: kind, reason }),
        }
    }
    report
}

fn attach_rung(ebpf: &mut Ebpf, btf: &Btf, rung: &Rung) -> Result<(), String> {
    let program = ebpf
        .program_mut(rung.program)
        .ok_or_else(|| format!("the embedded object has no program `{}`", rung.program))?;
    match rung.attach_point {
        AttachPoint::BtfTracepoint(name) => {
            let program: &mut BtfTracePoint =
                program.try_into().map_err(|error| one_line(&error))?;
            program.load(name, btf).map_err(|error| one_line(&error))?;
            program.attach().map_err(|error| one_line(&error))?;
        }
        AttachPoint::Tracepoint { category, name } => {
            let program: &mut TracePoint = program.try_into().map_err(|error| one_line(&error))?;
            program.load().map_err(|error| one_line(&error))?;
            attach_tracepoint(program, category, name)?;
        }
    }
    Ok(())
}

/// Attaches to a tracepoint, whose number is in tracefs. Not every host mounts that, so a thread
/// mounts it for itself if need be. aya looks for it once in the life of the process, so it may do
/// so only where it is to be found.
fn attach_tracepoint(
    program: &mut TracePoint,
    category: &'static str,
    name: &'static str,
) -> Result<(), String> {
    let mut attach =
        || program.attach(category, name).map(|_| ()).map_err(|error| one_line(&error));
    if TRACEFS_EVENTS.into_iter().any(|directory| Path::new(directory).is_dir()) {
        return attach();
    }
    // Only root may look into it, so that nothing is to be seen does not say that it is not there.
    readable(TRACEFS)?;
    let attached = with_mounted(c"tracefs", c"/sys/kernel/tracing", || {
        readable(TRACEFS)?;
        attach()
    });
    attached.unwrap_or_else(|error| {
        Err(format!(
            "tracefs is not mounted and cannot be ({error}); \
             try: mount -t tracefs tracefs {TRACEFS}"
        ))
    })
}

fn readable(directory: &str) -> Result<(), String> {
    match fs::read_dir(directory) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot read {directory} ({error}); run it as root")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: Hook = Hook {
        name: "hook",
        absence_costs: "something is missing",
        rungs: &[
            Rung { program: "best", attach_point: AttachPoint::BtfTracepoint("best") },
            Rung {
                program: "second",
                attach_point: AttachPoint::Tracepoint { category: "some", name: "second" },
            },
        ],
    };

    fn climb_with(holding: &[&str]) -> String {
        let attach = |rung: &Rung| {
            let holds = holding.contains(&rung.program);
            if holds { Ok(()) } else { Err(format!("{} is rotten", rung.program)) }
        };
        climb(&LADDER, attach).to_string()
    }

    #[test]
    fn the_highest_rung_that_holds_is_taken() {
        assert_eq!(climb_with(&["best", "second"]), "hook: tp_btf");
        assert_eq!(climb_with(&["second"]), "hook: tracepoint (tp_btf: best is rotten)");
        assert_eq!(
            climb_with(&[]),
            "hook: not attached (tp_btf: best is rotten; tracepoint: second is rotten): \
             something is missing"
        );
    }
}
