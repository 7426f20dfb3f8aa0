//! The loaded BPF programs and their hooks.

use std::{fs::File, mem};

use anyhow::Context as _;
use aya::{
    Btf, Ebpf,
    maps::{Map, RingBuf},
    programs::{Iter, Program},
};
use tracer_core::Probe;

use super::{
    attach::{self, Choice},
    error::{explain, is_missing_helper, not_loaded, one_line},
    extent::{self, Extent, SNAPSHOT_TARGET},
    file_tables::{self, FileTables, Loaded},
    hooks::{HOOKS, STATE},
    object::{self, KernelOptions, not_in_object, raise_memory_lock_limit},
    offsets::KernelLayout,
    privileges,
    ring::{EventRing, LogRing},
    socket_layout::SocketLayout,
    vmlinux,
};
use crate::collect::socket_records::Fingerprints;

/// The loaded BPF programs. They detach when this is dropped.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    btf: Btf,
    layout: KernelLayout,
    options: KernelOptions,
    /// [`Choice::has_socket_helpers`].
    has_socket_helpers: bool,
    /// Whether the iterator for [`Extent::InScope`] is loaded.
    walks_in_scope: bool,
    /// The faster iterator, if it is loaded.
    pub(super) file_tables: FileTables,
    pub(super) fingerprints: Fingerprints,
}

impl Kernel {
    /// Creates the maps and loads the iterator for [`walk`](Self::walk). Nothing is attached before
    /// [`attach`](Self::attach).
    ///
    /// # Errors
    /// One line, with an [`ErrorWithFix`](tracer_inspect::error_with_fix::ErrorWithFix) if a fix is
    /// known: missing privileges, no BTF, a locked-down kernel, a kernel without one of the fields,
    /// or one that refuses a program.
    pub(crate) fn load(options: KernelOptions) -> anyhow::Result<Self> {
        if !privileges::may_load_programs() {
            let reason = format!("CAP_BPF or CAP_PERFMON is missing{}", privileges::bpf_setting());
            return Err(not_loaded(&reason, "run as root, or with CAP_BPF and CAP_PERFMON"));
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
            file_tables: FileTables::default(),
            fingerprints: Fingerprints::default(),
        };
        match kernel.load_snapshot_programs() {
            Ok(()) => {}
            Err(error) if is_missing_helper(&one_line(error.as_ref())) => {
                kernel.load_without_helpers()?;
                return Ok(kernel);
            }
            Err(error) => return Err(explain(error.as_ref())),
        }
        if !kernel.can_see_state_changes() {
            // A kprobe may still work, but its programs cannot call the helpers.
            let with_helpers = kernel.load_without_helpers()?;
            if !kernel.can_see_state_changes() {
                kernel.ebpf = with_helpers;
                kernel.has_socket_helpers = true;
            }
        }
        // Without the helpers, sockets are not identified by cookies.
        if options.reads_file_tables && kernel.has_socket_helpers {
            let extent = if kernel.walks_in_scope { Extent::InScope } else { Extent::All };
            if let Err(error) = kernel.load_file_tables(extent) {
                log::debug!("file tables cannot be read: {}", one_line(error.as_ref()));
            }
        }
        Ok(kernel)
    }

    /// Loads everything again for kernels without the socket helpers. Returns what was loaded
    /// before.
    fn load_without_helpers(&mut self) -> anyhow::Result<Ebpf> {
        let without = object::load(self.options, &self.layout, false)?;
        let before = mem::replace(&mut self.ebpf, without);
        self.has_socket_helpers = false;
        self.load_snapshot_programs().map_err(|error| explain(error.as_ref()))?;
        Ok(before)
    }

    /// Whether one of the programs for state changes loads.
    fn can_see_state_changes(&mut self) -> bool {
        let choice = self.choice();
        attach::can_load(&mut self.ebpf, &self.btf, &STATE, choice)
    }

    fn choice(&self) -> Choice {
        Choice { only: self.options.attach_family, has_socket_helpers: self.has_socket_helpers }
    }

    /// Attaches the hooks. From here on, the processes given to [`set_pids`](Self::set_pids) are
    /// reported. Returns the state of each hook; one that cannot be attached is not an error.
    pub(crate) fn attach(&mut self) -> Vec<Probe> {
        let choice = self.choice();
        attach::attach(&mut self.ebpf, &self.btf, &HOOKS, choice)
    }

    /// The values resolved from the running kernel's BTF.
    pub(crate) fn layout(&self) -> &KernelLayout {
        &self.layout
    }

    /// Takes the ring buffer of events, once.
    ///
    /// # Errors
    /// The ring buffer was already taken, or cannot be polled.
    pub(crate) fn take_events(&mut self) -> anyhow::Result<EventRing> {
        let map = self.ebpf.take_map("EVENTS").ok_or_else(|| not_in_object("EVENTS"))?;
        Ok(EventRing::new(RingBuf::try_from(map)?)?)
    }

    /// Takes the programs' log, once. `None` without [`KernelOptions::verbose`].
    ///
    /// # Errors
    /// The ring buffer was already taken, or cannot be polled.
    pub(crate) fn take_log(&mut self) -> anyhow::Result<Option<LogRing>> {
        self.options.verbose.then(|| LogRing::new(&mut self.ebpf)).transpose()
    }

    /// A program of the object, by name.
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

    /// The name of the loaded program for this extent, or for all if that one is not loaded.
    pub(super) fn walker(&self, extent: Extent) -> &'static str {
        self.snapshot_program(if self.walks_in_scope { extent } else { Extent::All })
    }

    /// The name of the program for this extent that suits this kernel.
    fn snapshot_program(&self, extent: Extent) -> &'static str {
        extent::program(extent, self.has_socket_helpers)
    }

    /// Loads the iterator's program and, with [`KernelOptions::only_tracked`], the one for sockets
    /// in scope; without that one, more is reported than necessary. The caller explains the error.
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
        self.load_iterator(self.snapshot_program(extent), SNAPSHOT_TARGET)
    }

    /// Loads the program that reads file tables. Linux 5.17, which has `bpf_loop`.
    fn load_file_tables(&mut self, extent: Extent) -> anyhow::Result<()> {
        let layout = SocketLayout::new(&self.layout.offsets);
        let layout = layout.context("the fields of a socket are too far apart")?;
        self.load_iterator(file_tables::program(extent), file_tables::TARGET)?;
        let maps = [self.map("PROGRESS")?, self.map("RECORDS")?, self.map("PROCESSES")?];
        let loaded = Loaded::new(extent, &layout, maps)?;
        self.file_tables.loaded = Some(loaded);
        Ok(())
    }

    /// Loads a program of an iterator. The caller explains the error.
    pub(super) fn load_iterator(&mut self, name: &str, target: &str) -> anyhow::Result<()> {
        let program = self.ebpf.program_mut(name).ok_or_else(|| not_in_object(name))?;
        let program: &mut Iter = program.try_into()?;
        Ok(program.load(target, &self.btf)?)
    }

    /// Starts a pass of an iterator whose program is loaded.
    ///
    /// # Errors
    /// The kernel refused.
    pub(super) fn open_iterator(&mut self, name: &str) -> anyhow::Result<File> {
        let program: &mut Iter = self.program(name)?.try_into()?;
        let link = program.attach()?;
        Ok(program.take_link(link)?.into_file()?)
    }
}

#[cfg(test)]
#[cfg(feature = "root-tests")]
mod as_root;
