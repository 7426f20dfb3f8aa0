//! The data that the kernel passes to the programs of every iterator.

use aya_ebpf::bindings::seq_file;

/// `struct bpf_iter_meta`.
#[repr(C)]
pub(crate) struct Meta {
    /// The output of the iterator.
    pub(crate) seq: *mut seq_file,
    /// A number that is unique for each pass.
    pub(crate) session: u64,
    sequence: u64,
}
