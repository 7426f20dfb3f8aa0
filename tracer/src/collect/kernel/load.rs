//! The kernel programs: loaded, attached, and asked for their counters.

use std::mem;

use anyhow::bail;
use aya::{
    Btf, Ebpf,
    maps::{Map, RingBuf},
    programs::{Iter, Program},
};

use super::{
    attach::{self, Choice, HookReport},
    error::{explain, lacks_function, one_line},
    extent::{self, Extent, SNAPSHOT_TARGET},
    hooks::{HOOKS, STATE},
    object::{self, KernelOptions, not_in_object, raise_memory_lock_limit},
    offsets::KernelLayout,
    privileges,
    ring::{EventRing, LogRing},
    vmlinux,
};

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
        let (layout, btf) = vmlinux::read()?;
        raise_memory_lock_limit();
        let ebpf = object::load(options, &layout, true)?;
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
        let without = object::load(self.options, &self.layout, false)?;
        let before = mem::replace(&mut self.ebpf, without);
        self.has_socket_helpers = false;
        self.load_snapshot_programs().map_err(|error| explain(error.as_ref()))?;
        Ok(before)
    }

    /// Whether one of the programs for state changes can be loaded.
    fn can_see_state_changes(&mut self) -> bool {
        let choice = self.choice();
        attach::can_load(&mut self.ebpf, &self.btf, &STATE, choice)
    }

    fn choice(&self) -> Choice {
        Choice { only: self.options.mechanism, has_socket_helpers: self.has_socket_helpers }
    }

    /// Attaches the hooks. From here on events arrive, of processes that were given to
    /// [`set_pids`](Self::set_pids) before. What does not attach is in the reports, one for each
    /// hook, and is no error.
    pub(crate) fn attach(&mut self) -> &[HookReport] {
        let choice = self.choice();
        self.hooks = attach::attach(&mut self.ebpf, &self.btf, &HOOKS, choice);
        &self.hooks
    }

    /// What the running kernel's type information said.
    pub(crate) fn layout(&self) -> &KernelLayout {
        &self.layout
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

    /// All programs of the object.
    pub(super) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.ebpf.programs().map(|(_, program)| program)
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
        extent::program(extent, self.has_socket_helpers)
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

#[cfg(test)]
mod tests;
