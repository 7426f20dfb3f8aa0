//! Attaches the hooks, each by the best method that the kernel accepts.

use std::{error::Error, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{Program, TracePoint},
};

use tracer_core::{AttachError, AttachFailure, AttachState, Probe};

use super::{
    error::one_line,
    hooks::{AttachFamily, AttachPoint, HookMethod, HookMethods},
    private_mount::with_mounted,
    tracefs::{EVENT_DIRECTORIES, TRACEFS},
};

/// The conditions that decide which methods are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Try only methods of this mechanism, for tests.
    pub(crate) only: Option<AttachFamily>,
    /// Whether the programs use the kernel's socket helpers, which exist since Linux 5.12.
    pub(crate) has_socket_helpers: bool,
}

/// Attaches every hook by the best method that works. A hook without one is reported and is not an
/// error: snapshots do not need it.
pub(crate) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    hooks: &[HookMethods],
    choice: Choice,
) -> Vec<Probe> {
    let mut attach = |method: &HookMethod| {
        may_be_tried(method, choice)?;
        load_method(ebpf, btf, method)?;
        attach_method(program(ebpf, method)?, method)
    };
    hooks.iter().map(|hook| try_methods(hook, choice.only, &mut attach)).collect()
}

/// Whether the program of one of the hook's methods loads. Nothing is attached.
pub(crate) fn can_load(ebpf: &mut Ebpf, btf: &Btf, hook: &HookMethods, choice: Choice) -> bool {
    try_methods(hook, choice.only, |method| load_method(ebpf, btf, method)).is_attached()
}

/// Refuses a method that is unsafe on this kernel, unless a test requests it.
fn may_be_tried(method: &HookMethod, choice: Choice) -> Result<(), AttachError> {
    let is_exit = matches!(method.attach_point, AttachPoint::FunctionExit(_));
    if is_exit && !choice.has_socket_helpers && choice.only.is_none() {
        return Err(AttachError::FexitUnsafe);
    }
    Ok(())
}

/// Tries a hook's methods in order, until one works.
fn try_methods(
    hook: &HookMethods,
    only: Option<AttachFamily>,
    mut attach: impl FnMut(&HookMethod) -> Result<(), AttachError>,
) -> Probe {
    let is_wanted =
        |method: &&HookMethod| only.is_none_or(|only| method.attach_point.attach_family() == only);
    let mut failures = Vec::new();
    for candidate in hook.methods.iter().filter(is_wanted) {
        let method = candidate.attach_point.method();
        match attach(candidate) {
            Ok(()) => {
                return Probe {
                    hook: hook.hook,
                    state: AttachState::Attached { method, failures },
                };
            }
            Err(error) => failures.push(AttachFailure { method, error }),
        }
    }
    Probe { hook: hook.hook, state: AttachState::NotAttached { failures } }
}

fn program<'a>(ebpf: &'a mut Ebpf, method: &HookMethod) -> Result<&'a mut Program, AttachError> {
    ebpf.program_mut(method.program).ok_or_else(|| invalid(method))
}

/// Loads the method's program, unless it has been loaded before.
fn load_method(ebpf: &mut Ebpf, btf: &Btf, method: &HookMethod) -> Result<(), AttachError> {
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
    .map_err(|error| refused(&error))
}

fn attach_method(program: &mut Program, method: &HookMethod) -> Result<(), AttachError> {
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
    .map_err(|error| refused(&error))
}

/// An error of the kernel or of aya, with the verifier's message, on one line.
fn refused(error: &(dyn Error + 'static)) -> AttachError {
    AttachError::Refused { detail: one_line(error) }
}

fn invalid(method: &HookMethod) -> AttachError {
    AttachError::ProgramInvalid { program: method.program.to_owned() }
}

/// Attaches to a tracepoint, whose id is in tracefs. Not every host has tracefs mounted, so if
/// necessary a thread mounts it for itself. aya searches for tracefs only once per process, so it
/// is called only if tracefs is visible.
fn attach_tracepoint(
    program: &mut TracePoint,
    category: &'static str,
    name: &'static str,
) -> Result<(), AttachError> {
    let mut attach = || match program.attach(category, name) {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(&error)),
    };
    if EVENT_DIRECTORIES.into_iter().any(|directory| Path::new(directory).is_dir()) {
        return attach();
    }
    // Usually only root may read tracefs, so if no events are visible, it may also be mounted but
    // unreadable.
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
    use tracer_core::{AttachMethod, Hook};

    use super::*;

    const HOOK: HookMethods = HookMethods {
        hook: Hook::Accept,
        methods: &[
            HookMethod { program: "best", attach_point: AttachPoint::BtfTracepoint("best") },
            HookMethod {
                program: "second",
                attach_point: AttachPoint::Tracepoint { category: "some", name: "second" },
            },
            HookMethod { program: "last", attach_point: AttachPoint::ReturnProbe("last") },
        ],
    };

    fn attached_with(working: &[&str], only: Option<AttachFamily>) -> AttachState {
        let attach = |method: &HookMethod| {
            let detail = || method.program.to_owned();
            let works = working.contains(&method.program);
            if works { Ok(()) } else { Err(AttachError::Refused { detail: detail() }) }
        };
        try_methods(&HOOK, only, attach).state
    }

    fn failure(method: AttachMethod, program: &str) -> AttachFailure {
        AttachFailure { method, error: AttachError::Refused { detail: program.to_owned() } }
    }

    #[test]
    fn the_best_method_that_works_is_used() {
        let best = || failure(AttachMethod::TpBtf, "best");
        let second = || failure(AttachMethod::Tracepoint, "second");
        let last = || failure(AttachMethod::Kretprobe, "last");
        let attached = |method, failures| AttachState::Attached { method, failures };
        for (working, state) in [
            (&["best", "second", "last"][..], attached(AttachMethod::TpBtf, vec![])),
            (&["second"], attached(AttachMethod::Tracepoint, vec![best()])),
            (&["last"], attached(AttachMethod::Kretprobe, vec![best(), second()])),
            (&[], AttachState::NotAttached { failures: vec![best(), second(), last()] }),
        ] {
            assert_eq!(attached_with(working, None), state, "{working:?}");
        }
    }

    #[test]
    fn only_methods_of_the_requested_mechanism_are_tried() {
        let all = ["best", "second", "last"];
        for (only, method) in [
            (AttachFamily::Kprobe, AttachMethod::Kretprobe),
            (AttachFamily::Tracepoint, AttachMethod::TpBtf),
        ] {
            let attached = AttachState::Attached { method, failures: vec![] };
            assert_eq!(attached_with(&all, Some(only)), attached);
        }
        let none = AttachState::NotAttached { failures: vec![] };
        assert_eq!(attached_with(&all, Some(AttachFamily::Fentry)), none);
    }

    #[test]
    fn fexit_is_not_tried_where_it_is_unsafe() {
        let method = HookMethod { program: "", attach_point: AttachPoint::FunctionExit("accept") };
        let choice = Choice { only: None, has_socket_helpers: false };
        assert!(may_be_tried(&method, choice).is_err());
        assert!(may_be_tried(&method, Choice { has_socket_helpers: true, ..choice }).is_ok());
        assert!(
            may_be_tried(&method, Choice { only: Some(AttachFamily::Fentry), ..choice }).is_ok()
        );
    }
}
