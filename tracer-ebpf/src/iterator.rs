//! What the kernel passes to the programs of every iterator.

use aya_ebpf::bindings::seq_file;

/// `struct bpf_iter_meta`.
#[repr(C)]
pub(crate) struct Meta {
    /// Where the output goes.
    pub(crate) seq: *mut seq_file,
    /// Unique for each pass.
    pub(crate) session: u64,
    sequence: u64,
}
