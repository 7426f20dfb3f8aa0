//! The kernel programs: loaded, attached, and asked for their counters.

mod loader;
mod types;

use std::{
    error::Error,
    fs, io, mem,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::MetadataExt,
    },
};

use anyhow::{Context, anyhow, bail};
use aya::{
    Btf, Ebpf,
    maps::{HashMap, Map, MapData, MapError, PerCpuArray, RingBuf},
    programs::{Iter, Program, ProgramError},
};
use rustix::process::{Resource, Rlimit, setrlimit};
use tracer_common::{Counter, Settings};

use super::{
    hooks::{self, Choice, Family, HOOKS, HookReport},
    ledger::GO_ARGUMENTS,
    lockdown::Lockdown,
    offsets::KernelLayout,
    pod::AsPod,
    privileges,
    ring_buffer::{EventRing, LogRing},
};

/// The kernel programs, as `cargo xtask ebpf` built them; the build script says which object.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("TRACER_BPF_OBJECT"));

/// The iterators behind [`Kernel::walk`], by [`Extent`], and those where the kernel has no helper
/// that knows a socket's file.
const SNAPSHOT_PROGRAMS: [[&str; 2]; 2] = [
    ["task_file", "task_file_in_scope"],
    ["task_file_without_helper", "task_file_in_scope_without_helper"],
];

/// What all of them go through.
const SNAPSHOT_TARGET: &str = "task_file";

/// Where in `struct pt_regs` the first two arguments of a kernel function are, and its result, in
/// bytes. The layout is that of `arch/*/include/uapi/asm/ptrace.h`.
const KERNEL_REGISTERS: ([u32; 2], u32) = if cfg!(target_arch = "aarch64") {
    // X0 and X1; X0.
    ([0, 8], 0)
} else {
    // DI and SI; AX.
    ([112, 104], 80)
};

/// Room in the ring buffer unless [`KernelOptions::ring_bytes`] says otherwise.
const RING_BYTES: u32 = 8 << 20;

/// The user side is woken when this part of the ring buffer is full.
const WAKEUP_PART: u32 = 8;

/// `BPF_NOEXIST` of `include/uapi/linux/bpf.h`: an entry is made only if there is none.
const BPF_NOEXIST: u64 = 1;

/// What to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelOptions {
    /// Only events of the processes given to [`Kernel::set_pids`], and of the sockets that they
    /// open or that were given to [`Kernel::track`].
    pub(crate) only_tracked: bool,
    /// Keep the user's stack with every `connect` and `accept` that there is an event of, for
    /// [`Kernel::stack`]; and make room for [`Kernel::attach_ledger`], which needs stacks too.
    pub(crate) with_stacks: bool,
    /// Have the programs log what they do, for [`Kernel::take_log`].
    pub(crate) verbose: bool,
    /// Size of the ring buffer for events, rounded up to a power of two and at least a page.
    /// 8 MiB if `None`.
    pub(crate) ring_bytes: Option<u32>,
    /// Hang on the kernel in this way only, and not in the best that it has; for tests.
    pub(crate) rung: Option<Family>,
}

/// The loaded kernel programs. They detach when this is dropped.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    btf: Btf,
    layout: KernelLayout,
    options: KernelOptions,
    /// [`Choice::has_socket_helpers`].
    has_socket_helpers: bool,
    /// The iterator for [`Extent::InScope`] is loaded.
    walks_in_scope: bool,
    hooks: Vec<HookReport>,
}

/// What a walk shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every descriptor.
    All,
    /// The descriptors of the processes given to [`Kernel::set_pids`]; of other processes, those of
    /// sockets that are in scope and of such as listen. Everything without
    /// [`KernelOptions::only_tracked`], and where the kernel refuses the program for it.
    InScope,
}

/// What the kernel side has lost since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelLosses {
    /// [`Counter::RingFull`].
    pub(crate) ring_full: u64,
    /// [`Counter::MapFull`].
    pub(crate) map_full: u64,
    /// [`Counter::ReadFailed`].
    pub(crate) read_failed: u64,
    /// Events for which the kernel did not run the program, because on that processor it was in
    /// the middle of running it for another one (`recursion_misses`). 0 before Linux 5.12.
    pub(crate) missed_runs: u64,
    /// [`Counter::StackLost`].
    pub(crate) stacks_lost: u64,
    /// [`Counter::LedgerFull`].
    pub(crate) ledger_full: u64,
}

