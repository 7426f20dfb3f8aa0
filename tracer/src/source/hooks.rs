//! Which kernel events are hooked, and how.
//!
//! A hook has a ladder of rungs, each another way to see the same event, the best first. Which one
//! holds depends on the kernel and on how far it is locked down, so that is tried, not guessed.

use std::{fmt, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{Program, TracePoint},
};
use clap::ValueEnum;

use super::{kernel::one_line, private_mount::with_mounted};

/// Where tracefs belongs, and where every kernel keeps a place for it.
const TRACEFS: &str = "/sys/kernel/tracing";

/// Where its tracepoints are seen once it is mounted; the second is where it used to be.
const TRACEFS_EVENTS: [&str; 2] =
    ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"];

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// `tp_btf`, and `tracepoint` of system calls.
    Tracepoint,
    /// `fentry` and `fexit`.
    Fentry,
    /// `kprobe` and `kretprobe`.
    Kprobe,
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
    const fn family(self) -> Family {
        match self {
            Self::BtfTracepoint(_) | Self::Tracepoint { .. } => Family::Tracepoint,
            Self::FunctionEntry(_) | Self::FunctionExit(_) => Family::Fentry,
            Self::Probe(_) | Self::ReturnProbe(_) => Family::Kprobe,
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
    const fn caveat(self) -> Option<&'static str> {
        match self {
            // The kernel keeps room for so many, at least ten, and lets the others go by.
            Self::ReturnProbe(_) => {
                Some("if many threads wait in it at a time, not all of them are seen")
            }
            _ => None,
        }
    }
}

/// What the rungs are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only rungs of this family, for tests.
    pub(crate) only: Option<Family>,
    /// The kernel lets tracing programs ask for a socket's cookie, as it does since 5.12.
    pub(crate) has_socket_helpers: bool,
}

/// Every hook that a live run has; [`STATE`] is the first.
pub(crate) const HOOKS: [Hook; 4] = [
    STATE,
    Hook {
        name: "tcp_destroy_sock",
        absence_costs: "a close is noticed only by the second snapshot after it",
        rungs: &[
            Rung {
                program: "tcp_destroy_sock",
                attach_point: AttachPoint::BtfTracepoint("tcp_destroy_sock"),
            },
            Rung {
                program: "enter_tcp_destroy_sock",
                attach_point: AttachPoint::FunctionEntry("tcp_v4_destroy_sock"),
            },
            Rung {
                program: "probe_tcp_destroy_sock",
                attach_point: AttachPoint::Probe("tcp_v4_destroy_sock"),
            },
        ],
    },
    Hook {
        name: "accept",
        absence_costs: OWNER_FROM_SNAPSHOT,
        rungs: &[
            Rung {
                program: "exit_accept",
                attach_point: AttachPoint::FunctionExit(system_call!("accept")),
            },
            Rung {
                program: "sys_exit_accept",
                attach_point: AttachPoint::Tracepoint {
                    category: "syscalls",
                    name: "sys_exit_accept",
                },
            },
            Rung {
                program: "probe_accept",
                attach_point: AttachPoint::ReturnProbe(system_call!("accept")),
            },
        ],
    },
    Hook {
        name: "accept4",
        absence_costs: OWNER_FROM_SNAPSHOT,
        rungs: &[
            Rung {
                program: "exit_accept4",
                attach_point: AttachPoint::FunctionExit(system_call!("accept4")),
            },
            Rung {
                program: "sys_exit_accept4",
                attach_point: AttachPoint::Tracepoint {
                    category: "syscalls",
                    name: "sys_exit_accept4",
                },
            },
            Rung {
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
    rungs: &[
        Rung {
            program: "inet_sock_set_state",
            attach_point: AttachPoint::BtfTracepoint("inet_sock_set_state"),
        },
        Rung {
            program: "enter_tcp_set_state",
            attach_point: AttachPoint::FunctionEntry("tcp_set_state"),
        },
        Rung { program: "probe_tcp_set_state", attach_point: AttachPoint::Probe("tcp_set_state") },
    ],
};

const OWNER_FROM_SNAPSHOT: &str = "who accepted a connection is known from the next snapshot on";

/// How one hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookReport {
    /// [`Hook::name`].
    pub(crate) name: &'static str,
    /// Kind of the rung that holds; `None` if the hook is not attached.
    pub(crate) rung: Option<&'static str>,
    /// What that rung does not see, in words.
    pub(crate) caveat: Option<&'static str>,
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
        if let Some(caveat) = self.caveat {
            write!(formatter, ": {caveat}")?;
        }
        Ok(())
    }
}

/// The kernel's types that [`attach`] needs the numbers of.
pub(crate) fn type_names() -> Vec<String> {
    HOOKS.iter().flat_map(|hook| hook.rungs).filter_map(|it| it.attach_point.type_name()).collect()
}

/// Attaches every hook by the highest rung that holds. A hook of which none does is reported, and
/// no error: the snapshots go on without it.
pub(crate) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hooks: &[Hook],
    choice: Choice,
) -> Vec<HookReport> {
    let mut attach = |rung: &Rung| {
        may_be_tried(rung, choice)?;
        load_rung(ebpf, btf, rung)?;
        attach_rung(program(ebpf, rung)?, rung)
    };
    hooks.iter().map(|hook| climb(hook, choice.only, &mut attach)).collect()
}

