//! Attaches the hooks, each by the best method that the kernel accepts.

use std::{fmt, fs, path::Path};

use aya::{
    Btf, Ebpf,
    programs::{Program, TracePoint},
};

use super::{
    error::one_line,
    hooks::{AttachMethod, AttachPoint, Hook, Mechanism},
    private_mount::with_mounted,
    tracefs::{EVENT_DIRECTORIES, TRACEFS},
};

/// What the methods are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only methods of this mechanism, for tests.
    pub(crate) only: Option<Mechanism>,
    /// The kernel lets tracing programs ask for a socket's cookie, as it does since 5.12.
    pub(crate) has_socket_helpers: bool,
}

/// How one hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookReport {
    /// [`Hook::name`].
    pub(crate) name: &'static str,
    /// Kind of the method that holds; `None` if the hook is not attached.
    pub(crate) method: Option<&'static str>,
    /// What that method does not see, in words.
    pub(crate) caveat: Option<&'static str>,
    /// The methods above it, with why they do not hold, the best first.
    pub(crate) failures: Vec<MethodFailure>,
    /// [`Hook::absence_costs`].
    pub(crate) absence_costs: &'static str,
}

/// Why a method does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodFailure {
    /// Kind of the method.
    pub(crate) method: &'static str,
    /// Cause and, where there is one, remedy.
    pub(crate) reason: String,
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

/// Attaches every hook by the highest method that holds. A hook of which none does is reported, and
/// no error: the snapshots go on without it.
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

/// Whether one of the hook's methods loads. Nothing is attached by that.
pub(crate) fn can_load(ebpf: &mut Ebpf, btf: &Btf, hook: &Hook, choice: Choice) -> bool {
    climb(hook, choice.only, |method| load_method(ebpf, btf, method)).method.is_some()
}

/// Before Linux 5.12, what hangs on the exit of a function could be freed under a call that is
/// still waiting in it, and a call of `accept` waits for hours.
fn may_be_tried(method: &AttachMethod, choice: Choice) -> Result<(), String> {
    let is_exit = matches!(method.attach_point, AttachPoint::FunctionExit(_));
    if is_exit && !choice.has_socket_helpers && choice.only.is_none() {
        return Err("not safe before Linux 5.12 on a call that waits".to_owned());
    }
    Ok(())
}

/// Tries a hook's methods in order.
fn climb(
    hook: &Hook,
    only: Option<Mechanism>,
    mut attach: impl FnMut(&AttachMethod) -> Result<(), String>,
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

fn program<'a>(ebpf: &'a mut Ebpf, method: &AttachMethod) -> Result<&'a mut Program, String> {
    ebpf.program_mut(method.program)
        .ok_or_else(|| format!("the embedded object has no program `{}`", method.program))
}

/// Loads the method's program, unless it has been loaded before.
fn load_method(ebpf: &mut Ebpf, btf: &Btf, method: &AttachMethod) -> Result<(), String> {
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
        _ => return Err(of_another_kind(method)),
    }
    .map_err(|error| one_line(&error))
}

fn attach_method(program: &mut Program, method: &AttachMethod) -> Result<(), String> {
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
        _ => return Err(of_another_kind(method)),
    }
    .map_err(|error| one_line(&error))
}

fn of_another_kind(method: &AttachMethod) -> String {
    format!("the embedded object's program `{}` is of another kind", method.program)
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
    if EVENT_DIRECTORIES.into_iter().any(|directory| Path::new(directory).is_dir()) {
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
            if holds { Ok(()) } else { Err(format!("{} is rotten", method.program)) }
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
    fn a_call_that_waits_is_not_hung_on_where_that_is_dangerous() {
        let method =
            AttachMethod { program: "", attach_point: AttachPoint::FunctionExit("accept") };
        let choice = Choice { only: None, has_socket_helpers: false };
        assert!(may_be_tried(&method, choice).is_err());
        assert!(may_be_tried(&method, Choice { has_socket_helpers: true, ..choice }).is_ok());
        assert!(may_be_tried(&method, Choice { only: Some(Mechanism::Fentry), ..choice }).is_ok());
    }
}
