//! Where facts come from: the kernel programs, loaded and attached, and the numbers that turn what
//! they report into facts.

pub(crate) mod btf;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
pub(crate) mod hooks;
pub(crate) mod jiffies;
pub(crate) mod kernel;
pub(crate) mod ledger;
pub(crate) mod lockdown;
pub(crate) mod offsets;
pub(crate) mod privileges;
pub(crate) mod ring_buffer;
pub(crate) mod snapshot;
pub(crate) mod sock_diag;
pub(crate) mod stacks;

mod map_batch;
mod pod;
mod private_mount;