/// Whether one of the hook's rungs loads. Nothing is attached by that.
pub(crate) fn can_load(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, choice: Choice) -> bool {
    climb(hook, choice.only, |rung| load_rung(ebpf, btf, rung)).rung.is_some()
}

/// Before Linux 5.12, what hangs on the exit of a function could be freed under a call that is
/// still waiting in it, and a call of `accept` waits for hours.
fn may_be_tried(rung: &Rung, choice: Choice) -> Result<(), String> {
    let is_exit = matches!(rung.attach_point, AttachPoint::FunctionExit(_));
    if is_exit && !choice.has_socket_helpers && choice.only.is_none() {
        return Err("not safe before Linux 5.12 on a call that waits".to_owned());
    }
    Ok(())
}

/// Tries a hook's rungs in order.
fn climb(
    hook: &Hook,
    only: Option<Family>,
    mut attach: impl FnMut(&Rung) -> Result<(), String>,
) -> HookReport {
    let mut report = HookReport {
        name: hook.name,
        rung: None,
        caveat: None,
        failures: Vec::new(),
        absence_costs: hook.absence_costs,
    };
    let is_wanted = |rung: &&Rung| only.is_none_or(|only| rung.attach_point.family() == only);
    for rung in hook.rungs.iter().filter(is_wanted) {
        let kind = rung.attach_point.kind();
        match attach(rung) {
            Ok(()) => {
                report.rung = Some(kind);
                report.caveat = rung.attach_point.caveat();
                break;
            }
            Err(reason) => report.failures.push(RungFailure { rung: kind, reason }),
        }
    }
    report
}

fn program<'a>(ebpf: &'a mut Ebpf, rung: &Rung) -> Result<&'a mut Program, String> {
    ebpf.program_mut(rung.program)
        .ok_or_else(|| format!("the embedded object has no program `{}`", rung.program))
}

/// Loads the rung's program, unless it has been loaded before.
fn load_rung(ebpf: &mut Ebpf, btf: &Btf, rung: &Rung) -> Result<(), String> {
    let program = program(ebpf, rung)?;
    if program.fd().is_ok() {
        return Ok(());
    }
    match (rung.attach_point, program) {
        (AttachPoint::BtfTracepoint(name), Program::BtfTracePoint(it)) => it.load(name, btf),
        (AttachPoint::FunctionEntry(name), Program::FEntry(it)) => it.load(name, btf),
        (AttachPoint::FunctionExit(name), Program::FExit(it)) => it.load(name, btf),
        (AttachPoint::Probe(_) | AttachPoint::ReturnProbe(_), Program::KProbe(it)) => it.load(),
        (AttachPoint::Tracepoint { .. }, Program::TracePoint(it)) => it.load(),
        _ => return Err(of_another_kind(rung)),
    }
    .map_err(|error| one_line(&error))
}