impl Kernel {
    /// Loads the programs and maps, and the iterator ready for [`walk`](Self::walk). Nothing is
    /// hooked before [`attach`](Self::attach).
    ///
    /// # Errors
    /// One line with cause and remedy: no privilege, no type information, a kernel that is locked
    /// down or lacks a field, or one that refuses a program.
    pub(crate) fn load(options: KernelOptions) -> anyhow::Result<Self> {
        if !privileges::may_load_programs() {
            bail!(
                "loading kernel programs needs root, or CAP_BPF and CAP_PERFMON{}: run it with sudo",
                privileges::bpf_setting()
            );
        }
        let (layout, btf) = types::read()?;
        raise_memory_lock_limit();
        let ebpf = load_object(options, &layout, true)?;
        let mut kernel = Self {
            ebpf,
            btf,
            layout,
            options,
            has_socket_helpers: true,
            walks_in_scope: false,
            hooks: Vec::new(),
        };
        match kernel.load_snapshot_programs() {
            Ok(()) => {}
            Err(error) if lacks_function(&one_line(error.as_ref())) => {
                kernel.load_without_helpers()?;
                return Ok(kernel);
            }
            Err(error) => return Err(explain(error.as_ref())),
        }
        if !kernel.can_see_state_changes() {
            // A kprobe may yet, and that has no helpers.
            let helped = kernel.load_without_helpers()?;
            if !kernel.can_see_state_changes() {
                kernel.ebpf = helped;
                kernel.has_socket_helpers = true;
            }
        }
        Ok(kernel)
    }

    /// Loads everything again so that it does without the kernel's helpers for sockets. Gives what
    /// was loaded before.
    fn load_without_helpers(&mut self) -> anyhow::Result<Ebpf> {
        let without = load_object(self.options, &self.layout, false)?;
        let before = mem::replace(&mut self.ebpf, without);
        self.has_socket_helpers = false;
        self.load_snapshot_programs().map_err(|error| explain(error.as_ref()))?;
        Ok(before)
    }

    /// Whether one of the programs for state changes can be loaded.
    fn can_see_state_changes(&mut self) -> bool {
        let choice = self.choice();
        hooks::can_load(&mut self.ebpf, &self.btf, &hooks::STATE, choice)
    }

    fn choice(&self) -> Choice {
        Choice { only: self.options.rung, has_socket_helpers: self.has_socket_helpers }
    }

    /// Attaches the hooks. From here on events arrive, of processes that were given to
    /// [`set_pids`](Self::set_pids) before. What does not attach is in the reports, one for each
    /// hook, and is no error.
    pub(crate) fn attach(&mut self) -> &[HookReport] {
        let choice = self.choice();
        self.hooks = hooks::attach(&mut self.ebpf, &self.btf, &HOOKS, choice);
        &self.hooks
    }

    /// What the running kernel's type information said.
    pub(crate) fn layout(&self) -> &KernelLayout {
        &self.layout
    }

    /// Replaces the processes in scope, by their pids as this process sees them. Without
    /// [`KernelOptions::only_tracked`] it has no effect. Gives how many more there are than the map
    /// holds (4096): only a walk of [`Extent::All`] shows the sockets of those.
    ///
    /// # Errors
    /// The kernel does not let the map be changed.
    pub(crate) fn set_pids(&mut self, pids: &[u32]) -> anyhow::Result<u64> {
        let mut map: HashMap<&mut MapData, u32, u8> = self.map_mut("PIDS")?.try_into()?;
        // Pids that stay are not removed, so no process that stays is ever out of scope. The others
        // are removed first, to make room for new ones.
        let old: Vec<u32> = map.keys().collect::<Result<_, _>>()?;
        for pid in old.iter().filter(|pid| !pids.contains(pid)) {
            map.remove(pid)?;
        }
        let mut refused = 0;
        for pid in pids {
            match map.insert(pid, 1, 0) {
                Err(MapError::SyscallError(error))
                    if error.io_error.raw_os_error() == Some(libc::E2BIG) =>
                {
                    refused += 1;
                }
                result => result?,
            }
        }
        Ok(refused)
    }

