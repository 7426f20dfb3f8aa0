//! The embedded object with the BPF programs: creates its maps and prepares its programs.

mod loader;

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    os::unix::fs::MetadataExt as _,
};

use anyhow::{Context as _, anyhow};
use aya::Ebpf;
use rustix::process::{Resource, Rlimit, setrlimit};
use tracer_common::Settings;

use super::{
    error::explain,
    hooks::AttachFamily,
    offsets::KernelLayout,
    pod::AsPod,
    registers::{GO_ARGUMENTS, KERNEL_REGISTERS},
    socket_layout::SocketLayout,
};

/// The BPF programs, as `cargo xtask ebpf` built them. The build script chooses the object.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("TRACER_BPF_OBJECT"));

/// Size of the ring buffer without [`KernelOptions::ring_bytes`].
const RING_BYTES: u32 = 8 << 20;

/// User space is woken when this fraction (1/16) of the ring buffer is full: half a mebibyte, which
/// is 4,681 events, whose stacks fit into the map of stacks.
const WAKEUP_PART: u32 = 16;

/// What to load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent options")]
pub(crate) struct KernelOptions {
    /// Report only the processes given to [`Kernel::set_pids`](super::load::Kernel::set_pids), the
    /// sockets that they open or accept, and those given to
    /// [`Kernel::track`](super::load::Kernel::track).
    pub(crate) only_tracked: bool,
    /// Record the user stack of every reported `connect` and `accept`, for
    /// [`Kernel::take_stacks`](super::load::Kernel::take_stacks), and keep the maps large enough
    /// for [`Kernel::attach_ledger`](super::load::Kernel::attach_ledger), which also requires
    /// stacks.
    pub(crate) with_stacks: bool,
    /// Let the programs write a log, for [`Kernel::take_log`](super::load::Kernel::take_log).
    pub(crate) verbose: bool,
    /// Size of the ring buffer for events, rounded up to a power of two and at least a page.
    /// 8 MiB if `None`.
    pub(crate) ring_bytes: Option<u32>,
    /// Load the program that reads file tables, for runs with many snapshots: the verifier takes
    /// more time for it than it saves in a few.
    pub(crate) reads_file_tables: bool,
    /// Use only attach methods of this mechanism, for tests.
    pub(crate) attach_family: Option<AttachFamily>,
}

/// Creates the maps, and sets the programs' globals. No program is loaded yet.
pub(super) fn load(
    options: KernelOptions,
    layout: &KernelLayout,
    has_socket_helpers: bool,
) -> anyhow::Result<Ebpf> {
    let ring_bytes = options.ring_bytes.unwrap_or(RING_BYTES);
    let (kernel_arguments, kernel_result) = KERNEL_REGISTERS;
    let offsets = AsPod(layout.offsets);
    // If the fields do not fit into the blocks, the programs that copy blocks are not loaded.
    let blocks = SocketLayout::new(&layout.offsets).map(|layout| layout.blocks);
    let blocks = AsPod(blocks.unwrap_or_default());
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
        seed: seed(),
    });
    let log_level = if options.verbose { aya_log::Level::Debug as u8 } else { 0 };
    let mut loader = loader::new();
    let unused = [
        ("STACKS", !options.with_stacks),
        ("LEDGER", !options.with_stacks),
        ("TRACKED", !options.only_tracked),
        ("IDENTITIES", has_socket_helpers),
        ("SEEN", !options.reads_file_tables),
    ];
    for (map, _) in unused.into_iter().filter(|(_, is_unused)| *is_unused) {
        loader.map_max_entries(map, 1);
    }
    loader
        // The programs have no CO-RE relocations.
        .btf(None)
        .override_global("OFFSETS", &offsets, true)
        .override_global("SETTINGS", &settings, true)
        .override_global("BLOCKS", &blocks, true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries("EVENTS", ring_bytes)
        .load(OBJECT)
        .map_err(|error| explain(&error))
}

/// A number that nobody can predict.
fn seed() -> [u32; 2] {
    let random = RandomState::new().hash_one(());
    [0, 32].map(|shift| u32::try_from(random >> shift & u64::from(u32::MAX)).unwrap_or_default())
}

/// Inode number of this process's pid namespace.
fn pid_namespace_inode() -> anyhow::Result<u32> {
    const FILE: &str = "/proc/self/ns/pid";
    let metadata = fs::metadata(FILE).with_context(|| format!("cannot read {FILE}"))?;
    u32::try_from(metadata.ino())
        .with_context(|| format!("the inode number of {FILE} does not fit into 32 bits"))
}

/// Linux before 5.11 counts maps as locked memory, so the limit is raised. A refusal is ignored: on
/// later kernels the limit does not matter.
pub(super) fn raise_memory_lock_limit() {
    // `None` is no limit.
    let limit = Rlimit { current: None, maximum: None };
    let _ = setrlimit(Resource::Memlock, limit);
}

/// The error for a program or map that the object does not have.
pub(super) fn not_in_object(name: &str) -> anyhow::Error {
    anyhow!("the embedded BPF object has no `{name}`, or it was taken before")
}