fn attach_rung(program: &mut Program, rung: &Rung) -> Result<(), String> {
    match (rung.attach_point, program) {
        (AttachPoint::BtfTracepoint(_), Program::BtfTracePoint(it)) => it.attach().map(drop),
        (AttachPoint::FunctionEntry(_), Program::FEntry(it)) => it.attach().map(drop),
        (AttachPoint::FunctionExit(_), Program::FExit(it)) => it.attach().map(drop),
        (AttachPoint::Probe(name) | AttachPoint::ReturnProbe(name), Program::KProbe(it)) => {
            it.attach(name, 0).map(drop)
        }
        (AttachPoint::Tracepoint { category, name }, Program::TracePoint(it)) => {
            return attach_tracepoint(it, category, name);
        }
        _ => return Err(of_another_kind(rung)),
    }
    .map_err(|error| one_line(&error))
}

fn of_another_kind(rung: &Rung) -> String {
    format!("the embedded object's program `{}` is of another kind", rung.program)
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
            Rung { program: "last", attach_point: AttachPoint::ReturnProbe("last") },
        ],
    };

    fn climb_with(holding: &[&str], only: Option<Family>) -> String {
        let attach = |rung: &Rung| {
            let holds = holding.contains(&rung.program);
            if holds { Ok(()) } else { Err(format!("{} is rotten", rung.program)) }
        };
        climb(&LADDER, only, attach).to_string()
    }

    #[test]
    fn the_highest_rung_that_holds_is_taken() {
        assert_eq!(climb_with(&["best", "second", "last"], None), "hook: tp_btf");
        assert_eq!(climb_with(&["second"], None), "hook: tracepoint (tp_btf: best is rotten)");
        assert_eq!(
            climb_with(&["last"], None),
            "hook: kretprobe (tp_btf: best is rotten; tracepoint: second is rotten): \
             if many threads wait in it at a time, not all of them are seen"
        );
        assert_eq!(
            climb_with(&[], None),
            "hook: not attached (tp_btf: best is rotten; tracepoint: second is rotten; \
             kretprobe: last is rotten): something is missing"
        );
    }

    #[test]
    fn only_rungs_of_the_family_asked_for_are_tried() {
        let all = ["best", "second", "last"];
        assert!(climb_with(&all, Some(Family::Kprobe)).starts_with("hook: kretprobe: "));
        assert_eq!(climb_with(&all, Some(Family::Tracepoint)), "hook: tp_btf");
        let none = "hook: not attached: something is missing";
        assert_eq!(climb_with(&all, Some(Family::Fentry)), none);
    }

    #[test]
    fn a_call_that_waits_is_not_hung_on_where_that_is_dangerous() {
        let rung = Rung { program: "", attach_point: AttachPoint::FunctionExit("accept") };
        let choice = Choice { only: None, has_socket_helpers: false };
        assert!(may_be_tried(&rung, choice).is_err());
        assert!(may_be_tried(&rung, Choice { has_socket_helpers: true, ..choice }).is_ok());
        assert!(may_be_tried(&rung, Choice { only: Some(Family::Fentry), ..choice }).is_ok());
    }

    #[test]
    fn every_hook_has_a_rung_of_every_family() {
        for hook in HOOKS {
            for family in Family::value_variants() {
                let of_family = |rung: &&Rung| rung.attach_point.family() == *family;
                assert_eq!(hook.rungs.iter().filter(of_family).count(), 1, "{}", hook.name);
            }
        }
    }
}