    /// Brings a socket into scope that a snapshot has shown, by its cookie: a process in scope had
    /// it open before the hooks were attached, or was given it. Gives false if it was in scope.
    ///
    /// # Errors
    /// The map is full (131,072 sockets).
    pub(crate) fn track(&mut self, cookie: u64) -> anyhow::Result<bool> {
        let mut map: HashMap<&mut MapData, u64, u8> = self.map_mut("TRACKED")?.try_into()?;
        match map.insert(cookie, 1, BPF_NOEXIST) {
            Err(MapError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(libc::EEXIST) =>
            {
                Ok(false)
            }
            result => Ok(result.map(|()| true)?),
        }
    }

    /// Takes a socket out of scope, by its cookie. It does not matter if it was not in it.
    pub(crate) fn untrack(&mut self, cookie: u64) {
        let map = self.ebpf.map_mut("TRACKED").map(HashMap::<&mut MapData, u64, u8>::try_from);
        if let Some(Ok(mut map)) = map {
            // Its destruction has usually removed it already.
            let _ = map.remove(&cookie);
        }
    }

    /// What has been lost so far.
    ///
    /// # Errors
    /// The kernel does not let its own counters be read.
    pub(crate) fn losses(&self) -> anyhow::Result<KernelLosses> {
        let counters: PerCpuArray<&MapData, u64> = self.map("COUNTERS")?.try_into()?;
        let sum = |counter: Counter| -> anyhow::Result<u64> {
            Ok(counters.get(&(counter as u32), 0)?.iter().sum())
        };
        Ok(KernelLosses {
            ring_full: sum(Counter::RingFull)?,
            map_full: sum(Counter::MapFull)?,
            read_failed: sum(Counter::ReadFailed)?,
            missed_runs: self.ebpf.programs().map(|(_, program)| missed_runs(program)).sum(),
            stacks_lost: sum(Counter::StackLost)?,
            ledger_full: sum(Counter::LedgerFull)?,
        })
    }

    /// The ring buffer of events; once.
    ///
    /// # Errors
    /// It was taken before, or cannot be polled.
    pub(crate) fn take_events(&mut self) -> anyhow::Result<EventRing> {
        let map = self.ebpf.take_map("EVENTS").ok_or_else(|| not_in_object("EVENTS"))?;
        Ok(EventRing::new(RingBuf::try_from(map)?)?)
    }

    /// The programs' log; once. `None` unless [`KernelOptions::verbose`].
    ///
    /// # Errors
    /// It was taken before, or cannot be polled.
    pub(crate) fn take_log(&mut self) -> anyhow::Result<Option<LogRing>> {
        self.options.verbose.then(|| LogRing::new(&mut self.ebpf)).transpose()
    }

    /// A program of the object, by its name.
    pub(super) fn program(&mut self, name: &str) -> anyhow::Result<&mut Program> {
        self.ebpf.program_mut(name).ok_or_else(|| not_in_object(name))
    }

    pub(super) fn map(&self, name: &str) -> anyhow::Result<&Map> {
        self.ebpf.map(name).ok_or_else(|| not_in_object(name))
    }

    pub(super) fn map_mut(&mut self, name: &str) -> anyhow::Result<&mut Map> {
        self.ebpf.map_mut(name).ok_or_else(|| not_in_object(name))
    }

    /// The name of the loaded iterator that shows this, or more.
    pub(super) fn walker(&self, extent: Extent) -> &'static str {
        self.snapshot_program(if self.walks_in_scope { extent } else { Extent::All })
    }

    /// The name of the iterator that this kernel has what it takes for.
    fn snapshot_program(&self, extent: Extent) -> &'static str {
        SNAPSHOT_PROGRAMS[usize::from(!self.has_socket_helpers)][extent as usize]
    }

    /// Loads the iterator, and that for what is in scope if some is not: without it more is shown than
    /// has to be. The error is as it came, and not yet explained.
    fn load_snapshot_programs(&mut self) -> anyhow::Result<()> {
        self.load_snapshot_program(Extent::All)?;
        self.walks_in_scope = self.options.only_tracked
            && self
                .load_snapshot_program(Extent::InScope)
                .inspect_err(|error| log::debug!("no walk of what is in scope: {error:#}"))
                .is_ok();
        Ok(())
    }

    fn load_snapshot_program(&mut self, extent: Extent) -> anyhow::Result<()> {
        let name = self.snapshot_program(extent);
        let program = self.ebpf.program_mut(name).ok_or_else(|| not_in_object(name))?;
        let program: &mut Iter = program.try_into()?;
        Ok(program.load(SNAPSHOT_TARGET, &self.btf)?)
    }
}

