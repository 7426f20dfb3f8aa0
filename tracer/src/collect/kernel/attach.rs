//! Attaches the hooks, each by the best method that the kernel accepts.

use std::{fmt, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{Program, TracePoint},
};

use super::{
    attach_error::AttachError,
    hooks::{AttachMethod, AttachPoint, Hook, Mechanism},
    private_mount::with_mounted,
    tracefs::{EVENT_DIRECTORIES, TRACEFS},
};

/// What decides which methods are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only methods of this mechanism, for tests.
    pub(crate) only: Option<Mechanism>,
    /// The programs use the kernel's socket helpers, so this is Linux 5.12 or later.
    pub(crate) has_socket_helpers: bool,
}

/// How one hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookReport {
    /// [`Hook::name`].
    pub(crate) name: &'static str,
    /// Kind of the method that works; `None` if the hook is not attached.
    pub(crate) method: Option<&'static str>,
    /// What that method misses, in words.
    pub(crate) caveat: Option<&'static str>,
    /// The methods that were tried before it and do not work, the best first.
    pub(crate) failures: Vec<MethodFailure>,
    /// [`Hook::absence_costs`].
    pub(crate) absence_costs: &'static str,
}

/// A method that does not work, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodFailure {
    /// Kind of the method.
    pub(crate) method: &'static str,
    pub(crate) reason: AttachError,
}

impl fmt::Display for HookReport {
    /// `accept: tracepoint`, or `accept: not attached (tracepoint: why): what that costs`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.method.unwrap_or("not attached"))?;
        for (index, failure) in self.failures.iter().enumerate() {
            let before = if index == 0 { " (" } else { "; " };
            write!(formatter, "{before}{}: {}", failure.method, failure.reason)?;
        }
        if !self.failures.is_empty() {
            formatter.write_str(")")?;
        }
        if self.method.is_none() {
            write!(formatter, ": {}", self.absence_costs)?;
        }
        if let Some(caveat) = self.caveat {
            write!(formatter, ": {caveat}")?;
        }
        Ok(())
    }
}

/// Attaches every hook by the best method that works. A hook without one is reported and is not an
/// error: snapshots do not need it.
pub(crate) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hooks: &[Hook],
    choice: Choice,
) -> Vec<HookReport> {
    let mut attach = |method: &AttachMethod| {
        may_be_tried(method, choice)?;
        load_method(ebpf, btf, method)?;
        attach_method(program(ebpf, method)?, method)
    };
    hooks.iter().map(|hook| climb(hook, choice.only, &mut attach)).collect()
}

/// Whether the program of one of the hook's methods loads. Nothing is attached.
pub(crate) fn can_load(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, choice: Choice) -> bool {
    climb(hook, choice.only, |method| load_method(ebpf, btf, method)).method.is_some()
}

/// Refuses a method that is dangerous on this kernel, unless a test asks for it.
fn may_be_tried(method: &AttachMethod, choice: Choice) -> Result<(), AttachError> {
    let is_exit = matches!(method.attach_point, AttachPoint::FunctionExit(_));
    if is_exit && !choice.has_socket_helpers && choice.only.is_none() {
        return Err(AttachError::FexitUnsafe);
    }
    Ok(())
}

/// Tries a hook's methods in order.
fn climb(
    hook: &Hook,
    only: Option<Mechanism>,
    mut attach: impl FnMut(&AttachMethod) -> Result<(), AttachError>,
) -> HookReport {
    let mut report = HookReport {
        name: hook.name,
        method: None,
        caveat: None,
        failures: Vec::new(),
        absence_costs: hook.absence_costs,
    };
    let is_wanted =
        |method: &&AttachMethod| only.is_none_or(|only| method.attach_point.mechanism() == only);
    for method in hook.methods.iter().filter(is_wanted) {
        let kind = method.attach_point.kind();
        match attach(method) {
            Ok(()) => {
                report.method = Some(kind);
                report.caveat = method.attach_point.caveat();
                break;
            }
            Err(reason) => report.failures.push(MethodFailure { method: kind, reason }),
        }
    }
    report
}

fn program<'a>(ebpf: &'a mut Ebpf, method: &AttachMethod) -> Result<&'a mut Program, AttachError> {
    ebpf.program_mut(method.program).ok_or_else(|| invalid(method))
}

/// Loads the method's program, unless it has been loaded before.
fn load_method(ebpf: &mut Ebpf, btf: &Btf, method: &AttachMethod) -> Result<(), AttachError> {
    let program = program(ebpf, method)?;
    if program.fd().is_ok() {
        return Ok(());
    }
    match (method.attach_point, program) {
        (AttachPoint::BtfTracepoint(name), Program::BtfTracePoint(it)) => it.load(name, btf),
        (AttachPoint::FunctionEntry(name), Program::FEntry(it)) => it.load(name, btf),
        (AttachPoint::FunctionExit(name), Program::FExit(it)) => it.load(name, btf),
        (AttachPoint::Probe(_) | AttachPoint::ReturnProbe(_), Program::KProbe(it)) => it.load(),
        (AttachPoint::Tracepoint { .. }, Program::TracePoint(it)) => it.load(),
        _ => return Err(invalid(method)),
    }
    .map_err(|error| AttachError::refused(&error))
}

fn attach_method(program: &mut Program, method: &AttachMethod) -> Result<(), AttachError> {
    match (method.attach_point, program) {
        (AttachPoint::BtfTracepoint(_), Program::BtfTracePoint(it)) => it.attach().map(drop),
        (AttachPoint::FunctionEntry(_), Program::FEntry(it)) => it.attach().map(drop),
        (AttachPoint::FunctionExit(_), Program::FExit(it)) => it.attach().map(drop),
        (AttachPoint::Probe(name) | AttachPoint::ReturnProbe(name), Program::KProbe(it)) => {
            it.attach(name, 0).map(drop)
        }
        (AttachPoint::Tracepoint { category, name }, Program::TracePoint(it)) => {
            return attach_tracepoint(it, category, name);
        }
        _ => return Err(invalid(method)),
    }
    .map_err(|error| AttachError::refused(&error))
}

fn invalid(method: &AttachMethod) -> AttachError {
    AttachError::ProgramInvalid { program: method.program }
}

/// Attaches to a tracepoint, whose id is in tracefs. Not every host mounts that, so if necessary a
/// thread mounts it for itself. aya searches for tracefs once in the life of the process, so it is
/// called only where tracefs is visible.
fn attach_tracepoint(
    program: &mut TracePoint,
    category: &'static str,
    name: &'static str,
) -> Result<(), AttachError> {
    let mut attach = || match program.attach(category, name) {
        Ok(_) => Ok(()),
        Err(error) => Err(AttachError::refused(&error)),
    };
    if EVENT_DIRECTORIES.into_iter().any(|directory| Path::new(directory).is_dir()) {
        return attach();
    }
    // Usually only root may read tracefs, so that no events are visible may also mean that it is
    // mounted and not readable.
    check_tracefs()?;
    let attached = with_mounted(c"tracefs", c"/sys/kernel/tracing", || {
        check_tracefs()?;
        attach()
    });
    attached
        .unwrap_or_else(|error| Err(AttachError::TracefsUnavailable { detail: error.to_string() }))
}

fn check_tracefs() -> Result<(), AttachError> {
    match fs::read_dir(TRACEFS) {
        Ok(_) => Ok(()),
        Err(error) => Err(AttachError::TracefsUnreadable { detail: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: Hook = Hook {
        name: "hook",
        absence_costs: "something is missing",
        methods: &[
            AttachMethod { program: "best", attach_point: AttachPoint::BtfTracepoint("best") },
            AttachMethod {
                program: "second",
                attach_point: AttachPoint::Tracepoint { category: "some", name: "second" },
            },
            AttachMethod { program: "last", attach_point: AttachPoint::ReturnProbe("last") },
        ],
    };

    fn climb_with(holding: &[&str], only: Option<Mechanism>) -> String {
        let attach = |method: &AttachMethod| {
            let holds = holding.contains(&method.program);
            let detail = || format!("{} is rotten", method.program);
            if holds { Ok(()) } else { Err(AttachError::Refused { detail: detail() }) }
        };
        climb(&LADDER, only, attach).to_string()
    }

    #[test]
    fn the_best_method_that_works_is_taken() {
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
    fn only_methods_of_the_mechanism_asked_for_are_tried() {
        let all = ["best", "second", "last"];
        assert!(climb_with(&all, Some(Mechanism::Kprobe)).starts_with("hook: kretprobe: "));
        assert_eq!(climb_with(&all, Some(Mechanism::Tracepoint)), "hook: tp_btf");
        let none = "hook: not attached: something is missing";
        assert_eq!(climb_with(&all, Some(Mechanism::Fentry)), none);
    }

    #[test]
    fn fexit_is_not_tried_where_it_is_dangerous() {
        let method =
            AttachMethod { program: "", attach_point: AttachPoint::FunctionExit("accept") };
        let choice = Choice { only: None, has_socket_helpers: false };
        assert!(may_be_tried(&method, choice).is_err());
        assert!(may_be_tried(&method, Choice { has_socket_helpers: true, ..choice }).is_ok());
        assert!(may_be_tried(&method, Choice { only: Some(Mechanism::Fentry), ..choice }).is_ok());
    }
}