/// Loads the maps, and prepares the programs with what they have to know.
fn load_object(
    options: KernelOptions,
    layout: &KernelLayout,
    has_socket_helpers: bool,
) -> anyhow::Result<Ebpf> {
    let ring_bytes = options.ring_bytes.unwrap_or(RING_BYTES);
    let (kernel_arguments, kernel_result) = KERNEL_REGISTERS;
    let offsets = AsPod(layout.offsets);
    let settings = AsPod(Settings {
        pid_namespace_inode: pid_namespace_inode()?,
        only_tracked: u32::from(options.only_tracked),
        wakeup_bytes: ring_bytes / WAKEUP_PART,
        with_stacks: u32::from(options.with_stacks),
        with_stack_tops: u32::from(cfg!(target_arch = "x86_64")),
        go_arguments: GO_ARGUMENTS,
        kernel_arguments,
        kernel_result,
        without_socket_helpers: u32::from(!has_socket_helpers),
    });
    let log_level = if options.verbose { aya_log::Level::Debug as u8 } else { 0 };
    let mut loader = loader::new();
    let unused = [
        ("STACKS", !options.with_stacks),
        ("STACK_TOPS", !options.with_stacks),
        ("LEDGER", !options.with_stacks),
        ("TRACKED", !options.only_tracked),
        ("IDENTITIES", has_socket_helpers),
    ];
    for (map, _) in unused.into_iter().filter(|(_, is_unused)| *is_unused) {
        loader.map_max_entries(map, 1);
    }
    loader
        // The programs have no relocations against the kernel's types.
        .btf(None)
        .override_global("OFFSETS", &offsets, true)
        .override_global("SETTINGS", &settings, true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries("EVENTS", ring_bytes)
        .load(OBJECT)
        .map_err(|error| explain(&error))
}

/// The number by which the kernel knows the pid namespace of this process.
fn pid_namespace_inode() -> anyhow::Result<u32> {
    const FILE: &str = "/proc/self/ns/pid";
    let metadata =
        fs::metadata(FILE).with_context(|| format!("cannot read {FILE}: is /proc mounted?"))?;
    u32::try_from(metadata.ino()).with_context(|| format!("{FILE} has an impossible number"))
}

/// Linux before 5.11 counts maps as locked memory, so the limit is raised. A refusal is ignored: on
/// later kernels the limit does not matter.
fn raise_memory_lock_limit() {
    // `None` is no limit.
    let limit = Rlimit { current: None, maximum: None };
    let _ = setrlimit(Resource::Memlock, limit);
}

/// Times that the kernel passed the program over, from its descriptor's page in `/proc`.
fn missed_runs(program: &Program) -> u64 {
    // A program that is not loaded has missed nothing.
    let Ok(fd) = program.fd() else { return 0 };
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn not_in_object(name: &str) -> anyhow::Error {
    anyhow!("the embedded kernel object has no `{name}`, or it was taken before")
}

/// Cause and remedy of an error from loading, on one line.
fn explain(error: &(dyn Error + 'static)) -> anyhow::Error {
    if Lockdown::current() == Some(Lockdown::Confidentiality) {
        return anyhow!(
            "the kernel is locked down in confidentiality mode, which keeps even root from reading \
             its memory: boot with lockdown=integrity or less"
        );
    }
    if is_permission_denied(error) {
        return anyhow!(
            "the kernel does not let this process load programs, which needs CAP_BPF and \
             CAP_PERFMON on the host, not in a container of its own user namespace{}: {}",
            privileges::bpf_setting(),
            one_line(error)
        );
    }
    let text = one_line(error);
    if lacks_function(&text) {
        return anyhow!(
            "this kernel is too old, it lacks a function that the kernel programs call: use Linux \
             5.10 or newer ({text})"
        );
    }
    let remedy = if has_number(error, libc::EMFILE) {
        "; raise the limit of open files: ulimit -n 64"
    } else {
        ""
    };
    anyhow!("cannot load the kernel programs: {text}{remedy}")
}

/// Whether this is what the verifier says of a function that the kernel does not have, or not for
/// this kind of program.
fn lacks_function(text: &str) -> bool {
    text.contains("invalid func unknown#") || text.contains("unknown func ")
}

/// Whether the kernel said EPERM. What the verifier does not like is EACCES, another matter.
fn is_permission_denied(error: &(dyn Error + 'static)) -> bool {
    has_number(error, libc::EPERM)
}

fn has_number(error: &(dyn Error + 'static), number: i32) -> bool {
    causes(error).any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.raw_os_error() == Some(number))
    })
}

/// The error and its causes on one line; of the verifier's log, if there is one, the last words.
pub(super) fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = match cause.downcast_ref::<ProgramError>() {
            Some(ProgramError::LoadError { io_error, verifier_log }) => {
                let log = verifier_log.to_string();
                let last = log.lines().rfind(|line| is_verdict(line)).unwrap_or_default();
                format!("the kernel refused the program ({io_error}) {last}")
            }
            _ => cause.to_string(),
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Many errors repeat their cause.
        if !parts.last().is_some_and(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    let text = parts.join(": ");
    let is_denied = [libc::EACCES, libc::EPERM].into_iter().any(|it| has_number(error, it));
    if is_denied && text.contains("perf_event_open") {
        return format!("{text}{}", privileges::perf_setting());
    }
    text
}

/// Whether a line of the verifier's log says what is wrong, and is not one of the statistics at its
/// end.
fn is_verdict(line: &str) -> bool {
    let statistics = ["processed ", "verification time ", "stack depth ", "peak_states "];
    !line.trim().is_empty() && !statistics.iter().any(|start| line.starts_with(start))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests;
